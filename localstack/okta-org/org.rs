//! The truth: the org's log, what of it was streamed, and what bad things were slipped in between.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::access::limits::{Limits, Profile};
use crate::access::principals::Principals;
use crate::catalogue::KINDS;
use crate::clock::Clock;
use crate::deeds::{Done, Hand};
use crate::events::{Made, Maker};
use crate::faults::Faults;
use crate::history::History;
use crate::inventory::shapes;
use crate::rng::Rng;
use crate::world::seed::Seed;
use crate::world::{World, stamp};

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

/// The past ends so long before the org is started.
const HISTORY_ENDS_BEFORE: SignedDuration = SignedDuration::from_mins(1);

struct State {
    maker: Maker,
    log: Vec<Entry>,
    /// Deeds whose events are still under way to the log, with the time at which they arrive.
    under_way: VecDeque<(Timestamp, Done)>,
    bad: Vec<Bad>,
    bad_planned: usize,
    streamed: usize,
    duplicates: usize,
    late: usize,
    /// Whether the log stream is active; None without a log stream.
    stream: Option<bool>,
    /// The share of what the stream should send that gets lost, though it is active.
    loss: f64,
    /// The day's events are all in the log.
    day_over: bool,
    /// The length of the log at which the stream last had nothing left to send.
    settled_at: Option<usize>,
}

/// How the org behaves, as the command line says it.
pub struct Settings {
    pub seed: Seed,
    pub limits: Profile,
    pub clock_rate: f64,
    pub classic: bool,
    /// How long every call takes, in the org's time.
    pub latency: Duration,
    /// How far behind the search replicas may be.
    pub replica_lag: Duration,
    pub cursor_life: Duration,
    /// How long after a deed its event is in the log.
    pub event_delay: Duration,
    /// How many days of log there are from before the org was started, and events on each.
    pub history: (u64, u64),
    /// The log answers no question about more time than this: it takes it too long.
    pub widest_log_query: Option<Duration>,
    pub poison: usize,
    /// Whether there is a log stream at all.
    pub streams: bool,
}

impl Settings {
    /// An org that just works, for tests.
    #[cfg(test)]
    pub fn plain(name: &str, seed: u64, poison: usize) -> Self {
        Self {
            seed: Seed::new(name, seed, 200, 12, 10),
            limits: Profile::named("workforce").expect("a known profile"),
            clock_rate: 1.0,
            classic: false,
            latency: Duration::ZERO,
            replica_lag: Duration::ZERO,
            cursor_life: Duration::from_secs(3_600),
            event_delay: Duration::ZERO,
            history: (0, 0),
            widest_log_query: None,
            poison,
            streams: true,
        }
    }
}

/// The org, shared between its day, its stream and its API.
pub struct Org {
    pub clock: Clock,
    pub seed: Arc<Seed>,
    pub classic: bool,
    pub latency: Duration,
    pub replica_lag: Duration,
    pub cursor_life: Duration,
    pub history: History,
    pub widest_log_query: Option<Duration>,
    event_delay: Duration,
    world: RwLock<World>,
    principals: Mutex<Principals>,
    limits: Mutex<Limits>,
    faults: Mutex<Faults>,
    state: Mutex<State>,
}

impl Org {
    pub fn new(settings: Settings) -> Self {
        let seed = Arc::new(settings.seed);
        let clock = Clock::new(settings.clock_rate);
        let (days, per_day) = settings.history;
        // What happens from now on may be told some seconds late.
        let end = clock.now() - HISTORY_ENDS_BEFORE;
        Self {
            history: History::new(&seed, days, per_day, end),
            widest_log_query: settings.widest_log_query,
            clock,
            classic: settings.classic,
            latency: settings.latency,
            replica_lag: settings.replica_lag,
            cursor_life: settings.cursor_life,
            event_delay: settings.event_delay,
            world: RwLock::new(World::new(seed.clone())),
            principals: Mutex::new(Principals::new(seed.number)),
            limits: Mutex::new(Limits::new(settings.limits)),
            faults: Mutex::new(Faults::default()),
            state: Mutex::new(State {
                maker: Maker::new(seed.clone()),
                log: Vec::new(),
                under_way: VecDeque::new(),
                bad: Vec::new(),
                bad_planned: settings.poison,
                streamed: 0,
                duplicates: 0,
                late: 0,
                stream: settings.streams.then_some(true),
                loss: 0.0,
                day_over: false,
                settled_at: None,
            }),
            seed,
        }
    }

    // No code panics while it holds one of the locks, so a poisoned lock still guards a whole state.

