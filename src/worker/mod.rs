//! Wires the rooms together: roles, ownership of partitions, back-pressure, drain. Contains no rules of its own.

pub(crate) mod changelog;
mod collect;
mod control;
mod data_dir;
mod ingest;
mod mapping;
mod normalize;
mod partition;
mod reporting;
pub mod reprocess;

pub(crate) use partition::Stop;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::control::Owned;
pub use self::data_dir::{CONTROL_SOCKET, DataDir, InUse};
use crate::config::{Config, LandingKind, Role};
use crate::error::{ExitStatus, Fatal};
use crate::kafka::{Cluster, Producer, TopicSpec, ensure_topics, partition_of};
use crate::landing::kafka::KafkaLanding;
use crate::landing::local::LocalLanding;
use crate::landing::range::KafkaWatch;
use crate::landing::{LandingError, LandingLog, LandingWatch};
use crate::ocsf::EventTypes;
use crate::okta::Pace;
use crate::publish::{KafkaSink, Limit, LinesSink, Sink, Target, Topics};
use crate::telemetry::{Component, Health, metrics, serve};

/// How the topic of the changelogs is kept. What somebody overwrote in vain must still be there when the next owner comes
/// to heal it: that may take him a day. That something is gone must be known to an owner who was away for as long.
const COMPACTION: &[(&str, &str)] = &[("min.compaction.lag.ms", "86400000"), ("delete.retention.ms", "86400000")];

/// Where the first fatal error of any part is told. Small: one is enough to stop everything.
type FatalSender = mpsc::Sender<Fatal>;

/// What the roles share.
#[derive(Clone)]
struct Shared {
    config: Arc<Config>,
    data_dir: Arc<DataDir>,
    landing: Arc<dyn LandingLog>,
    sink: Arc<dyn Sink>,
    limit: Arc<Limit>,
    event_types: Arc<EventTypes>,
    health: Health,
    fatal: FatalSender,
    /// The states that are owned, for those who ask.
    owned: Owned,
    /// How the time of the orgs goes.
    pace: Pace,
}

/// Where records land and where they are published, as the configuration says.
struct Ends {
    landing: Arc<dyn LandingLog>,
    sink: Arc<dyn Sink>,
    log: Log,
}

/// AWS, as far as it is needed: looking for a region and credentials takes a while where there are none.
async fn aws(config: &Config) -> aws_config::SdkConfig {
    if config.has_role(Role::Ingest) || config.kafka.is_some() {
        return crate::aws::settings(&config.aws).await;
    }
    aws_config::SdkConfig::builder().build()
}

/// The log behind [`Ends::landing`], for those who read it; of a topic also how many partitions it has.
#[derive(Clone)]
enum Log {
    Kafka(Cluster, Producer, i32),
    Local(Arc<LocalLanding>),
}

/// The landing log, for a command that lands something and watches what comes of it.
pub struct Opened {
    /// To append.
    pub landing: Arc<dyn LandingLog>,
    /// Whose quarantine takes what can never be landed.
    pub sink: Arc<dyn Sink>,
    log: Log,
    topic: String,
}

impl Opened {
    /// Opens the log of a cluster, without becoming a worker; `None` when `stop` came first.
    ///
    /// # Errors
    /// What only a person can mend.
    pub async fn of_cluster(config: &Config, stop: &CancellationToken) -> Result<Option<Self>, Fatal> {
        let aws = aws(config).await;
        let ends = open_ends(config, &aws, &Health::default(), stop).await?;
        Ok(ends.map(|ends| Self {
            landing: ends.landing,
            sink: ends.sink,
            log: ends.log,
            topic: config.landing.topic.clone(),
        }))
    }

    /// How many workers there are on the log's cluster; none for a local log, which has one user.
    ///
    /// # Errors
    /// When the cluster does not say.
    pub fn workers(&self) -> Result<usize, Fatal> {
        let Log::Kafka(cluster, ..) = &self.log else { return Ok(0) };
        cluster.members().map_err(|error| {
            let what = format!("whether workers run cannot be asked of the consumer group {}", cluster.group());
            Fatal::new(ExitStatus::Unavailable, what)
                .hint("grant Describe on the group, or give --here to read in this process")
                .because(error)
        })
    }

    /// How many records of a local log this process has still to fold; of a cluster's, the running workers know.
    pub fn unfolded(&self) -> Option<u64> {
        match &self.log {
            Log::Local(log) => Some(log.unfolded()),
            Log::Kafka(..) => None,
        }
    }

