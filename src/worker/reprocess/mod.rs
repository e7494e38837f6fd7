//! The landing log once more through the mapping, beside the worker that did it first. See `design.md` beside this file.
//!
//! The fold is the worker's own, with a store of its own: it begins where the log does, so that what was a duplicate is
//! one again. Only the reader and the sink are others.

mod job;
mod scope;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use self::job::{Asked, Output, Stretch};
use self::job::{Job, Written};
pub use self::scope::{By, Outputs, Scope, Tallies};
use self::scope::{Chosen, Part, ScopedReader, ScopedSink};
use super::control::Owned;
use super::data_dir::DataDir;
use super::partition::{Bounds, PartitionWorker, Stop};
use super::{Shared, aws};
use crate::ack::{Ack, NotDelivered};
use crate::config::Config;
use crate::error::{ExitStatus, Fatal};
use crate::kafka::{Cluster, Producer, TopicSpec, ensure_topics, partition_of};
use crate::landing::local::LocalLanding;
use crate::landing::range::{RangeReader, TopicSpan};
use crate::landing::{LandingError, LandingLog, LandingRecord, Refused};
use crate::merge::{RedbStore, StateStore as _};
use crate::ocsf::EventTypes;
use crate::okta::Pace;
use crate::publish::{KafkaSink, Limit, LinesSink, Sink, Target, Topics};
use crate::telemetry::Health;

/// Records of a batch, at least. A commit costs an fsync of the temporary state, and nobody waits for a single record.
const BATCH_RECORDS: usize = 10_000;

/// How long the batches in hand may take at a stop.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Clocks of workers and brokers differ by less than this, ms: a topic may carry the brokers' time.
const CLOCKS_MS: i64 = 3_600_000;

/// What can be seen of it while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    /// What was done.
    pub tallies: Arc<Tallies>,
    /// Records there are to read.
    pub records: AtomicU64,
    /// Partitions that are done, and all.
    pub partitions: (AtomicU64, AtomicU64),
}

/// How it ended.
#[derive(Debug)]
pub struct Summary {
    /// Its name: the value of the header `reprocess`.
    pub id: String,
    /// Whether all was done; otherwise it can be resumed.
    pub finished: bool,
    /// Records that were read.
    pub read: u64,
    /// Of these, the ones that were asked for.
    pub chosen: u64,
    /// What came of them.
    pub outputs: Outputs,
}

/// Reprocesses what is asked for, or goes on with what was.
///
/// # Errors
/// What only a person can mend; what was done is kept for `--resume`.
pub async fn run(
    config: Config,
    asked: Asked,
    progress: Arc<Progress>,
    stop: CancellationToken,
) -> Result<Summary, Fatal> {
    let event_types = config.publish.event_types()?;
    let source = Source::open(&config).await?;
    let folder = config.worker.data_dir.join("reprocess");
    let job = Job::open(&folder, asked, |scope, whole, output| source.stretches(scope, whole, output))?;
    let id = job.id().to_owned();
    let written = job.written().clone();
    progress.records.store(written.stretches.iter().map(Stretch::records).sum(), Ordering::Relaxed);
    progress.partitions.1.store(written.stretches.len() as u64, Ordering::Relaxed);
    let Some(sink) = source.sink(&config, &written, &id, &stop).await? else {
        return Ok(Summary { id, finished: false, read: 0, chosen: 0, outputs: Outputs::default() });
    };
    let run = Run {
        config: Arc::new(at_rest(config)),
        event_types,
        source,
        sink,
        job: Mutex::new(job),
        written,
        progress: Arc::clone(&progress),
        stops: Mutex::default(),
    };
    let run = Arc::new(run);
    let mut working = tokio::task::spawn_blocking({
        let run = Arc::clone(&run);
        move || run.all()
    });
    let done = tokio::select! {
        done = &mut working => done,
        () = stop.cancelled() => {
            run.stop();
            working.await
        }
    };
    let finished = done.map_err(|error| Fatal::new(ExitStatus::Software, error.to_string()))??;
    // A rehearsal is not gone on with.
    if let Some(run) = Arc::into_inner(run).filter(|run| finished || run.sink.is_none()) {
        run.job.into_inner().unwrap_or_else(PoisonError::into_inner).remove();
    }
    let tallies = &progress.tallies;
    Ok(Summary {
        id,
        finished,
        read: tallies.read.load(Ordering::Relaxed),
        chosen: tallies.chosen.load(Ordering::Relaxed),
        outputs: tallies.outputs(),
    })
}

