//! The landing log as one embedded file: a laptop, a pilot or a test needs no Kafka.
//!
//! One writer thread groups what arrived meanwhile into one durable commit and then redeems the acks. There is one
//! partition, number 0. What was consumed is kept for a retention time, as a topic would keep it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::{
    LandedRecord, LandingError, LandingLog, LandingPartition, LandingRecord, LandingWatch, MAX_VALUE_BYTES, Refused,
};
use crate::ack::{Ack, NotDelivered};
use crate::error::{Chain, Class, ExitStatus};

/// Offset → (landed_at, headers as `name=value` lines, value).
const LOG: TableDefinition<'_, u64, (i64, &str, &[u8])> = TableDefinition::new("landing");

/// Records that may wait for the writer: a fraction of a second of work. Their bytes are bounded by what may be in
/// flight on the queues.
const QUEUE: usize = 1_024;

/// Records in one commit. A commit costs one fsync whatever its size; 1,024 is what the queue can hold.
const COMMIT_RECORDS: usize = QUEUE;

/// Records that the reader takes at a time, so that a long log is not read into memory at once.
const READ_RECORDS: usize = 256;

/// Pages kept in memory. The log is written at its end and read soon after, so a small part of it is enough; redb's
/// own default is 1 GiB.
const CACHE_BYTES: usize = 32 << 20;

/// How many appended records pass between two looks for expired ones.
const PRUNE_EVERY: u64 = 10_000;

struct Shared {
    database: Database,
    /// The offset after the last durable record, and the bell for those who wait for more.
    end: Mutex<u64>,
    grown: Condvar,
    /// Everything before this offset was consumed.
    committed: AtomicU64,
}

/// The appending side; dropping it ends the writer after what it already took.
pub struct LocalLanding {
    queue: Option<SyncSender<(LandingRecord, Ack)>>,
    writer: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

/// Sees what is appended, and says nothing of what is done with it.
pub struct LocalWatch(LocalPartition);

impl LandingWatch for LocalWatch {
    fn next(&mut self, timeout: Duration) -> Result<Option<LandedRecord>, LandingError> {
        self.0.next(timeout)
    }
}

/// Reads the log from an offset on.
pub struct LocalPartition {
    shared: Arc<Shared>,
    next: u64,
    buffer: VecDeque<LandedRecord>,
}

impl LocalLanding {
    /// Opens or creates the log file. Consumed records older than `retention` are dropped.
    ///
    /// # Errors
    /// When the file cannot be created, is not a log, or is in use by another process.
    pub fn open(path: &Path, retention: Duration) -> Result<Self, LandingError> {
        let failed = |error: redb::Error| failure(format!("cannot open the landing log {}", path.display()), error);
        let database =
            Database::builder().set_cache_size(CACHE_BYTES).create(path).map_err(|error| failed(error.into()))?;
        let end = create_table_and_find_end(&database).map_err(failed)?;
        let shared =
            Arc::new(Shared { database, end: Mutex::new(end), grown: Condvar::new(), committed: AtomicU64::new(0) });
        let (queue, work) = sync_channel(QUEUE);
        let writer = Writer { shared: Arc::clone(&shared), retention, end, since_prune: PRUNE_EVERY };
        let writer = std::thread::Builder::new()
            .name("landing".into())
            .spawn(move || writer.run(&work))
            .map_err(|error| failed(redb::Error::Io(error)))?;
        Ok(Self { queue: Some(queue), writer: Some(writer), shared })
    }

    /// The offset after the last durable record.
    pub fn end(&self) -> u64 {
        *self.shared.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many durable records are not consumed yet.
    pub fn unfolded(&self) -> u64 {
        self.end().saturating_sub(self.shared.committed.load(Ordering::Relaxed))
    }

    /// Watches what is appended from now on.
    pub fn watch(&self) -> LocalWatch {
        LocalWatch(LocalPartition { shared: Arc::clone(&self.shared), next: self.end(), buffer: VecDeque::new() })
    }

    /// The one partition, from `offset` on.
    pub fn partition(&self, offset: u64) -> LocalPartition {
        self.shared.committed.fetch_max(offset, Ordering::Relaxed);
        LocalPartition { shared: Arc::clone(&self.shared), next: offset, buffer: VecDeque::new() }
    }
}

impl LandingLog for LocalLanding {
    fn append(&self, record: LandingRecord, ack: Ack) -> Result<(), Box<Refused>> {
        let Some(queue) = &self.queue else {
            return Err(Box::new(Refused(record, ack)));
        };
        match queue.try_send((record, ack)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full((record, ack))) => Err(Box::new(Refused(record, ack))),
            Err(TrySendError::Disconnected((_, ack))) => {
                let what = "the writer of the landing log has ended".into();
                ack.redeem(Err(NotDelivered::Impossible { what, status: ExitStatus::Software }));
                Ok(())
            }
        }
    }

