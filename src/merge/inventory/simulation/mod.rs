//! An org that changes, an API that lags, events that are lost, late and doubled, and workers that die, in virtual time;
//! and somebody who knows the truth.
//!
//! `SEEDS=1000` runs more worlds, `FIRST_SEED=77` begins at another one. The numbers are printed with `--nocapture`.

mod oracle;
mod org;
mod report;
mod run;

use super::guards::Guard;
use report::{Report, Rules};
use run::Run;

/// Random numbers that a seed repeats (SplitMix64).
pub struct Random(u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    pub fn ms(&mut self, from: i64, until: i64) -> i64 {
        from + self.below((until - from).unsigned_abs().max(1)).cast_signed()
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What came of many worlds.
fn worlds(seeds: u64, rules: Rules) -> Report {
    let first = number("FIRST_SEED", 0);
    let mut total = Report::default();
    for seed in first..first + seeds {
        let report = Run::new(seed, rules, None).live();
        let clean = report.divergent + report.false_tombstones + report.resurrections + report.regressions == 0;
        assert!(clean, "seed {seed}, {rules:?}: {report:?}");
        total.add(report);
    }
    println!("{seeds} seeds from {first}, {rules:?}: {total:?}");
    total
}

#[test]
fn a_world_with_every_trouble_ends_in_the_truth() {
    let report = worlds(number("SEEDS", 30), Rules::TROUBLED);
    let Report { mutations, deleted, drifts, alerts, swept, .. } = report;
    assert!(mutations > 0 && deleted > 0 && drifts > 0 && alerts > 0 && swept > 0, "the trouble happened: {report:?}");
}

/// If no event is lost, events alone lead to the truth: no list is needed in the end.
#[test]
fn events_that_all_arrive_are_enough() {
    worlds(number("SEEDS", 20), Rules::LOSSLESS);
}

#[test]
fn a_burst_of_events_ends_in_the_truth() {
    worlds(number("SEEDS", 20).div_ceil(20), Rules::BURST);
}

/// The worlds have the races in them: without its guard each is lost in one of the first of them.
#[test]
fn without_a_guard_some_world_ends_otherwise() {
    let lost = |without, rules, count: fn(&Report) -> u64| {
        let seed = (0..40).find(|seed| count(&Run::new(*seed, rules, Some(without)).live()) > 0);
        println!("without {without:?}: seed {seed:?}");
        assert!(seed.is_some(), "without {without:?}");
    };
    lost(Guard::Order, Rules::TROUBLED, |report| report.regressions);
    lost(Guard::Disjoint, Rules::TROUBLED, |report| report.regressions);
    lost(Guard::ListLag, Rules::TROUBLED, |report| report.regressions);
    lost(Guard::Tombstones, Rules::TROUBLED, |report| report.resurrections);
    lost(Guard::AskBeforeBurying, Rules::TROUBLED, |report| report.false_tombstones);
    lost(Guard::AskAgain, Rules::HOT, |report| report.divergent);
}