/// The configuration of the fold: the worker's, in larger batches.
fn at_rest(mut config: Config) -> Config {
    config.merge.batch_records = config.merge.batch_records.max(BATCH_RECORDS);
    config
}

/// The landing log.
enum Source {
    Kafka {
        cluster: Cluster,
        topic: String,
    },
    /// With the lock that no worker has then.
    Local {
        log: LocalLanding,
        _lock: DataDir,
    },
}

impl Source {
    async fn open(config: &Config) -> Result<Self, Fatal> {
        let Some(kafka) = &config.kafka else { return Self::open_local(&config.worker.data_dir) };
        let cluster = Cluster::new(kafka, &config.landing.group, &aws(config).await).await?;
        Ok(Self::Kafka { cluster, topic: config.landing.topic.clone() })
    }

    fn open_local(data_dir: &Path) -> Result<Self, Fatal> {
        let path = data_dir.join("landing.redb");
        if !path.exists() {
            let what = format!("there is no landing log in {}", data_dir.display());
            return Err(Fatal::new(ExitStatus::Config, what).hint("check worker.data_dir"));
        }
        let lock = DataDir::take(data_dir).map_err(|fatal| {
            fatal.hint("without Kafka the log has one user: stop the worker, reprocess, and start it again")
        })?;
        // Nothing is appended, so nothing expires either.
        let log = LocalLanding::open(&path, Duration::MAX)
            .map_err(|error| Fatal::new(ExitStatus::Io, "the landing log cannot be opened").because(error))?;
        Ok(Self::Local { log, _lock: lock })
    }

    /// Which part of which partitions is to be read for the scope. Of the log as a whole, so that the fold is what it
    /// was; or only from the first record on that is asked for.
    fn stretches(&self, scope: &Scope, whole: bool, output: &Output) -> Result<Vec<Stretch>, Fatal> {
        match self {
            Self::Local { log, .. } => Ok(vec![Stretch { partition: 0, start: 0, asked_from: 0, end: log.end() }]),
            Self::Kafka { cluster, topic } => {
                let span = TopicSpan::of(cluster, topic).map_err(unanswered)?;
                if span.partitions == 0 {
                    return Err(Fatal::new(ExitStatus::Unavailable, format!("the topic {topic} does not exist"))
                        .hint("check landing.topic and kafka.brokers"));
                }
                let mut partitions: Vec<i32> = match scope.orgs.is_empty() {
                    true => (0..span.partitions).collect(),
                    false => scope.orgs.iter().map(|org| partition_of(org.as_bytes(), span.partitions)).collect(),
                };
                partitions.sort_unstable();
                partitions.dedup();
                partitions.into_iter().map(|partition| stretch(&span, partition, scope, whole, output)).collect()
            }
        }
    }

