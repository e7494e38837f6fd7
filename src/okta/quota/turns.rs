use super::call::Priority;

/// Whose turn it is when not all can go: higher priorities first, but a lower one that has been passed over often
/// enough is owed a call.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Until when a refused priority is taken to be still waiting.
    waiting_until: [i64; 4],
    /// Calls of higher priorities that went while it was waiting.
    passed_over: [u32; 4],
}

/// How many higher calls may pass before one is owed: each priority keeps about a third of what the next higher one
/// gets, so that under a storm of fetches a snapshot still has a tenth and an audit a thirtieth.
const OWED_AFTER: [u32; 4] = [u32::MAX, 3, 9, 27];

/// How long after its time a waiting priority is still expected to ask: several turns of an event loop. When the
/// higher one has gone away, this is what a lower one waits in vain.
const GRACE_MS: i64 = 50;

impl Turns {
    /// `priority` was told to wait until this time.
    pub fn refused(&mut self, priority: Priority, until: i64) {
        let still = &mut self.waiting_until[priority.rank()];
        *still = (*still).max(until.saturating_add(GRACE_MS));
    }

    /// `priority` has made a call: from what lower ones could have had too, or from what is kept for it.
    pub fn went(&mut self, priority: Priority, contested: bool, now: i64) {
        self.waiting_until[priority.rank()] = i64::MIN;
        self.passed_over[priority.rank()] = 0;
        if !contested {
            return;
        }
        for lower in below(priority) {
            if self.is_waiting(lower, now) {
                let passed = &mut self.passed_over[lower.rank()];
                *passed = passed.saturating_add(1);
            }
        }
    }

    /// Until when `priority` stands behind a higher one that waits; `None` if it does not, or is owed a call.
    pub fn behind(&self, priority: Priority, now: i64) -> Option<i64> {
        if self.is_owed(priority, now) {
            return None;
        }
        above(priority).filter(|higher| self.is_waiting(*higher, now)).map(|p| self.waiting_until[p.rank()]).max()
    }

    /// Calls that `priority` must leave over: one for each lower priority that is owed one.
    pub fn set_aside(&self, priority: Priority, now: i64) -> u32 {
        below(priority).map(|lower| u32::from(self.is_owed(lower, now))).sum()
    }

    /// Whether `priority` is owed a call.
    pub fn is_owed(&self, priority: Priority, now: i64) -> bool {
        self.is_waiting(priority, now) && self.passed_over[priority.rank()] >= OWED_AFTER[priority.rank()]
    }

    fn is_waiting(&self, priority: Priority, now: i64) -> bool {
        now < self.waiting_until[priority.rank()]
    }
}

fn above(priority: Priority) -> impl Iterator<Item = Priority> {
    Priority::ALL.into_iter().filter(move |other| *other < priority)
}

fn below(priority: Priority) -> impl Iterator<Item = Priority> {
    Priority::ALL.into_iter().filter(move |other| *other > priority)
}

#[cfg(test)]
mod tests {
    use super::{GRACE_MS, OWED_AFTER, Priority::*, Turns};

    #[test]
    fn a_lower_priority_stands_behind_a_higher_one_until_that_has_gone_or_given_up() {
        let mut turns = Turns::default();
        turns.refused(Fetch, 1000);
        assert_eq!(turns.behind(Snapshot, 1000), Some(1000 + GRACE_MS));
        assert_eq!(turns.behind(Fetch, 1000), None);
        assert_eq!(turns.behind(Snapshot, 1000 + GRACE_MS), None);
        turns.went(Fetch, true, 1000);
        assert_eq!(turns.behind(Snapshot, 1000), None);
    }

    #[test]
    fn one_passed_over_often_enough_is_owed_a_call() {
        let mut turns = Turns::default();
        turns.refused(Snapshot, 1000);
        for _ in 0..OWED_AFTER[Snapshot.rank()] {
            assert_eq!(turns.set_aside(Fetch, 0), 0);
            turns.refused(Fetch, 1000);
            assert!(turns.behind(Snapshot, 0).is_some());
            turns.went(Fetch, true, 0);
        }
        turns.refused(Fetch, 1000);
        assert_eq!((turns.behind(Snapshot, 0), turns.set_aside(Fetch, 0)), (None, 1));
        turns.went(Snapshot, true, 0);
        assert_eq!(turns.set_aside(Fetch, 0), 0);
    }

    #[test]
    fn one_that_does_not_wait_or_could_not_have_gone_is_owed_nothing() {
        let mut turns = Turns::default();
        for _ in 0..100 {
            turns.went(Fetch, true, 0);
        }
        turns.refused(Snapshot, 10);
        for _ in 0..100 {
            turns.went(Poll, false, 0);
        }
        turns.refused(Audit, 10);
        assert_eq!(turns.set_aside(Fetch, 5), 0);
    }
}
