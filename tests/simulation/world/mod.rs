//! An Okta org, its log stream, a queue, a landing log, and workers that land, collect, fold and die, in virtual time; and
//! somebody who knows the truth of all of it. One seed is one world.
//!
//! - [`rules`] says how bad a world is, [`report`] what came of it, [`agenda`] what happens next.
//! - [`org`] is the org in truth, [`okta_log`] what it tells of itself: System Log, stream and queue.
//! - [`owner`] folds the partition and publishes, [`collector`] fetches, [`snapshot`] reads lists, [`trouble`] kills them.
//! - [`oracle`] holds all that comes out against the truth.
//!
//! `design.md` beside this folder says what is modelled and what is not.

mod agenda;
mod collector;
mod okta_log;
mod oracle;
mod org;
mod owner;
mod random;
mod report;
mod rules;
mod snapshot;
mod trouble;

use std::collections::{BTreeMap, HashSet};

use okta_ocsf::landing::{Content, LandingRecord};
use okta_ocsf::merge::inventory::Settings;
use okta_ocsf::merge::{Fold, MemoryStore};
use okta_ocsf::okta::OrgId;

use agenda::{Action, Agenda, Append, Producer};
use collector::Collector;
use okta_log::OktaLog;
use oracle::Oracle;
use org::{APP, GROUP, KINDS, Org, USER};
use owner::{Output, Owner};
use random::Random;

#[allow(unused_imports)] // each of those who share this needs one of them
pub use report::Faults;
pub use report::Report;
pub use rules::Rules;

/// How an owner makes its fold over its store.
pub type NewFold<'f> = &'f dyn Fn(&MemoryStore, Settings) -> Fold;

/// How long an uuid is remembered, days: longer than any world lasts.
pub const WINDOW_DAYS: u32 = 90;

/// When worlds begin, ms since the Unix epoch.
const BEGIN: i64 = 1_700_000_000_000;

/// When all is quiet, for so long, or twice so long, what is late arrives, and what was refused is asked for again, ms.
const CALM: i64 = 2_000_000;

/// Snapshots of the end begin so far apart, and have so long to end, ms.
const LAST_SNAPSHOTS: i64 = 600_000;

/// A computer with a disk and a clock.
struct Machine {
    store: MemoryStore,
    /// Its clock is ahead of Okta's by so much, ms.
    ahead: i64,
}

