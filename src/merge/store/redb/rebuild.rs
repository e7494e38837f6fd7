//! A state that is made again from its changelog, and one that is written to it as a whole.

use std::collections::BTreeMap;

use redb::{ReadableDatabase, ReadableTable, TableHandle, WriteTransaction};

use super::super::{Bucket, Changes, DAY_MS, Listed, StoreError, Ways};
use super::layout::{BUCKETS, NOTES, NUMBERS, SINK, SNAPSHOTS, STATE, UNFINISHED, by_time, uuid_of, ways, ways_name};
use super::{RedbStore, drop_rosters, read_roster, write_rosters};
use crate::merge::changelog::{Marker, Step};
use crate::merge::inventory::{InventoryStore, Writes};

/// Bytes that a rebuild gathers before it writes them, in order and in one transaction: some 50,000 values. Memory grows
/// with it, the time for a transaction hardly.
const GATHERED_BYTES: usize = 32 << 20;

/// What a row of a gathered map costs beyond its bytes, about.
const ROW_BYTES: usize = 64;

/// What is written of a store at once when it is written as a whole.
const STRETCH: usize = 2_000;

/// A store that is being made again. Until [`Rebuild::finish`] the file says that it is unfinished, and whoever opens
/// it then finds it empty.
pub struct Rebuild<'s> {
    store: &'s mut RedbStore,
    values: Writes,
    seen: BTreeMap<Bucket, BTreeMap<[u8; 16], Ways>>,
    added: BTreeMap<Bucket, i64>,
    changes: Changes,
    bytes: usize,
}

impl RedbStore {
    /// Begins to make the state again, from nothing when `anew` and else on top of what is there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn rebuild(&mut self, anew: bool) -> Result<Rebuild<'_>, StoreError> {
        self.close_tables();
        if anew {
            self.wipe().map_err(written)?;
        }
        self.transact(|transaction| {
            transaction.open_table(NUMBERS)?.insert(UNFINISHED, 1)?;
            Ok(())
        })?;
        let (values, seen, added) = (Writes::new(), BTreeMap::new(), BTreeMap::new());
        Ok(Rebuild { store: self, values, seen, added, changes: Changes::default(), bytes: 0 })
    }

    /// Forgets everything.
    pub(super) fn wipe(&mut self) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        let tables: Vec<_> = transaction.list_tables()?.collect();
        for table in tables.into_iter().filter(|table| table.name() != NUMBERS.name()) {
            transaction.delete_table(table)?;
        }
        {
            let mut numbers = transaction.open_table(NUMBERS)?;
            for name in ["next_offset", "clock", UNFINISHED] {
                numbers.remove(name)?;
            }
            // Readers open these without asking whether they are there.
            transaction.open_table(STATE)?;
            transaction.open_table(SNAPSHOTS)?;
        }
        transaction.commit()?;
        (self.next_offset, self.clock) = (0, 0);
        self.sink_position.clear();
        self.buckets.clear();
        self.snapshots.clear();
        Ok(())
    }

    /// Gives the whole state, piece by piece, as changes that make it from nothing. The last addition to a bucket is on
    /// the day that the clock of its piece says.
    ///
    /// # Errors
    /// When the disk cannot be read, or what `each` says.
    pub fn dump<E: From<StoreError>>(&self, each: &mut dyn FnMut(&Changes) -> Result<(), E>) -> Result<(), E> {
        let mut from = Vec::new();
        loop {
            // No key begins with this byte, as the first one is a letter.
            let found = self.range(&from, &[0xFF], STRETCH)?;
            let Some((last, _)) = found.last() else { break };
            from = [last.as_slice(), &[0]].concat();
            let writes = found.into_iter().map(|(key, value)| (key, Some(value))).collect();
            each(&Changes { writes, ..Changes::default() })?;
        }
        each(&Changes { snapshots: self.snapshots.clone(), ..Changes::default() })?;
        for (bucket, added) in &self.buckets {
            self.dump_bucket(bucket, *added, each)?;
        }
        for roster in self.rosters().map_err(read)? {
            let mut place = 0;
            loop {
                let keys = read_roster(&self.database, &roster, place, STRETCH).map_err(read)?;
                let listed: Vec<_> =
                    (place..).zip(keys).map(|(place, key)| Listed { roster: roster.clone(), place, key }).collect();
                let Some(last) = listed.last() else { break };
                place = last.place + 1;
                each(&Changes { listed, ..Changes::default() })?;
            }
        }
        Ok(())
    }

    fn dump_bucket<E: From<StoreError>>(
        &self,
        bucket: &Bucket,
        added: i64,
        each: &mut dyn FnMut(&Changes) -> Result<(), E>,
    ) -> Result<(), E> {
        let name = ways_name(bucket);
        let table = || Ok::<_, redb::Error>(self.database.begin_read()?.open_table(ways(&name))?);
        let table = table().map_err(read)?;
        let mut rows = table.iter().map_err(|error| read(error.into()))?.peekable();
        while rows.peek().is_some() {
            let mut events = BTreeMap::new();
            for row in rows.by_ref().take(STRETCH) {
                let (key, ways) = row.map_err(|error| read(error.into()))?;
                events.insert(uuid_of(key.value()), Ways(ways.value()));
            }
            let seen = BTreeMap::from([(bucket.clone(), events)]);
            each(&Changes { seen, clock: added * DAY_MS, ..Changes::default() })?;
        }
        Ok(())
    }

    /// What the changelog keeps of itself, as last committed.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn notes(&self) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StoreError> {
        let look = || {
            let mut notes = BTreeMap::new();
            for entry in self.database.begin_read()?.open_table(NOTES)?.iter()? {
                let (key, value) = entry?;
                notes.insert(key.value().to_vec(), value.value().to_vec());
            }
            Ok(notes)
        };
        look().map_err(read)
    }

    fn transact(&self, write: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>) -> Result<(), StoreError> {
        let all = || {
            let mut transaction = self.database.begin_write()?;
            transaction.set_quick_repair(true);
            write(&transaction)?;
            transaction.commit()?;
            Ok(())
        };
        all().map_err(written)
    }
}

