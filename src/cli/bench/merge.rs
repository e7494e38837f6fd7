//! The merge alone, on one thread: an org is filled, events are folded on top of it, and the state is made again.

mod changelog;
mod org;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::runtime::Runtime;

use self::changelog::FileLog;
use self::org::Org;
use crate::config::MergeConfig;
use crate::error::ExitStatus;
use crate::json::{Lazy, Tape};
use crate::landing::{Content, LandingRecord};
use crate::merge::{Fold, RedbStore, StateStore, Verdict};
use crate::ocsf::Knowledge as _;
use crate::worker::Stop;
use crate::worker::changelog::{Changelog, KafkaLog, Log, Pen, Turn};

/// An inventory and then events through the fold into its store, on one thread
///
/// Makes up an org and folds a snapshot of it, until all of it is told. Then everybody signs in once, which is when the
/// worker learns who they are; and then there are sign-ins and changes for as long as asked. All in batches as a worker cuts
/// them, each committed to disk. Only what the merge does is counted: to tell what is new, to ask for who and what an event
/// names, to make the records of the changelog, to commit. Reading the JSON of an event is counted beside it, as the mapping
/// needs it too and it is read once for both. At the end the state is made again from the changelog, as by a worker that
/// has lost its disk.
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf bench merge
  okta-ocsf bench merge --users 100000 --memberships 2000000 --kafka localhost:9092 --json")]
pub struct Merge {
    /// Users of the org
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    users: u32,
    /// Memberships of its groups
    #[arg(long, default_value_t = 2_000_000, value_name = "N")]
    memberships: u32,
    /// How long to fold events
    #[arg(long, default_value_t = 5.0, value_name = "S")]
    seconds: f64,
    /// Records in a batch; by default as merge.batch_records
    #[arg(long, value_name = "N")]
    batch_records: Option<usize>,
    /// Where the files go; they are removed at the end. By default a folder for temporary files
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Brokers of a Kafka that takes the changelog, in a topic that is left behind; by default it goes to a file
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// Print the figures as one JSON object
    #[arg(long)]
    json: bool,
    /// Only make the state again, from what a run left in this topic or in its folder
    #[arg(long, value_name = "TOPIC", hide = true)]
    restore: Option<String>,
}

/// What it took to make the state again.
#[derive(Serialize, Deserialize)]
struct Restored {
    seconds: f64,
    /// The state on disk, MB.
    mb: u64,
    resident_mb: u64,
    /// Which state it is.
    next_offset: u64,
    clock: i64,
}

/// Where the time of a stage went.
#[derive(Default)]
struct Spent {
    records: u64,
    reports: u64,
    /// Reading JSON, which is no part of the merge.
    read: Duration,
    fold: Duration,
    ask: Duration,
    changelog: Duration,
    commit: Duration,
}

/// What is measured.
struct Bench {
    store: RedbStore,
    fold: Fold,
    pen: Pen,
    tape: Tape,
    stop: Stop,
    offset: u64,
}

