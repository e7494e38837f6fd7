//! The gate before one org's API: everybody who calls it waits here until the call may go.
//!
//! The [`Quota`] decides and never waits; the gate has the time and the line of those who wait. There is no task of its
//! own behind it: whoever is first of a group watches the time for the group, and every answer lets the next ones go.
//!
//! ```text
//! before ──► line: group by priority and kind ──► Quota::ask ──► Pass
//! after  ──► Quota::answered ──► line: who may go now
//! ```
//!
//! A future that is dropped while it waits gives its place up; a [`Pass`] that is dropped counts as a lost call, as
//! nobody knows how far it came.

mod line;
mod spent;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Pace;
use super::api::{Meter, Seen};
use super::quota::{Headers, Method, Offset, Outlook, Permit, Policy, Priority, Quota, Route};
use crate::telemetry::metrics;
use line::{Line, Turn, Waiter};
pub use spent::Spent;

/// The spender of one org's quota. Clones are the same gate.
///
/// An org must have one gate only: to each, the calls of another are those of strangers.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    org: String,
    pace: Pace,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    line: Line,
    spent: Spent,
}

impl Gate {
    /// The gate of an org of whose quota nothing is known yet. `org` is its name in metrics; `pace` is the time that the
    /// org lives in, the same that its client goes by.
    pub fn new(org: &str, policy: Policy, pace: Pace) -> Self {
        let state = State { line: Line::new(Quota::new(policy)), spent: Spent::default() };
        Self(Arc::new(Shared { org: org.to_owned(), pace, state: Mutex::new(state) }))
    }

    /// The meter for calls of this priority.
    pub fn at(&self, priority: Priority) -> GateAt {
        GateAt { shared: self.0.clone(), priority }
    }

    /// From now on this part of each limit may be used, 0 to 1. What was used before counts, so a smaller share may find
    /// itself used up until the next window.
    pub fn set_share(&self, share: f64) {
        let now = self.0.pace.steady_ms();
        let mut state = self.0.lock();
        state.line.quota.set_share(share);
        state.line.serve(now);
    }

    /// All buckets met so far. Times in it are those of [`Pace::steady_ms`].
    pub fn outlook(&self) -> Vec<Outlook> {
        self.0.lock().line.quota.outlook(self.0.pace.steady_ms())
    }

    /// How long so many calls of each kind will take if nothing else is done, in the time of the org.
    pub fn estimate(&self, calls: &[(Method, &str, u64)]) -> Duration {
        let ms = self.0.lock().line.quota.estimate(self.0.pace.steady_ms(), calls);
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }

    /// Whether `wanted` objects are better read one by one, by calls of `single`, or by `pages` calls of `list`.
    pub fn route(&self, wanted: u64, single: (Method, &str), pages: u64, list: (Method, &str)) -> Route {
        self.0.lock().line.quota.route(wanted, single, pages, list)
    }

    /// Bounds of Okta's clock minus ours; none before the first answer that told it.
    pub fn offset(&self) -> Option<Offset> {
        self.0.lock().line.quota.offset(self.0.pace.steady_ms())
    }

    /// What was spent so far.
    pub fn spent(&self) -> Spent {
        let state = self.0.lock();
        Spent { waiting: state.line.len(), ..state.spent.clone() }
    }

    /// The time that the org lives in.
    pub fn pace(&self) -> Pace {
        self.0.pace
    }
}

/// The gate for calls of one priority.
#[derive(Debug, Clone)]
pub struct GateAt {
    shared: Arc<Shared>,
    priority: Priority,
}

impl Meter for GateAt {
    type Permit = Pass;

    fn before(&self, path: &str) -> impl Future<Output = Pass> + Send {
        self.shared.pass(self.priority, path)
    }

    fn after(&self, mut pass: Pass, seen: &Seen<'_>) {
        pass.settle(seen.headers.as_ref());
    }
}

/// The right to make one call. Dropped without an answer, the call counts as lost.
#[derive(Debug)]
#[must_use = "a pass is spent quota: report how the call ended"]
pub struct Pass {
    shared: Arc<Shared>,
    permit: Option<Permit>,
}

impl Pass {
    fn settle(&mut self, headers: Option<&Headers>) {
        if let Some(permit) = self.permit.take() {
            self.shared.settle(permit, headers);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.settle(None);
    }
}

/// A place in the line, given up when it is dropped.
struct Place<'s> {
    shared: &'s Shared,
    waiter: Waiter,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let now = self.shared.pace.steady_ms();
        self.shared.lock().line.leave(now, &self.waiter);
    }
}

impl Shared {
    // Nothing panics while it holds the lock, so a poisoned one still guards a whole state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pass(self: &Arc<Self>, priority: Priority, path: &str) -> Pass {
        let came = self.pace.steady_ms();
        let place = Place { shared: self, waiter: self.lock().line.enter(came, priority, path) };
        loop {
            let turn = self.lock().line.look(self.pace.steady_ms(), &place.waiter);
            match turn {
                Turn::Go(permit) => {
                    self.note_wait(priority, came);
                    return Pass { shared: self.clone(), permit: Some(permit) };
                }
                Turn::Wait => place.waiter.bell.notified().await,
                Turn::Watch(until) => tokio::select! {
                    () = place.waiter.bell.notified() => {}
                    () = self.pace.sleep_until(until) => {}
                },
            }
        }
    }

    fn note_wait(&self, priority: Priority, came: i64) {
        let waited = u64::try_from(self.pace.steady_ms() - came).unwrap_or(0);
        let waited = Duration::from_millis(waited);
        self.lock().spent.waited += waited;
        metrics::okta_waited(priority.name(), waited);
    }

    /// Reports how a call ended, and lets go whoever may go because of it.
    fn settle(&self, permit: Permit, headers: Option<&Headers>) {
        let now = self.pace.steady_ms();
        let mut state = self.lock();
        let State { line, spent } = &mut *state;
        let bucket = line.quota.bucket_of(&permit).map(|(at, name)| spent::label(at, name).to_owned());
        spent.count(bucket.as_deref().unwrap_or(spent::MORE), headers);
        match headers {
            Some(headers) => line.quota.answered(now, permit, headers),
            None => line.quota.lost(now, permit),
        }
        line.serve(now);
        drop(state);
        spent::record(&self.org, bucket.as_deref().unwrap_or(spent::MORE), headers);
    }
}
