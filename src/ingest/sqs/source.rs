//! The tasks around one queue: receivers bring messages, the lander lands what is in them, the coordinator owns the
//! in-flight tracker and makes the delete and extension calls it asks for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::inflight::{BATCH, InFlight};
use super::queue::{Delivered, Handle, Queue, QueueError, Refusal};
use crate::ack::{Ack, Delivery, NotDelivered};
use crate::config::QueueConfig;
use crate::error::{Class, ExitStatus, Fatal};
use crate::ingest::{Arrived, Poison, QueueOrgs, decode};
use crate::landing::{Kind, LandingLog, LandingRecord, Origin, Refused};
use crate::okta::OrgId;
use crate::publish::{Busy, Limit, Rejected, Sink};
use crate::telemetry::{Component, metrics};

/// First pause after a failed receive; doubled up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest pause between receives that fail: an outage of minutes ends within seconds for us.
const MAX_PAUSE: Duration = Duration::from_secs(20);

/// A message whose landing failed comes back after this, instead of at once in a hot loop.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// Pause before a refused record is offered to the log again. Refusals end within a broker round trip.
const REFUSED_PAUSE: Duration = Duration::from_millis(5);

/// Delete and extension calls at the same time: at 10 ms each this serves 8,000 messages a second.
const CALLS: usize = 8;

/// What is kept of the stop time for giving messages back.
const GIVE_BACK: Duration = Duration::from_secs(2);

/// Everything that the tasks of one queue share.
pub struct Parts<Q> {
    /// The queue itself.
    pub queue: Q,
    /// Its name, for metrics and messages: the last part of the URL.
    pub name: String,
    /// Its settings.
    pub config: QueueConfig,
    /// Whose events may come.
    pub orgs: QueueOrgs,
    /// Where events land.
    pub landing: Arc<dyn LandingLog>,
    /// Where poison goes.
    pub sink: Arc<dyn Sink>,
    /// The limit on poison.
    pub limit: Arc<Limit>,
    /// How this queue is doing.
    pub health: Component,
}

/// Reads one queue until told to stop.
pub struct Source<Q> {
    parts: Arc<Parts<Q>>,
    messages: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

/// Room for one message and its bytes; returned when the message is no longer held.
struct Permit {
    _message: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

enum Action {
    Received(Vec<(Delivered, Permit)>),
    Settled(String, Outcome),
    Deleted(Vec<String>, Result<Vec<Result<(), Refusal>>, QueueError>),
    Extended(Vec<String>, Instant, Result<Vec<Result<(), Refusal>>, QueueError>),
}

/// What became of everything in one message.
enum Outcome {
    Landed,
    Failed,
    Fatal(ExitStatus, String),
}

impl<Q: Queue> Source<Q> {
    /// Nothing happens before [`Source::run`].
    pub fn new(parts: Parts<Q>) -> Self {
        let messages = Arc::new(Semaphore::new(parts.config.max_in_flight));
        let bytes = Arc::new(Semaphore::new(parts.config.max_in_flight_bytes.min(Semaphore::MAX_PERMITS)));
        Self { parts: Arc::new(parts), messages, bytes }
    }

    /// Runs until `stop`, then finishes what it holds within `stop_timeout` and gives the rest back.
    ///
    /// # Errors
    /// When a person is needed: rights were lost for good, nearly all input is bad, or the log cannot take anything.
    pub async fn run(self, stop: CancellationToken, stop_timeout: Duration) -> Result<(), Fatal> {
        // Every message settles at most once while held, so this never fills and settling never waits.
        let (actions, mut inbox) = mpsc::channel(self.parts.config.max_in_flight + 64);
        let (work, queue) = mpsc::channel(self.parts.config.max_in_flight + 64);
        let abandon = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for _ in 0..self.parts.config.receivers {
            tasks.spawn(self.receiver().run(actions.clone(), stop.clone(), abandon.clone()));
        }
        tasks.spawn(lander(Arc::clone(&self.parts), queue, actions.clone(), abandon.clone()));
        let mut coordinator = Coordinator {
            parts: Arc::clone(&self.parts),
            bytes: Arc::clone(&self.bytes),
            tracker: InFlight::new(Duration::from_secs(self.parts.config.visibility_seconds.into())),
            calls: JoinSet::new(),
            limit: Arc::new(Semaphore::new(CALLS)),
            work,
            actions,
        };
        let result = coordinator.run(&mut inbox, &stop, stop_timeout).await;
        abandon.cancel();
        coordinator.give_back(inbox).await;
        tasks.shutdown().await;
        result
    }

