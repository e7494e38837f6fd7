use std::collections::HashSet;

use super::cursors;
use super::inventory::reports::Report;
use super::inventory::{self, Inventory, View};
use super::snapshots::{Keys, Roster};
use super::store::{Bucket, Changes, DAY_MS, Listed, Seen, StateStore, StoreError, Ways};
use super::system_log::{self, SystemLog};
use crate::collect::Collection;
use crate::json::{Lazy, Tape};
use crate::landing::{Content, LandingRecord};
use crate::okta::OrgId;

/// What the fold says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// An event that was never seen: publish it.
    Fresh,
    /// An event that was seen before, in this batch or an earlier one: drop it.
    Duplicate,
    /// Not an event: it is part of the state now, and nothing is to be published.
    Noted,
    /// A mark or a cursor that says nothing readable: set it aside.
    Unreadable,
}

/// What became of a record.
#[derive(Debug, PartialEq, Eq)]
pub struct Folded {
    /// What the fold says of it.
    pub verdict: Verdict,
    /// What the inventory has to say after it, in the order in which it is to be published.
    pub reports: Vec<Report>,
    /// What a person should know of the System Log after it.
    pub log: Vec<system_log::Output>,
}

/// A batch that has written so much is full, however few its records are: a page of a large group's members writes a row
/// for each of them, and stands in memory several times: here, on its way to the changelog and in the pages of the store.
/// By `okta-ocsf bench merge` a snapshot with 2,000,000 memberships holds 256 MB at most with it, and held 320 without.
const FULL_BYTES: usize = 32 << 20;

/// Folds the records of one partition, batch by batch.
///
/// Between two commits it sees its own uncommitted changes on top of the store, so a batch behaves as if each record
/// had been committed alone. Limits: an event is a duplicate only if its `published` falls on the same day as the
/// first time, which Okta's redeliveries do, as they repeat the same event.
pub struct Fold {
    /// How long an event is remembered after the last event of its day came in, days.
    window_days: i64,
    /// Keys on rosters that are not committed yet.
    listed: HashSet<(Roster, String)>,
    inventory: Inventory,
    system_log: SystemLog,
    changes: Changes,
}

impl Fold {
    /// Goes on where the store ends.
    pub fn new(store: &impl StateStore, window_days: u32) -> Self {
        Self::with(store, window_days, inventory::Settings::default())
    }

    /// The same, with an inventory that is kept like this.
    pub fn with(store: &impl StateStore, window_days: u32, settings: inventory::Settings) -> Self {
        Self {
            window_days: i64::from(window_days),
            listed: HashSet::new(),
            inventory: Inventory::new(settings),
            system_log: SystemLog::new(window_days),
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
    /// When the store cannot be read; the batch must be given up then.
    pub fn apply(
        &mut self,
        offset: u64,
        record: &LandingRecord,
        store: &impl StateStore,
    ) -> Result<Folded, StoreError> {
        self.apply_read(offset, record, &Lazy::new(&record.value, &mut Tape::default()), store)
    }

    /// The same for who needs the event read as well: it is read once. `event` is the record's value.
    ///
    /// # Errors
    /// As [`Fold::apply`].
    pub fn apply_read(
        &mut self,
        offset: u64,
        record: &LandingRecord,
        event: &Lazy<'_>,
        store: &impl StateStore,
    ) -> Result<Folded, StoreError> {
        self.changes.clock = self.changes.clock.max(record.landed_at);
        let (verdict, before) = match &record.content {
            Content::Event { uuid, published } => {
                let day = published.div_euclid(DAY_MS);
                let bucket = Bucket { org: record.org.clone(), day };
                self.see(Seen { bucket, uuid: uuid.into_bytes() }, Ways::of(record.origin), store)?
            }
            Content::Observation(_) | Content::Mark { .. } | Content::Cursor { .. } => {
                (self.note(record, store)?, Ways::NONE)
            }
        };
        let outputs = self.inventory.apply_read(record, event, is_news(record, before), store)?;
        let reports = self.inventory.report(record, outputs, store)?;
        let log = self.system_log.apply(record, before, self.changes.clock, store)?;
        self.changes.next_offset = offset + 1;
        Ok(match log {
            Ok(log) => Folded { verdict, reports, log },
            Err(system_log::Unreadable) => Folded { verdict: Verdict::Unreadable, reports, log: Vec::new() },
        })
    }

    /// What the inventory knows as of an event that was published at this time, after the records so far.
    pub fn knowledge<'a, S: StateStore>(&'a self, store: &'a S, org: &'a OrgId, published: i64) -> View<'a, S> {
        self.inventory.knowledge(store, org, published)
    }

