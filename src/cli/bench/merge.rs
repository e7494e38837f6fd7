//! The merge alone, on one thread: an org is filled, events are folded on top of it, and the state is made again.

mod changelog;
mod org;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;

use self::changelog::Changelog;
use self::org::Org;
use crate::config::MergeConfig;
use crate::error::ExitStatus;
use crate::landing::{Content, LandingRecord};
use crate::merge::{Fold, RedbStore, StateStore, Verdict};
use crate::ocsf::Knowledge as _;

/// An inventory and then events through the fold into its store, on one thread
///
/// Makes up an org, folds a snapshot of it, and then sign-ins and changes for as long as asked, in batches as a worker
/// cuts them, each committed to disk. Only what the worker does is counted, not the making up. What it takes to ask for
/// who and what an event names is counted too, and what it takes to make the records of the changelog; these go to a
/// file, from which the state is made again at the end. Prints what each took, the size of the state and the memory.
#[derive(Args)]
#[command(after_help = "Example:
  okta-ocsf bench merge --users 100000 --memberships 2000000")]
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
}

/// Where the time of a run went.
#[derive(Default)]
struct Spent {
    records: u64,
    reports: u64,
    fold: Duration,
    ask: Duration,
    changelog: Duration,
    commit: Duration,
}

/// What is measured.
struct Bench {
    store: RedbStore,
    fold: Fold,
    changelog: Changelog,
    offset: u64,
}

impl Merge {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        let default = std::env::temp_dir().join(format!("okta-ocsf-bench-{}", std::process::id()));
        let folder = self.directory.clone().unwrap_or(default);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let files = ["state.redb", "restored.redb", "changelog"].map(|name| folder.join(name));
        let remove = || files.iter().for_each(|file| drop(fs::remove_file(file)));
        remove();
        let outcome = self.measure(&files);
        remove();
        // Only if it is ours, and so empty.
        let _ = fs::remove_dir(&folder);
        outcome.map(|()| ExitStatus::Ok)
    }

    fn measure(&self, [state, restored, changelog]: &[PathBuf; 3]) -> anyhow::Result<()> {
        let config = MergeConfig::default();
        let most = self.batch_records.unwrap_or(config.batch_records).max(1);
        let store = RedbStore::open(state)?;
        let fold = Fold::new(&store, config.dedupe_window_days);
        let mut bench = Bench { store, fold, changelog: Changelog::create(changelog)?, offset: 0 };
        let mut org = Org::new(self.users, self.memberships);

        let mut spent = Spent::default();
        let mut batch = Vec::new();
        let mut snapshot = org.snapshot();
        loop {
            batch.extend(snapshot.by_ref().take(most));
            if batch.is_empty() {
                break;
            }
            bench.run(&mut batch, &mut spent)?;
        }
        drop(snapshot);
        println!("snapshot {}", spent.line());
        let filled = size(state);

        // What the snapshot left to be told is told with the next records, and is no part of what an event costs.
        let mut spent = Spent::default();
        loop {
            let before = spent.reports;
            org.events(most, &mut batch);
            bench.run(&mut batch, &mut spent)?;
            if (spent.reports - before) < most as u64 {
                break;
            }
        }
        println!("settling {}", spent.line());

        let mut spent = Spent::default();
        let limit = Duration::try_from_secs_f64(self.seconds.max(0.01)).context("--seconds is out of range")?;
        while spent.all() < limit {
            org.events(most, &mut batch);
            bench.run(&mut batch, &mut spent)?;
        }
        println!("merge {}", spent.line());
        println!("state {filled} MB filled, {} MB at the end, {} MB resident at most", size(state), resident());

        let (next_offset, clock) = (bench.store.next_offset(), bench.store.clock());
        let bytes = bench.changelog.finish()?;
        drop(bench.store);
        let begin = Instant::now();
        let mut store = RedbStore::open(restored)?;
        let records = changelog::restore(changelog, &mut store)?;
        let seconds = begin.elapsed().as_secs_f64();
        anyhow::ensure!(
            (store.next_offset(), store.clock()) == (next_offset, clock),
            "the restored state is another one"
        );
        println!(
            "restore {seconds:.1} s, {records} records, {} MB read, {} MB written, {} MB resident at most",
            bytes >> 20,
            size(restored),
            resident()
        );
        Ok(())
    }
}

impl Bench {
    /// One batch, as a worker does it but for publishing.
    fn run(&mut self, batch: &mut Vec<LandingRecord>, spent: &mut Spent) -> anyhow::Result<()> {
        for record in batch.iter() {
            let begin = Instant::now();
            let folded = self.fold.apply(self.offset, record, &self.store)?;
            self.offset += 1;
            spent.reports += folded.reports.len() as u64;
            spent.fold += begin.elapsed();
            if let (Content::Event { published, .. }, Verdict::Fresh) = (&record.content, folded.verdict) {
                let (actor, target) = org::named(&record.value);
                let begin = Instant::now();
                let view = self.fold.knowledge(&self.store, &record.org, *published);
                std::hint::black_box((view.user(actor), view.app(target)));
                view.failed()?;
                spent.ask += begin.elapsed();
            }
        }
        spent.records += batch.len() as u64;
        batch.clear();
        let begin = Instant::now();
        let mut changes = self.fold.finish(&self.store, Vec::new());
        spent.fold += begin.elapsed();
        let begin = Instant::now();
        let records = self.changelog.records(&mut changes);
        spent.changelog += begin.elapsed();
        self.changelog.write(&records)?;
        let begin = Instant::now();
        self.store.commit(&changes)?;
        spent.commit += begin.elapsed();
        Ok(())
    }
}

impl Spent {
    fn all(&self) -> Duration {
        self.fold + self.ask + self.changelog + self.commit
    }

    fn line(&self) -> String {
        let each = |part: Duration| part.as_secs_f64() * 1e6 / self.records.max(1) as f64;
        format!(
            "{:.0} records/s: fold {:.2} us, ask {:.2} us, changelog {:.2} us, commit {:.2} us a record, {} records, {} reports",
            self.records as f64 / self.all().as_secs_f64(),
            each(self.fold),
            each(self.ask),
            each(self.changelog),
            each(self.commit),
            self.records,
            self.reports,
        )
    }
}

/// Size of a file, MB.
fn size(path: &std::path::Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len() >> 20)
}

/// The most memory that this process has had, MB; 0 where the system does not say.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) >> 10
}
