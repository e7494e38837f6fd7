//! Email Activity (4009): Okta sent somebody an email.

use crate::json::Value;
use crate::ocsf::enums::Observable;
use crate::ocsf::event::Event;
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::{control, device, network, people};
use crate::ocsf::writer::{Writer, saying};

/// The address that it was sent to: of a target, else of the actor.
pub fn recipient<'a>(event: &Event<'a>) -> Option<Value<'a>> {
    let targets = event.targets.iter().map(|target| target.party);
    let values = targets.chain([event.actor]).flat_map(|party| [party.alternate_id, party.display_name, party.id]);
    values.flatten().find(|value| saying(Some(*value)).is_some_and(|value| people::is_email(value.span())))
}

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let Some(recipient) = recipient(event) else { return };
    w.object("email", |w| w.array("to", |w| w.observed_item(recipient, Observable::EmailAddress)));
    w.fragment(r#""direction_id":2,"direction":"Outbound""#);
    if people::actor(w, event) {
        w.uses_host();
    }
    network::src_endpoint(w, event);
    device::device(w, event);
    control::control(w, event, entry);
}
