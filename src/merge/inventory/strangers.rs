//! People and things that events name and nobody has ever seen: what announced them was lost, or they are older than
//! what was read.

use super::fold::Step;
use super::guards::Guard;
use super::knowledge::{Thing, View};
use super::output::Cause;
use super::store::InventoryStore;
use crate::json::{Kind, Value};
use crate::merge::StoreError;
use crate::okta::{Device, LogEvent, Party};

impl<S: InventoryStore> Step<'_, S> {
    /// Asks for whoever and whatever an event names that was never seen, where such things are read at all. It is not
    /// announced by that: an event that names something says nothing of its having come into being.
    pub fn strangers(&mut self, event: &LogEvent<'_>, published: i64) -> Result<(), StoreError> {
        let targets = event.target.filter(|target| target.kind() == Kind::Array);
        let targets = targets.into_iter().flat_map(Value::children).map(|target| Party::of(Some(target)));
        for party in [Party::of(event.actor)].into_iter().chain(targets) {
            let thing = party.kind.and_then(Value::word).and_then(Thing::of_type);
            self.stranger(thing, party.id, published)?;
        }
        self.stranger(Some(Thing::Device), Device::of(event.device).id, published)
    }

    fn stranger(&mut self, thing: Option<Thing>, id: Option<Value<'_>>, published: i64) -> Result<(), StoreError> {
        let Some((thing, id)) = thing.zip(id.and_then(Value::word)) else { return Ok(()) };
        if !self.stands(Guard::Strangers) || self.stands(Guard::Ids) && !thing.may_have_id(id) {
            return Ok(());
        }
        let view = View::new(self.state.layered(), self.state.cards, self.org, published);
        if !view.misses(thing, id)? {
            return Ok(());
        }
        let Some(slot) = thing.slot(self.org, id) else { return Ok(()) };
        let waits = self.state.want(&slot)?.is_some();
        if waits || self.state.ledger(&slot)?.open >= self.settings.strangers {
            return Ok(());
        }
        self.want(&slot, Cause::List, self.clock + self.settings.debounce_ms)
    }
}
