//! What becomes of fetches: sent, answered, failed.

use super::fold::Step;
use super::guards::Guard;
use super::intents::{Ask, Want};
use super::marks::{ChangesRead, Errand, Failed};
use super::output::{Alert, Cause, Intent, Output};
use super::slot::{Slot, by_facet};
use super::store::InventoryStore;
use crate::merge::StoreError;

/// What the answer to a fetch was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is there.
    Found,
    /// It is there, but nobody can tell whether that is newer than what is known.
    Unclear,
    /// It is not there.
    Missing,
}

impl<S: InventoryStore> Step<'_, S> {
    /// An answer closes a fetch, unless something hinted at its slot since it was sent.
    pub fn answer(&mut self, slot: &Slot, as_of: i64, answer: Answer) -> Result<(), StoreError> {
        let Some(mut want) = self.state.want(slot)?.filter(|want| want.is_answered_by(as_of)) else { return Ok(()) };
        if !want.is_clean() && self.stands(Guard::AskAgain) || answer == Answer::Unclear {
            want.ask_rest(self.clock + self.settings.debounce_ms);
            self.announce(slot, &want);
            return self.state.put_want(slot, Some(&want));
        }
        self.state.put_want(slot, None)?;
        self.canary_answered(slot, answer)
    }

    /// Opens the list of changes of a slot's collection, or joins another reason to it: an event of this time, or without
    /// one everything.
    pub fn want_changes(&mut self, slot: &Slot, cause: Cause, published: Option<i64>) -> Result<(), StoreError> {
        let slot = Slot { key: String::new(), ..slot.clone() };
        // An event may be dated before its change: look back a little.
        let ask = Ask::Changes { since: published.map(|published| published - self.settings.list_lag_ms) };
        let mut want = match self.state.changes(&slot)? {
            Some(mut want) => {
                want.join(ask, cause);
                want
            }
            None => {
                // The index that answers may lag behind the change.
                let want = Want::new(ask, cause, self.clock + self.settings.list_lag_ms);
                self.announce(&slot, &want);
                want
            }
        };
        want.newest = want.newest.max(published);
        self.state.put_changes(&slot, Some(&want))
    }

    pub fn announce(&mut self, slot: &Slot, want: &Want) {
        let Want { ask, cause, not_before, .. } = *want;
        self.outputs.push(Output::Intent(Intent { slot: slot.clone(), ask, cause, not_before }));
    }

    pub fn sent(&mut self, errand: &Errand, as_of: i64) -> Result<(), StoreError> {
        let Some(slot) = self.slot_of(errand) else { return Ok(()) };
        let open = if errand.key.is_some() { self.state.want(&slot)? } else { self.state.changes(&slot)? };
        let Some(mut want) = open else { return Ok(()) };
        want.send(as_of, self.clock);
        self.put(errand, &slot, Some(&want))
    }

    pub fn failed(&mut self, failed: &Failed) -> Result<(), StoreError> {
        let Some(slot) = self.slot_of(&failed.errand) else { return Ok(()) };
        let open = if failed.errand.key.is_some() { self.state.want(&slot)? } else { self.state.changes(&slot)? };
        let Some(mut want) = open else { return Ok(()) };
        if failed.again {
            // Who fetches has tried more than once; what is refused now may be allowed later.
            want.ask_again(self.clock + self.settings.answer_within_ms);
            self.announce(&slot, &want);
            return self.put(&failed.errand, &slot, Some(&want));
        }
        self.put(&failed.errand, &slot, None)?;
        self.canary_lost(&slot)
    }

    pub fn changes_read(&mut self, read: &ChangesRead) -> Result<(), StoreError> {
        let errand = Errand { facet: read.facet.clone(), key: None };
        let Some(slot) = self.slot_of(&errand) else { return Ok(()) };
        let Some(mut want) = self.state.changes(&slot)?.filter(|want| want.is_answered_by(read.as_of)) else {
            return Ok(());
        };
        // What the index may not have shown yet. An event that is dated after the reading and landed before it is dated
        // wrongly, and must not have the list read for ever.
        let shown = read.as_of - self.settings.list_lag_ms - self.settings.debounce_ms;
        let not_shown = want.newest.is_some_and(|newest| (shown..=read.as_of).contains(&newest));
        if want.is_clean() && !not_shown {
            return self.state.put_changes(&slot, None);
        }
        if not_shown {
            want.join(Ask::Changes { since: Some(shown - self.settings.list_lag_ms) }, want.cause);
        }
        want.ask_rest(self.clock + self.settings.list_lag_ms);
        self.announce(&slot, &want);
        self.state.put_changes(&slot, Some(&want))
    }

    fn put(&mut self, errand: &Errand, slot: &Slot, want: Option<&Want>) -> Result<(), StoreError> {
        if errand.key.is_some() { self.state.put_want(slot, want) } else { self.state.put_changes(slot, want) }
    }

    fn slot_of(&mut self, errand: &Errand) -> Option<Slot> {
        let collection = by_facet(&errand.facet);
        let slot = collection.and_then(|one| Slot::new(self.org, one, errand.key.as_deref().unwrap_or_default()));
        self.counts.unfit += u64::from(slot.is_none());
        slot
    }

    /// The canary of a sweep was asked for.
    fn canary_answered(&mut self, slot: &Slot, answer: Answer) -> Result<(), StoreError> {
        let mut ledger = self.state.ledger(slot)?;
        let Some((epoch, _)) = ledger.canary.take_if(|(_, key)| *key == slot.key) else { return Ok(()) };
        self.state.put_ledger(slot, &ledger)?;
        if answer == Answer::Found { self.sweep(slot, epoch) } else { Ok(()) }
    }

    /// Nothing is swept: the canary was not found, or nobody could ask for it.
    pub fn canary_lost(&mut self, slot: &Slot) -> Result<(), StoreError> {
        let mut ledger = self.state.ledger(slot)?;
        if let Some((epoch, _)) = ledger.canary.take_if(|(_, key)| *key == slot.key) {
            self.outputs.push(Output::Alert(Alert::NoCanary { slot: slot.clone(), epoch }));
            self.state.put_ledger(slot, &ledger)?;
        }
        Ok(())
    }
}
