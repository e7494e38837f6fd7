//! Group Management (3006): a group is created or deleted, gains or loses users or privileges.

use super::changed_user;
use crate::ocsf::enums::Observable;
use crate::ocsf::event::{Event, Role, is_identified};
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::{control, device, network, people, resources};
use crate::ocsf::writer::{Writer, saying};
use crate::okta::Party;

/// The activities that give or take a privilege.
const ASSIGN: u8 = 1;
const REVOKE: u8 = 2;

/// The group that it is about.
pub fn group<'a>(event: &Event<'a>, entry: &Entry) -> Option<Party<'a>> {
    let is_named = |party: &Party<'_>| saying(party.id).or(saying(party.display_name)).is_some();
    let of_kind = |kind: &String| {
        let parties = event.targets.iter().map(|target| target.party);
        parties.filter(is_named).find(|party| party.kind.is_some_and(|found| found.is(kind)))
    };
    entry.targets.iter().find_map(of_kind).or_else(|| event.targets_of(Role::Group).find(is_named))
}

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let Some(group) = group(event, entry) else { return };
    w.object("group", |w| {
        w.observe("uid", group.id, Observable::GroupUid);
        w.observe("name", group.display_name, Observable::GroupName);
        w.copy("uid_alt", group.alternate_id);
        w.copy("type", group.kind);
    });
    if let Some(user) = changed_user(event) {
        people::user(w, event, "user", &user);
    }
    if matches!(entry.activity_id, ASSIGN | REVOKE) {
        privileges(w, event, entry);
    }
    // What the group may now do something with: an application, or the only other thing that is named.
    if let Some(resource) = event.targets_of(Role::App).find(is_identified).or_else(|| event.only_other()) {
        resources::resource(w, &resource);
    }
    people::actor(w, event);
    network::src_endpoint(w, event);
    network::http_request(w, event);
    device::device(w, event);
    control::control(w, event, entry);
}

fn privileges(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let debug = &event.debug;
    w.array("privileges", |w| {
        let said = [debug.privilege_granted, debug.privilege_revoked].into_iter().any(|text| w.copy_item("", text));
        let roles = event.targets_of(Role::Admin);
        let named = roles.fold(said, |named, role| w.copy_item("", saying(role.display_name).or(role.id)) || named);
        if named {
            return;
        }
        if let Some(privilege) = &entry.defaults.privilege {
            return w.text_item(privilege);
        }
        if let Some(app) = event.targets_of(Role::App).find(is_identified) {
            w.copy_item("app:", saying(app.display_name).or(app.id));
        }
    });
}
