//! From outputs to reports.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{Alerted, Delta, Gone, Occasion, Reason, Report};
use crate::collect::Grain;
use crate::json::{Kind, Tape, Value};
use crate::landing::{Content, LandingRecord};
use crate::merge::StoreError;
use crate::merge::inventory::output::{Change, Deleted, Output};
use crate::merge::inventory::rereads;
use crate::merge::inventory::settings::Settings;
use crate::merge::inventory::slot::Slot;
use crate::merge::inventory::state::State;
use crate::merge::inventory::store::InventoryStore;
use crate::okta::OrgId;

/// The list of a group's users.
const MEMBERS: &str = "group.members";

/// One record on its way to what is published after it.
pub struct Reporter<'a, S> {
    pub org: &'a OrgId,
    pub settings: &'a Settings,
    pub state: State<'a, S>,
    /// When the record landed.
    pub clock: i64,
    /// Orgs of which nothing waits to be told. It only saves looking.
    pub idle: &'a mut HashSet<OrgId>,
    pub reports: Vec<Report>,
}

/// What has changed with a record, by the thing that it is about, in the order in which it came out.
#[derive(Default)]
struct News {
    things: Vec<(Slot, Vec<Reason>)>,
    places: BTreeMap<(&'static str, String), usize>,
}

impl News {
    fn add(&mut self, slot: Slot, reason: Reason) {
        let next = self.things.len();
        let place = *self.places.entry((slot.facet(), slot.key.clone())).or_insert(next);
        match self.things.get_mut(place) {
            Some((_, reasons)) => reasons.push(reason),
            None => self.things.push((slot, vec![reason])),
        }
    }
}

impl<S: InventoryStore> Reporter<'_, S> {
    pub fn take(&mut self, record: &LandingRecord, outputs: Vec<Output>) -> Result<(), StoreError> {
        if let Content::Mark { name } = &record.content {
            rereads::take(&mut self.state, self.org, name, &record.value)?;
            self.scan_mark(name, &record.value)?;
        }
        let mut news = News::default();
        for output in outputs {
            self.tell(output, &mut news)?;
        }
        for (slot, reasons) in news.things {
            self.changed(&slot, reasons)?;
        }
        self.catch_up()
    }

    fn tell(&mut self, output: Output, news: &mut News) -> Result<(), StoreError> {
        match output {
            Output::Change(Change { slot, before, after, cause, as_of, .. }) => {
                let change = Delta::Content(before, Some(after));
                self.told(Reason { slot, change, cause, as_of }, news)
            }
            Output::Deleted(Deleted { slot, before, cause, as_of }) => {
                self.told(Reason { slot, change: Delta::Content(before, None), cause, as_of }, news)
            }
            Output::Drift(drift) => {
                self.count(&drift)?;
                rereads::add(&mut self.state, self.settings, &drift)?;
                self.reports.push(Report::Drift(drift));
                Ok(())
            }
            Output::Alert(alert) => {
                let alerted = Alerted { alert, at: self.clock };
                self.keep(&alerted)?;
                self.reports.push(Report::Alert(alerted));
                Ok(())
            }
            // Who fetches reads them in the state.
            Output::Intent(_) => Ok(()),
        }
    }

    /// A slot has changed: finds the thing that it is about.
    fn told(&mut self, reason: Reason, news: &mut News) -> Result<(), StoreError> {
        let slot = &reason.slot;
        if slot.facet() == MEMBERS {
            self.members(&reason, news)?;
        }
        match (slot.collection.grain, slot.core()) {
            (Grain::Object, _) => match &reason.change {
                Delta::Content(_, None) => {
                    let Reason { slot, cause, as_of, .. } = reason;
                    if slot.facet() == super::thing::USER {
                        self.unqueue(&slot.key)?;
                    }
                    self.reports.push(Report::Gone(Gone { slot, cause, as_of }));
                }
                _ => news.add(slot.clone(), reason),
            },
            (_, Some(core)) => news.add(core, reason),
            (_, None) => self.elements(&reason)?,
        }
        Ok(())
    }

