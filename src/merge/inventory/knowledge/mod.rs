//! What the inventory knows of the people and things that an event names, as of that event.
//!
//! A [`View`] answers from the state as it is after the record that was folded last. Cards are made of bodies once and
//! remembered in [`Cards`], which is told of everything that changes and so never changes an answer.

mod cache;
mod cards;
mod parse;

pub(super) use cache::Cards;
pub(super) use cards::Thing;
pub(super) use parse::group_name;

use std::cell::RefCell;
use std::sync::Arc;

use super::slot::Slot;
use super::state;
use super::store::{InventoryStore, Layered};
use crate::merge::StoreError;
use crate::ocsf::{AppCard, DeviceCard, Knowledge, Lookup, UserCard};
use crate::okta::OrgId;
use cards::{Card, GroupCard, Source};

/// Answers for one event. Ask it before the next record is folded.
///
/// The disk may fail in the middle of an answer, which is then [`Lookup::Unread`]: ask [`View::failed`] at the end, and
/// throw away what was made of the answers if it did.
pub struct View<'a, S> {
    store: Layered<'a, S>,
    cards: &'a RefCell<Cards>,
    org: &'a OrgId,
    published: i64,
    failed: RefCell<Option<StoreError>>,
}

impl<'a, S: InventoryStore> View<'a, S> {
    pub(super) fn new(store: Layered<'a, S>, cards: &'a RefCell<Cards>, org: &'a OrgId, published: i64) -> View<'a, S> {
        Self { store, cards, org, published, failed: RefCell::default() }
    }

    /// Whether all answers were answers.
    ///
    /// # Errors
    /// Why the store could not be read.
    pub fn failed(self) -> Result<(), StoreError> {
        self.failed.into_inner().map_or(Ok(()), Err)
    }

    /// Whether such things are read, and this one was never seen, there or gone.
    pub(super) fn misses(&self, thing: Thing, id: &str) -> Result<bool, StoreError> {
        match thing {
            Thing::User => self.misses_one::<UserCard>(id),
            Thing::Group => self.misses_one::<GroupCard>(id),
            Thing::App => self.misses_one::<AppCard>(id),
            Thing::Device => self.misses_one::<DeviceCard>(id),
        }
    }

    fn misses_one<C: Card>(&self, id: &str) -> Result<bool, StoreError> {
        // What was seen at any time is not missed at another, so nothing more of it need be looked at.
        let was_seen = self.cards.borrow_mut().was_seen::<C>(self.org, id);
        Ok(!was_seen && matches!(self.look::<C>(id)?, Lookup::Missing))
    }

    fn ask<C: Card>(&self, id: &str) -> Lookup<C> {
        self.look(id).unwrap_or_else(|error| {
            self.failed.borrow_mut().get_or_insert(error);
            Lookup::Unread
        })
    }

    fn look<C: Card>(&self, id: &str) -> Result<Lookup<C>, StoreError> {
        let mut cards = self.cards.borrow_mut();
        let known = cards.find::<C>(self.org, id, self.published);
        let lookup = match known {
            Some(lookup) => lookup,
            None => {
                let source = Source { store: &self.store, org: self.org, at: self.published };
                let answer = C::find(&source, id, cards.names(self.org))?;
                let lookup = answer.at(self.published);
                cards.keep(self.org, id, answer);
                lookup
            }
        };
        if matches!(lookup, Lookup::Missing) && !self.is_read(&mut cards, C::THING)? {
            return Ok(Lookup::Unread);
        }
        Ok(lookup)
    }

    fn is_read(&self, cards: &mut Cards, thing: Thing) -> Result<bool, StoreError> {
        if let Some(known) = cards.is_read(self.org, thing) {
            return Ok(known);
        }
        let slot = thing.slot(self.org, "");
        let is_read = slot.map_or(Ok(false), |slot: Slot| state::is_read(&self.store, &slot))?;
        cards.keep_is_read(self.org, thing, is_read);
        Ok(is_read)
    }
}

impl<S: InventoryStore> Knowledge for View<'_, S> {
    fn user(&self, id: &str) -> Lookup<UserCard> {
        self.ask(id)
    }

    fn app(&self, id: &str) -> Lookup<AppCard> {
        self.ask(id)
    }

    fn device(&self, id: &str) -> Lookup<DeviceCard> {
        self.ask(id)
    }

    fn group_name(&self, id: &str) -> Option<Arc<str>> {
        match self.ask::<GroupCard>(id) {
            Lookup::Found(sighted) => sighted.card.name.clone(),
            _ => None,
        }
    }
}
