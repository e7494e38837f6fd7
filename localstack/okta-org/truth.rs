//! The truth about the inventory, for tests to compare with: identifiers and versions of all there is.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::org::Org;
use crate::world::World;
use crate::world::people;
use crate::world::relations::Relation;
use crate::world::seed::Kind;

/// How many positions are looked at under one lock.
const STEP: u64 = 2_000;

#[derive(Clone, Copy)]
pub enum What {
    Objects(Kind),
    /// Pairs of identifiers.
    Links(Relation, Kind, Kind),
    /// The identifiers in the list that belongs to each user or group.
    Lists(Kind, Kind),
}

#[rustfmt::skip]
pub const COLLECTIONS: &[(&str, What)] = &[
    ("users", What::Objects(Kind::User)),
    ("groups", What::Objects(Kind::Group)),
    ("apps", What::Objects(Kind::App)),
    ("devices", What::Objects(Kind::Device)),
    ("policies", What::Objects(Kind::Policy)),
    ("policy-rules", What::Objects(Kind::PolicyRule)),
    ("zones", What::Objects(Kind::Zone)),
    ("idps", What::Objects(Kind::Idp)),
    ("group-rules", What::Objects(Kind::GroupRule)),
    ("authenticators", What::Objects(Kind::Authenticator)),
    ("custom-roles", What::Objects(Kind::CustomRole)),
    ("group-members", What::Links(Relation::Members, Kind::Group, Kind::User)),
    ("app-users", What::Links(Relation::AppUsers, Kind::App, Kind::User)),
    ("app-groups", What::Links(Relation::AppGroups, Kind::App, Kind::Group)),
    ("user-roles", What::Lists(Kind::UserRoles, Kind::User)),
    ("group-roles", What::Lists(Kind::GroupRoles, Kind::Group)),
    ("factors", What::Lists(Kind::UserFactors, Kind::User)),
];

/// A walk over one collection, with the place it has come to.
pub struct Truth {
    what: What,
    left: u64,
    position: u64,
}

impl Truth {
    pub fn of(name: &str) -> Option<Self> {
        let (_, what) = COLLECTIONS.iter().find(|(known, _)| *known == name)?;
        Some(Self { what: *what, left: 0, position: 0 })
    }

    /// The next lines, maybe none; None at the end.
    pub fn next_lines(&mut self, org: &Org) -> Option<String> {
        let world = &*org.world();
        let mut lines = String::new();
        for _ in 0..STEP {
            let found = match self.what {
                What::Objects(kind) if self.position < world.count(kind) => object(world, kind, self.position),
                What::Lists(list, owner) if self.position < world.count(owner) => {
                    listed(world, list, owner, self.position)
                }
                What::Links(relation, left, right) => {
                    while self.left < world.count(left) && self.position >= world.walk_length(relation, self.left) {
                        (self.left, self.position) = (self.left + 1, 0);
                    }
                    if self.left >= world.count(left) {
                        return (!lines.is_empty()).then_some(lines);
                    }
                    self.position = world.next_position(relation, self.left, self.position);
                    let link = world.link_at(relation, self.left, self.position, None);
                    link.map(|link| json!({ "left": world.id(left, self.left), "right": world.id(right, link.right) }))
                }
                _ => return (!lines.is_empty()).then_some(lines),
            };
            self.position += 1;
            if let Some(line) = found {
                // Writing to a String cannot fail.
                let _ = writeln!(lines, "{line}");
            }
        }
        Some(lines)
    }
}

fn object(world: &World, kind: Kind, index: u64) -> Option<Value> {
    if kind == Kind::User {
        // Without writing the whole object down: there may be a million.
        let seen = world.see(kind, index, None);
        if !world.exists(kind, index, None) {
            return None;
        }
        let status = people::status(&world.seed, index, &seen);
        return Some(json!({ "id": world.id(kind, index), "version": world.version(kind, index), "status": status }));
    }
    let object = world.object(kind, index, None)?;
    Some(json!({
        "id": object["id"], "version": world.version(kind, index),
        "status": object["status"], "lastUpdated": object["lastUpdated"],
    }))
}

fn listed(world: &World, list: Kind, owner: Kind, index: u64) -> Option<Value> {
    let object = world.object(list, index, None).filter(|_| world.exists(owner, index, None))?;
    let items = object["items"].as_array()?;
    let ids: Vec<&Value> = items.iter().map(|item| &item["id"]).collect();
    (!ids.is_empty()).then(|| json!({ "owner": world.id(owner, index), "ids": ids }))
}
