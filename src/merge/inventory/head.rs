use serde::{Deserialize, Serialize};

use super::content::Hash;

/// What is known of a slot, without its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Whether it is there.
    pub standing: Standing,
    /// When it was last seen to be so, at the earliest: ms since the Unix epoch by Okta's clock.
    pub confirmed_as_of: i64,
    /// The newest snapshot that listed it.
    pub epoch: Option<i64>,
    /// `published` of the newest event that hinted at it.
    pub hinted: Option<i64>,
}

/// Whether something is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is.
    Live(Version),
    /// It is gone.
    Gone(Tombstone),
}

/// The accepted version of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The object's own `lastUpdated`, ms since the Unix epoch; parts of a thing have none.
    pub lu: Option<i64>,
    /// The state at Okta was read between these times, ms since the Unix epoch by Okta's clock; of a list the first is
    /// earlier by what a list may lag.
    pub as_of: (i64, i64),
    /// What it says.
    pub hash: Hash,
    /// It was fetched by itself.
    pub fetched: bool,
    /// When the members of a group changed last, by the group.
    pub members_changed: Option<i64>,
}

/// Okta was asked for something and did not have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// It was asked between these times, ms since the Unix epoch by Okta's clock.
    pub as_of: (i64, i64),
}

impl Head {
    /// The version, if it is there.
    pub fn version(&self) -> Option<&Version> {
        match &self.standing {
            Standing::Live(version) => Some(version),
            Standing::Gone(_) => None,
        }
    }

    /// Whether it is gone.
    pub fn is_gone(&self) -> bool {
        matches!(self.standing, Standing::Gone(_))
    }
}
