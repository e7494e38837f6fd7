//! Web Resources Activity (6001): a report or a file is exported or downloaded.

use crate::ocsf::enums::Observable;
use crate::ocsf::event::{Event, Role, is_identified};
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::{control, device, network, people};
use crate::ocsf::writer::{Writer, saying};
use crate::okta::Party;

/// Whether the resource is named: by a target, by the address that was asked for, or by the type of the event.
pub fn fits(event: &Event<'_>, entry: &Entry) -> bool {
    resources(event, entry).next().is_some() || saying(event.debug.request_uri).is_some() || !entry.entity.is_empty()
}

/// The object of the activity, then every other target that is no person.
fn resources<'a>(event: &'a Event<'a>, entry: &Entry) -> impl Iterator<Item = Party<'a>> + 'a {
    let object = event.object(entry);
    let is_object = move |party: &Party<'_>| object.is_some_and(|object| people::is_same(&object, party));
    let others = event.targets.iter().filter(|target| !matches!(target.role, Role::User | Role::AppUser));
    let others = others.map(|target| target.party).filter(move |party| is_identified(party) && !is_object(party));
    object.into_iter().chain(others)
}

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    w.array("web_resources", |w| {
        for party in resources(event, entry) {
            w.item(|w| {
                w.observe("uid", party.id, Observable::ResourceUid);
                people::display_name(w, &party);
                w.copy("type", party.kind);
                w.copy_json("data", "data", party.detail_entry);
            });
        }
        if resources(event, entry).next().is_none() {
            w.item(|w| match entry.entity.as_str() {
                "" => drop(w.copy("name", event.debug.request_uri)),
                entity => w.text("name", entity),
            });
        }
    });
    if people::actor(w, event) {
        w.uses_host();
    }
    network::src_endpoint(w, event);
    network::http_request(w, event);
    device::device(w, event);
    control::control(w, event, entry);
}
