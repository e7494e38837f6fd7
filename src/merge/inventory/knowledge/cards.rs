use std::sync::Arc;

use super::cache::{Names, OrgCards, Shelf};
use super::parse;
use crate::merge::StoreError;
use crate::merge::inventory::head::Standing;
use crate::merge::inventory::history::{Spell, spell};
use crate::merge::inventory::memberships::{self, Groups};
use crate::merge::inventory::slot::{Slot, by_facet};
use crate::merge::inventory::state;
use crate::merge::inventory::store::InventoryStore;
use crate::ocsf::{AppCard, Confidence, DeviceCard, Lookup, Sighted, UserCard};
use crate::okta::OrgId;

/// What events name and the inventory knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    User,
    Group,
    App,
    Device,
}

impl Thing {
    pub const COUNT: usize = 4;

    /// Characters of the ids of such things.
    pub const ID_LENGTH: usize = 20;

    /// The facet that tells it.
    fn facet(self) -> &'static str {
        match self {
            Self::User => "user.core",
            Self::Group => "group.core",
            Self::App => "app.core",
            Self::Device => "device",
        }
    }

    /// The slot that tells it.
    pub fn slot(self, org: &OrgId, id: &str) -> Option<Slot> {
        Slot::new(org, by_facet(self.facet())?, id)
    }

    /// Whose card says something of a slot.
    pub fn told_by(slot: &Slot) -> Option<(Self, &str)> {
        let thing = match slot.facet() {
            "user.core" | "user.factors" | "user.roles" | "user.groups" => Self::User,
            "group.core" => Self::Group,
            "app.core" => Self::App,
            "device" => Self::Device,
            _ => return None,
        };
        Some((thing, &slot.key))
    }

    /// What a type of target or actor is, if ids of that type name it.
    pub fn of_type(kind: &str) -> Option<Self> {
        Some(match kind {
            "User" => Self::User,
            "UserGroup" => Self::Group,
            "AppInstance" => Self::App,
            "UDDevice" | "Device" | "DeviceInstance" => Self::Device,
            _ => return None,
        })
    }

    /// Whether an id looks like Okta's of such a thing. Events name much else by the same types: system principals, old
    /// names, placeholders.
    pub fn may_have_id(self, id: &str) -> bool {
        let begins = match self {
            Self::User => "00u",
            Self::Group => "00g",
            Self::App => "0oa",
            Self::Device => "guo",
        };
        id.len() == Self::ID_LENGTH && id.starts_with(begins) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }
}

/// What is known of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupCard {
    pub name: Option<Arc<str>>,
}

/// The answer to a question, for all times from one on and before another.
#[derive(Debug, Clone)]
pub struct Answer<C> {
    pub from: i64,
    pub until: i64,
    pub said: Said<C>,
}

/// What is said.
#[derive(Debug, Clone)]
pub enum Said<C> {
    /// It was never seen.
    Absent,
    /// It was gone from this time on, at the latest.
    Gone(i64),
    /// It is known.
    Known {
        card: Arc<C>,
        confidence: Confidence,
        /// It was seen to be so at this time, at the earliest …
        since: i64,
        /// … and at this one, not before the first.
        confirmed: i64,
    },
}

impl<C> Answer<C> {
    pub fn is_for(&self, at: i64) -> bool {
        // Nothing ends at the end of time.
        self.from <= at && (at < self.until || self.until == i64::MAX)
    }

    /// The answer for a time that it is for.
    pub fn at(&self, at: i64) -> Lookup<C> {
        match &self.said {
            Said::Absent => Lookup::Missing,
            Said::Gone(since) => Lookup::Gone(*since),
            Said::Known { card, confidence, since, confirmed } => {
                let seen_between = *confidence == Confidence::AsOf && *confirmed > at;
                let as_of = if seen_between { *since } else { *confirmed };
                Lookup::Found(Sighted { card: Arc::clone(card), as_of, confidence: *confidence })
            }
        }
    }

    fn absent() -> Self {
        Self { from: i64::MIN, until: i64::MAX, said: Said::Absent }
    }
}

impl<C: Card> Answer<C> {
    /// How much memory it takes beside itself, about.
    pub fn bytes(&self) -> usize {
        match &self.said {
            Said::Known { card, .. } => card.bytes(),
            _ => 0,
        }
    }
}

