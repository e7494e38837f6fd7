//! A backfill of one org, from the first question to the last sample.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::estimate::{self, Estimate};
use super::job::{JobKey, Reserved};
use super::land::{Ends, Lander, Trouble};
use super::plan::{Check, Plan, Slice, Stage};
use super::progress::{Phase, Progress, Report};
use super::read::{Log, Work, read_slices};
use super::remedy::{Patience, Remedy};
use super::span::{Moment, SETTLE_MS, Span};
use super::verify::{Open, verify_slices};
use crate::config::{ApiConfig, QuotaConfig};
use crate::error::{ExitStatus, Fatal};
use crate::landing;
use crate::okta::api::Client;
use crate::okta::gate::Gate;
use crate::okta::quota::{Policy, Priority};
use crate::okta::{OrgId, Pace, share};

/// What it takes to read the log.
const SCOPE: &str = "okta.logs.read";

/// What is asked for, and how.
#[derive(Clone)]
pub struct Settings {
    /// Whose log.
    pub org: OrgId,
    /// The way in.
    pub api: ApiConfig,
    /// How much of its limits may be used.
    pub quota: QuotaConfig,
    /// What was asked for, in its words, and what they mean.
    pub key: JobKey,
    /// See [`Settings::key`].
    pub since: Moment,
    /// See [`Settings::key`]; without it, all that is settled.
    pub until: Option<Moment>,
    /// Slices that are read side by side.
    pub parallel: usize,
    /// Calls of each minute that are left to the live poll of another process.
    pub keep_free: u32,
    /// Whether a part of each slice is asked for again.
    pub verify: bool,
    /// Whether a job that is finished is done again.
    pub again: bool,
    /// Where the job's file is.
    pub folder: PathBuf,
    /// How the org's time goes.
    pub pace: Pace,
}

/// A backfill that can be looked at while it runs.
pub struct Backfill {
    settings: Settings,
    progress: Arc<Progress>,
    work: OnceLock<Arc<Work>>,
    /// What was done before, where nothing is left to do.
    done_before: OnceLock<Summary>,
}

/// How it ended, if nothing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// All was read.
    Done,
    /// All had been read before, and nothing was asked for.
    DoneBefore,
    /// It was stopped; it goes on where it is.
    Stopped,
}

/// What has come of a job so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Name of the job.
    pub job: String,
    /// The time that is read.
    pub span: Option<Span>,
    /// Slices that are read, of how many.
    pub read: u64,
    /// See [`Summary::read`].
    pub slices: u64,
    /// Events, each once.
    pub events: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Pages that were read.
    pub pages: u64,
    /// Slices whose sample was the same the second time.
    pub same: u64,
    /// Those that could not be asked for a second time, as Okta keeps them no longer.
    pub expired: u64,
    /// Those that were read anew, because something had changed.
    pub read_anew: u64,
    /// Those that are another each time.
    pub differing: Vec<Span>,
    /// What Okta dropped before it was read.
    pub lost: Vec<Span>,
}

/// How a backfill has ended.
#[derive(Debug)]
pub struct Ended {
    /// Whose.
    pub org: OrgId,
    /// How, or what a person must mend.
    pub result: Result<Finish, Fatal>,
    /// What has come of it.
    pub summary: Summary,
    /// How long this process took, ms of the org's time.
    pub elapsed_ms: i64,
    /// Calls of this process, and how many of them a rate limit refused.
    pub calls: u64,
    /// See [`Ended::calls`].
    pub refused: u64,
}

impl Backfill {
    /// One that has not begun.
    pub fn new(settings: Settings) -> Self {
        Self { settings, progress: Arc::default(), work: OnceLock::new(), done_before: OnceLock::new() }
    }

    /// Whose log it reads.
    pub fn org(&self) -> &OrgId {
        &self.settings.org
    }

    /// How far it is.
    pub fn report(&self) -> Report {
        match self.work.get() {
            Some(work) => self.progress.report(work, self.settings.verify),
            None => self.progress.asking(),
        }
    }

