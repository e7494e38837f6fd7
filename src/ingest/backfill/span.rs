//! Which part of the log may be read as history.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const SECOND_MS: i64 = 1_000;
const HOUR_MS: i64 = 3_600 * SECOND_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How long Okta keeps its log (<https://developer.okta.com/docs/reference/system-log-query/>). What is asked for beyond
/// is not refused but empty, so nobody would notice.
pub(super) const RETENTION_MS: i64 = 90 * DAY_MS;

/// What is younger may still change: Okta calls an hour's delay of an event normal, and a query by time does not find
/// what comes late. It is the live poll's, which does.
pub const SETTLE_MS: i64 = HOUR_MS;

/// What is about to be dropped is not begun with: it would be gone before the first page of it was read.
const MARGIN_MS: i64 = 10 * 60 * SECOND_MS;

/// A time as people say it: `2026-11-01`, `2026-11-01T08:00:00Z`, or how long ago, `90d`, `36h`, `30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Then, ms since the Unix epoch.
    At(i64),
    /// So many ms ago.
    Ago(i64),
}

impl Moment {
    /// The time, if it is `now_ms`.
    pub fn resolve(self, now_ms: i64) -> i64 {
        match self {
            Self::At(ms) => ms,
            Self::Ago(ms) => now_ms.saturating_sub(ms),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(Self::At(time.as_millisecond()));
        }
        if let Ok(day) = format!("{text}T00:00:00Z").parse::<Timestamp>() {
            return Ok(Self::At(day.as_millisecond()));
        }
        let unit = match text.chars().last() {
            Some('d') => Some(DAY_MS),
            Some('h') => Some(HOUR_MS),
            Some('m') => Some(60 * SECOND_MS),
            _ => None,
        };
        let count = text.get(..text.len().saturating_sub(1)).and_then(|count| count.parse::<u32>().ok());
        match (unit, count) {
            (Some(unit), Some(count)) => Ok(Self::Ago(unit.saturating_mul(i64::from(count)))),
            _ => Err("give a time such as 2026-11-01 or 2026-11-01T08:00:00Z, or how long ago: 90d, 36h, 30m".into()),
        }
    }
}

/// From `since` until before `until`, ms since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first millisecond.
    pub since: i64,
    /// The millisecond after the last one.
    pub until: i64,
}

/// Why a time cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Okta does not have it any more.
    #[error("Okta keeps its log for 90 days: --since can go back to {}, not to {}", At(*.oldest), At(*.since))]
    TooOld {
        /// What was asked for.
        since: i64,
        /// What there is.
        oldest: i64,
    },
    /// It is not settled yet.
    #[error(
        "what is younger than an hour is not settled and is the live poll's: --since must be before {}, and is {}",
        At(*.settled), At(*.since)
    )]
    TooYoung {
        /// What was asked for.
        since: i64,
        /// Until when the log is settled.
        settled: i64,
    },
    /// It ends before it begins.
    #[error("--until must be after --since, and {} is not after {}", At(*.until), At(*.since))]
    Backwards {
        /// Its beginning.
        since: i64,
        /// Its end.
        until: i64,
    },
}

impl Span {
    /// The time that is meant, cut to what may be read: not what is dropped at any moment, and not what is not settled
    /// yet. Without an `until`, all that is settled.
    ///
    /// # Errors
    /// When nothing of it may be read, or its beginning is not there any more.
    pub fn resolve(since: Moment, until: Option<Moment>, now_ms: i64) -> Result<Self, SpanError> {
        let (oldest, settled) = (now_ms - RETENTION_MS, now_ms - SETTLE_MS);
        let since = since.resolve(now_ms);
        if since < oldest {
            return Err(SpanError::TooOld { since, oldest });
        }
        if let Some(until) = until.map(|until| until.resolve(now_ms)).filter(|until| *until <= since) {
            return Err(SpanError::Backwards { since, until });
        }
        if since >= settled {
            return Err(SpanError::TooYoung { since, settled });
        }
        let until = until.map_or(settled, |until| until.resolve(now_ms).min(settled));
        let since = since.max(oldest + MARGIN_MS);
        if since >= until {
            return Err(SpanError::TooOld { since: oldest, oldest: oldest + MARGIN_MS });
        }
        Ok(Self { since, until })
    }

    /// How long it is, ms.
    pub fn length_ms(&self) -> i64 {
        self.until - self.since
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", At(self.since), At(self.until))
    }
}

/// A time as Okta and people read it.
pub(super) struct At(pub i64);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(time) if self.0 % SECOND_MS == 0 => write!(f, "{time:.0}"),
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn at(text: &str) -> Moment {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_is_a_day_a_moment_or_how_long_ago() {
        assert_eq!(at("2026-11-01"), Moment::At(1_793_491_200_000));
        assert_eq!(at("2026-11-01T01:00:00.5+01:00"), Moment::At(1_793_491_200_500));
        assert_eq!(at("90d"), Moment::Ago(RETENTION_MS));
        assert_eq!((at("36h"), at("5m")), (Moment::Ago(36 * HOUR_MS), Moment::Ago(300_000)));
        for text in ["", "d", "yesterday", "-3d", "3w", "2026-13-01", "99999999999d", "é"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }

    #[test]
    fn without_an_end_it_is_all_that_is_settled() {
        let span = Span::resolve(at("2d"), None, NOW).unwrap();
        assert_eq!(span, Span { since: NOW - 2 * DAY_MS, until: NOW - SETTLE_MS });
        let cut = Span::resolve(at("2d"), Some(at("5m")), NOW).unwrap();
        assert_eq!(cut, span, "what is not settled is left to the live poll");
        let until = Span::resolve(at("2d"), Some(at("1d")), NOW).unwrap().until;
        assert_eq!(until, NOW - DAY_MS);
    }

    #[test]
    fn what_okta_has_dropped_is_refused_with_how_far_back_it_can_go() {
        let error = Span::resolve(Moment::At(NOW - 91 * DAY_MS), None, NOW).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Okta keeps its log for 90 days: --since can go back to 2026-10-17T08:00:00Z, not to 2026-10-16T08:00:00Z"
        );
        let all = Span::resolve(at("90d"), None, NOW).unwrap();
        assert_eq!(all.since, NOW - RETENTION_MS + MARGIN_MS, "what goes at any moment is not begun with");
    }

    #[test]
    fn what_is_backwards_or_too_young_is_refused_as_such() {
        let backwards = Span::resolve(at("1d"), Some(at("2d")), NOW);
        assert!(matches!(backwards, Err(SpanError::Backwards { .. })), "{backwards:?}");
        let same = Span::resolve(at("1d"), Some(at("1d")), NOW);
        assert!(matches!(same, Err(SpanError::Backwards { .. })), "{same:?}");
        let young = Span::resolve(at("30m"), None, NOW);
        assert!(matches!(young, Err(SpanError::TooYoung { .. })), "{young:?}");
        let dropped = Span::resolve(at("90d"), Some(Moment::At(NOW - RETENTION_MS + 5)), NOW);
        assert!(matches!(dropped, Err(SpanError::TooOld { .. })), "{dropped:?}");
    }
}
