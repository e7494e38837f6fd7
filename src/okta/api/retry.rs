//! When and how often a request that failed is tried again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::okta::Pace;

/// Tries of one request in all. Okta's own short troubles are over within seconds; what lasts longer is left to the
/// collector's schedule.
const TRIES: u32 = 4;

/// The most that the first pause lasts; each further one may last twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The most that any pause lasts.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// No try begins later than this after the first: a page must not hold its place in the quota for minutes.
const TOTAL: Duration = Duration::from_secs(60);

/// Random enough to spread retries, and repeatable from its seed (splitmix64, Steele et al. 2014).
#[derive(Debug)]
pub(super) struct Dice(AtomicU64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A duration of at least nothing and at most `most`.
    fn up_to(&self, most: Duration) -> Duration {
        let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        let millis = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(z % millis.saturating_add(1))
    }
}

/// The tries of one request.
pub(super) struct Tries<'d> {
    dice: &'d Dice,
    pace: Pace,
    begun: Instant,
    failed: u32,
}

impl<'d> Tries<'d> {
    pub fn new(dice: &'d Dice, pace: Pace) -> Self {
        Self { dice, pace, begun: Instant::now(), failed: 0 }
    }

    /// The pause before the next try: a random part of a growing span ("full jitter"), but not less than the server
    /// asked for. `None` when enough was tried.
    pub fn pause(&mut self, at_least: Option<Duration>) -> Option<Duration> {
        self.failed += 1;
        let span = FIRST_PAUSE.saturating_mul(1 << (self.failed - 1).min(10)).min(LONGEST_PAUSE);
        let pause = self.dice.up_to(span).max(at_least.unwrap_or_default());
        (self.failed < TRIES && self.pace.since(self.begun) + pause < TOTAL).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end() {
        let dice = Dice::new(7);
        for _ in 0..200 {
            let mut tries = Tries::new(&dice, Pace::real());
            assert!(tries.pause(None).unwrap() <= Duration::from_millis(500));
            assert!(tries.pause(None).unwrap() <= Duration::from_millis(1_000));
            assert!(tries.pause(None).unwrap() <= Duration::from_millis(2_000));
            assert_eq!(tries.pause(None), None);
        }
        let mut tries = Tries::new(&dice, Pace::real());
        assert!(tries.pause(Some(Duration::from_secs(5))).unwrap() >= Duration::from_secs(5));
        assert_eq!(tries.pause(Some(Duration::from_secs(90))), None);
    }
}