    /// Reads all that is asked for and not read yet. With `stop` it ends after the pages that are under way.
    pub async fn run(&self, ends: Ends, stop: &CancellationToken) -> Ended {
        let begun_ms = self.settings.pace.steady_ms();
        let result = match self.read(ends, stop).await {
            Ok(finish) => Ok(finish),
            Err(Trouble::Stopped) => Ok(Finish::Stopped),
            Err(Trouble::Fatal(fatal)) => Err(fatal),
        };
        let report = self.report();
        Ended {
            org: self.settings.org.clone(),
            result,
            summary: self.summary(),
            elapsed_ms: self.settings.pace.steady_ms() - begun_ms,
            calls: report.calls,
            refused: report.refused,
        }
    }

    /// What it would take, from a few calls; nothing is landed.
    ///
    /// # Errors
    /// What only a person can mend; `None` when it was stopped.
    pub async fn estimate(&self, stop: &CancellationToken) -> Result<Option<Estimate>, Fatal> {
        let made = async {
            let log = self.log(stop).await?;
            let span = self.span(&log)?;
            let slices = Plan::new(span, self.settings.parallel).slices().len() as u64;
            estimate::estimate(&log, span, slices, self.settings.verify).await
        };
        match made.await {
            Ok(estimate) => Ok(Some(estimate)),
            Err(Trouble::Stopped) => Ok(None),
            Err(Trouble::Fatal(fatal)) => Err(fatal),
        }
    }

    async fn read(&self, ends: Ends, stop: &CancellationToken) -> Result<Finish, Trouble> {
        let Settings { org, key, folder, api, .. } = &self.settings;
        // First the name: two of one job should not both ask.
        let reserved = Reserved::take(folder, key.clone(), org, &api.url)?;
        // Whoever meets trouble that a person must mend stops the others, and nobody else.
        let stop = stop.child_token();
        let log = self.log(&stop).await?;
        let job = match reserved.open_span() {
            Some(_) => reserved.resume().ok_or(Trouble::Stopped)?,
            None => {
                let span = self.span(&log)?;
                match !self.settings.again && reserved.covers(span) {
                    false => reserved.begin(span, self.settings.parallel),
                    true => {
                        let job = reserved.resume().ok_or(Trouble::Stopped)?;
                        if !self.settings.verify || Open::of(&job).is_empty() {
                            self.done_before.get_or_init(|| summary(job.name(), job.span(), &job.slices()));
                            return Ok(Finish::DoneBefore);
                        }
                        // It was read, and nobody has looked at it again.
                        job
                    }
                }
            }
        };
        job.save().await?;
        let lander = Lander { org: org.clone(), ends, progress: Arc::clone(&self.progress), stop: stop.clone() };
        let before = job.slices().iter().map(|slice| slice.tally.events).sum();
        self.progress.begin(before, self.settings.pace.steady_ms());
        let work = self.work.get_or_init(|| Arc::new(Work { log, job, lander }));
        let done = self.read_and_verify(work, &stop).await;
        // What was noted since the last second, however it ended.
        let saved = work.job.save().await;
        done?;
        saved?;
        work.job.finish().await?;
        Ok(Finish::Done)
    }

    /// Slices whose sample is another one are read again, so it goes round until all are settled.
    async fn read_and_verify(&self, work: &Arc<Work>, stop: &CancellationToken) -> Result<(), Trouble> {
        loop {
            self.progress.enter(Phase::Reading);
            self.side_by_side(stop, || read_slices(Arc::clone(work))).await?;
            if !self.settings.verify {
                return Ok(());
            }
            self.progress.enter(Phase::Verifying);
            let open = Arc::new(Open::of(&work.job));
            self.side_by_side(stop, || verify_slices(Arc::clone(work), Arc::clone(&open))).await?;
            work.job.save().await?;
            if work.job.is_read() {
                return Ok(());
            }
        }
    }

