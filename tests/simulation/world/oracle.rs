//! Who knows the truth, and holds against it what the fold says.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use okta_ocsf::collect::Collection;
use okta_ocsf::landing::{Content, Origin};
use okta_ocsf::merge::inventory::{Cause, Output, Slot, body, due, head};
use okta_ocsf::merge::snapshots::Outcome;
use okta_ocsf::merge::{Folded, MemoryStore, StateStore, Verdict};

use super::collector::facet;
use super::org::{KINDS, Thing, says};
use super::{BEGIN, World};

/// A facet of a thing, by their places.
type Place = (usize, usize);

/// Something that the fold says of a place: a version, or that it is gone.
pub type News = (Place, Option<usize>);

/// What the fold has said so far.
#[derive(Debug, Default)]
pub struct Oracle {
    /// What came of each record, when it was folded first.
    folded: Vec<Folded>,
    said: HashMap<Place, Said>,
    /// How many versions of a place are known to the committed state.
    accepted: HashMap<Place, usize>,
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
        let is_history = self.log[offset as usize].origin == Origin::Backfill;
        for output in &folded.outputs {
            self.judge_output(output, is_history);
        }
        self.oracle.folded.push(folded);
    }

    fn judge_output(&mut self, output: &Output, is_history: bool) {
        let faults = &mut self.report.faults;
        match output {
            Output::Change(change) => {
                self.report.changes += 1;
                faults.stirred += u64::from(is_history);
                let Some(place) = self.place(&change.slot) else { return };
                let version = says(&change.after);
                let said = self.oracle.said.entry(place).or_default();
                let faults = &mut self.report.faults;
                faults.resurrections += u64::from(said.gone);
                faults.regressions += u64::from(said.version.is_some_and(|before| version <= before));
                *said = Said { version: Some(version), gone: false };
            }
            Output::Deleted(deleted) => {
                self.report.deleted += 1;
                self.report.swept += u64::from(deleted.cause == Cause::Sweep);
                faults.stirred += u64::from(is_history);
                let Some(place) = self.place(&deleted.slot) else { return };
                // The clock of who asked may be off by less than a second.
                let there = self.org.things[place.0].is_there(deleted.as_of.1 + 1_000);
                self.report.faults.false_tombstones += u64::from(there);
                self.oracle.said.entry(place).or_default().gone = true;
            }
            Output::Intent(intent) => {
                let known = self.place(&intent.slot).is_some_and(|place| self.oracle.said.contains_key(&place));
                self.report.faults.stirred += u64::from(is_history && known);
            }
            Output::Drift(_) => self.report.drifts += 1,
            Output::Alert(_) => self.report.alerts += 1,
        }
    }

    /// What a batch says that is not committed yet.
    pub fn news(&self, folded: &Folded, news: &mut Vec<News>) {
        news.extend(folded.outputs.iter().filter_map(|output| match output {
            Output::Change(change) => Some((self.place(&change.slot)?, Some(says(&change.after)))),
            Output::Deleted(deleted) => Some((self.place(&deleted.slot)?, None)),
            _ => None,
        }));
    }

    /// The batch is committed: from now on this is known.
    pub fn accept(&mut self, news: Vec<News>) {
        for (place, version) in news {
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
    }

    /// All is quiet: holds what is known against the truth.
    pub fn sum_up(&mut self) {
        let (divergent, unanswered) = (self.divergent(), self.unanswered());
        let (lost, doubled) = self.lost_and_doubled();
        let faults = &mut self.report.faults;
        (faults.divergent, faults.unanswered) = (divergent, unanswered);
        (faults.lost, faults.doubled) = (faults.lost + lost, faults.doubled + doubled);
        self.report.mutations = self.org.mutations;
        self.report.records = self.log.len() as u64;
        self.report.events = self.okta_log.events.len() as u64;
        self.report.fingerprint = self.fingerprint();
    }

    fn owner_store(&self) -> Option<&MemoryStore> {
        self.owner.as_ref().map(|owner| &self.machines[owner.machine].store)
    }

    /// Which version of a facet is known to be there.
    fn known(&self, store: &MemoryStore, thing: &Thing, facet: usize) -> Option<usize> {
        let collection = Collection::find(thing.kind.facets[facet].collection)?;
        let slot = Slot::new(&self.id, collection, &thing.id)?;
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
            (folded.verdict == Verdict::Fresh, folded.outputs.len()).hash(&mut hasher);
        }
        self.output.len().hash(&mut hasher);
        hasher.finish()
    }
}
