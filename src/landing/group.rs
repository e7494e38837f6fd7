//! The consumer group that shares out the partitions of the landing topic.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::LandingPartition;
use super::kafka::{KafkaPartition, offset};
use crate::error::{ExitStatus, Fatal};
use crate::kafka::{Cluster, Context, FETCH_QUEUE_BACKOFF_MS, MAX_MESSAGE_BYTES, QUESTION_TIMEOUT, held};

/// How long one poll of the group may wait.
const POLL: Duration = Duration::from_millis(100);

/// Pause before partitions that could not be started, and offsets that could not be told, are tried again.
const START_PAUSE: Duration = Duration::from_secs(1);

/// How often a log that seems to end too early is asked again. Followers ask their leader every half second.
const ELECTION_TRIES: u32 = 5;

/// How long the partitions of a member that is gone stay without an owner. Long enough for a restart, which then moves
/// nothing; brokers refuse less than 6 s.
const SESSION_TIMEOUT_MS: &str = "10000";

/// How long the group waits for a member to come back when it shares out anew. The partitions that are taken from us have
/// 20 s to finish, and nothing else keeps us longer; a broker that stood still may wait for a member that will never come.
const REBALANCE_TIMEOUT_MS: &str = "60000";

/// How often, and within what time, another may take our name before it must be a process that lives on beside us. Two
/// such processes take it from each other with each heartbeat, so every few seconds. Once is what happens to one alone
/// when the broker answers it late: its first request to join takes the name from its second.
const MOST_FENCED: usize = 3;
const FENCED_WITHIN: Duration = Duration::from_secs(120);

/// Pause before the name is taken again, for what is still on its way under it to arrive.
const FENCED_PAUSE: Duration = Duration::from_secs(2);

/// How long we may be out of the group after we were dropped from it. To share out anew takes the others 20 s at most; a
/// broker that stood still may leave us waiting for minutes on a connection on which it still waits for itself.
const OUT_FOR_TOO_LONG: Duration = Duration::from_secs(30);

/// Bytes that librdkafka fetches ahead for one partition.
const FETCH_AHEAD_KBYTES: &str = "32768";

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
/// When the consumer cannot start, and when the group cannot be used until a person acts.
pub fn run_group(
    cluster: &Cluster,
    topic: &str,
    instance: &str,
    owners: &Arc<dyn Owners>,
    stopped: &dyn Fn() -> bool,
) -> Result<(), Fatal> {
    let mut fences = Fences::default();
    loop {
        let consumer = Arc::new(join(cluster, topic, instance, owners)?);
        let ended = take_part(&consumer, cluster.group(), topic, owners, stopped);
        // A consumer that was fenced or is stranded hears of no assignment any more, and calls nobody back.
        let partitions: Vec<i32> = lock(&consumer.context().ours).iter().copied().collect();
        if matches!(ended, Ok(Ended::Fenced(_) | Ended::Stranded)) && !partitions.is_empty() {
            owners.lost();
        }
        owners.stop(&partitions);
        match ended? {
            Ended::Stopped => return Ok(()),
            Ended::Fenced(error) if fences.are_too_many(Instant::now()) => return Err(twin(cluster.group(), error)),
            Ended::Fenced(error) => {
                tracing::warn!(%error, "our name in the consumer group was taken; joining again");
                owners.waiting("the name of this member was taken; it joins again");
            }
            Ended::Out => tracing::warn!("the consumer group does not let us in again; joining by a new connection"),
            Ended::Stranded => {
                tracing::warn!("the Kafka consumer knew no broker any more; joining by a new one");
                owners.waiting("its consumer lost the cluster; it joins again");
            }
        }
        // It may wait for its broker, and has nothing to say any more.
        consumer.context().is_over.store(true, Ordering::Relaxed);
        std::thread::spawn(move || drop(consumer));
        let again_at = Instant::now() + FENCED_PAUSE;
        while Instant::now() < again_at && !stopped() {
            std::thread::sleep(POLL);
        }
    }
}

/// How a membership ended.
enum Ended {
    Stopped,
    /// Kafka knows another member under our name. This consumer is of no use any more.
    Fenced(KafkaError),
    /// We were dropped from the group, and do not come in again.
    Out,
    /// The consumer will not reach the cluster any more ([`Context::is_stranded`]).
    Stranded,
}

/// When our name was taken.
#[derive(Default)]
struct Fences(VecDeque<Instant>);

impl Fences {
    /// Notes that it was taken now. True when that cannot be by chance any more.
    fn are_too_many(&mut self, now: Instant) -> bool {
        self.0.push_back(now);
        while self.0.front().is_some_and(|at| now.duration_since(*at) > FENCED_WITHIN) {
            self.0.pop_front();
        }
        self.0.len() >= MOST_FENCED
    }
}

