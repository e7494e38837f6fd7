//! How far a job has come, for people.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::plan::{Check, Slice, Stage};
use super::read::{PATH, Work};
use super::remedy::PAGE;
use crate::okta::quota::Method;

/// What is being done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// Finding out whether and what to read.
    #[default]
    Asking,
    /// Reading slices.
    Reading,
    /// Looking at samples again.
    Verifying,
}

/// What a job tells of itself while it runs.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Now>);

#[derive(Debug, Clone, Default)]
struct Now {
    phase: Phase,
    waits: Option<String>,
    /// Events that were read before this process, and when it began, ms of the org's time.
    before: u64,
    begun_ms: i64,
}

/// How far a job is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// What is being done.
    pub phase: Phase,
    /// Why nothing moves.
    pub waits: Option<String>,
    /// Events so far, those of an earlier process included.
    pub events: u64,
    /// Events there will be, about; none before any were seen.
    pub expected: Option<u64>,
    /// Events a second of this process, by the org's time.
    pub events_per_second: f64,
    /// How much of the time is read, 0 to 1.
    pub done: f64,
    /// Slices that are read and, of these, looked at again.
    pub read: u64,
    /// See [`Report::read`].
    pub verified: u64,
    /// All slices.
    pub slices: u64,
    /// Calls made by this process, and those left, about.
    pub calls: u64,
    /// See [`Report::calls`].
    pub calls_left: u64,
    /// How long these take if nothing else is asked for, ms of the org's time.
    pub left_ms: u64,
    /// Answers that told of a rate limit.
    pub refused: u64,
    /// Our calls in the open window of the log's limit, and how many we may make in one.
    pub quota: Option<(u32, u32)>,
}

impl Progress {
    /// Another phase begins.
    pub fn enter(&self, phase: Phase) {
        self.now().phase = phase;
    }

    /// Reading begins, and so many events were read before.
    pub fn begin(&self, before: u64, now_ms: i64) {
        let mut now = self.now();
        (now.before, now.begun_ms) = (before, now_ms);
    }

    /// Nothing moves, for this reason.
    pub fn waits(&self, why: String) {
        self.now().waits = Some(why);
    }

    /// Something moves.
    pub fn goes_on(&self) {
        self.now().waits = None;
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before there is a job.
    pub fn asking(&self) -> Report {
        Report { waits: self.now().waits.clone(), ..Report::default() }
    }

    /// How far the job is.
    pub fn report(&self, work: &Work, verify: bool) -> Report {
        let now = self.now().clone();
        let slices = work.job.slices();
        let events = slices.iter().map(|slice| slice.tally.events).sum::<u64>();
        let covered = slices.iter().map(|slice| slice.position() - slice.since).sum::<i64>();
        let whole = work.job.span().length_ms();
        let waiting = |slice: &&Slice| slice.stage == Stage::Waiting;
        let unread = slices.iter().filter(waiting).count() as u64;
        let unverified = slices.iter().filter(|slice| verify && slice.check == Check::Open).count() as u64;
        let expected = (events > 0 && covered > 0).then(|| (events as f64 * whole as f64 / covered as f64) as u64);
        let pages = expected.map_or(0, |expected| expected.saturating_sub(events).div_ceil(u64::from(PAGE)));
        // The last page of a slice is half empty.
        let calls_left = (pages + unread / 2).max(unread) + unverified;
        let gate = &work.log.gate;
        let spent = gate.spent();
        let elapsed_s = (gate.pace().steady_ms() - now.begun_ms).max(1) as f64 / 1e3;
        let outlook = gate.outlook();
        let logs = outlook.iter().find(|bucket| bucket.bucket == "logs");
        Report {
            phase: now.phase,
            waits: now.waits,
            events,
            expected,
            events_per_second: events.saturating_sub(now.before) as f64 / elapsed_s,
            done: covered as f64 / whole.max(1) as f64,
            read: slices.len() as u64 - unread,
            verified: slices.iter().filter(|slice| slice.check != Check::Open).count() as u64,
            slices: slices.len() as u64,
            calls: spent.calls,
            calls_left,
            left_ms: u64::try_from(gate.estimate(&[(Method::Get, PATH, calls_left)]).as_millis()).unwrap_or(u64::MAX),
            refused: spent.refused.values().sum::<u64>() + spent.crowded,
            quota: logs.map(|bucket| (bucket.used_by_us, bucket.permitted_per_minute)),
        }
    }
}
