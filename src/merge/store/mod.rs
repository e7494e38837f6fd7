//! What the fold remembers, behind a small trait.

mod memory;
mod redb;

pub use self::memory::MemoryStore;
pub use self::redb::{Rebuild, RedbReader, RedbStore};

use std::collections::BTreeMap;

use super::inventory::{InventoryStore, Writes};
use super::snapshots::{Roster, Snapshots};
use crate::landing::Origin;
use crate::okta::OrgId;

/// A day of one org: the unit in which remembered uuids are dropped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    /// The org.
    pub org: OrgId,
    /// The day of the events' `published`, counted from the Unix epoch.
    pub day: i64,
}

/// One remembered event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Where it is remembered.
    pub bucket: Bucket,
    /// Okta's uuid.
    pub uuid: [u8; 16],
}

/// The ways by which an event has come, as a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ways(pub u8);

impl Ways {
    /// By none: the event was never seen.
    pub const NONE: Self = Self(0);
    /// Okta's log streaming.
    pub const STREAM: Self = Self(1);
    /// The polled System Log API.
    pub const POLL: Self = Self(2);
    /// A reading of the past: a job, a file, an archive.
    pub const HISTORY: Self = Self(4);

    /// The way of an event of this origin.
    pub fn of(origin: Origin) -> Self {
        match origin {
            Origin::Poll => Self::POLL,
            origin if origin.is_history() => Self::HISTORY,
            _ => Self::STREAM,
        }
    }

    /// Both sets together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of the other set is in this one.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What one batch of records changed. Committed as a whole or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The first record that is not part of this batch or an earlier one.
    pub next_offset: u64,
    /// Events by bucket that came for the first time, or by another way than before, with all ways by now.
    pub seen: BTreeMap<Bucket, BTreeMap<[u8; 16], Ways>>,
    /// Buckets to drop.
    pub dropped: Vec<Bucket>,
    /// The fold's clock: the newest landing time, ms since the Unix epoch.
    pub clock: i64,
    /// Where the output ends, in the words of the sink that wrote it; empty if the sink has no need of it.
    pub sink_position: Vec<u8>,
    /// How the reading of these orgs stands now.
    pub snapshots: BTreeMap<OrgId, Snapshots>,
    /// Keys that were put on rosters.
    pub listed: Vec<Listed>,
    /// Rosters to drop; what `listed` puts on them goes too.
    pub unlisted: Vec<Roster>,
    /// What else is known, by key: the inventory first of all.
    pub writes: Writes,
    /// What the changelog keeps of itself; no part of the state.
    pub notes: Writes,
}

/// A key on a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which roster.
    pub roster: Roster,
    /// Its place, counted from 0 without gaps.
    pub place: u64,
    /// The key.
    pub key: String,
}

/// Durable memory of one landing partition. One owner at a time.
pub trait StateStore: InventoryStore + Send {
    /// Where to go on: everything before was committed.
    fn next_offset(&self) -> u64;

    /// The fold's clock as last committed.
    fn clock(&self) -> i64;

    /// The sink position as last committed.
    fn sink_position(&self) -> &[u8];

    /// By which ways the event had come, as last committed.
    ///
    /// # Errors
    /// When the disk cannot be read.
    fn ways(&self, seen: &Seen) -> Result<Ways, StoreError>;

    /// Every bucket, with the day (since the Unix epoch, by the fold's clock) on which something was last added.
    fn buckets(&self) -> &BTreeMap<Bucket, i64>;

    /// How the reading of the org stands, as last committed.
    fn snapshots(&self, org: &OrgId) -> Option<&Snapshots>;

    /// Whether the key was committed to the roster before.
    ///
    /// # Errors
    /// When the disk cannot be read.
    fn is_listed(&self, roster: &Roster, key: &str) -> Result<bool, StoreError>;

    /// Makes the changes durable, all or none.
    ///
    /// # Errors
    /// When the disk refuses; the store must then be opened anew.
    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError>;
}

/// What others than the owner may know of the state, as last committed. Cheap to ask, from any thread.
pub trait StateReader: InventoryStore + Send + Sync {
    /// How the reading of the org stands.
    ///
    /// # Errors
    /// When the disk cannot be read.
    fn snapshots(&self, org: &OrgId) -> Result<Option<Snapshots>, StoreError>;

    /// Keys of a roster from a place on, at most so many.
    ///
    /// # Errors
    /// When the disk cannot be read.
    fn roster(&self, roster: &Roster, from: u64, most: usize) -> Result<Vec<String>, StoreError>;
}

/// What cannot be done with a file that a newer version has written.
const NEWER: &str = "be opened, as a newer version has written it";

/// The disk under the state store refused.
#[derive(Debug, thiserror::Error)]
#[error("the state store cannot {operation}")]
pub struct StoreError {
    /// What was attempted.
    pub operation: &'static str,
    /// The cause.
    #[source]
    pub source: ::redb::Error,
}

impl StoreError {
    /// Whether a newer version has written the file.
    pub fn is_newer(&self) -> bool {
        self.operation == NEWER
    }

    /// Whether somebody else has the file open.
    pub fn is_in_use(&self) -> bool {
        matches!(self.source, ::redb::Error::DatabaseAlreadyOpen)
    }
}

/// Milliseconds in a day.
pub(super) const DAY_MS: i64 = 86_400_000;
