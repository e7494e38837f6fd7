//! Everything that exists in the org. Objects are derived from the seed; only what has changed since the start is
//! stored, so that a million people take no memory until something happens to them.

pub mod people;
pub mod relations;
pub mod seed;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Map, Value, json};

use crate::inventory::shapes;
use crate::world::relations::Relation;
use crate::world::seed::{Kind, Seed};

/// How long superseded revisions are kept for lagging replicas.
const HISTORY: SignedDuration = SignedDuration::from_mins(15);

/// What has become of an object, at one moment.
#[derive(Clone)]
pub struct Revision {
    pub at: Timestamp,
    /// Derived objects are version 1.
    pub version: u32,
    pub exists: bool,
    /// Laid over the derived object.
    pub patch: Map<String, Value>,
}

/// The state of an object as one reader sees it.
pub enum Seen<'a> {
    Missing,
    /// As derived.
    Untouched,
    Changed(&'a Revision),
}

/// Which state of the world a reader sees: the newest, or that of a moment ago.
pub type AsOf = Option<Timestamp>;

/// By the right side, when it was linked and unlinked.
type Changes = BTreeMap<u64, Vec<(Timestamp, bool)>>;

pub struct World {
    pub seed: Arc<Seed>,
    objects: HashMap<(Kind, u64), Vec<Revision>>,
    /// How many objects of a kind were made since the start.
    born: HashMap<Kind, u64>,
    /// Changes of who belongs to what, by the left side.
    edges: HashMap<(Relation, u64), Changes>,
}

impl World {
    pub fn new(seed: Arc<Seed>) -> Self {
        Self { seed, objects: HashMap::new(), born: HashMap::new(), edges: HashMap::new() }
    }

    pub fn id(&self, kind: Kind, index: u64) -> String {
        self.seed.id(kind, index)
    }

    /// One more than the highest index there is, counting what is gone.
    pub fn count(&self, kind: Kind) -> u64 {
        self.derived(kind) + self.born.get(&kind).copied().unwrap_or_default()
    }

    /// How many objects of the kind the org started with.
    fn derived(&self, kind: Kind) -> u64 {
        match kind {
            Kind::User | Kind::UserFactors | Kind::UserRoles => self.seed.users,
            Kind::Group | Kind::GroupRoles | Kind::GroupOwners => self.seed.groups,
            Kind::App => self.seed.apps,
            Kind::Device => self.seed.devices,
            other => shapes::count(&self.seed, other),
        }
    }

