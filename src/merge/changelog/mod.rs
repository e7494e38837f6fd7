//! The changelog: what each commit changed, as records of a compacted log, so that the state outlives its disk.
//!
//! A [`Writer`] makes records of [`Changes`](super::Changes); a [`Survey`] and then a [`Replay`] of the same records make the state again.
//! Nothing here knows how records are stored: see `worker/changelog.rs` for that, `schemas/state-changelog.md` for the
//! records as others read them, and `merge/design.md` for why this is right over crashes, late owners and compaction.
//!
//! The words of it: an owner begins with a *claim*; everything that carries another claim than the newest before it is
//! *foreign* and counts for nothing. A *marker* ends each batch; what comes behind the last marker is *torn*. An owner
//! who finds something foreign or torn *heals* first: it says which part of the log is void, and writes once more what
//! is committed under those keys, so that compaction cannot have the last word.

mod chunks;
mod counters;
mod key;
mod replay;
mod survey;
mod writer;

pub use counters::Counters;
pub use replay::{Replay, Step};
pub use survey::{Found, Mark, Survey};
pub use writer::Writer;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use self::key::Key;

/// Layout of the values. A value of a later one is never guessed at.
const VERSION: u8 = 1;

/// The most bytes of one value. It leaves room for key and headers in a message of 1,000,000 bytes, which is what topics
/// take that were made without a thought; longer values go in parts.
const PART_BYTES: usize = if cfg!(test) { 16 } else { 512 << 10 };

/// One record of the changelog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// By which compaction knows what replaces it.
    pub key: Vec<u8>,
    /// What is so now; nothing where it is gone.
    pub value: Option<Vec<u8>>,
}

/// A record as it stands in the log.
#[derive(Debug, Clone, Copy)]
pub struct Logged<'a> {
    /// Its place.
    pub offset: u64,
    /// The place of the claim under which it was written; a claim has none.
    pub claim: Option<u64>,
    /// Its key.
    pub key: &'a [u8],
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// The end of a batch: with everything before it, the state is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Layout of this record.
    pub v: u8,
    /// The first record of the landing log that is not part of the state.
    pub next_offset: u64,
    /// The fold's clock.
    pub clock: i64,
    /// Where the output ends, in the words of the sink.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sink_position: Vec<u8>,
    /// Where the state begins in this log; what is before is of an earlier one.
    pub from: u64,
}

/// What a claim says, for people: only its place counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claim {
    v: u8,
    /// Who claims.
    owner: String,
}

/// Which places of the log are void.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Voids {
    v: u8,
    ranges: Vec<Range<u64>>,
}

/// Something in the changelog that this binary cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Written by a newer version.
    #[error("the record at {0} of the changelog was written by a newer version")]
    Newer(u64),
    /// Not written by us.
    #[error("the record at {0} of the changelog is none of ours")]
    Foreign(u64),
}

/// The record with which an owner begins. `nonce` must be new, as a claim is never to be replaced.
pub fn claim(nonce: [u8; 16], owner: &str) -> Record {
    let claim = Claim { v: VERSION, owner: owner.to_owned() };
    Record { key: Key::Claim(nonce).write(), value: Some(json(&claim)) }
}

impl Marker {
    /// The record.
    pub fn record(&self) -> Record {
        Record { key: Key::Marker.write(), value: Some(json(self)) }
    }

    /// Whether a record is this marker.
    pub fn is(&self, record: &Logged<'_>) -> bool {
        record.key == Key::Marker.write() && record.value == Some(json(self).as_slice())
    }
}

/// Maps with text keys, numbers and texts are always JSON.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
