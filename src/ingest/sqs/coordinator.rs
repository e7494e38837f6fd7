//! Owns the in-flight tracker and makes the calls that it asks for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::inflight::{BATCH, InFlight};
use super::lander::Job;
use super::queue::{Answer, Delivered, Handle, Queue, Refusal};
use super::room::{Permit, Room};
use super::shared::{Action, Hopeless, Outcome, Parts, now};
use crate::error::{ExitStatus, Fatal};
use crate::telemetry::metrics;

/// A message whose landing failed comes back after this, instead of at once in a hot loop.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// Between two warnings of the same trouble.
const WARN_PAUSE: Duration = Duration::from_secs(10);

/// Calls at the same time, other than receives: at 10 ms each this deletes 8,000 messages a second.
const CALLS: usize = 8;

/// One loop that hears of everything and decides; whatever waits runs in a task of its own.
pub struct Coordinator<Q> {
    parts: Arc<Parts<Q>>,
    room: Room,
    tracker: InFlight<Arc<Permit>>,
    /// Messages to give back. They keep their room until that is done, so a queue that does not take them back stops
    /// us from receiving more.
    returns: Vec<(Handle, Arc<Permit>)>,
    receivers: JoinSet<()>,
    calls: JoinSet<Done>,
    jobs: mpsc::Sender<Job>,
    warned_at: Option<Instant>,
}

/// A call has ended.
enum Done {
    Deleted(Vec<String>, Answer),
    Extended(Vec<String>, Instant, Answer),
    Returned,
}

impl<Q: Queue> Coordinator<Q> {
    /// `receivers` are the tasks that bring messages.
    pub fn new(parts: Arc<Parts<Q>>, room: Room, receivers: JoinSet<()>, jobs: mpsc::Sender<Job>) -> Self {
        let tracker = InFlight::new(visibility(&parts));
        Self { parts, room, tracker, returns: Vec::new(), receivers, calls: JoinSet::new(), jobs, warned_at: None }
    }

    /// Runs until `stop` and then until nothing is held any more, at most for `patience`.
    ///
    /// # Errors
    /// When a person is needed.
    pub async fn run(
        &mut self,
        inbox: &mut mpsc::Receiver<Action>,
        reasons: &mut mpsc::Receiver<Hopeless>,
        stop: &CancellationToken,
        patience: Duration,
    ) -> Result<(), Fatal> {
        let mut give_up_at = None;
        loop {
            if stop.is_cancelled() {
                give_up_at.get_or_insert_with(|| now() + patience);
            }
            let stopping = give_up_at.is_some();
            self.make_calls(stopping);
            if stopping && self.is_done() && inbox.is_empty() {
                return Ok(());
            }
            // With all calls taken nothing can be done before one of them ends, however much is due.
            let wake_at = self.tracker.wake_at().filter(|_| self.calls.len() < CALLS);
            tokio::select! {
                // In this order, so that a run can be repeated: nothing starves, as due calls are made above each time.
                biased;
                () = reached(give_up_at) => return Ok(()),
                () = stop.cancelled(), if !stopping => {}
                Some(done) = self.calls.join_next() => {
                    let done = done.map_err(|error| self.broken(error))?;
                    self.note(done);
                }
                Some(ended) = self.receivers.join_next() => ended.map_err(|error| self.broken(error))?,
                Some(reason) = reasons.recv() => return Err(self.hopeless(reason)),
                Some(action) = inbox.recv() => self.apply(action, stopping)?,
                () = reached(wake_at) => {}
            }
            metrics::sqs_in_flight(&self.parts.name, self.tracker.len(), self.room.taken());
        }
    }

    /// Nothing is held, under way, or still to come from a receiver.
    fn is_done(&self) -> bool {
        self.tracker.len() == 0 && self.returns.is_empty() && self.calls.is_empty() && self.receivers.is_empty()
    }

    fn hopeless(&self, Hopeless(status, what): Hopeless) -> Fatal {
        Fatal::new(status, what).hint(format!("what was not landed is still in the queue {}", self.parts.config.url))
    }

    /// Messages whose landing failed come back; that this goes on for long must be seen, but not for each of them.
    fn warn_of_failure(&mut self, what: &str, now: Instant) {
        metrics::landing_failed(&self.parts.name);
        if self.warned_at.is_none_or(|at| now.saturating_duration_since(at) >= WARN_PAUSE) {
            self.warned_at = Some(now);
            tracing::warn!(
                queue = self.parts.name,
                reason = what,
                "messages cannot be landed, they are received again"
            );
        }
    }

    fn broken(&self, error: JoinError) -> Fatal {
        Fatal::new(ExitStatus::Software, format!("a task of the queue {} ended by itself", self.parts.name))
            .because(error)
    }

    fn apply(&mut self, action: Action, stopping: bool) -> Result<(), Fatal> {
        let now = now();
        match action {
            Action::Received(batch) => {
                for (message, permit) in batch {
                    self.admit(message, Arc::new(permit), now, stopping)?;
                }
            }
            Action::Settled(id, outcome, room) => {
                match outcome {
                    Outcome::Landed => self.tracker.landed(&id, now),
                    Outcome::Failed(what) => {
                        self.warn_of_failure(&what, now);
                        self.returns.extend(self.tracker.forget(&id));
                    }
                }
                // Not earlier: room in the inbox is promised to whoever holds room for a message.
                drop(room);
            }
        }
        Ok(())
    }

