//! Application Lifecycle (6002): an application, an OAuth client or an agent is added, removed, started or stopped.

use crate::ocsf::enums::Observable;
use crate::ocsf::event::{Event, Role};
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::people::{Being, being};
use crate::ocsf::parts::{control, device, people};
use crate::ocsf::writer::{Writer, saying};
use crate::okta::Party;

/// The application: a target; else, when an agent reports of itself, the actor.
pub fn app<'a>(event: &Event<'a>, entry: &Entry) -> Option<Party<'a>> {
    let is_named = |party: &Party<'_>| saying(party.id).or(saying(party.display_name)).is_some();
    let found = event.object(entry).filter(is_named);
    let itself = Some(event.actor).filter(|actor| being(actor) == Being::Machine && is_named(actor));
    // The directory that an agent serves is not the agent.
    let found = found.or(itself.filter(|_| entry.entity == "Agent"));
    found.or_else(|| event.targets_of(Role::App).chain(event.targets_of(Role::Client)).find(is_named)).or(itself)
}

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let Some(app) = app(event, entry) else { return };
    w.object("app", |w| {
        w.observe("uid", app.id, Observable::OtherUid);
        people::display_name(w, &app);
    });
    if people::actor(w, event) {
        w.uses_host();
    }
    device::device_with_address(w, event);
    control::control(w, event, entry);
}
