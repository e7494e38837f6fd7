//! Steady state: no refusal, the share never exceeded, and nearly all of it used, over many seeds.

use super::{
    model::{Dice, Nature, Opens, Rounding},
    world::{World, endless, now_and_then},
};
use crate::okta::quota::{Policy, Priority};

const MINUTES: i64 = 60_000;
const SEEDS: u64 = 24;

fn nature(dice: &mut Dice) -> Nature {
    Nature {
        limit: dice.pick(&[50, 100, 120, 120, 600]),
        principal: None,
        others_part: 0.5,
        rounding: dice.pick(&[Rounding::Up, Rounding::Down, Rounding::Nearest]),
        opens: dice.pick(&[Opens::WithACall, Opens::WithACall, Opens::OnAGrid]),
        ahead: dice.between(-600_000, 600_000),
        drift_ppm: dice.between(-100, 100),
    }
}

/// One client with endless work in one bucket, on an Okta drawn by the seed.
fn world(seed: u64, share: f64, principal: Option<f64>) -> World {
    let mut dice = Dice(seed);
    let nature = Nature { principal, ..nature(&mut dice) };
    let latency = dice.pick(&[120, 250, 500, 900]);
    let policy = Policy { share, ..Policy::default() };
    World::new(seed, policy, &[nature], latency, vec![endless(Priority::Snapshot, "/api/v1/logs", 0)])
}

/// The part of the permitted calls that was made, with what others used taken off.
fn use_of(world: &World, permitted: u32) -> f64 {
    let (ours, others, minutes) = world.whole_windows(0);
    (f64::from(ours) / (f64::from(permitted) * minutes - f64::from(others))).min(1.01)
}

struct Sum {
    worst: f64,
    total: f64,
    calls: u64,
}

fn over_seeds(name: &str, run: impl Fn(u64) -> (f64, u64)) {
    let mut sum = Sum { worst: f64::MAX, total: 0.0, calls: 0 };
    for seed in 0..SEEDS {
        let (used, calls) = run(seed);
        println!("{name}: seed {seed}: {:.2} %", 100.0 * used);
        assert!(used >= 0.98, "{name}: seed {seed} used {:.2} %", 100.0 * used);
        sum = Sum { worst: sum.worst.min(used), total: sum.total + used, calls: sum.calls + calls };
    }
    let mean = 100.0 * sum.total / SEEDS as f64;
    println!("{name}: {SEEDS} seeds, {} calls, mean {mean:.2} %, worst {:.2} %", sum.calls, 100.0 * sum.worst);
}

#[test]
fn half_of_a_bucket_is_used_and_never_more() {
    over_seeds("half of a bucket", |seed| {
        let mut world = world(seed, 0.5, None);
        world.run_for(6 * MINUTES);
        let permitted = world.buckets[0].nature.limit / 2;
        assert_eq!((world.refused(), world.offset_misses), (0, 0), "seed {seed}");
        assert!(world.buckets[0].windows.iter().all(|w| w.ours <= permitted), "seed {seed}: over the share");
        (use_of(&world, permitted), world.sources[0].made)
    });
}

#[test]
fn what_is_spared_is_left_in_every_window_and_the_rest_is_used() {
    over_seeds("half of a bucket but two calls", |seed| {
        let mut dice = Dice(seed);
        let nature = nature(&mut dice);
        let policy = Policy { spare: 2, reserve: 0.0, ..Policy::default() };
        let work = vec![endless(Priority::Snapshot, "/api/v1/logs", 0)];
        let mut world = World::new(seed, policy, &[nature], dice.pick(&[120, 250, 500, 900]), work);
        world.run_for(6 * MINUTES);
        let permitted = nature.limit / 2 - 2;
        assert_eq!(world.refused(), 0, "seed {seed}");
        assert!(world.buckets[0].windows.iter().all(|w| w.ours <= permitted), "seed {seed}: nothing is spared");
        (use_of(&world, permitted), world.sources[0].made)
    });
}

#[test]
fn all_of_a_principals_own_half_is_used_without_a_refusal() {
    over_seeds("all of a principal's half", |seed| {
        let mut world = world(seed, 1.0, Some(0.5)).with_others(0, 2_000);
        world.run_for(6 * MINUTES);
        let permitted = world.buckets[0].nature.limit / 2;
        assert_eq!(world.refused(), 0, "seed {seed}: {:?}", world.buckets[0].windows);
        let (ours, _, minutes) = world.whole_windows(0);
        (f64::from(ours) / (f64::from(permitted) * minutes), world.sources[0].made)
    });
}

#[test]
fn what_others_use_is_left_to_them() {
    over_seeds("beside others", |seed| {
        let mut world = world(seed, 0.5, None);
        let every = Dice(seed ^ 0xabc).between(3, 9) * 1_000;
        world = world.with_others(0, every);
        world.run_for(6 * MINUTES);
        let permitted = world.buckets[0].nature.limit / 2;
        assert_eq!(world.refused(), 0, "seed {seed}");
        assert!(world.buckets[0].windows.iter().all(|w| w.ours <= permitted), "seed {seed}: over the share");
        (use_of(&world, permitted), world.sources[0].made)
    });
}

#[test]
fn lost_calls_are_paid_for_but_never_refused() {
    for seed in 0..SEEDS {
        let mut world = world(seed, 1.0, None);
        world.loss = 0.02;
        world.run_for(6 * MINUTES);
        assert_eq!(world.refused(), 0, "seed {seed}");
        let used = use_of(&world, world.buckets[0].nature.limit);
        assert!(used >= 0.90, "seed {seed}: a loss must not cost more than its own call: {used}");
    }
}

#[test]
fn the_live_poll_and_single_fetches_hardly_wait_beside_a_backfill() {
    let mut waits = Vec::new();
    for seed in 0..SEEDS {
        let mut dice = Dice(seed);
        let nature = Nature { limit: 120, ..nature(&mut dice) };
        let sources = vec![
            now_and_then(30_000, Priority::Fetch, "/api/v1/logs", 0),
            now_and_then(20_000, Priority::Poll, "/api/v1/logs", 0),
            endless(Priority::Snapshot, "/api/v1/logs", 0),
        ];
        let mut world = World::new(seed, Policy::default(), &[nature], 500, sources);
        world.run_for(12 * MINUTES);
        assert_eq!(world.refused(), 0, "seed {seed}");
        assert!(use_of(&world, 60) >= 0.98, "seed {seed}: {}", use_of(&world, 60));
        waits.extend(world.sources[..2].iter().flat_map(|source| source.waits.clone()));
    }
    waits.sort_unstable();
    let [p50, p90, p99] = [50, 90, 99].map(|percent| waits[waits.len() * percent / 100]);
    println!("urgent waits of {}: p50 {p50}, p90 {p90}, p99 {p99} ms", waits.len());
    assert!(p50 == 0 && p90 <= 5_000 && p99 <= 30_000, "{p50}, {p90}, {p99}");
}

#[test]
fn oktas_clock_is_known_better_and_better() {
    let mut widths = Vec::new();
    for seed in 0..SEEDS {
        let mut world = world(seed, 0.5, None);
        world.run_for(6 * MINUTES);
        let offset = world.quota.offset(world.now).unwrap();
        assert_eq!(world.offset_misses, 0, "seed {seed}");
        assert!(offset.hi - offset.lo <= 500 + world.latency, "seed {seed}: {offset:?} at {} ms", world.latency);
        widths.push(offset.hi - offset.lo - world.latency);
    }
    println!("offset: mean width {} ms beyond the latency", widths.iter().sum::<i64>() / widths.len() as i64);
}
