use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration;

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
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

/// How long a client that is given up may take to report what it dropped.
const REPORTS_PATIENCE: Duration = Duration::from_secs(1);

/// The one idempotent producer of the process. Delivery reports are the only proof that something was stored.
///
/// When librdkafka is stranded ([`Context::is_stranded`]) it is replaced. What the old one still held is reported as not
/// delivered, as when the process starts anew: whoever sent it finds out what arrived, and sends the rest again. So that
/// what arrived of a batch is its beginning, nothing that follows something dropped is delivered ([`Ack::goes_by`]).
#[derive(Clone)]
pub struct Producer(Arc<Renewable>);

type Client = ThreadedProducer<Reports>;

struct Renewable {
    cluster: Cluster,
    line: RwLock<Line>,
    own: Own,
}

/// What delivers until something is dropped.
struct Line {
    number: u64,
    client: Client,
}

/// Where the reports of a client find what it belongs to.
type Own = Arc<OnceLock<Weak<Renewable>>>;

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
        let own = Own::default();
        let client = connect(cluster, &own).map_err(|error| {
            Fatal::new(ExitStatus::Config, "the Kafka producer cannot start")
                .hint("check [kafka] and [kafka.security]")
                .because(error)
        })?;
        let renewable =
            Arc::new(Renewable { cluster: cluster.clone(), line: RwLock::new(Line { number: 0, client }), own });
        let _ = renewable.own.set(Arc::downgrade(&renewable));
        Ok(Self(renewable))
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
        // Held until it is queued: what is dropped is dropped before or after.
        let line = self.0.line();
        if !ack.goes_by(line.number) {
            ack.redeem(Err(NotDelivered::Failed("something before it was dropped".into())));
            return Ok(());
        }
        let opaque = Box::new(Sent { ack, place });
        let mut record =
            BaseRecord::<[u8], [u8], _>::with_opaque_to(message.topic, opaque).key(message.key).headers(headers);
        record.payload = message.payload;
        record.partition = message.partition;
        record.timestamp = message.timestamp;
        match line.client.send(record) {
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
        let mut line = self.0.line_to_end();
        line.number += 1;
        drop_all(&line.client);
    }

    /// Waits until everything queued is delivered, at most for `timeout`; what is left is dropped and its acks say so.
    pub fn drain(&self, timeout: Duration) {
        let client = self.0.line().client.clone();
        if client.flush(timeout).is_err() {
            tracing::warn!(messages = client.in_flight_count(), "not everything reached Kafka before the stop");
            self.abandon();
            let _ = client.flush(REPORTS_PATIENCE);
        }
    }
}

impl Renewable {
    fn line(&self) -> RwLockReadGuard<'_, Line> {
        self.line.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn line_to_end(&self) -> RwLockWriteGuard<'_, Line> {
        self.line.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with a new client; everything that the old one holds is dropped, and its acks say so.
    fn renew(&self) -> KafkaResult<()> {
        let client = connect(&self.cluster, &self.own)?;
        let mut line = self.line_to_end();
        line.number += 1;
        let old = std::mem::replace(&mut line.client, client);
        drop(line);
        tracing::warn!(
            messages = old.in_flight_count(),
            "the Kafka producer knew no broker any more; a new one goes on"
        );
        drop_all(&old);
        let _ = old.flush(REPORTS_PATIENCE);
        Ok(())
    }
}

fn connect(cluster: &Cluster, own: &Own) -> KafkaResult<Client> {
    let reports = Reports { context: cluster.context("producer"), own: Arc::clone(own), is_renewed: Arc::default() };
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
        .create_with_context(reports)
}

fn drop_all(client: &Client) {
    client.purge(PurgeConfig::default().queue().inflight());
}

/// What is told when a message is delivered.
struct Sent {
    ack: Ack,
    place: Option<Place>,
}

/// Redeems acks from delivery reports, on the client's own thread.
struct Reports {
    context: Context,
    own: Own,
    is_renewed: Arc<AtomicBool>,
}

impl Reports {
    /// Has the client replaced once it is stranded; on another thread, as the end of a client waits for its own.
    fn renew_if_stranded(&self) {
        if !self.context.is_stranded() || self.is_renewed.swap(true, Ordering::Relaxed) {
            return;
        }
        let (own, is_renewed) = (self.own.get().and_then(Weak::upgrade), Arc::clone(&self.is_renewed));
        let renewal = std::thread::Builder::new().name("producer renewal".into()).spawn(move || {
            if let Some(Err(error)) = own.map(|own| own.renew()) {
                tracing::error!(%error, "the Kafka producer knows no broker any more, and no new one can start");
                is_renewed.store(false, Ordering::Relaxed);
            }
        });
        if renewal.is_err() {
            self.is_renewed.store(false, Ordering::Relaxed);
        }
    }
}

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
        self.context.log(level, facility, message);
    }
    fn stats(&self, statistics: Statistics) {
        self.context.stats(statistics);
        self.renew_if_stranded();
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.context.generate_oauth_token(config)
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

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;
    use crate::ack::Tally;
    use crate::kafka::QUESTION_TIMEOUT;
    use crate::kafka::lone_broker::{LoneBroker, brokers_told};

    const PATIENCE: Duration = Duration::from_secs(60);

    async fn start(brokers: String) -> Producer {
        Producer::start(&Cluster::of(brokers).await).unwrap()
    }

    fn client(producer: &Producer) -> Client {
        producer.0.line().client.clone()
    }

    fn send(producer: &Producer) -> Tally {
        let tally = Tally::default();
        send_of(producer, &tally);
        tally
    }

    fn send_of(producer: &Producer, tally: &Tally) {
        let (key, payload) = (b"key".as_slice(), Some(b"value".as_slice()));
        let message = Outgoing { topic: "events", partition: None, key, headers: &[], payload, timestamp: None };
        producer.send(message, tally.ack()).unwrap();
    }

    #[tokio::test]
    async fn what_a_stranded_client_holds_is_said_to_be_lost() {
        let broker = LoneBroker::start();
        let producer = start(broker.address()).await;
        let held = send(&producer);
        let told = || brokers_told(client(&producer).client());
        assert_eq!(told(), 1);
        broker.while_fenced(|| drop(client(&producer).client().fetch_metadata(None, QUESTION_TIMEOUT)));
        assert!(matches!(held.wait(PATIENCE), Some(Err(NotDelivered::Failed(_)))));
        assert_eq!(told(), 1, "another client asks");
    }

    #[tokio::test]
    async fn a_new_client_delivers_but_nothing_that_follows_what_was_lost() {
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic("events", 1, 1).unwrap();
        let producer = start(mock.bootstrap_servers()).await;
        assert_eq!(send(&producer).wait(PATIENCE), Some(Ok(())));
        for drop_what_it_holds in [|producer: &Producer| producer.0.renew().unwrap(), Producer::abandon] {
            mock.broker_down(1).unwrap();
            let held = send(&producer);
            assert_eq!(held.wait(Duration::from_secs(1)), None);
            drop_what_it_holds(&producer);
            assert!(matches!(held.wait(PATIENCE), Some(Err(NotDelivered::Failed(_)))));
            mock.broker_up(1).unwrap();
            let end =
                |producer: &Producer| client(producer).client().fetch_watermarks("events", 0, PATIENCE).unwrap().1;
            let before = end(&producer);
            send_of(&producer, &held);
            assert_eq!(send(&producer).wait(PATIENCE), Some(Ok(())));
            assert_eq!(end(&producer), before + 1, "the marker of a batch would say that all of it is there");
        }
    }
}
