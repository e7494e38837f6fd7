//! Account Change (3001): a user is created, enabled, disabled, locked, gets a password or a factor.

use super::{changed_user, oneself, user_with_account};
use crate::ocsf::event::Event;
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::{control, device, factors, network, people};
use crate::ocsf::writer::Writer;
use crate::okta::Party;

/// The activities in which a factor is the point.
const MFA_ENABLE: u8 = 10;
const MFA_DISABLE: u8 = 11;

/// The user whose account changes: never the admin; whoever acts only where people do this to themselves.
pub fn user<'a>(event: &Event<'a>, entry: &Entry) -> Option<Party<'a>> {
    // An account in an application is the user's account; it is the user only if the user is not named.
    let kinds = entry.targets.iter().filter(|kind| *kind != "AppUser");
    let named = kinds.into_iter().find_map(|kind| {
        let is_kind = |party: &Party<'a>| party.kind.is_some_and(|found| found.is(kind));
        event.targets.iter().map(|target| target.party).find(|party| is_kind(party) && people::can_be_user(party))
    });
    named.or_else(|| changed_user(event)).or_else(|| oneself(event, entry))
}

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let Some(user) = user(event, entry) else { return };
    user_with_account(w, event, &user);
    people::actor(w, event);
    if matches!(entry.activity_id, MFA_ENABLE | MFA_DISABLE) {
        factors::auth_factors(w, event, entry);
    }
    network::src_endpoint(w, event);
    network::http_request(w, event);
    device::device(w, event);
    control::control(w, event, entry);
}
