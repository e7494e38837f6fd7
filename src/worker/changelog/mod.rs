//! The changelog of one partition: taking it over, and writing to it. What it means is decided in `merge::changelog`.

mod kafka;

pub use kafka::{ChangelogTopic, KafkaLog};

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::partition::Stop;
use crate::ack::{Ack, NotDelivered, Tally};
use crate::kafka::Place;
use crate::merge::changelog::{
    Counters, Found, Logged, Mark, Marker, Record, Replay, Survey, Unreadable, Writer, claim,
};
use crate::merge::inventory::Writes;
use crate::merge::{Changes, RedbStore, StateStore, StoreError};

/// The note in the store that says which marker its state is that of.
const MARK_NOTE: &[u8] = b"m";

/// How long one wait for acknowledgements lasts, and so how late a stop is noticed.
const POLL: Duration = Duration::from_millis(100);

/// Pause before a busy producer is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(2);

/// How often a long reading says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

/// Keys that are healed one by one. Only a whole state that was half written leaves more, and then it is written anew.
const MOST_HEALED: usize = 100_000;

/// Why a changelog cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum ChangelogError {
    /// The log did not answer.
    #[error("the changelog cannot be read")]
    Unanswered(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What stands there cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A record was not delivered.
    #[error("a record of the changelog was not delivered")]
    NotDelivered(#[source] NotDelivered),
    /// Somebody else writes here: an earlier owner that does not know yet that it is one, or a later one.
    #[error(
        "the marker of a batch stands at {found} of the changelog where {expected} was due: somebody else writes there"
    )]
    Foreign {
        /// Where it stands.
        found: u64,
        /// Where it would stand if nobody else wrote.
        expected: u64,
    },
    /// The disk refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Asked to stop.
    #[error("stopped")]
    Stopped,
}

/// Where the records of a changelog stand.
pub trait Log: Send + Sync {
    /// To read what stands there.
    ///
    /// # Errors
    /// When it does not answer.
    fn reader(&self) -> Result<Box<dyn LogReader>, ChangelogError>;

    /// Takes a record, which is written under a claim unless it is one; tells its place before the ack is redeemed.
    ///
    /// # Errors
    /// The ack, when it cannot take it now.
    fn send(&self, record: &Record, claim: Option<u64>, ack: Ack, place: Option<&Place>) -> Result<(), Ack>;
}

/// Reads a changelog.
pub trait LogReader {
    /// Where it begins.
    ///
    /// # Errors
    /// When it does not answer.
    fn low(&self) -> Result<u64, ChangelogError>;

    /// Gives every record of a range that is there, in order.
    ///
    /// # Errors
    /// When it does not answer, when `stopped`, and what `each` says.
    fn read(
        &self,
        range: Range<u64>,
        stopped: &dyn Fn() -> bool,
        each: &mut dyn FnMut(&Logged<'_>) -> Result<(), ChangelogError>,
    ) -> Result<(), ChangelogError>;
}

/// The changelog of one partition.
#[derive(Clone)]
pub struct Changelog {
    log: Arc<dyn Log>,
    partition: i32,
    owner: String,
    turn: Turn,
}

/// Whose turn it is to read a changelog from its beginning: a process that takes over many partitions at once would need
/// the memory for that as many times.
pub type Turn = Arc<Mutex<()>>;

/// The right to write to a changelog, until somebody else claims it.
pub struct Pen {
    changelog: Changelog,
    claim: u64,
    writer: Writer,
    /// Where the next record will stand, as long as nobody else writes.
    next: u64,
}

/// What has to be done before the state can be used.
enum Plan {
    /// There is nothing anywhere: the landing log is folded from its beginning.
    Nothing,
    /// The store does not have what the changelog has; all of it, or what is behind a marker.
    Read { from: u64, anew: bool },
    /// The changelog does not have what the store has.
    Write,
}

/// What is to be healed: keys whose newest value is void, and the places of what is void.
type Restored = (BTreeSet<Vec<u8>>, Vec<Range<u64>>);

impl Changelog {
    /// `owner` is who we are, for people; the turn is the same for all partitions of a process.
    pub fn new(log: Arc<dyn Log>, partition: i32, owner: &str, turn: &Turn) -> Self {
        Self { log, partition, owner: owner.to_owned(), turn: Arc::clone(turn) }
    }

