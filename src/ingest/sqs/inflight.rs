//! The messages we hold, as a plain state machine: told what happened and when, it says what to do.
//!
//! A message is `Working` from its receipt until everything in it is durable, then `Deletable` until a delete call
//! takes it, `Deleting` while that call runs, and gone when the queue confirms. In each state its visibility is kept
//! alive. All times come from outside.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::queue::{Handle, Refusal};

/// Messages of one batch call; SQS's own limit.
pub const BATCH: usize = 10;

/// How long a deletable message waits for others to share its call. A delete costs a round trip of some 10 ms, so
/// waiting as long fills batches under load and delays nobody: the event is on its way already.
const DELETE_LINGER: Duration = Duration::from_millis(20);

/// After this many refused deletes the message is left to come back; it is then a duplicate, which the fold drops.
const MAX_DELETE_TRIES: u32 = 8;

/// Pause after the first refused delete; doubled for each further one.
const DELETE_RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Pause before a failed extension is tried again.
const EXTEND_RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Working,
    Deletable { since: Instant, not_before: Instant, tries: u32 },
    Deleting { tries: u32 },
}

#[derive(Debug)]
struct Held<P> {
    handle: Handle,
    state: State,
    /// When its visibility ends.
    deadline: Instant,
    /// Where it stands in the order of extensions.
    extend_at: Instant,
    /// Rides with the message and is dropped with it.
    _permit: P,
}

/// The tracker. `P` is whatever limits how much may be held.
#[derive(Debug)]
pub struct InFlight<P> {
    visibility: Duration,
    held: HashMap<String, Held<P>>,
    /// (time to extend, message id), the next first.
    extensions: BTreeSet<(Instant, String)>,
    deletable: VecDeque<String>,
}

impl<P> InFlight<P> {
    /// `visibility` is what a receive and an extension give.
    pub fn new(visibility: Duration) -> Self {
        Self { visibility, held: HashMap::new(), extensions: BTreeSet::new(), deletable: VecDeque::new() }
    }

    /// How many messages are held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Notes a received message. False when it is held already: the queue gave it again because an extension came too
    /// late, and only the handle is new; the work on it goes on.
    pub fn admit(&mut self, message_id: &str, handle: Handle, permit: P, now: Instant) -> bool {
        let deadline = now + self.visibility;
        let extend_at = now + self.visibility / 2;
        self.extensions.insert((extend_at, message_id.to_owned()));
        if let Some(held) = self.held.get_mut(message_id) {
            self.extensions.remove(&(held.extend_at, message_id.to_owned()));
            self.extensions.insert((extend_at, message_id.to_owned()));
            held.handle = handle;
            held.deadline = deadline;
            held.extend_at = extend_at;
            return false;
        }
        let held = Held { handle, state: State::Working, deadline, extend_at, _permit: permit };
        self.held.insert(message_id.to_owned(), held);
        true
    }

    /// Everything in the message is durable.
    pub fn landed(&mut self, message_id: &str, now: Instant) {
        if let Some(held) = self.held.get_mut(message_id) {
            held.state = State::Deletable { since: now, not_before: now, tries: 0 };
            self.deletable.push_back(message_id.to_owned());
        }
    }

    /// Stops holding a message without deleting it; returns its handle if it was held.
    pub fn forget(&mut self, message_id: &str) -> Option<Handle> {
        let held = self.held.remove(message_id)?;
        self.extensions.remove(&(held.extend_at, message_id.to_owned()));
        Some(held.handle)
    }

    /// The next delete call, if one is due: a full batch, or messages that waited long enough. `all` takes what there
    /// is, for the end.
    pub fn next_delete(&mut self, now: Instant, all: bool) -> Vec<(String, Handle)> {
        self.deletable.retain(|id| matches!(self.held.get(id).map(|held| held.state), Some(State::Deletable { .. })));
        let due = |id: &String| match self.held.get(id).map(|held| held.state) {
            Some(State::Deletable { since, not_before, .. }) => (not_before <= now, since + DELETE_LINGER <= now),
            _ => (false, false),
        };
        let ready: Vec<String> = self.deletable.iter().filter(|id| due(id).0).take(BATCH).cloned().collect();
        let waited = ready.iter().any(|id| due(id).1);
        if ready.is_empty() || (ready.len() < BATCH && !waited && !all) {
            return Vec::new();
        }
        self.deletable.retain(|id| !ready.contains(id));
        ready.into_iter().filter_map(|id| self.start_delete(id)).collect()
    }

