use std::cell::RefCell;
use std::collections::HashSet;

use super::guards::{Guard, Guards};
use super::hints::{self, Hint, HintTable};
use super::intents::Want;
use super::knowledge::{Cards, View};
use super::marks::FetchMark;
use super::output::{Cause, Counts, Output};
use super::reports::{Report, Reporter};
use super::settings::Settings;
use super::slot::Slot;
use super::state::{Reading, State};
use super::store::{InventoryStore, Layered, Overlay, Writes};
use crate::collect::Managed;
use crate::json::Lazy;
#[cfg(test)]
use crate::json::Tape;
use crate::landing::{Content, LandingRecord};
use crate::merge::StoreError;
use crate::merge::snapshots::Mark;
use crate::okta::{LogEvent, OrgId};

/// Folds what is observed of an org into what is known of it, batch by batch.
///
/// Between two commits it sees its own uncommitted changes on top of the store, so a batch behaves as if each record had
/// been committed alone.
#[derive(Debug)]
pub struct Inventory {
    settings: Settings,
    hints: &'static HintTable,
    pub(super) guards: Guards,
    overlay: Overlay,
    counts: Counts,
    cards: RefCell<Cards>,
    /// Orgs of which nothing waits to be told; what is not among them is looked up.
    idle: HashSet<OrgId>,
}

/// What a batch changed, and what became of its records.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// To be committed.
    pub writes: Writes,
    /// In numbers.
    pub counts: Counts,
}

impl Inventory {
    /// An inventory that is kept like this.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            hints: HintTable::embedded(),
            guards: Guards::default(),
            overlay: Overlay::default(),
            counts: Counts::default(),
            cards: RefCell::default(),
            idle: HashSet::new(),
        }
    }

    /// [`Inventory::apply_read`] of a record that nobody else reads.
    #[cfg(test)]
    pub fn apply(
        &mut self,
        record: &LandingRecord,
        fresh: bool,
        store: &impl InventoryStore,
    ) -> Result<Vec<Output>, StoreError> {
        self.apply_read(record, &Lazy::new(&record.value, &mut Tape::default()), fresh, store)
    }

    /// Takes the next record. `event` is its value; `fresh` says of an event that it was never seen before, or so far only
    /// as history.
    ///
    /// # Errors
    /// When the store cannot be read; the batch must be given up then.
    pub fn apply_read(
        &mut self,
        record: &LandingRecord,
        event: &Lazy<'_>,
        fresh: bool,
        store: &impl InventoryStore,
    ) -> Result<Vec<Output>, StoreError> {
        let state = State { store, overlay: &mut self.overlay, guards: self.guards, cards: &self.cards };
        let mut step = Step {
            org: &record.org,
            settings: &self.settings,
            state,
            clock: record.landed_at,
            outputs: Vec::new(),
            counts: &mut self.counts,
        };
        step.take(record, event, fresh, self.hints)?;
        Ok(step.outputs)
    }

    /// What is known as of an event that was published at this time, after the records so far. The store is the one
    /// that they were applied to.
    pub fn knowledge<'a, S: InventoryStore>(&'a self, store: &'a S, org: &'a OrgId, published: i64) -> View<'a, S> {
        View::new(Layered { store, overlay: &self.overlay }, &self.cards, org, published)
    }

    /// Whatever is asked next is answered from the state.
    #[cfg(test)]
    pub(super) fn forget_cards(&self) {
        self.cards.take();
    }

    /// What is to be published after a record: its outputs, and what waited to be told. To be asked once after each
    /// [`Inventory::apply`], with what that gave.
    ///
    /// # Errors
    /// As of [`Inventory::apply`].
    pub fn report(
        &mut self,
        record: &LandingRecord,
        outputs: Vec<Output>,
        store: &impl InventoryStore,
    ) -> Result<Vec<Report>, StoreError> {
        let state = State { store, overlay: &mut self.overlay, guards: self.guards, cards: &self.cards };
        let mut reporter = Reporter {
            org: &record.org,
            settings: &self.settings,
            state,
            clock: record.landed_at,
            idle: &mut self.idle,
            reports: Vec::new(),
        };
        reporter.take(record, outputs)?;
        Ok(reporter.reports)
    }

    /// The bytes that the batch has written so far.
    pub fn written_bytes(&self) -> usize {
        self.overlay.bytes
    }

    /// What the batch changed; the next one starts on top of it.
    pub fn finish(&mut self) -> Batch {
        let writes = std::mem::take(&mut self.overlay).writes;
        Batch { writes, counts: std::mem::take(&mut self.counts) }
    }
}

/// One record on its way through the inventory.
pub(super) struct Step<'a, S> {
    pub org: &'a OrgId,
    pub settings: &'a Settings,
    pub state: State<'a, S>,
    /// When the record landed. It says only when something is to be fetched, so it need not grow.
    pub clock: i64,
    pub outputs: Vec<Output>,
    pub counts: &'a mut Counts,
}

