use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, TableError, TableHandle};

use self::layout::{
    BUCKETS, FORMAT, NOTES, NUMBERS, ROSTER, SINK, SNAPSHOTS, STATE, UNFINISHED, by_time, keys, keys_name, places,
    places_name, ways, ways_name,
};
use self::rebuild::write_values;
use super::{Bucket, Changes, DAY_MS, Listed, Seen, StateReader, StateStore, StoreError, Ways};
use crate::merge::inventory::{Entry, InventoryStore};
use crate::merge::snapshots::{Roster, Snapshots};
use crate::okta::OrgId;

mod layout;
mod migrate;
mod rebuild;

pub use rebuild::Rebuild;

/// Pages kept in memory for one partition: all that is asked for again and again of an inventory of 100,000 users, and the
/// latest events of every org. redb's own default is 1 GiB.
const CACHE_BYTES: usize = 64 << 20;

/// One table of uuids a bucket, with the ways by which they came, so that dropping a bucket is dropping a table.
type SeenTable = ReadOnlyTable<&'static [u8; 16], u8>;

/// The table of what else is known, open for reading.
type StateTable = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The state of one partition in one redb file. The file is locked, so a second owner on this machine is refused.
pub struct RedbStore {
    path: PathBuf,
    database: Arc<Database>,
    next_offset: u64,
    clock: i64,
    sink_position: Vec<u8>,
    buckets: BTreeMap<Bucket, i64>,
    snapshots: BTreeMap<OrgId, Snapshots>,
    /// Tables opened since the last commit: opening one costs more than looking a uuid up in it.
    open: RefCell<BTreeMap<Bucket, Option<SeenTable>>>,
    /// The same of what else is known.
    state: RefCell<Option<StateTable>>,
}

