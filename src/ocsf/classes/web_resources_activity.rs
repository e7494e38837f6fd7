//! Web Resources Activity (6001): a report or a file is exported or downloaded.

use crate::ocsf::enums::Observable;
use crate::ocsf::event::{Event, Role, is_identified};
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::{control, device, network, people};
use crate::ocsf::writer::{Writer, saying};
use crate::okta::Party;

/// Whether the resource is named: by a target, by the address that was asked for, or by the type of the event.
pub fn fits(event: &Event<'_>, entry: &Entry) -> bool {
    resource(event).is_some() || saying(event.debug.request_uri).is_some() || !entry.entity.is_empty()
}

fn resource<'a>(event: &Event<'a>) -> Option<Party<'a>> {
    let others = event.targets.iter().filter(|target| !matches!(target.role, Role::User | Role::AppUser));
    others.map(|target| target.party).find(is_identified)
}

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    w.array("web_resources", |w| {
        w.item(|w| match resource(event) {
            Some(party) => {
                w.observe("uid", party.id, Observable::ResourceUid);
                people::display_name(w, &party);
                w.copy("type", party.kind);
                w.copy_json("data", "data", party.detail_entry);
            }
            None if entry.entity.is_empty() => drop(w.copy("name", event.debug.request_uri)),
            None => w.text("name", &entry.entity),
        });
    });
    if people::actor(w, event) {
        w.uses_host();
    }
    network::src_endpoint(w, event);
    network::http_request(w, event);
    device::device(w, event);
    control::control(w, event, entry);
}