impl Rebuild<'_> {
    /// Takes what a record of the changelog does.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn take(&mut self, step: Step) -> Result<(), StoreError> {
        match step {
            Step::Value(key, value) => {
                self.bytes += key.len() + value.as_ref().map_or(0, Vec::len) + ROW_BYTES;
                self.values.insert(key, value);
            }
            Step::Snapshots(org, snapshots) => drop(self.changes.snapshots.insert(org, *snapshots)),
            Step::Seen { bucket, added, rows } => {
                self.bytes += rows.len() * ROW_BYTES;
                let last = self.added.entry(bucket.clone()).or_insert(added);
                *last = added.max(*last);
                let events = self.seen.entry(bucket).or_default();
                for (uuid, ways) in rows {
                    let known = events.entry(by_time(&uuid)).or_default();
                    *known = known.and(ways);
                }
            }
            Step::Dropped(bucket) => {
                self.seen.remove(&bucket);
                self.added.remove(&bucket);
                self.changes.dropped.push(bucket);
            }
            Step::Listed(listed) => {
                self.bytes += listed.iter().map(|listed| listed.key.len() + ROW_BYTES).sum::<usize>();
                self.changes.listed.extend(listed);
            }
            Step::Unlisted(roster) => {
                self.changes.listed.retain(|listed| listed.roster != roster);
                self.changes.unlisted.push(roster);
            }
        }
        if self.bytes >= GATHERED_BYTES { self.flush() } else { Ok(()) }
    }

    /// The state is whole: what the marker says becomes so, and what the changelog keeps of itself with it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(mut self, marker: &Marker, notes: &Writes) -> Result<(), StoreError> {
        self.flush()?;
        self.store.transact(|transaction| {
            let mut numbers = transaction.open_table(NUMBERS)?;
            numbers.insert("next_offset", marker.next_offset)?;
            numbers.insert("clock", marker.clock.cast_unsigned())?;
            numbers.remove(UNFINISHED)?;
            transaction.open_table(SINK)?.insert("position", marker.sink_position.as_slice())?;
            transaction.delete_table(NOTES)?;
            write_values(transaction.open_table(NOTES)?, notes)
        })?;
        self.store.load().map_err(|source| StoreError { operation: "be opened", source })
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.bytes = 0;
        let (values, seen) = (std::mem::take(&mut self.values), std::mem::take(&mut self.seen));
        let (added, changes) = (std::mem::take(&mut self.added), std::mem::take(&mut self.changes));
        self.store.transact(|transaction| {
            // What was dropped was dropped before what is gathered now came.
            let mut buckets = transaction.open_table(BUCKETS)?;
            for bucket in &changes.dropped {
                buckets.remove((bucket.org.as_str(), bucket.day))?;
                transaction.delete_table(ways(&ways_name(bucket)))?;
            }
            for (bucket, added) in added {
                let key = (bucket.org.as_str(), bucket.day);
                let known = buckets.get(key)?.map_or(i64::MIN, |known| known.value());
                buckets.insert(key, known.max(added))?;
            }
            for (bucket, events) in &seen {
                let mut table = transaction.open_table(ways(&ways_name(bucket)))?;
                for (key, ways) in events {
                    let before = table.insert(key, ways.0)?.map_or(Ways::NONE, |before| Ways(before.value()));
                    if !ways.has(before) {
                        table.insert(key, ways.and(before).0)?;
                    }
                }
            }
            let mut snapshots = transaction.open_table(SNAPSHOTS)?;
            for (org, standing) in &changes.snapshots {
                snapshots.insert(org.as_str(), super::write_snapshots(standing)?.as_slice())?;
            }
            // Likewise: what was unlisted had been listed before.
            drop_rosters(transaction, &changes.unlisted)?;
            write_rosters(transaction, &changes.listed)?;
            write_values(transaction.open_table(STATE)?, &values)
        })
    }
}

/// Puts values into a table, and removes what has none.
pub(super) fn write_values(
    mut table: redb::Table<'_, &'static [u8], &'static [u8]>,
    values: &Writes,
) -> Result<(), redb::Error> {
    for (key, value) in values {
        match value {
            Some(value) => drop(table.insert(key.as_slice(), value.as_slice())?),
            None => drop(table.remove(key.as_slice())?),
        }
    }
    Ok(())
}

fn written(source: redb::Error) -> StoreError {
    StoreError { operation: "be written", source }
}

fn read(source: redb::Error) -> StoreError {
    StoreError { operation: "be read", source }
}
