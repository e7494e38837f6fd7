use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::super::tests::{FACTORS, Seen, USER, s};
use super::super::*;
use super::Random;
use super::oracle::Said;
use super::org::Org;
use super::report::{Report, Rules};
use crate::landing::{self, LandingRecord, Origin};
use crate::merge::inventory::guards::Guard;
use crate::merge::snapshots::{Begun, CollectionEnded, Ended, Mark, Outcome};
use crate::okta::OrgId;

enum Action {
    Mutate,
    Land(Box<LandingRecord>),
    /// A record of a worker that may have died since; it lands then or does not.
    LandOf(u64, Box<LandingRecord>),
    LookForFetches,
    Send(Intent),
    Read {
        intent: Intent,
        sent: i64,
    },
    Snapshot,
    Page {
        epoch: i64,
        after: String,
    },
    Audit,
    Crash,
}

const LAG: i64 = 55_000;
const PAGE: usize = 8;
const END: i64 = 1_800;

pub struct Run {
    random: Random,
    rules: Rules,
    pub(super) settings: Settings,
    pub(super) without: Option<Guard>,
    pub(super) org: Org,
    pub(super) now: i64,
    /// This machine's clock is off by so much.
    skew: i64,
    queue: BTreeMap<(i64, u64), Action>,
    orders: u64,
    inventory: Inventory,
    pub(super) store: MemoryInventory,
    log: Vec<(LandingRecord, Vec<Output>)>,
    committed: usize,
    uuids: HashSet<Uuid>,
    /// Which worker it is: one more after each death.
    worker: u64,
    outstanding: HashSet<(&'static str, String)>,
    epoch: Option<i64>,
    /// When the last page of the snapshot lands.
    pages_until: i64,
    pub(super) said: HashMap<(&'static str, String), Said>,
    pub(super) report: Report,
}

impl Run {
    pub fn new(seed: u64, rules: Rules, without: Option<Guard>) -> Self {
        let mut random = Random(seed);
        let settings = Settings { burst: rules.burst, sweep_at_least: 10, ..Settings::default() };
        let skew = random.ms(-3_600_000, 3_600_000);
        let mut run = Self {
            random,
            rules,
            settings,
            without,
            org: Org::default(),
            now: s(0),
            skew,
            queue: BTreeMap::new(),
            orders: 0,
            inventory: Inventory::new(settings),
            store: MemoryInventory::default(),
            log: Vec::new(),
            committed: 0,
            uuids: HashSet::new(),
            worker: 0,
            outstanding: HashSet::new(),
            epoch: None,
            pages_until: 0,
            said: HashMap::new(),
            report: Report::default(),
        };
        run.inventory.guards.without = without;
        run
    }

    /// Lives through it; gives what came of it.
    pub fn live(mut self) -> Report {
        for _ in 0..40 {
            self.org.create(&mut self.random, s(-100_000));
        }
        self.at(s(0), Action::Snapshot);
        self.at(s(60), Action::Audit);
        self.at(s(100), Action::Mutate);
        self.at(s(0), Action::LookForFetches);
        self.at(s(300), Action::Crash);
        self.until(s(END));
        // Then all is quiet, and what is on its way arrives.
        self.org.narrowed = false;
        self.until(s(END + 1_500));
        if self.rules.lists {
            for round in 0..2 {
                self.at(s(END + 1_500 + round * 600), Action::Snapshot);
                self.at(s(END + 1_600 + round * 600), Action::Audit);
            }
            self.until(s(END + 3_600));
        }
        self.report.divergent = self.divergent();
        self.report
    }

    fn at(&mut self, at: i64, action: Action) {
        self.orders += 1;
        self.queue.insert((at, self.orders), action);
    }

    fn until(&mut self, end: i64) {
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 < end) {
            self.now = entry.key().0;
            let action = entry.remove();
            self.act(action);
        }
        self.now = end;
    }

    fn is_busy(&self) -> bool {
        self.now < s(END)
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Mutate => self.mutate(),
            Action::Land(record) => self.land(*record),
            Action::LandOf(worker, record) => {
                // What a dead worker sent last is lost, or comes late.
                if worker == self.worker || self.random.once_in(2) {
                    self.land(*record);
                }
            }
            Action::LookForFetches => self.look_for_fetches(),
            Action::Send(intent) => self.send(intent),
            Action::Read { intent, sent } => self.read(&intent, sent),
            Action::Snapshot => self.snapshot(),
            Action::Page { epoch, after } => self.page(epoch, &after),
            Action::Audit => self.audit(),
            Action::Crash => self.crash(),
        }
    }

