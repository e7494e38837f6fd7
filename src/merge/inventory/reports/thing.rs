//! Everything that is known of a thing.

use super::{Facts, Occasion, Reading, Report, Reporter, Thing};
use crate::collect::{Collection, Grain};
use crate::json::Tape;
use crate::merge::StoreError;
use crate::merge::inventory::head::Head;
use crate::merge::inventory::slot::{Slot, by_facet, is_part};
use crate::merge::inventory::store::InventoryStore;
use crate::okta::OrgId;

pub(super) const USER: &str = "user.core";

/// The slot of a user.
pub(super) fn user(org: &OrgId, id: &str) -> Option<Slot> {
    by_facet(USER).and_then(|users| Slot::new(org, users, id))
}

/// Whether a collection is a list that is a part of nothing, so that its elements are things.
pub(super) fn is_of_elements(collection: &'static Collection) -> bool {
    collection.grain != Grain::Object && !is_part(collection)
}

impl<S: InventoryStore> Reporter<'_, S> {
    /// A thing, if it is there. `at` is when the newest of it was read, if that is known.
    pub(super) fn thing(&self, slot: &Slot, occasion: Occasion, at: Option<i64>) -> Result<Option<Thing>, StoreError> {
        let Some(head) = self.state.head(slot)? else { return Ok(None) };
        let Some(reading) = reading(slot.facet(), &head) else { return Ok(None) };
        let Some(body) = self.state.body(slot)? else { return Ok(None) };
        let mut readings = vec![reading];
        let facts = match slot.facet() {
            USER => self.user(slot, &mut readings)?,
            "device" => Facts::Device,
            "group.core" => {
                let members = self.list(slot, "group.members", &mut readings)?;
                Facts::Other { members: members.map(|list| count(&list)) }
            }
            _ => Facts::Other { members: None },
        };
        let confirmed = readings.iter().map(|reading| reading.confirmed_as_of).max();
        let at = at.or(confirmed).unwrap_or(self.clock);
        Ok(Some(Thing { slot: slot.clone(), occasion, at, body, facts, readings }))
    }

    fn user(&self, slot: &Slot, readings: &mut Vec<Reading>) -> Result<Facts, StoreError> {
        let groups = self.groups(slot, readings)?;
        let factors = match self.list(slot, "user.factors", readings)? {
            Some(factors) => Some(factors),
            // On Identity Engine somebody may have asked for these instead.
            None => self.list(slot, "user.enrollments", readings)?,
        };
        let roles = self.list(slot, "user.roles", readings)?;
        Ok(Facts::User { groups, factors, roles })
    }

    /// A list that is a part of a thing, if it is known.
    pub(super) fn list(
        &self,
        of: &Slot,
        facet: &'static str,
        readings: &mut Vec<Reading>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(slot) = by_facet(facet).map(|collection| of.sibling(collection)) else { return Ok(None) };
        let Some(reading) = self.state.head(&slot)?.and_then(|head| reading(facet, &head)) else { return Ok(None) };
        readings.push(reading);
        self.state.body(&slot)
    }

    /// Tells an element of a list that is a part of nothing.
    pub(super) fn element(
        &mut self,
        list: &Slot,
        id: &str,
        body: Vec<u8>,
        occasion: Occasion,
    ) -> Result<bool, StoreError> {
        let reading = self.state.head(list)?.and_then(|head| reading(list.facet(), &head));
        let (Some(slot), Some(reading)) = (Slot::new(self.org, list.collection, id), reading) else { return Ok(false) };
        let at = match &occasion {
            Occasion::Changed(_) => reading.as_of.1,
            Occasion::Collected(_) => reading.confirmed_as_of,
        };
        let facts = Facts::Other { members: None };
        self.reports.push(Report::Thing(Box::new(Thing { slot, occasion, at, body, facts, readings: vec![reading] })));
        Ok(true)
    }
}

/// When something that is there was read.
fn reading(facet: &'static str, head: &Head) -> Option<Reading> {
    let version = head.version()?;
    Some(Reading { facet, as_of: version.as_of, confirmed_as_of: head.confirmed_as_of })
}

/// The elements of a JSON array, each as it was written.
pub(super) fn split(list: &[u8]) -> Vec<Vec<u8>> {
    let mut tape = Tape::default();
    let Ok(document) = tape.read(list) else { return Vec::new() };
    document.root().children().map(|value| value.written().as_bytes().to_vec()).collect()
}

fn count(list: &[u8]) -> u64 {
    let mut tape = Tape::default();
    tape.read(list).map_or(0, |document| document.root().children().count() as u64)
}
