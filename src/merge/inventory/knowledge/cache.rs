use std::sync::Arc;

use foldhash::fast::RandomState;
use foldhash::{HashMap, HashSet};
use indexmap::IndexMap;

use super::cards::{Answer, Card, GroupCard, Said, Thing, allocated};
use crate::ocsf::{AppCard, DeviceCard, GroupId, Lookup, UserCard};
use crate::okta::OrgId;

/// Memory for cards, bytes: 100,000 people with 20 groups each take 76 MB by this count. By `okta-ocsf bench merge` an event
/// of somebody who is not found here takes the fold ten times as long; a worker has 300 MiB in all.
const MOST_BYTES: usize = 96 << 20;

/// Answers for different times that are remembered of one thing: of now, and of what a reading of history is going
/// through.
const MOST_ANSWERS: usize = 3;

/// Answers that were given, to be given again. It only remembers: whoever changes the state says so, and then it
/// forgets. Bounded by bytes: beyond them what was not asked for lately is forgotten.
#[derive(Debug)]
pub struct Cards {
    orgs: HashMap<OrgId, OrgCards>,
    bytes: usize,
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

/// Answers by id. A hand goes around over them and takes whatever nobody has asked for since it came by last.
#[derive(Debug)]
pub struct Shelf<C> {
    entries: IndexMap<Id, Entry<C>, RandomState>,
    hand: usize,
    bytes: usize,
}

/// An id of Okta's. It stands in the table itself: every event asks for several, and each pointer to follow is a wait for
/// memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Id([u8; Thing::ID_LENGTH]);

#[derive(Debug)]
struct Entry<C> {
    /// The answer that was given last …
    answer: Answer<C>,
    /// … and those before it, mostly none.
    earlier: Vec<Answer<C>>,
    /// What it was counted for when it was put here.
    bytes: usize,
    asked_for: bool,
}

/// Texts that many cards share.
#[derive(Debug, Default)]
pub struct Names {
    texts: HashSet<Arc<str>>,
    groups: HashSet<GroupId>,
}

impl Default for Cards {
    fn default() -> Self {
        Self { orgs: HashMap::default(), bytes: 0, most_bytes: MOST_BYTES }
    }
}

impl Cards {
    /// The answer for a time, if it is remembered.
    pub fn find<C: Card>(&mut self, org: &OrgId, id: &str, at: i64) -> Option<Lookup<C>> {
        let entry = C::shelf(self.orgs.get_mut(org)?).entries.get_mut(&Id::of(id)?)?;
        entry.asked_for = true;
        entry.answers().find(|answer| answer.is_for(at)).map(|answer| answer.at(at))
    }

    /// Whether it is remembered that something was seen at any time.
    pub fn was_seen<C: Card>(&mut self, org: &OrgId, id: &str) -> bool {
        let Some((cards, id)) = self.orgs.get_mut(org).zip(Id::of(id)) else { return false };
        C::shelf(cards).entries.get_mut(&id).is_some_and(|entry| {
            entry.asked_for = true;
            !matches!(entry.answer.said, Said::Absent)
        })
    }

    /// Remembers an answer. Of what has no id of Okta's there is no more to say than that it was never seen.
    pub fn keep<C: Card>(&mut self, org: &OrgId, id: &str, answer: Answer<C>) {
        let Some(id) = Id::of(id) else { return };
        let (freed, taken) = C::shelf(self.org(org)).keep(id, answer);
        self.bytes = self.bytes - freed + taken;
        while self.bytes > self.most_bytes && self.forget_something() {}
    }

    /// Forgets what was said of something.
    pub fn forget(&mut self, org: &OrgId, thing: Thing, id: &str) {
        let Some(cards) = self.orgs.get_mut(org) else { return };
        self.bytes -= cards.shelf(thing).forget(id);
    }