    /// Becomes the owner: makes the store what the changelog says, or the changelog what the store says, whichever knows
    /// more; and heals what an earlier owner left torn.
    ///
    /// # Errors
    /// All but a refusing disk may pass.
    pub fn take_over(&self, store: &mut RedbStore, stop: &Stop) -> Result<Pen, ChangelogError> {
        let claim = self.claim(stop)?;
        crate::crash_point!("changelog.claimed");
        let stopped = || stop.is_asked();
        let reader = self.log.reader()?;
        let reader = reader.as_ref();
        let low = reader.low()?;
        let known = known(store, reader, low..claim, &stopped)?;
        let _turn = if known.is_none() { Some(self.wait_for_turn(stop)?) } else { None };
        let found = survey(reader, low, claim, known.as_ref(), &stopped)?;
        let plan = plan(&found, known.as_ref(), low, store);
        let mark = found.mark.clone();
        let (dirty, voids) = match (&plan, &mark) {
            (Plan::Read { from, anew }, Some(mark)) => {
                self.restore(reader, *from..claim, *anew, mark, found, store, &stopped)?
            }
            _ => (BTreeSet::new(), Vec::new()),
        };
        let begin = match (&plan, &mark) {
            (Plan::Read { .. }, Some(mark)) if dirty.len() <= MOST_HEALED => mark.marker.from,
            _ => claim,
        };
        let counters = if begin == claim { Counters::default() } else { counters(store)? };
        let writer = Writer::new(claim, begin, counters);
        let mut pen = Pen { changelog: self.clone(), claim, writer, next: claim + 1 };
        match plan {
            Plan::Nothing => {}
            _ if begin == claim => pen.write_all(store, stop)?,
            _ if dirty.is_empty() => {}
            _ => pen.heal(&dirty, voids, store, stop)?,
        }
        crate::crash_point!("changelog.healed");
        Ok(pen)
    }

    fn wait_for_turn(&self, stop: &Stop) -> Result<MutexGuard<'_, ()>, ChangelogError> {
        loop {
            match self.turn.try_lock() {
                Ok(turn) => return Ok(turn),
                // Who had it is gone; it guards nothing that could be half done.
                Err(TryLockError::Poisoned(turn)) => return Ok(turn.into_inner()),
                Err(TryLockError::WouldBlock) if stop.is_asked() => return Err(ChangelogError::Stopped),
                Err(TryLockError::WouldBlock) => std::thread::sleep(POLL),
            }
        }
    }

    fn claim(&self, stop: &Stop) -> Result<u64, ChangelogError> {
        let (tally, place) = (Tally::default(), Place::default());
        let record = claim(Uuid::new_v4().into_bytes(), &self.owner);
        self.send(&record, None, &tally, Some(&place), stop)?;
        wait(&tally, stop)?;
        Ok(place.offset())
    }

