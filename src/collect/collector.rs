//! Reads one org for as long as its partition is ours: what was begun is finished, what is asked for or due is begun.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::fetch::{Fetched, Wanted, fetch};
use super::land::Room;
use super::observe::{Roster, record};
use super::org::{BETWEEN_LOOKS, Org, Trouble, look_again};
use super::plan::{Plan, Selection};
use super::schedule::Schedule;
use super::snapshot;
use super::table::Collection;
use super::{audits, errands, relists};
use crate::config::{ApiConfig, QuotaConfig, SnapshotConfig};
use crate::error::{Chain, Fatal};
use crate::landing::{self, LandingLog, Origin};
use crate::merge::StateReader;
use crate::merge::snapshots::{Begun, CollectionEnded, Ended, Mark, Outcome, Requested, Run, Snapshots};
use crate::okta::api::Client;
use crate::okta::gate::Gate;
use crate::okta::{Engine, OrgId, Pace};
use crate::telemetry::{Component, metrics};

/// Pause after trouble that may pass, doubled up to the longest: a broker that restarts is back within seconds.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How an org is read.
#[derive(Clone)]
pub struct Settings {
    /// Which org.
    pub org: OrgId,
    /// The way in.
    pub api: ApiConfig,
    /// How much of its limits may be used.
    pub quota: QuotaConfig,
    /// What is read by itself, and when.
    pub snapshot: SnapshotConfig,
    /// How its time goes: as ours, unless it is a simulated one.
    pub pace: Pace,
}

/// Where what is read goes, and where it is remembered.
#[derive(Clone)]
pub struct Ends {
    /// The log.
    pub landing: Arc<dyn LandingLog>,
    /// Room on the way there, for all orgs together.
    pub room: Room,
    /// The state of the org's partition.
    pub state: Arc<dyn StateReader>,
    /// The next offset after every commit of the partition; its sender goes when the partition does.
    pub committed: watch::Receiver<u64>,
    /// Where the log ended when the partition became ours.
    pub end: u64,
}

impl Ends {
    /// Waits until the state is as new as the log was when the partition became ours; false if it is ours no more.
    pub async fn caught_up(&self) -> bool {
        let mut committed = self.committed.clone();
        committed.wait_for(|next| *next >= self.end).await.is_ok()
    }
}

/// Whether the way in can be tried at all: for the start of a process, when somebody is there to mend it.
///
/// # Errors
/// What only a person can mend, such as a key file that is not there.
pub fn check_way_in(api: &ApiConfig) -> Result<(), Fatal> {
    Client::new(api, &[], 0).map(|_| ())
}

/// Reads the org until stopped. `gate` is the one that all of this org's calls pass.
///
/// # Errors
/// When the landing log cannot be written until a person acts.
pub async fn run(
    settings: Settings,
    ends: Ends,
    gate: Gate,
    health: Component,
    stop: CancellationToken,
) -> Result<(), Fatal> {
    let access = Access { settings, ends, gate };
    let collector = Collector { access: access.clone(), health };
    // All of them wait for answers and for time, so one task is enough for them.
    tokio::select! {
        fatal = collector.go_on() => fatal,
        fatal = errands::go_on(&access) => fatal,
        fatal = relists::go_on(&access) => fatal,
        fatal = audits::go_on(&access) => fatal,
        () = stop.cancelled() => Ok(()),
    }
}

struct Collector {
    access: Access,
    health: Component,
}

