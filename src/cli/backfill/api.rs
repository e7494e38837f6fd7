//! Through Okta's API.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::super::run::on_signals;
use super::super::{here, orgs, runtime};
use super::show::{self, Screen};
use crate::config::{Config, OrgConfig, Role};
use crate::error::{ExitStatus, Fatal};
use crate::ingest::backfill::{self, Count, Ended, Ends, Estimate, Finish, JobKey, Settings};
use crate::okta::{OrgId, Pace};
use crate::telemetry::init_logging;
use crate::worker::Opened;

/// How often the progress is shown.
const TICK: Duration = Duration::from_secs(1);

/// How the API is read.
#[derive(Args)]
pub(super) struct ByApi {
    /// Only what Okta's filter expression lets through
    #[arg(long, value_name = "EXPRESSION")]
    filter: Option<String>,
    /// Parts of the time that are read side by side
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=8))]
    parallel: u8,
    /// Calls of each minute that are left to the live poll of a worker [default: what org.log says that it takes, at least
    /// 2; none without Kafka, where no worker runs meanwhile]
    #[arg(long, value_name = "CALLS", value_parser = clap::value_parser!(u32).range(..=1_000))]
    keep_free: Option<u32>,
    /// Say how many calls, how much time and how many bytes it would take, from a few calls, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for a part of everything once more at the end
    #[arg(long)]
    no_verify: bool,
    /// Read again what was read before in the same words
    #[arg(long)]
    pub(super) again: bool,
    /// Count what would land, and land nothing
    #[arg(long, hide = true)]
    count_only: bool,
    /// How many times as fast as ours the time of a simulated org goes
    #[arg(long, value_name = "RATE", hide = true)]
    clock_rate: Option<f64>,
}

impl ByApi {
    pub fn main(&self, asked: &super::Backfill) -> anyhow::Result<ExitStatus> {
        let mut config = asked.config.load()?;
        let orgs = orgs::with_api(&config, &asked.org)?;
        // A worker that only folds what lands, and listens nowhere: another one may use the port.
        config.worker.roles = vec![Role::Normalize];
        config.telemetry.listen = String::new();
        // What this command prints is for a person; the log would stand between the lines.
        if config.telemetry.log_level == "info" {
            config.telemetry.log_level = "error".into();
        }
        init_logging(&config.telemetry).map_err(|what| Fatal::new(ExitStatus::Config, what))?;
        let jobs: Vec<_> = orgs.iter().filter_map(|org| self.settings(asked, &config, org)).collect();
        let jobs: Vec<_> = jobs.into_iter().map(|settings| Arc::new(backfill::Backfill::new(settings))).collect();
        let runtime = runtime()?;
        let result = runtime.block_on(async {
            let stop = CancellationToken::new();
            let signals = tokio::spawn(on_signals(stop.clone()));
            let result = match self.dry_run {
                true => estimate(&jobs, asked.json, &stop).await,
                false => self.read(&jobs, config, asked.json, &stop).await,
            };
            signals.abort();
            result
        });
        runtime.shutdown_background();
        Ok(result?)
    }

    fn settings(&self, asked: &super::Backfill, config: &Config, org: &OrgConfig) -> Option<Settings> {
        let since = asked.since.as_ref()?;
        let folder = asked.state.clone().unwrap_or_else(|| config.worker.data_dir.join("backfill"));
        Some(Settings {
            org: OrgId::new(&org.id),
            api: org.api.clone()?,
            quota: org.quota.clone(),
            key: JobKey {
                org: org.id.clone(),
                since: since.words.clone(),
                until: asked.until.as_ref().map(|until| until.words.clone()),
                filter: self.filter.clone(),
            },
            since: since.moment,
            until: asked.until.as_ref().map(|until| until.moment),
            parallel: usize::from(self.parallel),
            keep_free: self.keep_free.unwrap_or_else(|| polls_of(config, org)),
            verify: !self.no_verify,
            again: self.again,
            folder: match self.count_only {
                // What was only counted must not be taken for landed.
                true => folder.join("counted"),
                false => folder,
            },
            pace: self.clock_rate.map_or_else(Pace::real, Pace::times),
        })
    }

    async fn read(
        &self,
        jobs: &[Arc<backfill::Backfill>],
        config: Config,
        json: bool,
        stop: &CancellationToken,
    ) -> Result<ExitStatus, Fatal> {
        // Ends with the jobs, not before: what they land at the end is still folded.
        let worker_stop = CancellationToken::new();
        let (opened, mut worker) = match (self.count_only, config.kafka.is_some()) {
            (true, _) => (None, None),
            (false, true) => match Opened::of_cluster(&config, stop).await? {
                Some(opened) => (Some(opened), None),
                None => return Err(stopped()),
            },
            (false, false) => {
                let beside = "stop it, backfill, and start it again";
                let (opened, worker) = here::start(config, None, beside, &worker_stop).await?;
                (Some(opened), Some(worker))
            }
        };
        let ends = match &opened {
            Some(opened) => Ends { landing: Arc::clone(&opened.landing), sink: Arc::clone(&opened.sink) },
            None => {
                let count = Arc::new(Count::default());
                Ends { landing: count.clone(), sink: count }
            }
        };
        let mut screen = Screen::new(json);
        let ended = run(jobs, &ends, &mut screen, worker.as_mut(), stop).await;
        if let (Some(opened), Some(worker)) = (&opened, worker.as_mut()) {
            until_folded(opened, &mut screen, worker, stop).await;
        }
        screen.finish();
        worker_stop.cancel();
        drop((ends, opened));
        if let Some(worker) = worker {
            // Whatever ended it says more than that nothing more was landed.
            worker.await.map_err(|error| Fatal::new(ExitStatus::Software, error.to_string()))??;
        }
        conclude(ended, json)
    }
}

