use std::collections::VecDeque;

use super::{
    call::Priority,
    clock::Offset,
    headers::{Headers, Refusal},
    policy::Policy,
    slots::ASK_AGAIN_MS,
    turns::Turns,
    window::{LONGEST_MS, Of, Told, WINDOW_MS, Window, same_reset},
};

/// One of Okta's rate-limit buckets: the window that is open, and what we have spent of it.
#[derive(Debug)]
pub(super) struct Bucket {
    pub name: String,
    /// Kinds of calls that are in it.
    pub kinds: u32,
    /// The last Limit told, or the first guess.
    limit: u32,
    is_told: bool,
    phase: Phase,
    in_flight: u32,
    /// When calls were lost that the open window may have counted.
    lost: VecDeque<i64>,
    closed_until: i64,
    /// How much later than computed a window has been seen to end.
    late: i64,
    /// What a hidden limit lets through, if one has refused us below the limit told.
    ceiling: Option<Ceiling>,
    /// Calls of others in a window, a moving mean.
    others_mean: u32,
    /// Our own fetches and polls in this window, and their moving mean.
    urgent: u32,
    urgent_mean: u32,
    suspect: Option<Suspect>,
    turns: Turns,
}

#[derive(Debug)]
enum Phase {
    /// The last window, with this Reset, has ended, and nothing is known of the next one: a few calls find out.
    Unknown {
        since: i64,
        before: Option<i64>,
        probes: u32,
    },
    Open(Window),
}

#[derive(Debug, Clone, Copy)]
struct Ceiling {
    calls: u32,
    /// Windows without a refusal since it was set or raised.
    clean: u32,
}

/// A kind of calls that seems to have a bucket of its own.
#[derive(Debug)]
struct Suspect {
    kind: usize,
    reset: Option<i64>,
    limit: u32,
    received: i64,
}

/// What a reply shows about the kinds of calls in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing yet.
    Open,
    /// What it tells is true of the bucket.
    TheTruth,
    /// This kind has a bucket of its own.
    SetApart(usize),
}

/// A reply to a call of this bucket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reply<'a> {
    pub kind: usize,
    pub sent: i64,
    pub received: i64,
    pub headers: &'a Headers,
}

/// Calls that may be in flight while nothing is known of the window. One would do; three so that a slow one does not
/// hold up the window, and because the first of three answers bounds its end better.
const PROBES: u32 = 3;

/// Added to the certain end of a window: twice what clocks that differ by 200 ppm drift apart in one.
const GUARD_MS: i64 = 25;

/// A window seen to end later than computed moves the end by this, and at most by `MOST_LATE_MS`: what is lost is small,
/// and a rounding that nobody foresaw (a second) is learned in four windows.
const LATE_STEP_MS: i64 = 250;
const MOST_LATE_MS: i64 = 2_000;

/// A ceiling is tried again, a quarter higher, after so many windows: a limit that stays costs a round of refusals in
/// ten minutes, and one odd refusal, which halves what we use, is overcome in forty.
const RETRIED_AFTER: u32 = 10;

/// The reserve of a window is given up by this much before its latest end: the two seconds by which a rounded Reset
/// leaves the end open, and a round trip, so that what was not needed is still used in this window.
const RELEASED_MS: i64 = 3_000;

impl Bucket {
    pub fn new(name: String, guess: u32, now: i64) -> Self {
        Self {
            name,
            kinds: 0,
            limit: guess,
            is_told: false,
            phase: Phase::Unknown { since: now, before: None, probes: 0 },
            in_flight: 0,
            lost: VecDeque::new(),
            closed_until: i64::MIN,
            late: 0,
            ceiling: None,
            others_mean: 0,
            urgent: 0,
            urgent_mean: 0,
            suspect: None,
            turns: Turns::default(),
        }
    }

    /// Whether a call of `priority` may be made now, or when to ask again.
    pub fn admit(&mut self, priority: Priority, now: i64, offset: Option<Offset>, policy: &Policy) -> Result<(), i64> {
        self.roll(now, offset, policy);
        let verdict = self.verdict(priority, now, offset, policy);
        if let Err(until) = verdict {
            self.turns.refused(priority, until);
        }
        verdict
    }

    fn verdict(&self, priority: Priority, now: i64, offset: Option<Offset>, policy: &Policy) -> Result<(), i64> {
        if now < self.closed_until {
            return Err(self.closed_until);
        }
        if let Some(until) = self.turns.behind(priority, now) {
            return Err(until);
        }
        match &self.phase {
            Phase::Unknown { probes, .. } => self.has_probe(*probes, now, policy),
            Phase::Open(window) => self.has_room(window, priority, now, offset, policy),
        }
    }

