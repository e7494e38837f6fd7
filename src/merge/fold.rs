use std::collections::HashSet;

use super::store::{Bucket, Changes, DAY_MS, Seen, StateStore, StoreError};
use crate::landing::LandingRecord;

/// What the fold says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// An event that was never seen: publish it.
    Fresh,
    /// An event that was seen before, in this batch or an earlier one: drop it.
    Duplicate,
}

/// Folds the records of one partition, batch by batch.
///
/// Between two commits it sees its own uncommitted changes on top of the store, so a batch behaves as if each record
/// had been committed alone. Limits: an event is a duplicate only if its `published` falls on the same day as the
/// first time, which Okta's redeliveries do, as they repeat the same event.
pub struct Fold {
    /// How long an event is remembered after the last event of its day came in, days.
    window_days: i64,
    pending: HashSet<Seen>,
    changes: Changes,
}

impl Fold {
    /// Goes on where the store ends.
    pub fn new(store: &impl StateStore, window_days: u32) -> Self {
        Self {
            window_days: i64::from(window_days),
            pending: HashSet::new(),
            changes: Changes {
                next_offset: store.next_offset(),
                clock: store.clock(),
                sink_position: store.sink_position().to_vec(),
                ..Changes::default()
            },
        }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// When the store cannot be read; nothing was taken then.
    pub fn apply(
        &mut self,
        offset: u64,
        record: &LandingRecord,
        store: &impl StateStore,
    ) -> Result<Verdict, StoreError> {
        let day = record.published.div_euclid(DAY_MS);
        let seen = Seen { bucket: Bucket { org: record.org.clone(), day }, uuid: record.uuid.into_bytes() };
        let duplicate = self.pending.contains(&seen) || store.contains(&seen)?;
        self.changes.clock = self.changes.clock.max(record.landed_at);
        self.changes.next_offset = offset + 1;
        if duplicate {
            return Ok(Verdict::Duplicate);
        }
        self.changes.seen.entry(seen.bucket.clone()).or_default().push(seen.uuid);
        self.pending.insert(seen);
        Ok(Verdict::Fresh)
    }

    /// Passes over a place of the log that holds no event.
    pub fn skip(&mut self, offset: u64) {
        self.changes.next_offset = offset + 1;
    }

    /// What the batch changed, to be committed; the next batch starts on top of it.
    pub fn finish(&mut self, store: &impl StateStore, sink_position: Vec<u8>) -> Changes {
        self.pending.clear();
        self.changes.sink_position = sink_position;
        self.changes.dropped = self.expired(store);
        let next = Changes { next_offset: self.changes.next_offset, clock: self.changes.clock, ..Changes::default() };
        std::mem::replace(&mut self.changes, next)
    }

    /// A bucket goes when nothing was added for the whole window. Counting from the last addition instead of the
    /// bucket's own day lets late history be deduplicated among itself, and ends a bucket dated in the far future.
    fn expired(&self, store: &impl StateStore) -> Vec<Bucket> {
        let oldest = self.changes.clock.div_euclid(DAY_MS) - self.window_days;
        let buckets = store.buckets().iter();
        buckets
            .filter(|(bucket, last_added)| **last_added < oldest && !self.changes.seen.contains_key(bucket))
            .map(|(bucket, _)| bucket.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests;