/// Where a card is made from.
pub struct Source<'a, S> {
    pub store: &'a S,
    pub org: &'a OrgId,
    pub at: i64,
}

impl<S: InventoryStore> Source<'_, S> {
    fn spell(&self, facet: &str, id: &str) -> Result<Option<Spell>, StoreError> {
        let slot = by_facet(facet).and_then(|collection| Slot::new(self.org, collection, id));
        slot.map_or(Ok(None), |slot| spell(self.store, &slot, self.at))
    }

    /// When all lists of a facet had been read for the first time.
    fn known_since(&self, facet: &str) -> Result<Option<i64>, StoreError> {
        let slot = by_facet(facet).and_then(|collection| Slot::new(self.org, collection, ""));
        slot.map_or(Ok(None), |slot| Ok(state::ledger(self.store, &slot)?.known_since))
    }

    /// The card of something that is told by one slot.
    fn one<C: Card>(&self, id: &str, read: impl FnOnce(&[u8]) -> C) -> Result<Answer<C>, StoreError> {
        let Some(spell) = self.spell_of::<C>(id)? else { return Ok(Answer::absent()) };
        let card = spell.body.as_deref().map(read).unwrap_or_default();
        Ok(answer(&spell, (spell.from, spell.until), card))
    }

    fn spell_of<C: Card>(&self, id: &str) -> Result<Option<Spell>, StoreError> {
        self.spell(C::THING.facet(), id)
    }
}

fn answer<C>(core: &Spell, (from, until): (i64, i64), card: C) -> Answer<C> {
    let said = match &core.head.standing {
        Standing::Gone(tombstone) => Said::Gone(tombstone.since),
        Standing::Live(version) => Said::Known {
            card: Arc::new(card),
            confidence: if core.seen_by_then { Confidence::AsOf } else { Confidence::CurrentState },
            since: version.since,
            confirmed: core.head.confirmed_as_of.max(version.since),
        },
    };
    Answer { from, until, said }
}

/// What an event is enriched with.
pub trait Card: Default + Sized {
    const THING: Thing;

    /// Makes it of what is known.
    fn find<S: InventoryStore>(source: &Source<'_, S>, id: &str, names: &mut Names)
    -> Result<Answer<Self>, StoreError>;

    /// Where such cards are remembered.
    fn shelf(cards: &mut OrgCards) -> &mut Shelf<Self>;

    /// How much memory it takes, about, with the pointer's counts.
    fn bytes(&self) -> usize;
}

impl Card for UserCard {
    const THING: Thing = Thing::User;

    /// A card is of one time. What was read of a person only after the event is left out of a card of who they were
    /// when it happened; a card of who they are now holds all that is known now.
    fn find<S: InventoryStore>(
        source: &Source<'_, S>,
        id: &str,
        names: &mut Names,
    ) -> Result<Answer<Self>, StoreError> {
        let Some(core) = source.spell_of::<Self>(id)? else { return Ok(Answer::absent()) };
        let window = (core.from, core.until);
        let Some(body) = &core.body else { return Ok(answer(&core, window, Self::default())) };
        let at = if core.seen_by_then { source.at } else { i64::MAX };
        let mut parts = Parts { source: Source { at, ..*source }, seen_by_then: core.seen_by_then, window };
        let mut card = parse::user(body, names);
        card.factors = parts.list("user.factors", id)?.map(|list| parse::factors(&list));
        card.roles = parts.list("user.roles", id)?.map(|list| parse::roles(&list));
        if card.roles.is_none() && parts.all_read("user.roles")? {
            // Only who has roles has a list of them.
            card.roles = Some(Box::default());
        }
        let groups = parts.groups(id)?;
        card.groups = groups.map(|ids| ids.iter().map(|id| names.group(id)).collect());
        Ok(answer(&core, parts.window, card))
    }

    fn shelf(cards: &mut OrgCards) -> &mut Shelf<Self> {
        &mut cards.users
    }

