//! The truth: the org's log, what of it was streamed, and what bad things were slipped in between.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::catalogue::KINDS;
use crate::events::{Made, Maker};

/// One event in the log, at the place where it was persisted.
pub struct Entry {
    pub uuid: Uuid,
    pub event_type: &'static str,
    pub published: Timestamp,
    /// When it was appended; never decreases along the log.
    pub persisted: Timestamp,
    /// The LogEvent, as it goes to the stream and to API clients.
    pub detail: Arc<str>,
    pub first_sent: Option<Timestamp>,
}

/// A bad message that was sent on purpose.
pub struct Bad {
    pub kind: &'static str,
    /// The code under which a collector should set it aside.
    pub reason: &'static str,
    /// Of the body on the queue; unknown for what EventBridge wraps.
    pub sha256: Option<String>,
}

/// How an event went onto the bus.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    InTurn,
    Late,
    Again,
}

struct State {
    maker: Maker,
    log: Vec<Entry>,
    bad: Vec<Bad>,
    bad_planned: usize,
    streamed: usize,
    duplicates: usize,
    late: usize,
    stream_active: bool,
    /// The day's events are all in the log.
    day_over: bool,
    /// The length of the log at which the stream last had nothing left to send.
    settled_at: Option<usize>,
}

/// The org, shared between its day, its stream and its API.
pub struct Org {
    state: Mutex<State>,
}

impl Org {
    pub fn new(name: &str, seed: u64, bad_planned: usize) -> Self {
        Self {
            state: Mutex::new(State {
                maker: Maker::new(name, seed),
                log: Vec::new(),
                bad: Vec::new(),
                bad_planned,
                streamed: 0,
                duplicates: 0,
                late: 0,
                stream_active: true,
                day_over: false,
                settled_at: None,
            }),
        }
    }

    /// Logs the next event of the day.
    pub fn live(&self) {
        let mut state = self.lock();
        let now = Timestamp::now();
        let made = state.maker.next(now);
        state.append(made, now);
    }

    pub fn end_day(&self) {
        self.lock().day_over = true;
    }

    /// Logs `count` events of one type now; None if the org does not know the type.
    pub fn emit(&self, event_type: &str, count: usize) -> Option<Vec<Uuid>> {
        let mut state = self.lock();
        let now = Timestamp::now();
        (0..count)
            .map(|_| {
                let made = state.maker.of_type(event_type, now)?;
                let uuid = made.uuid;
                state.append(made, now);
                Some(uuid)
            })
            .collect()
    }

    /// A valid sign-in that never reaches the log, to be spoiled.
    pub fn unlogged(&self) -> Made {
        let mut state = self.lock();
        let now = Timestamp::now();
        match state.maker.of_type(KINDS[0].event_type, now) {
            Some(made) => made,
            None => state.maker.next(now),
        }
    }

    /// Reads the log under the lock.
    pub fn read_log<T>(&self, read: impl FnOnce(&[Entry]) -> T) -> T {
        read(&self.lock().log)
    }

    /// The event at that place of the log, if the log is that long.
    pub fn detail(&self, place: usize) -> Option<Arc<str>> {
        self.lock().log.get(place).map(|entry| entry.detail.clone())
    }

    /// Nothing more will come by itself, and `place` is the end of the log.
    pub fn is_over_at(&self, place: usize) -> bool {
        let state = self.lock();
        state.day_over && state.log.len() == place
    }

    /// These events are about to be put on the bus.
    pub fn about_to_send(&self, places: impl Iterator<Item = usize>) {
        let mut state = self.lock();
        let now = Timestamp::now();
        for place in places {
            if let Some(entry) = state.log.get_mut(place) {
                entry.first_sent.get_or_insert(now);
            }
        }
    }

    /// The bus took an event of the log.
    pub fn was_sent(&self, how: Sent) {
        let mut state = self.lock();
        match how {
            Sent::Again => state.duplicates += 1,
            Sent::InTurn => state.streamed += 1,
            Sent::Late => {
                state.streamed += 1;
                state.late += 1;
            }
        }
    }

    /// A bad message was taken.
    pub fn was_poisoned(&self, bad: Bad) {
        self.lock().bad.push(bad);
    }

    /// The stream has sent all of the log up to `place`, with nothing held back.
    pub fn settle(&self, place: usize) {
        self.lock().settled_at = Some(place);
    }

    pub fn deactivate_stream(&self) {
        self.lock().stream_active = false;
    }

    /// The summary behind `/_org/state`.
    pub fn summary(&self) -> Value {
        let state = self.lock();
        let done = state.day_over && state.settled_at == Some(state.log.len()) && state.bad.len() >= state.bad_planned;
        json!({
            "phase": if done { "done" } else { "running" },
            "stream": if state.stream_active { "active" } else { "deactivated" },
            "logged": state.log.len(),
            "streamed": state.streamed,
            "duplicates": state.duplicates,
            "late": state.late,
            "poison": state.bad.len(),
        })
    }

    /// The list behind `/_org/poison`.
    pub fn poison(&self) -> Value {
        self.lock()
            .bad
            .iter()
            .map(|bad| json!({ "kind": bad.kind, "reason": bad.reason, "sha256": bad.sha256 }))
            .collect()
    }

    /// No code panics while it holds the lock, so a poisoned lock still guards a whole state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, made: Made, now: Timestamp) {
        let persisted = self.log.last().map_or(now, |last| last.persisted.max(now));
        self.log.push(Entry {
            uuid: made.uuid,
            event_type: made.event_type,
            published: made.published,
            persisted,
            detail: made.detail.to_string().into(),
            first_sent: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn done_means_logged_sent_and_poisoned() {
        let org = Org::new("acme", 1, 1);
        org.live();
        org.end_day();
        org.settle(1);
        assert_eq!(org.summary()["phase"], "running", "one bad message is owed");
        org.was_poisoned(Bad { kind: "hello_world", reason: "missing_uuid", sha256: None });
        assert_eq!(org.summary()["phase"], "done");
        assert_eq!(org.emit("zone.update", 2).map(|uuids| uuids.len()), Some(2));
        assert_eq!(org.summary()["phase"], "running", "new events are unsent");
    }
}
