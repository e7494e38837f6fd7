//! `okta-ocsf collect`: asks for a snapshot, and shows how it goes.

mod follow;
mod show;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::follow::{Followed, News};
use self::show::Screen;
use super::run::on_signals;
use super::{ConfigArgument, here, orgs, runtime};
use crate::ack::Tally;
use crate::collect::{Plan, Selection};
use crate::config::{Config, LogMode, Role};
use crate::error::{Chain, ExitStatus, Fatal};
use crate::landing::{self, Content, LandingRecord, Origin};
use crate::merge::snapshots::{Mark, Requested};
use crate::okta::{Engine, OrgId, Pace};
use crate::telemetry::init_logging;
use crate::worker::Opened;

/// News that may wait for the screen. There is one every two seconds for each org, and one for each collection.
const NEWS: usize = 256;

/// Read the inventory of the orgs now
///
/// Asks whoever owns the orgs for a snapshot and shows how it goes: calls made and left, quota used, and when it will
/// end. A running worker does the reading, so that each org's rate limits have one spender; where none runs, this process
/// reads and lands what it reads, and goes on with what was left half read. Without Kafka it needs the data directory for
/// itself, so no worker may run.
///
/// Exit status 1 if a collection could be read only in part or not at all. What an org does not have or does not let us
/// see is no failure, unless it is named with --collections.
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf collect                                    all orgs, what is read by default
  okta-ocsf collect --org acme --collections users,groups
  okta-ocsf collect --objects users/00u1abc,group_members/00g1abc
  okta-ocsf collect --json | jq '.[].collections[] | select(.verdict != \"complete\")'")]
pub struct Collect {
    #[command(flatten)]
    config: ConfigArgument,
    /// Only these orgs; several by comma or by repeating
    #[arg(long, value_name = "ORG", value_delimiter = ',')]
    org: Vec<String>,
    /// Only these collections, by the names in docs/collections.md; several by comma or by repeating
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    collections: Vec<String>,
    /// Read single objects again instead, such as users/00u1 or group_members/00g1; several by comma or by repeating
    #[arg(long, value_name = "COLLECTION/ID", value_delimiter = ',', conflicts_with = "collections")]
    objects: Vec<String>,
    /// Since when the objects may have changed, RFC 3339; many of them are then read by a list of what has changed
    #[arg(long, value_name = "TIME", requires = "objects")]
    since: Option<Timestamp>,
    /// Read in this process even if workers run; with Kafka, the group decides which of them reads which org
    #[arg(long)]
    here: bool,
    /// A JSON array with one object for each org, when all have ended; progress goes to standard error
    #[arg(long)]
    json: bool,
    /// How many times as fast as ours the time of a simulated org goes
    #[arg(long, value_name = "RATE", hide = true)]
    clock_rate: Option<f64>,
}

