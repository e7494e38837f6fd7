//! Who knows the truth, and holds against it what the fold says.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use okta_ocsf::collect::Collection;
use okta_ocsf::landing::{Content, LandingRecord, Origin};
use okta_ocsf::merge::inventory::reports::{Delta, Facts, Occasion, Report as Told, Thing as ToldThing};
use okta_ocsf::merge::inventory::{Cause, InventoryStore, Slot, Standing, body, due, head};
use okta_ocsf::merge::snapshots::Outcome;
use okta_ocsf::merge::{Folded, MemoryStore, StateStore, Verdict};

use super::collector::facet;
use super::org::{KINDS, Thing, says};
use super::{BEGIN, World};

/// A facet of a thing, by their places.
type Place = (usize, usize);

/// What came out so far.
#[derive(Debug, Default)]
pub struct Oracle {
    /// What came of each record, when it was folded first.
    folded: Vec<Folded>,
    /// What was published of a place.
    told: HashMap<Place, Said>,
    /// What the committed state said of a place.
    known: HashMap<Place, Said>,
    /// How many versions of a place the committed state has known.
    accepted: HashMap<Place, usize>,
    /// The furthest that anybody has committed.
    committed: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Said {
    version: Option<usize>,
    gone: bool,
}

impl World<'_> {
    fn place(&self, slot: &Slot) -> Option<Place> {
        Some((self.org.find(&slot.key)?, facet(slot.facet())?.1))
    }

    /// A record was folded: for the first time, or once more by another owner.
    pub fn judge(&mut self, offset: u64, folded: Folded) {
        if let Some(before) = self.oracle.folded.get(offset as usize) {
            self.report.refolded += 1;
            self.report.faults.undetermined += u64::from(*before != folded);
            return;
        }
        self.report.duplicates += u64::from(folded.verdict == Verdict::Duplicate);
        for told in &folded.reports {
            match told {
                Told::Thing(thing) => self.judge_thing(thing),
                Told::Gone(gone) => {
                    self.report.deleted += 1;
                    self.report.swept += u64::from(gone.cause == Cause::Sweep);
                    if let Some(place) = self.place(&gone.slot) {
                        self.judge_end(place, gone.as_of.1);
                        self.oracle.told.entry(place).or_default().gone = true;
                    }
                }
                Told::Drift(_) => self.report.drifts += 1,
                Told::Alert(_) => self.report.alerts += 1,
                Told::Scan(_) => self.report.scans += 1,
            }
        }
        self.oracle.folded.push(folded);
    }

    /// A thing is published: because something changed, which must be news, or because all is.
    fn judge_thing(&mut self, thing: &ToldThing) {
        let Some(place) = self.place(&thing.slot) else { return };
        if let Occasion::Changed(reasons) = &thing.occasion {
            for reason in reasons {
                if let (Delta::Content(_, Some(after)), Some(place)) = (&reason.change, self.place(&reason.slot)) {
                    self.report.changes += 1;
                    let version = says(after);
                    let told = self.oracle.told.entry(place).or_default();
                    self.report.faults.resurrections += u64::from(told.gone);
                    self.report.faults.regressions += u64::from(told.version.is_some_and(|before| version <= before));
                    told.version = Some(version);
                }
            }
        }
        let mut facets = vec![(place.1, Some(says(&thing.body)))];
        if let Facts::User { factors, roles, .. } = &thing.facts {
            facets.extend((1..).zip([factors, roles].map(|list| list.as_deref().map(says))));
        }
        for (facet, version) in facets {
            let told = self.oracle.told.entry((place.0, facet)).or_default();
            self.report.faults.resurrections += u64::from(told.gone);
            self.report.faults.regressions += u64::from(version.is_some() && version < told.version);
        }
    }

    fn judge_end(&mut self, (thing, _): Place, as_of: i64) {
        // The clock of who asked may be off by less than a second.
        let there = self.org.things[thing].is_there(as_of + 1_000);
        self.report.faults.false_tombstones += u64::from(there);
    }

    /// A batch is committed: from now on this is known.
    pub fn look_at_commit(&mut self, machine: usize, batch: Range<u64>) {
        for offset in batch {
            let Content::Observation(seen) = &self.log[offset as usize].content else { continue };
            let (Some(thing), Some((kind, number))) = (self.org.find(&seen.key), facet(&seen.facet)) else { continue };
            // What is not there takes its parts with it.
            let is_absent = self.log[offset as usize].value.is_empty();
            let facets = if is_absent { 0..KINDS[kind].facets.len() } else { number..number + 1 };
            for facet in facets {
                self.look_at(machine, (thing, facet));
            }
        }
        self.oracle.committed = self.oracle.committed.max(self.machines[machine].store.next_offset());
    }