impl<S: InventoryStore> Step<'_, S> {
    fn take(
        &mut self,
        record: &LandingRecord,
        event: &Lazy<'_>,
        fresh: bool,
        table: &HintTable,
    ) -> Result<(), StoreError> {
        match &record.content {
            Content::Event { uuid, published } if fresh || !self.stands(Guard::FreshOnly) => {
                // Events of history say what was, not that something changed.
                let live = !record.origin.is_history();
                let Ok(document) = event.document() else { return Ok(()) };
                let event = LogEvent::of(Some(document.root()));
                for hint in table.hints(self.org, &event) {
                    self.hint(&hint, hints::cause(*uuid), *published, live)?;
                }
                self.strangers(&event, *published)
            }
            Content::Event { .. } | Content::Cursor { .. } => Ok(()),
            Content::Observation(seen) => self.observe(record, seen),
            Content::Mark { name } => self.mark(name, &record.value),
        }
    }

    pub fn stands(&self, guard: Guard) -> bool {
        self.state.guards.stand(guard)
    }

    /// An event says that something changed. It says so of what is read anyway, and of what was read before.
    fn hint(&mut self, hint: &Hint, cause: Cause, published: i64, live: bool) -> Result<(), StoreError> {
        let slot = &hint.slot;
        let head = self.state.head(slot)?;
        let old_news = !live && head.is_some() && self.stands(Guard::History);
        if old_news || head.is_none() && slot.collection.managed != Managed::Yes {
            return Ok(());
        }
        self.counts.hints += 1;
        if let Some(mut head) = head {
            head.hinted = head.hinted.max(Some(published));
            self.state.put_hinted(slot, &head)?;
        }
        let not_before = self.clock + self.settings.debounce_ms;
        let waits = self.state.want(slot)?.is_some();
        self.counts.coalesced += u64::from(waits);
        if !waits && !hint.ends && self.is_burst(slot)? {
            self.want_changes(slot, cause, Some(published))
        } else {
            self.want(slot, cause, not_before)
        }
    }

    /// So much is open that a list of what has changed takes fewer calls.
    fn is_burst(&self, slot: &Slot) -> Result<bool, StoreError> {
        let can_be_listed = slot.collection.incremental.is_some() && self.stands(Guard::Burst);
        Ok(can_be_listed && self.state.ledger(slot)?.open >= self.settings.burst)
    }

    fn mark(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        match FetchMark::read(name, value) {
            Ok(Some(mark)) => return self.fetch_mark(mark),
            Ok(None) => {}
            Err(_) => {
                self.counts.unfit += 1;
                return Ok(());
            }
        }
        match Mark::read(name, value) {
            Ok(Mark::Begun(begun)) => {
                let reading = self.state.reading(self.org)?;
                // Epochs grow. One that does not is of an owner that was late.
                if reading.epoch >= Some(begun.epoch) {
                    return Ok(());
                }
                self.state.put_reading(self.org, &Reading { epoch: Some(begun.epoch), runs: true, ..reading })
            }
            Ok(Mark::Ended(ended)) => {
                let mut reading = self.state.reading(self.org)?;
                reading.runs &= reading.epoch != Some(ended.epoch);
                self.state.put_reading(self.org, &reading)
            }
            Ok(Mark::CollectionEnded(ended)) => self.collection_ended(&ended),
            Ok(_) => Ok(()),
            Err(_) => {
                self.counts.unfit += 1;
                Ok(())
            }
        }
    }

    fn fetch_mark(&mut self, mark: FetchMark) -> Result<(), StoreError> {
        match mark {
            FetchMark::Sent(sent) => {
                let mut reading = self.state.reading(self.org)?;
                reading.sent = reading.sent.max(Some(sent.as_of));
                self.state.put_reading(self.org, &reading)?;
                for errand in &sent.errands {
                    self.sent(errand, sent.as_of)?;
                }
                Ok(())
            }
            FetchMark::Failed(failed) => self.failed(&failed),
            FetchMark::ChangesRead(read) => self.changes_read(&read),
        }
    }

    /// Opens a fetch, or joins another reason to the one that is open.
    pub fn want(&mut self, slot: &Slot, cause: Cause, not_before: i64) -> Result<(), StoreError> {
        let ask = super::intents::Ask::for_slot(slot);
        if ask == super::intents::Ask::Object && !slot.collection.single {
            return Ok(());
        }
        let want = match self.state.want(slot)? {
            Some(mut want) => {
                want.join(ask, cause);
                want
            }
            None => {
                let want = Want::new(ask, cause, not_before);
                self.announce(slot, &want);
                want
            }
        };
        self.state.put_want(slot, Some(&want))
    }
}
