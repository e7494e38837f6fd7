//! How much may be in hand, as permits that ride with the messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::inflight::BATCH;
use super::queue::Delivered;
use crate::config::QueueConfig;

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
    pub async fn reserve(&self) -> Option<Reserved> {
        let messages = Arc::clone(&self.messages).acquire_many_owned(BATCH as u32).await.ok()?;
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(self.receive).await.ok()?;
        Some(Reserved { messages, bytes, taken: Arc::clone(&self.taken) })
    }
}

/// Room for one receive, before it is known what comes; what is not assigned is returned.
pub struct Reserved {
    messages: OwnedSemaphorePermit,
    bytes: OwnedSemaphorePermit,
    taken: Arc<AtomicUsize>,
}

impl Reserved {
    /// The share of one message.
    pub fn assign(&mut self, message: Delivered) -> Option<(Delivered, Permit)> {
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
