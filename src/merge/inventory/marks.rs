use serde::{Deserialize, Serialize};

/// One thing that is fetched: an object or a list by its key, or without a key what has changed in a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// The facet.
    pub facet: String,
    /// The key.
    pub key: Option<String>,
}

/// `fetches_sent`: these are about to be asked for. Lands before the first of them is sent, so that of every event it is
/// certain whether it was there before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Not before this time, ms since the Unix epoch by Okta's clock: no answer may have an earlier `as_of_lo`.
    pub as_of: i64,
    /// What.
    pub errands: Vec<Errand>,
}

/// `fetch_failed`: there is no answer, after all tries. A refusal (403) is none: it says nothing of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// To what.
    pub errand: Errand,
    /// Whether to ask again later. Not if the org does not have such a thing at all; then the fetch is closed, and what the
    /// events said is lost until the next list.
    pub again: bool,
}

/// `changes_read`: what has changed in a collection was listed to its end; the observations landed before this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesRead {
    /// The facet.
    pub facet: String,
    /// When the first page was asked for, ms since the Unix epoch by Okta's clock.
    pub as_of: i64,
}

/// What those who fetch tell the fold, in marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchMark {
    /// Fetches are about to be sent.
    Sent(Sent),
    /// A fetch has no answer.
    Failed(Failed),
    /// A list of changes was read.
    ChangesRead(ChangesRead),
}

impl FetchMark {
    /// The name and the value of its record.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which does not happen.
    pub fn write(&self) -> Result<(&'static str, Vec<u8>), serde_json::Error> {
        Ok(match self {
            Self::Sent(content) => ("fetches_sent", serde_json::to_vec(content)?),
            Self::Failed(content) => ("fetch_failed", serde_json::to_vec(content)?),
            Self::ChangesRead(content) => ("changes_read", serde_json::to_vec(content)?),
        })
    }

    /// Reads a mark's record; `None` for marks of other names.
    ///
    /// # Errors
    /// When the value is not what the name promises.
    pub fn read(name: &str, value: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        Ok(Some(match name {
            "fetches_sent" => Self::Sent(serde_json::from_slice(value)?),
            "fetch_failed" => Self::Failed(serde_json::from_slice(value)?),
            "changes_read" => Self::ChangesRead(serde_json::from_slice(value)?),
            _ => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_survives_its_record() {
        let errand = Errand { facet: "user.core".into(), key: Some("00u1".into()) };
        for mark in [
            FetchMark::Sent(Sent { as_of: 5, errands: vec![errand.clone(), Errand { key: None, ..errand.clone() }] }),
            FetchMark::Failed(Failed { errand, again: true }),
            FetchMark::ChangesRead(ChangesRead { facet: "user.core".into(), as_of: 7 }),
        ] {
            let (name, value) = mark.write().unwrap();
            assert_eq!(FetchMark::read(name, &value).unwrap(), Some(mark));
        }
        assert!(FetchMark::read("fetches_sent", b"{}").is_err());
        assert_eq!(FetchMark::read("snapshot_begun", b"{}").unwrap(), None);
    }
}
