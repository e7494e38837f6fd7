//! From files, without Okta's API.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::super::moving::Moving;
use super::super::run::on_signals;
use super::super::words::{bar, bytes, grouped, span};
use super::super::{here, runtime};
use crate::config::{Config, QueueConfig, Role};
use crate::error::{Chain, ExitStatus, Fatal};
use crate::ingest::QueueOrgs;
use crate::ingest::files::{Counts, Elements, FileJob, LoadError, Loader, Packing, Place, Source, Watch};
use crate::okta::OrgId;
use crate::publish::Limit;
use crate::telemetry::init_logging;
use crate::worker::Opened;

/// How often the progress is shown on a terminal, and in plain lines.
const TICK: Duration = Duration::from_millis(500);
const BETWEEN_LINES: Duration = Duration::from_secs(15);

/// What is asked for.
pub(super) struct FromFiles {
    /// Files of events; `-` is standard input.
    pub paths: Vec<PathBuf>,
    /// Whose events they are.
    pub org: String,
    /// Folder of the job files.
    pub state: PathBuf,
    /// Land what was landed before, too.
    pub again: bool,
    /// One JSON array at the end instead of a table.
    pub json: bool,
    /// Where they land.
    pub config: Config,
}

/// How one file has ended.
struct Ended {
    path: PathBuf,
    packing: Option<Packing>,
    /// As it lies there.
    bytes: u64,
    counts: Counts,
    elapsed: Duration,
    finish: Finish,
}

enum Finish {
    Landed,
    /// By an earlier run.
    Before,
    /// An array has no end: the export broke off.
    NoEnd,
    Interrupted(Place),
    Failed(LoadError),
}

/// A file that is being landed, for the progress.
struct Current {
    name: String,
    size: Option<u64>,
    read: Arc<AtomicU64>,
    watch: Arc<Watch>,
    began: Instant,
}

impl FromFiles {
    pub fn main(self) -> anyhow::Result<ExitStatus> {
        let mut config = self.config.clone();
        let org = config.orgs.iter().find(|org| org.id == self.org).ok_or_else(|| {
            Fatal::new(ExitStatus::Config, format!("there is no org {:?} in the configuration", self.org))
                .hint("--org takes the id of the [[org]] whose events these are")
        })?;
        let org = OrgId::new(&org.id);
        // All files are looked at before anything is landed, so that a mistyped name costs no half-done work.
        let jobs: Vec<_> = self.paths.iter().map(|path| self.job(path, &org)).collect::<Result<_, _>>()?;
        config.worker.roles = vec![Role::Normalize];
        config.telemetry.listen = String::new();
        // What this command prints is for a person; the log would stand between the lines.
        if config.telemetry.log_level == "info" {
            config.telemetry.log_level = "error".into();
        }
        init_logging(&config.telemetry).map_err(|what| Fatal::new(ExitStatus::Config, what))?;
        let runtime = runtime()?;
        let result = runtime.block_on(async {
            let stop = CancellationToken::new();
            let signals = tokio::spawn(on_signals(stop.clone()));
            let result = self.land(jobs, config, &stop).await;
            signals.abort();
            result
        });
        // A reader of standard input may wait for ever.
        runtime.shutdown_background();
        Ok(result?)
    }

