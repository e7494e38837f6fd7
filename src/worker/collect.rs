//! The role `collect`: for each org whose partition this process owns one that reads its inventory and one that polls its
//! System Log. They share the org's gate, so its quota has one spender.

use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::collect::{self, Ends, Room, Settings};
use crate::config::{OrgConfig, Role};
use crate::error::Fatal;
use crate::ingest::system_log;
use crate::kafka::partition_of;
use crate::merge::RedbReader;
use crate::okta::gate::Gate;
use crate::okta::{OrgId, share};

/// How long collectors may take to end. They only wait, for answers and for time, so they end at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// Starts collectors.
pub struct Collectors {
    shared: Shared,
    runtime: Handle,
    room: Room,
    /// Of the landing log.
    partitions: i32,
}

/// The collectors of one partition.
pub struct Running {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Collectors {
    /// To be called within the runtime that the collectors will run on.
    pub fn new(shared: &Shared, partitions: i32) -> Self {
        Self { shared: shared.clone(), runtime: Handle::current(), room: Room::default(), partitions }
    }

    /// Starts one for each org of the partition that has an API, if this process has the role.
    /// They begin when the fold has come to where the log ends now: before, the state is what was so once.
    pub fn start(&self, partition: i32, state: &RedbReader, committed: &watch::Receiver<u64>, end: u64) -> Running {
        let stop = CancellationToken::new();
        let ours = |org: &&OrgConfig| partition_of(org.id.as_bytes(), self.partitions) == partition;
        let orgs = self.shared.config.orgs.iter().filter(|_| self.shared.config.has_role(Role::Collect)).filter(ours);
        let mut tasks = Vec::new();
        for org in orgs {
            let Some(settings) = self.settings(org) else { continue };
            let gate = Gate::new(&org.id, share::policy(&org.quota), self.shared.pace);
            if let Some(settings) = self.log_settings(org) {
                let (ends, sink) = (self.ends(state, committed, end), self.shared.sink.clone());
                let ends = system_log::Ends { ends, sink };
                let health = self.shared.health.component(format!("log {}", org.id));
                tasks.push(self.spawn(system_log::run(settings, ends, gate.clone(), health, stop.clone())));
            }
            let ends = self.ends(state, committed, end);
            let health = self.shared.health.component(format!("collect {}", org.id));
            tasks.push(self.spawn(collect::run(settings, ends, gate, health, stop.clone())));
        }
        tasks.extend(self.clocks(partition, state, committed, end, &stop));
        Running { stop, tasks }
    }

    /// What drives and shows the state of each org of the partition, whether it is read or not.
    fn clocks(
        &self,
        partition: i32,
        state: &RedbReader,
        committed: &watch::Receiver<u64>,
        end: u64,
        stop: &CancellationToken,
    ) -> Vec<JoinHandle<()>> {
        let ours = |org: &&OrgConfig| partition_of(org.id.as_bytes(), self.partitions) == partition;
        let orgs = self.shared.config.orgs.iter().filter(ours).map(|org| OrgId::new(&org.id));
        let start = |org: OrgId| {
            let ends = self.ends(state, committed, end);
            let ticking = self.spawn(collect::tick(org.clone(), ends.clone(), stop.clone()));
            [ticking, self.runtime.spawn(collect::watch(org, ends, stop.clone()))]
        };
        orgs.flat_map(start).collect()
    }

    fn ends(&self, state: &RedbReader, committed: &watch::Receiver<u64>, end: u64) -> Ends {
        Ends {
            landing: self.shared.landing.clone(),
            room: self.room.clone(),
            state: std::sync::Arc::new(state.clone()),
            committed: committed.clone(),
            end,
        }
    }

    fn spawn(&self, run: impl Future<Output = Result<(), Fatal>> + Send + 'static) -> JoinHandle<()> {
        let fatal = self.shared.fatal.clone();
        self.runtime.spawn(async move {
            if let Err(error) = run.await {
                let _ = fatal.try_send(error);
            }
        })
    }

    /// How its log is polled, if it is.
    fn log_settings(&self, org: &OrgConfig) -> Option<system_log::Settings> {
        let streamed = self.shared.config.queues.iter().any(|queue| queue.orgs.contains(&org.id));
        system_log::Settings::of(org, streamed, self.shared.pace)
    }

    fn settings(&self, org: &OrgConfig) -> Option<Settings> {
        Some(Settings {
            org: OrgId::new(&org.id),
            api: org.api.clone()?,
            quota: org.quota.clone(),
            snapshot: org.snapshot.clone(),
            pace: self.shared.pace,
        })
    }
}

impl Running {
    /// Ends them all; what they had under way is read again by whoever goes on. Blocks for a moment.
    pub fn stop(self) {
        self.stop.cancel();
        let deadline = Instant::now() + PATIENCE;
        while self.tasks.iter().any(|task| !task.is_finished()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        for task in &self.tasks {
            task.abort();
        }
    }
}
