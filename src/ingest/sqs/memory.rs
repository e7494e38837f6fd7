//! A queue in memory that behaves as SQS does, on tokio's clock, and fails on command.
//!
//! Each delivery of a message has its own handle, and only the newest is good. The effect of a call comes before its
//! answer, so a receive that is dropped in between strands what it was about to bring, as in life.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::inflight::BATCH;
use super::queue::{Answer, Delivered, Handle, Queue, QueueError, Refusal};
use crate::error::Class;

/// How long an answer takes.
const LATENCY: Duration = Duration::from_millis(10);

/// The queue; clones share it.
#[derive(Clone)]
pub struct MemoryQueue(Arc<Shared>);

struct Shared {
    visibility: Duration,
    wait: Duration,
    /// Says of the body of a message that is being deleted whether that may happen.
    may_delete: Box<dyn Fn(&str) -> bool + Send + Sync>,
    arrived: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stored: Vec<Stored>,
    sent: usize,
    faults: BTreeMap<Op, VecDeque<Fault>>,
    lasting: BTreeMap<Op, Fault>,
    calls: Vec<Call>,
    wrongly_deleted: Vec<String>,
    most_in_flight: (usize, usize),
}

struct Stored {
    id: String,
    body: String,
    visible_at: Instant,
    deliveries: u32,
}

impl Stored {
    fn handle(&self) -> Handle {
        Handle(format!("{}#{}", self.id, self.deliveries))
    }
}

/// The calls of [`Queue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    Receive,
    Delete,
    ChangeVisibility,
}

/// One call as the queue saw it.
#[derive(Debug, Clone)]
pub struct Call {
    pub at: Instant,
    pub op: Op,
    /// The messages named, or delivered by a receive.
    pub ids: Vec<String>,
    /// What a visibility was changed to.
    pub timeout: Duration,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The call fails without effect and may be repeated.
    Throttled,
    /// The call fails without effect until a person acts.
    Denied,
    /// The first messages of the batch, so many, are not served.
    Refuses(usize),
    /// The answer takes so long.
    Slow(Duration),
}

impl MemoryQueue {
    /// `visibility` and `wait` as the source's settings have them.
    pub fn new(
        visibility: Duration,
        wait: Duration,
        may_delete: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        let may_delete = Box::new(may_delete);
        Self(Arc::new(Shared { visibility, wait, may_delete, arrived: Notify::new(), state: Mutex::default() }))
    }

    /// Sends a message; returns its id.
    pub fn send(&self, body: impl Into<String>) -> String {
        let mut state = self.state();
        state.sent += 1;
        let id = format!("m{}", state.sent);
        state.stored.push(Stored { id: id.clone(), body: body.into(), visible_at: Instant::now(), deliveries: 0 });
        self.0.arrived.notify_waiters();
        id
    }

    /// The next calls of a kind go wrong, one after the other.
    pub fn fail(&self, op: Op, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.entry(op).or_default().extend(faults);
    }

    /// All calls of a kind go wrong until told otherwise.
    pub fn keep_failing(&self, op: Op, fault: Option<Fault>) {
        match fault {
            Some(fault) => self.state().lasting.insert(op, fault),
            None => self.state().lasting.remove(&op),
        };
    }

    /// Delivers a message once more although it is hidden, as SQS may at any time.
    pub fn redeliver(&self, id: &str) {
        self.with(id, |stored| stored.visible_at = Instant::now());
        self.0.arrived.notify_waiters();
    }

    /// Delivers a message to somebody else, so that the handle we have is stale.
    pub fn steal(&self, id: &str) {
        let until = Instant::now() + self.0.visibility;
        self.with(id, |stored| (stored.deliveries, stored.visible_at) = (stored.deliveries + 1, until));
    }

    /// How many messages are not deleted.
    pub fn len(&self) -> usize {
        self.state().stored.len()
    }