impl Merge {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        let default = std::env::temp_dir().join(format!("okta-ocsf-bench-{}", std::process::id()));
        let folder = self.directory.clone().unwrap_or(default);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let files = ["state.redb", "restored.redb", "changelog"].map(|name| folder.join(name));
        let [state, restored, changelog] = &files;
        // It lives as long as the clients of the changelog.
        let runtime = crate::cli::runtime()?;
        if let Some(topic) = &self.restore {
            let log = self.log(&runtime, topic, || FileLog::open(changelog))?;
            println!("{}", serde_json::to_string(&restore(restored, log)?)?);
            return Ok(ExitStatus::Ok);
        }
        let remove = || files.iter().for_each(|file| drop(fs::remove_file(file)));
        remove();
        let topic = format!("okta-ocsf-bench-{}", uuid::Uuid::new_v4());
        let log = self.log(&runtime, &topic, || FileLog::create(changelog));
        let outcome = log.and_then(|log| self.measure(state, log, || self.restore_apart(&folder, &topic)));
        remove();
        // Only if it is ours, and so empty.
        let _ = fs::remove_dir(&folder);
        outcome.map(|()| ExitStatus::Ok)
    }

    /// The changelog: the topic of this name where there is a Kafka, otherwise the file.
    fn log(
        &self,
        runtime: &Runtime,
        topic: &str,
        file: impl FnOnce() -> anyhow::Result<FileLog>,
    ) -> anyhow::Result<Arc<dyn Log>> {
        let Some(brokers) = &self.kafka else { return Ok(Arc::new(file()?)) };
        let topic = runtime.block_on(changelog::topic(brokers, topic))?;
        Ok(Arc::new(KafkaLog { topic: Arc::new(topic), partition: 0 }))
    }

    /// Makes the state again in another process, so that its memory is that of a worker which does nothing else yet.
    fn restore_apart(&self, folder: &Path, topic: &str) -> anyhow::Result<Restored> {
        let mut command = Command::new(std::env::current_exe().context("where this program is, is not known")?);
        command.args(["bench", "merge", "--restore", topic, "--directory"]).arg(folder);
        if let Some(brokers) = &self.kafka {
            command.args(["--kafka", brokers]);
        }
        let done = command.stderr(std::process::Stdio::inherit()).output().context("the restore cannot be started")?;
        anyhow::ensure!(done.status.success(), "the restore ended with {}", done.status);
        serde_json::from_slice(&done.stdout).context("the restore said something else than its figures")
    }

    fn measure(
        &self,
        state: &Path,
        log: Arc<dyn Log>,
        restore: impl FnOnce() -> anyhow::Result<Restored>,
    ) -> anyhow::Result<()> {
        let config = MergeConfig::default();
        let most = self.batch_records.unwrap_or(config.batch_records).max(1);
        let changelog = Changelog::new(log, 0, "bench", &Turn::default());
        let (mut store, stop) = (RedbStore::open(state)?, Stop::default());
        let pen = changelog.take_over(&mut store, &stop)?;
        let fold = Fold::new(&store, config.dedupe_window_days);
        let mut bench = Bench { store, fold, pen, tape: Tape::default(), stop, offset: 0 };
        let mut org = Org::new(self.users, self.memberships);

        let snapshot = bench.run(org.snapshot(), most)?;
        self.say("snapshot", &snapshot);
        // What a snapshot leaves to be told is told with the next records, and is no part of what an event costs.
        let mut settling = Spent::default();
        loop {
            let before = settling.reports;
            settling.add(&bench.run(org.events(most), most)?);
            if settling.reports - before < most as u64 {
                break;
            }
        }
        self.say("settling", &settling);
        let first = bench.run(org.everybody(), most)?;
        self.say("everybody once", &first);
        let limit = Duration::try_from_secs_f64(self.seconds.max(0.01)).context("--seconds is out of range")?;
        let mut merge = Spent::default();
        while merge.all() < limit {
            merge.add(&bench.run(org.events(most), most)?);
        }
        self.say("merge", &merge);
        let (state_mb, resident_mb) = (size(state), resident());

        let (next_offset, clock) = (bench.store.next_offset(), bench.store.clock());
        // With the last of them the file of the changelog is written to its end.
        drop((bench, changelog));
        let restored = restore()?;
        anyhow::ensure!(
            (restored.next_offset, restored.clock) == (next_offset, clock),
            "the restored state is another one"
        );
        if self.json {
            let figures = json!({
                "snapshot": snapshot.figures(), "first": first.figures(), "merge": merge.figures(),
                "state_mb": state_mb, "resident_mb": resident_mb,
                "restore_seconds": restored.seconds, "restored_mb": restored.mb,
                "restore_resident_mb": restored.resident_mb,
            });
            println!("{figures}");
        } else {
            println!("state           {state_mb} MB on disk, {resident_mb} MB resident at most");
            let Restored { seconds, mb, resident_mb, .. } = restored;
            println!("restore         {seconds:.1} s, {mb} MB on disk, {resident_mb} MB resident at most");
        }
        Ok(())
    }

    /// Says what a stage took: beside the figures for machines it is progress.
    fn say(&self, stage: &str, spent: &Spent) {
        let line = format!("{stage:<16}{}", spent.line());
        if self.json { eprintln!("{line}") } else { println!("{line}") }
    }
}

