//! Snapshots: the lists of the org, and the lists within what they show. Whoever owns the partition goes on where the
//! committed state says that the last owner was.

use okta_ocsf::landing::{Content, LandingRecord, Origin};
use okta_ocsf::merge::snapshots::{Begun, CollectionEnded, Ended, Keys, Mark, Outcome, Place, Roster, Run, Snapshots};
use okta_ocsf::merge::{StateReader, StateStore};

use super::agenda::{Action, Producer};
use super::org::{Facet, KINDS};
use super::{LAST_SNAPSHOTS, World};

/// Things on a page of a list.
const PAGE: usize = 6;

/// Lists that are read one after the other without looking up.
const LISTS: usize = 6;

/// A list begins anew so often when its cursor expires.
const RESTARTS: u32 = 3;

/// How far the reading of a list of the org has come.
#[derive(Debug, Clone)]
pub struct Top {
    epoch: i64,
    kind: usize,
    after: String,
    restarts: u32,
}

/// How far the reading of the lists within things has come.
#[derive(Debug, Clone, Copy)]
pub struct Child {
    epoch: i64,
    kind: usize,
    facet: usize,
    place: u64,
    failed: bool,
}

impl World<'_> {
    fn snapshots(&self, machine: usize) -> Snapshots {
        StateStore::snapshots(&self.machines[machine].store, &self.id).cloned().unwrap_or_default()
    }

    fn running(&self, machine: usize, epoch: i64) -> Option<&Run> {
        let snapshots = StateStore::snapshots(&self.machines[machine].store, &self.id)?;
        snapshots.running.as_ref().filter(|run| run.epoch == epoch)
    }

    /// When the next snapshot begins.
    fn next_snapshot(&self, last: Option<i64>) -> Option<i64> {
        let Some(last) = last else { return Some(self.now) };
        if self.is_busy() {
            return Some(last + self.rules.snapshot_ms);
        }
        let mut at_last = [self.calm(), self.calm() + LAST_SNAPSHOTS].into_iter();
        at_last.find(|at| last < *at - 5_000)
    }

    fn snapshot_mark(&self, machine: usize, mark: &Mark) -> LandingRecord {
        let (name, value) = mark.write().unwrap();
        self.record(machine, Origin::Snapshot, Content::Mark { name: name.into() }, value)
    }

    /// Begins a snapshot when it is due, or goes on with the one that runs.
    pub fn snapshot(&mut self, generation: u64) {
        let Some(collector) = self.collectors.get(&generation) else { return };
        let (machine, begun, off) = (collector.machine, collector.begun, collector.off);
        let snapshots = self.snapshots(machine);
        let running = snapshots.running.as_ref().map(|run| run.epoch);
        let newest = running.max(snapshots.last.as_ref().map(|last| last.epoch));
        if newest < begun {
            // What it has begun is not committed yet.
            return self.agenda.at(self.now + 200, Action::Snapshot(generation));
        }
        if let Some(run) = snapshots.running {
            return self.go_on(generation, &run);
        }
        match self.next_snapshot(newest) {
            Some(due) if due > self.now + 1_000 => {
                // It is due earlier if changes end before.
                let look = if self.is_busy() { due.min(self.quiet() + 1) } else { due };
                self.agenda.at(look, Action::Snapshot(generation));
            }
            Some(_) => {
                let epoch = self.now + off;
                self.begin(generation, machine, epoch);
            }
            None => {}
        }
    }

    fn begin(&mut self, generation: u64, machine: usize, epoch: i64) {
        let facets = KINDS.iter().flat_map(|kind| kind.facets);
        let begun = Begun {
            epoch,
            requests: Vec::new(),
            whole: true,
            engine: "identity".into(),
            collections: facets.map(|facet| facet.collection.to_owned()).collect(),
            rosters: KINDS.iter().map(|kind| kind.facets[0].collection.to_owned()).collect(),
        };
        self.report.snapshots += 1;
        if let Some(collector) = self.collectors.get_mut(&generation) {
            collector.begun = Some(epoch);
        }
        let mark = self.snapshot_mark(machine, &Mark::Begun(begun));
        self.land(Producer::Collector(generation), self.now, vec![mark], Some((50, Action::Snapshot(generation))));
    }

    /// Every collection that has not ended goes on at its place.
    fn go_on(&mut self, generation: u64, run: &Run) {
        let Some(collector) = self.collectors.get_mut(&generation) else { return };
        if collector.reads.replace(run.epoch) == Some(run.epoch) {
            return;
        }
        let epoch = run.epoch;
        for (kind, facet) in
            KINDS.iter().enumerate().flat_map(|(kind, of)| (0..of.facets.len()).map(move |facet| (kind, facet)))
        {
            let reading = run.readings.get(KINDS[kind].facets[facet].collection);
            let Some(reading) = reading.filter(|reading| reading.ended.is_none()) else { continue };
            let Place { next, lists, failed, restarts, .. } = reading.place.clone();
            let action = match facet {
                0 => Action::Page(generation, Top { epoch, kind, after: next.unwrap_or_default(), restarts }),
                _ => Action::Lists(generation, Child { epoch, kind, facet, place: lists, failed: failed > 0 }),
            };
            let soon = self.now + self.random.ms(1, 500);
            self.agenda.at(soon, action);
        }
        self.agenda.at(self.now + 1_000, Action::Finish(generation, epoch));
    }

    fn cursor(&self, machine: usize, facet: &Facet, place: &Place) -> LandingRecord {
        let content = Content::Cursor { name: facet.collection.into() };
        self.record(machine, Origin::Snapshot, content, serde_json::to_vec(place).unwrap())
    }

    fn collection_ended(&self, machine: usize, epoch: i64, facet: &Facet, outcome: Outcome) -> LandingRecord {
        let collection = facet.collection.to_owned();
        let ended = CollectionEnded { epoch, collection, outcome, objects: 0, calls: 0 };
        self.snapshot_mark(machine, &Mark::CollectionEnded(ended))
    }

    /// Reads a page of things of the org, and lands it before it goes on.
    pub fn page(&mut self, generation: u64, top: Top) {
        let Some(collector) = self.collectors.get(&generation) else { return };
        let (machine, off) = (collector.machine, collector.off);
        if self.running(machine, top.epoch).is_none() {
            return;
        }
        let kind = KINDS[top.kind];
        let facet = &kind.facets[0];
        let fails = self.rules.lists_fail && self.is_busy();
        if fails && self.random.once_in(100) {
            let outcome = match self.random.below(3) {
                0 => Outcome::Forbidden { missing: "a scope".into() },
                1 => Outcome::Partial { why: "a page".into() },
                _ => Outcome::Failed { why: "timeouts".into() },
            };
            let ended = self.collection_ended(machine, top.epoch, facet, outcome);
            return self.land(Producer::Collector(generation), self.now, vec![ended], None);
        }
        if fails && !top.after.is_empty() && top.restarts < RESTARTS && self.random.once_in(30) {
            let anew = Top { after: String::new(), restarts: top.restarts + 1, ..top };
            return self.agenda.at(self.now + 1_000, Action::Page(generation, anew));
        }
        let (shown_at, received) = (self.now - self.lag(), self.now + self.random.ms(5, 300));
        let (rows, next) = self.org.page(kind, &top.after, PAGE, shown_at);
        let is_skipped = fails && self.random.once_in(50);
        let (mut records, mut keys) = (Vec::new(), Vec::new());
        for place in rows {
            if is_skipped || self.org.is_hidden(place) {
                self.omitted.insert((facet.collection, top.epoch, place));
                continue;
            }
            let thing = &self.org.things[place];
            keys.push(thing.id.clone());
            let as_of = (self.now + off, received + off);
            records.extend(self.pages(machine, facet, &thing.id, as_of, Some(top.epoch), thing.shown(0, shown_at)));
        }
        let roster = facet.collection.to_owned();
        records.push(self.snapshot_mark(machine, &Mark::Listed(Keys { epoch: top.epoch, roster, keys })));
        let then = match next {
            Some(after) => {
                let Top { epoch, restarts, .. } = top;
                let place = Place { epoch, next: Some(after.clone()), restarts, ..Place::default() };
                records.push(self.cursor(machine, facet, &place));
                Some((self.random.ms(100, 3_000), Action::Page(generation, Top { after, ..top })))
            }
            None => {
                records.push(self.collection_ended(machine, top.epoch, facet, Outcome::Complete));
                None
            }
        };
        // There may be no room in the log for a while.
        let waits = if self.random.once_in(20) { self.random.ms(0, 30_000) } else { self.random.ms(1, 500) };
        self.land(Producer::Collector(generation), received + waits, records, then);
    }

    /// Reads some of the lists within things: the lists of the roster, from a place on.
    pub fn lists(&mut self, generation: u64, child: Child) {
        let Some(collector) = self.collectors.get(&generation) else { return };
        let (machine, off) = (collector.machine, collector.off);
        let Child { epoch, kind, place, .. } = child;
        let facet = &KINDS[kind].facets[child.facet];
        let parent = KINDS[kind].facets[0].collection;
        let Some(run) = self.running(machine, epoch) else { return };
        let parent_ended = run.readings.get(parent).and_then(|reading| reading.ended.clone());
        let roster = Roster { org: self.id.clone(), epoch, name: parent.to_owned() };
        let keys = self.machines[machine].store.roster(&roster, place, LISTS).unwrap();
        if keys.is_empty() {
            let Some(outcome) = parent_ended else {
                return self.agenda.at(self.now + 500, Action::Lists(generation, child));
            };
            let complete = outcome == Outcome::Complete && !child.failed;
            let outcome = if complete { Outcome::Complete } else { Outcome::Partial { why: "some lists".into() } };
            let ended = self.collection_ended(machine, epoch, facet, outcome);
            return self.land(Producer::Collector(generation), self.now, vec![ended], None);
        }
        let mut records = Vec::new();
        let mut next = Child { place: place + keys.len() as u64, ..child };
        let mut asked = self.now;
        for key in keys {
            let shown_at = asked - self.lag();
            let received = asked + self.random.ms(5, 150);
            let thing = self.org.find(&key);
            if thing.is_some_and(|thing| self.org.is_hidden(thing)) {
                next.failed = true;
                continue;
            }
            let shown = thing.and_then(|thing| self.org.things[thing].shown(child.facet, shown_at));
            let pages = self.pages(machine, facet, &key, (asked + off, received + off), Some(epoch), shown);
            if self.rules.lists_fail && self.random.once_in(30) {
                // The cursor of its second page expires, and the list begins anew.
                records.extend(pages.first().cloned());
            }
            records.extend(pages);
            asked = received;
        }
        let failed = u64::from(next.failed);
        records.push(self.cursor(machine, facet, &Place { epoch, lists: next.place, failed, ..Place::default() }));
        let pause = self.random.ms(50, 1_000);
        self.land(Producer::Collector(generation), asked, records, Some((pause, Action::Lists(generation, next))));
    }

    /// Ends the snapshot once all of its collections have.
    pub fn finish(&mut self, generation: u64, epoch: i64) {
        let Some(collector) = self.collectors.get(&generation) else { return };
        let machine = collector.machine;
        let all_ended =
            self.running(machine, epoch).map(|run| run.readings.values().all(|reading| reading.ended.is_some()));
        match all_ended {
            Some(false) => self.agenda.at(self.now + 1_000, Action::Finish(generation, epoch)),
            Some(true) => {
                let mark = self.snapshot_mark(machine, &Mark::Ended(Ended { epoch, aborted: None }));
                let then = Some((500, Action::Snapshot(generation)));
                self.land(Producer::Collector(generation), self.now, vec![mark], then);
            }
            // Another one has ended it, or begun one.
            None => self.agenda.at(self.now + 500, Action::Snapshot(generation)),
        }
    }

    /// Whoever says that a reading was complete must have landed everything that was there all the time.
    pub fn check_complete(&mut self, record: &LandingRecord) {
        let Content::Mark { name } = &record.content else { return };
        let Ok(Mark::CollectionEnded(ended)) = Mark::read(name, &record.value) else { return };
        if ended.outcome != Outcome::Complete {
            return;
        }
        let found = KINDS.iter().find_map(|kind| {
            let facet = kind.facets.iter().find(|facet| facet.collection == ended.collection)?;
            Some((*kind, facet.collection))
        });
        let Some((kind, collection)) = found else { return };
        let parent = kind.facets[0].collection;
        for (place, thing) in self.org.things.iter().enumerate() {
            let all_the_time = thing.kind == kind && thing.is_there(ended.epoch - 60_000) && thing.is_there(self.now);
            let known = self.listed.contains(&(collection, ended.epoch, place));
            let left_out = self.omitted.contains(&(parent, ended.epoch, place));
            self.report.faults.wrongly_complete += u64::from(all_the_time && !known && !left_out);
        }
    }
}
