//! The landing log: one totally ordered log per org of everything the outside world said about it.
//!
//! [`LandingLog`] appends, [`LandingPartition`] reads; `kafka` and `local` are the two homes of the log, and `group` shares
//! out the partitions of the first. Nothing here knows what a record means. See `schemas/landing-record.md` for the record
//! as others read it.

pub mod group;
pub mod kafka;
pub mod local;
pub mod range;
mod record;

pub use record::{Content, Grain, LandedRecord, LandingRecord, MalformedRecord, Observation, Origin, RECORD_VERSION};

use std::time::{Duration, SystemTime};

use crate::ack::Ack;
use crate::error::Class;

/// The largest value of a record in either log, bytes: what is left of a Kafka message without key and headers.
const MAX_VALUE_BYTES: usize = crate::kafka::MAX_MESSAGE_BYTES - (64 << 10);

/// Pause before a refused record is offered again. Refusals end within a broker round trip.
const REFUSED_PAUSE: Duration = Duration::from_millis(5);

/// The clock of the log: this machine's, ms since the Unix epoch.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Appends the record as soon as the log takes it.
pub async fn append(log: &dyn LandingLog, mut record: LandingRecord, mut ack: Ack) {
    while let Err(refused) = log.append(record, ack) {
        Refused(record, ack) = *refused;
        tokio::time::sleep(REFUSED_PAUSE).await;
    }
}

/// Why the log could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct LandingError {
    /// What failed, and where.
    pub what: String,
    /// Whether trying again can help.
    pub class: Class,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A record that the log cannot take now, handed back with its ack. It is not at fault; offer it again later.
#[derive(Debug)]
pub struct Refused(pub LandingRecord, pub Ack);

/// Appends to the log.
pub trait LandingLog: Send + Sync {
    /// Takes the record and redeems the ack once the record is durable: on all in-sync replicas, or on disk. Never
    /// blocks. Records of one org are stored in the order in which they were taken.
    ///
    /// # Errors
    /// [`Refused`] when the log's buffer is full.
    fn append(&self, record: LandingRecord, ack: Ack) -> Result<(), Box<Refused>>;

    /// The largest record value that the log accepts, bytes.
    fn max_value_bytes(&self) -> usize;
}

/// Watches one partition of the log from its end on, without owning it.
pub trait LandingWatch: Send {
    /// The next record, waiting at most `timeout`; `None` if none came.
    ///
    /// # Errors
    /// A [`LandingError`] of class `Retry` may be followed by records again.
    fn next(&mut self, timeout: Duration) -> Result<Option<LandedRecord>, LandingError>;
}

/// Reads one partition of the log in order. One reader owns a partition at a time.
pub trait LandingPartition: Send {
    /// The next record, waiting at most `timeout`; `None` if none came.
    ///
    /// # Errors
    /// A [`LandingError`] of class `Retry` may be followed by records again.
    fn next(&mut self, timeout: Duration) -> Result<Option<LandedRecord>, LandingError>;

    /// Says that everything before `next_offset` is done, for those who watch lag or own the partition next.
    ///
    /// # Errors
    /// Harmless to the reader itself: its own store remembers where it was.
    fn commit(&mut self, next_offset: u64) -> Result<(), LandingError>;

    /// Goes to another place, to read on from there.
    ///
    /// # Errors
    /// When the log does not answer; worth another try.
    fn seek(&mut self, next_offset: u64) -> Result<(), LandingError>;
}