    fn has_probe(&self, probes: u32, now: i64, policy: &Policy) -> Result<(), i64> {
        if self.unanswered() >= self.permitted(self.limit, policy) {
            Err(self.lost.front().map_or(now, |lost| lost + WINDOW_MS).max(now + ASK_AGAIN_MS))
        } else if probes >= PROBES {
            Err(now + ASK_AGAIN_MS)
        } else {
            Ok(())
        }
    }

    fn has_room(
        &self,
        window: &Window,
        priority: Priority,
        now: i64,
        offset: Option<Offset>,
        policy: &Policy,
    ) -> Result<(), i64> {
        let end = self.end_of(window, offset);
        let set_aside = i64::from(self.turns.set_aside(priority, now));
        let free = self.room(window, priority.is_urgent(), policy) - set_aside;
        if free <= 0 {
            return Err(end);
        }
        let released = if priority.is_urgent() { now } else { given_up_at(end, self.reserve(window, policy), free) };
        if now >= released { Ok(()) } else { Err(released) }
    }

    /// Calls that a fresh window keeps for fetches and polls: as configured, and more if they have come to use more.
    fn reserve(&self, window: &Window, policy: &Policy) -> u32 {
        let permitted = self.permitted(window.limit, policy);
        policy.reserve_of(permitted).max((2 * self.urgent_mean).min(permitted / 2))
    }

    /// Calls that may still be made in this window: within our share even if every unanswered call is still to be
    /// counted, and not below the line that is left to others.
    fn room(&self, window: &Window, urgent: bool, policy: &Policy) -> i64 {
        let spent = i64::from(self.unanswered());
        let ours = i64::from(self.permitted(window.limit, policy)) - i64::from(window.answered);
        let everyones = i64::from(policy.line(window.limit, urgent)) - i64::from(window.used);
        ours.min(everyones) - spent
    }

    fn permitted(&self, limit: u32, policy: &Policy) -> u32 {
        policy.permitted(limit).min(self.ceiling.map_or(u32::MAX, |ceiling| ceiling.calls))
    }

    /// Calls that the open window may have counted without telling us.
    fn unanswered(&self) -> u32 {
        self.in_flight + self.lost.len() as u32
    }

    fn end_of(&self, window: &Window, offset: Option<Offset>) -> i64 {
        window.end(offset).hi + GUARD_MS + self.late
    }

    /// Notices that the window has certainly ended. Calls in flight are then the next one's, as far as we know.
    fn roll(&mut self, now: i64, offset: Option<Offset>, policy: &Policy) {
        while self.lost.front().is_some_and(|lost| lost + WINDOW_MS + GUARD_MS <= now) {
            self.lost.pop_front();
        }
        if let Phase::Open(window) = &self.phase
            && self.end_of(window, offset) <= now
        {
            let before = window.reset;
            self.conclude(policy);
            self.lost.clear();
            self.phase = Phase::Unknown { since: now, before, probes: 0 };
        }
    }

    /// Takes from the open window what outlives it.
    fn conclude(&mut self, policy: &Policy) {
        let Phase::Open(window) = &self.phase else { return };
        let others = window.used.saturating_sub(window.answered + self.lost.len() as u32);
        self.others_mean = moving_mean(self.others_mean, others);
        self.urgent_mean = moving_mean(self.urgent_mean, std::mem::take(&mut self.urgent));
        self.ceiling = self.ceiling.and_then(|ceiling| {
            let next = if window.refused { ceiling } else { ceiling.raised() };
            (next.calls < policy.permitted(window.limit)).then_some(next)
        });
        self.suspect = None;
    }

    /// A permitted call is made.
    pub fn went(&mut self, priority: Priority, now: i64, offset: Option<Offset>, policy: &Policy) {
        self.turns.went(priority, self.is_contested(now, offset, policy), now);
        self.in_flight += 1;
        self.urgent += u32::from(priority.is_urgent());
        if let Phase::Unknown { probes, .. } = &mut self.phase {
            *probes += 1;
        }
    }

    /// Whether any priority could have the next call.
    fn is_contested(&self, now: i64, offset: Option<Offset>, policy: &Policy) -> bool {
        let Phase::Open(window) = &self.phase else { return true };
        let free = self.room(window, false, policy);
        free > 0 && now >= given_up_at(self.end_of(window, offset), self.reserve(window, policy), free)
    }