    /// Forgets everything of an org.
    pub fn forget_org(&mut self, org: &OrgId) {
        let gone = self.orgs.remove(org);
        self.bytes -= gone.map_or(0, |cards| cards.bytes());
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

    /// From where most is. False if there is nothing.
    fn forget_something(&mut self) -> bool {
        let largest = self.orgs.values_mut().max_by_key(|cards| cards.bytes());
        let freed = largest.map_or(0, OrgCards::forget_something);
        self.bytes -= freed;
        freed > 0
    }
}

impl OrgCards {
    fn bytes(&self) -> usize {
        self.users.bytes + self.groups.bytes + self.apps.bytes + self.devices.bytes
    }

    fn forget_something(&mut self) -> usize {
        let shelves: [&mut dyn Forgetful; Thing::COUNT] =
            [&mut self.users, &mut self.groups, &mut self.apps, &mut self.devices];
        let Some(shelf) = shelves.into_iter().max_by_key(|shelf| shelf.bytes()) else { return 0 };
        let (freed, is_around) = shelf.forget_something();
        if is_around {
            self.names.tidy();
        }
        freed
    }

    fn shelf(&mut self, thing: Thing) -> &mut dyn Forgetful {
        match thing {
            Thing::User => &mut self.users,
            Thing::Group => &mut self.groups,
            Thing::App => &mut self.apps,
            Thing::Device => &mut self.devices,
        }
    }
}

/// A shelf of whatever cards.
trait Forgetful {
    fn bytes(&self) -> usize;

    /// Forgets a card; gives the bytes that are free then.
    fn forget(&mut self, id: &str) -> usize;

    /// Forgets the next card that nobody has asked for since the hand came by; gives the bytes that are free then, and
    /// whether the hand has gone around.
    fn forget_something(&mut self) -> (usize, bool);
}

impl<C> Forgetful for Shelf<C> {
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn forget(&mut self, id: &str) -> usize {
        let gone = Id::of(id).and_then(|id| self.entries.swap_remove(&id));
        let freed = gone.map_or(0, |entry| entry.bytes);
        self.bytes -= freed;
        freed
    }

    fn forget_something(&mut self) -> (usize, bool) {
        let mut is_around = false;
        loop {
            if self.hand >= self.entries.len() {
                (self.hand, is_around) = (0, true);
            }
            let Some((_, entry)) = self.entries.get_index_mut(self.hand) else { return (0, is_around) };
            if !std::mem::take(&mut entry.asked_for) {
                let freed = self.entries.swap_remove_index(self.hand).map_or(0, |(_, entry)| entry.bytes);
                self.bytes -= freed;
                // The newest has taken its place, whose turn it is not.
                self.hand += 1;
                return (freed, is_around);
            }
            self.hand += 1;
        }
    }
}

impl<C: Card> Shelf<C> {
    /// Gives the bytes that are free then, and those that are taken.
    fn keep(&mut self, id: Id, answer: Answer<C>) -> (usize, usize) {
        let entry = match self.entries.entry(id) {
            indexmap::map::Entry::Vacant(place) => {
                place.insert(Entry { answer, earlier: Vec::new(), bytes: 0, asked_for: false })
            }
            indexmap::map::Entry::Occupied(known) => {
                let entry = known.into_mut();
                if entry.earlier.len() + 1 >= MOST_ANSWERS {
                    entry.earlier.remove(0);
                }
                entry.earlier.push(std::mem::replace(&mut entry.answer, answer));
                entry
            }
        };
        let taken = entry.taken();
        let freed = std::mem::replace(&mut entry.bytes, taken);
        self.bytes = self.bytes - freed + taken;
        (freed, taken)
    }
}

impl<C> Entry<C> {
    /// The answers, the last one first.
    fn answers(&self) -> impl Iterator<Item = &Answer<C>> {
        std::iter::once(&self.answer).chain(self.earlier.iter().rev())
    }
}

impl<C: Card> Entry<C> {
    /// The bytes that it takes, with its place in the table, which is three quarters full.
    fn taken(&self) -> usize {
        let place = size_of::<(u64, Id, Self, usize)>() * 4 / 3;
        let earlier = allocated(self.earlier.capacity() * size_of::<Answer<C>>());
        place + earlier + self.answers().map(Answer::bytes).sum::<usize>()
    }
}

impl Id {
    fn of(id: &str) -> Option<Self> {
        id.as_bytes().try_into().ok().map(Self)
    }
}

impl<C> Default for Shelf<C> {
    fn default() -> Self {
        Self { entries: IndexMap::default(), hand: 0, bytes: 0 }
    }
}

impl Names {
    /// The text, once for all who have it.
    pub fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = Arc::from(text);
        self.texts.insert(Arc::clone(&text));
        text
    }