    /// Where the output goes; `None` if `stop` came before its topics were there.
    async fn sink(
        &self,
        config: &Config,
        written: &Written,
        id: &str,
        stop: &CancellationToken,
    ) -> Result<Option<Option<Arc<dyn Sink>>>, Fatal> {
        let (prefix, quarantine) = match &written.output {
            Output::Nowhere => return Ok(Some(None)),
            Output::SameTopics => (&config.publish.topic_prefix, config.quarantine.topic.clone()),
            Output::Topics(prefix) => (prefix, format!("{prefix}.quarantine")),
            Output::Directory(folder) => {
                let topics = Topics::new(&config.publish.topic_prefix, &config.quarantine.topic);
                let sink = LinesSink::open(Target::Directory(folder.clone()), topics)
                    .map_err(|error| Fatal::new(ExitStatus::Io, "the output cannot be opened").because(error))?;
                return Ok(Some(Some(Arc::new(sink))));
            }
        };
        let (Self::Kafka { cluster, topic }, Some(kafka)) = (self, &config.kafka) else {
            return Err(Fatal::new(ExitStatus::Config, "there is no [kafka] table, so there are no topics")
                .hint("give --directory"));
        };
        let topics = Topics::new(prefix, &quarantine);
        let span = TopicSpan::of(cluster, topic).map_err(unanswered)?;
        let spec = |name: &str| TopicSpec {
            name: name.to_owned(),
            min_partitions: Some(span.partitions),
            retention_ms: None,
            compacted: topics.is_compacted(name),
            settings: &[],
        };
        let specs: Vec<_> = topics.all().map(spec).collect();
        let health = Health::default().component("kafka");
        if ensure_topics(cluster, &kafka.topics, &specs, &health, stop).await?.is_none() {
            return Ok(None);
        }
        let producer = Producer::start(cluster)?;
        Ok(Some(Some(Arc::new(KafkaSink::new(cluster.clone(), producer, topics).reprocessing(id)))))
    }

    fn part(&self, partition: i32, from: u64) -> Result<Part, LandingError> {
        match self {
            Self::Kafka { cluster, topic } => RangeReader::new(cluster, topic, partition, from).map(Part::Kafka),
            Self::Local { log, .. } => Ok(Part::Local { reader: log.partition(from), position: from }),
        }
    }
}

fn unanswered(error: LandingError) -> Fatal {
    Fatal::new(ExitStatus::Unavailable, "the landing topic cannot be read")
        .hint("check that Kafka is up, and that this user may Describe and Read the topic and the group")
        .because(error)
}

fn stretch(span: &TopicSpan, partition: i32, scope: &Scope, whole: bool, output: &Output) -> Result<Stretch, Fatal> {
    let held = span.held(partition).map_err(unanswered)?;
    // What the owner has not published yet it will publish itself.
    let end = match output {
        Output::SameTopics => held.end.min(span.published(partition).map_err(unanswered)?),
        _ => held.end,
    };
    let since = scope.since.filter(|_| scope.by == By::Landed);
    let asked_from = match since {
        Some(since) => span.at(partition, since - CLOCKS_MS).map_err(unanswered)?.unwrap_or(end),
        None => held.start,
    };
    let asked_from = asked_from.clamp(held.start, end.max(held.start));
    Ok(Stretch { partition, start: if whole { held.start } else { asked_from }, asked_from, end })
}

struct Run {
    config: Arc<Config>,
    event_types: Arc<EventTypes>,
    source: Source,
    sink: Option<Arc<dyn Sink>>,
    job: Mutex<Job>,
    written: Written,
    progress: Arc<Progress>,
    /// Those who work, and whether they are to stop.
    stops: Mutex<(Vec<Arc<Stop>>, bool)>,
}