    pub fn world(&self) -> RwLockReadGuard<'_, World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn principals(&self) -> MutexGuard<'_, Principals> {
        self.principals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What each principal may use of the rate limits, as the API tells it.
    pub fn principal_limits(&self) -> Vec<Value> {
        let percent = self.limits().percent();
        let principals = self.principals();
        let limit = |(id, kind)| shapes::principal_limit(&self.seed, id, kind, percent);
        principals.by_type().into_iter().map(limit).collect()
    }

    /// Logs the next event of the day.
    pub fn live(&self) {
        let mut state = self.lock();
        let now = self.clock.now();
        let made = state.maker.next(now);
        state.append(made, now);
    }

    pub fn end_day(&self) {
        self.lock().day_over = true;
    }

    /// Does a deed, the named one or one drawn by chance; its event follows. None if nothing fits.
    pub fn act(&self, rng: &mut Rng, name: Option<&str>, subject: Option<&str>, other: Option<&str>) -> Option<Value> {
        let mut world = self.world.write().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let done = Hand { world: &mut world, rng, now, subject, other }.act(name)?;
        let told = json!({ "event_type": done.event_type, "at": stamp(now), "target": done.target });
        let delay = SignedDuration::try_from(self.event_delay).unwrap_or_default();
        // The world stays locked, so that the events come in the order of the deeds.
        self.lock().under_way.push_back((now + delay, done));
        drop(world);
        self.deliver();
        Some(told)
    }

    /// Logs the events of deeds that have arrived.
    pub fn deliver(&self) {
        let mut state = self.lock();
        let now = self.clock.now();
        while state.under_way.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, done)) = state.under_way.pop_front() else { break };
            if let Some(made) = state.maker.of_deed(done) {
                state.append(made, now);
            }
        }
    }

    /// Logs `count` events of one type now, which happened so long ago; None if the org does not know the type.
    pub fn emit(&self, event_type: &str, count: usize, ago: Duration) -> Option<Vec<Uuid>> {
        let mut state = self.lock();
        let now = self.clock.now();
        let then = now - SignedDuration::try_from(ago).unwrap_or_default();
        (0..count)
            .map(|_| {
                let made = state.maker.of_type(event_type, then)?;
                let uuid = made.uuid;
                state.append(made, now);
                Some(uuid)
            })
            .collect()
    }

    /// A valid sign-in that never reaches the log, to be spoiled.
    pub fn unlogged(&self) -> Made {
        let mut state = self.lock();
        let now = self.clock.now();
        match state.maker.of_type(KINDS[0].event_type, now) {
            Some(made) => made,
            None => state.maker.next(now),
        }
    }

    /// Whether the log stream is active; None without a log stream.
    pub fn stream(&self) -> Option<bool> {
        self.lock().stream
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

    /// The stream sends nothing more until it is activated again; the log tells of both.
    pub fn deactivate_stream(&self) {
        self.switch_stream(false, "system.log_stream.lifecycle.deactivate");
    }

    pub fn activate_stream(&self) {
        self.switch_stream(true, "system.log_stream.lifecycle.activate");
    }

    fn switch_stream(&self, active: bool, event_type: &str) {
        let mut state = self.lock();
        if state.stream != Some(!active) {
            return;
        }
        state.stream = Some(active);
        let now = self.clock.now();
        if let Some(made) = state.maker.of_type(event_type, now) {
            state.append(made, now);
        }
    }

    /// The share of what the stream should send that gets lost.
    pub fn loss(&self) -> f64 {
        self.lock().loss
    }

    pub fn set_loss(&self, loss: f64) {
        self.lock().loss = loss;
    }

    /// The summary behind `/_org/state`.
    pub fn summary(&self) -> Value {
        let state = self.lock();
        let sent = state.settled_at == Some(state.log.len()) && state.bad.len() >= state.bad_planned;
        let done = state.day_over && state.under_way.is_empty() && (sent || state.stream.is_none());
        let stream = match state.stream {
            None => "none",
            Some(true) => "active",
            Some(false) => "deactivated",
        };
        json!({
            "phase": if done { "done" } else { "running" },
            "stream": stream,
            "logged": state.log.len(),
            "streamed": state.streamed,
            "duplicates": state.duplicates,
            "late": state.late,
            "poison": state.bad.len(),
            "under_way": state.under_way.len(),
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
        let org = Org::new(Settings::plain("acme", 1, 1));
        org.live();
        org.end_day();
        org.settle(1);
        assert_eq!(org.summary()["phase"], "running", "one bad message is owed");
        org.was_poisoned(Bad { kind: "hello_world", reason: "missing_uuid", sha256: None });
        assert_eq!(org.summary()["phase"], "done");
        assert_eq!(org.emit("zone.update", 2, Duration::ZERO).map(|uuids| uuids.len()), Some(2));
        assert_eq!(org.summary()["phase"], "running", "new events are unsent");
    }
}
