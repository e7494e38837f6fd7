//! What the inventory knows of whom and what an event names, as of the event.
//!
//! It goes into the attributes that OCSF has for it, where the event itself says nothing: nothing is ever replaced. And
//! for each person or thing there is one enrichment, which says how old the knowledge is and how sure, and holds what OCSF
//! has no attribute for. `user`, `device` and `app` write both for their kind; `entry` what every enrichment has.
//!
//! What is added is bounded, whatever the inventory holds: so many people, so many groups, no long texts.

mod app;
mod device;
mod entry;
mod groups;
mod settings;
mod user;

use std::borrow::Cow;

pub use device::SaidOfDevice;
pub use settings::{Enrichment, Field};
pub use user::SaidOfUser;

use super::event::{Event, Role};
use super::knowledge::{AppCard, Confidence, DeviceCard, Knowledge, Lookup, Sighted, UserCard};
use super::parts::people::{Being, being};
use super::privacy::{Pseudonyms, Values, Veil};
use super::writer::{Writer, saying};
use crate::json::Value;
use crate::okta::{Party, present};
use settings::Sort;

/// How many people, applications and devices of one event are looked up, of each kind. An event names one or two; those
/// that list many are about the list.
const MOST_SUBJECTS: usize = 10;

/// Longer texts of the inventory are left out, in bytes. Names of groups, the longest that matter, have at most 255
/// characters.
const LONGEST_TEXT: usize = 512;

/// Roles and factors beyond this are counted only. People have a few.
const MOST_LISTED: usize = 20;

/// What events are enriched by, and how.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub enrichment: &'a Enrichment,
    pub knowledge: &'a dyn Knowledge,
    pub veil: Option<&'a Veil>,
    /// The event was read from the past, long after it happened.
    pub is_historical: bool,
    /// When it happened, ms since the Unix epoch.
    pub time: i64,
}

/// What is known of whom and what an event names.
#[derive(Default)]
pub struct Background<'a> {
    context: Option<Context<'a>>,
    subjects: Vec<Subject<'a>>,
}

/// Somebody or something that the event names.
struct Subject<'a> {
    id: Value<'a>,
    /// Another value by which the record may name it.
    alternate: Option<Value<'a>>,
    fact: Fact,
}

/// What is known of it.
enum Fact {
    User(Lookup<UserCard>),
    App(Lookup<AppCard>),
    Device(Lookup<DeviceCard>),
}

impl<'a> Background<'a> {
    /// Asks for everybody and everything that an event names.
    pub fn of(event: &Event<'a>, context: Context<'a>) -> Self {
        let mut background = Self { context: Some(context), subjects: Vec::new() };
        let actor = Some(event.actor);
        background.gather(actor.filter(is_user).into_iter().chain(event.targets_of(Role::User)), |id| {
            Fact::User(context.knowledge.user(id))
        });
        if context.enrichment.has(Field::Application) {
            let apps = event.targets_of(Role::App).chain(event.targets_of(Role::Client));
            let actor = actor.filter(|actor| being(actor) == Being::Service);
            background.gather(actor.into_iter().chain(apps), |id| Fact::App(context.knowledge.app(id)));
        }
        if context.enrichment.has(Field::Device) {
            let own = Party { id: event.device.id, ..Party::default() };
            background.gather([own].into_iter().chain(event.targets_of(Role::Device)), |id| {
                Fact::Device(context.knowledge.device(id))
            });
        }
        background
    }

    fn gather(&mut self, parties: impl Iterator<Item = Party<'a>>, look_up: impl Fn(&str) -> Fact) {
        let first = self.subjects.len();
        let mut distinct = 0;
        for party in parties {
            let Some(id) = saying(party.id) else { continue };
            let known = self.subjects.iter().skip(first).find(|subject| subject.id.span() == id.span());
            let fact = match known {
                Some(subject) => subject.fact.clone(),
                None if distinct == MOST_SUBJECTS => continue,
                None => {
                    distinct += 1;
                    look_up(&id.decoded())
                }
            };
            self.subjects.push(Subject { id, alternate: party.alternate_id, fact });
        }
    }

