//! The landing log as a Kafka topic.
//!
//! Writing uses the one producer of the process. Reading is a consumer group whose offsets are only told to Kafka for
//! those who watch: the owner of a partition starts where its own store ends, as state and offset are one commit.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::{
    LandedRecord, LandingError, LandingLog, LandingPartition, LandingRecord, LandingWatch, MAX_VALUE_BYTES, Refused,
};
use crate::ack::Ack;
use crate::error::{Class, ExitStatus, Fatal};
use crate::kafka::{Cluster, Context, MAX_MESSAGE_BYTES, Outgoing, Producer, QUESTION_TIMEOUT, SendRefused};

/// How long one poll of the group may wait.
const POLL: Duration = Duration::from_millis(100);

/// Pause before partitions that could not be started are tried again.
const START_PAUSE: Duration = Duration::from_secs(1);

/// How often a log that seems to end too early is asked again. Followers ask their leader every half second.
const ELECTION_TRIES: u32 = 5;

/// How long the partitions of a member that is gone stay without an owner. Long enough for a restart, which then moves
/// nothing; brokers refuse less than 6 s.
const SESSION_TIMEOUT_MS: &str = "10000";

/// Bytes that librdkafka fetches ahead for one partition.
const FETCH_AHEAD_KBYTES: &str = "32768";

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

/// Sees what is appended to one partition, outside of the group.
pub struct KafkaWatch {
    consumer: BaseConsumer<Context>,
    partition: i32,
}

impl KafkaWatch {
    /// Watches from the end of the partition on.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn new(cluster: &Cluster, topic: &str, partition: i32) -> Result<Self, LandingError> {
        let failed = |error| failure(format!("the end of landing partition {partition} cannot be read"), error);
        let consumer = cluster.reader("watch").map_err(failed)?;
        let (_, end) = consumer.fetch_watermarks(topic, partition, QUESTION_TIMEOUT).map_err(failed)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(end)).map_err(failed)?;
        consumer.assign(&list).map_err(failed)?;
        Ok(Self { consumer, partition })
    }
}

impl LandingWatch for KafkaWatch {
    fn next(&mut self, timeout: Duration) -> Result<Option<LandedRecord>, LandingError> {
        match self.consumer.poll(timeout) {
            None => Ok(None),
            Some(Ok(message)) => Ok(Some(read(&message))),
            Some(Err(error)) => Err(failure(format!("landing partition {} cannot be read", self.partition), error)),
        }
    }
}

/// Who works on the partitions that the group gives us. Called on the group's thread.
pub trait Owners: Send + Sync {
    /// We are a member now; whether partitions come with it is for the group to say.
    fn joined(&self);

    /// Partitions that we were given cannot be started yet, for the reason given.
    fn waiting(&self, reason: &str);

    /// We were out of touch for so long that the partitions were given to others. What is still on its way to the
    /// output must not arrive any more.
    fn lost(&self);

    /// The group cannot be used until a person acts.
    fn fail(&self, fatal: Fatal);

    /// A partition becomes ours: opens its state and says at which offset to start. `None` refuses it.
    fn prepare(&self, partition: i32) -> Option<u64>;

    /// Starts work. Outputs of records before `published_before` were all published by earlier owners; the log ends at
    /// `end` now.
    fn start(&self, partition: i32, reader: Box<dyn LandingPartition>, published_before: u64, end: u64);

    /// The partitions are no longer ours: finishes or drops their work, and returns when nothing more will be done.
    fn stop(&self, partitions: &[i32]);
}

/// Takes part in the consumer group until `stopped`, under the name `instance`, which must be this process's alone.
/// A member that comes back under its name within the session timeout gets its partitions back at once, after a crash
/// too; so a restart moves no partition. Blocking; runs on a thread of its own.
///
/// # Errors
/// When the consumer cannot start.
pub fn run_group(
    cluster: &Cluster,
    topic: &str,
    instance: &str,
    owners: &Arc<dyn Owners>,
    stopped: &dyn Fn() -> bool,
) -> Result<(), Fatal> {
    let context = GroupContext {
        base: cluster.context("consumer"),
        topic: topic.to_owned(),
        owners: Arc::clone(owners),
        assigned: Mutex::default(),
    };
    let failed = |error: KafkaError| {
        Fatal::new(ExitStatus::Config, format!("the consumer group {} cannot be joined", cluster.group()))
            .because(error)
    };
    let consumer: BaseConsumer<GroupContext> = cluster
        .config()
        .set("group.id", cluster.group())
        .set("group.instance.id", instance)
        .set("session.timeout.ms", SESSION_TIMEOUT_MS)
        .set("heartbeat.interval.ms", "2000")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // Where to go on is for the state to say. A place that the log does not have is told, never replaced.
        .set("auto.offset.reset", "error")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("queued.max.messages.kbytes", FETCH_AHEAD_KBYTES)
        .set("fetch.message.max.bytes", MAX_MESSAGE_BYTES.to_string())
        // What we wait for is a few ms old; there is no reason to let the broker hold a fetch for long.
        .set("fetch.wait.max.ms", "100")
        .create_with_context(context)
        .map_err(failed)?;
    let consumer = Arc::new(consumer);
    consumer.subscribe(&[topic]).map_err(failed)?;
    let mut start_again_at = Instant::now();
    while !stopped() {
        match consumer.poll(POLL) {
            None => {}
            // Partitions are paused until they have a queue of their own, so nothing may arrive here; passing over it
            // would be a loss.
            Some(Ok(message)) => {
                let what = format!("a record of partition {} came before its owner", message.partition());
                return Err(Fatal::new(ExitStatus::Software, what).hint("start again; nothing is lost"));
            }
            Some(Err(error)) => {
                if let Some(fatal) = hopeless(cluster.group(), &error) {
                    return Err(fatal);
                }
                tracing::debug!(%error, "the consumer reports trouble");
            }
        }
        if Instant::now() >= start_again_at && !start_assigned(&consumer, topic, owners, stopped) {
            start_again_at = Instant::now() + START_PAUSE;
        }
    }
    owners.stop(&partitions_of(&consumer.assignment().unwrap_or_default()));
    Ok(())
}

