//! What is done when a page cannot be read: decided here once.

use std::time::Duration;

use crate::error::{ExitStatus, Fatal};
use crate::okta::api::{ApiFault, Verdict};

/// Pauses when trouble lasts longer than the client's own tries, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// How long one page may be waited for in all. What lasts longer a person should know of; the job goes on from there.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// How often the next page may be sought by time without reading any in between. Once is what an expired cursor takes.
const SEEKS: u32 = 3;

/// How many refusals by a rate limit one page may meet in a row. The limiter makes them rare; without end they mean that
/// somebody else uses all there is.
const REFUSALS: u32 = 60;

/// The largest and the smallest page. Okta allows 1,000, and the largest events are a few hundred kB.
pub(super) const PAGE: u32 = 1_000;
const LEAST_PAGE: u32 = 10;

/// What to do next.
#[derive(Debug)]
pub(super) enum Remedy {
    /// Ask the same again; the limiter says when.
    Again,
    /// Ask the same again after a pause.
    After(Duration),
    /// Leave half of the time to another slice.
    Halve,
    /// Ask for pages of so many events.
    Smaller(u32),
    /// Ask by time from the newest event on.
    Seek,
    /// A person must act.
    GiveUp(Fatal),
}

/// The tries of one slice.
#[derive(Debug, Default)]
pub(super) struct Patience {
    waited: Duration,
    pauses: u32,
    seeks: u32,
    refusals: u32,
}

impl Patience {
    /// A page came: whatever was wrong is over.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// What to do after a fault. `size` is that of the page, `can_halve` whether the slice is long enough.
    pub fn after(&mut self, fault: &ApiFault, size: u32, can_halve: bool) -> Remedy {
        match &fault.verdict {
            Verdict::RateLimited(_) if self.refusals < REFUSALS => {
                self.refusals += 1;
                Remedy::Again
            }
            // Okta answers 500 to a query that takes it more than 30 s.
            Verdict::Timeout(_) | Verdict::ServerError { status: 500 | 504, .. } if can_halve => Remedy::Halve,
            Verdict::TooLarge { .. } if size > LEAST_PAGE => Remedy::Smaller((size / 2).max(LEAST_PAGE)),
            Verdict::BadRequest { stale_cursor: true } | Verdict::ForeignLink(_) => self.seek(fault),
            Verdict::BadRequest { stale_cursor: false } => Remedy::GiveUp(misunderstood(fault)),
            Verdict::Forbidden { .. } | Verdict::AuthFailed { .. } => Remedy::GiveUp(no_right(fault)),
            Verdict::NotJson(_) => self.later(fault),
            _ if fault.passes() => self.later(fault),
            _ => Remedy::GiveUp(unreadable(fault)),
        }
    }

    /// The pages lead back to where we were.
    pub fn after_circle(&mut self) -> Remedy {
        self.seeks += 1;
        if self.seeks <= SEEKS {
            return Remedy::Seek;
        }
        Remedy::GiveUp(Fatal::new(
            ExitStatus::Unavailable,
            "Okta's next links lead back to pages that were read before",
        ))
    }

    fn seek(&mut self, fault: &ApiFault) -> Remedy {
        self.seeks += 1;
        if self.seeks <= SEEKS { Remedy::Seek } else { Remedy::GiveUp(unreadable(fault)) }
    }

    fn later(&mut self, fault: &ApiFault) -> Remedy {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(10)).min(LONGEST_PAUSE);
        if self.waited + pause > PATIENCE {
            return Remedy::GiveUp(unreadable(fault));
        }
        self.pauses += 1;
        self.waited += pause;
        Remedy::After(pause)
    }
}

/// The log is not for us.
pub(super) fn no_right(fault: &ApiFault) -> Fatal {
    // A token for no scope at all is refused before the log is asked for.
    let no_scope = fault.trace.code.as_deref() == Some("invalid_scope");
    let hint = match &fault.verdict {
        verdict if no_scope || matches!(verdict, Verdict::Forbidden { .. }) => {
            "grant the scope okta.logs.read to the app (Applications > the app > Okta API Scopes) and an admin role that \
             may see the System Log, such as Read-only Administrator; docs/okta-access.md says how"
        }
        _ => "docs/okta-access.md says how to get a way in; `okta-ocsf check` tries it",
    };
    Fatal::new(ExitStatus::NoPermission, "the System Log is not for us").hint(hint).because(fault.clone())
}

fn misunderstood(fault: &ApiFault) -> Fatal {
    let told = fault.trace.summary.as_deref().unwrap_or("it does not say why");
    Fatal::new(ExitStatus::Config, format!("Okta refuses what is asked for: {told}"))
        .hint("check --filter: developer.okta.com/docs/reference/system-log-query says what it may be")
        .because(fault.clone())
}