    fn max_value_bytes(&self) -> usize {
        MAX_VALUE_BYTES
    }
}

impl Drop for LocalLanding {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has dropped its acks, which reported them as abandoned.
            let _ = writer.join();
        }
    }
}

struct Writer {
    shared: Arc<Shared>,
    retention: Duration,
    end: u64,
    since_prune: u64,
}

impl Writer {
    fn run(mut self, work: &Receiver<(LandingRecord, Ack)>) {
        while let Ok(first) = work.recv() {
            let batch: Vec<_> = std::iter::once(first).chain(work.try_iter().take(COMMIT_RECORDS - 1)).collect();
            let stored = self.store(&batch);
            let delivery = stored.map_err(|error| NotDelivered::Impossible {
                what: format!("the landing log cannot be written: {}", Chain(&error)),
                status: ExitStatus::Io,
            });
            for (_, ack) in batch {
                ack.redeem(delivery.clone());
            }
        }
    }

    fn store(&mut self, batch: &[(LandingRecord, Ack)]) -> Result<(), redb::Error> {
        let mut transaction = self.shared.database.begin_write()?;
        transaction.set_quick_repair(true);
        let mut next = self.end;
        {
            let mut log = transaction.open_table(LOG)?;
            for (record, _) in batch {
                let headers = encode(record);
                log.insert(next, (record.landed_at, headers.as_str(), record.value.as_slice()))?;
                next += 1;
            }
            self.since_prune += batch.len() as u64;
            if self.since_prune >= PRUNE_EVERY {
                self.since_prune = 0;
                let newest = batch.last().map_or(0, |(record, _)| record.landed_at);
                self.prune(&mut log, newest)?;
            }
        }
        transaction.commit()?;
        self.end = next;
        *self.shared.end.lock().unwrap_or_else(PoisonError::into_inner) = next;
        self.shared.grown.notify_all();
        Ok(())
    }

    fn prune(&self, log: &mut redb::Table<'_, u64, (i64, &str, &[u8])>, newest: i64) -> Result<(), redb::Error> {
        let retention = i64::try_from(self.retention.as_millis()).unwrap_or(i64::MAX);
        let expired_before = newest.saturating_sub(retention);
        let consumed = self.shared.committed.load(Ordering::Relaxed);
        // Offsets grow with time, so the first record that stays ends the search.
        let mut first_kept = 0;
        for entry in log.range(..consumed)? {
            let (offset, value) = entry?;
            first_kept = offset.value() + 1;
            if value.value().0 >= expired_before {
                first_kept = offset.value();
                break;
            }
        }
        log.retain_in(..first_kept, |_, _| false)?;
        Ok(())
    }
}

impl LandingPartition for LocalPartition {
    fn next(&mut self, timeout: Duration) -> Result<Option<LandedRecord>, LandingError> {
        if self.buffer.is_empty() && self.wait_for_more(timeout) {
            self.fill().map_err(|error| failure("the landing log cannot be read".into(), error))?;
        }
        Ok(self.buffer.pop_front())
    }

    fn commit(&mut self, next_offset: u64) -> Result<(), LandingError> {
        self.shared.committed.fetch_max(next_offset, Ordering::Relaxed);
        Ok(())
    }

    fn seek(&mut self, next_offset: u64) -> Result<(), LandingError> {
        self.buffer.clear();
        self.next = next_offset;
        Ok(())
    }
}

