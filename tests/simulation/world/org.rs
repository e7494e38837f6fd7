//! The org as it is in truth, and as Okta shows it.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use okta_ocsf::landing::Grain;

use super::random::Random;

/// A facet of a thing.
#[derive(Debug, PartialEq, Eq)]
pub struct Facet {
    pub name: &'static str,
    pub collection: &'static str,
    pub grain: Grain,
    /// Its lists are read as a re-read of what should not have changed.
    pub audit: bool,
}

const fn facet(name: &'static str, collection: &'static str, grain: Grain, audit: bool) -> Facet {
    Facet { name, collection, grain, audit }
}

/// A type of thing: its facets, the thing itself first.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// What ids begin with.
    pub prefix: &'static str,
    /// As events name it.
    pub target: &'static str,
    pub facets: &'static [Facet],
}

pub static USER: Kind = Kind {
    prefix: "00u",
    target: "User",
    facets: &[
        facet("user.core", "users", Grain::Object, false),
        facet("user.factors", "user_factors", Grain::Page, true),
        facet("user.roles", "role_assignments", Grain::Page, false),
    ],
};
pub static GROUP: Kind = Kind {
    prefix: "00g",
    target: "UserGroup",
    facets: &[
        facet("group.core", "groups", Grain::Object, false),
        facet("group.members", "group_members", Grain::Ids, false),
    ],
};
pub static APP: Kind = Kind {
    prefix: "0oa",
    target: "AppInstance",
    facets: &[
        facet("app.core", "apps", Grain::Object, false),
        facet("app.users", "app_users", Grain::Page, false),
        facet("app.groups", "app_groups", Grain::Page, false),
    ],
};
pub static KINDS: [&Kind; 3] = [&USER, &GROUP, &APP];

/// A version of a facet.
#[derive(Debug, Clone, Copy)]
pub struct Version {
    pub began: i64,
    /// An event tells of it.
    pub announced: bool,
}

/// A thing, over time.
#[derive(Debug)]
pub struct Thing {
    pub kind: &'static Kind,
    pub id: String,
    /// The versions of each facet; the first are the creation.
    pub facets: Vec<Vec<Version>>,
    pub gone: Option<Version>,
}

impl Thing {
    pub fn is_there(&self, at: i64) -> bool {
        self.facets[0][0].began <= at && self.gone.is_none_or(|gone| at < gone.began)
    }

    /// The version of a facet at a moment.
    pub fn version(&self, facet: usize, at: i64) -> Option<usize> {
        self.facets[facet].iter().rposition(|version| version.began <= at).filter(|_| self.is_there(at))
    }