    /// Second reading: brings the store to the last marker. Gives what is to be healed.
    #[expect(clippy::too_many_arguments, reason = "all of them are what the first reading found out")]
    fn restore(
        &self,
        reader: &dyn LogReader,
        range: Range<u64>,
        anew: bool,
        mark: &Mark,
        found: Found,
        store: &mut RedbStore,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Restored, ChangelogError> {
        let partition = self.partition;
        let counters = if anew { Counters::default() } else { counters(store)? };
        let mut replay = Replay::new(found, counters);
        if !anew && mark.offset < range.start {
            // The store has it all; what is behind the marker is only looked at.
            reader.read(range, stopped, &mut |record| Ok(replay.take(record).map(|_| ())?))?;
            let (_, dirty, voids) = replay.finish();
            return Ok((dirty, voids));
        }
        let started = Instant::now();
        tracing::info!(
            partition,
            anew,
            records = mark.offset + 1 - range.start,
            "restoring the state from the changelog"
        );
        let (mut records, mut told) = (0u64, Instant::now());
        let mut rebuild = store.rebuild(anew)?;
        reader.read(range.clone(), stopped, &mut |record| {
            if let Some(step) = replay.take(record)? {
                rebuild.take(step)?;
            }
            records += 1;
            if told.elapsed() > PROGRESS {
                told = Instant::now();
                let percent = (record.offset - range.start) * 100 / (range.end - range.start).max(1);
                tracing::info!(partition, records, percent, "restoring the state from the changelog");
            }
            Ok(())
        })?;
        crate::crash_point!("changelog.restoring");
        let (counters, dirty, voids) = replay.finish();
        let mut notes = counters.notes();
        notes.insert(MARK_NOTE.to_vec(), Some(write_mark(mark)));
        rebuild.finish(&mark.marker, &notes)?;
        let (seconds, next_offset) = (started.elapsed().as_secs_f32(), mark.marker.next_offset);
        tracing::info!(partition, records, next_offset, seconds, "state restored from the changelog");
        Ok((dirty, voids))
    }

    /// Hands a record to the producer, waiting as long as it is busy.
    fn send(
        &self,
        record: &Record,
        claim: Option<u64>,
        tally: &Tally,
        place: Option<&Place>,
        stop: &Stop,
    ) -> Result<(), ChangelogError> {
        let mut ack = tally.ack();
        loop {
            match self.log.send(record, claim, ack, place) {
                Ok(()) => return Ok(()),
                Err(back) => ack = back,
            }
            if stop.is_over() {
                return Err(ChangelogError::Stopped);
            }
            std::thread::sleep(BUSY_PAUSE);
        }
    }
}

impl Pen {
    /// Writes what a batch changed and its marker, and waits until all of it is acknowledged. The changes get what the
    /// changelog has to keep of it.
    ///
    /// # Errors
    /// All may pass; the partition must then be taken over again.
    pub fn write(&mut self, changes: &mut Changes, stop: &Stop) -> Result<(), ChangelogError> {
        let batch = self.writer.batch(changes);
        let marker = self.writer.marker(changes.next_offset, changes.clock, &changes.sink_position);
        changes.notes = batch.notes;
        let tally = Tally::default();
        self.send_all(&batch.records, &tally, stop)?;
        crate::crash_point!("changelog.unmarked");
        self.seal(marker, &mut changes.notes, &tally, stop)?;
        crate::crash_point!("changelog.written");
        Ok(())
    }

    fn send_all(&mut self, records: &[Record], tally: &Tally, stop: &Stop) -> Result<(), ChangelogError> {
        for record in records {
            self.changelog.send(record, Some(self.claim), tally, None, stop)?;
            self.next += 1;
        }
        Ok(())
    }

    /// Ends a batch. Its marker must stand where it is due: what somebody else wrote in between would, in compaction,
    /// take the place of what we wrote.
    fn seal(&mut self, marker: Marker, notes: &mut Writes, tally: &Tally, stop: &Stop) -> Result<(), ChangelogError> {
        let place = Place::default();
        self.changelog.send(&marker.record(), Some(self.claim), tally, Some(&place), stop)?;
        wait(tally, stop)?;
        let (found, expected) = (place.offset(), self.next);
        if found != expected {
            return Err(ChangelogError::Foreign { found, expected });
        }
        self.next += 1;
        let mark = Mark { offset: found, claim: self.claim, marker };
        notes.insert(MARK_NOTE.to_vec(), Some(write_mark(&mark)));
        Ok(())
    }

    fn heal(
        &mut self,
        dirty: &BTreeSet<Vec<u8>>,
        voids: Vec<Range<u64>>,
        store: &mut RedbStore,
        stop: &Stop,
    ) -> Result<(), ChangelogError> {
        let partition = self.changelog.partition;
        tracing::info!(partition, keys = dirty.len(), "the changelog ends in a batch without its end, which is void");
        let batch = self.writer.heal(dirty, voids, store)?;
        let tally = Tally::default();
        self.send_all(&batch.records, &tally, stop)?;
        self.commit_notes(batch.notes, &tally, store, stop)
    }

    /// Writes the whole state into a changelog that does not have it.
    fn write_all(&mut self, store: &mut RedbStore, stop: &Stop) -> Result<(), ChangelogError> {
        let partition = self.changelog.partition;
        tracing::info!(partition, "writing the whole state to the changelog, which does not have it");
        let started = Instant::now();
        // What was kept of the changelog before is of no use any more.
        let mut notes: Writes = store.notes()?.into_keys().map(|key| (key, None)).collect();
        let (tally, mut told) = (Tally::default(), Instant::now());
        store.dump::<ChangelogError>(&mut |changes| {
            let batch = self.writer.batch(changes);
            notes.extend(batch.notes);
            if stop.is_asked() {
                return Err(ChangelogError::Stopped);
            }
            if told.elapsed() > PROGRESS {
                told = Instant::now();
                tracing::info!(partition, records = self.next - self.claim, "writing the whole state to the changelog");
            }
            self.send_all(&batch.records, &tally, stop)
        })?;
        self.commit_notes(notes, &tally, store, stop)?;
        let (records, seconds) = (self.next - self.claim, started.elapsed().as_secs_f32());
        tracing::info!(partition, records, seconds, "the changelog has the whole state");
        Ok(())
    }

