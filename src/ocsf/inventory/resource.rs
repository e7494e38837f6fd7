//! Cloud Resources Inventory Info (5023): any object that is neither a user nor a device.

use super::collections::{Detail, Resource};
use super::enrichments::enrichment;
use super::{Related, ResourceFacts, identity_provider};
use crate::json::Value;
use crate::ocsf::enums::Observable;
use crate::ocsf::writer::{TAKEN, Writer, saying};
use crate::okta::inventory::{Group, GroupProfile};

/// Writes the attributes of the class; the result writes the enrichments.
///
/// `resources[0]` is the object, `resources[1..]` what it is within and where it comes from.
pub fn write<'a>(
    w: &mut Writer<'_>,
    root: Value<'a>,
    resource: &Resource<'a>,
    facts: &ResourceFacts<'a>,
) -> impl FnOnce(&mut Writer<'_>) + use<'a> {
    w.array("resources", |w| {
        w.item(|w| object(w, root, resource));
        for related in [facts.within, facts.source].into_iter().flatten() {
            w.item(|w| other(w, related));
        }
    });
    if resource.collection.detail == Detail::IdentityProvider {
        identity_provider::write(w, root);
    }
    let members = facts.members.and_then(|members| i64::try_from(members).ok());
    move |w: &mut Writer<'_>| {
        if let Some(members) = members {
            enrichment(w, Observable::ResourceUid, "members", |w| w.number("count", members));
        }
    }
}

fn object(w: &mut Writer<'_>, root: Value<'_>, resource: &Resource<'_>) {
    w.observe("uid", resource.id, Observable::ResourceUid);
    let named = w.observe("name", resource.name, Observable::ResourceName);
    if !named && resource.id.is_none() {
        w.text("name", resource.collection.kind);
    }
    w.copy("uid_alt", resource.alternate);
    w.text("type", resource.collection.kind);
    w.copy_time("created_time", resource.created);
    w.copy_time("modified_time", resource.updated);
    if let Some(owner) = saying(resource.owner) {
        w.object("owner", |w| w.observe("uid", Some(owner), Observable::UserUid));
    }
    group(w, root, resource);
    w.fragment(r#""role_id":1,"role":"Target""#);
    w.object("data", |w| data(w, root));
}

/// `group`: the object itself, or the one that it assigns.
fn group(w: &mut Writer<'_>, root: Value<'_>, resource: &Resource<'_>) {
    let group = match resource.collection.detail {
        Detail::Group => Group::of(Some(root)),
        Detail::AssignedGroup => Group { id: resource.id, ..Group::default() },
        _ => return,
    };
    let profile = GroupProfile::of(group.profile);
    w.object("group", |w| {
        w.observe("uid", group.id, Observable::GroupUid);
        w.observe("name", profile.name, Observable::GroupName);
        w.copy("desc", profile.description);
        w.copy("type", group.kind);
    });
}

/// `data`: what the object holds besides, field by field as Okta wrote it. The links of the API say where more is to be
/// asked for, not how the object is; they stay behind.
fn data(w: &mut Writer<'_>, root: Value<'_>) {
    let is_link = |field: &Value<'_>| matches!(field.key_span(), "_links" | "_link");
    let is_taken = |field: &Value<'_>| field.mark() & TAKEN != 0;
    for field in root.children().filter(|field| !is_link(field) && !is_taken(field)) {
        w.copy_json(field.key_span(), "data", Some(field));
    }
}

fn other(w: &mut Writer<'_>, related: Related<'_>) {
    if !related.uid.is_empty() {
        w.observe_text("uid", related.uid, Observable::ResourceUid);
        w.text("type", related.collection.kind);
        w.fragment(r#""role_id":4,"role":"Related""#);
    }
}
