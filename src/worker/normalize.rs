//! The role `normalize`: one thread for each landing partition that this process owns.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::changelog::{Changelog, ChangelogTopic, KafkaLog, Turn};
use super::collect::{self, Collectors};
use super::partition::{Bounds, PartitionWorker, Stop};
use super::{Log, Shared};
use crate::config::Role;
use crate::error::{ExitStatus, Fatal};
use crate::kafka::Producer;
use crate::landing::LandingPartition;
use crate::landing::group::{Owners, run_group};
use crate::merge::{RedbStore, StateStore, StoreError};
use crate::publish::Limit;
use crate::telemetry::{Component, metrics};

/// How long a partition's last batch may take when the partition is taken from us. A batch takes milliseconds; only a
/// Kafka that does not answer makes it longer.
const HAND_OVER: Duration = Duration::from_secs(20);

/// How long a reader of the state may take to leave; it only waits for answers.
const READERS_LEAVE: Duration = Duration::from_secs(2);

/// How late a partition may notice that its time is over.
const POLL_MARGIN: Duration = Duration::from_millis(300);

/// The running role.
pub struct Normalize {
    owners: Option<Arc<PartitionOwners>>,
    group: Option<JoinHandle<()>>,
    stopped: Arc<AtomicBool>,
}

/// Starts the role, if this process has it.
///
/// # Errors
/// When the state of the local partition cannot be opened.
pub fn start(shared: &Shared, log: &Log) -> Result<Normalize, Fatal> {
    let stopped = Arc::new(AtomicBool::new(false));
    if !shared.config.has_role(Role::Normalize) {
        return Ok(Normalize { owners: None, group: None, stopped });
    }
    let owners = Arc::new(PartitionOwners {
        health: shared.health.component("normalize"),
        limit: Arc::new(Limit::new(shared.config.quarantine.window, shared.config.quarantine.stop_percent)),
        producer: match log {
            Log::Kafka(_, producer, _) => Some(producer.clone()),
            Log::Local(_) => None,
        },
        changelogs: match log {
            Log::Kafka(cluster, producer, _) => shared
                .config
                .changelog_topic()
                .map(|name| Arc::new(ChangelogTopic { cluster: cluster.clone(), producer: producer.clone(), name })),
            Log::Local(_) => None,
        },
        turn: Turn::default(),
        collectors: Collectors::new(
            shared,
            match log {
                Log::Kafka(_, _, partitions) => *partitions,
                Log::Local(_) => 1,
            },
        ),
        shared: shared.clone(),
        prepared: Mutex::default(),
        running: Mutex::default(),
    });
    let group = match log {
        Log::Local(log) => {
            let start = owners.prepare(0).ok_or_else(|| {
                // The reason was sent as a fatal error by `prepare`; this ends the start.
                Fatal::new(ExitStatus::Io, "the state store cannot be opened")
                    .hint("check worker.data_dir: rights, free space, and that no other worker uses it")
            })?;
            if start > log.end() {
                return Err(Fatal::new(
                    ExitStatus::Io,
                    "the state is ahead of the landing log: it belongs to another one",
                )
                .hint("restore landing.redb in worker.data_dir, or move the folder `state` beside it away too"));
            }
            owners.start(0, Box::new(log.partition(start)), 0, log.end());
            None
        }
        Log::Kafka(cluster, ..) => {
            let cluster = cluster.clone();
            let (topic, data_dir) = (shared.config.landing.topic.clone(), Arc::clone(&shared.data_dir));
            let (fatal, stopped) = (shared.fatal.clone(), Arc::clone(&stopped));
            let owners: Arc<dyn Owners> = Arc::clone(&owners) as Arc<dyn Owners>;
            let run = move || {
                let stopped = || stopped.load(Ordering::Relaxed);
                if let Err(error) = run_group(&cluster, &topic, &data_dir.instance, &owners, &stopped) {
                    let _ = fatal.try_send(error);
                }
            };
            let spawned = std::thread::Builder::new().name("group".into()).spawn(run);
            Some(spawned.map_err(|error| Fatal::new(ExitStatus::Software, "cannot start a thread").because(error))?)
        }
    };
    Ok(Normalize { owners: Some(owners), group, stopped })
}

impl Normalize {
    /// Ends every partition after its batch in hand, then stops polling. The group keeps the partitions for this member
    /// until its session ends, so that a restart moves nothing.
    pub async fn finish(&mut self, stop_by: Instant) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(owners) = self.owners.take() {
            let all = owners.partitions();
            let patience = stop_by.saturating_duration_since(Instant::now());
            let _ = tokio::task::spawn_blocking(move || owners.stop_within(&all, patience)).await;
        }
        if let Some(group) = self.group.take() {
            // Leaving a group whose broker is away takes long and achieves nothing; the process may end meanwhile.
            let left = stop_by.saturating_duration_since(Instant::now());
            let leaving = tokio::task::spawn_blocking(move || group.join());
            let _ = tokio::time::timeout(left, leaving).await;
        }
    }
}

/// The partitions that this process owns.
struct PartitionOwners {
    shared: Shared,
    health: Component,
    limit: Arc<Limit>,
    producer: Option<Producer>,
    /// Where copies of the state are kept, if they are.
    changelogs: Option<Arc<ChangelogTopic>>,
    turn: Turn,
    collectors: Collectors,
    /// Stores of partitions that were assigned and not started yet.
    prepared: Mutex<HashMap<i32, RedbStore>>,
    running: Mutex<HashMap<i32, Running>>,
}

