//! What is done when a page cannot be read: decided here once, for every collection.

use std::time::Duration;

use super::table::Page;
use crate::okta::api::{ApiFault, Verdict};

/// Pauses before a page is asked for again when trouble lasts longer than the client's own tries, about five minutes
/// in all. What lasts longer is no reason to hold up a snapshot: the next one reads the rest.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(5), Duration::from_secs(20), Duration::from_secs(75), Duration::from_secs(200)];

/// How often one list may begin again because its cursor expired. Cursors live about an hour, so more than this is a
/// list that cannot be read in that time.
const RESTARTS: u32 = 3;

/// How many refusals by a rate limit one page may meet in a row. The limiter makes them rare; without end they mean that
/// somebody else uses all there is.
const REFUSALS: u32 = 60;

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Ask the same again; the limiter says when.
    Again,
    /// Ask the same again after a pause.
    After(Duration),
    /// Ask for a page of so many objects.
    Smaller(u32),
    /// Read the list from its beginning.
    Restart,
    /// The list is over.
    End(ListEnd),
    /// Nothing of the org can be read until a person acts.
    NoWayIn(String),
}

/// How one list ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ListEnd {
    /// Every page was read.
    Read,
    /// What the list is within is gone.
    Gone,
    /// It is not for us.
    Refused(String),
    /// The org does not have it.
    Off,
    /// Okta does not understand what is asked for.
    NotUnderstood(String),
    /// Why it could not be read, or not to its end.
    Failed(String),
}

/// The tries of one list.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    page: Option<Page>,
    size: u32,
    pauses: usize,
    restarts: u32,
    refusals: u32,
}

impl Patience {
    pub fn new(page: Option<Page>, restarts: u32) -> Self {
        let size = page.map_or(0, |page| page.size);
        Self { page, size, pauses: 0, restarts, refusals: 0 }
    }

    /// A page came: whatever was wrong is over.
    pub fn succeeded(&mut self) {
        (self.pauses, self.refusals) = (0, 0);
    }

    /// The page size, if it is another than that of the table.
    pub fn reduced(&self) -> Option<u32> {
        self.page.filter(|page| page.size != self.size).map(|_| self.size)
    }

    /// The list goes on with pages of this size.
    pub fn goes_by(&mut self, limit: Option<u32>) {
        if let (Some(page), Some(limit)) = (self.page, limit) {
            self.size = limit.clamp(page.least, page.size);
        }
    }

    /// Whether the list may begin again, and if so, counts it.
    pub fn may_restart(&mut self) -> bool {
        let may = self.restarts < RESTARTS;
        self.restarts += u32::from(may);
        may
    }

    /// How often the list began again.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// What to do after a fault.
    pub fn after(&mut self, fault: &ApiFault) -> Remedy {
        let failed = || Remedy::End(ListEnd::Failed(fault.to_string()));
        match &fault.verdict {
            Verdict::RateLimited(_) if self.refusals < REFUSALS => {
                self.refusals += 1;
                Remedy::Again
            }
            Verdict::Timeout(_) | Verdict::ServerError { .. } => self.smaller().unwrap_or_else(|| self.later(fault)),
            Verdict::TooLarge { .. } => self.smaller().unwrap_or_else(failed),
            Verdict::ReadOnly | Verdict::Unreachable(_) if fault.passes() => self.later(fault),
            Verdict::BadRequest { stale_cursor: true } if self.may_restart() => Remedy::Restart,
            Verdict::BadRequest { stale_cursor: false } => Remedy::End(ListEnd::NotUnderstood(fault.to_string())),
            Verdict::Gone => Remedy::End(ListEnd::Gone),
            Verdict::Forbidden { missing } => Remedy::End(ListEnd::Refused(missing.to_string())),
            Verdict::FeatureOff => Remedy::End(ListEnd::Off),
            Verdict::AuthFailed { .. } => Remedy::NoWayIn(fault.to_string()),
            _ => failed(),
        }
    }

    /// A query that is too heavy succeeds when it asks for less.
    fn smaller(&mut self) -> Option<Remedy> {
        let least = self.page?.least;
        let size = (self.size / 2).max(least);
        (size < self.size).then(|| {
            self.size = size;
            Remedy::Smaller(size)
        })
    }