impl Run {
    /// Every partition that is not done, several at a time; whether all are done then.
    fn all(&self) -> Result<bool, Fatal> {
        let waiting: VecDeque<&Stretch> = self.written.open().collect();
        let before = self.written.stretches.len() - waiting.len();
        self.progress.partitions.0.store(before as u64, Ordering::Relaxed);
        // Files are sealed as a whole, so their partitions come one after the other.
        let threads = match self.written.output {
            Output::Directory(_) => 1,
            _ => std::thread::available_parallelism().map_or(1, usize::from).min(waiting.len()),
        };
        let (waiting, failed) = (Mutex::new(waiting), Mutex::new(None));
        let all_done = AtomicBool::new(true);
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| {
                    while let Some(stretch) = next(&waiting) {
                        match self.one(stretch) {
                            Ok(true) => {}
                            Ok(false) => all_done.store(false, Ordering::Relaxed),
                            Err(fatal) => {
                                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fatal);
                                self.stop();
                                waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
                            }
                        }
                    }
                });
            }
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(fatal) => Err(fatal),
            None => Ok(all_done.into_inner()),
        }
    }

    /// One partition, from where its state is; whether it came to its end.
    fn one(&self, stretch: &Stretch) -> Result<bool, Fatal> {
        let stop = Arc::new(Stop::default());
        self.stops().0.push(Arc::clone(&stop));
        if self.stops().1 {
            return Ok(false);
        }
        let data_dir = self.job().data_dir();
        let store = RedbStore::open(&data_dir.state("landing", stretch.partition)).map_err(|error| {
            Fatal::new(ExitStatus::Io, "the temporary state cannot be opened")
                .hint("free space on the disk of worker.data_dir")
                .because(error)
        })?;
        let from = store.next_offset().max(stretch.start);
        self.progress.tallies.read.fetch_add(from - stretch.start, Ordering::Relaxed);
        let (chosen, finished) = (Arc::new(Chosen::default()), Arc::new(AtomicBool::new(false)));
        let tallies = &self.progress.tallies;
        let reader = ScopedReader {
            part: self.source.part(stretch.partition, from).map_err(unanswered)?,
            start: stretch.start,
            end: stretch.end,
            scope: Arc::new(self.written.scope.clone()),
            chosen: Arc::clone(&chosen),
            tallies: Arc::clone(tallies),
            stop: Arc::clone(&stop),
            finished: Arc::clone(&finished),
            open: false,
        };
        let fresh = AtomicBool::new(store.next_offset() == 0);
        let events_only = self.written.output == Output::SameTopics;
        let sink = ScopedSink { inner: self.sink.clone(), chosen, tallies: Arc::clone(tallies), events_only, fresh };
        let shared = self.shared(data_dir, Arc::new(sink));
        let bounds = Bounds { published_before: stretch.asked_from, committed: watch::channel(0).0, changelog: None };
        let limit = Arc::clone(&shared.limit);
        PartitionWorker::new(stretch.partition, &shared, Box::new(reader), store, bounds, stop, limit).run()?;
        let finished = finished.load(Ordering::Acquire);
        if finished {
            crate::crash_point!("reprocess.partition");
            self.job().done(stretch.partition)?;
            self.progress.partitions.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(finished)
    }

    /// What the fold shares with the rest of a worker; there is no rest here.
    fn shared(&self, data_dir: Arc<DataDir>, sink: Arc<dyn Sink>) -> Shared {
        let quarantine = &self.config.quarantine;
        Shared {
            config: Arc::clone(&self.config),
            data_dir,
            landing: Arc::new(Nowhere),
            sink,
            limit: Arc::new(Limit::new(quarantine.window, quarantine.stop_percent)),
            event_types: Arc::clone(&self.event_types),
            health: Health::default(),
            fatal: mpsc::channel(1).0,
            owned: Owned::default(),
            pace: Pace::real(),
        }
    }

    /// Ends every partition after its batch in hand.
    fn stop(&self) {
        let give_up_at = Instant::now() + STOP_PATIENCE;
        let mut stops = self.stops();
        stops.1 = true;
        stops.0.iter().for_each(|stop| stop.ask(give_up_at));
    }

    fn stops(&self) -> MutexGuard<'_, (Vec<Arc<Stop>>, bool)> {
        self.stops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn job(&self) -> MutexGuard<'_, Job> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn next<'s>(waiting: &Mutex<VecDeque<&'s Stretch>>) -> Option<&'s Stretch> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Reprocessing lands nothing.
struct Nowhere;

impl LandingLog for Nowhere {
    fn append(&self, _: LandingRecord, ack: Ack) -> Result<(), Box<Refused>> {
        ack.redeem(Err(NotDelivered::Refused("reprocessing lands nothing".into())));
        Ok(())
    }

    fn max_value_bytes(&self) -> usize {
        0
    }
}
