use std::collections::{BTreeMap, HashMap};

use super::{Bucket, Changes, DAY_MS, Seen, StateReader, StateStore, StoreError, Ways};
use crate::merge::inventory::{Entry, InventoryStore, MemoryInventory};
use crate::merge::snapshots::{Roster, Snapshots};
use crate::okta::OrgId;

/// A store that forgets when the process ends: for tests, and as the plain reading of what a store must do.
#[derive(Debug, Default, Clone)]
pub struct MemoryStore {
    next_offset: u64,
    clock: i64,
    sink_position: Vec<u8>,
    seen: HashMap<Seen, Ways>,
    buckets: BTreeMap<Bucket, i64>,
    snapshots: BTreeMap<OrgId, Snapshots>,
    rosters: BTreeMap<Roster, Vec<String>>,
    inventory: MemoryInventory,
}

impl InventoryStore for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inventory.get(key)
    }

    fn range(&self, from: &[u8], until: &[u8], most: usize) -> Result<Vec<Entry>, StoreError> {
        self.inventory.range(from, until, most)
    }
}

impl StateStore for MemoryStore {
    fn next_offset(&self) -> u64 {
        self.next_offset
    }

    fn clock(&self) -> i64 {
        self.clock
    }

    fn sink_position(&self) -> &[u8] {
        &self.sink_position
    }

    fn ways(&self, seen: &Seen) -> Result<Ways, StoreError> {
        Ok(self.seen.get(seen).copied().unwrap_or_default())
    }

    fn buckets(&self) -> &BTreeMap<Bucket, i64> {
        &self.buckets
    }

    fn snapshots(&self, org: &OrgId) -> Option<&Snapshots> {
        self.snapshots.get(org)
    }

    fn is_listed(&self, roster: &Roster, key: &str) -> Result<bool, StoreError> {
        Ok(self.rosters.get(roster).is_some_and(|keys| keys.iter().any(|known| known == key)))
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        self.next_offset = changes.next_offset;
        self.clock = changes.clock;
        self.sink_position.clone_from(&changes.sink_position);
        for bucket in &changes.dropped {
            self.buckets.remove(bucket);
            self.seen.retain(|seen, _| seen.bucket != *bucket);
        }
        for (bucket, uuids) in &changes.seen {
            self.buckets.insert(bucket.clone(), changes.clock.div_euclid(DAY_MS));
            self.seen.extend(uuids.iter().map(|(uuid, ways)| (Seen { bucket: bucket.clone(), uuid: *uuid }, *ways)));
        }
        self.snapshots.extend(changes.snapshots.clone());
        for listed in &changes.listed {
            self.rosters.entry(listed.roster.clone()).or_default().push(listed.key.clone());
        }
        for roster in &changes.unlisted {
            self.rosters.remove(roster);
        }
        self.inventory.commit(changes.writes.clone());
        Ok(())
    }
}

impl StateReader for MemoryStore {
    fn snapshots(&self, org: &OrgId) -> Result<Option<Snapshots>, StoreError> {
        Ok(self.snapshots.get(org).cloned())
    }

    fn roster(&self, roster: &Roster, from: u64, most: usize) -> Result<Vec<String>, StoreError> {
        let keys = self.rosters.get(roster).into_iter().flatten();
        Ok(keys.skip(usize::try_from(from).unwrap_or(usize::MAX)).take(most).cloned().collect())
    }
}
