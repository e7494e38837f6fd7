use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer};
use rdkafka::statistics::Statistics;

use super::client::Context;
use super::{Cluster, MAX_MESSAGE_BYTES};
use crate::ack::{Ack, Delivery, NotDelivered};
use crate::error::{ExitStatus, Fatal};

/// Bytes that may wait in the producer. With Kafka down this is all that grows; SQS keeps the rest.
const QUEUE_KBYTES: &str = "131072";

/// How long the producer waits to fill a batch, ms. At 50 events a second it is the largest part of our latency; at
/// 50,000 a batch is full before it ends.
const LINGER_MS: &str = "5";

/// The one idempotent producer of the process. Delivery reports are the only proof that something was stored.
#[derive(Clone)]
pub struct Producer(Arc<ThreadedProducer<Reports>>);

/// A message on its way.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Topic; from configuration, never from an event.
    pub topic: &'a str,
    /// Partition, or `None` for the one that a Java producer would choose by the key.
    pub partition: Option<i32>,
    /// Key.
    pub key: &'a [u8],
    /// Header names and values.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Value; `None` is a tombstone.
    pub payload: Option<&'a [u8]>,
    /// `CreateTime`, ms since the Unix epoch; `None` is now.
    pub timestamp: Option<i64>,
}

/// Where a message came to stand in its partition, known before its ack is redeemed.
#[derive(Debug, Clone, Default)]
pub struct Place(Arc<AtomicI64>);

impl Place {
    /// The offset; 0 before it is known.
    pub fn offset(&self) -> u64 {
        u64::try_from(self.0.load(Ordering::Acquire)).unwrap_or_default()
    }

    /// Says where it is.
    pub(crate) fn set(&self, offset: i64) {
        self.0.store(offset, Ordering::Release);
    }
}

/// A message that the producer cannot take now.
#[derive(Debug)]
pub struct SendRefused(pub Ack);

impl Producer {
    /// Starts the producer and its delivery thread.
    ///
    /// # Errors
    /// When librdkafka rejects the settings, for example an unreadable certificate.
    pub fn start(cluster: &Cluster) -> Result<Self, Fatal> {
        cluster
            .config()
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // librdkafka's default differs from the Java client's; consumers that join by key need the same.
            .set("partitioner", "murmur2_random")
            .set("compression.type", "zstd")
            .set("linger.ms", LINGER_MS)
            .set("batch.size", "1000000")
            .set("message.max.bytes", MAX_MESSAGE_BYTES.to_string())
            .set("queue.buffering.max.kbytes", QUEUE_KBYTES)
            // Never give up on a message while the process lives: an outage ends, and order must survive it.
            .set("message.timeout.ms", "0")
            .create_with_context(Reports(cluster.context("producer")))
            .map(|producer| Self(Arc::new(producer)))
            .map_err(|error| {
                Fatal::new(ExitStatus::Config, "the Kafka producer cannot start")
                    .hint("check [kafka] and [kafka.security]")
                    .because(error)
            })
    }

    /// Queues a message; the ack is redeemed by its delivery report. A message that can never be sent redeems the ack
    /// at once, as poison. Never blocks.
    ///
    /// # Errors
    /// [`SendRefused`] with the ack when the queue is full.
    pub fn send(&self, message: Outgoing<'_>, ack: Ack) -> Result<(), SendRefused> {
        self.send_placed(message, ack, None)
    }

    /// As [`Producer::send`], and tells where the message came to stand.
    ///
    /// # Errors
    /// [`SendRefused`] with the ack when the queue is full.
    pub fn send_placed(&self, message: Outgoing<'_>, ack: Ack, place: Option<Place>) -> Result<(), SendRefused> {
        let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
        for (key, value) in message.headers {
            headers = headers.insert(Header { key, value: Some(*value) });
        }
        let opaque = Box::new(Sent { ack, place });
        let mut record =
            BaseRecord::<[u8], [u8], _>::with_opaque_to(message.topic, opaque).key(message.key).headers(headers);
        record.payload = message.payload;
        record.partition = message.partition;
        record.timestamp = message.timestamp;
        match self.0.send(record) {
            Ok(()) => Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => {
                Err(SendRefused(record.delivery_opaque.ack))
            }
            Err((error, record)) => {
                record.delivery_opaque.ack.redeem(Err(not_delivered(&error)));
                Ok(())
            }
        }
    }

    /// Drops everything that is queued or on its way; the acks say so. For when somebody else has taken over, and what
    /// we still deliver would be there twice.
    pub fn abandon(&self) {
        self.0.purge(PurgeConfig::default().queue().inflight());
    }

    /// Waits until everything queued is delivered, at most for `timeout`; what is left is dropped and its acks say so.
    pub fn drain(&self, timeout: Duration) {
        if self.0.flush(timeout).is_err() {
            tracing::warn!(messages = self.0.in_flight_count(), "not everything reached Kafka before the stop");
            self.abandon();
            let _ = self.0.flush(Duration::from_secs(1));
        }
    }
}

/// What is told when a message is delivered.
struct Sent {
    ack: Ack,
    place: Option<Place>,
}

/// Redeems acks from delivery reports, on the producer's own thread.
struct Reports(Context);

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Sent>;

    fn delivery(&self, report: &DeliveryResult<'_>, sent: Box<Sent>) {
        let delivery: Delivery = match report {
            Ok(message) => {
                if let Some(place) = &sent.place {
                    place.set(message.offset());
                }
                Ok(())
            }
            Err((error, _)) => Err(not_delivered(error)),
        };
        sent.ack.redeem(delivery);
    }
}

impl ClientContext for Reports {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }
    fn stats(&self, statistics: Statistics) {
        self.0.stats(statistics);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.0.generate_oauth_token(config)
    }
}

/// What a failed send means. librdkafka retries by itself whatever can be retried, so most of these are final.
fn not_delivered(error: &KafkaError) -> NotDelivered {
    use RDKafkaErrorCode as Code;
    let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
    let impossible = |status| NotDelivered::Impossible { what: error.to_string(), status };
    match code {
        Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::InvalidRecord => {
            NotDelivered::Refused(error.to_string())
        }
        // Only a new producer can go on, and a new process brings one.
        Code::Fatal => impossible(ExitStatus::Software),
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => {
            impossible(ExitStatus::Unavailable)
        }
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => impossible(ExitStatus::NoPermission),
        _ => NotDelivered::Failed(error.to_string()),
    }
}
