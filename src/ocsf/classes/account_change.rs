//! Account Change (3001): a user is created, enabled, disabled, locked, gets a password or a factor.

use super::{acting_user, changed_user};
use crate::json::Value;
use crate::ocsf::event::{Event, Role};
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::{control, device, factors, network, people};
use crate::ocsf::writer::{Writer, saying};
use crate::okta::Party;

/// The activities in which a factor is the point.
const MFA_ENABLE: u8 = 10;
const MFA_DISABLE: u8 = 11;

/// The user whose account changes: never the admin, unless the event names nobody else.
pub fn user<'a>(event: &Event<'a>, entry: &Entry) -> Option<Party<'a>> {
    let named = entry.targets.iter().find_map(|kind| {
        let is_kind = |party: &Party<'a>| party.kind.is_some_and(|found| found.is(kind));
        event.targets.iter().map(|target| target.party).find(|party| is_kind(party) && people::can_be_user(party))
    });
    named.or_else(|| changed_user(event)).or_else(|| acting_user(event))
}

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let Some(user) = user(event, entry) else { return };
    let app_user = event.target(Role::AppUser).filter(|account| !is_same(account, &user));
    people::user_with(w, "user", &user, |w| {
        if let Some(account) = app_user {
            account_in_app(w, &account);
        }
    });
    people::actor(w, event);
    if matches!(entry.activity_id, MFA_ENABLE | MFA_DISABLE) {
        factors::auth_factors(w, event, entry);
    }
    network::src_endpoint(w, event);
    network::http_request(w, event);
    device::device(w, event);
    control::control(w, event, entry);
}

/// `user.account`: the user's account in an application.
fn account_in_app(w: &mut Writer<'_>, account: &Party<'_>) {
    if saying(account.id).or(saying(account.alternate_id)).is_none() {
        return;
    }
    w.object("account", |w| {
        w.copy("uid", account.id);
        w.copy("name", account.alternate_id);
        w.other("type_id", "type", account.kind);
    });
}

fn is_same(a: &Party<'_>, b: &Party<'_>) -> bool {
    a.id.map(Value::place) == b.id.map(Value::place)
}
