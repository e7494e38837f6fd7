//! Reads the end of an output partition, to learn what a previous owner published after its last commit.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::{PublishError, SourceId};
use crate::error::Class;
use crate::kafka::{Cluster, Context};

/// Records first looked at: half of the default batch, so one look mostly suffices; doubled until it does.
const FIRST_LOOK: i64 = 1_000;

/// A tail that cannot be read in this time is tried again from the start.
const PATIENCE: Duration = Duration::from_secs(30);

const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Adds to `found` every output of the partition whose landing offset is at least `next_offset`. Outputs of one topic
/// and partition are in the order of their landing offsets, so the look back ends at the first older one.
pub fn scan_tail(
    cluster: &Cluster,
    topic: &str,
    partition: i32,
    next_offset: u64,
    found: &mut BTreeSet<SourceId>,
) -> Result<(), PublishError> {
    let failed = |error: KafkaError| PublishError {
        what: format!("the end of {topic}/{partition} cannot be read"),
        class: Class::Retry,
        source: Some(Box::new(error)),
    };
    let consumer: BaseConsumer<Context> = cluster
        .config()
        .set("group.id", "okta-ocsf-recovery") // required by the API; nothing is ever committed
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .create_with_context(cluster.context("recovery"))
        .map_err(failed)?;
    let (low, high) = consumer.fetch_watermarks(topic, partition, QUESTION_TIMEOUT).map_err(failed)?;
    let mut look_back = FIRST_LOOK;
    loop {
        let start = low.max(high - look_back);
        let look = read_range(&consumer, topic, partition, start..high, next_offset).map_err(failed)?;
        found.extend(look.outputs);
        if look.met_older || start == low {
            return Ok(());
        }
        look_back *= 2;
    }
}

#[derive(Default)]
struct Look {
    outputs: Vec<SourceId>,
    /// Something from before `next_offset` was met, so nothing further back matters.
    met_older: bool,
}

fn read_range(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partition: i32,
    range: std::ops::Range<i64>,
    next_offset: u64,
) -> Result<Look, KafkaError> {
    let mut look = Look::default();
    if range.is_empty() {
        return Ok(look);
    }
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, partition, Offset::Offset(range.start))?;
    consumer.assign(&assignment)?;
    let deadline = Instant::now() + PATIENCE;
    let mut position = range.start;
    while position < range.end {
        if Instant::now() > deadline {
            return Err(KafkaError::MessageConsumption(rdkafka::error::RDKafkaErrorCode::OperationTimedOut));
        }
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                position = message.offset() + 1;
                match source_id(&message) {
                    Some(id) if id.offset >= next_offset => look.outputs.push(id),
                    Some(_) => look.met_older = true,
                    None => {}
                }
            }
            Some(Err(error)) => return Err(error),
            // Control records are passed over silently; only the position shows it.
            None => position = position.max(consumed_to(consumer, topic, partition)),
        }
    }
    Ok(look)
}

fn consumed_to(consumer: &BaseConsumer<Context>, topic: &str, partition: i32) -> i64 {
    let positions = consumer.position().ok();
    let offset = positions.and_then(|list| list.find_partition(topic, partition).map(|entry| entry.offset()));
    match offset {
        Some(Offset::Offset(offset)) => offset,
        _ => 0,
    }
}

fn source_id(message: &BorrowedMessage<'_>) -> Option<SourceId> {
    let headers = message.headers()?;
    let landing = headers.iter().find(|header| header.key == "landing")?;
    std::str::from_utf8(landing.value?).ok()?.parse().ok()
}
