//! What is done when a page of the log cannot be had: decided here once. The poll never gives up, as nobody else goes along
//! the log; it only asks for less, more rarely, or from an earlier place.

use std::time::Duration;

use super::PAGE;
use crate::okta::api::{ApiFault, Verdict};

/// The smallest page. A query that is too heavy for 30 seconds of Okta's time is one of a large stretch of the log, not of
/// a large page; less than this would only cost calls.
const LEAST: u32 = 50;

/// Pauses while trouble lasts that may pass, doubled from one to the next: the client has tried for some seconds before.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Refusals by a rate limit in a row after which we pause beside what the limiter makes us wait: then somebody else uses
/// all there is.
const REFUSALS: u32 = 3;

/// When we look again whether we may read the log by now: soon enough for who has just granted it, and rarely enough not
/// to be taken for an attack.
const BARRED_PAUSE: Duration = Duration::from_secs(600);

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Ask again, for a page of the size that is right now.
    Again,
    /// Ask again after a pause.
    After(Duration),
    /// The place is not known any more: begin at an earlier one.
    Anew,
    /// We may not read the log until a person acts; ask again after a pause.
    Barred(String, Duration),
}

/// How faults are met.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    size: u32,
    pause: Duration,
    refusals: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { size: PAGE, pause: FIRST_PAUSE, refusals: 0 }
    }
}

impl Patience {
    /// How many events a page should have.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// A page came; the next one may be larger again.
    pub fn succeeded(&mut self) {
        *self = Self { size: (self.size * 2).min(PAGE), ..Self::default() };
    }

    /// What to do after a fault.
    pub fn after(&mut self, fault: &ApiFault) -> Remedy {
        match &fault.verdict {
            Verdict::RateLimited(_) if self.refusals < REFUSALS => {
                self.refusals += 1;
                Remedy::Again
            }
            Verdict::Timeout(_) | Verdict::ServerError { .. } | Verdict::TooLarge { .. } if self.size > LEAST => {
                self.size = (self.size / 2).max(LEAST);
                Remedy::Again
            }
            Verdict::BadRequest { stale_cursor: true } => Remedy::Anew,
            Verdict::Forbidden { .. } | Verdict::AuthFailed { .. } | Verdict::FeatureOff | Verdict::Gone => {
                Remedy::Barred(fault.to_string(), BARRED_PAUSE)
            }
            _ => Remedy::After(self.longer()),
        }
    }

    fn longer(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::okta::api::{Limit, Missing, Reach};

    fn fault(verdict: Verdict) -> ApiFault {
        ApiFault { verdict, trace: Box::default() }
    }

    #[test]
    fn heavy_pages_are_halved_then_waited_for_and_grow_again() {
        let heavy = fault(Verdict::ServerError { status: 500, retry_after: None });
        let mut patience = Patience::default();
        let mut sizes = Vec::new();
        while patience.after(&heavy) == Remedy::Again {
            sizes.push(patience.size());
        }
        assert_eq!(sizes, [500, 250, 125, 62, 50]);
        assert_eq!(patience.after(&heavy), Remedy::After(FIRST_PAUSE * 2));
        let pauses: Vec<_> = (0..5).map(|_| patience.after(&heavy)).collect();
        assert_eq!(pauses.last(), Some(&Remedy::After(LONGEST_PAUSE)));
        patience.succeeded();
        assert_eq!(patience.size(), 100);
        for _ in 0..5 {
            patience.succeeded();
        }
        assert_eq!(patience.size(), PAGE);
    }

    #[test]
    fn nothing_is_for_ever_and_only_a_stale_place_is_left() {
        let mut patience = Patience::default();
        assert_eq!(patience.after(&fault(Verdict::BadRequest { stale_cursor: true })), Remedy::Anew);
        for verdict in [
            Verdict::BadRequest { stale_cursor: false },
            Verdict::NotJson("HTML".into()),
            Verdict::ForeignLink("evil".into()),
            Verdict::Unreachable(Reach::Connect("refused".into())),
            Verdict::ReadOnly,
        ] {
            assert!(matches!(patience.after(&fault(verdict)), Remedy::After(_)));
        }
        let missing = Missing::Scope("okta.logs.read".into());
        let barred = patience.after(&fault(Verdict::Forbidden { missing }));
        assert!(matches!(barred, Remedy::Barred(why, _) if why.contains("grant the scope okta.logs.read")));
    }

    #[test]
    fn the_limiter_alone_says_when_unless_refusals_do_not_end() {
        let limited = fault(Verdict::RateLimited(Limit::Concurrency));
        let mut patience = Patience::default();
        assert!((0..REFUSALS).all(|_| patience.after(&limited) == Remedy::Again));
        assert_eq!(patience.after(&limited), Remedy::After(FIRST_PAUSE));
        patience.succeeded();
        assert_eq!(patience.after(&limited), Remedy::Again);
    }
}