impl RedbStore {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// When the file is in use, damaged, of another format, or the disk refuses.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |source: redb::Error| StoreError { operation: "be opened", source };
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(path);
        let database = database.map_err(|error| failed(error.into()))?;
        let mut store = Self {
            path: path.to_owned(),
            database: Arc::new(database),
            next_offset: 0,
            clock: 0,
            sink_position: Vec::new(),
            buckets: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            open: RefCell::default(),
            state: RefCell::default(),
        };
        store.load().map_err(|source| match source {
            redb::Error::UpgradeRequired(format) => {
                let what = format!("the file has format {format}; this version reads up to {FORMAT}");
                StoreError { operation: super::NEWER, source: redb::Error::Corrupted(what) }
            }
            source => failed(source),
        })?;
        Ok(store)
    }

    /// Where the state lives.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For others to read what was committed. The file stays in use until they are gone too.
    pub fn reader(&self) -> RedbReader {
        RedbReader(Arc::clone(&self.database))
    }

    fn load(&mut self) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_quick_repair(true);
        let format = transaction.open_table(NUMBERS)?.get("format")?.map(|value| value.value());
        match format {
            None => drop(transaction.open_table(NUMBERS)?.insert("format", FORMAT)?),
            Some(1) => migrate::from_1(&transaction)?,
            Some(FORMAT) => {}
            // Told apart by `RedbStore::open`.
            Some(newer) => return Err(redb::Error::UpgradeRequired(u8::try_from(newer).unwrap_or(u8::MAX))),
        }
        let unfinished = {
            let numbers = transaction.open_table(NUMBERS)?;
            let number = |name| Ok::<_, redb::Error>(numbers.get(name)?.map_or(0, |value| value.value()));
            self.next_offset = number("next_offset")?;
            self.clock = number("clock")?.cast_signed();
            let sink = transaction.open_table(SINK)?;
            self.sink_position = sink.get("position")?.map_or_else(Vec::new, |value| value.value().to_vec());
            self.buckets.clear();
            for entry in transaction.open_table(BUCKETS)?.iter()? {
                let (key, last_added) = entry?;
                let (org, day) = key.value();
                self.buckets.insert(Bucket { org: OrgId::new(org), day }, last_added.value());
            }
            transaction.open_table(STATE)?;
            transaction.open_table(NOTES)?;
            self.snapshots.clear();
            for entry in transaction.open_table(SNAPSHOTS)?.iter()? {
                let (org, json) = entry?;
                self.snapshots.insert(OrgId::new(org.value()), read_snapshots(json.value())?);
            }
            number(UNFINISHED)? > 0
        };
        transaction.commit()?;
        // A part of a state looks like a state, and is none.
        if unfinished { self.wipe().and_then(|()| self.load()) } else { Ok(()) }
    }

    fn table_ways(&self, seen: &Seen) -> Result<Ways, redb::Error> {
        let mut open = self.open.borrow_mut();
        let table = match open.get(&seen.bucket) {
            Some(table) => table,
            None => open.entry(seen.bucket.clone()).or_insert(self.open_ways(&seen.bucket)?),
        };
        match table {
            Some(table) => Ok(table.get(&by_time(&seen.uuid))?.map_or(Ways::NONE, |ways| Ways(ways.value()))),
            None => Ok(Ways::NONE),
        }
    }

    /// The table of a bucket, if there is one.
    fn open_ways(&self, bucket: &Bucket) -> Result<Option<SeenTable>, redb::Error> {
        match self.database.begin_read()?.open_table(ways(&ways_name(bucket))) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads of the table [`STATE`], which is opened once between two commits.
    fn with_state<R>(&self, read: impl FnOnce(&StateTable) -> Result<R, redb::Error>) -> Result<R, StoreError> {
        let look = || {
            let mut open = self.state.borrow_mut();
            let table = match open.take() {
                Some(table) => table,
                None => self.database.begin_read()?.open_table(STATE)?,
            };
            read(open.insert(table))
        };
        look().map_err(|source| StoreError { operation: "be read", source })
    }

    /// Open tables belong to an old snapshot and would keep its pages alive.
    fn close_tables(&mut self) {
        self.open.get_mut().clear();
        self.state.get_mut().take();
    }

    /// Every roster that there is.
    fn rosters(&self) -> Result<Vec<Roster>, redb::Error> {
        let transaction = self.database.begin_read()?;
        let tables = transaction.list_tables()?;
        let roster = |table: redb::UntypedTableHandle| {
            let mut names = table.name().strip_prefix(ROSTER)?.splitn(3, '/');
            let (org, epoch, name) = (names.next()?, names.next()?, names.next()?);
            Some(Roster { org: OrgId::new(org), epoch: epoch.parse().ok()?, name: name.to_owned() })
        };
        Ok(tables.filter_map(roster).collect())
    }

    fn write(&mut self, changes: &Changes) -> Result<(), redb::Error> {
        let today = changes.clock.div_euclid(DAY_MS);
        let mut transaction = self.database.begin_write()?;
        // Makes opening after a crash a matter of milliseconds instead of a scan of the file, for 0.4 ms a commit.
        transaction.set_quick_repair(true);
        {
            let mut numbers = transaction.open_table(NUMBERS)?;
            numbers.insert("next_offset", changes.next_offset)?;
            numbers.insert("clock", changes.clock.cast_unsigned())?;
            if self.sink_position != changes.sink_position {
                transaction.open_table(SINK)?.insert("position", changes.sink_position.as_slice())?;
            }
            for bucket in &changes.dropped {
                transaction.open_table(BUCKETS)?.remove((bucket.org.as_str(), bucket.day))?;
                transaction.delete_table(ways(&ways_name(bucket)))?;
            }
            for (bucket, events) in &changes.seen {
                // Nearly always said already, and every table that is touched costs a page.
                if self.buckets.get(bucket) != Some(&today) {
                    transaction.open_table(BUCKETS)?.insert((bucket.org.as_str(), bucket.day), today)?;
                }
                // In the order of the table, so that each page is touched once.
                let mut rows: Vec<_> = events.iter().map(|(uuid, ways)| (by_time(uuid), ways.0)).collect();
                rows.sort_unstable();
                let mut table = transaction.open_table(ways(&ways_name(bucket)))?;
                for (key, ways) in &rows {
                    table.insert(key, ways)?;
                }
            }
            for (org, standing) in &changes.snapshots {
                let json = write_snapshots(standing)?;
                transaction.open_table(SNAPSHOTS)?.insert(org.as_str(), json.as_slice())?;
            }
        }
        if !changes.writes.is_empty() {
            write_values(transaction.open_table(STATE)?, &changes.writes)?;
        }
        if !changes.notes.is_empty() {
            write_values(transaction.open_table(NOTES)?, &changes.notes)?;
        }
        write_rosters(&transaction, &changes.listed)?;
        drop_rosters(&transaction, &changes.unlisted)?;
        transaction.commit()?;
        Ok(())
    }
}

impl InventoryStore for RedbStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.with_state(|table| get(table, key))
    }

    fn range(&self, from: &[u8], until: &[u8], most: usize) -> Result<Vec<Entry>, StoreError> {
        self.with_state(|table| range(table, from, until, most))
    }
}

