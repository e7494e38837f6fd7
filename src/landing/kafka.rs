//! The landing log as a Kafka topic.
//!
//! Writing uses the one producer of the process. Reading is a consumer group (`group`) whose offsets are only told to Kafka
//! for those who watch: the owner of a partition starts where its own store ends, as state and offset are one commit.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};

use super::group::GroupContext;
use super::{LandedRecord, LandingError, LandingLog, LandingPartition, LandingRecord, MAX_VALUE_BYTES, Refused};
use crate::ack::Ack;
use crate::error::Class;
use crate::kafka::{self, Outgoing, Producer, QUESTION_TIMEOUT, SendRefused};

/// Appends to the topic.
pub struct KafkaLanding {
    producer: Producer,
    topic: String,
}

impl KafkaLanding {
    /// The topic must exist.
    pub fn new(producer: Producer, topic: &str) -> Self {
        Self { producer, topic: topic.to_owned() }
    }
}

impl LandingLog for KafkaLanding {
    fn append(&self, record: LandingRecord, ack: Ack) -> Result<(), Box<Refused>> {
        let headers = record.headers();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let message = Outgoing {
            topic: &self.topic,
            partition: None,
            key: record.org.as_str().as_bytes(),
            headers: &headers,
            payload: Some(&record.value),
            timestamp: Some(record.landed_at),
        };
        match self.producer.send(message, ack) {
            Ok(()) => Ok(()),
            Err(SendRefused(ack)) => Err(Box::new(Refused(record, ack))),
        }
    }

    fn max_value_bytes(&self) -> usize {
        MAX_VALUE_BYTES
    }
}

/// One partition's own queue.
pub(super) struct KafkaPartition {
    pub consumer: Arc<BaseConsumer<GroupContext>>,
    pub queue: PartitionQueue<GroupContext>,
    pub topic: String,
    pub partition: i32,
}

impl LandingPartition for KafkaPartition {
    fn next(&mut self, timeout: Duration) -> Result<Option<LandedRecord>, LandingError> {
        match self.queue.poll(timeout) {
            None => Ok(None),
            Some(Ok(message)) => Ok(Some(read(&message))),
            Some(Err(error)) => {
                use rdkafka::error::RDKafkaErrorCode as Code;
                let what = format!("landing partition {} cannot be read", self.partition);
                let mut failed = failure(what, error.clone());
                // Our place is not in the log any more, or we may not look; neither passes.
                if let Some(Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::TopicAuthorizationFailed) =
                    error.rdkafka_error_code()
                {
                    failed.class = Class::Fatal;
                }
                Err(failed)
            }
        }
    }

    fn commit(&mut self, next_offset: u64) -> Result<(), LandingError> {
        let failed = |error| failure(format!("the offset of partition {} cannot be committed", self.partition), error);
        self.consumer.context().tell(&self.consumer, self.partition, next_offset).map_err(failed)
    }

    fn seek(&mut self, next_offset: u64) -> Result<(), LandingError> {
        let failed = |error| failure(format!("landing partition {} cannot be sought", self.partition), error);
        // A state of nothing begins where the log does, which need not be its first record any more.
        let start = match next_offset {
            0 => kafka::held(&self.consumer, &self.topic, self.partition).map_err(failed)?.start,
            start => start,
        };
        self.consumer.seek(&self.topic, self.partition, offset(start), QUESTION_TIMEOUT).map_err(failed)
    }
}

pub(super) fn read(message: &BorrowedMessage<'_>) -> LandedRecord {
    let header = |name: &str| {
        let headers = message.headers()?;
        let found = headers.iter().find(|header| header.key == name)?;
        std::str::from_utf8(found.value?).ok()
    };
    let value = message.payload().unwrap_or_default().to_vec();
    LandedRecord {
        offset: u64::try_from(message.offset()).unwrap_or_default(),
        content: LandingRecord::from_parts(header, value),
    }
}

pub(super) fn offset(offset: u64) -> Offset {
    Offset::Offset(i64::try_from(offset).unwrap_or(i64::MAX))
}

pub(super) fn failure(what: String, error: KafkaError) -> LandingError {
    LandingError { what, class: Class::Retry, source: Some(Box::new(error)) }
}
