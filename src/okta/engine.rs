use serde::Deserialize;

use super::api::{ApiFault, Client, Meter, Request};

/// Which of Okta's two engines runs an org: Classic has no devices, authenticators and the like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Engine {
    /// Identity Engine.
    Identity,
    /// Classic Engine.
    Classic,
    /// The org does not say, or in words that are not known.
    #[default]
    Unknown,
}

/// The org's own description, which everybody may read.
#[derive(Deserialize)]
struct Metadata {
    pipeline: Option<String>,
}

impl Engine {
    /// Asks the org.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn of<M: Meter>(client: &Client, meter: &M) -> Result<Self, ApiFault> {
        let answer = client.get(&Request::one("/.well-known/okta-organization"), meter).await?;
        let metadata = serde_json::from_slice::<Metadata>(answer.body());
        Ok(match metadata.ok().and_then(|metadata| metadata.pipeline).as_deref() {
            Some("idx") => Self::Identity,
            Some("v1") => Self::Classic,
            _ => Self::Unknown,
        })
    }

    /// Its name as Okta has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "Identity Engine",
            Self::Classic => "Classic Engine",
            Self::Unknown => "an unknown engine",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::okta::api::tests::org::{Org, reply};

    #[tokio::test]
    async fn an_org_says_which_engine_runs_it() {
        for (body, engine) in [
            (r#"{"id":"00o1","pipeline":"idx","_links":{}}"#, Engine::Identity),
            (r#"{"id":"00o1","pipeline":"v1"}"#, Engine::Classic),
            (r#"{"id":"00o1","pipeline":"v9"}"#, Engine::Unknown),
            (r#"{"id":"00o1","pipeline":null}"#, Engine::Unknown),
            (r#"{"pipeline":7}"#, Engine::Unknown),
        ] {
            let org = Org::start(move |incoming| {
                assert_eq!(incoming.path, "/.well-known/okta-organization");
                reply(200, &[], body)
            })
            .await;
            assert_eq!(Engine::of(&org.client(), &()).await.unwrap(), engine, "{body}");
        }
        let silent = Org::start(|_| reply(404, &[], "")).await;
        assert!(Engine::of(&silent.client(), &()).await.is_err());
    }
}