    /// Watches what lands of an org from now on.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn watch(&self, org: &str) -> Result<Box<dyn LandingWatch>, LandingError> {
        Ok(match &self.log {
            Log::Local(log) => Box::new(log.watch()),
            Log::Kafka(cluster, _, partitions) => {
                Box::new(KafkaWatch::new(cluster, &self.topic, partition_of(org.as_bytes(), *partitions))?)
            }
        })
    }
}

/// How a worker runs that somebody watches from within its process.
#[derive(Default)]
pub struct Watched {
    /// Told once the log is open and all parts are started.
    pub opened: Option<tokio::sync::oneshot::Sender<Opened>>,
    /// How the time of the orgs goes; as on this machine unless said.
    pub pace: Option<Pace>,
}

/// Runs the worker until `stop`, or until a person is needed.
///
/// # Errors
/// The first thing that only a person can mend.
pub async fn run(
    config: Config,
    recorder: metrics::Recorder,
    watched: Watched,
    stop: CancellationToken,
) -> Result<(), Fatal> {
    let health = Health::default();
    // Before anybody can ask: parts come one by one, and the first ones alone are not the worker.
    let roles = health.component("roles");
    let telemetry_stop = CancellationToken::new();
    let listening = listen(&config, &health, recorder, &telemetry_stop).await?;
    let address = listening.as_ref().map(|listening| listening.address.to_string());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), roles = ?config.worker.roles, telemetry = address, "worker starts");
    let result = run_roles(config, health, roles, watched, stop).await;
    telemetry_stop.cancel();
    if let Some(listening) = listening {
        listening.ended().await;
    }
    result
}

async fn listen(
    config: &Config,
    health: &Health,
    recorder: metrics::Recorder,
    stop: &CancellationToken,
) -> Result<Option<crate::telemetry::Listening>, Fatal> {
    let address = &config.telemetry.listen;
    if address.is_empty() {
        return Ok(None);
    }
    serve(address, health.clone(), recorder, stop.clone()).await.map(Some).map_err(|error| {
        Fatal::new(ExitStatus::Config, format!("telemetry cannot listen on {address}"))
            .hint("set telemetry.listen to a free address, to port 0 for any free port, or to \"\" for none")
            .because(error)
    })
}

async fn run_roles(
    config: Config,
    health: Health,
    roles: Component,
    watched: Watched,
    stop: CancellationToken,
) -> Result<(), Fatal> {
    let event_types = config.publish.event_types()?;
    if config.has_role(Role::Collect) {
        config.orgs.iter().filter_map(|org| org.api.as_ref()).try_for_each(crate::collect::check_way_in)?;
    }
    let data_dir = Arc::new(DataDir::take(&config.worker.data_dir)?);
    let aws = aws(&config).await;
    let Some(ends) = open_ends(&config, &aws, &health, &stop).await? else { return Ok(()) };
    let (fatal, mut fatals) = mpsc::channel(8);
    let shared = Shared {
        limit: Arc::new(Limit::new(config.quarantine.window, config.quarantine.stop_percent)),
        config: Arc::new(config),
        event_types,
        data_dir,
        landing: ends.landing,
        sink: ends.sink,
        health,
        fatal,
        owned: Owned::default(),
        pace: watched.pace.unwrap_or_else(Pace::real),
    };
    // A reason that a part has sent already says more than that the part did not start.
    let mut normalize = normalize::start(&shared, &ends.log).map_err(|error| fatals.try_recv().unwrap_or(error))?;
    let mut ingest = ingest::start(&shared, &aws, &stop);
    let partitions = match &ends.log {
        Log::Kafka(_, _, partitions) => *partitions,
        Log::Local(_) => 1,
    };
    let socket = shared.data_dir.control_socket();
    let (asked, owned, until) = (Arc::clone(&shared.config), shared.owned.clone(), stop.clone());
    let answering = tokio::spawn(async move { control::serve(&socket, asked, owned, partitions, until).await });
    roles.ready("all are started");
    if let Some(opened) = watched.opened {
        let (landing, sink) = (shared.landing.clone(), shared.sink.clone());
        let topic = shared.config.landing.topic.clone();
        // Who does not wait for it any more has no need of it.
        let _ = opened.send(Opened { landing, sink, log: ends.log.clone(), topic });
    }
    let outcome = tokio::select! {
        () = stop.cancelled() => Ok(()),
        Some(fatal) = fatals.recv() => Err(fatal),
    };
    let stop_by = Instant::now() + Duration::from_secs(shared.config.worker.stop_timeout_seconds);
    stop.cancel();
    tracing::info!("stopping: receiving ends, work in hand is finished");
    let _ = answering.await;
    ingest.finish().await;
    normalize.finish(stop_by).await;
    drain(ends.log, stop_by).await;
    // Something may have become impossible only while stopping, such as a full disk at the last commit. A batch that
    // was not acknowledged in time is no such thing: the process ends, and with it what could still be delivered.
    let mut late = std::iter::from_fn(|| fatals.try_recv().ok());
    let outcome = outcome.and_then(|()| late.find(|fatal| fatal.status() != ExitStatus::Software).map_or(Ok(()), Err));
    tracing::info!(clean = outcome.is_ok(), "worker stopped");
    outcome
}

