//! The messages we hold, as a plain state machine: told what happened and when, it says what to do.
//!
//! A message is `Working` from its receipt until everything in it is durable, then `Deletable` until a delete call
//! takes it, `Deleting` while that call runs, and gone when the queue confirms. In each state its visibility is kept
//! alive. All times come from outside.

use std::collections::{BTreeSet, HashMap};
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

/// The part of the visibility after which it is extended: early enough that the call is under way before half is gone.
const EXTEND_AFTER: u32 = 3;

/// The part of the visibility to wait for the answer to an extension before asking again.
const EXTEND_AGAIN_AFTER: u32 = 4;

/// Pause before a failed extension is tried again.
const EXTEND_RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// What is in it is on its way to the log.
    Working,
    /// It may be deleted from `ready_at` on; `tries` deletes were refused.
    Deletable { ready_at: Instant, tries: u32 },
    /// A delete call, the `tries`th, has taken it.
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
    /// Rides with the message.
    permit: P,
}

/// The tracker. `P` is whatever limits how much may be held.
#[derive(Debug)]
pub struct InFlight<P> {
    visibility: Duration,
    held: HashMap<String, Held<P>>,
    /// (time to extend, message id), the next first.
    extensions: BTreeSet<(Instant, String)>,
    /// (time from which it may be deleted, message id), the next first.
    deletable: BTreeSet<(Instant, String)>,
}

impl<P> InFlight<P> {
    /// `visibility` is what a receive and an extension give.
    pub fn new(visibility: Duration) -> Self {
        Self { visibility, held: HashMap::new(), extensions: BTreeSet::new(), deletable: BTreeSet::new() }
    }

    /// How many messages are held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Notes a received message. False when it is held already: the queue gave it again because an extension came too
    /// late, and only the handle is new; the work on it goes on.
    pub fn admit(&mut self, message_id: &str, handle: Handle, permit: P, now: Instant) -> bool {
        let (deadline, extend_at) = (now + self.visibility, now + self.visibility / EXTEND_AFTER);
        let known = match self.held.get_mut(message_id) {
            Some(held) => {
                self.extensions.remove(&(held.extend_at, message_id.to_owned()));
                (held.handle, held.deadline, held.extend_at) = (handle, deadline, extend_at);
                true
            }
            None => {
                let held = Held { handle, state: State::Working, deadline, extend_at, permit };
                self.held.insert(message_id.to_owned(), held);
                false
            }
        };
        self.extensions.insert((extend_at, message_id.to_owned()));
        !known
    }

    /// Everything in the message is durable. Says nothing new when an earlier delivery of it was landed already.
    pub fn landed(&mut self, message_id: &str, now: Instant) {
        if let Some(held) = self.held.get_mut(message_id)
            && held.state == State::Working
        {
            held.state = State::Deletable { ready_at: now, tries: 0 };
            self.deletable.insert((now, message_id.to_owned()));
        }
    }

    /// Stops holding a message without deleting it; returns its handle and permit if it was held.
    pub fn forget(&mut self, message_id: &str) -> Option<(Handle, P)> {
        let held = self.held.remove(message_id)?;
        self.extensions.remove(&(held.extend_at, message_id.to_owned()));
        if let State::Deletable { ready_at, .. } = held.state {
            self.deletable.remove(&(ready_at, message_id.to_owned()));
        }
        Some((held.handle, held.permit))
    }

    /// The next delete call, if one is due: a full batch, or messages that waited long enough. `all` takes what there
    /// is, for the end.
    pub fn next_delete(&mut self, now: Instant, all: bool) -> Vec<(String, Handle)> {
        let ready = due(&self.deletable, now);
        let waited = ready.first().is_some_and(|(ready_at, _)| *ready_at + DELETE_LINGER <= now);
        if ready.len() < BATCH && !waited && !all {
            return Vec::new();
        }
        ready.into_iter().filter_map(|entry| self.start_delete(entry)).collect()
    }

    fn start_delete(&mut self, entry: (Instant, String)) -> Option<(String, Handle)> {
        self.deletable.remove(&entry);
        let held = self.held.get_mut(&entry.1)?;
        if let State::Deletable { tries, .. } = held.state {
            held.state = State::Deleting { tries: tries + 1 };
        }
        Some((entry.1, held.handle.clone()))
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
                let ready_at = now + pause;
                if let Some(held) = self.held.get_mut(message_id) {
                    held.state = State::Deletable { ready_at, tries };
                    self.deletable.insert((ready_at, message_id.to_owned()));
                }
            }
            Err(_) => {
                self.forget(message_id);
            }
        }
        false
    }

    /// Messages to extend now, at most one call's worth, the most urgent first.
    pub fn next_extension(&mut self, now: Instant) -> Vec<(String, Handle)> {
        due(&self.extensions, now).into_iter().filter_map(|entry| self.start_extension(entry, now)).collect()
    }

    fn start_extension(&mut self, entry: (Instant, String), now: Instant) -> Option<(String, Handle)> {
        self.extensions.remove(&entry);
        let held = self.held.get_mut(&entry.1)?;
        // Not again until the answer is here, or well before the end if it never comes.
        held.extend_at = now + self.visibility / EXTEND_AGAIN_AFTER;
        self.extensions.insert((held.extend_at, entry.1.clone()));
        Some((entry.1, held.handle.clone()))
    }

    /// What the queue said of one message of an extension call that was sent at `sent`.
    pub fn extended(&mut self, message_id: &str, result: &Result<(), Refusal>, sent: Instant) {
        let Some(held) = self.held.get_mut(message_id) else { return };
        let extend_at = match result {
            Ok(()) => {
                held.deadline = sent + self.visibility;
                sent + self.visibility / EXTEND_AFTER
            }
            Err(Refusal::Again(_)) if sent < held.deadline => sent + EXTEND_RETRY_PAUSE,
            // It will come back to someone. If it still lands here, that is a duplicate, which the fold drops.
            Err(_) => {
                self.forget(message_id);
                return;
            }
        };
        self.extensions.remove(&(held.extend_at, message_id.to_owned()));
        self.extensions.insert((extend_at, message_id.to_owned()));
        held.extend_at = extend_at;
    }

    /// When there is something to do next, if nothing else happens.
    pub fn wake_at(&self) -> Option<Instant> {
        let extension = self.extensions.first().map(|(at, _)| *at);
        let lingered = self.deletable.first().map(|(ready_at, _)| *ready_at + DELETE_LINGER);
        let full = self.deletable.iter().nth(BATCH - 1).map(|(ready_at, _)| *ready_at);
        [extension, lingered, full].into_iter().flatten().min()
    }

    /// Gives up everything that is held, for the end: the handles of all messages that were not deleted.
    pub fn give_up(&mut self) -> Vec<Handle> {
        self.extensions.clear();
        self.deletable.clear();
        self.held.drain().map(|(_, held)| held.handle).collect()
    }
}

/// The first entries that are due, at most one call's worth.
fn due(entries: &BTreeSet<(Instant, String)>, now: Instant) -> Vec<(Instant, String)> {
    entries.iter().take(BATCH).take_while(|(at, _)| *at <= now).cloned().collect()
}

#[cfg(test)]
mod tests;