    /// A call sent then is in flight no more. What it tells comes with `lost` or `learn`.
    pub fn landed(&mut self, sent: i64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Phase::Unknown { since, probes, .. } = &mut self.phase
            && sent >= *since
        {
            *probes = probes.saturating_sub(1);
        }
    }

    /// A call may or may not have been counted: it counts until every window that can have counted it has ended.
    pub fn lost(&mut self, now: i64, offset: Option<Offset>, policy: &Policy) {
        self.roll(now, offset, policy);
        self.lost.push_back(now);
    }

    /// Moves a call in flight from the bucket that its kind has left.
    pub fn adopt(&mut self) {
        self.in_flight += 1;
    }

    /// Learns from a reply. Gives the kind of calls that has shown to have a bucket of its own, if one has.
    pub fn learn(&mut self, reply: Reply<'_>, offset: Option<Offset>, policy: &Policy) -> Option<usize> {
        self.roll(reply.received, offset, policy);
        let refused = reply.headers.refusal() == Some(Refusal::Bucket);
        let Some((limit, used)) = reply.headers.usage() else {
            if refused {
                self.close(reply, offset, policy)
            } else {
                self.lost.push_back(reply.received)
            }
            return None;
        };
        let (sent, received) = (reply.sent, reply.received);
        let told = Told { limit, used, reset: reply.headers.reset, refused, sent, received };
        let mut of = self.place(told, offset);
        let verdict = self.judge(reply, told, of);
        if of == Of::AnotherBucket && verdict == Verdict::TheTruth {
            of = Of::ALaterWindow;
        }
        self.take(told, of, policy);
        if refused && of != Of::AnEarlierWindow {
            self.close(reply, offset, policy);
        }
        match verdict {
            Verdict::SetApart(kind) => Some(kind),
            _ => None,
        }
    }

    fn place(&self, told: Told, offset: Option<Offset>) -> Of {
        match &self.phase {
            Phase::Open(window) => window.place(told, offset),
            Phase::Unknown { since, before, .. } => match told.reset.zip(*before) {
                Some((reset, before)) if same_reset(reset, before) => Of::ThisWindow,
                Some((reset, before)) if reset < before && told.sent < *since => Of::AnEarlierWindow,
                _ => Of::ALaterWindow,
            },
        }
    }

    fn take(&mut self, told: Told, of: Of, policy: &Policy) {
        match (&mut self.phase, of) {
            (Phase::Open(window), Of::ThisWindow) => {
                window.take(told);
                self.limit = window.limit;
                // More calls of a refused window may yet prove to have been let through.
                if let Some(ceiling) = self.ceiling.as_mut().filter(|_| window.refused) {
                    ceiling.calls = ceiling.calls.max(window.answered);
                }
            }
            (Phase::Unknown { since, .. }, Of::ThisWindow) if told.sent >= *since => self.ended_late(told.received),
            (_, Of::ALaterWindow) => {
                self.conclude(policy);
                (self.limit, self.is_told) = (told.limit, true);
                self.phase = Phase::Open(Window::new(told));
            }
            _ => {}
        }
    }

    /// A call made after the window had certainly ended was still counted in it: our certainty was wrong.
    fn ended_late(&mut self, now: i64) {
        self.late = (self.late + LATE_STEP_MS).min(MOST_LATE_MS);
        self.closed_until = self.closed_until.max(now + LATE_STEP_MS);
    }

    /// Closes the bucket after a refusal: until Reset, or for a minute if that is not told.
    fn close(&mut self, reply: Reply<'_>, offset: Option<Offset>, policy: &Policy) {
        let until = match &self.phase {
            Phase::Open(window) if reply.headers.reset.is_some() => self.end_of(window, offset),
            Phase::Unknown { .. } if reply.headers.reset.is_some() => reply.received + LATE_STEP_MS,
            _ => reply.received + WINDOW_MS,
        };
        self.closed_until = self.closed_until.max(until.min(reply.received + LONGEST_MS));
        // Refused though calls remain by what is told, or though nothing is told: a limit that we cannot see.
        // Half at most is taken off at once: one odd refusal early in a window must not stop the work.
        let half = self.permitted(self.limit, policy).div_ceil(2);
        if reply.headers.remaining != Some(0)
            && let Phase::Open(window) = &mut self.phase
            && !std::mem::replace(&mut window.refused, true)
        {
            self.ceiling = Some(Ceiling { calls: window.answered.max(half), clean: 0 });
        }
    }

