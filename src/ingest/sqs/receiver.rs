//! Brings messages, as many as there is room for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::inflight::BATCH;
use super::queue::{Delivered, Queue, QueueError};
use super::source::{Action, Parts};
use crate::config::QueueConfig;
use crate::error::Class;
use crate::telemetry::metrics;

/// First pause after a failed receive; doubled up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest pause between receives that fail: an outage of minutes ends within seconds for us.
const MAX_PAUSE: Duration = Duration::from_secs(20);

/// How much may be in hand, in messages and in bytes.
#[derive(Clone)]
pub struct Room {
    messages: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    /// Bytes that a receive can bring at most.
    receive: u32,
    taken: Arc<AtomicUsize>,
}

impl Room {
    /// As much as the configuration allows.
    pub fn new(config: &QueueConfig) -> Self {
        Self {
            messages: Arc::new(Semaphore::new(config.max_in_flight)),
            bytes: Arc::new(Semaphore::new(config.max_in_flight_bytes.min(Semaphore::MAX_PERMITS))),
            receive: u32::try_from(BATCH * config.max_body_bytes).unwrap_or(u32::MAX),
            taken: Arc::default(),
        }
    }

    /// Bytes of the messages in hand; not what is kept free for receives under way.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Waits until a full receive fits. `None` only when the semaphores are closed, which they never are.
    async fn reserve(&self) -> Option<Reserved> {
        let messages = Arc::clone(&self.messages).acquire_many_owned(BATCH as u32).await.ok()?;
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(self.receive).await.ok()?;
        Some(Reserved { messages, bytes, taken: Arc::clone(&self.taken) })
    }
}

/// Room for one receive, before it is known what comes; what is not assigned is returned.
struct Reserved {
    messages: OwnedSemaphorePermit,
    bytes: OwnedSemaphorePermit,
    taken: Arc<AtomicUsize>,
}

impl Reserved {
    /// The share of one message.
    fn assign(&mut self, message: Delivered) -> Option<(Delivered, Permit)> {
        // A body above the limit goes to quarantine; it takes what room there is.
        let size = message.body.len().min(self.bytes.num_permits());
        let (one, bytes) = (self.messages.split(1)?, self.bytes.split(size)?);
        self.taken.fetch_add(size, Ordering::Relaxed);
        Some((message, Permit { _message: one, bytes, taken: Arc::clone(&self.taken) }))
    }
}

/// Room for one message and its bytes, returned when dropped.
pub struct Permit {
    _message: OwnedSemaphorePermit,
    bytes: OwnedSemaphorePermit,
    taken: Arc<AtomicUsize>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.bytes.num_permits(), Ordering::Relaxed);
    }
}

/// Receives one batch after the other.
pub struct Receiver<Q> {
    /// What the tasks share.
    pub parts: Arc<Parts<Q>>,
    /// Shared by all receivers of the queue.
    pub room: Room,
}

impl<Q: Queue> Receiver<Q> {
    /// Receives as long as there is room. A receive under way when `stop` comes is waited for, because dropping it can
    /// strand messages; `abandon` drops it all the same.
    pub async fn run(self, actions: mpsc::Sender<Action>, stop: CancellationToken, abandon: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        loop {
            let reserved = tokio::select! {
                // First, so that no receive starts after it.
                biased;
                () = stop.cancelled() => return,
                reserved = self.room.reserve() => reserved,
            };
            let Some(mut reserved) = reserved else { return };
            let received = tokio::select! {
                // First, so that what has arrived is never thrown away.
                biased;
                received = self.parts.queue.receive() => received,
                () = abandon.cancelled() => return,
            };
            match received {
                Ok(batch) => {
                    pause = FIRST_PAUSE;
                    self.parts.health.ready("receiving");
                    metrics::sqs_received(&self.parts.name, batch.len());
                    let batch: Vec<_> = batch.into_iter().filter_map(|message| reserved.assign(message)).collect();
                    if !batch.is_empty() && actions.send(Action::Received(batch)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    drop(reserved);
                    self.report(&error, pause);
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
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