fn twin(group: &str, error: KafkaError) -> Fatal {
    Fatal::new(ExitStatus::Config, format!("another process is the same member of the consumer group {group}"))
        .hint("give each worker a data directory of its own; a copied one carries the member's name in the file `instance`")
        .because(error)
}

fn join(
    cluster: &Cluster,
    topic: &str,
    instance: &str,
    owners: &Arc<dyn Owners>,
) -> Result<BaseConsumer<GroupContext>, Fatal> {
    let context = GroupContext {
        base: cluster.context("consumer"),
        topic: topic.to_owned(),
        owners: Arc::clone(owners),
        ours: Mutex::default(),
        told: Mutex::default(),
        out_since: Mutex::default(),
        is_over: AtomicBool::new(false),
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
        .set("max.poll.interval.ms", REBALANCE_TIMEOUT_MS)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // Where to go on is for the state to say. A place that the log does not have is told, never replaced.
        .set("auto.offset.reset", "error")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("queued.max.messages.kbytes", FETCH_AHEAD_KBYTES)
        .set("fetch.queue.backoff.ms", FETCH_QUEUE_BACKOFF_MS)
        .set("fetch.message.max.bytes", MAX_MESSAGE_BYTES.to_string())
        // What we wait for is a few ms old; there is no reason to let the broker hold a fetch for long.
        .set("fetch.wait.max.ms", "100")
        .create_with_context(context)
        .map_err(failed)?;
    consumer.subscribe(&[topic]).map_err(failed)?;
    Ok(consumer)
}

fn take_part(
    consumer: &Arc<BaseConsumer<GroupContext>>,
    group: &str,
    topic: &str,
    owners: &Arc<dyn Owners>,
    stopped: &dyn Fn() -> bool,
) -> Result<Ended, Fatal> {
    let (mut start_again_at, mut tell_again_at) = (Instant::now(), Instant::now());
    while !stopped() {
        match consumer.poll(POLL) {
            None => {}
            // Partitions are paused until they have a queue of their own, so nothing may arrive here; passing over it
            // would be a loss.
            Some(Ok(message)) => {
                let what = format!("a record of partition {} came before its owner", message.partition());
                return Err(Fatal::new(ExitStatus::Software, what).hint("start again; nothing is lost"));
            }
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(Code::Fatal | Code::FencedInstanceId) => return Ok(Ended::Fenced(error)),
                code => match code.and_then(|code| hopeless(group, code)) {
                    Some(fatal) => return Err(fatal.because(error)),
                    None => tracing::debug!(%error, "the consumer reports trouble"),
                },
            },
        }
        if Instant::now() >= start_again_at && !start_assigned(consumer, topic, owners, stopped) {
            start_again_at = Instant::now() + START_PAUSE;
        }
        if lock(&consumer.context().out_since).is_some_and(|since| since.elapsed() >= OUT_FOR_TOO_LONG) {
            return Ok(Ended::Out);
        }
        if consumer.context().base.is_stranded() {
            return Ok(Ended::Stranded);
        }
        if Instant::now() >= tell_again_at {
            consumer.context().tell_again(consumer);
            tell_again_at = Instant::now() + START_PAUSE;
        }
    }
    Ok(Ended::Stopped)
}