/// Opens both ends, waiting for a Kafka that is down; `None` when `stop` came first.
async fn open_ends(
    config: &Config,
    aws: &aws_config::SdkConfig,
    health: &Health,
    stop: &CancellationToken,
) -> Result<Option<Ends>, Fatal> {
    let topics = Topics::new(&config.publish.topic_prefix, &config.quarantine.topic);
    let Some(kafka) = &config.kafka else { return open_local(config, topics).map(Some) };
    let component = health.component("kafka");
    let cluster = tokio::select! {
        () = stop.cancelled() => return Ok(None),
        cluster = Cluster::new(kafka, &config.landing.group, aws) => cluster?,
    };
    let Some(partitions) = make_topics(config, &cluster, &topics, &component, stop).await? else { return Ok(None) };
    let producer = Producer::start(&cluster)?;
    component.ready("topics are there");
    Ok(Some(Ends {
        landing: Arc::new(KafkaLanding::new(producer.clone(), &config.landing.topic)),
        sink: Arc::new(KafkaSink::new(cluster.clone(), producer.clone(), topics)),
        log: Log::Kafka(cluster, producer, partitions),
    }))
}

/// First the landing topic, because its partitions decide those of the output; gives their number. `None` when `stop`
/// came first.
async fn make_topics(
    config: &Config,
    cluster: &Cluster,
    topics: &Topics,
    health: &Component,
    stop: &CancellationToken,
) -> Result<Option<i32>, Fatal> {
    let Some(kafka) = &config.kafka else { return Ok(Some(1)) };
    let retention_ms = i64::from(config.merge.dedupe_window_days) * 86_400_000;
    let landing = [TopicSpec {
        name: config.landing.topic.clone(),
        min_partitions: None,
        retention_ms: Some(retention_ms),
        compacted: false,
        settings: &[],
    }];
    let Some(partitions) = ensure_topics(cluster, &kafka.topics, &landing, health, stop).await? else {
        return Ok(None);
    };
    let min_partitions = partitions.first().copied();
    let other = |name: &str, compacted, settings| TopicSpec {
        name: name.to_owned(),
        min_partitions,
        retention_ms: None,
        compacted,
        settings,
    };
    let outputs = topics.all().map(|name| other(name, topics.is_compacted(name), &[]));
    let changelog = config.changelog_topic().map(|name| other(&name, true, COMPACTION));
    let others: Vec<_> = outputs.chain(changelog).collect();
    let made = ensure_topics(cluster, &kafka.topics, &others, health, stop).await?;
    Ok(made.and(min_partitions))
}

fn open_local(config: &Config, topics: Topics) -> Result<Ends, Fatal> {
    debug_assert_eq!(config.landing_kind(), LandingKind::Local, "validated");
    let folder = &config.worker.data_dir;
    let refused = |what: String| {
        Fatal::new(ExitStatus::Io, what)
            .hint("check worker.data_dir: rights, free space, and that no other worker uses it")
    };
    let retention = Duration::from_secs(config.landing.retention_hours * 3600);
    let log = LocalLanding::open(&folder.join("landing.redb"), retention)
        .map_err(|error| refused("the landing log cannot be opened".into()).because(error))?;
    let log = Arc::new(log);
    let target = match &config.publish.directory {
        Some(path) if path.as_os_str() == "-" => Target::Stdout,
        Some(path) => Target::Directory(path.clone()),
        None => Target::Directory(folder.join("output")),
    };
    let sink = LinesSink::open(target, topics)
        .map_err(|error| refused("the output cannot be opened".into()).because(error))?;
    Ok(Ends { landing: Arc::clone(&log) as Arc<dyn LandingLog>, sink: Arc::new(sink), log: Log::Local(log) })
}

/// Waits for what the producer still holds. Whoever gave it away has ended, so nothing is promised for it any more.
async fn drain(log: Log, stop_by: Instant) {
    if let Log::Kafka(_, producer, _) = log {
        let left = stop_by.saturating_duration_since(Instant::now()).max(Duration::from_millis(500));
        let _ = tokio::task::spawn_blocking(move || producer.drain(left)).await;
    }
}