/// Trouble that trying again cannot end.
fn hopeless(group: &str, error: &KafkaError) -> Option<Fatal> {
    use rdkafka::error::RDKafkaErrorCode as Code;
    let (status, what, hint) = match error.rdkafka_error_code()? {
        Code::GroupAuthorizationFailed => (
            ExitStatus::NoPermission,
            format!("Kafka denies the consumer group {group}"),
            "grant this user Read on the group",
        ),
        Code::TopicAuthorizationFailed => (
            ExitStatus::NoPermission,
            "Kafka denies reading the landing topic".to_owned(),
            "grant this user Read on the topic",
        ),
        Code::InconsistentGroupProtocol => (
            ExitStatus::Config,
            format!("the members of the consumer group {group} share out partitions in different ways"),
            "another program uses this group: set landing.group to a name of its own",
        ),
        Code::InvalidSessionTimeout => (
            ExitStatus::Config,
            format!("Kafka does not allow the session timeout of {SESSION_TIMEOUT_MS} ms"),
            "set the broker's group.min.session.timeout.ms and group.max.session.timeout.ms around it",
        ),
        Code::Fatal | Code::FencedInstanceId => (
            ExitStatus::Config,
            format!("another process is the same member of the consumer group {group}"),
            "give each worker a data directory of its own; a copied one carries the member's name in the file `instance`",
        ),
        _ => return None,
    };
    Some(Fatal::new(status, what).hint(hint).because(error.clone()))
}

/// Gives new partitions their own queues and starts the work on them. False when the cluster does not answer about one;
/// that one and the rest are left for later, so that the group is polled meanwhile.
fn start_assigned(
    consumer: &Arc<BaseConsumer<GroupContext>>,
    topic: &str,
    owners: &Arc<dyn Owners>,
    stopped: &dyn Fn() -> bool,
) -> bool {
    while !stopped() {
        let Some((partition, start)) = lock(&consumer.context().assigned).last().copied() else { return true };
        match start_one(consumer, topic, owners, partition, start) {
            Ok(()) => {}
            Err(NotStarted::Hopeless(fatal)) => owners.fail(*fatal),
            Err(NotStarted::Later(error)) => {
                owners.waiting(&format!("partition {partition} cannot be started yet: {error}"));
                tracing::debug!(partition, %error, "the partition cannot be started yet, trying again");
                return false;
            }
        }
        lock(&consumer.context().assigned).retain(|(other, _)| *other != partition);
    }
    true
}

enum NotStarted {
    Later(KafkaError),
    Hopeless(Box<Fatal>),
}

impl From<KafkaError> for NotStarted {
    fn from(error: KafkaError) -> Self {
        Self::Later(error)
    }
}

fn start_one(
    consumer: &Arc<BaseConsumer<GroupContext>>,
    topic: &str,
    owners: &Arc<dyn Owners>,
    partition: i32,
    start: u64,
) -> Result<(), NotStarted> {
    let published_before = committed(consumer, topic, partition)?;
    let Range { start, end } = check_range(consumer, topic, partition, start, published_before)?;
    let Some(queue) = consumer.split_partition_queue(topic, partition) else {
        let what = format!("partition {partition} has no queue");
        return Err(NotStarted::Hopeless(Box::new(Fatal::new(ExitStatus::Software, what))));
    };
    // The log may start later than the state ends.
    consumer.seek(topic, partition, offset(start), QUESTION_TIMEOUT)?;
    let reader = KafkaPartition { consumer: Arc::clone(consumer), queue, topic: topic.to_owned(), partition };
    owners.start(partition, Box::new(reader), published_before, if start < end { end } else { 0 });
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    consumer.resume(&list)?;
    Ok(())
}

