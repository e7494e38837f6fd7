//! The org's own time: it may run faster than the machine's, and be put forward.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Puts the time forward by no more than this at once, so that it stays representable.
const LONGEST_LEAP: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

struct Anchor {
    /// When, on the machine's clock, the org's clock stood at `time`.
    set: Instant,
    time: Timestamp,
    rate: f64,
}

pub struct Clock {
    anchor: Mutex<Anchor>,
}

impl Clock {
    /// A clock that shows the machine's time now and goes `rate` times as fast from here on.
    pub fn new(rate: f64) -> Self {
        Self { anchor: Mutex::new(Anchor { set: Instant::now(), time: Timestamp::now(), rate }) }
    }

    pub fn now(&self) -> Timestamp {
        self.read().0
    }

    pub fn rate(&self) -> f64 {
        self.read().1
    }

    /// Puts the clock forward and changes its rate; a rate of 0 stops it.
    pub fn set(&self, advance: Duration, rate: Option<f64>) {
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let now = anchor.now();
        let advance = SignedDuration::try_from(advance.min(LONGEST_LEAP)).unwrap_or_default();
        *anchor = Anchor {
            set: Instant::now(),
            time: now.checked_add(advance).unwrap_or(now),
            rate: rate.unwrap_or(anchor.rate),
        };
    }

    /// How long the machine waits for so much of the org's time.
    pub fn wall(&self, simulated: Duration) -> Duration {
        let rate = self.rate();
        if rate > 0.0 { simulated.div_f64(rate) } else { Duration::ZERO }
    }

    fn read(&self) -> (Timestamp, f64) {
        let anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        (anchor.now(), anchor.rate)
    }
}

impl Anchor {
    fn now(&self) -> Timestamp {
        let passed = self.set.elapsed().mul_f64(self.rate);
        let passed = SignedDuration::try_from(passed).unwrap_or_default();
        self.time.checked_add(passed).unwrap_or(self.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_clock_moves_only_when_it_is_put_forward() {
        let clock = Clock::new(0.0);
        let start = clock.now();
        assert_eq!(clock.now(), start);
        clock.set(Duration::from_secs(90), None);
        assert_eq!(clock.now().duration_since(start), SignedDuration::from_secs(90));
    }
}
