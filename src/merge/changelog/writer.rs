use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::chunks::{MOST_ROWS, Row, write_events, write_keys};
use super::counters::{Counters, chunks};
use super::key::{Chunk, Key, Space};
use super::{Marker, PART_BYTES, Record, VERSION, Voids, json};
use crate::merge::inventory::Writes;
use crate::merge::snapshots::Roster;
use crate::merge::store::{Bucket, Changes, DAY_MS, Listed, StateStore, StoreError};

/// Events that a bucket gathers in small chunks before they go together into one. With less, the many small batches of a
/// quiet org would leave too many keys; with more, the small chunks of a bucket would be too much by themselves.
const GATHERED_ROWS: usize = if cfg!(test) { 6 } else { 1_000 };

/// Buckets that gather at once. Events come late by a day or two; only a reading of the past touches many more, and its
/// batches are large.
const MOST_TAILS: usize = 64;

/// Makes records of changes, for one owner. What it gave must be committed before it is asked again; where that is not
/// certain, only a new one under a new claim may go on, as the numbers of small chunks are used anew.
pub struct Writer {
    claim: u64,
    from: u64,
    counters: Counters,
    tails: BTreeMap<Bucket, Tail>,
}

/// Records, and what is to be kept of them in the store.
#[derive(Debug, Default)]
pub struct Batch {
    /// To be written in this order, and a marker behind them.
    pub records: Vec<Record>,
    /// To be committed with the state.
    pub notes: Writes,
}

/// The small chunks of a bucket. What they hold is written again in one when it is enough, and their keys are used anew.
#[derive(Default)]
struct Tail {
    rows: Vec<Row>,
    numbers: Vec<u32>,
    used: usize,
}

impl Writer {
    /// Writes under the claim at this place of the log, into a state that begins at `from`.
    pub fn new(claim: u64, from: u64, counters: Counters) -> Self {
        Self { claim, from, counters, tails: BTreeMap::new() }
    }

    /// The marker that ends a batch.
    pub fn marker(&self, next_offset: u64, clock: i64, sink_position: &[u8]) -> Marker {
        Marker { v: VERSION, next_offset, clock, sink_position: sink_position.to_vec(), from: self.from }
    }

    /// What was changed, as records.
    pub fn batch(&mut self, changes: &Changes) -> Batch {
        let mut batch = Batch::default();
        for bucket in &changes.dropped {
            self.drop_bucket(bucket, &mut batch);
        }
        let added = changes.clock.div_euclid(DAY_MS);
        for (bucket, events) in &changes.seen {
            let rows = events.iter().map(|(uuid, ways)| (*uuid, *ways)).collect();
            self.events(bucket, added, rows, &mut batch);
        }
        for (org, snapshots) in &changes.snapshots {
            self.value(Space::Snapshots, org.as_str().as_bytes(), Some(&json(snapshots)), &mut batch);
        }
        for run in changes.listed.chunk_by(|one, next| one.roster == next.roster && one.place + 1 == next.place) {
            self.listed(run, &mut batch);
        }
        for roster in &changes.unlisted {
            self.drop_roster(roster, &mut batch);
        }
        for (key, value) in &changes.writes {
            self.value(Space::State, key, value.as_deref(), &mut batch);
        }
        batch
    }

