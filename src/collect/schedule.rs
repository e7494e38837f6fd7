//! When the next snapshot is due.

use sha2::{Digest, Sha256};

use crate::config::SnapshotConfig;
use crate::merge::snapshots::Last;
use crate::okta::OrgId;

const HOUR_MS: i64 = 3_600_000;

/// When one that was given up is tried again: soon enough for a token that was mended, and rarely enough not to lock an
/// account by knocking.
const AGAIN_MS: i64 = HOUR_MS / 6;

/// Snapshots by interval, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    interval_ms: i64,
    jitter_percent: i64,
}

impl Schedule {
    pub fn new(config: &SnapshotConfig) -> Self {
        Self {
            interval_ms: i64::from(config.interval_hours) * HOUR_MS,
            jitter_percent: i64::from(config.jitter_percent),
        }
    }

    /// When the next one begins, ms since the Unix epoch; `None` for never. The first one is due at once. The interval
    /// counts from beginning to beginning, by the clock of whoever reads.
    ///
    /// Jitter only adds, so that an interval is never cut short. It is drawn from the org and the last snapshot, so it
    /// is the same after a restart, and another for each org.
    pub fn due(&self, org: &OrgId, last: Option<&Last>) -> Option<i64> {
        if self.interval_ms == 0 {
            return None;
        }
        let Some(last) = last else { return Some(0) };
        if last.aborted.is_some() {
            return Some(last.ended_at + AGAIN_MS.min(self.interval_ms));
        }
        let most = self.interval_ms / 100 * self.jitter_percent;
        let mut digest = Sha256::new();
        digest.update(org.as_str());
        digest.update(last.epoch.to_le_bytes());
        let drawn = digest.finalize().iter().take(6).fold(0i64, |drawn, byte| drawn << 8 | i64::from(*byte));
        Some(last.epoch + self.interval_ms + if most > 0 { drawn % most } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(interval_hours: u32, jitter_percent: u32) -> Schedule {
        Schedule::new(&SnapshotConfig { interval_hours, jitter_percent, ..SnapshotConfig::default() })
    }

    fn last(epoch: i64, aborted: bool) -> Last {
        Last { epoch, ended_at: epoch + HOUR_MS, aborted: aborted.then(|| "no way in".to_owned()) }
    }

    #[test]
    fn the_first_is_due_at_once_and_none_means_never() {
        let acme = OrgId::new("acme");
        assert_eq!(schedule(24, 10).due(&acme, None), Some(0));
        assert_eq!(schedule(0, 10).due(&acme, None), None);
        assert_eq!(schedule(24, 0).due(&acme, Some(&last(5, false))), Some(5 + 24 * HOUR_MS));
    }

    #[test]
    fn jitter_only_adds_within_its_bound_and_is_the_same_each_time() {
        let due: Vec<_> = (0..200)
            .map(|n| {
                schedule(24, 10).due(&OrgId::new(&format!("org{n}")), Some(&last(0, false))).unwrap() - 24 * HOUR_MS
            })
            .collect();
        let most = 24 * HOUR_MS / 10;
        assert!(due.iter().all(|jitter| (0..most).contains(jitter)));
        assert!(due.iter().any(|jitter| *jitter < most / 4) && due.iter().any(|jitter| *jitter > most / 4 * 3));
        let again = schedule(24, 10).due(&OrgId::new("org0"), Some(&last(0, false))).unwrap() - 24 * HOUR_MS;
        assert_eq!(again, due[0]);
    }

    #[test]
    fn one_that_was_given_up_is_tried_again_soon() {
        let acme = OrgId::new("acme");
        assert_eq!(schedule(24, 10).due(&acme, Some(&last(0, true))), Some(HOUR_MS + AGAIN_MS));
    }
}