impl Collect {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        let mut config = self.config.load()?;
        let orgs: Vec<_> = orgs::with_api(&config, &self.org)?.iter().map(|org| OrgId::new(&org.id)).collect();
        let plan = Plan::new(&Selection::Only(self.collections.clone()), &[], Engine::Unknown).map_err(|error| {
            Fatal::new(ExitStatus::Config, error.to_string()).hint("docs/collections.md lists them all")
        })?;
        if !plan.added.is_empty() {
            eprintln!("also read, as others are within their objects: {}", plan.added.join(", "));
        }
        for object in &self.objects {
            crate::collect::check_object(object).map_err(|what| Fatal::new(ExitStatus::Config, what))?;
        }
        self.prepare(&mut config);
        // What this command prints is for a person; the worker's own log would stand between the lines.
        if config.telemetry.log_level == "info" {
            config.telemetry.log_level = "error".into();
        }
        init_logging(&config.telemetry).map_err(|what| Fatal::new(ExitStatus::Config, what))?;
        let runtime = runtime()?;
        let result = runtime.block_on(self.collect(config, orgs));
        runtime.shutdown_background();
        Ok(result?)
    }

    /// A worker that does nothing else, and listens nowhere: another one may use the port.
    fn prepare(&self, config: &mut Config) {
        config.worker.roles = vec![Role::Collect, Role::Normalize];
        config.telemetry.listen = String::new();
        for org in &mut config.orgs {
            org.snapshot.interval_hours = 0;
            org.log.mode = Some(LogMode::Off);
            // Nor is anything read between snapshots.
            (org.snapshot.relist_minutes, org.snapshot.audit_hours) = (0, 0);
        }
    }

    async fn collect(&self, config: Config, orgs: Vec<OrgId>) -> Result<ExitStatus, Fatal> {
        let stop = CancellationToken::new();
        let signals = tokio::spawn(on_signals(stop.clone()));
        let remote = match config.kafka.is_some() && !self.here {
            true => match Opened::of_cluster(&config, &stop).await? {
                Some(opened) => (opened.workers()? > 0).then_some(opened),
                None => return Err(interrupted()),
            },
            false => None,
        };
        let (opened, worker) = match remote {
            Some(opened) => (opened, None),
            None => {
                let pace = self.clock_rate.map(Pace::times);
                let advice = "its schedule reads the orgs; to read them now, stop it, collect, and start it again";
                let (opened, worker) = here::start(config, pace, advice, &stop).await?;
                (opened, Some(worker))
            }
        };
        let by = if worker.is_some() { "this process" } else { "the running workers" };
        let ended = self.ask_and_follow(opened, &orgs, by, &stop).await;
        signals.abort();
        stop.cancel();
        if let Some(worker) = worker {
            // Whatever ended it says more than that nothing was heard of it.
            worker.await.map_err(|error| Fatal::new(ExitStatus::Software, error.to_string()))??;
        }
        self.conclude(&ended?)
    }

    /// Lands the requests and shows what comes of them.
    async fn ask_and_follow(
        &self,
        opened: Opened,
        orgs: &[OrgId],
        by: &str,
        stop: &CancellationToken,
    ) -> Result<Vec<Followed>, Fatal> {
        let unheard = |error: crate::landing::LandingError| {
            Fatal::new(ExitStatus::Unavailable, "the landing log cannot be watched").because(error)
        };
        let (news, mut heard) = mpsc::channel(NEWS);
        let opened = Arc::new(opened);
        for org in orgs {
            let id = Uuid::new_v4().to_string();
            // First the watch, so that nothing of the answer is missed.
            let watch = opened.watch(org.as_str()).map_err(unheard)?;
            tokio::select! {
                () = stop.cancelled() => return Err(interrupted()),
                asked = self.ask(&opened, org, &id) => asked?,
            }
            follow::start(org.clone(), id, watch, news.clone(), stop.clone());
        }
        drop((news, opened));
        let mut screen = Screen::new(orgs, by, self.json);
        let mut ended = Vec::new();
        while ended.len() < orgs.len() {
            let one = tokio::select! {
                () = stop.cancelled() => break,
                one = heard.recv() => one,
                () = tokio::time::sleep(Duration::from_secs(1)) => { screen.tick(); continue }
            };
            match one {
                Some(News::Ended(followed)) => {
                    screen.ended(&followed);
                    ended.push(*followed);
                }
                Some(news) => screen.tell(&news),
                None => break,
            }
        }
        screen.finish();
        if ended.len() < orgs.len() {
            return Err(interrupted());
        }
        Ok(ended)
    }

    async fn ask(&self, opened: &Opened, org: &OrgId, id: &str) -> Result<(), Fatal> {
        let failed = |error: &dyn std::fmt::Display| {
            Fatal::new(ExitStatus::Unavailable, format!("the request for {org} was not landed: {error}"))
        };
        let (collections, objects) = (self.collections.clone(), self.objects.clone());
        let since = self.since.map(Timestamp::as_millisecond);
        let mark = Mark::Requested(Requested { id: id.to_owned(), collections, objects, since });
        let (name, value) = mark.write().map_err(|error| failed(&error))?;
        let record = LandingRecord {
            org: org.clone(),
            origin: Origin::Command,
            landed_at: landing::now_ms(),
            content: Content::Mark { name: name.to_owned() },
            value,
        };
        let tally = Tally::default();
        opened.landing.append(record, tally.ack()).map_err(|_| failed(&"the log takes nothing now"))?;
        tally.settled().await.map_err(|error| failed(&Chain(&error)))
    }

    fn conclude(&self, ended: &[Followed]) -> Result<ExitStatus, Fatal> {
        if self.json {
            let all: Vec<_> = ended.iter().map(Followed::to_json).collect();
            super::print(&format!("{}\n", json!(all))).map_err(|error| {
                Fatal::new(ExitStatus::Io, "standard output cannot be written").because(std::io::Error::other(error))
            })?;
        }
        let named = |name: &str| !self.objects.is_empty() || self.collections.iter().any(|wanted| wanted == name);
        let fine = ended.iter().all(|followed| followed.is_fine(&named));
        Ok(if fine { ExitStatus::Ok } else { ExitStatus::SomeFailed })
    }
}

fn interrupted() -> Fatal {
    Fatal::new(ExitStatus::SomeFailed, "interrupted before all was read")
        .hint("run it again, or let a worker run: it goes on where this stopped")
}
