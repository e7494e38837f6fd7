//! Authorize Session (3003): what a session may do, decided by a policy or a step-up check.

use super::{acting_user, changed_user};
use crate::ocsf::event::{Event, Role, is_identified};
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::{control, device, network, people};
use crate::ocsf::writer::{Writer, saying};
use crate::okta::Party;

/// Whose session it is: the person among the targets, else whoever acts.
pub fn user<'a>(event: &Event<'a>) -> Option<Party<'a>> {
    let acting = acting_user(event);
    let person = changed_user(event).filter(|_| !acting.as_ref().is_some_and(is_person));
    person.or(acting).or_else(|| changed_user(event))
}

fn is_person(party: &Party<'_>) -> bool {
    people::being(party) == people::Being::Person
}

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let Some(user) = user(event) else { return };
    people::user(w, event, "user", &user);
    people::actor(w, event);
    // The class requires exactly one of privileges and group; what a session is let into is a privilege.
    privileges(w, event, entry);
    people::session(w, event);
    network::src_endpoint(w, event);
    network::http_request(w, event);
    device::device(w, event);
    control::control(w, event, entry);
}

fn privileges(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let app = event.target(Role::App).filter(is_identified);
    w.array("privileges", |w| match (app, &entry.defaults.privilege) {
        (Some(app), _) => {
            let name = saying(app.display_name).and(app.display_name).or(app.alternate_id).or(app.id);
            w.copy_item("app:", name);
        }
        (None, Some(privilege)) => w.text_item(privilege),
        (None, None) => w.text_item("okta.session"),
    });
}
