use super::{call::Priority, policy::Policy, turns::Turns};

/// Calls in flight at once, over all buckets: as many as the org bears, found by halving when it refuses one and
/// adding one when it has borne full slots for a while.
#[derive(Debug)]
pub(super) struct Slots {
    cap: u32,
    max: u32,
    in_flight: u32,
    /// Good answers while the slots were full, since the cap last grew.
    good: u32,
    cut_at: i64,
    pause: i64,
    paused_until: i64,
    turns: Turns,
}

/// The first pause after the org refused a call for too many in flight: longer than nearly every call takes, so that
/// what was in flight is gone when we come back.
const FIRST_PAUSE_MS: i64 = 1_000;

/// The longest pause; each refusal in a row doubles it. Half a window, so that windows are not skipped.
const LONGEST_PAUSE_MS: i64 = 30_000;

/// Full rounds that are borne before one slot is added: at a second each, an org that bears few refuses a round in
/// some minutes only, and after a short crowd what was halved is back in five.
const ROUNDS_TO_GROW: u32 = 30;

/// One slot in this many is kept for fetches and polls: two of the first 15, so that both can start at once.
const KEPT_OF: u32 = 8;

/// How soon to ask again when only an answer can help, in case that is missed.
pub(super) const ASK_AGAIN_MS: i64 = 1_000;

impl Slots {
    pub fn new(policy: &Policy) -> Self {
        Self {
            cap: policy.concurrency_start,
            max: policy.concurrency_max,
            in_flight: 0,
            good: 0,
            cut_at: i64::MIN,
            pause: 0,
            paused_until: i64::MIN,
            turns: Turns::default(),
        }
    }

    /// Whether a call of `priority` finds a slot, or when to ask again.
    pub fn admit(&mut self, priority: Priority, now: i64) -> Result<(), i64> {
        let verdict = self.verdict(priority, now);
        if let Err(until) = verdict {
            self.turns.refused(priority, until);
        }
        verdict
    }

    fn verdict(&self, priority: Priority, now: i64) -> Result<(), i64> {
        if now < self.paused_until {
            return Err(self.paused_until);
        }
        if let Some(until) = self.turns.behind(priority, now) {
            return Err(until);
        }
        let kept = if priority.is_urgent() || self.turns.is_owed(priority, now) { 0 } else { self.kept() };
        let taken = self.in_flight + kept + self.turns.set_aside(priority, now);
        if taken < self.cap || self.in_flight == 0 { Ok(()) } else { Err(now + ASK_AGAIN_MS) }
    }

    pub fn took(&mut self, priority: Priority, now: i64) {
        self.in_flight += 1;
        self.turns.went(priority, true, now);
    }

    /// A call was answered, whatever the answer, or lost.
    pub fn freed(&mut self, sent: i64, borne: bool) {
        let full = self.in_flight + self.kept() >= self.cap;
        self.in_flight = self.in_flight.saturating_sub(1);
        if !borne || sent < self.cut_at {
            return;
        }
        self.pause = 0;
        self.good += u32::from(full);
        if self.good >= ROUNDS_TO_GROW * self.cap && self.cap < self.max {
            (self.cap, self.good) = (self.cap + 1, 0);
        }
    }

    /// The org refused a call for too many in flight. Those that were in flight together count once.
    pub fn refused(&mut self, sent: i64, now: i64) {
        if sent < self.cut_at {
            return;
        }
        self.cap = (self.cap / 2).max(1);
        self.good = 0;
        self.cut_at = now;
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
        self.paused_until = now + self.pause;
    }

    /// Slots there are now.
    pub fn cap(&self) -> u32 {
        self.cap
    }

    fn kept(&self) -> u32 {
        if self.cap == 1 { 0 } else { self.cap.div_ceil(KEPT_OF) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Policy, Priority::*, ROUNDS_TO_GROW, Slots};

    fn filled(cap: u32) -> Slots {
        let mut slots = Slots::new(&Policy { concurrency_start: cap, concurrency_max: cap * 2, ..Policy::default() });
        while slots.admit(Fetch, 0).is_ok() {
            slots.took(Fetch, 0);
        }
        slots
    }

    #[test]
    fn urgent_calls_find_a_slot_where_others_do_not() {
        let mut slots = Slots::new(&Policy::default());
        while slots.admit(Snapshot, 0).is_ok() {
            slots.took(Snapshot, 0);
        }
        assert_eq!(slots.in_flight, 13);
        assert!(slots.admit(Poll, 0).is_ok());
        assert_eq!(filled(15).in_flight, 15);
    }

    #[test]
    fn refusals_of_one_round_halve_once_and_pauses_double() {
        let mut slots = filled(16);
        slots.refused(0, 100);
        slots.refused(0, 101);
        assert_eq!((slots.cap(), slots.admit(Fetch, 102)), (8, Err(1100)));
        slots.refused(1100, 1200);
        assert_eq!((slots.cap(), slots.admit(Fetch, 1201)), (4, Err(3200)));
        for n in 0..10 {
            slots.refused(10_000 + n * 100, 10_100 + n * 100);
        }
        assert_eq!((slots.cap(), slots.pause), (1, 30_000));
    }

    #[test]
    fn full_rounds_that_are_borne_add_one_up_to_the_most() {
        let mut slots = filled(2);
        for n in 0..1_000 {
            assert!(slots.cap() <= 2 + n as u32 / (2 * ROUNDS_TO_GROW));
            slots.freed(n, true);
            while slots.admit(Fetch, n).is_ok() {
                slots.took(Fetch, n);
            }
        }
        assert_eq!((slots.cap(), slots.in_flight), (4, 4));
    }

    #[test]
    fn calls_from_before_a_cut_do_not_raise_the_cap() {
        let mut slots = filled(4);
        slots.refused(0, 100);
        for _ in 0..4 {
            slots.freed(50, true);
        }
        assert_eq!((slots.cap(), slots.pause), (2, 1_000));
    }
}
