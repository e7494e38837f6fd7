//! Changelogs in the partitions of a topic.

use std::ops::Range;
use std::sync::Arc;

use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};

use super::{ChangelogError, Log, LogReader};
use crate::ack::Ack;
use crate::kafka::{Cluster, Outgoing, PartitionReader, Place, Producer, SendRefused};
use crate::merge::changelog::{Logged, Record};

/// The header that says under which claim a record was written: the claim's offset, 8 bytes, the highest first.
const CLAIM_HEADER: &str = "claim";

/// The topic of the changelogs, and how it is reached.
pub struct ChangelogTopic {
    pub cluster: Cluster,
    pub producer: Producer,
    pub name: String,
}

/// One partition of it.
pub struct KafkaLog {
    pub topic: Arc<ChangelogTopic>,
    pub partition: i32,
}

impl Log for KafkaLog {
    fn reader(&self) -> Result<Box<dyn LogReader>, ChangelogError> {
        let reader = PartitionReader::open(&self.topic.cluster, "changelog", &self.topic.name, self.partition)?;
        Ok(Box::new(KafkaReader(reader)))
    }

    fn send(&self, record: &Record, claim: Option<u64>, ack: Ack, place: Option<&Place>) -> Result<(), Ack> {
        let claim = claim.map(u64::to_be_bytes);
        let header = claim.as_ref().map(|claim| (CLAIM_HEADER, claim.as_slice()));
        let message = Outgoing {
            topic: &self.topic.name,
            partition: Some(self.partition),
            key: &record.key,
            headers: header.as_slice(),
            payload: record.value.as_deref(),
            timestamp: None,
        };
        self.topic.producer.send_placed(message, ack, place.cloned()).map_err(|SendRefused(ack)| ack)
    }
}

struct KafkaReader(PartitionReader);

impl LogReader for KafkaReader {
    fn low(&self) -> Result<u64, ChangelogError> {
        Ok(self.0.range()?.start)
    }

    fn read(
        &self,
        range: Range<u64>,
        stopped: &dyn Fn() -> bool,
        each: &mut dyn FnMut(&Logged<'_>) -> Result<(), ChangelogError>,
    ) -> Result<(), ChangelogError> {
        self.0.read(range, stopped, |message| each(&logged(message)))
    }
}

fn logged<'m>(message: &'m BorrowedMessage<'_>) -> Logged<'m> {
    let header = message.headers().and_then(|headers| headers.iter().find(|header| header.key == CLAIM_HEADER));
    let claim = header.and_then(|header| header.value?.try_into().ok()).map(u64::from_be_bytes);
    let offset = u64::try_from(message.offset()).unwrap_or_default();
    Logged { offset, claim, key: message.key().unwrap_or_default(), value: message.payload() }
}

impl From<KafkaError> for ChangelogError {
    fn from(error: KafkaError) -> Self {
        Self::Unanswered(Box::new(error))
    }
}