struct Running {
    stop: Arc<Stop>,
    /// Whether nothing of its last batch is left behind.
    thread: JoinHandle<bool>,
    collectors: collect::Running,
}

impl Owners for PartitionOwners {
    fn joined(&self) {
        self.report();
    }

    fn waiting(&self, reason: &str) {
        self.health.waiting(reason);
    }

    fn lost(&self) {
        if let Some(producer) = &self.producer {
            producer.abandon();
        }
    }

    fn fail(&self, fatal: Fatal) {
        let _ = self.shared.fatal.try_send(fatal);
    }

    fn prepare(&self, partition: i32) -> Option<u64> {
        let path = self.shared.data_dir.state(&self.shared.config.landing.topic, partition);
        match open(&path) {
            Ok(store) => {
                let start = store.next_offset();
                lock(&self.prepared).insert(partition, store);
                Some(start)
            }
            Err(error) => {
                let what = format!("the state {} cannot be opened", path.display());
                let fatal = Fatal::new(ExitStatus::Io, what)
                    .hint(
                        "if the disk is full, free space; if the file is damaged, move it away: the state is folded \
                         again from the landing log",
                    )
                    .because(error);
                let _ = self.shared.fatal.try_send(fatal);
                None
            }
        }
    }

    fn start(&self, partition: i32, reader: Box<dyn LandingPartition>, published_before: u64, end: u64) {
        let Some(store) = lock(&self.prepared).remove(&partition) else { return };
        tracing::info!(partition, next_offset = store.next_offset(), published_before, "partition owned");
        let stop = Arc::new(Stop::default());
        // Nobody reads the state before the worker has said that it is the one of the changelog too.
        let (state, (committed, watching)) = (store.reader(), watch::channel(0));
        let end = end.max(store.next_offset());
        let changelog = self.changelogs.clone().map(|topic| {
            Changelog::new(
                Arc::new(KafkaLog { topic, partition }),
                partition,
                &self.shared.data_dir.instance,
                &self.turn,
            )
        });
        let worker = PartitionWorker::new(
            partition,
            &self.shared,
            reader,
            store,
            Bounds { published_before, committed, changelog },
            Arc::clone(&stop),
            Arc::clone(&self.limit),
        );
        let fatal = self.shared.fatal.clone();
        let run = move || {
            worker.run().unwrap_or_else(|error| {
                let _ = fatal.try_send(error);
                true
            })
        };
        match std::thread::Builder::new().name(format!("fold-{partition}")).spawn(run) {
            Ok(thread) => {
                self.shared.owned.add(partition, state.clone());
                let collectors = self.collectors.start(partition, &state, &watching, end);
                lock(&self.running).insert(partition, Running { stop, thread, collectors });
            }
            Err(error) => {
                let fatal = Fatal::new(ExitStatus::Software, "cannot start a thread").because(error);
                let _ = self.shared.fatal.try_send(fatal);
            }
        }
        self.report();
    }

    fn stop(&self, partitions: &[i32]) {
        self.stop_within(partitions, HAND_OVER);
    }
}

impl PartitionOwners {
    fn partitions(&self) -> Vec<i32> {
        lock(&self.running).keys().copied().collect()
    }

    fn stop_within(&self, partitions: &[i32], patience: Duration) {
        let deadline = Instant::now() + patience;
        lock(&self.prepared).retain(|partition, _| !partitions.contains(partition));
        let ending: Vec<_> = {
            let mut running = lock(&self.running);
            partitions.iter().filter_map(|partition| Some((*partition, running.remove(partition)?))).collect()
        };
        for (_, running) in &ending {
            running.stop.ask(deadline);
        }
        for (partition, running) in ending {
            // They read the state, whose file must be free for its next owner.
            self.shared.owned.remove(partition);
            running.collectors.stop();
            // A little longer than the batch may take, so that the thread itself can say how it ended.
            while !running.thread.is_finished() && Instant::now() < deadline + POLL_MARGIN {
                std::thread::sleep(Duration::from_millis(5));
            }
            let clean = running.thread.is_finished() && running.thread.join().unwrap_or(false);
            if clean {
                tracing::info!(partition, "partition released");
            } else {
                self.end_with_the_producer(partition);
            }
        }
        self.report();
    }

    /// What the producer still holds of the partition could be delivered after its next owner has looked. Only the end
    /// of the process takes that back for certain; at a stop it ends anyway.
    fn end_with_the_producer(&self, partition: i32) {
        self.fail(
            Fatal::new(ExitStatus::Software, format!("partition {partition} was left with an unacknowledged batch"))
                .hint("start again; nothing is lost. If this repeats, see why Kafka does not acknowledge"),
        );
    }

    fn report(&self) {
        let count = lock(&self.running).len();
        metrics::partitions_owned(count);
        // A member without partitions is healthy: there may be more members than partitions.
        self.health.ready(format!("{count} partitions owned"));
    }
}

/// Opens the state. A partition that comes back at once may find the file in use by a reader that is on its way out.
fn open(path: &std::path::Path) -> Result<RedbStore, StoreError> {
    let deadline = Instant::now() + READERS_LEAVE;
    loop {
        match RedbStore::open(path) {
            Err(error) if error.is_in_use() && Instant::now() < deadline => std::thread::sleep(POLL_MARGIN / 10),
            opened => return opened,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