    fn look_at(&mut self, machine: usize, place: Place) {
        let thing = &self.org.things[place.0];
        let Some(slot) = self.slot(thing, place.1) else { return };
        let store = &self.machines[machine].store;
        let Some(head) = head(store, &slot).unwrap() else { return };
        let version = body(store, &slot).unwrap().filter(|_| !head.is_gone()).map(|body| says(&body));
        let before = self.oracle.known.get(&place).copied().unwrap_or_default();
        let now = Said { version: version.or(before.version), gone: head.is_gone() };
        // An owner with an old state, or none, goes through what was said once more.
        let accepted = self.oracle.accepted.get(&place).copied().unwrap_or_default();
        let is_news = version.is_some_and(|version| version >= accepted) || (head.is_gone() && !before.gone);
        if self.is_ahead(machine) {
            self.report.faults.regressions += u64::from(now.version < before.version);
            self.report.faults.resurrections += u64::from(before.gone && !now.gone);
            self.oracle.known.insert(place, now);
        }
        if let Standing::Gone(tombstone) = &head.standing {
            self.judge_end(place, tombstone.as_of.1);
        }
        if is_news {
            self.accept(place, version);
        }
    }

    /// The state of the machine is ahead of what anybody has committed before.
    fn is_ahead(&self, machine: usize) -> bool {
        self.machines[machine].store.next_offset() > self.oracle.committed
    }

    /// How long it took until this was known, with all versions that came before it.
    fn accept(&mut self, place: Place, version: Option<usize>) {
        let thing = &self.org.things[place.0];
        let versions = &thing.facets[place.1];
        let accepted = self.oracle.accepted.entry(place).or_default();
        let upto = version.map_or(versions.len(), |version| (version + 1).min(versions.len()));
        let mut known: Vec<_> = versions.iter().take(upto).skip(*accepted).copied().collect();
        *accepted = upto.max(*accepted);
        if version.is_none() && place.1 == 0 && *accepted == versions.len() {
            *accepted += 1;
            known.extend(thing.gone);
        }
        for version in known.into_iter().filter(|version| version.began >= BEGIN) {
            let took = self.now - version.began;
            let of = if version.announced { &mut self.report.staleness } else { &mut self.report.unannounced };
            of.note(took);
        }
    }

    /// All is quiet: holds what is known against the truth.
    pub fn sum_up(&mut self) {
        let (divergent, unanswered) = (self.divergent(), self.unanswered());
        let stirred = if self.rules.backfill { self.stirred() } else { 0 };
        let (lost, doubled) = self.lost_and_doubled();
        let faults = &mut self.report.faults;
        (faults.divergent, faults.unanswered, faults.stirred) = (divergent, unanswered, stirred);
        (faults.lost, faults.doubled) = (faults.lost + lost, faults.doubled + doubled);
        if self.random.once_in(5) {
            self.fold_again();
        }
        self.report.mutations = self.org.mutations;
        self.report.records = self.log.len() as u64;
        self.report.events = self.okta_log.events.len() as u64;
        self.report.fingerprint = self.fingerprint();
    }

    /// Folds the records once more, in other batches.
    fn folded_again<'r>(
        &mut self,
        records: impl Iterator<Item = (u64, &'r LandingRecord)>,
    ) -> (MemoryStore, Vec<Folded>) {
        let mut store = MemoryStore::default();
        let mut fold = (self.new_fold)(&store, self.settings);
        let mut all = Vec::new();
        for (offset, record) in records {
            all.push(fold.apply(offset, record, &store).unwrap());
            if self.random.once_in(30) {
                let changes = fold.finish(&store, Vec::new());
                store.commit(&changes).unwrap();
            }
        }
        let changes = fold.finish(&store, Vec::new());
        store.commit(&changes).unwrap();
        (store, all)
    }

    /// The same log gives the same outputs and the same state.
    fn fold_again(&mut self) {
        let log = std::mem::take(&mut self.log);
        let (store, folded) = self.folded_again((0..).zip(&log));
        self.log = log;
        let all = |store: &MemoryStore| store.range(&[0], &[0xFF; 64], usize::MAX).unwrap();
        let same_state = self.owner_store().is_some_and(|known| all(known) == all(&store));
        self.report.faults.undetermined += u64::from(!same_state) + u64::from(folded != self.oracle.folded);
    }

    /// Counts what would be known otherwise if no history had been read. What was fetched because of it is left in.
    fn stirred(&mut self) -> u64 {
        let log = std::mem::take(&mut self.log);
        let without = (0..).zip(&log).filter(|(_, record)| record.origin != Origin::Backfill);
        let (store, _) = self.folded_again(without);
        self.log = log;
        let Some(known) = self.owner_store() else { return u64::MAX };
        let facets = |thing: &Thing| 0..thing.kind.facets.len();
        let differs = |thing: &&Thing| {
            facets(thing).any(|facet| self.known(known, thing, facet) != self.known(&store, thing, facet))
        };
        self.org.things.iter().filter(differs).count() as u64
    }

