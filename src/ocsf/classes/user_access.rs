//! User Access Management (3005): a user, or a client, is given or loses a privilege.

use super::{acting_user, changed_user};
use crate::json::Value;
use crate::ocsf::event::{Event, Role, is_identified};
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::people::can_be_user;
use crate::ocsf::parts::{control, device, network, people, resources};
use crate::ocsf::writer::{Writer, saying};
use crate::okta::Party;

/// Whether somebody is given something that has a name.
pub fn fits(event: &Event<'_>, entry: &Entry) -> bool {
    user(event, entry).is_some() && privilege(event, entry).is_some()
}

/// Who is given the privilege: the user among the targets, or the client; whoever acts, when it is about themselves.
fn user<'a>(event: &Event<'a>, entry: &Entry) -> Option<Party<'a>> {
    let client = event.targets_of(Role::Client).find(can_be_user);
    let person = changed_user(event);
    if entry.defaults.client_user {
        return client.or(person).or_else(|| acting_user(event));
    }
    // Whoever consents is given access to themselves; whoever gives a group something is not.
    let to_group = event.target(Role::Group).is_some();
    person.or_else(|| acting_user(event).filter(|_| !to_group)).or(client)
}

/// Where the name of the privilege is.
enum Privilege<'a> {
    /// A text that Okta writes for it, such as a role.
    Said(Value<'a>),
    /// OAuth scopes, which hold no blanks.
    Scopes(Value<'a>),
    /// Roles among the targets.
    Roles,
    /// An application that may be used.
    App(Party<'a>),
    /// The type of the event implies it.
    Implied,
    /// Something else among the targets.
    Resource(Party<'a>),
}

fn privilege<'a>(event: &Event<'a>, entry: &Entry) -> Option<Privilege<'a>> {
    let debug = &event.debug;
    if let Some(said) = saying(debug.privilege_granted).or(saying(debug.privilege_revoked)) {
        return Some(Privilege::Said(said));
    }
    if let Some(scopes) = saying(debug.granted_scopes).or(saying(debug.scopes)).filter(has_words) {
        return Some(Privilege::Scopes(scopes));
    }
    if event.targets_of(Role::AdminRole).any(|role| is_identified(&role)) {
        return Some(Privilege::Roles);
    }
    if entry.defaults.privilege.is_some() {
        return Some(Privilege::Implied);
    }
    if let Some(app) = event.targets_of(Role::App).find(is_identified) {
        return Some(Privilege::App(app));
    }
    event.object(entry).or_else(|| other_target(event)).map(Privilege::Resource)
}

fn has_words(value: &Value<'_>) -> bool {
    value.span().split([' ', ',']).any(|word| !word.is_empty())
}

fn other_target<'a>(event: &Event<'a>) -> Option<Party<'a>> {
    let others = event.targets.iter().filter(|target| !matches!(target.role, Role::User | Role::AppUser | Role::Client));
    others.map(|target| target.party).find(is_identified)
}

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let (Some(user), Some(privilege)) = (user(event, entry), privilege(event, entry)) else { return };
    people::user(w, "user", &user);
    w.array("privileges", |w| match privilege {
        Privilege::Scopes(text) => w.word_items(text),
        Privilege::Said(text) => drop(w.copy_item("", Some(text))),
        Privilege::Roles => {
            event.targets_of(Role::AdminRole).filter(is_identified).for_each(|role| _ = w.copy_item("", name(&role)));
        }
        Privilege::App(app) => drop(w.copy_item("app:", name(&app))),
        Privilege::Implied => w.text_item(entry.defaults.privilege.as_deref().unwrap_or_default()),
        Privilege::Resource(target) => drop(w.copy_item("", name(&target))),
    });
    people::actor(w, event);
    resources::resources(w, event, &[Role::User]);
    network::src_endpoint(w, event);
    network::http_request(w, event);
    device::device(w, event);
    control::control(w, event, entry);
}

fn name<'a>(party: &Party<'a>) -> Option<Value<'a>> {
    saying(party.display_name).or(saying(party.alternate_id)).or(saying(party.id))
}