    /// What is no file, such as standard input or a pipe, has no job: nobody could go on with it.
    fn job(&self, path: &Path, org: &OrgId) -> Result<(PathBuf, Option<FileJob>), Fatal> {
        let unreadable = |error: std::io::Error| {
            Fatal::new(ExitStatus::Io, format!("cannot read {}", path.display())).because(error)
        };
        if path.as_os_str() == "-" {
            return Ok((path.to_owned(), None));
        }
        // A pipe must not be opened to look: what is read of it is gone.
        let metadata = path.metadata().map_err(unreadable)?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Ok((path.to_owned(), None));
        }
        Source::open(path).map_err(unreadable)?;
        Ok((path.to_owned(), Some(FileJob::take(&self.state, org, path, self.again)?)))
    }

    async fn land(
        &self,
        jobs: Vec<(PathBuf, Option<FileJob>)>,
        config: Config,
        stop: &CancellationToken,
    ) -> Result<ExitStatus, Fatal> {
        let limits = (config.quarantine.window, config.quarantine.stop_percent);
        let known = config.orgs.clone();
        // Ends with the files, not before: what they land at the end is still folded.
        let worker_stop = CancellationToken::new();
        let (opened, worker) = match config.kafka.is_some() {
            true => match Opened::of_cluster(&config, stop).await? {
                Some(opened) => (opened, None),
                None => return Err(interrupted()),
            },
            false => {
                let beside = "stop it, land the files, and start it again";
                let (opened, worker) = here::start(config, None, beside, &worker_stop).await?;
                (opened, Some(worker))
            }
        };
        let longest = opened.landing.max_value_bytes();
        let queue = QueueConfig { orgs: vec![self.org.clone()], max_body_bytes: longest, ..QueueConfig::default() };
        let loader = Arc::new(Loader {
            landing: Arc::clone(&opened.landing),
            sink: Arc::clone(&opened.sink),
            orgs: QueueOrgs::new(&queue, &known),
            limit: Limit::new(limits.0, limits.1),
            watch: Arc::default(),
            stop: stop.clone(),
        });
        let mut screen = Screen { moving: Moving::new(), files: jobs.len(), at: 0, told: Instant::now() };
        let mut ended = Vec::new();
        for (path, job) in jobs {
            screen.at += 1;
            let one = self.land_one(path, job, &loader, longest, &mut screen).await?;
            let goes_on = matches!(
                one.finish,
                Finish::Landed | Finish::Before | Finish::NoEnd | Finish::Failed(LoadError::Input(_))
            );
            screen.moving.clear();
            ended.push(one);
            if !goes_on {
                break;
            }
        }
        if let Some(worker) = &worker {
            until_folded(&opened, &mut screen, worker, stop).await;
        }
        screen.moving.clear();
        worker_stop.cancel();
        let workers = if worker.is_none() { opened.workers().ok() } else { None };
        drop((loader, opened));
        if let Some(worker) = worker {
            // Whatever ended it says more than that nothing more was landed.
            worker.await.map_err(|error| Fatal::new(ExitStatus::Software, error.to_string()))??;
        }
        self.conclude(ended, workers)
    }

    async fn land_one(
        &self,
        path: PathBuf,
        job: Option<FileJob>,
        loader: &Arc<Loader>,
        longest: usize,
        screen: &mut Screen,
    ) -> Result<Ended, Fatal> {
        let began = Instant::now();
        if let Some(job) = job.as_ref().filter(|job| job.is_finished()) {
            let (counts, finish) = (job.counts().clone(), Finish::Before);
            return Ok(Ended { path, packing: None, bytes: 0, counts, elapsed: Duration::ZERO, finish });
        }
        let is_pipe = job.is_none();
        let (told, telling) = tokio::sync::oneshot::channel();
        let (loading, loader_watch) = (Arc::clone(loader), Arc::clone(&loader.watch));
        let file = path.clone();
        let name = if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() };
        loader_watch.elements.store(0, Ordering::Relaxed);
        loader_watch.bad.store(0, Ordering::Relaxed);
        let name_of_file = name.clone();
        let mut running = tokio::task::spawn_blocking(move || load(&file, &name_of_file, job, &loading, longest, told));
        let told = tokio::select! {
            told = telling => told.ok(),
            // A pipe may never give its first byte.
            () = loader.stop.cancelled() => None,
        };
        let current = told.map(|(size, read)| Current { name, size, read, watch: loader_watch, began });
        loop {
            tokio::select! {
                ended = &mut running => {
                    let (packing, read, counts, finish) = ended.map_err(|error| Fatal::new(ExitStatus::Software, error.to_string()))??;
                    return Ok(Ended { path, packing: Some(packing), bytes: read, counts, elapsed: began.elapsed(), finish });
                }
                () = tokio::time::sleep(TICK) => {
                    if let Some(current) = &current {
                        screen.show(current);
                    }
                    // A reader of a pipe sees a stop only with the next piece.
                    if loader.stop.is_cancelled() && is_pipe {
                        return Err(interrupted());
                    }
                }
            }
        }
    }

    fn conclude(&self, ended: Vec<Ended>, workers: Option<usize>) -> Result<ExitStatus, Fatal> {
        let text = if self.json {
            json!(ended.iter().map(Ended::to_json).collect::<Vec<_>>()).to_string() + "\n"
        } else {
            table(&ended)
        };
        super::super::print(&text).map_err(|error| {
            Fatal::new(ExitStatus::Io, "standard output cannot be written").because(std::io::Error::other(error))
        })?;
        if workers == Some(0) {
            eprintln!("no worker runs on this cluster: what was landed is published when one does");
        }
        let fine = ended.iter().all(Ended::is_fine) && ended.len() == self.paths.len();
        for one in ended {
            match one.finish {
                Finish::Failed(error @ LoadError::TooMuchIsBad(_)) => {
                    let what = format!("{} is no System Log of Okta", one.path.display());
                    return Err(Fatal::new(ExitStatus::BadData, what)
                        .hint("look at what is in quarantine; raise quarantine.stop_percent if this is expected")
                        .because(error));
                }
                Finish::Failed(LoadError::NotDelivered(failure)) => {
                    let status = match failure {
                        crate::ack::NotDelivered::Impossible { status, .. } => status,
                        _ => ExitStatus::Unavailable,
                    };
                    let what = format!("{} was landed in part", one.path.display());
                    return Err(Fatal::new(status, what)
                        .hint("mend the cause and run it again: it goes on where it stopped")
                        .because(failure));
                }
                Finish::Interrupted(_) => return Err(interrupted()),
                _ => {}
            }
        }
        Ok(if fine { ExitStatus::Ok } else { ExitStatus::SomeFailed })
    }
}

