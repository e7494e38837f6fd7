use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use super::{Bucket, Changes, DAY_MS, Listed, Seen, StateReader, StateStore, StoreError, Ways};
use crate::merge::inventory::{Entry, InventoryStore};
use crate::merge::snapshots::{Roster, Snapshots};
use crate::okta::OrgId;

/// Layout of the file. A file of another version is refused, never guessed at: the state can be folded again.
const FORMAT: u64 = 2;

/// Pages kept in memory for one partition. Only the days of recent events are looked up, some 16 MB for a million events
/// a day; redb's own default is 1 GiB.
const CACHE_BYTES: usize = 64 << 20;

const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
const SINK: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sink");
/// (org, day) → day on which something was last added.
const BUCKETS: TableDefinition<'_, (&str, i64), i64> = TableDefinition::new("buckets");
/// Org → how the reading of its inventory stands, as JSON.
const SNAPSHOTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("snapshots");

/// What else is known, by key: the inventory first of all.
const STATE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("state");

/// One table of uuids a bucket, with the ways by which they came, so that dropping a bucket is dropping a table.
type SeenTable = ReadOnlyTable<&'static [u8; 16], u8>;

/// The table [`STATE`], open for reading.
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
    open: RefCell<HashMap<Bucket, Option<SeenTable>>>,
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
        store.load().map_err(failed)?;
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
        {
            let mut numbers = transaction.open_table(NUMBERS)?;
            let format = numbers.get("format")?.map(|value| value.value());
            match format {
                None => drop(numbers.insert("format", FORMAT)?),
                Some(FORMAT) => {}
                Some(other) => {
                    return Err(redb::Error::Corrupted(format!("the file has format {other}, not {FORMAT}")));
                }
            }
            let number = |name| Ok::<_, redb::Error>(numbers.get(name)?.map_or(0, |value| value.value()));
            self.next_offset = number("next_offset")?;
            self.clock = number("clock")?.cast_signed();
            let sink = transaction.open_table(SINK)?;
            self.sink_position = sink.get("position")?.map_or_else(Vec::new, |value| value.value().to_vec());
            for entry in transaction.open_table(BUCKETS)?.iter()? {
                let (key, last_added) = entry?;
                let (org, day) = key.value();
                self.buckets.insert(Bucket { org: OrgId::new(org), day }, last_added.value());
            }
            transaction.open_table(STATE)?;
            for entry in transaction.open_table(SNAPSHOTS)?.iter()? {
                let (org, json) = entry?;
                self.snapshots.insert(OrgId::new(org.value()), read_snapshots(json.value())?);
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn table_ways(&self, seen: &Seen) -> Result<Ways, redb::Error> {
        let mut open = self.open.borrow_mut();
        if !open.contains_key(&seen.bucket) {
            let transaction = self.database.begin_read()?;
            let table = match transaction.open_table(seen_table(&table_name(&seen.bucket))) {
                Ok(table) => Some(table),
                Err(TableError::TableDoesNotExist(_)) => None,
                Err(error) => return Err(error.into()),
            };
            open.insert(seen.bucket.clone(), table);
        }
        match open.get(&seen.bucket).and_then(Option::as_ref) {
            Some(table) => Ok(table.get(&seen.uuid)?.map_or(Ways::NONE, |ways| Ways(ways.value()))),
            None => Ok(Ways::NONE),
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

    fn write(&mut self, changes: &Changes) -> Result<(), redb::Error> {
        let today = changes.clock.div_euclid(DAY_MS);
        let mut transaction = self.database.begin_write()?;
        // Makes opening after a crash a matter of milliseconds instead of a scan of the file.
        transaction.set_quick_repair(true);
        {
            let mut numbers = transaction.open_table(NUMBERS)?;
            numbers.insert("next_offset", changes.next_offset)?;
            numbers.insert("clock", changes.clock.cast_unsigned())?;
            transaction.open_table(SINK)?.insert("position", changes.sink_position.as_slice())?;
            let mut buckets = transaction.open_table(BUCKETS)?;
            for bucket in &changes.dropped {
                buckets.remove((bucket.org.as_str(), bucket.day))?;
                transaction.delete_table(seen_table(&table_name(bucket)))?;
            }
            for (bucket, uuids) in &changes.seen {
                buckets.insert((bucket.org.as_str(), bucket.day), today)?;
                // Neighbours share pages, and they come sorted, so each page is touched once.
                let mut table = transaction.open_table(seen_table(&table_name(bucket)))?;
                for (uuid, ways) in uuids {
                    table.insert(uuid, ways.0)?;
                }
            }
            let mut snapshots = transaction.open_table(SNAPSHOTS)?;
            for (org, standing) in &changes.snapshots {
                let json = serde_json::to_vec(standing).map_err(|error| redb::Error::Corrupted(error.to_string()))?;
                snapshots.insert(org.as_str(), json.as_slice())?;
            }
            let mut state = transaction.open_table(STATE)?;
            for (key, value) in &changes.writes {
                match value {
                    Some(value) => drop(state.insert(key.as_slice(), value.as_slice())?),
                    None => drop(state.remove(key.as_slice())?),
                }
            }
        }
        write_rosters(&transaction, changes)?;
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
        // Open tables belong to the old snapshot and would keep its pages alive.
        self.open.borrow_mut().clear();
        self.state.borrow_mut().take();
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
        let look = || {
            let table = match self.0.begin_read()?.open_table(keys(&keys_name(roster))) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                Err(error) => return Err(redb::Error::from(error)),
            };
            let mut found = Vec::new();
            for entry in table.range(from..)?.take(most) {
                found.push(entry?.1.value().to_owned());
            }
            Ok(found)
        };
        look().map_err(|source| StoreError { operation: "be read", source })
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

fn write_rosters(transaction: &redb::WriteTransaction, changes: &Changes) -> Result<(), redb::Error> {
    // Those of one roster follow each other, so each pair of tables is opened once.
    for run in changes.listed.chunk_by(|one, next| one.roster == next.roster) {
        let Some(Listed { roster, .. }) = run.first() else { continue };
        let mut keys = transaction.open_table(keys(&keys_name(roster)))?;
        let mut places = transaction.open_table(places(&places_name(roster)))?;
        for listed in run {
            keys.insert(listed.place, listed.key.as_str())?;
            places.insert(listed.key.as_str(), listed.place)?;
        }
    }
    for roster in &changes.unlisted {
        transaction.delete_table(keys(&keys_name(roster)))?;
        transaction.delete_table(places(&places_name(roster)))?;
    }
    Ok(())
}

fn keys_name(roster: &Roster) -> String {
    format!("roster/{}/{}/{}", roster.org, roster.epoch, roster.name)
}

fn places_name(roster: &Roster) -> String {
    format!("listed/{}/{}/{}", roster.org, roster.epoch, roster.name)
}

/// Place → key.
fn keys(name: &str) -> TableDefinition<'_, u64, &'static str> {
    TableDefinition::new(name)
}

/// Key → place.
fn places(name: &str) -> TableDefinition<'_, &'static str, u64> {
    TableDefinition::new(name)
}

fn table_name(bucket: &Bucket) -> String {
    format!("ways/{}/{}", bucket.org, bucket.day)
}

fn seen_table(name: &str) -> TableDefinition<'_, &'static [u8; 16], u8> {
    TableDefinition::new(name)
}