    fn later(&mut self, fault: &ApiFault) -> Remedy {
        self.pauses += 1;
        match PAUSES.get(self.pauses - 1) {
            Some(pause) => Remedy::After(*pause),
            None => Remedy::End(ListEnd::Failed(fault.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::okta::api::{Limit, Missing, Reach};

    fn fault(verdict: Verdict) -> ApiFault {
        ApiFault { verdict, trace: Box::default() }
    }

    fn heavy() -> ApiFault {
        fault(Verdict::ServerError { status: 500, retry_after: None })
    }

    #[test]
    fn heavy_pages_are_halved_down_to_the_least_and_then_waited_for() {
        let mut patience = Patience::new(Some(Page { size: 200, least: 30 }), 0);
        let sizes: Vec<_> = (0..3).map(|_| patience.after(&heavy())).collect();
        assert_eq!(sizes, [Remedy::Smaller(100), Remedy::Smaller(50), Remedy::Smaller(30)]);
        assert_eq!(patience.after(&heavy()), Remedy::After(PAUSES[0]));
        for _ in 1..PAUSES.len() {
            assert!(matches!(patience.after(&heavy()), Remedy::After(_)));
        }
        assert!(matches!(patience.after(&heavy()), Remedy::End(ListEnd::Failed(_))));
        let mut unpaged = Patience::new(None, 0);
        assert_eq!(unpaged.after(&heavy()), Remedy::After(PAUSES[0]));
        unpaged.succeeded();
        assert_eq!(unpaged.after(&heavy()), Remedy::After(PAUSES[0]), "patience is for one page");
    }

    #[test]
    fn what_too_large_pages_need_is_less_and_never_time() {
        let large = fault(Verdict::TooLarge { limit: 1, compressed: false });
        let mut patience = Patience::new(Some(Page { size: 50, least: 25 }), 0);
        assert_eq!(patience.after(&large), Remedy::Smaller(25));
        assert!(matches!(patience.after(&large), Remedy::End(ListEnd::Failed(_))));
    }

    #[test]
    fn an_expired_cursor_begins_the_list_again_and_not_for_ever() {
        let stale = fault(Verdict::BadRequest { stale_cursor: true });
        let mut patience = Patience::new(None, 1);
        assert_eq!([patience.after(&stale), patience.after(&stale)], [Remedy::Restart, Remedy::Restart]);
        assert_eq!(patience.restarts(), 3);
        assert!(matches!(patience.after(&stale), Remedy::End(ListEnd::Failed(_))));
        let not_understood = fault(Verdict::BadRequest { stale_cursor: false });
        let end = Patience::new(None, 0).after(&not_understood);
        assert!(matches!(end, Remedy::End(ListEnd::NotUnderstood(_))));
    }

    #[test]
    fn a_rate_limit_is_not_a_failure_until_it_never_ends() {
        let limited = fault(Verdict::RateLimited(Limit::Concurrency));
        let mut patience = Patience::new(None, 0);
        assert!((0..REFUSALS).all(|_| patience.after(&limited) == Remedy::Again));
        assert!(matches!(patience.after(&limited), Remedy::End(ListEnd::Failed(_))));
    }

    #[test]
    fn forbidden_off_gone_and_shut_out_are_told_apart() {
        let mut patience = Patience::new(None, 0);
        let missing = Missing::Scope("okta.users.read".into());
        let refused = patience.after(&fault(Verdict::Forbidden { missing }));
        assert_eq!(refused, Remedy::End(ListEnd::Refused("grant the scope okta.users.read".into())));
        assert_eq!(patience.after(&fault(Verdict::FeatureOff)), Remedy::End(ListEnd::Off));
        assert_eq!(patience.after(&fault(Verdict::Gone)), Remedy::End(ListEnd::Gone));
        let shut_out = fault(Verdict::AuthFailed { why: "revoked".into(), advice: "make a new one".into() });
        assert!(matches!(patience.after(&shut_out), Remedy::NoWayIn(why) if why.contains("revoked")));
        let tls = fault(Verdict::Unreachable(Reach::Tls("expired".into())));
        assert!(matches!(patience.after(&tls), Remedy::End(ListEnd::Failed(_))), "waiting mends no certificate");
        for verdict in [Verdict::NotJson("HTML".into()), Verdict::ForeignLink("evil".into())] {
            assert!(matches!(patience.after(&fault(verdict)), Remedy::End(ListEnd::Failed(_))));
        }
    }
}
