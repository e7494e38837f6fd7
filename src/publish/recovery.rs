//! Reads the end of an output partition, to learn what a previous owner published after its last commit.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::{PublishError, SourceId};
use crate::error::Class;
use crate::kafka::{Cluster, Context, QUESTION_TIMEOUT};

/// Records first looked at: half of the default batch, so one look mostly suffices; doubled until it does.
const FIRST_LOOK: i64 = 1_000;

/// A look that gets nothing new for so long is given up, and tried again from the start.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the end of a partition must stand still. What a process that was just killed had sent becomes visible when
/// the followers have it, which takes a few milliseconds.
const STANDSTILL: Duration = Duration::from_millis(250);

/// Every output of these topics in the partition whose landing offset is at least `from`. In a topic they are in the
/// order of their landing offsets, so looking back ends at the first older one.
pub fn scan_tails<'t>(
    cluster: &Cluster,
    topics: impl Iterator<Item = &'t str>,
    partition: i32,
    from: u64,
    stopped: &dyn Fn() -> bool,
) -> Result<BTreeSet<SourceId>, PublishError> {
    let consumer = cluster.reader("recovery").map_err(|error| unreadable("the output", partition, error))?;
    let tails: Vec<_> = topics.map(|topic| Tail { consumer: &consumer, topic, partition, from, stopped }).collect();
    let mut ends = Vec::new();
    loop {
        let before = std::mem::take(&mut ends);
        for tail in &tails {
            ends.push(tail.end().map_err(|error| unreadable(tail.topic, partition, error))?);
        }
        if ends == before {
            break;
        }
        std::thread::sleep(STANDSTILL);
    }
    let mut found = BTreeSet::new();
    for tail in &tails {
        tail.scan(&mut found).map_err(|error| unreadable(tail.topic, partition, error))?;
    }
    Ok(found)
}

fn unreadable(topic: &str, partition: i32, error: KafkaError) -> PublishError {
    PublishError {
        what: format!("the end of {topic}/{partition} cannot be read"),
        class: Class::Retry,
        source: Some(Box::new(error)),
    }
}

struct Tail<'a> {
    consumer: &'a BaseConsumer<Context>,
    topic: &'a str,
    partition: i32,
    from: u64,
    stopped: &'a dyn Fn() -> bool,
}

#[derive(Default)]
struct Look {
    outputs: Vec<SourceId>,
    /// Something from before was met, so nothing further back matters.
    met_older: bool,
}

impl Tail<'_> {
    fn end(&self) -> Result<i64, KafkaError> {
        Ok(self.consumer.fetch_watermarks(self.topic, self.partition, QUESTION_TIMEOUT)?.1)
    }

    fn scan(&self, found: &mut BTreeSet<SourceId>) -> Result<(), KafkaError> {
        let (low, high) = self.consumer.fetch_watermarks(self.topic, self.partition, QUESTION_TIMEOUT)?;
        let mut look_back = FIRST_LOOK;
        loop {
            let start = low.max(high - look_back);
            let look = self.look(start..high)?;
            found.extend(look.outputs);
            if look.met_older || start == low {
                return Ok(());
            }
            look_back *= 2;
        }
    }

    fn look(&self, range: Range<i64>) -> Result<Look, KafkaError> {
        let mut look = Look::default();
        if range.is_empty() {
            return Ok(look);
        }
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(self.topic, self.partition, Offset::Offset(range.start))?;
        self.consumer.assign(&assignment)?;
        let mut position = range.start;
        let mut last_news = Instant::now();
        while position < range.end {
            if (self.stopped)() || last_news.elapsed() > PATIENCE {
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
            }
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    position = message.offset() + 1;
                    last_news = Instant::now();
                    match source_id(&message) {
                        Some(id) if id.offset >= self.from => look.outputs.push(id),
                        Some(_) => look.met_older = true,
                        None => {}
                    }
                }
                // A broker that is away comes back; patience is what ends this.
                Some(Err(error)) => tracing::debug!(%error, topic = self.topic, "recovery waits"),
                // Control records are passed over silently; only the position shows it.
                None => position = position.max(self.consumed_to()),
            }
        }
        Ok(look)
    }

    fn consumed_to(&self) -> i64 {
        let positions = self.consumer.position().ok();
        let entry = positions.and_then(|list| Some(list.find_partition(self.topic, self.partition)?.offset()));
        match entry {
            Some(Offset::Offset(offset)) => offset,
            _ => 0,
        }
    }
}

fn source_id(message: &BorrowedMessage<'_>) -> Option<SourceId> {
    let headers = message.headers()?;
    let landing = headers.iter().find(|header| header.key == "landing")?;
    std::str::from_utf8(landing.value?).ok()?.parse().ok()
}
