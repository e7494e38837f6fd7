//! What time it is at Okta, learnt from the `Date` header of its answers.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::okta::Pace;

/// A `Date` header has whole seconds: the answer was written within the second that it names.
const DATE_RESOLUTION_MS: i64 = 1_000;

/// Clocks that differ by less than this are both right: assertions live minutes, and Okta accepts proofs that are a few
/// minutes off.
const TOLERABLE_MS: i64 = 60_000;

/// How far Okta's clock is ahead of this machine's, in milliseconds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Offset {
    /// What all answers so far agree with.
    bounds: Option<(i64, i64)>,
    /// What is reckoned with.
    used: i64,
}

/// Okta's clock, beside our own.
#[derive(Debug, Default)]
pub(super) struct Clock {
    pub pace: Pace,
    offset: Mutex<Offset>,
}

impl Clock {
    /// Okta's clock, as long as nothing else is known ours, which goes at this pace.
    pub fn new(pace: Pace) -> Self {
        Self { pace, offset: Mutex::default() }
    }

    /// This machine's time, in milliseconds since the Unix epoch.
    pub fn here_ms(&self) -> i64 {
        self.pace.wall_ms()
    }

    /// Learns from an answer: Okta wrote `date_ms` between our `asked_ms` and `answered_ms`. Each answer narrows what
    /// the ones before it left open; one that contradicts them means that a clock was set, and counts alone.
    pub fn learn(&self, date_ms: i64, asked_ms: i64, answered_ms: i64) {
        let (least, most) = (date_ms - answered_ms, date_ms + DATE_RESOLUTION_MS - asked_ms);
        let mut offset = self.offset.lock().unwrap_or_else(PoisonError::into_inner);
        let narrowed = offset.bounds.map(|(known_least, known_most)| (known_least.max(least), known_most.min(most)));
        let (least, most) = narrowed.filter(|(least, most)| least <= most).unwrap_or((least, most));
        offset.bounds = Some((least, most));
        // Observations are put in order by these times, so they must not run backwards. As long as nothing speaks
        // against our own clock, it counts; and the lower bound can only rise.
        if !(least..=most).contains(&offset.used) {
            offset.used = least;
        }
    }

    /// A time of this machine as Okta's clock would have shown it.
    pub fn at_okta(&self, here_ms: i64) -> i64 {
        here_ms + self.offset_ms()
    }

    /// The time at Okta in milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.at_okta(self.here_ms())
    }

    /// The time at Okta in whole seconds, as JWTs want it.
    pub fn now_seconds(&self) -> i64 {
        self.now_ms().div_euclid(1_000)
    }

    /// How wrong this machine's clock is, if it is so wrong that Okta may refuse what we sign.
    pub fn error(&self) -> Option<ClockError> {
        let behind_ms = self.offset_ms();
        (behind_ms.abs() >= TOLERABLE_MS).then_some(ClockError { behind_ms })
    }

    fn offset_ms(&self) -> i64 {
        self.offset.lock().unwrap_or_else(PoisonError::into_inner).used
    }
}

/// The clock of this machine is wrong, in words: "61 minutes ahead of Okta's".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockError {
    behind_ms: i64,
}

impl fmt::Display for ClockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // To the nearest minute.
        let minutes = (self.behind_ms.abs() + 30_000) / 60_000;
        let unit = if minutes == 1 { "minute" } else { "minutes" };
        let side = if self.behind_ms > 0 { "behind" } else { "ahead of" };
        write!(f, "the clock of this machine is {minutes} {unit} {side} Okta's")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_narrow_the_offset_and_a_set_clock_starts_anew() {
        let clock = Clock::default();
        assert_eq!(clock.at_okta(5), 5);
        // Okta is 10.3 s ahead; its Date is cut to whole seconds.
        let mut offset = 0;
        for (asked, answered) in [(100_000, 100_200), (113_690, 113_720), (120_650, 120_670)] {
            let there = (asked + answered) / 2 + 10_300;
            clock.learn(there / 1_000 * 1_000, asked, answered);
            assert!(clock.at_okta(0) >= offset, "time at Okta ran backwards");
            offset = clock.at_okta(0);
        }
        let error = clock.at_okta(0) - 10_300;
        assert!(error.abs() <= 100, "{error}");
        assert_eq!(clock.error(), None);
        let right = Clock::default();
        right.learn(1_000, 1_400, 1_450);
        assert_eq!(right.at_okta(7), 7, "nothing speaks against our clock");
        clock.learn(3_780_000, 120_000, 120_100);
        assert_eq!(clock.error().unwrap().to_string(), "the clock of this machine is 61 minutes behind Okta's");
        clock.learn(0, 3_660_000, 3_660_100);
        assert_eq!(clock.error().unwrap().to_string(), "the clock of this machine is 61 minutes ahead of Okta's");
    }
}
