//! The worlds of `tests/simulation` have the races in them: without its guard each is lost in one of the first of them.

use super::guards::Guard;
use super::settings::Settings;
use crate::merge::{Fold, MemoryStore};
use world::{Faults, Rules, WINDOW_DAYS, World};

#[allow(dead_code)] // `tests/simulation` uses more of it
#[path = "../../../tests/simulation/world/mod.rs"]
mod world;

/// Worlds that are looked at.
const WORLDS: u64 = 400;

fn lost(without: Guard, rules: Rules, count: fn(Faults) -> u64) {
    let fold = |store: &MemoryStore, settings: Settings| {
        let mut fold = Fold::with(store, WINDOW_DAYS, settings);
        fold.inventory().guards.without = Some(without);
        fold
    };
    let seed = (1..=WORLDS).find(|seed| count(World::new(*seed, rules, &fold).live().faults) > 0);
    println!("without {without:?}: seed {seed:?}");
    assert!(seed.is_some(), "without {without:?}");
}

#[test]
fn without_a_guard_some_world_ends_otherwise() {
    lost(Guard::Order, Rules::ROUGH, |faults| faults.regressions);
    lost(Guard::Disjoint, Rules::ROUGH, |faults| faults.regressions);
    lost(Guard::ListLag, Rules::ROUGH, |faults| faults.regressions);
    lost(Guard::Tombstones, Rules::ROUGH, |faults| faults.resurrections);
    lost(Guard::AskBeforeBurying, Rules::ROUGH, |faults| faults.false_tombstones);
    lost(Guard::AskAgain, Rules::HOT, |faults| faults.missed + faults.divergent);
}
