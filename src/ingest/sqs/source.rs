//! The tasks around one queue: receivers bring messages, the lander lands what is in them, the coordinator owns the
//! in-flight tracker and makes the delete and extension calls it asks for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::coordinator::Coordinator;
use super::lander::lander;
use super::queue::Queue;
use super::receiver::Receiver;
use super::room::Room;
use super::shared::Parts;
use crate::error::Fatal;

/// What is kept of the stop time for giving messages back.
const GIVE_BACK: Duration = Duration::from_secs(2);

/// Reads one queue until told to stop.
pub struct Source<Q>(Arc<Parts<Q>>);

impl<Q: Queue> Source<Q> {
    /// Nothing happens before [`Source::run`].
    pub fn new(parts: Parts<Q>) -> Self {
        Self(Arc::new(parts))
    }

    /// Runs until `stop`, then finishes what it holds within `stop_timeout` and gives the rest back. Dropping the
    /// future is like a crash: what was held comes back when its visibility ends.
    ///
    /// # Errors
    /// When a person is needed: nearly all input is bad, or the log cannot take anything. A queue that cannot be read
    /// is none of these: it is tried again, and reported as the health of this part.
    pub async fn run(self, stop: CancellationToken, stop_timeout: Duration) -> Result<(), Fatal> {
        // Whatever is in these channels carries room for at least one message, so they hold all that there can be: an
        // ack is never lost for want of space, and nobody waits for space.
        let (actions, mut inbox) = mpsc::channel(self.0.config.max_in_flight);
        let (jobs, work) = mpsc::channel(self.0.config.max_in_flight);
        // One reason to end is enough.
        let (hopeless, mut reasons) = mpsc::channel(1);
        let (stop, abandon) = (stop.child_token(), CancellationToken::new());
        let room = Room::new(&self.0.config);
        let mut receivers = JoinSet::new();
        for _ in 0..self.0.config.receivers {
            let receiver = Receiver { parts: Arc::clone(&self.0), room: room.clone() };
            receivers.spawn(receiver.run(actions.clone(), stop.clone(), abandon.clone()));
        }
        let lander = AbortOnDropHandle::new(tokio::spawn(lander(Arc::clone(&self.0), work, actions, hopeless)));
        let mut coordinator = Coordinator::new(self.0, room, receivers, jobs);
        let give_back = GIVE_BACK.min(stop_timeout);
        let result = coordinator.run(&mut inbox, &mut reasons, &stop, stop_timeout.saturating_sub(give_back)).await;
        stop.cancel();
        abandon.cancel();
        drop(lander);
        coordinator.give_back(inbox, give_back).await;
        result
    }
}

#[cfg(test)]
mod tests;