    pub fn see(&self, kind: Kind, index: u64, as_of: AsOf) -> Seen<'_> {
        let revisions = self.objects.get(&(kind, index)).map_or(&[][..], Vec::as_slice);
        let seen = revisions.iter().rev().find(|revision| as_of.is_none_or(|time| revision.at <= time));
        match seen {
            Some(revision) if revision.exists => Seen::Changed(revision),
            Some(_) => Seen::Missing,
            None if index < self.derived(kind) && shapes::taken(kind, index) => Seen::Untouched,
            None => Seen::Missing,
        }
    }

    pub fn exists(&self, kind: Kind, index: u64, as_of: AsOf) -> bool {
        !matches!(self.see(kind, index, as_of), Seen::Missing)
    }

    /// The whole object; links begin with `{base}`.
    pub fn object(&self, kind: Kind, index: u64, as_of: AsOf) -> Option<Value> {
        let seen = self.see(kind, index, as_of);
        if matches!(seen, Seen::Missing) {
            return None;
        }
        let mut object = shapes::derive(&self.seed, kind, index);
        if let Seen::Changed(revision) = seen {
            lay_over(&mut object, &revision.patch);
        }
        Some(object)
    }

    /// The same as JSON, without a tree in between where there need be none.
    pub fn text(&self, kind: Kind, index: u64, as_of: AsOf) -> Option<String> {
        match self.see(kind, index, as_of) {
            Seen::Untouched if kind == Kind::User => serde_json::to_string(&shapes::user(&self.seed, index)).ok(),
            _ => Some(self.object(kind, index, as_of)?.to_string()),
        }
    }

    /// The profile of a user.
    pub fn profile(&self, user: u64) -> Option<Value> {
        match self.see(Kind::User, user, None) {
            Seen::Untouched => Some(json!(shapes::profile(&self.seed, user))),
            _ => Some(self.object(Kind::User, user, None)?["profile"].take()),
        }
    }

    pub fn version(&self, kind: Kind, index: u64) -> u32 {
        match self.see(kind, index, None) {
            Seen::Changed(revision) => revision.version,
            _ => 1,
        }
    }

    /// Changes an object; `change` is laid over it. Nothing happens to what does not exist.
    pub fn change(&mut self, kind: Kind, index: u64, now: Timestamp, change: Value) {
        let next = match self.see(kind, index, None) {
            Seen::Missing => return,
            Seen::Untouched => Revision { at: now, version: 2, exists: true, patch: Map::new() },
            Seen::Changed(last) => Revision { at: now, version: last.version + 1, ..last.clone() },
        };
        self.push(kind, index, next, change);
    }

    /// Makes an object; `change` is laid over what the seed has for its index.
    pub fn create(&mut self, kind: Kind, now: Timestamp, change: Value) -> u64 {
        let index = self.count(kind);
        *self.born.entry(kind).or_default() += 1;
        self.push(kind, index, Revision { at: now, version: 1, exists: true, patch: Map::new() }, change);
        index
    }

    pub fn delete(&mut self, kind: Kind, index: u64, now: Timestamp) {
        let version = self.version(kind, index) + 1;
        self.push(kind, index, Revision { at: now, version, exists: false, patch: Map::new() }, json!({}));
    }

    fn push(&mut self, kind: Kind, index: u64, mut revision: Revision, change: Value) {
        let mut patch = Value::Object(std::mem::take(&mut revision.patch));
        if let Value::Object(change) = change {
            lay_over(&mut patch, &change);
        }
        if let Value::Object(patch) = patch {
            revision.patch = patch;
        }
        let oldest = revision.at - HISTORY;
        let revisions = self.objects.entry((kind, index)).or_default();
        revisions.push(revision);
        forget(revisions, oldest, |revision| revision.at);
    }
}

/// Drops what is superseded since before `oldest`.
fn forget<T>(history: &mut Vec<T>, oldest: Timestamp, at: impl Fn(&T) -> Timestamp) {
    let superseded = history.iter().skip(1).take_while(|next| at(next) < oldest).count();
    history.drain(..superseded);
}

/// Lays one object over another, member by member. Unlike in a merge patch, null is a value.
pub fn lay_over(object: &mut Value, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match (object.get_mut(name), value) {
            (Some(under @ Value::Object(_)), Value::Object(over)) => lay_over(under, over),
            _ => object[name.as_str()] = value.clone(),
        }
    }
}

/// A time as the management API writes it: to the second, whatever the fraction says.
pub fn stamp(time: Timestamp) -> String {
    format!("{}", time.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
}

/// The latest moment at which derived objects may have been touched.
pub fn dawn() -> Timestamp {
    Timestamp::constant(1_767_225_600, 0) // 2026-01-01T00:00:00Z
}

/// So many seconds before [`dawn`].
pub fn before_dawn(seconds: u64) -> Timestamp {
    dawn() - i64::try_from(seconds).unwrap_or_default().seconds()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        World::new(Arc::new(Seed::new("acme", 1, 100, 12, 10)))
    }

    #[test]
    fn a_lagging_reader_sees_what_was() {
        let mut world = world();
        let start = dawn() + 24.hours();
        world.change(Kind::User, 3, start, json!({ "status": "SUSPENDED" }));
        world.delete(Kind::User, 3, start + 10.seconds());
        let status = |as_of| world.object(Kind::User, 3, as_of).map(|user| user["status"].clone());
        assert!(status(Some(start - 1.seconds())).is_some());
        assert_eq!(status(Some(start)), Some(json!("SUSPENDED")));
        assert_eq!(status(None), None);

        let made = world.create(Kind::User, start, json!({}));
        assert_eq!(made, 100);
        assert!(!world.exists(Kind::User, made, Some(start - 1.seconds())));
        assert!(world.exists(Kind::User, made, None));
    }

    #[test]
    fn history_is_kept_only_as_long_as_a_replica_may_lag() {
        let mut world = world();
        for minute in 0..100 {
            world.change(Kind::User, 3, dawn() + minute.minutes(), json!({ "n": minute }));
        }
        assert!(world.objects[&(Kind::User, 3)].len() <= 17);
        assert_eq!(world.version(Kind::User, 3), 101);
    }
}