    /// Ends a batch that changes nothing of the state.
    fn commit_notes(
        &mut self,
        mut notes: Writes,
        tally: &Tally,
        store: &mut RedbStore,
        stop: &Stop,
    ) -> Result<(), ChangelogError> {
        let (next_offset, clock, sink_position) = (store.next_offset(), store.clock(), store.sink_position().to_vec());
        let marker = self.writer.marker(next_offset, clock, &sink_position);
        self.seal(marker, &mut notes, tally, stop)?;
        store.commit(&Changes { next_offset, clock, sink_position, notes, ..Changes::default() })?;
        Ok(())
    }
}

/// The marker that the store is the state of, if it is still there: then nothing behind it is compacted away, and
/// reading on from it is enough.
fn known(
    store: &RedbStore,
    reader: &dyn LogReader,
    within: Range<u64>,
    stopped: &dyn Fn() -> bool,
) -> Result<Option<Mark>, ChangelogError> {
    let Some(mark) = store.notes()?.get(MARK_NOTE).and_then(|note| read_mark(note)) else { return Ok(None) };
    // A store that was used without its changelog for a while has gone on without it.
    if !within.contains(&mark.offset) || mark.marker.next_offset != store.next_offset() {
        return Ok(None);
    }
    let mut stands = false;
    reader.read(mark.offset..mark.offset + 1, stopped, &mut |record| {
        stands = record.claim == Some(mark.claim) && mark.marker.is(record);
        Ok(())
    })?;
    Ok(Some(mark).filter(|_| stands))
}

/// First reading: what counts.
fn survey(
    reader: &dyn LogReader,
    low: u64,
    claim: u64,
    known: Option<&Mark>,
    stopped: &dyn Fn() -> bool,
) -> Result<Found, ChangelogError> {
    let (mut survey, from) = match known {
        Some(mark) => (Survey::behind(mark.clone()), mark.offset + 1),
        None => (Survey::default(), low),
    };
    reader.read(from..claim, stopped, &mut |record| Ok(survey.take(record)?))?;
    Ok(survey.finish(known.map(|mark| mark.claim)))
}

fn plan(found: &Found, known: Option<&Mark>, low: u64, store: &RedbStore) -> Plan {
    match (&found.mark, known) {
        (Some(_), Some(known)) => Plan::Read { from: known.offset + 1, anew: false },
        (Some(mark), None) if mark.marker.next_offset >= store.next_offset() => Plan::Read { from: low, anew: true },
        _ if store.next_offset() == 0 => Plan::Nothing,
        _ => Plan::Write,
    }
}

fn counters(store: &RedbStore) -> Result<Counters, ChangelogError> {
    let notes = store.notes()?;
    Ok(Counters::read(notes.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))))
}

fn wait(tally: &Tally, stop: &Stop) -> Result<(), ChangelogError> {
    loop {
        match tally.wait(POLL) {
            Some(Ok(())) => return Ok(()),
            Some(Err(failure)) => return Err(ChangelogError::NotDelivered(failure)),
            None if stop.is_over() => return Err(ChangelogError::Stopped),
            None => {}
        }
    }
}

fn write_mark(mark: &Mark) -> Vec<u8> {
    let marker = mark.marker.record().value.unwrap_or_default();
    [mark.offset.to_be_bytes().as_slice(), &mark.claim.to_be_bytes(), &marker].concat()
}

fn read_mark(note: &[u8]) -> Option<Mark> {
    let (offset, rest) = note.split_first_chunk()?;
    let (claim, marker) = rest.split_first_chunk()?;
    let marker = serde_json::from_slice(marker).ok()?;
    Some(Mark { offset: u64::from_be_bytes(*offset), claim: u64::from_be_bytes(*claim), marker })
}

#[cfg(test)]
mod tests;
