//! Deeds: what changes in the org over time. Each changes the world and is told by one event of the System Log.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::events::entity;
use crate::inventory::shapes::{factor, role_grant};
use crate::rng::Rng;
use crate::world::people::ADMINS;
use crate::world::relations::{EVERYONE, Relation};
use crate::world::seed::Kind;
use crate::world::{World, stamp};

/// A deed that was done, as its event tells it.
pub struct Done {
    pub event_type: &'static str,
    pub target: Vec<Value>,
    /// The request by which the administrator did it.
    pub uri: String,
    pub at: Timestamp,
}

pub struct Deed {
    pub name: &'static str,
    /// Its share of the mutations.
    weight: usize,
    act: fn(&mut Hand<'_>) -> Option<Done>,
}

#[rustfmt::skip]
pub const DEEDS: &[Deed] = &[
    Deed { name: "user.create", weight: 6, act: create_user },
    Deed { name: "user.update", weight: 25, act: update_user },
    Deed { name: "user.suspend", weight: 4, act: |h| change_status(h, "suspend", &["ACTIVE"], "SUSPENDED", "user.lifecycle.suspend") },
    Deed { name: "user.unsuspend", weight: 4, act: |h| change_status(h, "unsuspend", &["SUSPENDED"], "ACTIVE", "user.lifecycle.unsuspend") },
    Deed { name: "user.lock", weight: 2, act: |h| change_status(h, "lock", &["ACTIVE"], "LOCKED_OUT", "user.account.lock") },
    Deed { name: "user.unlock", weight: 2, act: |h| change_status(h, "unlock", &["LOCKED_OUT"], "ACTIVE", "user.account.unlock") },
    Deed { name: "user.activate", weight: 2, act: |h| change_status(h, "activate", &["STAGED", "DEPROVISIONED"], "PROVISIONED", "user.lifecycle.activate") },
    Deed { name: "user.deactivate", weight: 4, act: |h| change_status(h, "deactivate", &["ACTIVE", "SUSPENDED", "PROVISIONED", "LOCKED_OUT"], "DEPROVISIONED", "user.lifecycle.deactivate") },
    Deed { name: "user.delete", weight: 3, act: delete_user },
    Deed { name: "group.create", weight: 1, act: create_group },
    Deed { name: "group.update", weight: 3, act: update_group },
    Deed { name: "group.delete", weight: 1, act: |h| delete_object(h, Kind::Group, "group.lifecycle.delete") },
    Deed { name: "member.add", weight: 14, act: |h| relate(h, Relation::Members, true, "group.user_membership.add") },
    Deed { name: "member.remove", weight: 8, act: |h| relate(h, Relation::Members, false, "group.user_membership.remove") },
    Deed { name: "app.create", weight: 1, act: create_app },
    Deed { name: "app.update", weight: 2, act: update_app },
    Deed { name: "app.delete", weight: 0, act: |h| delete_object(h, Kind::App, "application.lifecycle.delete") },
    Deed { name: "app_user.add", weight: 8, act: |h| relate(h, Relation::AppUsers, true, "application.user_membership.add") },
    Deed { name: "app_user.remove", weight: 5, act: |h| relate(h, Relation::AppUsers, false, "application.user_membership.remove") },
    Deed { name: "app_group.add", weight: 1, act: |h| relate(h, Relation::AppGroups, true, "group.application_assignment.add") },
    Deed { name: "app_group.remove", weight: 1, act: |h| relate(h, Relation::AppGroups, false, "group.application_assignment.remove") },
    Deed { name: "role.grant", weight: 2, act: grant_role },
    Deed { name: "role.revoke", weight: 1, act: revoke_roles },
    Deed { name: "factor.enroll", weight: 4, act: enroll_factor },
    Deed { name: "factor.reset", weight: 2, act: reset_factors },
    Deed { name: "device.suspend", weight: 1, act: |h| device_status(h, "SUSPENDED", "device.lifecycle.suspend") },
    Deed { name: "device.unsuspend", weight: 1, act: |h| device_status(h, "ACTIVE", "device.lifecycle.unsuspend") },
    Deed { name: "device.delete", weight: 1, act: |h| delete_object(h, Kind::Device, "device.lifecycle.delete") },
    Deed { name: "policy.update", weight: 1, act: update_policy },
    Deed { name: "rule.update", weight: 1, act: update_rule },
    Deed { name: "zone.update", weight: 1, act: update_zone },
];

/// The hand that does a deed.
pub struct Hand<'a> {
    pub world: &'a mut World,
    pub rng: &'a mut Rng,
    pub now: Timestamp,
    /// Whom or what it is to befall; otherwise chance decides.
    pub subject: Option<&'a str>,
    /// The user or group on the other side of a relation.
    pub other: Option<&'a str>,
}

