//! One file a class. Each says what its record is made of; `None` when the event lacks what the class requires, before
//! anything is written, and the event becomes a Base Event.

mod account_change;
mod api_activity;
mod application_error;
mod application_lifecycle;
mod authentication;
mod authorize_session;
mod base_event;
mod detection_finding;
mod email_activity;
mod entity_management;
mod group_management;
mod http_activity;
mod user_access;
mod web_resources_activity;

use std::borrow::Cow;

use super::Class;
use super::event::{Event, Role};
use super::event_types::{self, Entry};
use super::parts::people::{self, can_be_user, has_actor, is_same};
use super::writer::Writer;
use crate::okta::Party;

/// The row by which an event is mapped: that of its type if the event has what the class requires; else a class that
/// says the same of another object, else Base Event.
pub fn fitting<'t>(event: &Event<'_>, entry: Cow<'t, Entry>) -> Cow<'t, Entry> {
    if fits(event, &entry) {
        return entry;
    }
    // A privilege that a group is given, by an event type that usually names a user.
    if entry.class == Class::UserAccess && event.target(Role::Group).is_some() {
        let of_group = entry.into_owned().in_class(Class::GroupManagement);
        return if fits(event, &of_group) { Cow::Owned(of_group) } else { Cow::Borrowed(event_types::base()) };
    }
    Cow::Borrowed(event_types::base())
}

/// Whether the event has what the class of its type requires; then [`write`] cannot fail.
fn fits(event: &Event<'_>, entry: &Entry) -> bool {
    match entry.class {
        Class::AccountChange => account_change::user(event, entry).is_some(),
        Class::Authentication => authentication::user(event, entry).is_some(),
        Class::AuthorizeSession => authorize_session::user(event).is_some(),
        Class::EntityManagement => entity_management::fits(event, entry),
        Class::UserAccess => user_access::fits(event, entry),
        Class::GroupManagement => group_management::group(event, entry).is_some(),
        Class::HttpActivity => http_activity::fits(event),
        Class::EmailActivity => !email_activity::recipients(event).is_empty(),
        Class::WebResourcesActivity => web_resources_activity::fits(event, entry),
        Class::ApplicationLifecycle => application_lifecycle::app(event, entry).is_some(),
        Class::ApiActivity => has_actor(event),
        Class::BaseEvent | Class::DetectionFinding | Class::ApplicationError => true,
        Class::InventoryInfo | Class::UserInventory | Class::CloudResourcesInventoryInfo | Class::ScanActivity => false,
    }
}

/// Writes the attributes that the class adds to those of every record. The event [`fits`].
pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    match entry.class {
        Class::AccountChange => account_change::write(w, event, entry),
        Class::Authentication => authentication::write(w, event, entry),
        Class::AuthorizeSession => authorize_session::write(w, event, entry),
        Class::EntityManagement => entity_management::write(w, event, entry),
        Class::UserAccess => user_access::write(w, event, entry),
        Class::GroupManagement => group_management::write(w, event, entry),
        Class::HttpActivity => http_activity::write(w, event, entry),
        Class::EmailActivity => email_activity::write(w, event, entry),
        Class::WebResourcesActivity => web_resources_activity::write(w, event, entry),
        Class::ApplicationLifecycle => application_lifecycle::write(w, event, entry),
        Class::ApiActivity => api_activity::write(w, event, entry),
        Class::DetectionFinding => detection_finding::write(w, event, entry),
        Class::ApplicationError => application_error::write(w, event, entry),
        _ => base_event::write(w, event, entry),
    }
}

/// The user that something is done to: the User among the targets, else the account in an application.
fn changed_user<'a>(event: &Event<'a>) -> Option<Party<'a>> {
    let users = event.targets_of(Role::User).chain(event.targets_of(Role::AppUser));
    users.into_iter().find(can_be_user)
}

/// The person who acts, for the types of events that people cause to themselves.
fn oneself<'a>(event: &Event<'a>, entry: &Entry) -> Option<Party<'a>> {
    let acting = acting_user(event).filter(|_| entry.defaults.actor_user);
    acting.filter(|party| matches!(people::being(party), people::Being::Person | people::Being::Unknown))
}

/// `user`, with the account in an application that the event names beside it.
fn user_with_account(w: &mut Writer<'_>, event: &Event<'_>, user: &Party<'_>) {
    let account = event.target(Role::AppUser).filter(|account| !is_same(account, user));
    people::user_with(w, event, "user", user, |w| {
        if let Some(account) = account {
            people::account(w, &account);
        }
    });
}

/// The actor, if it can be a user.
fn acting_user<'a>(event: &Event<'a>) -> Option<Party<'a>> {
    Some(event.actor).filter(can_be_user)
}
