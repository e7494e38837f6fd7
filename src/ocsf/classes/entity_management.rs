//! Entity Management (3004): something is created, read, changed, deleted or switched, and this is what.

use super::changed_user;
use crate::ocsf::enums::{ENTITIES, Observable, by_caption};
use crate::ocsf::event::Event;
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::{control, device, network, people};
use crate::ocsf::writer::{Writer, saying};
use crate::okta::{ChangeDetails, Party};

/// Whether there is something that is managed.
pub fn fits(event: &Event<'_>, entry: &Entry) -> bool {
    // An organization without a target is the one that sent the event.
    entry.entity == "Organization" || entity(event, entry).is_some()
}

fn entity<'a>(event: &Event<'a>, entry: &Entry) -> Option<Party<'a>> {
    let found = event.object(entry);
    if entry.entity == "User" { found.or_else(|| changed_user(event)) } else { found }
}

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let found = entity(event, entry);
    match found {
        Some(party) => {
            let change = ChangeDetails::of(party.change_details);
            w.object("entity", |w| {
                identity(w, &party, entry);
                detail(w, event, &party, entry);
                owner(w, event, entry);
                match change.from {
                    Some(_) => w.copy_json("data", "data", change.from),
                    None => w.copy_json("data", "data", party.detail_entry),
                }
            });
            if change.to.is_some() {
                w.object("entity_result", |w| {
                    identity(w, &party, entry);
                    w.copy_json("data", "data", change.to);
                });
            }
        }
        None => w.fragment(r#""entity":{"type_id":4,"type":"Organization","name":"Okta org"}"#),
    }
    people::actor(w, event);
    network::src_endpoint(w, event);
    network::http_request(w, event);
    device::requesting_device(w, event);
    control::control(w, event, entry);
}

/// `uid`, `name` and type of an entity.
fn identity(w: &mut Writer<'_>, party: &Party<'_>, entry: &Entry) {
    w.observe("uid", party.id, Observable::OtherUid);
    people::display_name(w, party);
    match by_caption(ENTITIES, &entry.entity) {
        Some(choice) => w.choice("type_id", "type", choice),
        None if entry.entity.is_empty() => {
            if !w.wrote(|w| w.other("type_id", "type", party.kind)) {
                w.fragment(r#""type_id":0,"type":"Unknown""#);
            }
        }
        None => {
            w.number("type_id", 99);
            w.text("type", &entry.entity);
        }
    }
}

/// The object that OCSF has for the kind of entity.
fn detail(w: &mut Writer<'_>, event: &Event<'_>, party: &Party<'_>, entry: &Entry) {
    match entry.entity.as_str() {
        "User" => people::user(w, event, "user", party),
        "Device" => device::device_of(w, event, party),
        "Policy" => control::policy(w, party),
        "Group" => group(w, party),
        "Organization" => organization(w, party),
        _ => {}
    }
}

/// The user to whom a thing belongs, such as the owner of a token.
fn owner(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let user = changed_user(event).filter(|_| entry.entity != "User");
    if let Some(user) = user {
        people::user(w, event, "user", &user);
    }
}

fn group(w: &mut Writer<'_>, party: &Party<'_>) {
    if saying(party.id).or(saying(party.display_name)).is_none() {
        return;
    }
    w.object("group", |w| {
        w.observe("uid", party.id, Observable::GroupUid);
        w.observe("name", party.display_name, Observable::GroupName);
        w.copy("type", party.kind);
    });
}

fn organization(w: &mut Writer<'_>, party: &Party<'_>) {
    if saying(party.id).or(saying(party.display_name)).is_none() {
        return;
    }
    w.object("org", |w| {
        w.copy("uid", party.id);
        w.copy("name", party.display_name);
    });
}