    /// What is committed under these keys, which somebody overwrote in vain, and the word that he did.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn heal(
        &mut self,
        keys: &BTreeSet<Vec<u8>>,
        voids: Vec<Range<u64>>,
        store: &impl StateStore,
    ) -> Result<Batch, StoreError> {
        let mut batch = Batch::default();
        if !voids.is_empty() {
            let value = json(&Voids { v: VERSION, ranges: voids });
            batch.records.push(Record { key: Key::Voids(self.claim).write(), value: Some(value) });
        }
        let mut values: BTreeMap<(Space, Vec<u8>), u16> = BTreeMap::new();
        for key in keys {
            match Key::read(key) {
                Some(Key::Value { space, name, part }) => {
                    let parts = values.entry((space, name)).or_default();
                    *parts = (*parts).max(part.saturating_add(1));
                }
                // What it held before is in a larger chunk, or it was never committed: nothing is what is so.
                Some(Key::Events { bucket, chunk }) => {
                    self.counters.know_bucket(&bucket, chunk);
                    self.counters.note_bucket(&bucket, &mut batch.notes);
                    batch.records.push(Record { key: key.clone(), value: Some(write_events(i64::MIN, &[])) });
                }
                Some(Key::Roster { roster, chunk }) => {
                    self.counters.know_roster(&roster, chunk);
                    self.counters.note_roster(&roster, &mut batch.notes);
                    batch.records.push(Record { key: key.clone(), value: Some(write_keys(&[])) });
                }
                Some(Key::Claim(_) | Key::Marker | Key::Voids(_)) | None => {}
            }
        }
        for ((space, name), parts) in values {
            let value = match space {
                Space::State => store.get(&name)?,
                Space::Snapshots => {
                    let org = super::key::org_id(&name);
                    org.and_then(|org| store.snapshots(&org).map(json))
                }
            };
            // All parts that were overwritten are replaced, by nothing where there are fewer now.
            let before = self.counters.set_parts(space, &name, parts);
            self.counters.set_parts(space, &name, parts.max(before));
            self.value(space, &name, value.as_deref(), &mut batch);
        }
        Ok(batch)
    }

    fn value(&mut self, space: Space, name: &[u8], value: Option<&[u8]>, batch: &mut Batch) {
        let pieces: Vec<&[u8]> = match value {
            None => Vec::new(),
            Some([]) => vec![&[]],
            Some(value) => value.chunks(PART_BYTES).collect(),
        };
        let parts = u16::try_from(pieces.len()).unwrap_or(u16::MAX);
        let key = |part| Key::Value { space, name: name.to_vec(), part }.write();
        for (part, piece) in (0..parts).zip(&pieces) {
            let mut bytes = Vec::with_capacity(3 + piece.len());
            bytes.push(VERSION);
            bytes.extend_from_slice(&parts.to_be_bytes());
            bytes.extend_from_slice(piece);
            batch.records.push(Record { key: key(part), value: Some(bytes) });
        }
        let before = self.counters.set_parts(space, name, parts);
        batch.records.extend((parts..before).map(|part| Record { key: key(part), value: None }));
        if before > 1 || parts > 1 {
            self.counters.note_parts(space, name, &mut batch.notes);
        }
    }

    fn events(&mut self, bucket: &Bucket, added: i64, mut rows: Vec<Row>, batch: &mut Batch) {
        let mut tail = self.tails.remove(bucket).unwrap_or_default();
        if tail.rows.len() + rows.len() < GATHERED_ROWS {
            let number = match tail.numbers.get(tail.used) {
                Some(number) => *number,
                None => {
                    let number = self.next_of_bucket(bucket, &mut batch.notes);
                    tail.numbers.push(number);
                    number
                }
            };
            tail.used += 1;
            batch.records.push(self.chunk(bucket, number, added, &rows));
            tail.rows.append(&mut rows);
        } else {
            tail.rows.append(&mut rows);
            for rows in tail.rows.chunks(MOST_ROWS) {
                let number = self.next_of_bucket(bucket, &mut batch.notes);
                batch.records.push(self.chunk(bucket, number, added, rows));
            }
            tail.rows.clear();
            tail.used = 0;
        }
        self.tails.insert(bucket.clone(), tail);
        // The one of the oldest day: what was in its chunks stays there.
        if self.tails.len() > MOST_TAILS
            && let Some(oldest) = self.tails.keys().min_by_key(|bucket| bucket.day).cloned()
        {
            self.tails.remove(&oldest);
        }
    }

    fn chunk(&self, bucket: &Bucket, number: u32, added: i64, rows: &[Row]) -> Record {
        let chunk = Chunk { claim: self.claim, number };
        let key = Key::Events { bucket: bucket.clone(), chunk }.write();
        Record { key, value: Some(write_events(added, rows)) }
    }

    fn next_of_bucket(&mut self, bucket: &Bucket, notes: &mut Writes) -> u32 {
        let given = self.counters.buckets.entry(bucket.clone()).or_default().entry(self.claim).or_default();
        let number = *given;
        *given += 1;
        self.counters.note_bucket(bucket, notes);
        number
    }

    fn drop_bucket(&mut self, bucket: &Bucket, batch: &mut Batch) {
        self.tails.remove(bucket);
        let given = self.counters.buckets.remove(bucket).unwrap_or_default();
        let keys = chunks(&given).map(|chunk| Key::Events { bucket: bucket.clone(), chunk }.write());
        batch.records.extend(keys.map(|key| Record { key, value: None }));
        self.counters.note_bucket(bucket, &mut batch.notes);
    }

    fn listed(&mut self, run: &[Listed], batch: &mut Batch) {
        let Some(roster) = run.first().map(|first| &first.roster) else { return };
        let mut rest = run;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|listed| {
                bytes += listed.key.len() + 4;
                bytes <= PART_BYTES
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            let given = self.counters.rosters.entry(roster.clone()).or_default().entry(self.claim).or_default();
            let chunk = Chunk { claim: self.claim, number: *given };
            *given += 1;
            let key = Key::Roster { roster: roster.clone(), chunk }.write();
            batch.records.push(Record { key, value: Some(write_keys(now)) });
            rest = later;
        }
        self.counters.note_roster(roster, &mut batch.notes);
    }

    fn drop_roster(&mut self, roster: &Roster, batch: &mut Batch) {
        let given = self.counters.rosters.remove(roster).unwrap_or_default();
        let keys = chunks(&given).map(|chunk| Key::Roster { roster: roster.clone(), chunk }.write());
        batch.records.extend(keys.map(|key| Record { key, value: None }));
        self.counters.note_roster(roster, &mut batch.notes);
    }
}