    async fn side_by_side<F>(&self, stop: &CancellationToken, reader: impl Fn() -> F) -> Result<(), Trouble>
    where
        F: Future<Output = Result<(), Trouble>> + Send + 'static,
    {
        let mut readers = JoinSet::new();
        for _ in 0..self.settings.parallel.max(1) {
            readers.spawn(reader());
        }
        let mut ended = Ok(());
        while let Some(reader) = readers.join_next().await {
            let trouble = match reader {
                Ok(Ok(())) => continue,
                Ok(Err(trouble)) => trouble,
                Err(error) => Fatal::new(ExitStatus::Software, "a reader broke down").because(error).into(),
            };
            stop.cancel();
            // That one was stopped says less than what stopped it.
            if !matches!(ended, Err(Trouble::Fatal(_))) {
                ended = Err(trouble);
            }
        }
        ended
    }

    /// The way into the log, after a first call: whether we may read it, whether Okta understands the filter, and what
    /// time it is there.
    async fn log(&self, stop: &CancellationToken) -> Result<Log, Trouble> {
        let Settings { org, api, quota, key, keep_free, pace, .. } = &self.settings;
        let seed = u64::try_from(landing::now_ms()).unwrap_or_default();
        let client = Client::new(api, &[SCOPE, share::SCOPE], seed)?.at_pace(*pace);
        // What is kept for fetches and polls of this process would be kept for nobody.
        let policy = Policy { spare: *keep_free, reserve: 0.0, ..share::policy(quota) };
        let gate = Gate::new(org.as_str(), policy, *pace);
        let log =
            Log { client, gate, filter: key.filter.clone(), progress: Arc::clone(&self.progress), stop: stop.clone() };
        self.first_call(&log).await?;
        let meter = log.gate.at(Priority::Snapshot);
        let share = tokio::select! {
            (share, _) = share::share_of(api, quota, &log.client, &meter) => share,
            () = stop.cancelled() => return Err(Trouble::Stopped),
        };
        log.gate.set_share(share);
        Ok(log)
    }

    async fn first_call(&self, log: &Log) -> Result<(), Trouble> {
        let until = log.client.now_ms() - SETTLE_MS;
        let mut patience = Patience::default();
        loop {
            let request = log.between(until - SETTLE_MS, until, 1)?;
            let fault = match log.ask(&request).await? {
                Ok(_) => break,
                Err(fault) => fault,
            };
            match patience.after(&fault, 1, false) {
                Remedy::After(pause) => log.pause(pause, &fault).await?,
                Remedy::GiveUp(fatal) => return Err(fatal.into()),
                Remedy::Again | Remedy::Halve | Remedy::Seek | Remedy::Smaller(_) => {}
            }
        }
        self.progress.goes_on();
        Ok(())
    }

    fn span(&self, log: &Log) -> Result<Span, Fatal> {
        let Settings { since, until, .. } = self.settings;
        Span::resolve(since, until, log.client.now_ms())
            .map_err(|error| Fatal::new(ExitStatus::Config, error.to_string()))
    }

    fn summary(&self) -> Summary {
        if let Some(work) = self.work.get() {
            return summary(work.job.name(), work.job.span(), &work.job.slices());
        }
        let before = self.done_before.get().cloned();
        before.unwrap_or_else(|| Summary { job: self.settings.key.name(), ..Summary::default() })
    }
}

fn summary(job: &str, span: Span, slices: &[Slice]) -> Summary {
    let mut summary =
        Summary { job: job.to_owned(), span: Some(span), slices: slices.len() as u64, ..Summary::default() };
    for slice in slices {
        let span = Span { since: slice.since, until: slice.until };
        summary.read += u64::from(slice.stage == Stage::Read);
        summary.events += slice.tally.events;
        summary.bytes += slice.bytes;
        summary.pages += slice.pages;
        summary.same += u64::from(slice.check == Check::Same);
        summary.expired += u64::from(slice.check == Check::Gone);
        summary.read_anew += u64::from(slice.again > 0);
        if slice.check == Check::Differs {
            summary.differing.push(span);
        }
        if slice.stage == Stage::Lost {
            summary.lost.push(span);
        }
    }
    summary
}