/// One world.
pub struct World<'f> {
    random: Random,
    rules: Rules,
    settings: Settings,
    new_fold: NewFold<'f>,
    id: OrgId,
    now: i64,
    agenda: Agenda,
    org: Org,
    okta_log: OktaLog,
    machines: Vec<Machine>,
    /// One partition of the landing log.
    log: Vec<LandingRecord>,
    /// Until when what a producer sent before is on its way.
    on_the_way: BTreeMap<Producer, i64>,
    /// Producers that have died, and until when what they sent still came.
    dead: BTreeMap<Producer, i64>,
    /// How many owners there were.
    generation: u64,
    owner: Option<Owner>,
    /// Those of the owner, and of owners that do not know yet that they are none.
    collectors: BTreeMap<u64, Collector>,
    output: Output,
    /// What the consumer group knows to be done.
    group_committed: u64,
    polls_fail_until: Option<i64>,
    /// History was read to its end.
    backfilled: bool,
    /// What snapshots have landed: collection, epoch and key.
    listed: HashSet<(&'static str, i64, usize)>,
    /// What Okta left out of an answer without a word.
    omitted: HashSet<(&'static str, i64, usize)>,
    oracle: Oracle,
    report: Report,
}

impl<'f> World<'f> {
    pub fn new(seed: u64, rules: Rules, new_fold: NewFold<'f>) -> Self {
        let mut random = Random::new(seed);
        // This machine and Okta need not agree on the time; machines beside each other do nearly.
        let ahead = random.ms(-3_600_000, 3_600_000);
        let machines =
            (0..2).map(|_| Machine { store: MemoryStore::default(), ahead: ahead + random.ms(-100, 100) }).collect();
        Self {
            random,
            rules,
            settings: rules.settings(),
            new_fold,
            id: OrgId::new("acme"),
            now: BEGIN,
            agenda: Agenda::default(),
            org: Org::default(),
            okta_log: OktaLog::default(),
            machines,
            log: Vec::new(),
            on_the_way: BTreeMap::new(),
            dead: BTreeMap::new(),
            generation: 0,
            owner: None,
            collectors: BTreeMap::new(),
            output: Output::default(),
            group_committed: 0,
            polls_fail_until: None,
            backfilled: false,
            listed: HashSet::new(),
            omitted: HashSet::new(),
            oracle: Oracle::default(),
            report: Report { worlds: 1, ..Report::default() },
        }
    }

    /// Lives through it; gives what came of it.
    pub fn live(mut self) -> Report {
        self.prepare();
        self.until(self.quiet());
        // Then all is quiet, and what is on its way arrives.
        self.org.narrowed = false;
        self.until(self.calm());
        self.report.faults.missed = self.missed();
        self.until(self.calm() + 2 * LAST_SNAPSHOTS);
        self.sum_up();
        self.report
    }

    /// The org as it was before anybody looked, and what will go wrong.
    fn prepare(&mut self) {
        for (kind, count) in [(&USER, 12), (&GROUP, 4), (&APP, 3)] {
            for number in 0..count {
                let at = BEGIN - 1_000_000 + number * 1_000;
                self.org.create(&mut self.random, kind, at, false);
            }
        }
        for _ in 0..15 {
            let at = BEGIN - self.random.ms(200_000, 900_000);
            for told in self.org.mutate(&mut self.random, at, false) {
                self.tell_history(&told);
            }
        }
        self.agenda.at(BEGIN, Action::Take(0));
        self.agenda.at(BEGIN + 60_000, Action::Mutate);
        self.agenda.at(BEGIN + 60_000, Action::SignIn);
        self.plan_trouble();
    }

    /// When changes end.
    fn quiet(&self) -> i64 {
        BEGIN + self.rules.busy * 1_000
    }

    /// When everything has arrived.
    fn calm(&self) -> i64 {
        let late = if self.rules.late.1 > 300_000 { 2 * CALM } else { CALM };
        self.quiet() + late
    }

    fn is_busy(&self) -> bool {
        self.now < self.quiet()
    }

    fn until(&mut self, end: i64) {
        while let Some((now, action)) = self.agenda.next(end) {
            self.now = now;
            self.act(action);
        }
        self.now = end;
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Mutate => self.mutate(),
            Action::SignIn => self.sign_in(),
            Action::Persist(event) => self.okta_log.persisted.push(event),
            Action::Receive(event) => self.receive(event),
            Action::Narrow(narrowed) => self.org.narrowed = narrowed,
            Action::Append(append) => self.append(append),
            Action::Fold(generation) => self.fold(generation),
            Action::Commit(generation) => self.commit(generation),
            Action::CatchUp(generation) => self.catch_up(generation),
            Action::Poll(generation, round) => self.poll(generation, round),
            Action::Look(generation) => self.look(generation),
            Action::Send { generation, intents, sent } => self.send(generation, intents, sent),
            Action::Read { generation, intent, asked } => self.read(generation, &intent, asked),
            Action::Ended(generation, fetches) => self.ended(generation, fetches),
            Action::Relist(generation) => self.relist(generation),
            Action::Snapshot(generation) => self.snapshot(generation),
            Action::Page(generation, top) => self.page(generation, top),
            Action::Lists(generation, child) => self.lists(generation, child),
            Action::Finish(generation, epoch) => self.finish(generation, epoch),
            Action::Trouble => self.trouble(),
            Action::Take(machine) => self.take(machine),
            Action::Notice(generation) => self.notice(generation),
            Action::Backfill(from) => self.backfill(from),
        }
    }

    fn mutate(&mut self) {
        if !self.is_busy() {
            return;
        }
        let next = self.now + self.random.ms(1, 2 * self.rules.pace);
        self.agenda.at(next, Action::Mutate);
        let events = if self.rules.imports && self.random.once_in(40) {
            self.org.import(&mut self.random, self.now)
        } else {
            self.org.mutate(&mut self.random, self.now, self.rules.imports)
        };
        for told in events {
            self.tell(&told);
        }
    }

    /// An event that changes nothing.
    fn sign_in(&mut self) {
        if self.is_busy() {
            let next = self.now + self.random.ms(1, 40_000);
            self.agenda.at(next, Action::SignIn);
            let targets = vec![self.random.index(self.org.things.len())];
            self.tell(&org::Told { at: self.now, event_type: "user.session.start", targets });
        }
    }

    /// What a machine's clock shows.
    fn here(&self, machine: usize) -> i64 {
        self.now + self.machines.get(machine).map_or(0, |machine| machine.ahead)
    }

    /// Sends records to the landing log. What one producer sends stays in order.
    fn land(&mut self, from: Producer, sent: i64, records: Vec<LandingRecord>, then: Option<(i64, Action)>) {
        let stalls = self.rules.bad_deaths && self.random.once_in(300);
        let takes = self.random.ms(1, if stalls { 5_000 } else { 20 });
        let before = self.on_the_way.get(&from).copied().unwrap_or_default();
        let arrives = before.max(sent + takes);
        self.on_the_way.insert(from, arrives);
        let then = then.map(|(after, action)| (after, Box::new(action)));
        self.agenda.at(arrives, Action::Append(Append { from, records, then }));
    }

    /// Records arrive in the log. Of what somebody sent who died then, the first that is lost ends the rest.
    fn append(&mut self, append: Append) {
        let Append { from, mut records, then } = append;
        if let Some(until) = self.dead.get_mut(&from).filter(|until| **until < self.now) {
            let torn = if *until == i64::MIN { 0 } else { self.random.index(records.len() + 1) };
            *until = i64::MIN;
            records.truncate(torn);
        }
        for record in records {
            self.note_listed(&record);
            self.check_complete(&record);
            self.log.push(record);
        }
        if let Some((after, action)) = then {
            self.agenda.at(self.now + after, *action);
        }
        self.wake();
    }

    fn note_listed(&mut self, record: &LandingRecord) {
        let Content::Observation(seen) = &record.content else { return };
        let (Some(epoch), Some(thing)) = (seen.epoch, self.org.find(&seen.key)) else { return };
        let mut facets = KINDS.iter().flat_map(|kind| kind.facets);
        if let Some(facet) = facets.find(|facet| facet.collection == seen.collection).filter(|_| seen.last) {
            self.listed.insert((facet.collection, epoch, thing));
        }
    }
}
