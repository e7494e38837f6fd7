//! The whole of it in virtual time: `make simulate SEEDS=1000000 SEED=1`. See `design.md` beside this file.

#![allow(clippy::unwrap_used)] // where a world cannot go on, it fails

mod world;

use std::collections::BTreeMap;

use okta_ocsf::merge::inventory::Settings;
use okta_ocsf::merge::{Fold, MemoryStore};
use world::{Report, Rules, WINDOW_DAYS, World};

/// Worlds of a run, unless `SEEDS` says otherwise: what an unoptimised build lives through in half a minute. More of them
/// are for `make simulate`.
const SEEDS: u64 = 40;

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

fn live(seed: u64) -> Report {
    World::new(seed, Rules::of(seed), &fold).live()
}

#[test]
fn every_world_ends_in_the_truth() {
    let first = number("SEED", 1);
    let mut by_rules: BTreeMap<&str, Report> = BTreeMap::new();
    let mut failed = Vec::new();
    for seed in first..first + number("SEEDS", SEEDS) {
        let report = live(seed);
        if !report.faults.none() {
            println!("SEED={seed} SEEDS=1 ({}): {:?}", Rules::of(seed).name, report.faults);
            failed.push(seed);
        }
        by_rules.entry(Rules::of(seed).name).or_default().add(&report);
    }
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
