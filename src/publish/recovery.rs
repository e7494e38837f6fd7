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

/// Adds to `found` every output of the topic and partition whose landing offset is at least `from`. They are in the
/// order of their landing offsets, so looking back ends at the first older one.
pub fn scan_tail(
    cluster: &Cluster,
    (topic, partition): (&str, i32),
    from: u64,
    stopped: &dyn Fn() -> bool,
    found: &mut BTreeSet<SourceId>,
) -> Result<(), PublishError> {
    let failed = |error: KafkaError| PublishError {
        what: format!("the end of {topic}/{partition} cannot be read"),
        class: Class::Retry,
        source: Some(Box::new(error)),
    };
    let consumer = cluster.reader("recovery").map_err(failed)?;
    let tail = Tail { consumer, topic, partition, from, stopped };
    let (low, high) = tail.consumer.fetch_watermarks(topic, partition, QUESTION_TIMEOUT).map_err(failed)?;
    let mut look_back = FIRST_LOOK;
    loop {
        let start = low.max(high - look_back);
        let look = tail.look(start..high).map_err(failed)?;
        found.extend(look.outputs);
        if look.met_older || start == low {
            return Ok(());
        }
        look_back *= 2;
    }
}

struct Tail<'a> {
    consumer: BaseConsumer<Context>,
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