    /// Adds what is known of everybody and must be hidden, to be looked for in the texts of the event.
    pub fn note(&self, pseudonyms: &Pseudonyms, values: &mut Values) {
        for subject in &self.subjects {
            let known = match &subject.fact {
                Fact::User(Lookup::Found(sighted)) => user::personal(&sighted.card),
                Fact::App(Lookup::Found(sighted)) => app::personal(&sighted.card),
                Fact::Device(Lookup::Found(sighted)) => device::personal(&sighted.card),
                _ => Vec::new(),
            };
            let hashed = known.into_iter().filter(|(kind, _)| pseudonyms.hashes(*kind));
            hashed.filter_map(|(_, text)| text).for_each(|text| values.add(text));
        }
    }

    /// Adds to a user what is known and the event does not say.
    pub fn complete_user(&self, w: &mut Writer<'_>, party: &Party<'_>, said: SaidOfUser) {
        let Some(context) = &self.context else { return };
        let lookup =
            self.facts(party.id).find_map(|fact| if let Fact::User(lookup) = fact { Some(lookup) } else { None });
        if let Some(sighted) = lookup.filter(|_| is_user(party)).and_then(|lookup| context.usable(lookup)) {
            user::attributes(w, context, &sighted.card, said);
        }
    }

    /// Adds to a device what is known and the event does not say.
    pub fn complete_device(&self, w: &mut Writer<'_>, id: Option<Value<'_>>, said: SaidOfDevice) {
        let Some(context) = &self.context else { return };
        let lookup = self.facts(id).find_map(|fact| if let Fact::Device(lookup) = fact { Some(lookup) } else { None });
        if let Some(sighted) = lookup.and_then(|lookup| context.usable(lookup)) {
            device::attributes(w, context, &sighted.card, said);
        }
    }

    /// What is known of an id.
    fn facts(&self, id: Option<Value<'_>>) -> impl Iterator<Item = &Fact> {
        let id = saying(id).map(Value::span);
        self.subjects.iter().filter(move |subject| Some(subject.id.span()) == id).map(|subject| &subject.fact)
    }

    /// One enrichment for each that stands in the record.
    pub fn entries(&self, w: &mut Writer<'_>) {
        let Some(context) = &self.context else { return };
        for (at, subject) in self.subjects.iter().enumerate() {
            let before = self.subjects.iter().take(at).filter(|before| before.is_same(subject));
            if before.into_iter().any(|before| before.place(w).is_some()) {
                continue;
            }
            if let Some(place) = subject.place(w) {
                entry::write(w, context, place, &subject.fact);
            }
        }
    }
}

impl<'a> Subject<'a> {
    /// The value by which it stands in the record.
    fn place(&self, w: &Writer<'_>) -> Option<Value<'a>> {
        [Some(self.id), self.alternate].into_iter().flatten().find(|value| w.has_noted(*value))
    }

    fn is_same(&self, other: &Self) -> bool {
        self.id.span() == other.id.span() && std::mem::discriminant(&self.fact) == std::mem::discriminant(&other.fact)
    }
}

impl Clone for Fact {
    fn clone(&self) -> Self {
        match self {
            Self::User(lookup) => Self::User(lookup.clone()),
            Self::App(lookup) => Self::App(lookup.clone()),
            Self::Device(lookup) => Self::Device(lookup.clone()),
        }
    }
}

impl Context<'_> {
    /// What may be added to the record. To an event of the past only what was seen before it: what somebody is today says
    /// nothing of who they were then.
    fn usable<'l, T>(&self, lookup: &'l Lookup<T>) -> Option<&'l Sighted<T>> {
        match lookup {
            Lookup::Found(sighted) if sighted.confidence == Confidence::AsOf || !self.is_historical => Some(sighted),
            _ => None,
        }
    }

    fn has(&self, field: Field) -> bool {
        self.enrichment.has(field)
    }

    /// A text of a card as a record may show it; nothing of one that says nothing or is too long.
    fn shown<'t>(&self, sort: Sort, text: &'t str) -> Option<Cow<'t, str>> {
        let text = present(text).filter(|text| text.len() <= LONGEST_TEXT)?;
        Some(match self.veil {
            Some(veil) => veil.pseudonyms.shown(sort, text, &veil.values),
            None => Cow::Borrowed(text),
        })
    }

    /// Writes a text of a card. Whether it did.
    fn text(&self, w: &mut Writer<'_>, name: &'static str, sort: Sort, text: Option<&str>) -> bool {
        let Some(text) = text.and_then(|text| self.shown(sort, text)) else { return false };
        w.text(name, &text);
        true
    }
}

/// A person who may be in the inventory: an account in an application has an id of its own.
fn is_user(party: &Party<'_>) -> bool {
    party.kind.is_some_and(|kind| kind.is("User") || kind.is("NewUser"))
}
