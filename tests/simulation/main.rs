//! The whole of it in virtual time: `make simulate SEEDS=1000000 SEED=1`. See `design.md` beside this file.

#![allow(clippy::unwrap_used)] // where a world cannot go on, it fails

mod world;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, available_parallelism};

use okta_ocsf::merge::inventory::Settings;
use okta_ocsf::merge::{Fold, MemoryStore};
use world::{Report, Rules, WINDOW_DAYS, World};

/// Worlds of a run, unless `SEEDS` says otherwise: what an unoptimised build lives through in half a minute. `make test`
/// asks for more of them, and `make simulate` for as many as one likes.
const SEEDS: u64 = 40;

/// Of a long run it is said how far it is after so many times [`AT_ONCE`] worlds: every minute or so.
const TELL_EVERY: u64 = 125;

/// What a change may take to be known, ms, in worlds of [`Rules::STEADY`].
const P50: i64 = 5_000;
const P99: i64 = 60_000;
const MAX: i64 = 120_000;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn fold(store: &MemoryStore, settings: Settings) -> Fold {
    Fold::with(store, WINDOW_DAYS, settings)
}

/// Says which world it was that somebody panicked in.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("SEED={} SEEDS=1: this world could not go on", self.0);
        }
    }
}

fn live(seed: u64) -> Report {
    let _named = Named(seed);
    World::new(seed, Rules::of(seed), &fold).live()
}

/// Worlds that are lived through by one thread at a time: enough that nobody waits for another.
const AT_ONCE: u64 = 8;

/// The reports of many worlds by their rules, and those of them that do not end in the truth.
#[derive(Default)]
struct Reports {
    by_rules: BTreeMap<&'static str, Report>,
    failed: Vec<u64>,
}

impl Reports {
    /// Lives through worlds until `next` gives none, which says how many have been given before.
    fn of(next: &AtomicU64, seeds: Range<u64>) -> Self {
        let mut reports = Self::default();
        loop {
            let from = seeds.start + next.fetch_add(AT_ONCE, Ordering::Relaxed);
            if from >= seeds.end {
                return reports;
            }
            for seed in from..seeds.end.min(from + AT_ONCE) {
                reports.add(seed, &live(seed));
            }
            let done = (from - seeds.start) / AT_ONCE + 1;
            if done.is_multiple_of(TELL_EVERY) {
                println!("{} worlds", done * AT_ONCE);
            }
        }
    }

    fn add(&mut self, seed: u64, report: &Report) {
        let name = Rules::of(seed).name;
        if !report.faults.none() {
            println!("SEED={seed} SEEDS=1 ({name}): {:?}", report.faults);
            self.failed.push(seed);
        }
        self.by_rules.entry(name).or_default().add(report);
    }

    fn join(&mut self, other: Self) {
        for (name, report) in &other.by_rules {
            self.by_rules.entry(name).or_default().add(report);
        }
        self.failed.extend(other.failed);
    }
}

#[test]
fn every_world_ends_in_the_truth() {
    let first = number("SEED", 1);
    let seeds = first..first + number("SEEDS", SEEDS);
    let (next, threads) = (AtomicU64::new(0), available_parallelism().map_or(1, NonZero::get));
    let mut reports = Reports::default();
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| Reports::of(&next, seeds.clone()))).collect();
        running.into_iter().for_each(|one| reports.join(one.join().unwrap()));
    });
    let Reports { by_rules, mut failed } = reports;
    failed.sort_unstable();
    for (name, report) in &by_rules {
        println!("{name}\n{report}");
    }
    assert!(
        failed.is_empty(),
        "{} worlds do not end in the truth; run one of them: SEED={} SEEDS=1",
        failed.len(),
        failed[0]
    );
    let steady = &by_rules.get(Rules::STEADY.name).map(|report| report.staleness.clone()).unwrap_or_default();
    // A handful says nothing of a hundredth.
    if steady.count > 10_000 {
        let [p50, p99] = [500, 990].map(|permille| steady.permille(permille));
        assert!(p50 <= P50 && p99 <= P99 && steady.max <= MAX, "too stale: {steady}");
    }
}

#[test]
fn a_seed_is_one_world() {
    for seed in 1..=10 {
        assert_eq!(live(seed), live(seed), "SEED={seed}");
    }
}