/// Calls a minute that a worker's live poll takes, with one more for a page that is full.
fn polls_of(config: &Config, org: &OrgConfig) -> u32 {
    let streamed = config.queues.iter().any(|queue| queue.orgs.contains(&org.id));
    match org.log.every(org.log.mode(streamed)).filter(|_| config.kafka.is_some()) {
        Some(every) => u32::try_from(60_u64.div_ceil(every.as_secs().max(1))).unwrap_or(u32::MAX) + 1,
        None => 0,
    }
}

/// Runs all jobs at once and shows how they go.
async fn run(
    jobs: &[Arc<backfill::Backfill>],
    ends: &Ends,
    screen: &mut Screen,
    mut worker: Option<&mut here::Worker>,
    stop: &CancellationToken,
) -> Vec<Ended> {
    let mut running = JoinSet::new();
    for job in jobs {
        let (job, ends, stop) = (Arc::clone(job), ends.clone(), stop.clone());
        running.spawn(async move { job.run(ends, &stop).await });
    }
    let mut ended = Vec::new();
    loop {
        let worker_ended = worker.as_ref().is_some_and(|worker| worker.is_finished());
        if worker_ended && !stop.is_cancelled() {
            stop.cancel();
            worker = None;
        }
        tokio::select! {
            one = running.join_next() => match one {
                Some(Ok(one)) => {
                    screen.ended(&one);
                    ended.push(one);
                }
                // One that broke down has said so on standard error.
                Some(Err(_)) => {}
                None => return ended,
            },
            () = tokio::time::sleep(TICK) => {
                let open = jobs.iter().filter(|job| ended.iter().all(|one: &Ended| one.org != *job.org()));
                screen.show(open.map(|job| (job.org(), job.report())), stop.is_cancelled());
            }
        }
    }
}

/// Waits until all that has landed is published, if this process does it.
async fn until_folded(opened: &Opened, screen: &mut Screen, worker: &here::Worker, stop: &CancellationToken) {
    while let Some(left) = opened.unfolded().filter(|left| *left > 0) {
        if worker.is_finished() {
            return;
        }
        screen.folding(left);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TICK / 5) => {}
        }
    }
}

async fn estimate(jobs: &[Arc<backfill::Backfill>], json: bool, stop: &CancellationToken) -> Result<ExitStatus, Fatal> {
    let mut asking = JoinSet::new();
    for (at, job) in jobs.iter().enumerate() {
        let (job, stop) = (Arc::clone(job), stop.clone());
        asking.spawn(async move { (at, job.estimate(&stop).await) });
    }
    let mut estimates: Vec<(usize, OrgId, Estimate)> = Vec::new();
    while let Some(asked) = asking.join_next().await {
        let (at, asked) = asked.map_err(|error| Fatal::new(ExitStatus::Software, error.to_string()))?;
        let (Some(estimate), Some(job)) = (asked?, jobs.get(at)) else { return Err(stopped()) };
        estimates.push((at, job.org().clone(), estimate));
    }
    estimates.sort_by_key(|(at, ..)| *at);
    let estimates: Vec<_> = estimates.into_iter().map(|(_, org, estimate)| (org, estimate)).collect();
    print(&if json { format!("{}\n", show::estimates_as_json(&estimates)) } else { show::estimates(&estimates) })?;
    Ok(ExitStatus::Ok)
}

fn conclude(mut ended: Vec<Ended>, json: bool) -> Result<ExitStatus, Fatal> {
    ended.sort_by(|one, other| one.org.as_str().cmp(other.org.as_str()));
    let text = if json {
        format!("{}\n", json!(ended.iter().map(show::as_json).collect::<Vec<_>>()))
    } else {
        show::table(&ended)
    };
    print(&text)?;
    let is_whole = |one: &Ended| one.summary.lost.is_empty() && one.summary.differing.is_empty();
    let whole = ended.iter().all(is_whole);
    let was_stopped = ended.iter().any(|one| matches!(one.result, Ok(Finish::Stopped)));
    // The table says how each ended; the exit status can tell only one.
    for one in ended {
        one.result?;
    }
    match (was_stopped, whole) {
        (true, _) => Err(stopped()),
        (false, true) => Ok(ExitStatus::Ok),
        (false, false) => Ok(ExitStatus::SomeFailed),
    }
}

fn print(text: &str) -> Result<(), Fatal> {
    super::super::print(text).map_err(|error| {
        Fatal::new(ExitStatus::Io, "standard output cannot be written").because(std::io::Error::other(error))
    })
}

fn stopped() -> Fatal {
    Fatal::new(ExitStatus::SomeFailed, "stopped before all was read")
        .hint("run the same command again: it goes on where this stopped")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{KafkaConfig, QueueConfig};

    #[test]
    fn what_the_live_poll_takes_is_left_to_it() {
        let org = OrgConfig { id: "acme".into(), ..OrgConfig::default() };
        let alone = Config::default();
        assert_eq!(polls_of(&alone, &org), 0, "without Kafka no worker runs meanwhile");
        let primary = Config { kafka: Some(KafkaConfig::default()), ..Config::default() };
        assert_eq!(polls_of(&primary, &org), 13, "each five seconds");
        let queue = QueueConfig { orgs: vec!["acme".into()], ..QueueConfig::default() };
        let heal = Config { queues: vec![queue], ..primary };
        assert_eq!(polls_of(&heal, &org), 2, "once a minute");
    }
}