    /// How many messages anybody could receive now.
    pub fn visible(&self) -> usize {
        let now = Instant::now();
        self.state().stored.iter().filter(|stored| stored.visible_at <= now).count()
    }

    /// The calls of a kind, oldest first.
    pub fn calls(&self, op: Op) -> Vec<Call> {
        self.state().calls.iter().filter(|call| call.op == op).cloned().collect()
    }

    /// How often a message was delivered to the source.
    pub fn deliveries(&self, id: &str) -> usize {
        self.calls(Op::Receive).iter().filter(|call| call.ids.iter().any(|other| other == id)).count()
    }

    /// The most messages, and the most bytes, that were hidden at the same time.
    pub fn most_in_flight(&self) -> (usize, usize) {
        self.state().most_in_flight
    }

    /// Bodies of messages that were deleted although they must not.
    pub fn wrongly_deleted(&self) -> Vec<String> {
        self.state().wrongly_deleted.clone()
    }

    fn with(&self, id: &str, change: impl FnOnce(&mut Stored)) {
        if let Some(stored) = self.state().stored.iter_mut().find(|stored| stored.id == id) {
            change(stored);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// Notes a call, and says after what time it is answered and how many messages of a batch are refused.
    fn called(&self, op: Op, handles: &[Handle], timeout: Duration) -> Result<(Duration, usize), QueueError> {
        let mut state = self.state();
        let ids = handles.iter().map(|handle| id_of(handle).to_owned()).collect();
        state.calls.push(Call { at: Instant::now(), op, ids, timeout });
        let fault = state.faults.get_mut(&op).and_then(VecDeque::pop_front);
        let operation = match op {
            Op::Receive => "ReceiveMessage",
            Op::Delete => "DeleteMessageBatch",
            Op::ChangeVisibility => "ChangeMessageVisibilityBatch",
        };
        let error = |what: &str, class, denied| Err(QueueError { operation, what: what.into(), class, denied });
        match fault.or(state.lasting.get(&op).copied()) {
            None => Ok((LATENCY, 0)),
            Some(Fault::Throttled) => error("RequestThrottled", Class::Retry, false),
            Some(Fault::Denied) => error("AccessDenied", Class::Fatal, true),
            Some(Fault::Refuses(count)) => Ok((LATENCY, count)),
            Some(Fault::Slow(time)) => Ok((time, 0)),
        }
    }

    /// Takes up to ten visible messages, or says when the next will be visible.
    fn take(&self) -> Result<Vec<Delivered>, Option<Instant>> {
        let now = Instant::now();
        let state = &mut *self.state();
        let visible = state.stored.iter_mut().filter(|stored| stored.visible_at <= now);
        let mut batch = Vec::new();
        for stored in visible.take(BATCH) {
            stored.deliveries += 1;
            stored.visible_at = now + self.0.visibility;
            batch.push(Delivered {
                message_id: stored.id.clone(),
                handle: stored.handle(),
                attempts: stored.deliveries,
                body: stored.body.clone(),
            });
        }
        if batch.is_empty() {
            return Err(state.stored.iter().map(|stored| stored.visible_at).min());
        }
        let ids = batch.iter().map(|delivered| delivered.message_id.clone()).collect();
        state.calls.push(Call { at: now, op: Op::Receive, ids, timeout: self.0.visibility });
        let hidden = state.stored.iter().filter(|stored| stored.visible_at > now);
        let (count, bytes) = hidden.fold((0, 0), |(count, bytes), stored| (count + 1, bytes + stored.body.len()));
        let (most, most_bytes) = state.most_in_flight;
        state.most_in_flight = (most.max(count), most_bytes.max(bytes));
        Ok(batch)
    }

    /// Serves each message of a batch but the first few.
    fn serve(&self, handles: &[Handle], refuses: usize, one: impl Fn(&mut State, usize)) -> Vec<Result<(), Refusal>> {
        let state = &mut *self.state();
        let mut results = Vec::new();
        for (index, handle) in handles.iter().enumerate() {
            let found = state.stored.iter().position(|stored| stored.id == id_of(handle));
            results.push(match found {
                _ if index < refuses => Err(Refusal::Again("InternalError".into())),
                Some(at) if state.stored[at].handle() != *handle => Err(Refusal::Gone),
                Some(at) => {
                    one(state, at);
                    Ok(())
                }
                None => Ok(()),
            });
        }
        results
    }
}

fn id_of(handle: &Handle) -> &str {
    handle.0.split('#').next().unwrap_or_default()
}

impl Queue for MemoryQueue {
    async fn receive(&self) -> Result<Vec<Delivered>, QueueError> {
        let (latency, _) = self.called(Op::Receive, &[], Duration::ZERO)?;
        let until = Instant::now() + self.0.wait;
        loop {
            let arrived = self.0.arrived.notified();
            let next = match self.take() {
                Ok(batch) => {
                    sleep(latency).await;
                    return Ok(batch);
                }
                Err(_) if Instant::now() >= until => return Ok(Vec::new()),
                Err(next) => next.map_or(until, |next| next.min(until)),
            };
            tokio::select! {
                () = arrived => {}
                () = sleep_until(next) => {}
            }
        }
    }

    async fn delete(&self, handles: Vec<Handle>) -> Answer {
        let (latency, refuses) = self.called(Op::Delete, &handles, Duration::ZERO)?;
        let results = self.serve(&handles, refuses, |state, at| {
            let stored = state.stored.remove(at);
            if !(self.0.may_delete)(&stored.body) {
                state.wrongly_deleted.push(stored.body);
            }
        });
        sleep(latency).await;
        Ok(results)
    }

    async fn change_visibility(&self, handles: Vec<Handle>, timeout: Duration) -> Answer {
        let (latency, refuses) = self.called(Op::ChangeVisibility, &handles, timeout)?;
        let results = self.serve(&handles, refuses, |state, at| {
            state.stored[at].visible_at = Instant::now() + timeout;
        });
        self.0.arrived.notify_waiters();
        sleep(latency).await;
        Ok(results)
    }
}

mod tests {
    use super::*;

    const VISIBILITY: Duration = Duration::from_secs(30);

    fn queue() -> MemoryQueue {
        MemoryQueue::new(VISIBILITY, Duration::from_secs(20), |_| true)
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_hidden_then_comes_back_with_a_new_handle_and_the_old_one_is_stale() {
        let (queue, start) = (queue(), Instant::now());
        queue.send("hello");
        let first = queue.receive().await.unwrap().remove(0);
        assert!(queue.receive().await.unwrap().is_empty(), "a long poll that ends before it comes back");
        let second = queue.receive().await.unwrap().remove(0);
        assert_eq!(start.elapsed(), VISIBILITY + LATENCY);
        assert_eq!((second.message_id, second.attempts), (first.message_id, 2));
        assert_eq!(queue.delete(vec![first.handle, second.handle]).await.unwrap(), [Err(Refusal::Gone), Ok(())]);
        assert_eq!(queue.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_poll_ends_when_a_message_arrives() {
        let (queue, start) = (queue(), Instant::now());
        let sender = queue.clone();
        let (received, ()) = tokio::join!(queue.receive(), async {
            sleep(Duration::from_secs(7)).await;
            sender.send("late");
        });
        assert_eq!((received.unwrap().len(), start.elapsed()), (1, Duration::from_secs(7) + LATENCY));
    }

    #[tokio::test(start_paused = true)]
    async fn a_visibility_of_zero_gives_a_message_back_at_once() {
        let (queue, start) = (queue(), Instant::now());
        queue.send("hello");
        let handle = queue.receive().await.unwrap().remove(0).handle;
        assert_eq!(queue.change_visibility(vec![handle], Duration::ZERO).await.unwrap(), [Ok(())]);
        assert_eq!((queue.receive().await.unwrap().len(), start.elapsed()), (1, 3 * LATENCY));
    }
}