    /// Whether a kind of calls has a bucket of its own. A reply that does not fit the open window makes its kind
    /// suspect. The next reply of another kind decides: if it agrees with the suspect, the bucket has changed; if it fits
    /// the window, the suspect is not in it.
    fn judge(&mut self, reply: Reply<'_>, told: Told, of: Of) -> Verdict {
        let Phase::Open(window) = &self.phase else { return Verdict::Open };
        if self.kinds <= 1 {
            return Verdict::TheTruth;
        }
        match &self.suspect {
            Some(suspect) if suspect.kind != reply.kind && reply.sent > suspect.received => {
                let (agrees, kind) = (suspect.agrees(told), suspect.kind);
                if agrees {
                    self.suspect = None;
                    Verdict::TheTruth
                } else if of == Of::ThisWindow {
                    self.suspect = None;
                    Verdict::SetApart(kind)
                } else {
                    Verdict::Open
                }
            }
            None if of == Of::AnotherBucket || of == Of::ThisWindow && told.limit != window.limit => {
                let Told { reset, limit, received, .. } = told;
                self.suspect = Some(Suspect { kind: reply.kind, reset, limit, received });
                Verdict::Open
            }
            _ => Verdict::Open,
        }
    }

    pub(super) fn limit(&self) -> Option<u32> {
        self.is_told.then_some(self.limit)
    }

    /// Calls of the open window: ours, and at least so many of others.
    pub(super) fn used(&self, now: i64, offset: Option<Offset>) -> (u32, u32) {
        match &self.phase {
            Phase::Open(window) if now < self.end_of(window, offset) => {
                let ours = window.answered + self.unanswered();
                (ours, window.used.saturating_sub(ours))
            }
            _ => (self.unanswered(), 0),
        }
    }

    /// Calls per minute that are ours, going by the last limit told.
    pub(super) fn permitted_per_minute(&self, policy: &Policy) -> u32 {
        self.permitted(self.limit, policy)
    }

    /// When a snapshot's call may go next.
    pub(super) fn next_free(&self, now: i64, offset: Option<Offset>, policy: &Policy) -> i64 {
        match &self.phase {
            Phase::Open(window) if self.end_of(window, offset) <= now => now.max(self.closed_until),
            _ => self.verdict(Priority::Snapshot, now, offset, policy).err().unwrap_or(now),
        }
    }

    /// How long `calls` take if others go on as they did: what this window has left, then whole windows.
    pub(super) fn time_for(&self, calls: u64, now: i64, offset: Option<Offset>, policy: &Policy) -> i64 {
        let (room, next) = match &self.phase {
            Phase::Open(window) if now < self.end_of(window, offset) => {
                (self.room(window, false, policy).max(0) as u64, self.end_of(window, offset) - now)
            }
            _ => (0, 0),
        };
        if calls <= room {
            return self.closed_until.saturating_sub(now).max(0);
        }
        let each = u64::from(self.permitted_per_minute(policy).saturating_sub(self.others_mean).max(1));
        let whole = i64::try_from((calls - room).div_ceil(each) - 1).unwrap_or(i64::MAX);
        next.max(self.closed_until.saturating_sub(now)).saturating_add(whole.saturating_mul(WINDOW_MS))
    }
}

impl Ceiling {
    /// After a window without a refusal.
    fn raised(self) -> Self {
        if self.clean + 1 < RETRIED_AFTER {
            return Self { clean: self.clean + 1, ..self };
        }
        Self { calls: self.calls.saturating_add(self.calls.div_ceil(4)), clean: 0 }
    }
}

/// A mean that follows within a few windows, rounded towards the latest, so that it gets there.
fn moving_mean(mean: u32, latest: u32) -> u32 {
    let sum = 3 * u64::from(mean) + u64::from(latest);
    (if latest > mean { sum.div_ceil(4) } else { sum / 4 }) as u32
}

impl Suspect {
    fn agrees(&self, told: Told) -> bool {
        let same_window = self.reset.zip(told.reset).is_none_or(|(a, b)| same_reset(a, b));
        same_window && self.limit == told.limit
    }
}

/// When a window that ends at `end` leaves all but `free - 1` of its reserve to anyone. The reserve is given up evenly,
/// so that at every moment it is what fetches and polls would need, at their rate, for the rest of the window.
fn given_up_at(end: i64, reserve: u32, free: i64) -> i64 {
    let reserve = i64::from(reserve);
    if free > reserve {
        return i64::MIN;
    }
    end - RELEASED_MS - (free - 1) * (WINDOW_MS - RELEASED_MS) / reserve
}