/// What is told of a file when it is opened: its size, and where to see how much of it was read.
type Told = tokio::sync::oneshot::Sender<(Option<u64>, Arc<AtomicU64>)>;

/// Lands one file from where its job is; on a thread of its own.
fn load(
    path: &Path,
    name: &str,
    mut job: Option<FileJob>,
    loader: &Loader,
    longest: usize,
    told: Told,
) -> Result<(Packing, u64, Counts, Finish), Fatal> {
    let unreadable =
        |error: std::io::Error| Fatal::new(ExitStatus::Io, format!("cannot read {}", path.display())).because(error);
    let mut source = Source::open(path).map_err(unreadable)?;
    let (packing, read) = (source.packing, source.counter());
    // Nobody listens if the process is about to end.
    let _ = told.send((source.size, Arc::clone(&read)));
    let from = job.as_ref().map(FileJob::place).unwrap_or_default();
    let mut counts = job.as_ref().map(|job| job.counts().clone()).unwrap_or_default();
    let mut elements = match source.skip(from.offset) {
        Ok(()) => Elements::new(source, from, longest),
        Err(error) => {
            let finish = Finish::Failed(LoadError::Input(error));
            return Ok((packing, read.load(Ordering::Relaxed), counts, finish));
        }
    };
    let (mut reached, mut unsaved) = (from, None);
    let ended = loader.load(name, &mut elements, &mut |place, more| {
        counts.add(more);
        reached = place;
        if let Some(Err(error)) = job.as_mut().map(|job| job.note(place, more)) {
            unsaved = Some(error);
        }
    });
    let saved = match (&ended, &mut job) {
        (_, None) => Ok(()),
        (Ok(()), Some(job)) => job.finish(),
        (Err(_), Some(job)) => job.save(),
    };
    if let Some(error) = saved.err().or(unsaved) {
        // What was landed is landed; only a further run could not know it.
        eprintln!("how far {name} is cannot be noted: {error}");
    }
    let finish = match ended {
        Ok(()) if reached.within => Finish::NoEnd,
        Ok(()) => Finish::Landed,
        Err(LoadError::Stopped) => Finish::Interrupted(reached),
        Err(error) => Finish::Failed(error),
    };
    Ok((packing, read.load(Ordering::Relaxed), counts, finish))
}

