//! The connection to the Kafka cluster: security, the one producer, topics, and what librdkafka says about itself.
//!
//! Knows nothing of what the messages mean; `landing` and `publish` do.

mod client;
#[cfg(test)]
mod lone_broker;
mod partitioner;
mod producer;
mod security;
mod stretch;
mod token;
mod topics;
mod watermarks;

pub use client::{Cluster, Context};
pub use partitioner::partition_of;
pub use producer::{Outgoing, Place, Producer, SendRefused};
pub use stretch::PartitionReader;
pub use topics::{TopicSpec, ensure_topics};
pub use watermarks::{held, watermarks};

use std::time::Duration;

/// How long one question to the cluster may take.
pub const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);

/// How soon librdkafka looks whether there is room again in its full queue before it fetches on, ms. Its default is a
/// second, in which a reader that is faster than the queue is long stands still for most of the time.
pub const FETCH_QUEUE_BACKOFF_MS: &str = "20";

/// The largest message that we send and that our topics take, bytes: a 1 MiB event makes an OCSF record that holds it
/// twice, in `raw_data` and `unmapped`, escaped.
pub const MAX_MESSAGE_BYTES: usize = 8 << 20;
