//! Okta's System Log, its polled API and its log stream.

use okta_ocsf::landing::{Content, LandingRecord, Origin};
use okta_ocsf::merge::system_log::{CURSOR, Cursor, standing};
use uuid::Uuid;

use super::agenda::{Action, Producer, Round};
use super::org::Told;
use super::{BEGIN, World};

/// How long the stream may take before its silence is told, ms.
const STREAM_GRACE: i64 = 600_000;

/// Events of one answer at most: few, so that full pages happen.
const PAGE: usize = 10;

/// How long SQS hides a message that was received, ms.
const VISIBILITY: i64 = 30_000;

/// The stream stops for so long when it is cut off, ms.
const CUT_OFF: i64 = 200_000;

/// An event as Okta wrote it.
#[derive(Debug)]
pub struct Event {
    pub published: i64,
    pub json: String,
    /// The stream let it fall.
    pub lost: bool,
}

/// The System Log.
#[derive(Debug, Default)]
pub struct OktaLog {
    pub events: Vec<Event>,
    /// Events in the order in which they can be read: the order of a polling cursor. Not that of `published`.
    pub persisted: Vec<usize>,
    /// How many of these were there when the world began.
    pub history: usize,
    /// Since when the stream is cut off.
    pub cut_off: Option<i64>,
}

impl World<'_> {
    /// Okta writes an event of something that happened.
    pub fn tell(&mut self, told: &Told) {
        let number = self.okta_log.events.len();
        let published = told.at - self.random.ms(0, 30);
        let json = format!(r#"{{"eventType":"{}","target":[{}]}}"#, told.event_type, self.org.targets(told));
        let is_cut = self.okta_log.cut_off.is_some_and(|since| (since..since + CUT_OFF).contains(&told.at));
        let lost = !self.rules.stream || is_cut || self.random.once_in(self.rules.loses);
        self.okta_log.events.push(Event { published, json, lost });
        let late = self.random.once_in(50);
        let persisted = told.at + self.random.ms(20, if late { 20_000 } else { 1_000 });
        self.agenda.at(persisted, Action::Persist(number));
        if !lost {
            let copies = if self.random.once_in(self.rules.doubles) { 2 } else { 1 };
            for _ in 0..copies {
                let (times, most) = self.rules.late;
                let most = if self.random.once_in(times) { most } else { 1_500 };
                let arrives = told.at + self.random.ms(20, most);
                self.agenda.at(arrives, Action::Receive(number));
            }
        }
    }

    /// What happened before the world began, as far as anybody remembers.
    pub fn tell_history(&mut self, told: &Told) {
        let json = format!(r#"{{"eventType":"{}","target":[{}]}}"#, told.event_type, self.org.targets(told));
        self.okta_log.persisted.push(self.okta_log.events.len());
        self.okta_log.events.push(Event { published: told.at, json, lost: true });
        self.okta_log.history = self.okta_log.persisted.len();
    }

    fn event_record(&self, number: usize, origin: Origin, landed_at: i64) -> LandingRecord {
        let event = &self.okta_log.events[number];
        let content = Content::Event { uuid: Uuid::from_u128(number as u128), published: event.published };
        LandingRecord { org: self.id.clone(), origin, landed_at, content, value: event.json.clone().into_bytes() }
    }

    /// A worker receives a message: lands it, and deletes it when that is acknowledged. It may die on the way.
    pub fn receive(&mut self, number: usize) {
        let dies = self.rules.deaths.map_or(0, |_| 40);
        let again = self.now + VISIBILITY + self.random.ms(0, 1_000);
        if self.random.once_in(dies) {
            // Before it was landed.
            return self.agenda.at(again, Action::Receive(number));
        }
        if self.random.once_in(dies) {
            // Before it was deleted.
            self.agenda.at(again, Action::Receive(number));
        }
        let machine = self.random.index(self.machines.len());
        let record = self.event_record(number, Origin::Sqs, self.here(machine));
        self.land(Producer::Ingest, self.now + 1, vec![record], None);
    }

    /// The collector asks for what can be read since its cursor, and lands it with the cursor behind.
    pub fn poll(&mut self, generation: u64, round: Round) {
        let Some(every) = self.rules.poll_ms else { return };
        if round == Round::Regular {
            self.agenda.at(self.now + every, Action::Poll(generation, Round::Regular));
        }
        let is_down = self.polls_fail_until.is_some_and(|until| (until - 150_000..until).contains(&self.now));
        let Some(collector) = self.collectors.get(&generation).filter(|_| !is_down) else { return };
        let (machine, off, from) = (collector.machine, collector.off, collector.cursor);
        let page: Vec<usize> = self.okta_log.persisted.iter().skip(from).take(PAGE).copied().collect();
        if page.is_empty() {
            return;
        }
        let landed_at = self.here(machine);
        let next = from + page.len();
        let mut records: Vec<_> =
            page.iter().map(|number| self.event_record(*number, Origin::Poll, landed_at)).collect();
        let cursor = Cursor {
            next: next.to_string(),
            from: BEGIN,
            asked: self.now + off,
            end: page.len() < PAGE,
            events: page.len() as u64,
            stream_grace: self.rules.stream.then_some(STREAM_GRACE),
        };
        let (content, value) = (Content::Cursor { name: CURSOR.into() }, serde_json::to_vec(&cursor).unwrap());
        records.push(LandingRecord { org: self.id.clone(), origin: Origin::Poll, landed_at, content, value });
        let answered = self.now + self.random.ms(10, 300);
        let then = (page.len() == PAGE).then_some((1, Action::Poll(generation, Round::Rest)));
        self.land(Producer::Collector(generation), answered, records, then);
        if let Some(collector) = self.collectors.get_mut(&generation) {
            collector.cursor = next;
        }
    }

    /// Where the committed state of a machine says that polling goes on.
    pub fn cursor_of(&self, machine: usize) -> usize {
        let cursor = standing(&self.machines[machine].store, &self.id).unwrap().cursor;
        let place = cursor.and_then(|cursor| cursor.next.parse().ok());
        place.unwrap_or(self.okta_log.history)
    }

    /// A job lands a slice of history by `published`, oldest first. It may die and read a slice twice, and it reads into
    /// what the stream and the poll bring, too.
    pub fn backfill(&mut self, from: usize) {
        let mut numbers: Vec<usize> = self.okta_log.persisted.clone();
        numbers.sort_by_key(|number| (self.okta_log.events[*number].published, *number));
        let slice: Vec<usize> = numbers.into_iter().skip(from).take(PAGE).collect();
        let Some(_) = slice.last() else { return self.backfilled = true };
        let records = slice.iter().map(|number| self.event_record(*number, Origin::Backfill, self.now)).collect();
        // A slice that is read again overlaps with the one before.
        let next =
            if self.random.once_in(10) { from } else { from + slice.len() - self.random.index(2).min(slice.len() - 1) };
        let next = if slice.len() < PAGE { from + slice.len() } else { next };
        self.land(Producer::Backfill, self.now + 1, records, Some((100, Action::Backfill(next))));
    }
}