    fn receiver(&self) -> Receiver<Q> {
        Receiver {
            parts: Arc::clone(&self.parts),
            messages: Arc::clone(&self.messages),
            bytes: Arc::clone(&self.bytes),
        }
    }
}

struct Receiver<Q> {
    parts: Arc<Parts<Q>>,
    messages: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl<Q: Queue> Receiver<Q> {
    /// Receives as long as there is room. A receive under way when `stop` comes is waited for, because dropping it can
    /// strand messages; `abandon` drops it all the same.
    async fn run(self, actions: mpsc::Sender<Action>, stop: CancellationToken, abandon: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        loop {
            let room = tokio::select! {
                () = stop.cancelled() => return,
                room = self.room() => room,
            };
            let Some((messages, bytes)) = room else { return };
            let received = tokio::select! {
                () = abandon.cancelled() => return,
                received = self.parts.queue.receive() => received,
            };
            match received {
                Ok(batch) => {
                    pause = FIRST_PAUSE;
                    self.parts.health.ready("receiving");
                    metrics::sqs_received(&self.parts.name, batch.len());
                    let batch = assign_room(batch, messages, bytes);
                    if !batch.is_empty() && actions.send(Action::Received(batch)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    drop((messages, bytes));
                    self.report(&error, pause);
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    /// Waits until a full receive fits. `None` only when the semaphores are closed, which they never are.
    async fn room(&self) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let messages = Arc::clone(&self.messages).acquire_many_owned(BATCH as u32).await.ok()?;
        let largest = u32::try_from(BATCH * self.parts.config.max_body_bytes).unwrap_or(u32::MAX);
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(largest).await.ok()?;
        Some((messages, bytes))
    }

    fn report(&self, error: &QueueError, pause: Duration) {
        metrics::sqs_error(&self.parts.name, error.operation);
        self.parts.health.waiting(error.to_string());
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        if error.class == Class::Fatal {
            // It worked at the start: rotated credentials or a queue being recreated come back without a restart.
            tracing::error!(queue = self.parts.name, %error, pause_ms, "the queue cannot be read; a person is needed");
        } else {
            tracing::warn!(queue = self.parts.name, %error, pause_ms, "receive failed, trying again");
        }
    }
}

/// Gives each message its share of the room and returns the rest.
fn assign_room(
    batch: Vec<Delivered>,
    mut messages: OwnedSemaphorePermit,
    mut bytes: OwnedSemaphorePermit,
) -> Vec<(Delivered, Permit)> {
    let mut assigned = Vec::with_capacity(batch.len());
    for message in batch {
        // A body above the limit goes to quarantine; it takes what room there is.
        let size = message.body.len().min(bytes.num_permits());
        if let (Some(one), Some(size)) = (messages.split(1), bytes.split(size)) {
            assigned.push((message, Permit { _message: one, _bytes: size }));
        }
    }
    assigned
}

struct Coordinator<Q> {
    parts: Arc<Parts<Q>>,
    bytes: Arc<Semaphore>,
    tracker: InFlight<Permit>,
    calls: JoinSet<()>,
    limit: Arc<Semaphore>,
    work: mpsc::Sender<(Delivered, Instant)>,
    actions: mpsc::Sender<Action>,
}

impl<Q: Queue> Coordinator<Q> {
    async fn run(
        &mut self,
        inbox: &mut mpsc::Receiver<Action>,
        stop: &CancellationToken,
        stop_timeout: Duration,
    ) -> Result<(), Fatal> {
        let mut give_up_at = None;
        loop {
            let now = now();
            let stopping = stop.is_cancelled();
            if stopping {
                let until = *give_up_at.get_or_insert(now + stop_timeout.saturating_sub(GIVE_BACK));
                // Receivers hold clones of the sender while they poll; what they still bring is given back.
                if (self.tracker.len() == 0 && self.actions.strong_count() <= 2) || now >= until {
                    return Ok(());
                }
            }
            self.make_calls(stopping);
            let wake = self.tracker.wake_at().unwrap_or(now + Duration::from_secs(1));
            let wake = if stopping { wake.min(now + Duration::from_millis(50)) } else { wake };
            tokio::select! {
                action = inbox.recv() => match action {
                    Some(action) => self.apply(action)?,
                    None => return Ok(()),
                },
                () = tokio::time::sleep_until(wake.into()) => {}
                () = stop.cancelled(), if !stopping => {}
                Some(_) = self.calls.join_next() => {}
            }
            metrics::sqs_in_flight(&self.parts.name, self.tracker.len(), self.bytes_held());
        }
    }

    fn bytes_held(&self) -> usize {
        self.parts.config.max_in_flight_bytes.saturating_sub(self.bytes.available_permits())
    }

    fn apply(&mut self, action: Action) -> Result<(), Fatal> {
        let now = now();
        match action {
            Action::Received(batch) => {
                for (message, permit) in batch {
                    if self.tracker.admit(&message.message_id, message.handle.clone(), permit, now) {
                        // Cannot be full: it is as long as the number of messages that may be held.
                        let _ = self.work.try_send((message, now));
                    }
                }
            }
            Action::Settled(id, Outcome::Landed) => self.tracker.landed(&id, now),
            Action::Settled(id, Outcome::Failed) => {
                let handles: Vec<_> = self.tracker.forget(&id).into_iter().collect();
                self.hide(handles, RETRY_DELAY);
            }
            Action::Settled(_, Outcome::Fatal(status, what)) => {
                return Err(Fatal::new(status, what)
                    .hint(format!("what was not landed is still in the queue {}", self.parts.config.url)));
            }
            Action::Deleted(ids, Ok(results)) => self.note_deletes(&ids, &results, now),
            Action::Deleted(ids, Err(error)) => {
                metrics::sqs_error(&self.parts.name, error.operation);
                tracing::warn!(queue = self.parts.name, %error, messages = ids.len(), "delete failed, trying again");
                let again = vec![Err(Refusal::Again(error.what)); ids.len()];
                self.note_deletes(&ids, &again, now);
            }
            Action::Extended(ids, sent, Ok(results)) => {
                metrics::sqs_extended(&self.parts.name, results.iter().filter(|result| result.is_ok()).count());
                for (id, result) in ids.iter().zip(&results) {
                    self.tracker.extended(id, result, sent);
                }
            }
            Action::Extended(ids, sent, Err(error)) => {
                metrics::sqs_error(&self.parts.name, error.operation);
                for id in &ids {
                    self.tracker.extended(id, &Err(Refusal::Again(error.what.clone())), sent);
                }
            }
        }
        Ok(())
    }

    fn note_deletes(&mut self, ids: &[String], results: &[Result<(), Refusal>], now: Instant) {
        let deleted = ids.iter().zip(results).filter(|(id, result)| self.tracker.deleted(id, result, now)).count();
        metrics::sqs_deleted(&self.parts.name, deleted);
        let refused = results.iter().filter(|result| result.is_err()).count();
        if refused > 0 {
            metrics::sqs_delete_failed(&self.parts.name, refused);
            tracing::debug!(queue = self.parts.name, refused, "some deletes were refused");
        }
    }

    /// Starts every call that is due, as far as calls are free.
    fn make_calls(&mut self, stopping: bool) {
        while let Ok(slot) = Arc::clone(&self.limit).try_acquire_owned() {
            let now = now();
            let extension = self.tracker.next_extension(now);
            if !extension.is_empty() {
                let (ids, handles): (Vec<_>, Vec<_>) = extension.into_iter().unzip();
                let (parts, actions) = (Arc::clone(&self.parts), self.actions.clone());
                let visibility = Duration::from_secs(parts.config.visibility_seconds.into());
                self.calls.spawn(async move {
                    let result = parts.queue.change_visibility(handles, visibility).await;
                    let _ = actions.send(Action::Extended(ids, now, result)).await;
                    drop(slot);
                });
                continue;
            }
            let batch = self.tracker.next_delete(now, stopping);
            if batch.is_empty() {
                return;
            }
            let (ids, handles): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            let (parts, actions) = (Arc::clone(&self.parts), self.actions.clone());
            self.calls.spawn(async move {
                crate::crash_point!("ingest.landed");
                let result = parts.queue.delete(handles).await;
                let _ = actions.send(Action::Deleted(ids, result)).await;
                drop(slot);
            });
        }
    }

    fn hide(&mut self, handles: Vec<Handle>, delay: Duration) {
        if handles.is_empty() {
            return;
        }
        let parts = Arc::clone(&self.parts);
        self.calls.spawn(async move {
            // If this fails, the message comes back when its visibility ends.
            let _ = parts.queue.change_visibility(handles, delay).await;
        });
    }

    /// The end: whatever is held, or was received too late, goes back to the queue at once.
    async fn give_back(&mut self, mut inbox: mpsc::Receiver<Action>) {
        let mut handles = self.tracker.give_up();
        inbox.close();
        while let Ok(action) = inbox.try_recv() {
            if let Action::Received(batch) = action {
                handles.extend(batch.into_iter().map(|(message, _)| message.handle));
            }
        }
        let mut given = 0;
        let all = async {
            for batch in handles.chunks(BATCH) {
                if self.parts.queue.change_visibility(batch.to_vec(), Duration::ZERO).await.is_ok() {
                    given += batch.len();
                }
            }
        };
        // What cannot be given back in time comes back when its visibility ends.
        let _ = tokio::time::timeout(GIVE_BACK, all).await;
        metrics::sqs_released(&self.parts.name, given);
        if !handles.is_empty() {
            tracing::info!(queue = self.parts.name, held = handles.len(), given, "gave unfinished messages back");
        }
    }
}

/// Lands the messages in the order in which they came.
async fn lander<Q: Queue>(
    parts: Arc<Parts<Q>>,
    mut work: mpsc::Receiver<(Delivered, Instant)>,
    actions: mpsc::Sender<Action>,
    abandon: CancellationToken,
) {
    while let Some((message, received)) = work.recv().await {
        tokio::select! {
            () = abandon.cancelled() => return,
            () = land(&parts, message, received, &actions) => {}
        }
    }
}

/// Lands everything in one message, and quarantines what cannot land; the last ack settles the message.
async fn land<Q: Queue>(parts: &Parts<Q>, message: Delivered, received: Instant, actions: &mpsc::Sender<Action>) {
    let decoded = decode(message.body.as_bytes(), &parts.orgs);
    let settlement = Settlement::new(message.message_id.clone(), decoded.len(), actions.clone());
    if decoded.is_empty() {
        settlement.settle();
    }
    for one in decoded {
        let ack = settlement.ack();
        match one {
            Ok(arrived) => {
                note(parts, None, actions);
                append(parts, arrived, received, ack).await;
            }
            Err(poison) => {
                note(parts, Some(poison.reason), actions);
                quarantine(parts, &message, poison, ack).await;
            }
        }
    }
}

fn note<Q: Queue>(parts: &Parts<Q>, bad: Option<&'static str>, actions: &mpsc::Sender<Action>) {
    if let Err(too_much) = parts.limit.note(bad) {
        let what = format!("the input is almost entirely bad: {too_much}");
        let _ = actions.try_send(Action::Settled(String::new(), Outcome::Fatal(ExitStatus::BadData, what)));
    }
}

async fn append<Q: Queue>(parts: &Parts<Q>, arrived: Arrived, received: Instant, ack: Ack) {
    let org = arrived.org.clone();
    let mut record = LandingRecord {
        org: arrived.org,
        kind: Kind::Event,
        origin: Origin::Sqs,
        uuid: arrived.uuid,
        published: arrived.published,
        landed_at: unix_ms(),
        value: arrived.value,
    };
    let mut ack = counted(org, received, ack);
    while let Err(refused) = parts.landing.append(record, ack) {
        Refused(record, ack) = *refused;
        tokio::time::sleep(REFUSED_PAUSE).await;
    }
}

fn counted(org: OrgId, received: Instant, ack: Ack) -> Ack {
    Ack::new(move |delivery| {
        if delivery.is_ok() {
            metrics::landed(org.as_str(), Origin::Sqs.as_str(), now().saturating_duration_since(received));
        }
        ack.redeem(delivery);
    })
}

async fn quarantine<Q: Queue>(parts: &Parts<Q>, message: &Delivered, poison: Poison, ack: Ack) {
    let rejected = Rejected {
        org: parts.orgs.only().cloned(),
        source: format!("sqs:{}:{}", parts.name, message.message_id),
        stage: "ingest",
        reason: poison.reason,
        detail: poison.detail,
        attempts: message.attempts,
        rejected_at: unix_ms(),
        bytes: poison.bytes,
    };
    let reason = poison.reason;
    let mut ack = Ack::new(move |delivery: Delivery| {
        if delivery.is_ok() {
            metrics::quarantined("ingest", reason);
        }
        ack.redeem(delivery);
    });
    while let Err(Busy(back)) = parts.sink.quarantine(&rejected, None, ack) {
        ack = back;
        tokio::time::sleep(REFUSED_PAUSE).await;
    }
}

/// Settles a message when all acks of what was in it are redeemed: landed only if all were delivered.
struct Settlement(Arc<Open>);

struct Open {
    message_id: String,
    left: AtomicUsize,
    failed: AtomicBool,
    actions: mpsc::Sender<Action>,
}

impl Settlement {
    fn new(message_id: String, parts: usize, actions: mpsc::Sender<Action>) -> Self {
        let (left, failed) = (AtomicUsize::new(parts), AtomicBool::new(false));
        Self(Arc::new(Open { message_id, left, failed, actions }))
    }

    fn ack(&self) -> Ack {
        let open = Arc::clone(&self.0);
        Ack::new(move |delivery| open.redeem(delivery))
    }

    fn settle(&self) {
        self.0.settle(Outcome::Landed);
    }
}

impl Open {
    fn redeem(&self, delivery: Delivery) {
        match delivery {
            Ok(()) => {}
            Err(NotDelivered::Impossible { what, status }) => {
                self.settle(Outcome::Fatal(status, format!("nothing can be landed: {what}")));
            }
            Err(_) => self.failed.store(true, Ordering::Relaxed),
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let failed = self.failed.load(Ordering::Relaxed);
            self.settle(if failed { Outcome::Failed } else { Outcome::Landed });
        }
    }

    fn settle(&self, outcome: Outcome) {
        // Fails only when the source has ended; the message then comes back by itself.
        let _ = self.actions.try_send(Action::Settled(self.message_id.clone(), outcome));
    }
}

/// Tokio's clock, so that a test can hold it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
