//! Reads a stretch of one partition by hand, outside of any group.

use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::client::Context;
use super::{Cluster, held};

/// A reading that gets nothing new for so long is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes that are fetched ahead: enough for any link, and a bounded part of the memory.
const FETCH_AHEAD_KBYTES: &str = "32768";

/// Messages that are fetched ahead: each stands in memory with some hundred bytes beside its own. More than anybody reads in
/// the time after which librdkafka looks for room again.
const FETCH_AHEAD_MESSAGES: &str = "20000";

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);

/// One partition, to be read in stretches.
pub struct PartitionReader {
    consumer: BaseConsumer<Context>,
    topic: String,
    partition: i32,
}

impl PartitionReader {
    /// Opens it; `name` is that of the client.
    ///
    /// # Errors
    /// When librdkafka rejects the settings.
    pub fn open(cluster: &Cluster, name: &'static str, topic: &str, partition: i32) -> KafkaResult<Self> {
        let ahead = [("queued.max.messages.kbytes", FETCH_AHEAD_KBYTES), ("queued.min.messages", FETCH_AHEAD_MESSAGES)];
        let consumer = cluster.reader_with(name, &ahead)?;
        Ok(Self { consumer, topic: topic.to_owned(), partition })
    }

    /// The offsets that the partition holds.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn range(&self) -> KafkaResult<Range<u64>> {
        held(&self.consumer, &self.topic, self.partition)
    }

    /// Gives every record of a range that is there, in order.
    ///
    /// # Errors
    /// When the cluster does not answer for half a minute, when `stopped`, and what `each` says.
    pub fn read<E: From<KafkaError>>(
        &self,
        range: Range<u64>,
        stopped: &dyn Fn() -> bool,
        mut each: impl FnMut(&BorrowedMessage<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if range.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        let start = Offset::Offset(i64::try_from(range.start).unwrap_or(i64::MAX));
        list.add_partition_offset(&self.topic, self.partition, start)?;
        self.consumer.assign(&list)?;
        let (mut position, mut last_news) = (range.start, Instant::now());
        while position < range.end {
            if stopped() || last_news.elapsed() > PATIENCE {
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut).into());
            }
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => {
                    let offset = u64::try_from(message.offset()).unwrap_or_default();
                    if offset < range.end {
                        each(&message)?;
                    }
                    // What was compacted away at the end shows only by what comes behind it.
                    position = offset + 1;
                    last_news = Instant::now();
                }
                // A broker that is away comes back; patience is what ends this.
                Some(Err(error)) => tracing::debug!(%error, topic = self.topic, "reading waits"),
                None => position = position.max(self.position()),
            }
        }
        self.consumer.unassign()?;
        Ok(())
    }

    /// Where librdkafka is; it passes over what was compacted away at the end without a word.
    fn position(&self) -> u64 {
        let positions = self.consumer.position().ok();
        let entry = positions.as_ref().and_then(|list| list.find_partition(&self.topic, self.partition));
        match entry.map(|entry| entry.offset()) {
            Some(Offset::Offset(offset)) => u64::try_from(offset).unwrap_or(0),
            _ => 0,
        }
    }
}
