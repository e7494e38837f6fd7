//! Brings messages, as many as there is room for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::queue::{Queue, QueueError};
use super::room::Room;
use super::shared::{Action, Parts};
use crate::error::Class;
use crate::telemetry::metrics;

/// First pause after a failed receive; doubled up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest pause between receives that fail: an outage of minutes ends within seconds for us.
const MAX_PAUSE: Duration = Duration::from_secs(20);

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
