//! User Access Management (3005): a user, or a client, is given or loses a privilege.

use super::{changed_user, oneself};
use crate::json::Value;
use crate::ocsf::event::{Event, Role, is_identified};
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::people::{Being, being, can_be_user};
use crate::ocsf::parts::{control, device, network, people, resources};
use crate::ocsf::writer::{Writer, saying};
use crate::okta::Party;

/// Whether somebody is given something that has a name.
pub fn fits(event: &Event<'_>, entry: &Entry) -> bool {
    user(event, entry).is_some() && privilege(event, entry).is_some()
}

/// Who is given the privilege: the user among the targets, a client, or an application that gets more than itself; and
/// whoever acts only where people do this to themselves, as when they consent.
fn user<'a>(event: &Event<'a>, entry: &Entry) -> Option<Party<'a>> {
    let client = event.targets_of(Role::Client).find(can_be_user);
    let person = changed_user(event);
    let parties = || event.targets.iter().map(|target| target.party).filter(can_be_user);
    let of_kind = |listed: &String| parties().find(|party| party.kind.is_some_and(|kind| kind.is(listed)));
    let listed = entry.targets.iter().find_map(of_kind);
    if let Some(listed) = listed.filter(|_| entry.defaults.client_user) {
        return Some(listed);
    }
    let first =
        if entry.defaults.client_user { client.or(person) } else { person.or(oneself(event, entry)).or(client) };
    let is_role = matches!(privilege(event, entry), Some(Privilege::Said(_) | Privilege::Roles));
    first.or_else(|| event.targets_of(Role::App).find(can_be_user).filter(|_| is_role))
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
    /// The target that the type of the event is about.
    Resource(Party<'a>),
    /// Everything else among the targets.
    Others,
}

fn privilege<'a>(event: &Event<'a>, entry: &Entry) -> Option<Privilege<'a>> {
    let debug = &event.debug;
    if let Some(said) = saying(debug.privilege_granted).or(saying(debug.privilege_revoked)) {
        return Some(Privilege::Said(said));
    }
    if let Some(scopes) = saying(debug.granted_scopes).or(saying(debug.scopes)).filter(has_words) {
        return Some(Privilege::Scopes(scopes));
    }
    if event.targets_of(Role::Admin).any(|role| is_identified(&role)) {
        return Some(Privilege::Roles);
    }
    let is_described = !entry.entity.is_empty() || !entry.targets.is_empty();
    let object = || event.object(entry).filter(|object| is_described && !can_be_principal(object));
    if let Some(object) = object() {
        return Some(Privilege::Resource(object));
    }
    if entry.defaults.privilege.is_some() {
        return Some(Privilege::Implied);
    }
    if let Some(app) = event.targets_of(Role::App).find(is_identified) {
        return Some(Privilege::App(app));
    }
    event.targets_of(Role::Other).any(|other| is_identified(&other)).then_some(Privilege::Others)
}

/// Whether a party may be who is given something, rather than what is given.
fn can_be_principal(party: &Party<'_>) -> bool {
    matches!(being(party), Being::Person | Being::Service)
}

fn has_words(value: &Value<'_>) -> bool {
    value.span().split([' ', ',']).any(|word| !word.is_empty())
}

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let (Some(user), Some(privilege)) = (user(event, entry), privilege(event, entry)) else { return };
    people::user(w, event, "user", &user);
    w.array("privileges", |w| match privilege {
        Privilege::Scopes(text) => w.word_items(text),
        Privilege::Said(text) => drop(w.copy_item("", Some(text))),
        Privilege::Roles => names(w, event, Role::Admin),
        Privilege::Others => names(w, event, Role::Other),
        Privilege::App(app) => drop(w.copy_item("app:", name(&app))),
        Privilege::Implied => w.text_item(entry.defaults.privilege.as_deref().unwrap_or_default()),
        Privilege::Resource(target) => drop(w.copy_item("", name(&target))),
    });
    people::actor(w, event);
    resources::resources(w, event, |target| people::is_same(&target.party, &user));
    network::src_endpoint(w, event);
    network::http_request(w, event);
    device::device(w, event);
    control::control(w, event, entry);
}

fn names(w: &mut Writer<'_>, event: &Event<'_>, role: Role) {
    for target in event.targets_of(role).filter(is_identified) {
        w.copy_item("", name(&target));
    }
}

fn name<'a>(party: &Party<'a>) -> Option<Value<'a>> {
    saying(party.display_name).or(saying(party.alternate_id)).or(saying(party.id))
}