    fn admit(
        &mut self,
        message: Delivered,
        permit: Arc<Permit>,
        received: Instant,
        stopping: bool,
    ) -> Result<(), Fatal> {
        let id = message.message_id.clone();
        if !self.tracker.admit(&id, message.handle.clone(), Arc::clone(&permit), received) {
            return Ok(());
        }
        if stopping {
            self.returns.extend(self.tracker.forget(&id));
            return Ok(());
        }
        let sent = self.jobs.try_send(Job { message, received, permit });
        sent.map_err(|_| Fatal::new(ExitStatus::Software, format!("the lander of {} ended by itself", self.parts.name)))
    }

    fn note(&mut self, done: Done) {
        let (operation, ids, answer) = match &done {
            Done::Deleted(ids, answer) => ("delete", ids, answer),
            Done::Extended(ids, _, answer) => ("extension", ids, answer),
            Done::Returned => return,
        };
        let results = match answer {
            Ok(results) => results.clone(),
            Err(error) => {
                metrics::sqs_error(&self.parts.name, error.operation);
                tracing::warn!(queue = self.parts.name, %error, messages = ids.len(), "{operation} failed, trying again");
                vec![Err(Refusal::Again(error.what.clone())); ids.len()]
            }
        };
        match done {
            Done::Deleted(ids, _) => self.note_deletes(&ids, &results),
            Done::Extended(ids, sent, _) => {
                metrics::sqs_extended(&self.parts.name, results.iter().filter(|result| result.is_ok()).count());
                for (id, result) in ids.iter().zip(&results) {
                    self.tracker.extended(id, result, sent);
                }
            }
            Done::Returned => {}
        }
    }

    fn note_deletes(&mut self, ids: &[String], results: &[Result<(), Refusal>]) {
        let now = now();
        let deleted = ids.iter().zip(results).filter(|(id, result)| self.tracker.deleted(id, result, now)).count();
        metrics::sqs_deleted(&self.parts.name, deleted);
        let refused = results.iter().filter(|result| result.is_err()).count();
        if refused > 0 {
            metrics::sqs_delete_failed(&self.parts.name, refused);
            tracing::debug!(queue = self.parts.name, refused, "some deletes were refused");
        }
    }

    /// Starts every call that is due, as far as calls are free; extensions first, because they cannot wait.
    fn make_calls(&mut self, stopping: bool) {
        let now = now();
        while self.calls.len() < CALLS {
            if !(self.extend(now) || self.delete(now, stopping) || self.send_back(stopping)) {
                return;
            }
        }
    }

    fn extend(&mut self, now: Instant) -> bool {
        let (ids, handles): (Vec<_>, Vec<_>) = self.tracker.next_extension(now).into_iter().unzip();
        if ids.is_empty() {
            return false;
        }
        let parts = Arc::clone(&self.parts);
        self.calls.spawn(async move {
            Done::Extended(ids, now, parts.queue.change_visibility(handles, visibility(&parts)).await)
        });
        true
    }

    fn delete(&mut self, now: Instant, all: bool) -> bool {
        let (ids, handles): (Vec<_>, Vec<_>) = self.tracker.next_delete(now, all).into_iter().unzip();
        if ids.is_empty() {
            return false;
        }
        let parts = Arc::clone(&self.parts);
        self.calls.spawn(async move {
            crate::crash_point!("ingest.landed");
            Done::Deleted(ids, parts.queue.delete(handles).await)
        });
        true
    }

    fn send_back(&mut self, stopping: bool) -> bool {
        let first = self.returns.len().saturating_sub(BATCH);
        let (handles, permits): (Vec<_>, Vec<_>) = self.returns.drain(first..).unzip();
        if handles.is_empty() {
            return false;
        }
        let delay = if stopping { Duration::ZERO } else { RETRY_DELAY };
        let parts = Arc::clone(&self.parts);
        self.calls.spawn(async move {
            let answer = parts.queue.change_visibility(handles, delay).await;
            metrics::sqs_released(&parts.name, served(&answer));
            drop(permits);
            Done::Returned
        });
        true
    }

    /// The end: whatever is held, or was received too late, goes back to the queue at once. The receivers have been
    /// told to let go. What cannot be given back `within` this time comes back when its visibility ends.
    pub async fn give_back(mut self, mut inbox: mpsc::Receiver<Action>, within: Duration) {
        while self.receivers.join_next().await.is_some() {}
        let mut handles = self.tracker.give_up();
        handles.extend(self.returns.drain(..).map(|(handle, _)| handle));
        while let Ok(action) = inbox.try_recv() {
            if let Action::Received(batch) = action {
                handles.extend(batch.into_iter().map(|(message, _)| message.handle));
            }
        }
        let mut given = 0;
        let all = async {
            let mut calls = JoinSet::new();
            for batch in handles.chunks(BATCH) {
                if calls.len() == CALLS {
                    given += calls.join_next().await.and_then(Result::ok).unwrap_or(0);
                }
                let (parts, batch) = (Arc::clone(&self.parts), batch.to_vec());
                calls.spawn(async move { served(&parts.queue.change_visibility(batch, Duration::ZERO).await) });
            }
            while let Some(done) = calls.join_next().await {
                given += done.unwrap_or(0);
            }
        };
        let _ = tokio::time::timeout(within, all).await;
        metrics::sqs_released(&self.parts.name, given);
        if !handles.is_empty() {
            tracing::info!(queue = self.parts.name, held = handles.len(), given, "gave unfinished messages back");
        }
    }
}

fn visibility<Q>(parts: &Parts<Q>) -> Duration {
    Duration::from_secs(parts.config.visibility_seconds.into())
}

/// How many messages of a call were served.
fn served(answer: &Answer) -> usize {
    answer.as_ref().map_or(0, |results| results.iter().filter(|result| result.is_ok()).count())
}

/// At the given time; never, if there is none.
async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
