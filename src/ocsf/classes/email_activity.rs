//! Email Activity (4009): Okta sent somebody an email.

use crate::json::Value;
use crate::ocsf::enums::Observable;
use crate::ocsf::event::{Event, Role};
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::{control, device, network, people};
use crate::ocsf::writer::{Writer, saying};
use crate::okta::Party;

/// The addresses that it was sent to: those of email targets, and the logins of users among the targets. Whoever made
/// Okta send it is not who got it.
pub fn recipients<'a>(event: &Event<'a>) -> Vec<Value<'a>> {
    let is_address = |value: &Value<'_>| saying(Some(*value)).is_some_and(|value| people::is_email(value.span()));
    let of_email =
        |party: Party<'a>| [party.alternate_id, party.display_name, party.id].into_iter().flatten().find(is_address);
    let emails = event.targets_of(Role::Email).filter_map(of_email);
    let users = event.targets_of(Role::User).filter_map(|user| user.alternate_id.filter(is_address));
    let mut all: Vec<Value<'a>> = Vec::new();
    for address in emails.chain(users) {
        if !all.iter().any(|known| known.span() == address.span()) {
            all.push(address);
        }
    }
    all
}

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    w.object("email", |w| {
        w.array("to", |w| {
            for address in recipients(event) {
                w.observed_item(address, Observable::EmailAddress);
            }
        });
    });
    w.fragment(r#""direction_id":2,"direction":"Outbound""#);
    if people::actor(w, event) {
        w.uses_host();
    }
    network::src_endpoint(w, event);
    device::device(w, event);
    control::control(w, event, entry);
}
