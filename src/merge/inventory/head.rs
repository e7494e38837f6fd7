use serde::{Deserialize, Serialize};

use super::content::Hash;
use super::output::Cause;

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
    /// [`Standing::since`] of the first that was ever known of it.
    pub first: i64,
    /// How much of what it was before is kept.
    pub past: u32,
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
    /// earlier by what a list may lag. It moves on when a newer reading says the same.
    pub as_of: (i64, i64),
    /// What it says.
    pub hash: Hash,
    /// It was fetched by itself.
    pub fetched: bool,
    /// When the members of a group changed last, by the group.
    pub members_changed: Option<i64>,
    /// It was so from this time on, at the latest: when it was first read, at the earliest, but not before its own
    /// `lu`. Later than that of what was known before it.
    pub since: i64,
    /// How it came out.
    pub cause: Cause,
}

/// Okta was asked for something and did not have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// It was asked between these times, ms since the Unix epoch by Okta's clock. They move on when it is asked again.
    pub as_of: (i64, i64),
    /// It was gone from this time on, at the latest.
    pub since: i64,
    /// How it came out.
    pub cause: Cause,
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

    /// [`Standing::since`].
    pub fn since(&self) -> i64 {
        self.standing.since()
    }
}

impl Standing {
    /// It was so from this time on, at the latest: ms since the Unix epoch by Okta's clock.
    pub fn since(&self) -> i64 {
        match self {
            Self::Live(version) => version.since,
            Self::Gone(tombstone) => tombstone.since,
        }
    }

    /// How it came out.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Live(version) => version.cause,
            Self::Gone(tombstone) => tombstone.cause,
        }
    }
}

/// From when on something is said to be so that was seen now: later than what was known before it.
pub(super) fn since(before: Option<&Head>, as_of: i64, lu: Option<i64>) -> i64 {
    let seen = lu.map_or(as_of, |lu| as_of.max(lu));
    before.map_or(seen, |before| seen.max(before.since().saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_something_is_said_to_be_later() {
        assert_eq!(since(None, 7, None), 7);
        assert_eq!(since(None, 7, Some(9)), 9, "nothing is so before it says that it was made so");
        let tombstone = Tombstone { as_of: (20, 21), since: 20, cause: Cause::Fetch };
        let standing = Standing::Gone(tombstone);
        let head = Head { standing, confirmed_as_of: 20, epoch: None, hinted: None, first: 20, past: 0 };
        assert_eq!(since(Some(&head), 20, Some(9)), 21);
    }
}