/// How often chance may pick something that does not fit before what comes next is tried in turn.
const TRIES: usize = 50;

/// How many are tried in turn before the deed is left undone: all of a test's org, and no long halt of a large one.
const IN_TURN: u64 = 5_000;

impl Hand<'_> {
    /// Does the deed of that name, or one drawn by weight.
    pub fn act(&mut self, name: Option<&str>) -> Option<Done> {
        let deed = match name {
            Some(name) => DEEDS.iter().find(|deed| deed.name == name)?,
            None => {
                let total: usize = DEEDS.iter().map(|deed| deed.weight).sum();
                let mut ticket = self.rng.below(total);
                DEEDS.iter().find(|deed| {
                    let hit = ticket < deed.weight;
                    ticket = ticket.saturating_sub(deed.weight);
                    hit
                })?
            }
        };
        (deed.act)(self)
    }

    /// The subject if one was named and fits, or a random object from `first` on that fits.
    fn pick(&mut self, kind: Kind, first: u64, fits: impl Fn(&Value) -> bool) -> Option<(u64, Value)> {
        let named = self.subject.map(|id| self.world.seed.index(kind, id));
        self.choose(named, kind, first, fits)
    }

    fn choose(
        &mut self,
        named: Option<Option<u64>>,
        kind: Kind,
        first: u64,
        fits: impl Fn(&Value) -> bool,
    ) -> Option<(u64, Value)> {
        let get = |world: &World, index| world.object(kind, index, None).filter(&fits).map(|object| (index, object));
        if let Some(index) = named {
            return get(self.world, index?);
        }
        let range = self.world.count(kind).checked_sub(first).filter(|range| *range > 0)?;
        let by_chance = (0..TRIES).find_map(|_| get(self.world, first + self.rng.next() % range));
        by_chance.or_else(|| {
            let start = self.rng.next();
            (0..range.min(IN_TURN)).find_map(|step| get(self.world, first + start.wrapping_add(step) % range))
        })
    }

    fn user(&mut self, statuses: &[&str]) -> Option<(u64, Value)> {
        let fits = |user: &Value| statuses.is_empty() || user["status"].as_str().is_some_and(|s| statuses.contains(&s));
        // Administrators are left alone, so that the actors of the day's talk go on existing.
        self.pick(Kind::User, ADMINS, fits)
    }

    fn done(&self, event_type: &'static str, target: Vec<Value>, uri: String) -> Option<Done> {
        Some(Done { event_type, target, uri, at: self.now })
    }

    /// Changes an object that has a `lastUpdated`.
    fn touch(&mut self, kind: Kind, index: u64, mut change: Value) {
        change["lastUpdated"] = json!(stamp(self.now));
        self.world.change(kind, index, self.now, change);
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// An object as a target of an event.
fn target(kind: Kind, object: &Value) -> Value {
    let id = text(&object["id"]);
    let profile = &object["profile"];
    match kind {
        Kind::User => entity(id, "User", text(&profile["login"]), text(&profile["displayName"])),
        Kind::Group => entity(id, "UserGroup", "unknown", text(&profile["name"])),
        Kind::App => entity(id, "AppInstance", text(&object["name"]), text(&object["label"])),
        Kind::Device => entity(id, "Device", "unknown", text(&profile["displayName"])),
        Kind::Policy => entity(id, "PolicyEntity", "unknown", text(&object["name"])),
        Kind::PolicyRule => entity(id, "PolicyRule", "unknown", text(&object["name"])),
        _ => entity(id, "NetworkZone", "unknown", text(&object["name"])),
    }
}

fn create_user(hand: &mut Hand<'_>) -> Option<Done> {
    let now = stamp(hand.now);
    let change = json!({
        "status": "STAGED", "created": now, "lastUpdated": now, "activated": null, "statusChanged": null,
        "lastLogin": null, "passwordChanged": null,
    });
    let index = hand.world.create(Kind::User, hand.now, change);
    // Their lists begin with them, and empty.
    hand.world.create(Kind::UserFactors, hand.now, json!({ "items": [], "next": 0 }));
    hand.world.create(Kind::UserRoles, hand.now, json!({ "items": [], "next": 0 }));
    let user = hand.world.object(Kind::User, index, None)?;
    hand.done("user.lifecycle.create", vec![target(Kind::User, &user)], String::from("/api/v1/users"))
}

fn update_user(hand: &mut Hand<'_>) -> Option<Done> {
    let (index, user) = hand.user(&["ACTIVE", "PROVISIONED", "STAGED", "SUSPENDED"])?;
    let title = format!("Title {}", hand.rng.below(10_000));
    let mut about = target(Kind::User, &user);
    about["changeDetails"] = json!({ "from": { "title": user["profile"]["title"] }, "to": { "title": title } });
    hand.touch(Kind::User, index, json!({ "profile": { "title": title } }));
    let uri = format!("/api/v1/users/{}", text(&user["id"]));
    hand.done("user.account.update_profile", vec![about], uri)
}

fn change_status(hand: &mut Hand<'_>, verb: &str, from: &[&str], to: &str, event_type: &'static str) -> Option<Done> {
    let (index, user) = hand.user(from)?;
    let now = stamp(hand.now);
    let mut change = json!({ "status": to, "statusChanged": now });
    if verb == "activate" {
        change["activated"] = json!(now);
    }
    hand.touch(Kind::User, index, change);
    let uri = format!("/api/v1/users/{}/lifecycle/{verb}", text(&user["id"]));
    hand.done(event_type, vec![target(Kind::User, &user)], uri)
}

/// Only who is deprovisioned can be deleted.
fn delete_user(hand: &mut Hand<'_>) -> Option<Done> {
    let (index, user) = hand.user(&["DEPROVISIONED"])?;
    for kind in [Kind::User, Kind::UserFactors, Kind::UserRoles] {
        hand.world.delete(kind, index, hand.now);
    }
    let uri = format!("/api/v1/users/{}", text(&user["id"]));
    hand.done("user.lifecycle.delete.completed", vec![target(Kind::User, &user)], uri)
}

fn create_group(hand: &mut Hand<'_>) -> Option<Done> {
    let now = stamp(hand.now);
    let name = format!("New group {}", hand.world.count(Kind::Group));
    let change = json!({
        "type": "OKTA_GROUP", "objectClass": ["okta:user_group"], "created": now, "lastUpdated": now,
        "lastMembershipUpdated": now, "profile": { "name": name, "description": null },
    });
    let index = hand.world.create(Kind::Group, hand.now, change);
    hand.world.create(Kind::GroupRoles, hand.now, json!({ "items": [] }));
    hand.world.create(Kind::GroupOwners, hand.now, json!({ "items": [] }));
    let group = hand.world.object(Kind::Group, index, None)?;
    hand.done("group.lifecycle.create", vec![target(Kind::Group, &group)], String::from("/api/v1/groups"))
}

fn update_group(hand: &mut Hand<'_>) -> Option<Done> {
    let (index, group) = hand.pick(Kind::Group, 1, |group| group["type"] == "OKTA_GROUP")?;
    let description = format!("Description {}", hand.rng.below(10_000));
    hand.touch(Kind::Group, index, json!({ "profile": { "description": description } }));
    let uri = format!("/api/v1/groups/{}", text(&group["id"]));
    hand.done("group.profile.update", vec![target(Kind::Group, &group)], uri)
}

fn delete_object(hand: &mut Hand<'_>, kind: Kind, event_type: &'static str) -> Option<Done> {
    // The first dozen of groups and apps have a part in the day's talk.
    let first = if kind == Kind::Device { 0 } else { 12 };
    let (index, object) = hand.pick(kind, first, |_| true)?;
    hand.world.delete(kind, index, hand.now);
    let uri = match kind {
        Kind::Group => "/api/v1/groups/",
        Kind::App => "/api/v1/apps/",
        _ => "/api/v1/devices/",
    };
    hand.done(event_type, vec![target(kind, &object)], format!("{uri}{}", text(&object["id"])))
}

/// Adds or removes a link. The other side is named by `other`, or drawn.
fn relate(hand: &mut Hand<'_>, relation: Relation, add: bool, event_type: &'static str) -> Option<Done> {
    let (left_kind, right_kind, first) = match relation {
        Relation::Members => (Kind::Group, Kind::User, EVERYONE + 1),
        Relation::AppUsers => (Kind::App, Kind::User, 0),
        Relation::AppGroups => (Kind::App, Kind::Group, 0),
    };
    for _ in 0..TRIES {
        let (left, container) = hand.pick(left_kind, first, |object| object["type"] != "BUILT_IN")?;
        let named = hand.other.map(|id| hand.world.seed.index(right_kind, id));
        let right = match named {
            Some(right) => right?,
            None if add => hand.rng.next() % hand.world.count(right_kind).max(1),
            None => {
                let positions = hand.world.walk_length(relation, left).max(1);
                let position = hand.rng.next() % positions;
                let position = hand.world.next_position(relation, left, position);
                match hand.world.link_at(relation, left, position, None) {
                    Some(link) => link.right,
                    None => continue,
                }
            }
        };
        let object = hand.world.object(right_kind, right, None);
        let object = object.filter(|object| right_kind == Kind::Group || object["status"] != "DEPROVISIONED");
        let linked = hand.world.linked(relation, left, right, None).is_some();
        match object {
            Some(member) if linked != add => {
                hand.world.link(relation, left, right, hand.now, add);
                return related(hand, relation, event_type, (left, &container), (right, &member));
            }
            _ if hand.subject.is_some() && hand.other.is_some() => return None,
            _ => {}
        }
    }
    None
}

/// The event of a link, with the targets in the order in which Okta has them.
fn related(
    hand: &Hand<'_>,
    relation: Relation,
    event_type: &'static str,
    (left, container): (u64, &Value),
    (right, member): (u64, &Value),
) -> Option<Done> {
    let id = text(&container["id"]);
    let (targets, uri) = match relation {
        Relation::Members => {
            let uri = format!("/api/v1/groups/{id}/users/{}", text(&member["id"]));
            (vec![target(Kind::User, member), target(Kind::Group, container)], uri)
        }
        Relation::AppUsers => {
            let app_user = hand.world.id(Kind::AppUser, left << 24 | right);
            let login = text(&member["profile"]["login"]);
            let account =
                entity(&app_user.replacen("00u", "0ua", 1), "AppUser", login, text(&member["profile"]["displayName"]));
            let targets = vec![account, target(Kind::App, container), target(Kind::User, member)];
            (targets, format!("/api/v1/apps/{id}/users"))
        }
        Relation::AppGroups => {
            let targets = vec![target(Kind::App, container), target(Kind::Group, member)];
            (targets, format!("/api/v1/apps/{id}/groups/{}", text(&member["id"])))
        }
    };
    hand.done(event_type, targets, uri)
}

fn create_app(hand: &mut Hand<'_>) -> Option<Done> {
    let now = stamp(hand.now);
    let label = format!("New app {}", hand.world.count(Kind::App));
    let change = json!({ "label": label, "created": now, "lastUpdated": now, "status": "ACTIVE" });
    let index = hand.world.create(Kind::App, hand.now, change);
    let app = hand.world.object(Kind::App, index, None)?;
    hand.done("application.lifecycle.create", vec![target(Kind::App, &app)], String::from("/api/v1/apps"))
}

fn update_app(hand: &mut Hand<'_>) -> Option<Done> {
    let (index, app) = hand.pick(Kind::App, 0, |_| true)?;
    let label = format!("{} (renamed)", text(&app["label"]).trim_end_matches(" (renamed)"));
    hand.touch(Kind::App, index, json!({ "label": label }));
    let uri = format!("/api/v1/apps/{}", text(&app["id"]));
    hand.done("application.lifecycle.update", vec![target(Kind::App, &app)], uri)
}

fn grant_role(hand: &mut Hand<'_>) -> Option<Done> {
    let (index, user) = hand.user(&["ACTIVE"])?;
    let mut roles = hand.world.object(Kind::UserRoles, index, None)?;
    let role = *hand.rng.pick(&["HELP_DESK_ADMIN", "READ_ONLY_ADMIN", "APP_ADMIN", "USER_ADMIN"]);
    let items = roles["items"].as_array()?;
    if items.iter().any(|item| item["type"] == role) {
        return None;
    }
    let nth = roles["next"].as_u64().unwrap_or_default().min(63);
    let assignee = format!("/api/v1/users/{}", text(&user["id"]));
    let grant = role_grant(&hand.world.seed, role, &assignee, "USER", index * 64 + nth, &stamp(hand.now));
    let mut about = target(Kind::User, &user);
    about["detailEntry"] = json!({ "privilegeGranted": role });
    roles["items"].as_array_mut()?.push(grant);
    let change = json!({ "items": roles["items"], "next": nth + 1 });
    hand.world.change(Kind::UserRoles, index, hand.now, change);
    hand.done("user.account.privilege.grant", vec![about], format!("{assignee}/roles"))
}

fn revoke_roles(hand: &mut Hand<'_>) -> Option<Done> {
    let named = hand.subject.map(|id| hand.world.seed.index(Kind::User, id));
    let holds = |roles: &Value| roles["items"].as_array().is_some_and(|items| !items.is_empty());
    let (index, _) = hand.choose(named, Kind::UserRoles, ADMINS, holds)?;
    let user = hand.world.object(Kind::User, index, None)?;
    hand.world.change(Kind::UserRoles, index, hand.now, json!({ "items": [] }));
    let uri = format!("/api/v1/users/{}/roles", text(&user["id"]));
    hand.done("user.account.privilege.revoke", vec![target(Kind::User, &user)], uri)
}

fn enroll_factor(hand: &mut Hand<'_>) -> Option<Done> {
    let (index, user) = hand.user(&["ACTIVE"])?;
    let mut factors = hand.world.object(Kind::UserFactors, index, None)?;
    let nth = factors["next"].as_u64().unwrap_or_default().min(63);
    let which = hand.rng.below(5);
    let new = factor(&hand.world.seed, index, nth, which, &stamp(hand.now));
    let items = factors["items"].as_array_mut()?;
    if items.iter().any(|item| item["factorType"] == new["factorType"]) {
        return None;
    }
    let enrollment = entity(text(&new["id"]), "AuthenticatorEnrollment", "unknown", text(&new["factorType"]));
    items.push(new);
    let change = json!({ "items": items, "next": nth + 1 });
    hand.world.change(Kind::UserFactors, index, hand.now, change);
    let uri = format!("/api/v1/users/{}/factors", text(&user["id"]));
    hand.done("user.mfa.factor.activate", vec![target(Kind::User, &user), enrollment], uri)
}

fn reset_factors(hand: &mut Hand<'_>) -> Option<Done> {
    let (index, user) = hand.user(&["ACTIVE"])?;
    hand.world.change(Kind::UserFactors, index, hand.now, json!({ "items": [] }));
    let uri = format!("/api/v1/users/{}/lifecycle/reset_factors", text(&user["id"]));
    hand.done("user.mfa.factor.reset_all", vec![target(Kind::User, &user)], uri)
}

fn device_status(hand: &mut Hand<'_>, to: &str, event_type: &'static str) -> Option<Done> {
    let (index, device) = hand.pick(Kind::Device, 0, |device| device["status"] != to)?;
    hand.touch(Kind::Device, index, json!({ "status": to }));
    let uri = format!("/api/v1/devices/{}/lifecycle", text(&device["id"]));
    hand.done(event_type, vec![target(Kind::Device, &device)], uri)
}

fn update_policy(hand: &mut Hand<'_>) -> Option<Done> {
    let (index, policy) = hand.pick(Kind::Policy, 0, |_| true)?;
    let description = format!("Description {}", hand.rng.below(10_000));
    hand.touch(Kind::Policy, index, json!({ "description": description }));
    let mut about = target(Kind::Policy, &policy);
    about["detailEntry"] = json!({ "policyType": policy["type"] });
    hand.done("policy.lifecycle.update", vec![about], format!("/api/v1/policies/{}", text(&policy["id"])))
}

fn update_rule(hand: &mut Hand<'_>) -> Option<Done> {
    let (index, rule) = hand.pick(Kind::PolicyRule, 0, |_| true)?;
    let status = if rule["status"] == "ACTIVE" { "INACTIVE" } else { "ACTIVE" };
    hand.touch(Kind::PolicyRule, index, json!({ "status": status }));
    let policy = hand.world.object(Kind::Policy, index / 4, None)?;
    let uri = format!("/api/v1/policies/{}/rules/{}", text(&policy["id"]), text(&rule["id"]));
    hand.done("policy.rule.update", vec![target(Kind::Policy, &policy), target(Kind::PolicyRule, &rule)], uri)
}

fn update_zone(hand: &mut Hand<'_>) -> Option<Done> {
    let (index, zone) = hand.pick(Kind::Zone, 0, |zone| zone["type"] == "IP")?;
    let gateways = json!([{ "type": "CIDR", "value": format!("192.0.2.{}/32", hand.rng.below(256)) }]);
    let mut about = target(Kind::Zone, &zone);
    about["changeDetails"] = json!({ "from": { "gateways": zone["gateways"] }, "to": { "gateways": gateways } });
    hand.touch(Kind::Zone, index, json!({ "gateways": gateways }));
    hand.done("zone.update", vec![about], format!("/api/v1/zones/{}", text(&zone["id"])))
}