/// The group's offset: everything before it was published. Not knowing it is not the same as there being none.
fn committed(consumer: &BaseConsumer<GroupContext>, topic: &str, partition: i32) -> KafkaResult<u64> {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    let answer = consumer.committed_offsets(list, QUESTION_TIMEOUT)?;
    let Some(entry) = answer.find_partition(topic, partition) else { return Ok(0) };
    entry.error()?;
    Ok(match entry.offset() {
        Offset::Offset(offset) => u64::try_from(offset).unwrap_or(0),
        _ => 0,
    })
}

/// The offsets that the partition holds.
fn watermarks(consumer: &BaseConsumer<GroupContext>, topic: &str, partition: i32) -> KafkaResult<Range<u64>> {
    let (low, high) = consumer.fetch_watermarks(topic, partition, QUESTION_TIMEOUT)?;
    Ok(u64::try_from(low).unwrap_or(0)..u64::try_from(high).unwrap_or(0))
}

/// Where to start, and where the log ends. A log that ends before what we know of it is another log; one that starts after it has lost records.
fn check_range(
    consumer: &BaseConsumer<GroupContext>,
    topic: &str,
    partition: i32,
    start: u64,
    published_before: u64,
) -> Result<Range<u64>, NotStarted> {
    let known = start.max(published_before);
    let mut range = watermarks(consumer, topic, partition)?;
    // A leader that was just elected may know of less than it has, until its followers have asked it.
    for _ in 0..ELECTION_TRIES {
        if known <= range.end {
            break;
        }
        std::thread::sleep(START_PAUSE);
        range = watermarks(consumer, topic, partition)?;
    }
    let (low, high) = (range.start, range.end);
    if known > high {
        let what = format!(
            "landing partition {topic}/{partition} ends at {high}, but {known} was folded already: it is another log"
        );
        let fatal = Fatal::new(ExitStatus::Io, what).hint(
            "if the topic was made anew, move the folder `state` in worker.data_dir away and reset the consumer group: \
             kafka-consumer-groups.sh --reset-offsets --to-earliest",
        );
        return Err(NotStarted::Hopeless(Box::new(fatal)));
    }
    if low > known {
        tracing::error!(
            partition,
            needed = known,
            low,
            "landing records expired before they were folded; raise the topic's retention"
        );
    }
    Ok(start.max(low)..high)
}

struct GroupContext {
    base: Context,
    topic: String,
    owners: Arc<dyn Owners>,
    /// Newly assigned partitions with their start, until the group's thread gives them a queue.
    assigned: Mutex<Vec<(i32, u64)>>,
}

impl ClientContext for GroupContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.base.log(level, facility, message);
    }
    fn stats(&self, statistics: Statistics) {
        self.base.stats(statistics);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.base.error(error, reason);
    }
    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.base.generate_oauth_token(config)
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions = partitions_of(list);
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let done = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.owners.joined();
            self.take(consumer, &partitions, list, cooperative)
        } else {
            lock(&self.assigned).retain(|(partition, _)| !partitions.contains(partition));
            if consumer.assignment_lost() {
                self.owners.lost();
            }
            self.owners.stop(&partitions);
            if cooperative { consumer.incremental_unassign(list) } else { consumer.unassign() }
        };
        if let Err(error) = done {
            tracing::error!(%error, ?partitions, "the group's partitions cannot be changed");
        }
    }
}

impl GroupContext {
    fn take(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &[i32],
        list: &mut TopicPartitionList,
        cooperative: bool,
    ) -> KafkaResult<()> {
        for partition in partitions {
            if let Some(start) = self.owners.prepare(*partition) {
                list.set_partition_offset(&self.topic, *partition, offset(start))?;
                lock(&self.assigned).push((*partition, start));
            }
        }
        if cooperative {
            consumer.incremental_assign(list)?
        } else {
            consumer.assign(list)?
        }
        // Nothing may arrive before the partition has its own queue.
        if partitions.is_empty() { Ok(()) } else { consumer.pause(list) }
    }
}

/// One partition's own queue.
struct KafkaPartition {
    consumer: Arc<BaseConsumer<GroupContext>>,
    queue: PartitionQueue<GroupContext>,
    topic: String,
    partition: i32,
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
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, self.partition, offset(next_offset)).map_err(failed)?;
        self.consumer.commit(&list, CommitMode::Async).map_err(failed)
    }

    fn seek(&mut self, next_offset: u64) -> Result<(), LandingError> {
        let failed = |error| failure(format!("landing partition {} cannot be sought", self.partition), error);
        // A state of nothing begins where the log does, which need not be its first record any more.
        let start = match next_offset {
            0 => watermarks(&self.consumer, &self.topic, self.partition).map_err(failed)?.start,
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

fn partitions_of(list: &TopicPartitionList) -> Vec<i32> {
    list.elements().iter().map(rdkafka::topic_partition_list::TopicPartitionListElem::partition).collect()
}

pub(super) fn failure(what: String, error: KafkaError) -> LandingError {
    LandingError { what, class: Class::Retry, source: Some(Box::new(error)) }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
