//! What a complete snapshot missed: it is asked for, and only what Okta then does not have is gone.

use super::fold::Step;
use super::guards::Guard;
use super::output::{Alert, Cause, Output};
use super::slot::Slot;
use super::state::Ledger;
use super::store::InventoryStore;
use crate::collect::{Collection, Grain};
use crate::merge::StoreError;
use crate::merge::snapshots::{CollectionEnded, Outcome};

/// Canaries that may be missing without a word before nothing is swept. That one was deleted just after it was listed, and
/// the event of it was lost, happens in a busy org; that two were does not.
const MOST_LOST: u64 = 1;

/// How a collection looks after a snapshot.
#[derive(Debug, Default)]
struct Survey {
    /// What is there.
    live: u64,
    /// Of that, what the snapshot missed and nothing else has confirmed since it began.
    missing: u64,
    /// Their keys.
    candidates: Vec<String>,
    /// The first behind a key that the snapshot listed.
    listed: Option<String>,
}

impl<S: InventoryStore> Step<'_, S> {
    pub fn collection_ended(&mut self, ended: &CollectionEnded) -> Result<(), StoreError> {
        let reading = self.state.reading(self.org)?;
        let runs = reading.runs && reading.epoch == Some(ended.epoch);
        let complete = ended.outcome == Outcome::Complete || !self.stands(Guard::CompleteOnly);
        let slot = Collection::find(&ended.collection).and_then(|collection| Slot::new(self.org, collection, ""));
        let Some(slot) = slot.filter(|_| complete && (runs || !self.stands(Guard::Fence))) else { return Ok(()) };
        let mut ledger = self.state.ledger(&slot)?;
        let before = ledger.last_complete.replace(ended.epoch);
        if ledger.known_since.is_none() {
            ledger.known_since = Some(self.clock);
            // That someone has none of these, or is in none of them, is known from now on.
            self.state.cards.borrow_mut().forget_org(self.org);
        }
        self.state.put_ledger(&slot, &ledger)?;
        // Lists within something have no object of their own that could be missing.
        if slot.collection.grain == Grain::Object { self.missed(&slot, ended.epoch, before) } else { Ok(()) }
    }

    /// Decides whether what is missing is asked for.
    fn missed(&mut self, slot: &Slot, epoch: i64, last_complete: Option<i64>) -> Result<(), StoreError> {
        let survey = self.survey(slot, epoch, "")?;
        let (slot, candidates, live) = (slot.clone(), survey.missing, survey.live);
        if candidates == 0 {
            return Ok(());
        }
        if !slot.collection.single {
            self.outputs.push(Output::Alert(Alert::Unconfirmable { slot, epoch, candidates }));
            return Ok(());
        }
        if candidates > self.most_candidates(live) && self.stands(Guard::Brake) {
            return self.brake(slot, epoch, last_complete, candidates, live);
        }
        if !self.stands(Guard::Canary) {
            return self.sweep(&slot, epoch);
        }
        let canary = survey.listed.and_then(|key| Slot::new(self.org, slot.collection, &key));
        let Some(canary) = canary else {
            self.outputs.push(Output::Alert(Alert::NoCanary { slot, epoch }));
            return Ok(());
        };
        let ledger = Ledger { canaries_lost: 0, ..self.state.ledger(&slot)? };
        self.ask_canary(&canary, epoch, ledger)
    }

    /// Asks for something that was listed, before anything is asked for that was not.
    fn ask_canary(&mut self, canary: &Slot, epoch: i64, ledger: Ledger) -> Result<(), StoreError> {
        self.state.put_ledger(canary, &Ledger { canary: Some((epoch, canary.key.clone())), ..ledger })?;
        self.want(canary, Cause::Sweep, self.clock)
    }

    /// Okta does not have the canary any more. Another one is asked for: what was deleted says nothing of what may be seen.
    pub fn canary_missing(&mut self, slot: &Slot, announced: bool) -> Result<(), StoreError> {
        let mut ledger = self.state.ledger(slot)?;
        let Some((epoch, _)) = ledger.canary else { return Ok(()) };
        ledger.canaries_lost += u64::from(!announced);
        let next = self.survey(slot, epoch, &slot.key)?.listed.filter(|_| ledger.canaries_lost <= MOST_LOST);
        match next.and_then(|key| Slot::new(self.org, slot.collection, &key)) {
            Some(canary) => self.ask_canary(&canary, epoch, ledger),
            None => self.canary_lost(slot),
        }
    }

    /// So much is missing that the snapshot is doubted: it is read again, once.
    fn brake(
        &mut self,
        slot: Slot,
        epoch: i64,
        last_complete: Option<i64>,
        candidates: u64,
        live: u64,
    ) -> Result<(), StoreError> {
        let mut ledger = self.state.ledger(&slot)?;
        let braked_before = ledger.braked.is_some() && ledger.braked == last_complete;
        ledger.braked = Some(epoch);
        self.state.put_ledger(&slot, &ledger)?;
        if !braked_before {
            self.want_changes(&slot, Cause::Sweep, None)?;
        }
        self.outputs.push(Output::Alert(Alert::Braked { slot, epoch, candidates, live }));
        Ok(())
    }

    /// Asks for everything that a snapshot missed. What was seen meanwhile is not missing any more.
    pub fn sweep(&mut self, slot: &Slot, epoch: i64) -> Result<(), StoreError> {
        for key in self.survey(slot, epoch, "")?.candidates {
            let Some(candidate) = Slot::new(self.org, slot.collection, &key) else { continue };
            if self.stands(Guard::AskBeforeBurying) {
                self.want(&candidate, Cause::Sweep, self.clock)?;
            } else {
                self.bury(&candidate, (epoch, epoch), Cause::Sweep)?;
            }
        }
        Ok(())
    }

    fn most_candidates(&self, live: u64) -> u64 {
        self.settings.sweep_at_least.max(live.saturating_mul(self.settings.sweep_permille) / 1000)
    }

    fn survey(&self, slot: &Slot, epoch: i64, behind: &str) -> Result<Survey, StoreError> {
        let mut survey = Survey::default();
        let since_begun = self.stands(Guard::ConfirmedSince);
        self.state.each_head(self.org, slot.collection, "", |key, head| {
            if head.is_gone() {
                return;
            }
            survey.live += 1;
            if head.epoch >= Some(epoch) {
                if key > behind {
                    survey.listed.get_or_insert_with(|| key.to_owned());
                }
            } else if head.confirmed_as_of < epoch || !since_begun {
                survey.missing += 1;
                survey.candidates.push(key.to_owned());
            }
        })?;
        Ok(survey)
    }
}