    /// Users who joined or left a group are told with their groups: a few at once, many one after another.
    fn members(&mut self, reason: &Reason, news: &mut News) -> Result<(), StoreError> {
        let Delta::Content(before, after) = &reason.change else { return Ok(()) };
        let (before, after) = (ids(before.as_deref()), ids(after.as_deref()));
        let joined = after.difference(&before).map(|user| (user, Delta::Joined));
        let left = before.difference(&after).map(|user| (user, Delta::Left));
        let changed: Vec<_> = joined.chain(left).collect();
        let at_once = changed.len() <= self.settings.told_at_once;
        for (user, change) in changed {
            let Some(user) = super::thing::user(self.org, user) else { continue };
            let reason = Reason { change, ..reason.clone_without_content() };
            if at_once { news.add(user, reason) } else { self.queue(&user.key, &reason)? }
        }
        Ok(())
    }

    /// Elements of a list that is a part of nothing are things.
    fn elements(&mut self, reason: &Reason) -> Result<(), StoreError> {
        let Delta::Content(before, after) = &reason.change else { return Ok(()) };
        let (before, mut after) = (by_id(before.as_deref()), by_id(after.as_deref()));
        for id in before.keys().filter(|id| !after.contains_key(*id)) {
            if let Some(slot) = Slot::new(self.org, reason.slot.collection, id) {
                self.reports.push(Report::Gone(Gone { slot, cause: reason.cause, as_of: reason.as_of }));
            }
        }
        after.retain(|id, body| before.get(id) != Some(body));
        for (id, body) in after {
            let change = Delta::Content(before.get(&id).cloned(), Some(body.clone()));
            let reason = Reason { change, ..reason.clone_without_content() };
            self.element(&reason.slot.clone(), &id, body, Occasion::Changed(vec![reason]))?;
        }
        Ok(())
    }

    /// A thing that is there is told with all that is known of it.
    fn changed(&mut self, slot: &Slot, mut reasons: Vec<Reason>) -> Result<(), StoreError> {
        if slot.facet() == super::thing::USER {
            reasons.extend(self.unqueue(&slot.key)?);
        }
        let at = reasons.iter().map(|reason| reason.as_of.1).max();
        if let Some(thing) = self.thing(slot, Occasion::Changed(reasons), at)? {
            self.reports.push(Report::Thing(Box::new(thing)));
        }
        Ok(())
    }
}

impl Reason {
    /// The same without what may be large.
    fn clone_without_content(&self) -> Self {
        Self { slot: self.slot.clone(), change: Delta::Joined, cause: self.cause, as_of: self.as_of }
    }
}

/// The texts of a JSON array. What is none is no id.
fn ids(list: Option<&[u8]>) -> BTreeSet<String> {
    let mut tape = Tape::default();
    let Some(document) = list.and_then(|list| tape.read(list).ok()) else { return BTreeSet::new() };
    let texts = document.root().children().filter_map(|value| value.as_str().map(|text| text.into_owned()));
    texts.collect()
}

/// The elements of a JSON array by their ids, each as it was written.
pub(super) fn by_id(list: Option<&[u8]>) -> BTreeMap<String, Vec<u8>> {
    let mut tape = Tape::default();
    let Some(document) = list.and_then(|list| tape.read(list).ok()) else { return BTreeMap::new() };
    let elements = document.root().children().filter_map(|value| Some((id(value)?, value.written().into())));
    elements.collect()
}

/// The id of an object in a list that stands by itself. Those of linked objects are the names of their primary side.
fn id(value: Value<'_>) -> Option<String> {
    let id = value.get("id").or_else(|| value.get("primary")?.get("name"))?;
    matches!(id.kind(), Kind::String | Kind::Integer).then(|| id.decoded().into_owned())
}