fn unreadable(fault: &ApiFault) -> Fatal {
    Fatal::new(ExitStatus::Unavailable, "the System Log cannot be read").because(fault.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::okta::api::{Limit, Missing, Reach};

    fn fault(verdict: Verdict) -> ApiFault {
        ApiFault { verdict, trace: Box::default() }
    }

    fn server_error(status: u16) -> ApiFault {
        fault(Verdict::ServerError { status, retry_after: None })
    }

    fn gives_up(remedy: &Remedy) -> Option<ExitStatus> {
        match remedy {
            Remedy::GiveUp(fatal) => Some(fatal.status()),
            _ => None,
        }
    }

    #[test]
    fn a_query_that_takes_too_long_is_halved_and_an_outage_is_waited_for() {
        let mut patience = Patience::default();
        for heavy in [server_error(500), server_error(504), fault(Verdict::Timeout(Duration::from_secs(60)))] {
            assert!(matches!(patience.after(&heavy, PAGE, true), Remedy::Halve), "{heavy}");
            assert!(matches!(patience.after(&heavy, PAGE, false), Remedy::After(_)), "{heavy}");
        }
        let away = fault(Verdict::Unreachable(Reach::Connect("refused".into())));
        for passing in [server_error(503), away, fault(Verdict::ReadOnly), fault(Verdict::NotJson("HTML".into()))] {
            assert!(matches!(patience.after(&passing, PAGE, true), Remedy::After(_)), "{passing}");
        }
    }

    #[test]
    fn pauses_grow_and_end_after_an_hour() {
        let mut patience = Patience::default();
        let (mut waited, mut last) = (Duration::ZERO, Duration::ZERO);
        loop {
            match patience.after(&server_error(503), PAGE, true) {
                Remedy::After(pause) => {
                    assert!(pause >= last && pause <= LONGEST_PAUSE);
                    (waited, last) = (waited + pause, pause);
                }
                remedy => {
                    assert_eq!(gives_up(&remedy), Some(ExitStatus::Unavailable));
                    break;
                }
            }
        }
        assert!(waited <= PATIENCE && waited > PATIENCE / 10 * 9, "{waited:?}");
        patience.succeeded();
        assert!(matches!(patience.after(&server_error(503), PAGE, true), Remedy::After(FIRST_PAUSE)));
    }

    #[test]
    fn a_lost_place_is_sought_a_few_times() {
        let mut patience = Patience::default();
        let stale = fault(Verdict::BadRequest { stale_cursor: true });
        for _ in 0..SEEKS {
            assert!(matches!(patience.after(&stale, PAGE, true), Remedy::Seek));
        }
        assert_eq!(gives_up(&patience.after(&stale, PAGE, true)), Some(ExitStatus::Unavailable));
        patience.succeeded();
        assert!(matches!(patience.after_circle(), Remedy::Seek));
    }

    #[test]
    fn pages_that_are_too_large_get_smaller_down_to_the_least() {
        let large = fault(Verdict::TooLarge { limit: 1, compressed: true });
        let (mut size, mut sizes) = (PAGE, Vec::new());
        while let Remedy::Smaller(smaller) = Patience::default().after(&large, size, true) {
            sizes.push(smaller);
            size = smaller;
        }
        assert_eq!(sizes, [500, 250, 125, 62, 31, 15, 10]);
    }

    #[test]
    fn what_only_a_person_can_mend_has_its_exit_status() {
        let forbidden = fault(Verdict::Forbidden { missing: Missing::Scope("okta.logs.read".into()) });
        let locked_out = fault(Verdict::AuthFailed { why: "w".into(), advice: "a".into() });
        let mut misworded = fault(Verdict::BadRequest { stale_cursor: false });
        misworded.trace.summary = Some("filter: unexpected nonsense".into());
        for (fault, status) in [
            (&forbidden, ExitStatus::NoPermission),
            (&locked_out, ExitStatus::NoPermission),
            (&misworded, ExitStatus::Config),
        ] {
            assert_eq!(gives_up(&Patience::default().after(fault, PAGE, true)), Some(status), "{fault}");
        }
        let Remedy::GiveUp(told) = Patience::default().after(&misworded, PAGE, true) else { panic!() };
        assert!(told.to_string().contains("unexpected nonsense"), "Okta's own words: {told}");
        let Remedy::GiveUp(told) = Patience::default().after(&forbidden, PAGE, true) else { panic!() };
        assert!(told.advice().is_some_and(|advice| advice.contains("okta.logs.read")));
        let mut without_scope = locked_out;
        without_scope.trace.code = Some("invalid_scope".into());
        assert!(no_right(&without_scope).advice().is_some_and(|advice| advice.contains("okta.logs.read")));
    }

    #[test]
    fn refusals_are_the_limiters_until_there_are_too_many() {
        let mut patience = Patience::default();
        let refused = fault(Verdict::RateLimited(Limit::Concurrency));
        for _ in 0..REFUSALS {
            assert!(matches!(patience.after(&refused, PAGE, true), Remedy::Again));
        }
        assert!(matches!(patience.after(&refused, PAGE, true), Remedy::After(_)));
    }
}