impl Collector {
    async fn go_on(&self) -> Result<(), Fatal> {
        let mut pause = FIRST_PAUSE;
        self.health.ready("waits until the state is as new as the log");
        if !self.access.ends.caught_up().await {
            return Ok(());
        }
        self.show();
        loop {
            let worked = self.step().await;
            let trouble = match worked {
                Ok(()) | Err(Trouble::Superseded) => {
                    pause = FIRST_PAUSE;
                    continue;
                }
                // The owner of the partition is gone, and we with it.
                Err(Trouble::Stopped(_)) => return Ok(()),
                Err(trouble) => {
                    trouble.unless_hopeless("what was read cannot be landed", "the snapshot goes on where it was")?
                }
            };
            let (org, pause_ms) = (&self.access.settings.org, pause.as_millis());
            tracing::warn!(%org, error = %Chain(&trouble), pause_ms, "reading the org pauses");
            self.health.ready(format!("pauses: {}", Chain(&trouble)));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// What was known before this process began, as metrics.
    fn show(&self) {
        let org = self.access.settings.org.as_str();
        for (name, standing) in self.access.standing().map(|standing| standing.standings).unwrap_or_default() {
            let Some(collection) = Collection::find(&name) else { continue };
            metrics::collection(org, collection.name, standing.outcome.word(), &Outcome::WORDS, standing.objects);
            if let Some(epoch) = standing.last_complete {
                metrics::collection_complete(org, collection.name, epoch);
            }
        }
    }

    /// Finishes the snapshot that runs, begins the next, or waits for something to happen.
    async fn step(&self) -> Result<(), Trouble> {
        let mut committed = self.access.ends.committed.clone();
        committed.mark_unchanged();
        let standing = self.access.standing()?;
        if let Some(run) = standing.running {
            return self.finish(run).await;
        }
        if let Some(requests) = next_requests(&standing.requests) {
            return match requests.iter().any(|request| !request.objects.is_empty()) {
                true => self.fetch(&standing, requests).await,
                false => self.begin(&standing, requests).await,
            };
        }
        let due = self.schedule().due(&self.access.settings.org, standing.last_whole.as_ref());
        let wait = due.map(|due| Duration::from_millis(u64::try_from(due - landing::now_ms()).unwrap_or(0)));
        if wait == Some(Duration::ZERO) {
            return self.begin(&standing, Vec::new()).await;
        }
        self.tell(&standing, wait);
        // Every commit of the partition wakes us; the state is not looked at for each.
        tokio::time::sleep(BETWEEN_LOOKS).await;
        tokio::select! {
            () = sleep(wait) => Ok(()),
            changed = committed.changed() => changed.map_err(|_| Trouble::Stopped("the partition has no owner".into())),
        }
    }

    fn schedule(&self) -> Schedule {
        Schedule::new(&self.access.settings.snapshot)
    }

    fn tell(&self, standing: &Snapshots, wait: Option<Duration>) {
        let last = match &standing.last_whole {
            None => "no snapshot yet".to_owned(),
            Some(last) => match &last.aborted {
                Some(why) => format!("the last snapshot was given up: {why}"),
                None => "the last snapshot has ended".to_owned(),
            },
        };
        let next = match wait {
            Some(wait) => format!("the next one in {} minutes", wait.as_secs().div_ceil(60)),
            None => "the next one on request".to_owned(),
        };
        self.health.ready(format!("{last}, {next}"));
    }

    /// Lands the beginning of a snapshot and waits until it is part of the state.
    async fn begin(&self, standing: &Snapshots, requests: Vec<Requested>) -> Result<(), Trouble> {
        let asked: Vec<String> = requests.first().map(|request| request.collections.clone()).unwrap_or_default();
        let whole = asked.is_empty();
        let chosen = if whole { self.access.settings.snapshot.selection() } else { Selection::Only(asked) };
        let mut without = if whole { self.access.settings.snapshot.without.clone() } else { Vec::new() };
        if whole && requests.is_empty() {
            let rolling = audits::rolling(&self.access.settings.snapshot, standing);
            without.extend(rolling.into_iter().map(|collection| collection.name.to_owned()));
        }
        // The engine is not known before anybody has asked, and asking takes scopes.
        let scopes = match Plan::new(&chosen, &without, Engine::Unknown) {
            Ok(plan) => plan.scopes(),
            Err(error) => return self.refuse(standing, requests, whole, error.to_string()).await,
        };
        let (org, engine) = match self.access.org_of(&scopes).await {
            Err(Trouble::NoWayIn(why)) => return self.refuse(standing, requests, whole, why).await,
            made => made?,
        };
        let Plan { collections, unavailable, .. } = match Plan::new(&chosen, &without, engine) {
            Ok(plan) => plan,
            Err(error) => return self.refuse(standing, requests, whole, error.to_string()).await,
        };
        let epoch = next_epoch(org.now_ms(), standing);
        let begun = Mark::Begun(Begun {
            epoch,
            requests: requests.into_iter().map(|request| request.id).collect(),
            whole,
            engine: engine.name().to_owned(),
            rosters: Roster::all(&collections).into_iter().map(|roster| roster.name).collect(),
            collections: collections
                .iter()
                .map(|row| row.name)
                .chain(unavailable.iter().copied())
                .map(str::to_owned)
                .collect(),
        });
        // What an org of this engine cannot have is not asked for, but told like what it turns out not to have.
        for row in unavailable.iter().filter_map(|name| Collection::find(name)) {
            let word = Outcome::FeatureOff.word();
            metrics::collection(self.access.settings.org.as_str(), row.name, word, &Outcome::WORDS, 0);
        }
        let off = unavailable.iter().map(|name| {
            let (collection, outcome) = ((*name).to_owned(), Outcome::FeatureOff);
            Mark::CollectionEnded(CollectionEnded { epoch, collection, outcome, objects: 0, calls: 0 })
        });
        let records = std::iter::once(begun).chain(off).map(|mark| record(&mark)).collect();
        tracing::info!(org = %self.access.settings.org, epoch, collections = collections.len(), "snapshot begins");
        org.lander.land(Origin::Snapshot, records).await.map_err(Trouble::NotLanded)?;
        self.until_known(epoch, |standing| {
            let ended = |run: &Run, name: &str| run.readings.get(name).is_some_and(|reading| reading.ended.is_some());
            standing.running.as_ref().is_none_or(|run| unavailable.iter().all(|name| ended(run, name)))
        })
        .await?;
        match self.access.standing()?.running.filter(|run| run.epoch == epoch) {
            Some(run) => self.read(&org, run).await,
            None => Ok(()),
        }
    }

    /// Reads single objects: a snapshot without collections, whose verdicts say how each was read and which are no
    /// reading of the collection as a whole.
    async fn fetch(&self, standing: &Snapshots, requests: Vec<Requested>) -> Result<(), Trouble> {
        let mut wanted = Wanted::default();
        let mut refused = None;
        let since = requests.first().and_then(|request| request.since);
        for object in requests.iter().flat_map(|request| &request.objects) {
            match Wanted::parse(object) {
                Ok((collection, key)) => wanted.add(collection, key, since),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        if let Some(why) = refused {
            return self.refuse(standing, requests, false, why).await;
        }
        let (org, engine) = match self.access.org_of(&wanted.scopes()).await {
            Err(Trouble::NoWayIn(why)) => return self.refuse(standing, requests, false, why).await,
            made => made?,
        };
        let epoch = next_epoch(org.now_ms(), standing);
        let begun = Mark::Begun(Begun {
            epoch,
            requests: requests.into_iter().map(|request| request.id).collect(),
            whole: false,
            engine: engine.name().to_owned(),
            collections: Vec::new(),
            rosters: Vec::new(),
        });
        org.lander.land(Origin::Fetch, vec![record(&begun)]).await.map_err(Trouble::NotLanded)?;
        let (fetched, aborted) = match fetch(&org, wanted).await {
            Ok(fetched) => (fetched, None),
            Err(Trouble::NoWayIn(why)) => (Vec::new(), Some(why)),
            Err(trouble) => return Err(trouble),
        };
        snapshot::report(&org, epoch).await;
        let mark = |Fetched { collection, outcome, objects, calls }| {
            let collection = collection.name.to_owned();
            record(&Mark::CollectionEnded(CollectionEnded { epoch, collection, outcome, objects, calls }))
        };
        let mut records: Vec<_> = fetched.into_iter().map(mark).collect();
        records.push(record(&Mark::Ended(Ended { epoch, aborted })));
        org.lander.land(Origin::Fetch, records).await.map_err(Trouble::NotLanded)?;
        self.until_known(epoch, |standing| standing.running.is_none()).await
    }

    /// Answers those who asked that nothing will come of it, and why.
    async fn refuse(
        &self,
        standing: &Snapshots,
        requests: Vec<Requested>,
        whole: bool,
        why: String,
    ) -> Result<(), Trouble> {
        tracing::error!(org = %self.access.settings.org, why, "the org cannot be read");
        let epoch = next_epoch(landing::now_ms(), standing);
        let begun = Mark::Begun(Begun {
            epoch,
            requests: requests.into_iter().map(|request| request.id).collect(),
            whole,
            engine: Engine::Unknown.name().to_owned(),
            collections: Vec::new(),
            rosters: Vec::new(),
        });
        let ended = Mark::Ended(Ended { epoch, aborted: Some(why) });
        let records = vec![record(&begun), record(&ended)];
        self.access.lander().land(Origin::Snapshot, records).await.map_err(Trouble::NotLanded)?;
        self.until_known(epoch, |standing| standing.running.is_none()).await
    }

    /// Waits until the state knows of a snapshot, and more.
    async fn until_known(&self, epoch: i64, more: impl Fn(&Snapshots) -> bool) -> Result<(), Trouble> {
        let mut committed = self.access.ends.committed.clone();
        loop {
            committed.mark_unchanged();
            let standing = self.access.standing()?;
            let newest =
                standing.running.as_ref().map(|run| run.epoch).max(standing.last.as_ref().map(|last| last.epoch));
            if newest >= Some(epoch) && more(&standing) {
                return Ok(());
            }
            look_again(&mut committed).await?;
        }
    }

    /// Goes on with what was begun by an earlier owner.
    async fn finish(&self, run: Run) -> Result<(), Trouble> {
        if run.readings.is_empty() {
            // Single objects were asked for, and which ones is nowhere but in the request.
            let why = "stopped before the objects were read; ask for them again".to_owned();
            let ended = Mark::Ended(Ended { epoch: run.epoch, aborted: Some(why) });
            let records = vec![record(&ended)];
            self.access.lander().land(Origin::Fetch, records).await.map_err(Trouble::NotLanded)?;
            return self.until_known(run.epoch, |standing| standing.running.is_none()).await;
        }
        let plan = Plan::new(&Selection::Only(run.readings.keys().cloned().collect()), &[], Engine::Unknown);
        let (org, _) = self.access.org_of(&plan.map(|plan| plan.scopes()).unwrap_or_default()).await?;
        tracing::info!(org = %self.access.settings.org, epoch = run.epoch, "a snapshot that was begun before goes on");
        self.read(&org, run).await
    }

    async fn read(&self, org: &Arc<Org>, run: Run) -> Result<(), Trouble> {
        self.health.ready(format!("a snapshot of {} collections runs", run.readings.len()));
        let epoch = run.epoch;
        snapshot::run(org, run).await?;
        // Only then another may begin.
        self.until_known(epoch, |standing| standing.running.as_ref().is_none_or(|run| run.epoch != epoch)).await?;
        let report = org.progress.report(epoch, org.now_ms() - epoch, &self.access.gate);
        let count = |word: &str| report.collections.iter().filter(|row| row.verdict.as_deref() == Some(word)).count();
        tracing::info!(
            org = %self.access.settings.org,
            epoch,
            seconds = report.elapsed_ms / 1_000,
            calls = report.calls,
            complete = count("complete"),
            forbidden = count("forbidden"),
            feature_off = count("feature_off"),
            partial = count("partial"),
            failed = count("failed"),
            "snapshot ended"
        );
        Ok(())
    }
}

/// The request that has waited longest, with all that ask for the same.
fn next_requests(waiting: &[Requested]) -> Option<Vec<Requested>> {
    let first = waiting.first()?;
    let what = |request: &Requested| (request.collections.clone(), request.objects.clone(), request.since);
    let same = |request: &&Requested| what(request) == what(first);
    Some(waiting.iter().filter(same).cloned().collect())
}

/// Now, but always later than the last one.
fn next_epoch(now_ms: i64, standing: &Snapshots) -> i64 {
    let newest = standing.last.as_ref().map_or(0, |last| last.epoch);
    now_ms.max(newest + 1)
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
