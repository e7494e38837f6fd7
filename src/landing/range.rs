//! A part of one partition of the landing topic, read beside its owner: without the group, and without a word to it.

use std::ops::Range;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use super::kafka::{failure, offset, read};
use super::{LandedRecord, LandingError, LandingPartition, LandingWatch};
use crate::kafka::{self, Cluster, Context, QUESTION_TIMEOUT};

/// What there is of the landing topic.
pub struct TopicSpan {
    consumer: BaseConsumer<Context>,
    topic: String,
    /// How many partitions it has; 0 if there is no such topic.
    pub partitions: i32,
}

impl TopicSpan {
    /// Asks the cluster.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn of(cluster: &Cluster, topic: &str) -> Result<Self, LandingError> {
        let failed = |error| failure(format!("the partitions of {topic} cannot be read"), error);
        let consumer = cluster.reader("reprocess").map_err(failed)?;
        let metadata = consumer.fetch_metadata(Some(topic), QUESTION_TIMEOUT).map_err(failed)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
        let partitions = found.map_or(0, |found| i32::try_from(found.partitions().len()).unwrap_or(i32::MAX));
        Ok(Self { consumer, topic: topic.to_owned(), partitions })
    }

    /// The offsets that a partition holds.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn held(&self, partition: i32) -> Result<Range<u64>, LandingError> {
        kafka::held(&self.consumer, &self.topic, partition).map_err(|error| self.failed(partition, error))
    }

    /// The first offset of a record with this timestamp or a later one; `None` if there is none.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn at(&self, partition: i32, ms: i64) -> Result<Option<u64>, LandingError> {
        let failed = |error| self.failed(partition, error);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition, Offset::Offset(ms.max(0))).map_err(failed)?;
        let answer = self.consumer.offsets_for_times(list, QUESTION_TIMEOUT).map_err(failed)?;
        let entry = answer.find_partition(&self.topic, partition).map(|entry| entry.offset());
        Ok(match entry {
            Some(Offset::Offset(offset)) => u64::try_from(offset).ok(),
            _ => None,
        })
    }

    /// Up to where the owners of the partition have published, as they told the group.
    ///
    /// # Errors
    /// When the cluster does not answer, or we may not ask about the group.
    pub fn published(&self, partition: i32) -> Result<u64, LandingError> {
        let failed = |error| self.failed(partition, error);
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        let answer = self.consumer.committed_offsets(list, QUESTION_TIMEOUT).map_err(failed)?;
        let Some(entry) = answer.find_partition(&self.topic, partition) else { return Ok(0) };
        entry.error().map_err(failed)?;
        Ok(match entry.offset() {
            Offset::Offset(offset) => u64::try_from(offset).unwrap_or(0),
            _ => 0,
        })
    }

    fn failed(&self, partition: i32, error: KafkaError) -> LandingError {
        failure(format!("landing partition {}/{partition} cannot be asked about", self.topic), error)
    }
}

/// Reads a partition from an offset on.
pub struct RangeReader {
    cluster: Cluster,
    /// That of its client.
    name: &'static str,
    consumer: BaseConsumer<Context>,
    topic: String,
    partition: i32,
    position: u64,
}

impl RangeReader {
    /// Nothing is read yet.
    ///
    /// # Errors
    /// When the client cannot start.
    pub fn new(cluster: &Cluster, topic: &str, partition: i32, from: u64) -> Result<Self, LandingError> {
        let mut reader = Self::open(cluster, "reprocess", topic, partition)?;
        reader.seek(from)?;
        Ok(reader)
    }

    fn open(cluster: &Cluster, name: &'static str, topic: &str, partition: i32) -> Result<Self, LandingError> {
        let failed = |error| failure(format!("landing partition {topic}/{partition} cannot be read"), error);
        let consumer = cluster.reader(name).map_err(failed)?;
        Ok(Self { cluster: cluster.clone(), name, consumer, topic: topic.to_owned(), partition, position: 0 })
    }

    /// The next offset: everything before it was given out, or is not there.
    pub fn position(&self) -> u64 {
        self.position
    }

    fn is_stranded(&self) -> bool {
        self.consumer.context().is_stranded()
    }
}

impl LandingPartition for RangeReader {
    fn next(&mut self, timeout: Duration) -> Result<Option<LandedRecord>, LandingError> {
        match self.consumer.poll(timeout) {
            Some(Ok(message)) => {
                let record = read(&message);
                self.position = u64::try_from(message.offset() + 1).unwrap_or(self.position);
                Ok(Some(record))
            }
            Some(Err(error)) => {
                Err(failure(format!("landing partition {}/{} cannot be read", self.topic, self.partition), error))
            }
            // Whoever is told seeks, which takes a new client.
            None if self.is_stranded() => {
                let error = KafkaError::MessageConsumption(RDKafkaErrorCode::AllBrokersDown);
                Err(failure(format!("landing partition {}/{} cannot be read", self.topic, self.partition), error))
            }
            None => {
                // Offsets that hold no record, such as those that expired meanwhile, are passed over.
                let positions = self.consumer.position().ok();
                let entry = positions.as_ref().and_then(|list| list.find_partition(&self.topic, self.partition));
                if let Some(Offset::Offset(next)) = entry.map(|entry| entry.offset()) {
                    self.position = self.position.max(u64::try_from(next).unwrap_or(0));
                }
                Ok(None)
            }
        }
    }

    /// The owner tells the group; we have nothing to tell.
    fn commit(&mut self, _: u64) -> Result<(), LandingError> {
        Ok(())
    }

    fn seek(&mut self, next_offset: u64) -> Result<(), LandingError> {
        let failed =
            |error| failure(format!("landing partition {}/{} cannot be sought", self.topic, self.partition), error);
        if self.is_stranded() {
            self.consumer = self.cluster.reader(self.name).map_err(failed)?;
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, self.partition, offset(next_offset)).map_err(failed)?;
        self.consumer.assign(&list).map_err(failed)?;
        self.position = next_offset;
        Ok(())
    }
}

/// Sees what is appended to one partition, outside of the group.
pub struct KafkaWatch(RangeReader);

impl KafkaWatch {
    /// Watches from the end of the partition on.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn new(cluster: &Cluster, topic: &str, partition: i32) -> Result<Self, LandingError> {
        let failed = |error| failure(format!("the end of landing partition {partition} cannot be read"), error);
        let mut reader = RangeReader::open(cluster, "watch", topic, partition)?;
        let end = kafka::held(&reader.consumer, topic, partition).map_err(failed)?.end;
        reader.seek(end)?;
        Ok(Self(reader))
    }
}

impl LandingWatch for KafkaWatch {
    fn next(&mut self, timeout: Duration) -> Result<Option<LandedRecord>, LandingError> {
        match self.0.next(timeout) {
            Err(_) if self.0.is_stranded() => self.0.seek(self.0.position).map(|()| None),
            seen => seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stranded_reader_says_so_and_seeks_with_a_new_client() {
        let cluster = Cluster::of("127.0.0.1:1".into()).await;
        let mut reader = RangeReader::new(&cluster, "landing", 0, 5).unwrap();
        reader.seek(6).unwrap();
        reader.consumer.context().strand();
        assert!(reader.next(Duration::ZERO).is_err());
        reader.seek(7).unwrap();
        assert!(!reader.is_stranded());
        assert_eq!(reader.position(), 7);

        let mut watch = KafkaWatch(reader);
        watch.0.consumer.context().strand();
        assert!(watch.next(Duration::ZERO).unwrap().is_none());
        assert!(!watch.0.is_stranded());
        assert_eq!(watch.0.position(), 7);
    }
}
