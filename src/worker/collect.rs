//! The role `collect`: one collector for each org whose partition this process owns.

use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::collect::{self, Ends, Room, Settings};
use crate::config::{OrgConfig, Role};
use crate::kafka::partition_of;
use crate::merge::RedbReader;
use crate::okta::OrgId;

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
        let tasks = orgs.filter_map(|org| self.settings(org)).map(|settings| {
            let ends = self.ends(state, committed, end);
            let health = self.shared.health.component(format!("collect {}", settings.org));
            let (stop, fatal) = (stop.clone(), self.shared.fatal.clone());
            self.runtime.spawn(async move {
                if let Err(error) = collect::run(settings, ends, health, stop).await {
                    let _ = fatal.try_send(error);
                }
            })
        });
        let tasks = tasks.chain(self.clocks(partition, state, committed, end, &stop)).collect();
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
            let (fatal, ticking) = (self.shared.fatal.clone(), collect::tick(org.clone(), ends.clone(), stop.clone()));
            let ticking = self.runtime.spawn(async move {
                if let Err(error) = ticking.await {
                    let _ = fatal.try_send(error);
                }
            });
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
