//! A small world around the inventory: one org, told of in records.

mod knowing;
mod measured;
mod oracle;
mod past;
mod properties;
mod races;
mod reports;
mod sweeps;

use jiff::Timestamp;
use uuid::Uuid;

use super::guards::Guard;
use super::reports::Report;
use super::slot::by_facet;
use super::*;
use crate::landing::{self, Grain, LandingRecord, Observation, Origin};
use crate::merge::snapshots::{Begun, CollectionEnded, Ended, Mark, Outcome};
use crate::okta::OrgId;

pub(super) const USER: &str = "user.core";
pub(super) const FACTORS: &str = "user.factors";
pub(super) const MEMBERS: &str = "group.members";

/// A moment, in seconds of the world.
pub(super) const fn s(seconds: i64) -> i64 {
    1_700_000_000_000 + seconds * 1000
}

pub(super) fn org() -> OrgId {
    OrgId::new("acme")
}

pub(super) fn slot(facet: &str, key: &str) -> Slot {
    Slot::new(&org(), by_facet(facet).unwrap(), key).unwrap()
}

/// An object as Okta shows it, last updated at a moment (of which Okta shows the second only).
pub(super) fn object(says: &str, updated: i64) -> String {
    let updated = Timestamp::from_millisecond(updated.div_euclid(1000) * 1000).unwrap();
    format!(r#"{{"says":"{says}","lastUpdated":"{updated}"}}"#)
}

pub(super) struct World {
    pub store: MemoryInventory,
    pub inventory: Inventory,
    pub outputs: Vec<Output>,
    pub reports: Vec<Report>,
    pub counts: Vec<Counts>,
    /// The log's clock; each record is landed a millisecond after the one before.
    pub clock: i64,
    pub org: OrgId,
    events: u128,
}

impl World {
    pub fn new() -> Self {
        Self::with(Settings::default(), None)
    }

    pub fn without(guard: Option<Guard>) -> Self {
        Self::with(Settings::default(), guard)
    }

    pub fn with(settings: Settings, without: Option<Guard>) -> Self {
        let mut inventory = Inventory::new(settings);
        inventory.guards.without = without;
        let (store, outputs, counts) = (MemoryInventory::default(), Vec::new(), Vec::new());
        Self { store, inventory, outputs, reports: Vec::new(), counts, clock: s(0), org: org(), events: 0 }
    }

    /// Takes a record in a batch of its own; gives what came out.
    pub fn take(&mut self, record: &LandingRecord, fresh: bool) -> Vec<Output> {
        let outputs = self.inventory.apply(record, fresh, &self.store).unwrap();
        self.reports.extend(self.inventory.report(record, outputs.clone(), &self.store).unwrap());
        let batch = self.inventory.finish();
        self.store.commit(batch.writes);
        self.counts.push(batch.counts);
        self.outputs.extend(outputs.clone());
        outputs
    }

    pub fn record(&mut self, origin: Origin, content: landing::Content, value: Vec<u8>) -> LandingRecord {
        self.clock += 1;
        LandingRecord { org: self.org.clone(), origin, landed_at: self.clock, content, value }
    }

    pub fn observed(&mut self, origin: Origin, seen: Seen<'_>) -> Vec<Output> {
        let record = self.record(origin, seen.content(), seen.value.as_bytes().to_vec());
        self.take(&record, false)
    }

    /// A list of a snapshot shows an object.
    pub fn listed(&mut self, facet: &str, key: &str, value: &str, at: i64, epoch: i64) -> Vec<Output> {
        self.observed(Origin::Snapshot, Seen { epoch: Some(epoch), ..Seen::object(facet, key, value, at) })
    }

    /// A read by id, or of a whole list, has an answer; none is an empty text.
    pub fn fetched(&mut self, facet: &str, key: &str, value: &str, at: i64) -> Vec<Output> {
        self.observed(Origin::Fetch, Seen::object(facet, key, value, at))
    }

    /// A fetch is sent and answered.
    pub fn asked(&mut self, facet: &str, key: &str, value: &str, at: i64) -> Vec<Output> {
        self.sent(facet, key, at);
        self.fetched(facet, key, value, at)
    }

    pub fn event(&mut self, event_type: &str, targets: &[(&str, &str)], published: i64) -> Vec<Output> {
        self.event_by(Origin::Sqs, event_type, targets, published)
    }

    pub fn event_by(
        &mut self,
        origin: Origin,
        event_type: &str,
        targets: &[(&str, &str)],
        published: i64,
    ) -> Vec<Output> {
        let record = self.event_record(origin, event_type, targets, published);
        self.take(&record, true)
    }

    pub fn event_record(
        &mut self,
        origin: Origin,
        event_type: &str,
        targets: &[(&str, &str)],
        published: i64,
    ) -> LandingRecord {
        self.events += 1;
        let targets: Vec<_> = targets
            .iter()
            .map(|(kind, id)| format!(r#"{{"type":"{kind}","id":"{id}","alternateId":"{id}@example.com"}}"#))
            .collect();
        let value = format!(r#"{{"eventType":"{event_type}","target":[{}]}}"#, targets.join(","));
        let content = landing::Content::Event { uuid: Uuid::from_u128(self.events), published };
        self.record(origin, content, value.into_bytes())
    }

    pub fn sent(&mut self, facet: &str, key: &str, as_of: i64) -> Vec<Output> {
        let errands = vec![Errand { facet: facet.into(), key: Some(key.into()) }];
        self.fetch_mark(&FetchMark::Sent(Sent { as_of, errands }))
    }

    pub fn fetch_mark(&mut self, mark: &FetchMark) -> Vec<Output> {
        let (name, value) = mark.write().unwrap();
        let record = self.record(Origin::Fetch, landing::Content::Mark { name: name.into() }, value);
        self.take(&record, false)
    }

    pub fn mark(&mut self, mark: &Mark) -> Vec<Output> {
        let (name, value) = mark.write().unwrap();
        let record = self.record(Origin::Snapshot, landing::Content::Mark { name: name.into() }, value);
        self.take(&record, false)
    }

    pub fn begun(&mut self, epoch: i64) {
        let (requests, collections, rosters) = (Vec::new(), Vec::new(), Vec::new());
        self.mark(&Mark::Begun(Begun {
            epoch,
            requests,
            whole: true,
            engine: "identity".into(),
            collections,
            rosters,
        }));
    }

    pub fn ended(&mut self, collection: &str, epoch: i64, outcome: Outcome) -> Vec<Output> {
        let collection = collection.to_owned();
        self.mark(&Mark::CollectionEnded(CollectionEnded { epoch, collection, outcome, objects: 0, calls: 0 }))
    }

    pub fn snapshot_ended(&mut self, epoch: i64) {
        self.mark(&Mark::Ended(Ended { epoch, aborted: None }));
    }

    /// What is known to be there.
    pub fn body(&self, facet: &str, key: &str) -> Option<String> {
        let slot = Slot { org: self.org.clone(), ..slot(facet, key) };
        let live = head(&self.store, &slot).unwrap().is_some_and(|head| !head.is_gone());
        live.then(|| String::from_utf8(body(&self.store, &slot).unwrap().unwrap()).unwrap())
    }

    pub fn is_gone(&self, facet: &str, key: &str) -> bool {
        head(&self.store, &slot(facet, key)).unwrap().is_some_and(|head| head.is_gone())
    }

    /// What is to be fetched, as facet and key.
    pub fn due(&self) -> Vec<(&'static str, String)> {
        let settings = Settings::default();
        let due = due(&self.store, &settings, &self.org, i64::MAX / 2, None, usize::MAX).unwrap();
        let waits = |intent: &Intent| intent.ask != Ask::Changes { since: None };
        due.into_iter().filter(waits).map(|intent| (intent.slot.facet(), intent.slot.key)).collect()
    }

    pub fn changes(&self) -> usize {
        self.outputs.iter().filter(|output| matches!(output, Output::Change(_))).count()
    }

    pub fn deleted(&self) -> Vec<(&'static str, String)> {
        let deleted = self.outputs.iter().filter_map(|output| match output {
            Output::Deleted(deleted) => Some((deleted.slot.facet(), deleted.slot.key.clone())),
            _ => None,
        });
        deleted.collect()
    }

    pub fn drifts(&self) -> Vec<(DriftKind, String)> {
        let drifts = self.outputs.iter().filter_map(|output| match output {
            Output::Drift(drift) => Some((drift.kind, drift.slot.key.clone())),
            _ => None,
        });
        drifts.collect()
    }

    pub fn alerts(&self) -> Vec<&Alert> {
        let alerts = self.outputs.iter().filter_map(|output| match output {
            Output::Alert(alert) => Some(alert),
            _ => None,
        });
        alerts.collect()
    }
}

/// The story ends well with all guards, and badly without this one.
pub(super) fn guarded(guard: Guard, story: impl Fn(Option<Guard>) -> bool) {
    assert!(story(None), "with all guards");
    assert!(!story(Some(guard)), "without {guard:?}");
}

/// A world in which a complete snapshot at second 0 has shown these users.
pub(super) fn with_users(users: impl IntoIterator<Item = String>, without: Option<Guard>) -> World {
    let mut world = World::without(without);
    world.begun(s(0));
    for key in users {
        world.listed(USER, &key, &object("a", s(-1000)), s(0), s(0));
    }
    world.ended("users", s(0), Outcome::Complete);
    world.snapshot_ended(s(0));
    world.outputs.clear();
    world
}

pub(super) fn users(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("00u{number:04}"))
}

pub(super) fn updated(world: &mut World, key: &str, published: i64) -> Vec<Output> {
    world.event("user.account.update_profile", &[("User", key)], published)
}

/// An observation to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub facet: &'a str,
    pub key: &'a str,
    pub value: &'a str,
    pub as_of: (i64, i64),
    pub epoch: Option<i64>,
    pub part: u32,
    pub last: bool,
}

impl<'a> Seen<'a> {
    /// An object, or a whole list, read within a tenth of a second.
    pub fn object(facet: &'a str, key: &'a str, value: &'a str, at: i64) -> Self {
        Self { facet, key, value, as_of: (at, at + 100), epoch: None, part: 0, last: true }
    }

    pub fn content(&self) -> landing::Content {
        let collection = by_facet(self.facet).unwrap();
        let grain = match collection.grain {
            crate::collect::Grain::Object => Grain::Object,
            crate::collect::Grain::Page => Grain::Page,
            crate::collect::Grain::Ids => Grain::Ids,
        };
        landing::Content::Observation(Observation {
            collection: collection.name.into(),
            facet: self.facet.into(),
            grain,
            key: self.key.into(),
            epoch: self.epoch,
            as_of: self.as_of,
            part: self.part,
            last: self.last,
        })
    }
}
