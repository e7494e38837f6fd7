use serde::{Deserialize, Serialize};

use super::content::Hash;
use super::intents::Ask;
use super::slot::Slot;

/// What the inventory says after a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Something is there, or is otherwise than it was.
    Change(Change),
    /// Something is gone.
    Deleted(Deleted),
    /// A change that no event announced.
    Drift(Drift),
    /// Something is to be fetched.
    Intent(Intent),
    /// A person should look.
    Alert(Alert),
}

/// A version was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Of what.
    pub slot: Slot,
    /// What it said before; `None` if it was not known.
    pub before: Option<Vec<u8>>,
    /// What it says now.
    pub after: Vec<u8>,
    /// What it says now, in short.
    pub hash: Hash,
    /// The object's own `lastUpdated`, ms since the Unix epoch.
    pub lu: Option<i64>,
    /// How it came out.
    pub cause: Cause,
    /// Between which times it was read, as in [`super::Version`].
    pub as_of: (i64, i64),
}

/// Something is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// What.
    pub slot: Slot,
    /// What it said last.
    pub before: Option<Vec<u8>>,
    /// How it came out.
    pub cause: Cause,
    /// Between which times Okta was asked for it; of a part, for the thing that it was a part of.
    pub as_of: (i64, i64),
}

/// How something came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A list showed it.
    List,
    /// It was fetched, as something else than an event pointed there.
    Fetch,
    /// A snapshot missed it, and it was asked for.
    Sweep,
    /// A re-read of what should not have changed.
    Audit,
    /// An event hinted at it; Okta's uuid of it.
    Event([u8; 16]),
}

/// A change that no event announced: the events of that time should be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Of what.
    pub slot: Slot,
    /// Which way.
    pub kind: DriftKind,
    /// It happened between these times, ms since the Unix epoch by Okta's clock. The first is `None` if it was never
    /// seen before.
    pub between: (Option<i64>, i64),
}

/// Which way something drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriftKind {
    /// It is otherwise than it was.
    Changed,
    /// It was not there in the last complete snapshot.
    Appeared,
    /// It is gone.
    Vanished,
}

/// Something is to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// What; for [`Ask::Changes`] the key is empty.
    pub slot: Slot,
    /// How.
    pub ask: Ask,
    /// Why.
    pub cause: Cause,
    /// Not before this time, ms since the Unix epoch by the log's clock.
    pub not_before: i64,
}

/// Something that a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alert {
    /// A complete snapshot missed so much that nothing is swept.
    Braked {
        /// Of what; the key is empty.
        slot: Slot,
        /// Which snapshot.
        epoch: i64,
        /// How many are missing.
        candidates: u64,
        /// Of how many.
        live: u64,
    },
    /// Nothing is swept: what is known to exist was not found, or there is nothing that is.
    NoCanary {
        /// What was not found; the key is empty if there was nothing to ask for.
        slot: Slot,
        /// Which snapshot.
        epoch: i64,
    },
    /// What is missing cannot be asked for by itself, so it stays.
    Unconfirmable {
        /// Of what; the key is empty.
        slot: Slot,
        /// Which snapshot.
        epoch: i64,
        /// How many.
        candidates: u64,
    },
}

/// What became of observations and hints, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Versions that were accepted.
    pub accepted: u64,
    /// Sightings that said what was known.
    pub confirmed: u64,
    /// Sightings that were older than what was known.
    pub stale: u64,
    /// Sightings in lists of what is gone.
    pub dropped: u64,
    /// Things that are gone.
    pub deleted: u64,
    /// Pages of lists that were never whole.
    pub incomplete: u64,
    /// Observations that cannot be read, or are not as their collection lands.
    pub unfit: u64,
    /// Hints from events.
    pub hints: u64,
    /// Hints that found a fetch waiting already.
    pub coalesced: u64,
}
