//! What is kept of an org's log beside the counts.

use serde::{Deserialize, Serialize};

use super::keys;
use super::marks::Cursor;
use super::spans::Spans;
use super::watch::{Gap, Watch};
use crate::merge::StoreError;
use crate::merge::inventory::InventoryStore;
use crate::okta::OrgId;

/// Layout of what is stored; it stands before it.
const FORMAT: u8 = 1;

/// Gaps and losses that are remembered: enough to see whether the stream is a good one.
const MOST_GAPS: usize = 32;

/// How the log of one org stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The last cursor of the poll.
    pub cursor: Option<Cursor>,
    /// Everything that Okta had persisted by then was read by the poll, by Okta's clock.
    pub read_to: Option<i64>,
    /// The times of publication whose events are all here.
    pub complete: Spans,
    /// `published` of the newest event that the stream brought.
    pub newest_by_stream: Option<i64>,
    /// The watch over the log stream, where there should be one.
    pub watch: Option<Watch>,
    /// Gaps of the stream that are healed, the newest last.
    pub gaps: Vec<Gap>,
    /// Times of which events may be missing for good, as Okta no longer had them; the newest last.
    pub lost: Vec<(i64, i64)>,
    /// Hours before this one, counted from the Unix epoch, were dropped.
    pub(super) kept_from: i64,
}

impl Standing {
    pub(super) fn remember_gap(&mut self, gap: Gap) {
        self.gaps.push(gap);
        let overdue = self.gaps.len().saturating_sub(MOST_GAPS);
        self.gaps.drain(..overdue);
    }

    pub(super) fn remember_lost(&mut self, from: i64, until: i64) {
        self.lost.push((from, until));
        let overdue = self.lost.len().saturating_sub(MOST_GAPS);
        self.lost.drain(..overdue);
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        // Numbers and texts can always be written as JSON.
        let json = serde_json::to_vec(self).unwrap_or_default();
        [&[FORMAT], json.as_slice()].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        match bytes.split_first() {
            Some((&FORMAT, json)) => {
                serde_json::from_slice(json).map_err(|error| keys::damaged(&format!("how it stands: {error}")))
            }
            _ => Err(keys::damaged("how it stands is of another format")),
        }
    }
}

/// How the log of an org stands, as last committed.
///
/// # Errors
/// When the disk cannot be read.
pub fn standing(store: &(impl InventoryStore + ?Sized), org: &OrgId) -> Result<Standing, StoreError> {
    let stored = store.get(&keys::standing(org))?;
    Ok(stored.map(|bytes| Standing::decode(&bytes)).transpose()?.unwrap_or_default())
}
