//! How much of an org's rate limits is ours.
//!
//! Okta lets one token or client use at most a percentage of each bucket, half by default. Where an admin has set it, the
//! limit in Okta's answers is already our own part: half of 100 shows as 50, and all of the 50 are ours. Where it is not
//! set, the answers may show what all clients share, and half of it is left to them.

use std::fmt;

use serde::Deserialize;

use super::api::{Client, Meter, Request, Verdict};
use super::quota::Policy;
use crate::config::{ApiConfig, QuotaConfig, Share};

/// What one client gets by default.
const USUAL: f64 = 0.5;

/// The most of a page that Okta gives.
const PAGE: &str = "50";

/// Pages that are looked through for our client: an org with more than a thousand clients that have a limit of their own
/// is not known.
const MOST_PAGES: usize = 20;

/// What it takes to ask.
pub const SCOPE: &str = "okta.principalRateLimits.read";

/// Why the share is what it is, in a sentence for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The configuration says so.
    Configured,
    /// Okta gives our client so many percent, and shows that in its answers.
    OurOwnLimit(Option<u32>),
    /// No limit of our own is set.
    NotListed,
    /// Okta does not tell us.
    NotTold(Verdict),
    /// We come by an API token, whose id nobody tells us.
    ByToken,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configured => f.write_str("org.quota.share says so"),
            Self::OurOwnLimit(Some(percent)) => {
                write!(f, "the limits that Okta shows are our client's own, {percent} % of the org's")
            }
            Self::OurOwnLimit(None) => f.write_str("the limits that Okta shows are our client's own"),
            Self::NotListed => f.write_str("Okta has no limits for our client alone"),
            Self::NotTold(verdict) => write!(f, "whether Okta has limits for our client alone is not known: {verdict}"),
            Self::ByToken => f.write_str("whether Okta has limits for our API token alone cannot be asked for"),
        }
    }
}

/// How an org's quota may be spent, before it is known what Okta gives us.
pub fn policy(config: &QuotaConfig) -> Policy {
    let usual = Policy::default();
    Policy {
        share: match config.share {
            Share::Auto => USUAL,
            Share::Part(part) => part,
        },
        concurrency_start: usual.concurrency_start.min(config.concurrency),
        concurrency_max: config.concurrency,
        ..usual
    }
}

/// The part of the limits in Okta's answers that may be used, and why. Asks Okta only where that can tell.
pub async fn share_of<M: Meter>(api: &ApiConfig, quota: &QuotaConfig, client: &Client, meter: &M) -> (f64, Why) {
    let client_id = match (quota.share, &api.client_id) {
        (Share::Part(part), _) => return (part, Why::Configured),
        (Share::Auto, None) => return (USUAL, Why::ByToken),
        (Share::Auto, Some(client_id)) => client_id,
    };
    match own_limit(client_id, client, meter).await {
        Ok(Some(limit)) => (1.0, Why::OurOwnLimit(limit.percent)),
        Ok(None) => (USUAL, Why::NotListed),
        Err(verdict) => (USUAL, Why::NotTold(verdict)),
    }
}

/// One of Okta's `PrincipalRateLimitEntity`.
#[derive(Deserialize)]
struct Limit {
    #[serde(rename = "principalId")]
    principal: String,
    #[serde(rename = "defaultPercentage")]
    percent: Option<u32>,
}

async fn own_limit<M: Meter>(client_id: &str, client: &Client, meter: &M) -> Result<Option<Limit>, Verdict> {
    let request = Request::list("/api/v1/principal-rate-limits");
    let mut next = Some(request.query("filter", "principalType eq \"OAUTH_CLIENT\"").query("limit", PAGE));
    for _ in 0..MOST_PAGES {
        let Some(request) = next else { break };
        let page = client.get(&request, meter).await.map_err(|fault| fault.verdict)?;
        let ours = |limit: &Limit| limit.principal == client_id;
        let found = page.objects().find_map(|object| serde_json::from_slice(object.json).ok().filter(ours));
        if found.is_some() {
            return Ok(found);
        }
        next = page.next;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::okta::api::Missing;
    use crate::okta::api::tests::org::{Org, reply, secret};

    const LIMITS: &str = "/api/v1/principal-rate-limits";

    /// An org whose second page of limits is this, and our client in it.
    async fn org(status: u16, second_page: &'static str) -> (Org, Client, ApiConfig) {
        let org = Org::start(move |incoming| match (incoming.path.as_str(), incoming.query.as_str()) {
            ("/oauth2/v1/token", _) => {
                reply(200, &[], r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#)
            }
            (LIMITS, "filter=principalType%20eq%20%22OAUTH_CLIENT%22&limit=50") => {
                let next = format!("<http://{}{LIMITS}?after=1>; rel=\"next\"", incoming.header("host"));
                reply(200, &[("link", &next)], r#"[{"principalId":"0oa9","defaultPercentage":10}]"#)
            }
            (LIMITS, "after=1") => reply(status, &[], second_page),
            other => panic!("{other:?}"),
        })
        .await;
        let api = ApiConfig { client_id: Some("0oa1".into()), client_secret: Some(secret("hunter2")), ..org.config() };
        let client = Client::new(&api, &["okta.principalRateLimits.read"], 1).unwrap();
        (org, client, api)
    }

    async fn share(status: u16, second_page: &'static str) -> (f64, Why) {
        let (_org, client, api) = org(status, second_page).await;
        share_of(&api, &QuotaConfig::default(), &client, &()).await
    }

    #[tokio::test]
    async fn all_of_a_limit_that_is_our_own_is_ours() {
        let ours = r#"[{"principalId":"0oa2"},{"principalId":"0oa1","defaultPercentage":40,"id":"prl1"}]"#;
        assert_eq!(share(200, ours).await, (1.0, Why::OurOwnLimit(Some(40))));
    }

    #[tokio::test]
    async fn half_is_ours_where_nothing_is_set_or_told() {
        assert_eq!(share(200, r#"[{"principalId":"0oa11"},{"odd":true}]"#).await, (0.5, Why::NotListed));
        let (part, why) = share(403, r#"{"errorCode":"E0000006","errorSummary":"s","errorCauses":[]}"#).await;
        assert_eq!((part, &why), (0.5, &Why::NotTold(Verdict::Forbidden { missing: Missing::Role })));
        assert!(
            why.to_string().ends_with(
                "not known: Okta does not allow this: the account or app needs an admin role that may see it"
            ),
            "{why}"
        );
    }

    #[tokio::test]
    async fn what_cannot_tell_is_not_asked() {
        let (org, client, api) = org(200, "[]").await;
        let quota = QuotaConfig { share: Share::Part(0.7), ..QuotaConfig::default() };
        assert_eq!(share_of(&api, &quota, &client, &()).await, (0.7, Why::Configured));
        let api = ApiConfig { client_id: None, token: Some(secret("t")), ..org.config() };
        assert_eq!(share_of(&api, &QuotaConfig::default(), &client, &()).await, (0.5, Why::ByToken));
        assert!(org.seen().is_empty());
    }

    #[test]
    fn the_policy_keeps_to_the_configuration() {
        let quota = QuotaConfig { share: Share::Part(0.7), concurrency: 4 };
        let few = policy(&quota);
        assert_eq!((few.share, few.concurrency_start, few.concurrency_max), (0.7, 4, 4));
        assert_eq!(policy(&QuotaConfig::default()), Policy::default());
    }
}