    fn mutate(&mut self) {
        if !self.is_busy() {
            return;
        }
        let next = self.now + self.random.ms(1, 2 * self.rules.pace);
        self.at(next, Action::Mutate);
        let Some(done) = self.org.mutate(&mut self.random, self.now) else { return };
        self.report.mutations += 1;
        if self.rules.loses.is_some_and(|times| self.random.once_in(times)) {
            return;
        }
        let value =
            format!(r#"{{"eventType":"{}","target":[{{"type":"User","id":"{}"}}]}}"#, done.event_type, done.key);
        let uuid = Uuid::from_u128(u128::from(self.report.mutations));
        let content = landing::Content::Event { uuid, published: self.now - self.random.ms(0, 30) };
        for _ in 0..if self.random.once_in(20) { 2 } else { 1 } {
            let late = self.random.once_in(50);
            let arrives = self.now + self.random.ms(20, if late { 300_000 } else { 1_500 });
            self.land_at(arrives, Origin::Sqs, content.clone(), value.clone().into_bytes());
        }
    }

    fn record(&self, at: i64, origin: Origin, content: landing::Content, value: Vec<u8>) -> LandingRecord {
        LandingRecord { org: OrgId::new("acme"), origin, landed_at: at + self.skew, content, value }
    }

    fn land_at(&mut self, at: i64, origin: Origin, content: landing::Content, value: Vec<u8>) {
        let record = Box::new(self.record(at, origin, content, value));
        self.at(at, Action::Land(record));
    }

    /// Lands what a worker has to say, if it lives so long.
    fn tell_at(&mut self, at: i64, origin: Origin, content: landing::Content, value: Vec<u8>) {
        let record = Box::new(self.record(at, origin, content, value));
        self.at(at, Action::LandOf(self.worker, record));
    }

    fn land(&mut self, record: LandingRecord) {
        self.report.records += 1;
        if let (Origin::Fetch, landing::Content::Observation(seen)) = (record.origin, &record.content) {
            self.outstanding.retain(|(facet, key)| *facet != seen.facet || *key != seen.key);
        }
        let outputs = self.apply(&record);
        for output in &outputs {
            self.judge(output);
        }
        self.log.push((record, outputs));
        if self.random.once_in(5) {
            self.commit();
        }
    }

    fn apply(&mut self, record: &LandingRecord) -> Vec<Output> {
        let fresh = match record.content {
            landing::Content::Event { uuid, .. } => !self.uuids.contains(&uuid),
            _ => false,
        };
        let outputs = self.inventory.apply(record, fresh, &self.store).unwrap();
        if let landing::Content::Event { uuid, .. } = record.content {
            self.uuids.insert(uuid);
        }
        outputs
    }

    pub(super) fn commit(&mut self) {
        self.store.commit(self.inventory.finish().writes);
        self.committed = self.log.len();
    }

    /// The worker dies. The next one folds again what was not committed, with the same outputs.
    fn crash(&mut self) {
        let next = self.now + self.random.ms(60_000, 600_000);
        if self.is_busy() {
            self.at(next, Action::Crash);
        }
        self.worker += 1;
        self.outstanding.clear();
        self.epoch = None;
        self.inventory = Inventory::new(self.settings);
        self.inventory.guards.without = self.without;
        let again: Vec<_> = self.log.split_off(self.committed);
        for (record, _) in &again {
            if let landing::Content::Event { uuid, .. } = record.content {
                // Forgotten with the batch, unless an earlier batch has it.
                let earlier = self.log.iter().any(|(known, _)| known.content == record.content);
                if !earlier {
                    self.uuids.remove(&uuid);
                }
            }
        }
        for (record, before) in again {
            let outputs = self.apply(&record);
            assert_eq!(outputs, before, "what is folded again says the same");
            self.log.push((record, outputs));
        }
        self.commit();
    }

    fn look_for_fetches(&mut self) {
        self.at(self.now + 1_000, Action::LookForFetches);
        // Batches end with time, too.
        if self.random.once_in(2) {
            self.commit();
        }
        let (org, now) = (OrgId::new("acme"), self.now + self.skew);
        let due = due(&self.store, &self.settings, &org, now, 50).unwrap();
        for intent in due {
            let place = (intent.slot.facet(), intent.slot.key.clone());
            if !self.outstanding.insert(place) {
                continue;
            }
            let key = Some(intent.slot.key.clone()).filter(|key| !key.is_empty());
            let errands = vec![Errand { facet: intent.slot.facet().into(), key }];
            let (name, value) = FetchMark::Sent(Sent { as_of: self.now, errands }).write().unwrap();
            let record = self.record(self.now, Origin::Fetch, landing::Content::Mark { name: name.into() }, value);
            self.land(record);
            let sends = self.now + self.random.ms(1, 20);
            self.at(sends, Action::Send(intent));
        }
    }

    fn send(&mut self, intent: Intent) {
        self.report.fetches += 1;
        let (reads, sent) = (self.now + self.random.ms(5, 150), self.now);
        self.at(reads, Action::Read { intent, sent });
    }

    /// Okta reads what was asked for.
    fn read(&mut self, intent: &Intent, sent: i64) {
        let received = self.now + self.random.ms(5, 150);
        let lands = received + self.random.ms(1, 1_500);
        let (facet, key) = (intent.slot.facet(), intent.slot.key.as_str());
        if let Ask::Changes { since } = intent.ask {
            return self.read_changes(facet, since, (sent, received), lands);
        }
        if self.org.is_hidden(key) {
            let errand = Errand { facet: facet.into(), key: Some(key.into()) };
            let (name, value) = FetchMark::Failed(Failed { errand, again: true }).write().unwrap();
            self.outstanding.remove(&(facet, key.to_owned()));
            return self.tell_at(lands, Origin::Fetch, landing::Content::Mark { name: name.into() }, value);
        }
        let person = self.org.people.get(key).cloned().unwrap_or_default();
        let value = match facet {
            USER => person.shown(self.now).unwrap_or_default(),
            _ => person.shown_factors(self.now).map(|[first, second]| joined(&first, &second)).unwrap_or_default(),
        };
        let seen = Seen { as_of: (sent, received), ..Seen::object(facet, key, &value, 0) };
        self.tell_at(lands, Origin::Fetch, seen.content(), value.clone().into_bytes());
    }

    fn read_changes(&mut self, facet: &'static str, since: Option<i64>, as_of: (i64, i64), lands: i64) {
        let at = self.now - self.lag();
        let changed = |changed: Option<i64>| changed >= since;
        let people = self.org.people.iter().filter(|(_, person)| changed(person.changed(at)));
        let rows: Vec<_> = people.filter_map(|(key, person)| Some((key.clone(), person.shown(at)?))).collect();
        for (key, value) in rows {
            let seen = Seen { as_of, ..Seen::object(facet, &key, &value, 0) };
            self.tell_at(lands, Origin::Snapshot, seen.content(), value.clone().into_bytes());
        }
        let read = FetchMark::ChangesRead(ChangesRead { facet: facet.into(), as_of: as_of.0 });
        let (name, value) = read.write().unwrap();
        self.outstanding.remove(&(facet, String::new()));
        self.tell_at(lands, Origin::Fetch, landing::Content::Mark { name: name.into() }, value);
    }

    fn lag(&mut self) -> i64 {
        if self.random.once_in(8) { self.random.ms(0, LAG) } else { self.random.ms(0, 800) }
    }

    fn mark_at(&mut self, at: i64, mark: &Mark) {
        let (name, value) = mark.write().unwrap();
        self.tell_at(at, Origin::Snapshot, landing::Content::Mark { name: name.into() }, value);
    }

    fn snapshot(&mut self) {
        if self.is_busy() && self.rules.lists {
            self.at(self.now + 300_000, Action::Snapshot);
        }
        let epoch = self.now;
        (self.epoch, self.pages_until) = (Some(epoch), self.now);
        self.org.narrowed = self.is_busy() && self.now > s(0) && self.random.once_in(8);
        let (requests, collections, rosters) = (Vec::new(), Vec::new(), Vec::new());
        let begun = Begun { epoch, requests, whole: true, engine: String::new(), collections, rosters };
        self.mark_at(self.now, &Mark::Begun(begun));
        self.at(self.now + 1, Action::Page { epoch, after: String::new() });
    }

    fn page(&mut self, epoch: i64, after: &str) {
        if self.epoch != Some(epoch) {
            return;
        }
        let lag = self.lag();
        let (rows, next) = self.org.page(after, PAGE, self.now - lag);
        let received = self.now + self.random.ms(5, 300);
        let lands =
            received + if self.random.once_in(20) { self.random.ms(0, 30_000) } else { self.random.ms(1, 2_000) };
        self.pages_until = self.pages_until.max(lands);
        if !self.random.once_in(100) {
            for (key, value) in rows {
                let seen = Seen::object(USER, &key, &value, 0);
                let seen = Seen { as_of: (self.now, received), epoch: Some(epoch), ..seen };
                self.tell_at(lands, Origin::Snapshot, seen.content(), value.clone().into_bytes());
            }
        }
        let soon = self.now + self.random.ms(1_000, 10_000);
        match next {
            // A cursor that has expired: the list begins anew.
            Some(_) if self.random.once_in(40) => self.at(soon, Action::Page { epoch, after: String::new() }),
            Some(after) => self.at(soon, Action::Page { epoch, after }),
            None => {
                let (collection, outcome) = ("users".to_owned(), Outcome::Complete);
                let ended = CollectionEnded { epoch, collection, outcome, objects: 0, calls: 0 };
                self.mark_at(self.pages_until + 1, &Mark::CollectionEnded(ended));
                self.mark_at(self.pages_until + 2, &Mark::Ended(Ended { epoch, aborted: None }));
            }
        }
    }

    /// Reads everybody's factors once, in two pages each, of which one may be lost.
    fn audit(&mut self) {
        if self.is_busy() && self.rules.lists {
            self.at(self.now + 400_000, Action::Audit);
        }
        let people = self.org.people.iter();
        let there = people.filter(|(key, one)| one.is_there(self.now) && !self.org.is_hidden(key));
        let keys: Vec<String> = there.map(|(key, _)| key.clone()).collect();
        let mut at = self.now;
        for key in keys {
            let lag = self.lag();
            let shown = self.org.people.get(&key).and_then(|one| one.shown_factors(self.now - lag));
            let Some([first, second]) = shown else { continue };
            at += self.random.ms(1, 300);
            for (part, value) in [(0, first), (1, second)] {
                if self.is_busy() && self.random.once_in(30) {
                    continue;
                }
                let seen = Seen::object(FACTORS, &key, &value, 0);
                let seen = Seen { as_of: (self.now, self.now + 300), part, last: part == 1, ..seen };
                self.tell_at(at, Origin::Audit, seen.content(), value.clone().into_bytes());
            }
        }
    }
}

fn joined(first: &str, second: &str) -> String {
    format!("{},{}", first.trim_end_matches(']'), second.trim_start_matches('['))
}
