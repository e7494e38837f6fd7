use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::cards::{Answer, Card, GroupCard, Thing};
use crate::ocsf::{AppCard, DeviceCard, Lookup, UserCard};
use crate::okta::OrgId;

/// Memory for cards, bytes: most of 100,000 people with 20 groups each, at about 1 kB. By `okta-ocsf bench merge` an event of
/// somebody who is not found here takes the fold several times as long; a worker has 300 MiB in all.
const MOST_BYTES: usize = 96 << 20;

/// Answers for different times that are remembered of one thing: of now, and of what a reading of history is going
/// through.
const MOST_ANSWERS: usize = 3;

/// What an entry takes beside its id and its cards: its place in the table, and what the allocator adds.
const ENTRY_BYTES: usize = 128;

/// Answers that were given, to be given again. It only remembers: whoever changes the state says so, and then it
/// forgets. Bounded by bytes: what was not asked for while half of them filled up is forgotten.
#[derive(Debug)]
pub struct Cards {
    orgs: HashMap<OrgId, OrgCards>,
    young_bytes: usize,
    most_bytes: usize,
}

/// What is remembered of an org.
#[derive(Debug, Default)]
pub struct OrgCards {
    pub users: Shelf<UserCard>,
    pub apps: Shelf<AppCard>,
    pub devices: Shelf<DeviceCard>,
    pub groups: Shelf<GroupCard>,
    names: Names,
    is_read: [Option<bool>; Thing::COUNT],
}

/// Answers by id: those that were asked for lately, and before.
#[derive(Debug)]
pub struct Shelf<C> {
    young: HashMap<Box<str>, Vec<Answer<C>>>,
    old: HashMap<Box<str>, Vec<Answer<C>>>,
}

/// Texts that many cards share.
#[derive(Debug, Default)]
pub struct Names(HashSet<Arc<str>>);

impl Default for Cards {
    fn default() -> Self {
        Self { orgs: HashMap::new(), young_bytes: 0, most_bytes: MOST_BYTES }
    }
}

impl Cards {
    /// The answer for a time, if it is remembered.
    pub fn find<C: Card>(&mut self, org: &OrgId, id: &str, at: i64) -> Option<Lookup<C>> {
        let shelf = C::shelf(self.orgs.get_mut(org)?);
        if let Some(answers) = shelf.young.get(id) {
            return answered(answers, at);
        }
        let (id, answers) = shelf.old.remove_entry(id)?;
        let found = answered(&answers, at);
        let bytes = bytes(&id, &answers);
        shelf.young.insert(id, answers);
        self.grow(bytes);
        found
    }

    /// Remembers an answer.
    pub fn keep<C: Card>(&mut self, org: &OrgId, id: &str, answer: Answer<C>) {
        let shelf = C::shelf(self.org(org));
        let answers = shelf.young.entry(id.into()).or_default();
        let before = if answers.is_empty() { 0 } else { bytes(id, answers) };
        if answers.len() >= MOST_ANSWERS {
            answers.remove(0);
        }
        answers.push(answer);
        let after = bytes(id, answers);
        self.young_bytes = self.young_bytes.saturating_sub(before);
        self.grow(after);
    }

    /// Forgets what was said of something.
    pub fn forget(&mut self, org: &OrgId, thing: Thing, id: &str) {
        let Some(cards) = self.orgs.get_mut(org) else { return };
        let freed = match thing {
            Thing::User => cards.users.forget(id),
            Thing::Group => cards.groups.forget(id),
            Thing::App => cards.apps.forget(id),
            Thing::Device => cards.devices.forget(id),
        };
        self.young_bytes = self.young_bytes.saturating_sub(freed);
    }

    /// Forgets everything of an org.
    pub fn forget_org(&mut self, org: &OrgId) {
        // Its bytes stay counted until the next turn, which then comes early.
        self.orgs.remove(org);
    }

    /// Whether things of a type are read, if that is remembered.
    pub fn is_read(&self, org: &OrgId, thing: Thing) -> Option<bool> {
        self.orgs.get(org)?.is_read.get(thing as usize).copied().flatten()
    }

    pub fn keep_is_read(&mut self, org: &OrgId, thing: Thing, is_read: bool) {
        if let Some(place) = self.org(org).is_read.get_mut(thing as usize) {
            *place = Some(is_read);
        }
    }

    /// Forgets which types of things are read.
    pub fn forget_what_is_read(&mut self, org: &OrgId) {
        if let Some(cards) = self.orgs.get_mut(org) {
            cards.is_read = Default::default();
        }
    }

    /// The names that the cards of an org share.
    pub fn names(&mut self, org: &OrgId) -> &mut Names {
        &mut self.org(org).names
    }

    fn org(&mut self, org: &OrgId) -> &mut OrgCards {
        self.orgs.entry(org.clone()).or_default()
    }

    fn grow(&mut self, bytes: usize) {
        self.young_bytes += bytes;
        if self.young_bytes > self.most_bytes / 2 {
            self.young_bytes = 0;
            self.orgs.values_mut().for_each(OrgCards::turn);
        }
    }
}

impl OrgCards {
    /// What was asked for lately was asked for before, from now on.
    fn turn(&mut self) {
        self.users.turn();
        self.apps.turn();
        self.devices.turn();
        self.groups.turn();
        self.names.0.retain(|name| Arc::strong_count(name) > 1);
    }
}

impl<C: Card> Shelf<C> {
    /// Gives the bytes that are free then among the young.
    fn forget(&mut self, id: &str) -> usize {
        self.old.remove(id);
        self.young.remove(id).map_or(0, |answers| bytes(id, &answers))
    }
}

impl<C> Shelf<C> {
    fn turn(&mut self) {
        self.old = std::mem::take(&mut self.young);
    }
}

impl<C> Default for Shelf<C> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl Names {
    /// The text, once for all who have it.
    pub fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = Arc::from(name);
        self.0.insert(Arc::clone(&name));
        name
    }
}

fn answered<C>(answers: &[Answer<C>], at: i64) -> Option<Lookup<C>> {
    answers.iter().rev().find(|answer| answer.is_for(at)).map(|answer| answer.at(at))
}

fn bytes<C: Card>(id: &str, answers: &[Answer<C>]) -> usize {
    ENTRY_BYTES + id.len() + answers.iter().map(Answer::bytes).sum::<usize>()
}