impl LocalPartition {
    fn wait_for_more(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut end = self.shared.end.lock().unwrap_or_else(PoisonError::into_inner);
        while *end <= self.next {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            end = self.shared.grown.wait_timeout(end, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn fill(&mut self) -> Result<(), redb::Error> {
        let log = self.shared.database.begin_read()?.open_table(LOG)?;
        for entry in log.range(self.next..)?.take(READ_RECORDS) {
            let (offset, value) = entry?;
            let (_, headers, bytes) = value.value();
            let find = |name: &str| headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            let content = LandingRecord::from_parts(find, bytes.to_vec());
            self.next = offset.value() + 1;
            self.buffer.push_back(LandedRecord { offset: offset.value(), content });
        }
        Ok(())
    }
}

fn encode(record: &LandingRecord) -> String {
    let mut headers = String::new();
    for (name, value) in record.headers() {
        // A line is a header, and ids come from outside.
        headers.extend([name, "=", &value.replace(['\n', '\r'], " "), "\n"]);
    }
    headers
}

fn create_table_and_find_end(database: &Database) -> Result<u64, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    let end = {
        let log = transaction.open_table(LOG)?;
        let last = log.last()?;
        last.map_or(0, |(offset, _)| offset.value() + 1)
    };
    transaction.commit()?;
    Ok(end)
}

fn failure(what: String, error: redb::Error) -> LandingError {
    LandingError { what, class: Class::Fatal, source: Some(Box::new(error)) }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::{Content, Origin};
    use super::*;
    use crate::ack::Tally;
    use crate::okta::OrgId;

    fn record(number: u64, landed_at: i64) -> LandingRecord {
        LandingRecord {
            org: OrgId::new("acme"),
            origin: Origin::Sqs,
            landed_at,
            content: Content::Event { uuid: Uuid::from_u128(u128::from(number)), published: 0 },
            value: number.to_string().into_bytes(),
        }
    }

    fn append_all(log: &LocalLanding, records: impl Iterator<Item = LandingRecord>) {
        let tally = Tally::default();
        for mut record in records {
            let mut ack = tally.ack();
            while let Err(refused) = log.append(record, ack) {
                Refused(record, ack) = *refused;
                std::thread::yield_now();
            }
        }
        assert_eq!(tally.wait(Duration::from_secs(30)), Some(Ok(())));
    }

    fn read_all(log: &LocalLanding, from: u64) -> Vec<(u64, Vec<u8>)> {
        let mut partition = log.partition(from);
        std::iter::from_fn(|| partition.next(Duration::ZERO).unwrap())
            .map(|landed| (landed.offset, landed.content.unwrap().value))
            .collect()
    }

    #[test]
    fn what_was_acknowledged_is_there_after_reopening_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("landing.redb");
        let log = LocalLanding::open(&path, Duration::MAX).unwrap();
        append_all(&log, (0..1_000).map(|n| record(n, 0)));
        drop(log);
        let log = LocalLanding::open(&path, Duration::MAX).unwrap();
        append_all(&log, (1_000..1_010).map(|n| record(n, 0)));
        let expected: Vec<_> = (0..1_010u64).map(|n| (n, n.to_string().into_bytes())).collect();
        assert_eq!(read_all(&log, 0), expected);
        assert_eq!(read_all(&log, 1_005), expected[1_005..]);
    }

    #[test]
    fn only_what_was_consumed_and_is_old_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let log = LocalLanding::open(&folder.path().join("landing.redb"), Duration::from_millis(10)).unwrap();
        append_all(&log, (0..100).map(|n| record(n, 0)));
        log.partition(0).commit(50).unwrap();
        assert_eq!(log.unfolded(), 50);
        append_all(&log, (100..100 + PRUNE_EVERY).map(|n| record(n, 1_000)));
        assert_eq!(read_all(&log, 0)[0].0, 50, "consumed and expired records go, others stay");
    }

    #[test]
    fn a_waiting_reader_is_woken_by_an_append() {
        let folder = tempfile::tempdir().unwrap();
        let log = LocalLanding::open(&folder.path().join("landing.redb"), Duration::MAX).unwrap();
        let mut partition = log.partition(0);
        let reader = std::thread::spawn(move || partition.next(Duration::from_secs(30)).unwrap().unwrap().offset);
        append_all(&log, std::iter::once(record(0, 0)));
        assert_eq!(reader.join().unwrap(), 0);
    }
}