    /// What a facet says at a moment, in pages; nothing if it is not there.
    pub fn shown(&self, facet: usize, at: i64) -> Option<Vec<String>> {
        let version = self.version(facet, at)?;
        Some(match self.kind.facets[facet].grain {
            Grain::Object => vec![self.object(version, at)],
            // Of a list the first page stays, and the second says which version it is.
            Grain::Page => vec![r#"[{"id":"stays"}]"#.into(), format!(r#"[{{"id":"moves","says":"{version}"}}]"#)],
            Grain::Ids => vec![r#"["00ustays"]"#.into(), format!(r#"["00umoves{version}"]"#)],
        })
    }

    fn object(&self, version: usize, at: i64) -> String {
        let (id, updated) = (&self.id, second(self.facets[0][version].began));
        let members = self.facets.get(1).filter(|_| *self.kind == GROUP);
        let members = members.and_then(|versions| versions.iter().rfind(|one| one.began <= at));
        let members = members.map(|one| format!(r#","lastMembershipUpdated":"{}""#, second(one.began)));
        format!(r#"{{"id":"{id}","says":"{version}","lastUpdated":"{updated}"{}}}"#, members.unwrap_or_default())
    }

    /// When the thing itself, or who is in it, changed last.
    pub fn changed(&self, at: i64) -> Option<i64> {
        let seen = if *self.kind == GROUP { 2 } else { 1 };
        let began = self.facets.iter().take(seen).flatten().map(|version| version.began);
        began.filter(|began| *began <= at).max()
    }
}

/// Okta shows whole seconds.
fn second(ms: i64) -> Timestamp {
    Timestamp::from_second(ms.div_euclid(1_000)).unwrap()
}

/// Which version a body says that it is.
pub fn says(body: &[u8]) -> usize {
    let text = std::str::from_utf8(body).unwrap();
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest);
    let rest = after(r#""says":""#).or_else(|| after("00umoves")).unwrap_or("?");
    rest.split('"').next().and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
}

/// What an event tells.
#[derive(Debug)]
pub struct Told {
    pub at: i64,
    pub event_type: &'static str,
    /// Things, by their place in [`Org::things`].
    pub targets: Vec<usize>,
}

#[derive(Debug, Default)]
pub struct Org {
    pub things: Vec<Thing>,
    by_id: HashMap<String, usize>,
    /// Things of each kind, in the order of their ids.
    listed: BTreeMap<(&'static str, String), usize>,
    /// Half of all things cannot be seen.
    pub narrowed: bool,
    pub mutations: u64,
}

impl Org {
    pub fn find(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub fn is_hidden(&self, thing: usize) -> bool {
        self.narrowed && thing.is_multiple_of(2)
    }

    pub fn create(&mut self, random: &mut Random, kind: &'static Kind, at: i64, announced: bool) -> usize {
        let thing = self.things.len();
        // New things come anywhere in the order of the ids.
        let id = format!("{}{:04x}{thing}", kind.prefix, random.below(0x1_0000));
        let created = Version { began: at, announced };
        let parts = Version { began: at, announced: false };
        let facets = (0..kind.facets.len()).map(|facet| vec![if facet == 0 { created } else { parts }]).collect();
        self.by_id.insert(id.clone(), thing);
        self.listed.insert((kind.prefix, id.clone()), thing);
        self.things.push(Thing { kind, id, facets, gone: None });
        self.mutations += 1;
        thing
    }

    /// A new version of a facet; gives when it began.
    fn change(&mut self, thing: usize, facet: usize, at: i64, announced: bool) -> i64 {
        let versions = &mut self.things[thing].facets[facet];
        let began = versions.last().map_or(at, |last| at.max(last.began + 1));
        versions.push(Version { began, announced });
        self.mutations += 1;
        began
    }

    fn delete(&mut self, thing: usize, at: i64) -> i64 {
        let thing = &mut self.things[thing];
        let last = thing.facets.iter().flatten().map(|version| version.began).max();
        let began = last.map_or(at, |last| at.max(last + 1));
        thing.gone = Some(Version { began, announced: true });
        self.mutations += 1;
        began
    }

    fn there(&self, kind: &'static Kind, at: i64) -> Vec<usize> {
        let last = |thing: &Thing| thing.gone.is_none() && thing.is_there(at);
        let things = self.things.iter().enumerate();
        things.filter(|(_, thing)| thing.kind == kind && last(thing)).map(|(place, _)| place).collect()
    }

    /// Something happens; gives the events about it.
    pub fn mutate(&mut self, random: &mut Random, at: i64, quietly: bool) -> Vec<Told> {
        let kind = match random.below(10) {
            0..=5 => &USER,
            6 | 7 => &GROUP,
            _ => &APP,
        };
        let there = self.there(kind, at);
        let choice = random.below(12);
        let Some(thing) = random.pick(&there).filter(|_| choice > 0) else {
            let thing = self.create(random, kind, at, true);
            return vec![told(at, created(kind), vec![thing])];
        };
        match (kind.prefix, choice) {
            (_, 1) if there.len() > 3 => self.end(random, thing, at),
            ("00u", 2..=4) => {
                let event_type = random.pick(&FACTOR_EVENTS).unwrap_or_default();
                vec![told(self.change(thing, 1, at, true), event_type, vec![thing])]
            }
            ("00u", 5) => {
                let event_type = random.pick(&ROLE_EVENTS).unwrap_or_default();
                vec![told(self.change(thing, 2, at, true), event_type, vec![thing])]
            }
            ("00u", 6) => {
                // Twice within a second.
                let first = self.change(thing, 0, at, true);
                let second = self.change(thing, 0, first + random.ms(1, 900), true);
                [first, second].map(|at| told(at, "user.account.update_profile", vec![thing])).into()
            }
            ("00u", _) => {
                let event_type = random.pick(&USER_EVENTS).unwrap_or_default();
                vec![told(self.change(thing, 0, at, true), event_type, vec![thing])]
            }
            // A rule moves people without a word.
            ("00g", 2 | 3) if quietly => {
                self.change(thing, 1, at, false);
                Vec::new()
            }
            ("00g", 2..=8) => {
                let user = random.pick(&self.there(&USER, at));
                let event_type = random.pick(&MEMBER_EVENTS).unwrap_or_default();
                let targets = user.into_iter().chain([thing]).collect();
                vec![told(self.change(thing, 1, at, true), event_type, targets)]
            }
            ("00g", _) => vec![told(self.change(thing, 0, at, true), "group.profile.update", vec![thing])],
            (_, 2..=6) => {
                let user = random.pick(&self.there(&USER, at));
                let event_type = random.pick(&ASSIGN_EVENTS).unwrap_or_default();
                let targets = user.into_iter().chain([thing]).collect();
                vec![told(self.change(thing, 1, at, true), event_type, targets)]
            }
            (_, 7 | 8) => {
                vec![told(self.change(thing, 2, at, true), "group.application_assignment.add", vec![thing])]
            }
            _ => vec![told(self.change(thing, 0, at, true), "application.lifecycle.update", vec![thing])],
        }
    }

    /// Something is deleted. A user leaves groups and apps without a word.
    fn end(&mut self, random: &mut Random, thing: usize, at: i64) -> Vec<Told> {
        let kind = self.things[thing].kind;
        let began = self.delete(thing, at);
        match kind.prefix {
            "00u" => {
                let left: Vec<_> = self.there(&GROUP, at).into_iter().chain(self.there(&APP, at)).collect();
                if let Some(left) = random.pick(&left) {
                    self.change(left, 1, began, false);
                }
                let initiated = told(began - random.ms(0, 50), "user.lifecycle.delete.initiated", vec![thing]);
                vec![initiated, told(began, "user.lifecycle.delete.completed", vec![thing])]
            }
            "00g" => vec![told(began, "group.lifecycle.delete", vec![thing])],
            _ => vec![told(began, "application.lifecycle.delete", vec![thing])],
        }
    }

    /// Many users change at once; not of all of them there is an event.
    pub fn import(&mut self, random: &mut Random, at: i64) -> Vec<Told> {
        let mut events = Vec::new();
        for thing in self.there(&USER, at) {
            if random.once_in(3) {
                continue;
            }
            let announced = !random.once_in(8);
            let began = self.change(thing, 0, at + random.ms(0, 3_000), announced);
            if announced {
                events.push(told(began, "system.import.user.update", vec![thing]));
            }
        }
        events
    }

    /// A page of the things of a kind as they were at a moment, hidden ones left out, and the last id of it if there is
    /// another page.
    pub fn page(&self, kind: &'static Kind, after: &str, size: usize, at: i64) -> (Vec<usize>, Option<String>) {
        let from = std::ops::Bound::Excluded((kind.prefix, after.to_owned()));
        let rows =
            self.listed.range((from, std::ops::Bound::Unbounded)).take_while(|((prefix, _), _)| *prefix == kind.prefix);
        let mut rows = rows.map(|(_, thing)| *thing).filter(|thing| self.things[*thing].is_there(at));
        let page: Vec<_> = rows.by_ref().take(size).collect();
        let last = page.last().filter(|_| rows.next().is_some()).map(|thing| self.things[*thing].id.clone());
        (page, last)
    }

    pub fn targets(&self, told: &Told) -> String {
        let target = |thing: &usize| {
            let Thing { kind, id, .. } = &self.things[*thing];
            // A name that may be another's tomorrow.
            format!(r#"{{"id":"{id}","type":"{}","alternateId":"name{}@acme.example"}}"#, kind.target, thing % 7)
        };
        told.targets.iter().map(target).collect::<Vec<_>>().join(",")
    }
}

fn told(at: i64, event_type: &'static str, targets: Vec<usize>) -> Told {
    Told { at, event_type, targets }
}

fn created(kind: &Kind) -> &'static str {
    match kind.prefix {
        "00u" => "user.lifecycle.create",
        "00g" => "group.lifecycle.create",
        _ => "application.lifecycle.create",
    }
}

const USER_EVENTS: [&str; 6] = [
    "user.account.update_profile",
    "user.account.update_primary_email",
    "user.lifecycle.suspend",
    "user.lifecycle.deactivate",
    "user.lifecycle.reactivate",
    "user.account.lock",
];
const FACTOR_EVENTS: [&str; 3] =
    ["user.mfa.factor.activate", "user.mfa.factor.deactivate", "user.mfa.factor.reset_all"];
const ROLE_EVENTS: [&str; 2] = ["user.account.privilege.grant", "user.account.privilege.revoke"];
const MEMBER_EVENTS: [&str; 2] = ["group.user_membership.add", "group.user_membership.remove"];
const ASSIGN_EVENTS: [&str; 2] = ["application.user_membership.add", "application.user_membership.remove"];