fn restore(file: &Path, log: Arc<dyn Log>) -> anyhow::Result<Restored> {
    let begin = Instant::now();
    let mut store = RedbStore::open(file)?;
    Changelog::new(log, 0, "bench", &Turn::default()).take_over(&mut store, &Stop::default())?;
    Ok(Restored {
        seconds: begin.elapsed().as_secs_f64(),
        mb: size(file),
        resident_mb: resident(),
        next_offset: store.next_offset(),
        clock: store.clock(),
    })
}

impl Bench {
    /// Records, as a worker does them but for publishing.
    fn run(&mut self, records: impl Iterator<Item = LandingRecord>, most: usize) -> anyhow::Result<Spent> {
        let (mut spent, mut batch) = (Spent::default(), Vec::new());
        let mut records = records.fuse();
        loop {
            batch.extend(records.by_ref().take(most));
            if batch.is_empty() {
                return Ok(spent);
            }
            for record in batch.drain(..) {
                self.take(&record, &mut spent)?;
                if self.fold.is_full() {
                    self.commit(&mut spent)?;
                }
            }
            self.commit(&mut spent)?;
        }
    }

    fn take(&mut self, record: &LandingRecord, spent: &mut Spent) -> anyhow::Result<()> {
        let begin = Instant::now();
        let event = Lazy::new(&record.value, &mut self.tape);
        if matches!(record.content, Content::Event { .. }) {
            let _ = std::hint::black_box(event.document());
        }
        let read = Instant::now();
        let folded = self.fold.apply_read(self.offset, record, &event, &self.store)?;
        let applied = Instant::now();
        self.offset += 1;
        spent.records += 1;
        spent.reports += folded.reports.len() as u64;
        spent.read += read - begin;
        spent.fold += applied - read;
        if let (Content::Event { published, .. }, Verdict::Fresh) = (&record.content, folded.verdict) {
            let (actor, target) = org::named(&record.value);
            let begin = Instant::now();
            let view = self.fold.knowledge(&self.store, &record.org, *published);
            std::hint::black_box((view.user(actor), view.app(target)));
            view.failed()?;
            spent.ask += begin.elapsed();
        }
        Ok(())
    }

    fn commit(&mut self, spent: &mut Spent) -> anyhow::Result<()> {
        let begin = Instant::now();
        let mut changes = self.fold.finish(&self.store, Vec::new());
        let finished = Instant::now();
        self.pen.write(&mut changes, &self.stop)?;
        let written = Instant::now();
        self.store.commit(&changes)?;
        spent.fold += finished - begin;
        spent.changelog += written - finished;
        spent.commit += written.elapsed();
        Ok(())
    }
}

impl Spent {
    fn all(&self) -> Duration {
        self.fold + self.ask + self.changelog + self.commit
    }

    fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.reports += other.reports;
        self.read += other.read;
        self.fold += other.fold;
        self.ask += other.ask;
        self.changelog += other.changelog;
        self.commit += other.commit;
    }

    fn records_a_second(&self) -> f64 {
        self.records as f64 / self.all().as_secs_f64()
    }

    /// What a part took of each record, us.
    fn each(&self, part: Duration) -> f64 {
        part.as_secs_f64() * 1e6 / self.records.max(1) as f64
    }

    fn line(&self) -> String {
        format!(
            "{:>9.0} records/s: fold {:.2} us, ask {:.2}, changelog {:.2}, commit {:.2} a record; reading it {:.2} more; \
             {} records, {} reports; {} MB resident at most",
            self.records_a_second(),
            self.each(self.fold),
            self.each(self.ask),
            self.each(self.changelog),
            self.each(self.commit),
            self.each(self.read),
            self.records,
            self.reports,
            resident(),
        )
    }

    fn figures(&self) -> serde_json::Value {
        json!({
            "records": self.records, "records_a_second": self.records_a_second(), "fold_us": self.each(self.fold),
            "ask_us": self.each(self.ask), "changelog_us": self.each(self.changelog), "commit_us": self.each(self.commit),
            "read_us": self.each(self.read),
        })
    }
}

/// Size of a file, MB.
fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len() >> 20)
}

/// The most memory that this process has had, MB; 0 where the system does not say.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) >> 10
}