/// Waits until all that has landed is published by this process.
async fn until_folded(opened: &Opened, screen: &mut Screen, worker: &here::Worker, stop: &CancellationToken) {
    while let Some(left) = opened.unfolded().filter(|left| *left > 0) {
        if worker.is_finished() {
            return;
        }
        screen.tell(&format!("{} records are landed and not published yet", grouped(left)));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TICK / 5) => {}
        }
    }
}

fn interrupted() -> Fatal {
    Fatal::new(ExitStatus::SomeFailed, "interrupted before all was landed")
        .hint("run it again: files go on where they stopped, and nothing is published twice")
}

struct Screen {
    moving: Moving,
    files: usize,
    /// Which file it is, from 1.
    at: usize,
    told: Instant,
}

impl Screen {
    fn show(&mut self, current: &Current) {
        let which = if self.files > 1 { format!("{} of {}: ", self.at, self.files) } else { String::new() };
        let line = current.line(self.moving.moves());
        self.tell(&format!("{which}{line}"));
    }

    fn tell(&mut self, line: &str) {
        if self.moving.moves() {
            self.moving.draw(std::iter::once(line));
        } else if self.told.elapsed() >= BETWEEN_LINES {
            self.told = Instant::now();
            self.moving.say(line);
        }
    }
}

impl Current {
    fn line(&self, with_bar: bool) -> String {
        let (elements, bad) = (self.watch.elements.load(Ordering::Relaxed), self.watch.bad.load(Ordering::Relaxed));
        let read = self.read.load(Ordering::Relaxed);
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let done = match self.size.filter(|size| *size > 0) {
            Some(size) => {
                let part = read as f64 / size as f64;
                let left = Duration::from_secs_f64((seconds * (1.0 - part) / part.max(1e-6)).clamp(0.0, 1e9));
                let drawn = if with_bar { format!("[{}] ", bar(part)) } else { String::new() };
                format!("{drawn}{:.0} %, {} left", part * 100.0, span(left))
            }
            None => bytes(read),
        };
        let bad = if bad > 0 { format!(", {} in quarantine", grouped(bad)) } else { String::new() };
        let rate = elements as f64 / seconds;
        format!("{}: {done}, {} events{bad}, {rate:.0}/s", self.name, grouped(elements))
    }
}

impl Ended {
    fn is_fine(&self) -> bool {
        matches!(self.finish, Finish::Landed | Finish::Before) && self.counts.bad() == 0
    }

    fn word(&self) -> &'static str {
        match self.finish {
            Finish::Landed => "landed",
            Finish::Before => "landed before",
            Finish::NoEnd => "no end",
            Finish::Interrupted(_) => "interrupted",
            Finish::Failed(_) => "failed",
        }
    }

    fn detail(&self) -> String {
        let bad: Vec<_> =
            self.counts.quarantined.iter().map(|(reason, count)| format!("{} {reason}", grouped(*count))).collect();
        let told = match &self.finish {
            Finish::Before => "--again lands it once more".to_owned(),
            Finish::NoEnd => "an array is not closed: the export broke off".to_owned(),
            Finish::Interrupted(place) => format!("goes on at line {}", grouped(place.line)),
            Finish::Failed(error) => Chain(error).to_string(),
            Finish::Landed => String::new(),
        };
        [bad.join(", "), told].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
    }

    fn to_json(&self) -> Value {
        json!({
            "file": self.path.display().to_string(), "packing": self.packing, "state": self.word().replace(' ', "_"),
            "elements": self.counts.elements, "landed": self.counts.landed, "quarantined": self.counts.quarantined,
            "bytes": self.bytes, "elapsed_ms": u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
            "detail": self.detail(),
        })
    }
}

fn table(ended: &[Ended]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["file", "state", "events", "landed", "quarantined", "took", "detail"]);
    for one in ended {
        table.add_row([
            one.path.display().to_string(),
            one.word().to_owned(),
            grouped(one.counts.elements),
            grouped(one.counts.landed),
            grouped(one.counts.bad()),
            span(one.elapsed),
            one.detail(),
        ]);
    }
    for column in 2..6 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{table}\n")
}