/// Trouble that trying again cannot end.
fn hopeless(group: &str, code: Code) -> Option<Fatal> {
    let (status, what, hint) = match code {
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
        _ => return None,
    };
    Some(Fatal::new(status, what).hint(hint))
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

/// Where to start, and where the log ends. A log that ends before what we know of it is another log; one that starts
/// after it has lost records.
fn check_range(
    consumer: &BaseConsumer<GroupContext>,
    topic: &str,
    partition: i32,
    start: u64,
    published_before: u64,
) -> Result<Range<u64>, NotStarted> {
    let known = start.max(published_before);
    let mut range = held(consumer, topic, partition)?;
    // A leader that was just elected may know of less than it has, until its followers have asked it.
    for _ in 0..ELECTION_TRIES {
        if known <= range.end {
            break;
        }
        std::thread::sleep(START_PAUSE);
        range = held(consumer, topic, partition)?;
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

pub(super) struct GroupContext {
    base: Context,
    topic: String,
    owners: Arc<dyn Owners>,
    /// The partitions that we were given and that were not taken from us.
    ours: Mutex<BTreeSet<i32>>,
    /// What was told to the group last of our partitions.
    told: Mutex<HashMap<i32, Told>>,
    /// Since when we are not in the group, after we were dropped from it.
    out_since: Mutex<Option<Instant>>,
    /// Another consumer has taken over, which the owners listen to.
    is_over: AtomicBool,
    /// Newly assigned partitions with their start, until the group's thread gives them a queue.
    assigned: Mutex<Vec<(i32, u64)>>,
}

/// Up to where a partition is published, as told to the group.
struct Told {
    next_offset: u64,
    at: Instant,
    /// It has said so.
    is_known: bool,
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
    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        // What it refuses, as it does while it shares out anew, is told again.
        if result.is_err() {
            return;
        }
        let mut told = lock(&self.told);
        for entry in offsets.elements().iter().filter(|entry| entry.error().is_ok()) {
            if let Some(told) = told.get_mut(&entry.partition()) {
                told.is_known |= entry.offset() == offset(told.next_offset);
            }
        }
    }

    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions = partitions_of(list);
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let give_up = |list: &TopicPartitionList| {
            if cooperative { consumer.incremental_unassign(list) } else { consumer.unassign() }
        };
        let done = if self.is_over.load(Ordering::Relaxed) {
            give_up(list)
        } else if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            *lock(&self.out_since) = None;
            self.owners.joined();
            self.take(consumer, &partitions, list, cooperative)
        } else {
            lock(&self.assigned).retain(|(partition, _)| !partitions.contains(partition));
            if consumer.assignment_lost() {
                lock(&self.out_since).get_or_insert_with(Instant::now);
                self.owners.lost();
            }
            self.owners.stop(&partitions);
            lock(&self.ours).retain(|partition| !partitions.contains(partition));
            lock(&self.told).retain(|partition, _| !partitions.contains(partition));
            give_up(list)
        };
        if let Err(error) = done {
            tracing::error!(%error, ?partitions, "the group's partitions cannot be changed");
        }
    }
}

impl GroupContext {
    /// Tells the group up to where a partition is published.
    pub fn tell(&self, consumer: &BaseConsumer<Self>, partition: i32, next_offset: u64) -> KafkaResult<()> {
        lock(&self.told).insert(partition, Told { next_offset, at: Instant::now(), is_known: false });
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition, offset(next_offset))?;
        consumer.commit(&list, CommitMode::Async)
    }

    /// Tells it again what it has not said to know: the next record of the partition, which would bring it along, may be
    /// long in coming.
    fn tell_again(&self, consumer: &BaseConsumer<Self>) {
        let is_due = |told: &Told| !told.is_known && told.at.elapsed() >= START_PAUSE;
        let due: Vec<_> = lock(&self.told)
            .iter()
            .filter(|(_, told)| is_due(told))
            .map(|(partition, told)| (*partition, told.next_offset))
            .collect();
        for (partition, next_offset) in due {
            if let Err(error) = self.tell(consumer, partition, next_offset) {
                tracing::debug!(partition, %error, "offset not told to the log");
            }
        }
    }

    fn take(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &[i32],
        list: &mut TopicPartitionList,
        cooperative: bool,
    ) -> KafkaResult<()> {
        lock(&self.ours).extend(partitions);
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

fn partitions_of(list: &TopicPartitionList) -> Vec<i32> {
    list.elements().iter().map(rdkafka::topic_partition_list::TopicPartitionListElem::partition).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;

    struct Nobody;

    impl Owners for Nobody {
        fn joined(&self) {}
        fn waiting(&self, _: &str) {}
        fn lost(&self) {}
        fn fail(&self, _: Fatal) {}
        fn prepare(&self, _: i32) -> Option<u64> {
            None
        }
        fn start(&self, _: i32, _: Box<dyn LandingPartition>, _: u64, _: u64) {}
        fn stop(&self, _: &[i32]) {}
    }

    #[tokio::test]
    async fn a_stranded_consumer_leaves_the_group_for_a_new_one() {
        let mock = MockCluster::new(1).unwrap();
        let cluster = Cluster::of(mock.bootstrap_servers()).await;
        let owners: Arc<dyn Owners> = Arc::new(Nobody);
        let consumer = Arc::new(join(&cluster, "events", "instance", &owners).unwrap());
        consumer.context().base.strand();
        let begin = Instant::now();
        let too_long = || begin.elapsed() > Duration::from_secs(60);
        let ended = take_part(&consumer, "group", "events", &owners, &too_long).unwrap();
        assert!(matches!(ended, Ended::Stranded));
    }

    #[test]
    fn a_name_may_be_taken_by_chance_but_not_again_and_again() {
        let (mut fences, begin) = (Fences::default(), Instant::now());
        let mut taken_after = |seconds: u64| fences.are_too_many(begin + Duration::from_secs(seconds));
        assert!(!taken_after(0) && !taken_after(5));
        assert!(!taken_after(600), "those are long past");
        assert!(!taken_after(604));
        assert!(taken_after(608), "another process has it");
    }
}