    fn slot(&self, thing: &Thing, facet: usize) -> Option<Slot> {
        let collection = Collection::find(thing.kind.facets[facet].collection)?;
        Slot::new(&self.id, collection, &thing.id)
    }

    fn owner_store(&self) -> Option<&MemoryStore> {
        self.owner.as_ref().map(|owner| &self.machines[owner.machine].store)
    }

    /// Which version of a facet is known to be there.
    fn known(&self, store: &MemoryStore, thing: &Thing, facet: usize) -> Option<usize> {
        let slot = self.slot(thing, facet)?;
        let live = head(store, &slot).unwrap().is_some_and(|head| !head.is_gone());
        live.then(|| body(store, &slot).unwrap()).flatten().map(|body| says(&body))
    }

    /// Counts what is not known as it is, and collections that the last snapshot did not read completely.
    fn divergent(&self) -> u64 {
        let Some(store) = self.owner_store() else { return u64::MAX };
        let mut divergent = u64::from(store.next_offset() != self.log.len() as u64);
        for thing in &self.org.things {
            for facet in 0..thing.kind.facets.len() {
                let (known, truth) = (self.known(store, thing, facet), thing.version(facet, self.now));
                divergent += u64::from(known != truth);
                self.tell_of(known != truth, "not the truth", known, thing, facet);
            }
        }
        let standings = StateStore::snapshots(store, &self.id).map(|snapshots| &snapshots.standings);
        let complete = |collection: &str| {
            let standing = standings.and_then(|standings| standings.get(collection));
            standing.is_some_and(|standing| standing.outcome == Outcome::Complete && standing.epoch >= self.calm())
        };
        let collections = KINDS.iter().flat_map(|kind| kind.facets).map(|facet| facet.collection);
        divergent + collections.filter(|collection| !complete(collection)).count() as u64
    }

    /// Counts what events alone should have led to and did not. Without a poll, events may be lost.
    pub fn missed(&self) -> u64 {
        let Some(store) = self.owner_store().filter(|_| self.rules.poll_ms.is_some()) else { return 0 };
        let mut missed = 0;
        for thing in self.org.things.iter() {
            for facet in 0..thing.kind.facets.len() {
                let last = thing.facets[facet].iter().rposition(|version| version.announced && version.began >= BEGIN);
                let known = self.known(store, thing, facet);
                let is_missed = if thing.gone.is_some() { known.is_some() } else { last.is_some() && known < last };
                missed += u64::from(is_missed);
                self.tell_of(is_missed, "missed", known, thing, facet);
            }
        }
        missed
    }

    /// `TELL=1` tells people what is wrong with a world.
    fn tell_of(&self, is_wrong: bool, what: &str, known: Option<usize>, thing: &Thing, facet: usize) {
        if is_wrong && std::env::var_os("TELL").is_some() {
            println!("{what}: {} of {thing:?} is known as {known:?}", thing.kind.facets[facet].name);
        }
    }

    fn unanswered(&self) -> u64 {
        let Some(store) = self.owner_store() else { return u64::MAX };
        due(store, &self.settings, &self.id, i64::MAX / 2, None, usize::MAX).unwrap().len() as u64
    }

    /// Events of the org's log that are not in the output, or more than once.
    fn lost_and_doubled(&self) -> (u64, u64) {
        let mut count = vec![0u64; self.okta_log.events.len()];
        for offset in self.output.first_outputs() {
            let is_fresh = self.oracle.folded[offset as usize].verdict == Verdict::Fresh;
            if let (Content::Event { uuid, .. }, true) = (&self.log[offset as usize].content, is_fresh) {
                count[uuid.as_u128() as usize] += 1;
            }
        }
        let polled = self.rules.poll_ms.is_some();
        let mut lost = 0;
        for (number, event) in self.okta_log.events.iter().enumerate() {
            let is_history = number < self.okta_log.history;
            let owed = if is_history { self.backfilled } else { polled || !event.lost };
            lost += u64::from(owed && count[number] == 0);
        }
        (lost, count.iter().filter(|count| **count > 1).count() as u64)
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for record in &self.log {
            (record.landed_at, &record.value).hash(&mut hasher);
        }
        for folded in &self.oracle.folded {
            (folded.verdict == Verdict::Fresh, folded.reports.len()).hash(&mut hasher);
        }
        self.output.len().hash(&mut hasher);
        hasher.finish()
    }
}