    fn bytes(&self) -> usize {
        let own = [&self.login, &self.display_name, &self.employee_number];
        let own: usize = own.into_iter().flatten().map(|text| shared_text(text)).sum();
        let email = self.email.as_ref().filter(|email| self.login.as_ref() != Some(email));
        let factors = self.factors.iter().flatten();
        let factors = factors.map(|one| size_of_val(one) + texts(&[&one.kind, &one.provider, &one.status]));
        let roles = self.roles.iter().flatten().map(|one| size_of_val(one) + texts(&[&one.kind, &one.label]));
        let groups = self.groups.as_ref().map_or(0, |groups| allocated(size_of_val(&**groups)));
        allocated(COUNTS + size_of::<Self>())
            + own
            + email.map_or(0, |text| shared_text(text))
            + factors.sum::<usize>()
            + roles.sum::<usize>()
            + groups
    }
}

/// What an `Arc` counts beside what it holds.
const COUNTS: usize = 2 * size_of::<usize>();

/// What the allocator takes for so many bytes: as glibc's does, which is the least that any takes.
pub fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + size_of::<usize>()).next_multiple_of(16).max(32) }
}

pub fn shared_text(text: &str) -> usize {
    allocated(COUNTS + text.len())
}

fn texts(texts: &[&Option<String>]) -> usize {
    texts.iter().filter_map(|text| text.as_ref()).map(|text| allocated(text.capacity())).sum()
}

/// What is known of a person beside their profile, for a card of some time.
struct Parts<'a, S> {
    source: Source<'a, S>,
    /// Whether the card is of who they were then.
    seen_by_then: bool,
    /// The card is the same for all times in this one.
    window: (i64, i64),
}

impl<S: InventoryStore> Parts<'_, S> {
    fn list(&mut self, facet: &str, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(spell) = self.source.spell(facet, id)? else { return Ok(None) };
        self.narrow(spell.from, spell.until);
        Ok(spell.body.filter(|_| spell.seen_by_then))
    }

    fn groups(&mut self, id: &str) -> Result<Option<Vec<String>>, StoreError> {
        let found = memberships::groups(self.source.store, self.source.org, id, self.source.at)?;
        let Some(Groups { ids, from, until, seen_by_then }) = found else { return Ok(None) };
        self.narrow(from, until);
        Ok(Some(ids).filter(|_| seen_by_then))
    }

    fn all_read(&mut self, facet: &str) -> Result<bool, StoreError> {
        let Some(since) = self.source.known_since(facet)? else { return Ok(false) };
        let is_known = since <= self.source.at;
        let (from, until) = if is_known { (since, i64::MAX) } else { (i64::MIN, since) };
        self.narrow(from, until);
        Ok(is_known)
    }

    /// What is known now is so whenever it is asked for.
    fn narrow(&mut self, from: i64, until: i64) {
        if self.seen_by_then {
            self.window = (self.window.0.max(from), self.window.1.min(until));
        }
    }
}

impl Card for AppCard {
    const THING: Thing = Thing::App;

    fn find<S: InventoryStore>(source: &Source<'_, S>, id: &str, _: &mut Names) -> Result<Answer<Self>, StoreError> {
        source.one(id, parse::app)
    }

    fn shelf(cards: &mut OrgCards) -> &mut Shelf<Self> {
        &mut cards.apps
    }

    fn bytes(&self) -> usize {
        let texts = [&self.name, &self.label, &self.status, &self.sign_on_mode, &self.owner];
        allocated(COUNTS + size_of::<Self>()) + self::texts(&texts)
    }
}

impl Card for DeviceCard {
    const THING: Thing = Thing::Device;

    fn find<S: InventoryStore>(source: &Source<'_, S>, id: &str, _: &mut Names) -> Result<Answer<Self>, StoreError> {
        source.one(id, parse::device)
    }

    fn shelf(cards: &mut OrgCards) -> &mut Shelf<Self> {
        &mut cards.devices
    }

    fn bytes(&self) -> usize {
        let texts = [
            &self.display_name,
            &self.status,
            &self.platform,
            &self.os_version,
            &self.serial_number,
            &self.management_status,
            &self.disk_encryption,
        ];
        allocated(COUNTS + size_of::<Self>()) + self::texts(&texts)
    }
}

impl Card for GroupCard {
    const THING: Thing = Thing::Group;

    fn find<S: InventoryStore>(source: &Source<'_, S>, id: &str, _: &mut Names) -> Result<Answer<Self>, StoreError> {
        source.one(id, |body| Self { name: parse::group_name(body) })
    }

    fn shelf(cards: &mut OrgCards) -> &mut Shelf<Self> {
        &mut cards.groups
    }

    fn bytes(&self) -> usize {
        allocated(COUNTS + size_of::<Self>()) + self.name.as_deref().map_or(0, shared_text)
    }
}