    /// The id, once for all who are in the group.
    pub fn group(&mut self, id: &str) -> GroupId {
        if let Some(known) = self.groups.get(id) {
            return known.clone();
        }
        let id = GroupId::from(id);
        self.groups.insert(id.clone());
        id
    }

    /// Lets go what no card has any more.
    fn tidy(&mut self) {
        self.texts.retain(|text| Arc::strong_count(text) > 1);
        self.groups.retain(|id| !id.is_unshared());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocsf::Confidence;

    fn user(login: &str) -> Answer<UserCard> {
        let card = Arc::new(UserCard { login: Some(login.into()), ..UserCard::default() });
        let said = Said::Known { card, confidence: Confidence::AsOf, since: 0, confirmed: 0 };
        Answer { from: i64::MIN, until: i64::MAX, said }
    }

    fn id(number: usize) -> String {
        format!("00u{number:017}")
    }

    fn remembers(cards: &mut Cards, org: &OrgId, number: usize) -> bool {
        cards.find::<UserCard>(org, &id(number), 0).is_some()
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes_when_there_is_no_room() {
        let (mut cards, org) = (Cards { most_bytes: 60_000, ..Cards::default() }, OrgId::new("acme"));
        for number in 0..1_000 {
            cards.keep(&org, &id(number), user("someone@example.com"));
            assert!(cards.bytes <= cards.most_bytes);
            assert!(remembers(&mut cards, &org, 0), "0 is asked for all the time");
        }
        let kept = (0..1_000).filter(|number| remembers(&mut cards, &org, *number)).count();
        assert!((50..500).contains(&kept), "{kept}");
    }

    #[test]
    fn an_org_with_few_cards_keeps_them_beside_one_with_many() {
        let (large, small) = (OrgId::new("large"), OrgId::new("small"));
        let mut cards = Cards { most_bytes: 60_000, ..Cards::default() };
        cards.keep(&small, &id(1), user("one@example.com"));
        for number in 0..1_000 {
            cards.keep(&large, &id(number), user("someone@example.com"));
        }
        assert!(remembers(&mut cards, &small, 1));
    }

    #[test]
    fn what_is_forgotten_is_not_counted_any_more() {
        let (mut cards, org) = (Cards::default(), OrgId::new("acme"));
        for _ in 0..5 {
            cards.keep(&org, &id(1), user("one@example.com"));
        }
        cards.keep(&org, &id(2), user("two@example.com"));
        cards.forget(&org, Thing::User, &id(1));
        assert!(!remembers(&mut cards, &org, 1) && remembers(&mut cards, &org, 2));
        cards.forget(&org, Thing::User, &id(2));
        assert_eq!(cards.bytes, 0);
        cards.keep(&org, &id(3), user("three@example.com"));
        cards.forget_org(&org);
        assert_eq!(cards.bytes, 0);
    }

    #[test]
    fn names_that_nobody_has_any_more_go() {
        let mut names = Names::default();
        let (kept, group) = (names.shared("Payroll"), names.group("00g1"));
        assert!(Arc::ptr_eq(&kept, &names.shared("Payroll")));
        drop((names.shared("Sales"), names.group("00g2")));
        names.tidy();
        assert_eq!((names.texts.len(), names.groups.len()), (1, 1));
        assert!(names.groups.contains(&*group));
    }
}
