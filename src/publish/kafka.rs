use super::recovery::scan_tails;
use super::{Body, Busy, Found, OutputRecord, PublishError, Rejected, Sink, SourceId, Topics};
use crate::ack::Ack;
use crate::kafka::{Cluster, Outgoing, Producer, SendRefused};

/// Publishes to Kafka: a topic a class, output partition = landing partition, so that what is in a partition of the
/// output is decided by one owner and can be read back by the next one.
pub struct KafkaSink {
    cluster: Cluster,
    producer: Producer,
    topics: Topics,
    /// The reprocessing that writes, if it is none of the owners of the partitions.
    reprocessing: Option<String>,
}

impl KafkaSink {
    /// The topics must exist.
    pub fn new(cluster: Cluster, producer: Producer, topics: Topics) -> Self {
        Self { cluster, producer, topics, reprocessing: None }
    }

    /// Marks every record with the header `reprocess`, so that it is not taken for one of the partition's owners'.
    #[must_use]
    pub fn reprocessing(mut self, id: &str) -> Self {
        self.reprocessing = Some(id.to_owned());
        self
    }
}

impl Sink for KafkaSink {
    fn publish(&self, record: &OutputRecord, ack: Ack) -> Result<(), Busy> {
        let landing = record.source.to_string();
        let mut headers = vec![("landing", landing.as_bytes())];
        headers.extend(self.reprocessing.as_ref().map(|id| ("reprocess", id.as_bytes())));
        let payload = match &record.body {
            Body::Record(json) => Some(json.as_slice()),
            Body::Tombstone { cause } => {
                headers.push(("cause", cause.as_bytes()));
                None
            }
        };
        let message = Outgoing {
            topic: self.topics.of(record.class),
            partition: Some(record.source.partition),
            key: record.key.as_bytes(),
            headers: &headers,
            payload,
            timestamp: None,
        };
        self.producer.send(message, ack).map_err(|SendRefused(ack)| Busy(ack))
    }

    fn quarantine(&self, rejected: &Rejected, from: Option<SourceId>, ack: Ack) -> Result<(), Busy> {
        let mut headers = rejected.headers();
        headers.extend(from.map(|source| ("landing", source.to_string())));
        headers.extend(self.reprocessing.clone().map(|id| ("reprocess", id)));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let message = Outgoing {
            topic: self.topics.quarantine(),
            // From the fold: where recovery looks for it. From ingest: wherever the key leads.
            partition: from.map(|source| source.partition),
            key: rejected.org.as_ref().map_or(b"", |org| org.as_str().as_bytes()),
            headers: &headers,
            payload: Some(&rejected.bytes),
            timestamp: None,
        };
        self.producer.send(message, ack).map_err(|SendRefused(ack)| Busy(ack))
    }

    /// Nothing to do: every record's delivery report is its proof, and the topics themselves say where they end.
    fn seal(&self, _: i32) -> Result<Vec<u8>, PublishError> {
        Ok(Vec::new())
    }

    fn recover(&self, partition: i32, from: u64, _: &[u8], stopped: &dyn Fn() -> bool) -> Result<Found, PublishError> {
        scan_tails(&self.cluster, &self.topics, partition, from, self.reprocessing.as_deref(), stopped)
    }
}