    fn start_delete(&mut self, id: String) -> Option<(String, Handle)> {
        let held = self.held.get_mut(&id)?;
        if let State::Deletable { tries, .. } = held.state {
            held.state = State::Deleting { tries: tries + 1 };
        }
        let handle = held.handle.clone();
        Some((id, handle))
    }

    /// What the queue said of one message of a delete call. True when the message is deleted.
    pub fn deleted(&mut self, message_id: &str, result: &Result<(), Refusal>, now: Instant) -> bool {
        let Some(State::Deleting { tries }) = self.held.get(message_id).map(|held| held.state) else {
            return false;
        };
        match result {
            Ok(()) => {
                self.forget(message_id);
                return true;
            }
            Err(Refusal::Again(_)) if tries < MAX_DELETE_TRIES => {
                let pause = DELETE_RETRY_PAUSE * 2u32.saturating_pow(tries.saturating_sub(1));
                if let Some(held) = self.held.get_mut(message_id) {
                    held.state = State::Deletable { since: now, not_before: now + pause, tries };
                    self.deletable.push_back(message_id.to_owned());
                }
            }
            Err(_) => {
                self.forget(message_id);
            }
        }
        false
    }

    /// Messages to extend now, at most one call's worth: half of their visibility is gone.
    pub fn next_extension(&mut self, now: Instant) -> Vec<(String, Handle)> {
        let due: Vec<_> = self.extensions.iter().take(BATCH).take_while(|(at, _)| *at <= now).cloned().collect();
        let mut batch = Vec::with_capacity(due.len());
        for (at, id) in due {
            self.extensions.remove(&(at, id.clone()));
            if let Some(held) = self.held.get_mut(&id) {
                // Not again until the answer is here, or well before the end if it never comes.
                held.extend_at = now + self.visibility / 4;
                self.extensions.insert((held.extend_at, id.clone()));
                batch.push((id, held.handle.clone()));
            }
        }
        batch
    }

    /// What the queue said of one message of an extension call that was sent at `sent`.
    pub fn extended(&mut self, message_id: &str, result: &Result<(), Refusal>, sent: Instant) {
        let Some(held) = self.held.get_mut(message_id) else { return };
        self.extensions.remove(&(held.extend_at, message_id.to_owned()));
        match result {
            Ok(()) => {
                held.deadline = sent + self.visibility;
                held.extend_at = sent + self.visibility / 2;
            }
            Err(Refusal::Again(_)) if sent < held.deadline => held.extend_at = sent + EXTEND_RETRY_PAUSE,
            // It will come back to someone. If it still lands here, that is a duplicate, which the fold drops.
            Err(_) => {
                self.held.remove(message_id);
                return;
            }
        }
        self.extensions.insert((held.extend_at, message_id.to_owned()));
    }

    /// When there is something to do next, if nothing else happens.
    pub fn wake_at(&self) -> Option<Instant> {
        let extension = self.extensions.first().map(|(at, _)| *at);
        let delete = self.deletable.iter().filter_map(|id| match self.held.get(id)?.state {
            State::Deletable { since, not_before, .. } => Some((since + DELETE_LINGER).max(not_before)),
            _ => None,
        });
        extension.into_iter().chain(delete).min()
    }

    /// Gives up everything that is held, for the end: the handles of all messages that were not deleted.
    pub fn give_up(&mut self) -> Vec<Handle> {
        self.extensions.clear();
        self.deletable.clear();
        self.held.drain().map(|(_, held)| held.handle).collect()
    }
}

#[cfg(test)]
mod tests;
