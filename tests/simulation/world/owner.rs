//! Who owns the partition: folds, publishes and commits, in the order that `ARCHITECTURE.md` tells.

use std::collections::BTreeSet;

use okta_ocsf::landing::{Content, LandingRecord};
use okta_ocsf::merge::inventory::last_sent;
use okta_ocsf::merge::{Fold, Folded, StateStore, Verdict};
use okta_ocsf::publish::SourceId;

use super::World;
use super::agenda::Action;
use super::collector::Collector;

/// An owner of the partition.
pub struct Owner {
    pub generation: u64,
    pub machine: usize,
    fold: Fold,
    /// Earlier owners published everything before this offset.
    published_before: u64,
    /// What earlier owners published behind it.
    known: BTreeSet<SourceId>,
    /// The next record that it folds.
    position: u64,
    /// Where the log ended when it came.
    end: u64,
    /// The first record of the batch that is not committed yet; none if there is no batch.
    batch: Option<u64>,
    /// It will look for records by itself.
    awake: bool,
}

/// The output: which outputs of which records are there.
#[derive(Debug, Default)]
pub struct Output {
    ids: BTreeSet<SourceId>,
}

impl Output {
    fn has(&self, id: SourceId) -> bool {
        self.ids.contains(&id)
    }

    /// What a look at its end finds.
    pub fn from(&self, offset: u64) -> BTreeSet<SourceId> {
        self.ids.range(SourceId { partition: 0, offset, index: 0 }..).copied().collect()
    }

    /// Records with an output.
    pub fn first_outputs(&self) -> impl Iterator<Item = u64> {
        self.ids.iter().filter(|id| id.index == 0).map(|id| id.offset)
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }
}

/// The outputs of a record, by their indices: first the event itself, then what the inventory has to say.
fn outputs(record: &LandingRecord, folded: &Folded) -> impl Iterator<Item = u32> + use<> {
    let is_event = matches!(record.content, Content::Event { .. });
    let event = (folded.verdict == Verdict::Fresh).then_some(0);
    let first = u32::from(is_event);
    event.into_iter().chain((first..).take(folded.reports.len()))
}

impl World<'_> {
    /// A machine takes the partition over, with the state that is on its disk.
    pub fn take(&mut self, machine: usize) {
        self.generation += 1;
        let store = &self.machines[machine].store;
        let (position, published_before) = (store.next_offset(), self.group_committed);
        let owner = Owner {
            generation: self.generation,
            machine,
            fold: (self.new_fold)(store, self.settings),
            published_before,
            known: self.output.from(position.max(published_before)),
            position,
            end: self.log.len() as u64,
            batch: None,
            awake: false,
        };
        self.owner = Some(owner);
        self.agenda.at(self.now, Action::CatchUp(self.generation));
        self.wake();
    }

    /// There may be something to fold.
    pub fn wake(&mut self) {
        let log = self.log.len() as u64;
        let Some(owner) = self.owner.as_mut() else { return };
        if !owner.awake && owner.batch.is_none() && owner.position < log {
            owner.awake = true;
            // A batch is what has come while the last one was committed.
            let soon = self.now + self.random.ms(1, 50);
            self.agenda.at(soon, Action::Fold(owner.generation));
        }
    }

    /// Folds a batch and hands its outputs to the producer. The process may die in the middle.
    pub fn fold(&mut self, generation: u64) {
        let Some(mut owner) = self.owner.take_if(|owner| owner.generation == generation) else { return };
        owner.awake = false;
        let most = 1 + self.random.below(60);
        let until = (owner.position + most).min(self.log.len() as u64);
        let dies = self.rules.deaths.is_some() && self.is_busy() && self.random.once_in(400);
        let dies_at = owner.position + self.random.below(until - owner.position);
        for offset in owner.position..until {
            let store = &self.machines[owner.machine].store;
            let folded = owner.fold.apply(offset, &self.log[offset as usize], store).unwrap();
            let outputs = outputs(&self.log[offset as usize], &folded);
            self.judge(offset, folded);
            for index in outputs {
                let id = SourceId { partition: 0, offset, index };
                if offset < owner.published_before || owner.known.contains(&id) {
                    self.report.suppressed += 1;
                    self.report.faults.lost += u64::from(!self.output.has(id));
                } else if dies && offset >= dies_at {
                    self.owner = Some(owner);
                    return self.die_and_come_back();
                } else {
                    self.report.faults.doubled += u64::from(!self.output.ids.insert(id));
                }
            }
        }
        owner.batch = Some(owner.position);
        owner.position = until;
        let acknowledged = self.now + self.random.ms(2, 40);
        self.owner = Some(owner);
        self.agenda.at(acknowledged, Action::Commit(generation));
    }

    /// The outputs are acknowledged: state and offset are committed, and then the group is told. The process may die
    /// before each of them.
    pub fn commit(&mut self, generation: u64) {
        let dies = if self.rules.deaths.is_some() && self.is_busy() { 800 } else { 0 };
        if self.owner.as_ref().is_none_or(|owner| owner.generation != generation) {
            return;
        }
        if self.random.once_in(dies) {
            return self.die_and_come_back();
        }
        let Some(owner) = self.owner.as_mut() else { return };
        let store = &mut self.machines[owner.machine].store;
        let changes = owner.fold.finish(store, Vec::new());
        store.commit(&changes).unwrap();
        owner.known = owner.known.split_off(&SourceId { partition: 0, offset: changes.next_offset, index: 0 });
        let (next_offset, published_before) = (changes.next_offset, owner.published_before);
        let (machine, first) = (owner.machine, owner.batch.take().unwrap_or(next_offset));
        self.look_at_commit(machine, first..next_offset);
        if self.random.once_in(dies) {
            return self.die_and_come_back();
        }
        self.group_committed = self.group_committed.max(next_offset.max(published_before));
        if let Some(collector) = self.collectors.get_mut(&generation).filter(|collector| !collector.looks) {
            collector.looks = true;
            self.agenda.at(self.now + 1, Action::Look(generation));
        }
        self.wake();
    }

    /// The collector begins when the fold has come to where the log ended: before, the state is what was so once.
    pub fn catch_up(&mut self, generation: u64) {
        let Some(owner) = self.owner.as_ref().filter(|owner| owner.generation == generation) else { return };
        let (machine, next_offset) = (owner.machine, self.machines[owner.machine].store.next_offset());
        if next_offset < owner.end {
            return self.agenda.at(self.now + 100, Action::CatchUp(generation));
        }
        let off = if self.rules.bad_deaths { 400 } else { 0 };
        let abandoned = last_sent(&self.machines[machine].store, &self.id).unwrap();
        let collector = Collector::new(machine, self.cursor_of(machine), self.random.ms(-off, off + 1), abandoned);
        self.collectors.insert(generation, collector);
        self.agenda.at(self.now + 1, Action::Look(generation));
        self.agenda.at(self.now + self.rules.relist_ms, Action::Relist(generation));
        self.agenda.at(self.now + 2, Action::Snapshot(generation));
        self.agenda.at(self.now + 3, Action::Poll(generation, super::agenda::Round::Regular));
    }
}