impl StateStore for RedbStore {
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
        // The buckets are known in memory, so the first event of a day costs no disk.
        if !self.buckets.contains_key(&seen.bucket) {
            return Ok(Ways::NONE);
        }
        self.table_ways(seen).map_err(|source| StoreError { operation: "be read", source })
    }

    fn buckets(&self) -> &BTreeMap<Bucket, i64> {
        &self.buckets
    }

    fn snapshots(&self, org: &OrgId) -> Option<&Snapshots> {
        self.snapshots.get(org)
    }

    fn is_listed(&self, roster: &Roster, key: &str) -> Result<bool, StoreError> {
        let look = || {
            let table = match self.database.begin_read()?.open_table(places(&places_name(roster))) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(false),
                Err(error) => return Err(redb::Error::from(error)),
            };
            Ok(table.get(key)?.is_some())
        };
        look().map_err(|source| StoreError { operation: "be read", source })
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        self.close_tables();
        self.write(changes).map_err(|source| StoreError { operation: "be written", source })?;
        self.next_offset = changes.next_offset;
        self.clock = changes.clock;
        self.sink_position.clone_from(&changes.sink_position);
        for bucket in &changes.dropped {
            self.buckets.remove(bucket);
        }
        let today = changes.clock.div_euclid(DAY_MS);
        self.buckets.extend(changes.seen.keys().map(|bucket| (bucket.clone(), today)));
        self.snapshots.extend(changes.snapshots.clone());
        Ok(())
    }
}

/// Reads what the store has committed.
#[derive(Clone)]
pub struct RedbReader(Arc<Database>);

impl RedbReader {
    fn with_state<R>(&self, read: impl FnOnce(&StateTable) -> Result<R, redb::Error>) -> Result<R, StoreError> {
        let look = || read(&self.0.begin_read()?.open_table(STATE)?);
        look().map_err(|source| StoreError { operation: "be read", source })
    }
}

impl InventoryStore for RedbReader {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.with_state(|table| get(table, key))
    }

    fn range(&self, from: &[u8], until: &[u8], most: usize) -> Result<Vec<Entry>, StoreError> {
        self.with_state(|table| range(table, from, until, most))
    }
}

impl StateReader for RedbReader {
    fn snapshots(&self, org: &OrgId) -> Result<Option<Snapshots>, StoreError> {
        let look = || {
            let table = self.0.begin_read()?.open_table(SNAPSHOTS)?;
            table.get(org.as_str())?.map(|json| read_snapshots(json.value())).transpose()
        };
        look().map_err(|source| StoreError { operation: "be read", source })
    }

    fn roster(&self, roster: &Roster, from: u64, most: usize) -> Result<Vec<String>, StoreError> {
        read_roster(&self.0, roster, from, most).map_err(|source| StoreError { operation: "be read", source })
    }
}

fn get(table: &StateTable, key: &[u8]) -> Result<Option<Vec<u8>>, redb::Error> {
    Ok(table.get(key)?.map(|value| value.value().to_vec()))
}

fn range(table: &StateTable, from: &[u8], until: &[u8], most: usize) -> Result<Vec<Entry>, redb::Error> {
    // A range that ends before it begins is empty, not wrong.
    if from >= until {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in table.range(from..until)?.take(most) {
        let (key, value) = entry?;
        found.push((key.value().to_vec(), value.value().to_vec()));
    }
    Ok(found)
}

fn read_snapshots(json: &[u8]) -> Result<Snapshots, redb::Error> {
    serde_json::from_slice(json).map_err(|error| redb::Error::Corrupted(format!("how snapshots stand: {error}")))
}

fn write_snapshots(standing: &Snapshots) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(standing).map_err(|error| redb::Error::Corrupted(error.to_string()))
}

fn read_roster(database: &Database, roster: &Roster, from: u64, most: usize) -> Result<Vec<String>, redb::Error> {
    let table = match database.begin_read()?.open_table(keys(&keys_name(roster))) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for entry in table.range(from..)?.take(most) {
        found.push(entry?.1.value().to_owned());
    }
    Ok(found)
}

fn write_rosters(transaction: &redb::WriteTransaction, listed: &[Listed]) -> Result<(), redb::Error> {
    // Those of one roster follow each other, so each pair of tables is opened once.
    for run in listed.chunk_by(|one, next| one.roster == next.roster) {
        let Some(Listed { roster, .. }) = run.first() else { continue };
        let mut keys = transaction.open_table(keys(&keys_name(roster)))?;
        let mut places = transaction.open_table(places(&places_name(roster)))?;
        for listed in run {
            keys.insert(listed.place, listed.key.as_str())?;
            places.insert(listed.key.as_str(), listed.place)?;
        }
    }
    Ok(())
}

fn drop_rosters(transaction: &redb::WriteTransaction, dropped: &[Roster]) -> Result<(), redb::Error> {
    for roster in dropped {
        transaction.delete_table(keys(&keys_name(roster)))?;
        transaction.delete_table(places(&places_name(roster)))?;
    }
    Ok(())
}
