//! OCSF records out: to Kafka topics, NDJSON files or standard output; and quarantine for what can never be one.
//!
//! [`Sink`] is the line between the fold and the outside. Every record carries the place in the landing log that it
//! came from, so after a crash the owner of a partition learns from the output itself what is already there.

mod kafka;
mod lines;
mod quarantine;
mod record;
mod recovery;

pub use kafka::KafkaSink;
pub use lines::{LinesSink, Target};
pub use quarantine::{Limit, Rejected, TooMuchIsBad};
pub use record::{Body, Found, OutputRecord, SourceId, Topics};

use crate::ack::Ack;

/// The output cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct PublishError {
    /// What failed, and where.
    pub what: String,
    /// Whether trying again can help.
    pub class: crate::error::Class,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A record that the sink cannot take now, given back as its ack. Offer it again later.
#[derive(Debug)]
pub struct Busy(pub Ack);

/// Takes finished records. Shared by all partitions; each partition's records keep their order.
pub trait Sink: Send + Sync {
    /// Takes a record. The ack is redeemed when it is stored; for some sinks only after [`Sink::seal`].
    ///
    /// # Errors
    /// [`Busy`] when the sink's buffer is full. Never blocks for long.
    fn publish(&self, record: &OutputRecord, ack: Ack) -> Result<(), Busy>;

    /// Takes an input that can never succeed. `from` is its place in the landing log, if it got that far.
    ///
    /// # Errors
    /// [`Busy`] when the sink's buffer is full.
    fn quarantine(&self, rejected: &Rejected, from: Option<SourceId>, ack: Ack) -> Result<(), Busy>;

    /// Ends a batch: pushes out what is buffered, and says where the output of the partition ends, in words that
    /// [`Sink::recover`] will understand. The words are committed together with the state.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn seal(&self, partition: i32) -> Result<Vec<u8>, PublishError>;

    /// Finds which records of landing offsets from `from` on are already there, before a partition is folded.
    /// `sealed` is what [`Sink::seal`] said at the last commit. Quarantine is not looked through: what is in it may
    /// be there twice. Ends early, with an error, when `stopped`.
    ///
    /// # Errors
    /// When the output cannot be read.
    fn recover(
        &self,
        partition: i32,
        from: u64,
        sealed: &[u8],
        stopped: &dyn Fn() -> bool,
    ) -> Result<Found, PublishError>;
}