    /// The verdict on an event, and by which ways it had come before.
    fn see(&mut self, seen: Seen, way: Ways, store: &impl StateStore) -> Result<(Verdict, Ways), StoreError> {
        let pending = self.changes.seen.get_mut(&seen.bucket);
        let before = match pending.as_ref().and_then(|pending| pending.get(&seen.uuid)) {
            Some(ways) => *ways,
            None => store.ways(&seen)?,
        };
        if !before.has(way) {
            let ways = before.and(way);
            match pending {
                Some(pending) => drop(pending.insert(seen.uuid, ways)),
                None => drop(self.changes.seen.entry(seen.bucket).or_default().insert(seen.uuid, ways)),
            }
        }
        Ok((if before == Ways::NONE { Verdict::Fresh } else { Verdict::Duplicate }, before))
    }

    fn note(&mut self, record: &LandingRecord, store: &impl StateStore) -> Result<Verdict, StoreError> {
        let org = &record.org;
        match &record.content {
            Content::Observation(_) => return Ok(Verdict::Noted),
            Content::Cursor { name } if name == system_log::CURSOR => return Ok(Verdict::Noted),
            Content::Cursor { name } if Collection::find(name).is_none() => {
                cursors::keep(&mut self.changes.writes, org, name, &record.value);
                return Ok(Verdict::Noted);
            }
            _ => {}
        }
        if !self.changes.snapshots.contains_key(org) {
            let known = store.snapshots(org).cloned().unwrap_or_default();
            self.changes.snapshots.insert(org.clone(), known);
        }
        let Some(snapshots) = self.changes.snapshots.get_mut(org) else { return Ok(Verdict::Noted) };
        let Ok(effect) = snapshots.take(record) else { return Ok(Verdict::Unreadable) };
        let dropped = effect.dropped.into_iter();
        self.changes.unlisted.extend(dropped.map(|(epoch, name)| Roster { org: org.clone(), epoch, name }));
        if let Some(Keys { epoch, roster, keys }) = effect.keys {
            let roster = Roster { org: org.clone(), epoch, name: roster };
            for key in keys {
                self.list(&roster, key, store)?;
            }
        }
        Ok(Verdict::Noted)
    }

    /// Puts a key on a roster, once: pages may be read twice.
    fn list(&mut self, roster: &Roster, key: String, store: &impl StateStore) -> Result<(), StoreError> {
        let entry = (roster.clone(), key);
        if self.listed.contains(&entry) || store.is_listed(roster, &entry.1)? {
            return Ok(());
        }
        let snapshots = self.changes.snapshots.get_mut(&roster.org);
        if let Some(place) = snapshots.and_then(|snapshots| snapshots.list(&roster.name)) {
            self.changes.listed.push(Listed { roster: roster.clone(), place, key: entry.1.clone() });
            self.listed.insert(entry);
        }
        Ok(())
    }

    /// For tests that take a guard away.
    #[cfg(test)]
    pub(super) fn inventory(&mut self) -> &mut Inventory {
        &mut self.inventory
    }

    /// Whether the batch should be committed before it grows any more.
    pub fn is_full(&self) -> bool {
        self.inventory.written_bytes() >= FULL_BYTES
    }

    /// Passes over a place of the log that holds no event.
    pub fn skip(&mut self, offset: u64) {
        self.changes.next_offset = offset + 1;
    }

    /// What the batch changed, to be committed; the next batch starts on top of it.
    pub fn finish(&mut self, store: &impl StateStore, sink_position: Vec<u8>) -> Changes {
        self.listed.clear();
        self.changes.sink_position = sink_position;
        self.changes.writes.extend(self.inventory.finish().writes);
        self.changes.writes.extend(self.system_log.finish());
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

/// Whether an event that had come by these ways is news to the inventory. That it was read as history said nothing there,
/// so it is news when it comes live behind that.
fn is_news(record: &LandingRecord, before: Ways) -> bool {
    before == Ways::NONE || before == Ways::HISTORY && !record.origin.is_history()
}

#[cfg(test)]
mod tests;
