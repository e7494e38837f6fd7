//! Detection Finding (2004): Okta noticed something about an identity, a session or an address.

use super::changed_user;
use crate::json::Value;
use crate::ocsf::event::{Event, Role};
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::people::can_be_user;
use crate::ocsf::parts::{control, device, network, people, resources, risk};
use crate::ocsf::writer::{Writer, saying};
use crate::okta::Risk;

const CREATE: u8 = 1;
const UPDATE: u8 = 2;
const CLOSE: u8 = 3;

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    finding_info(w, event, entry);
    evidences(w, event);
    resources::resources(w, event, |target| matches!(target.role, Role::User | Role::Policy | Role::Rule));
    match entry.activity_id {
        // A finding that is new is what an alert is.
        CREATE => w.flag("is_alert", true),
        _ => w.copy_flag("is_alert", event.debug.threat_suspected),
    }
    risk::risk(w, event);
    device::device(w, event);
    control::control(w, event, entry);
}

fn finding_info(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    w.object("finding_info", |w| {
        finding_uid(w, event, entry);
        if !w.copy("title", event.log.display_message) {
            w.copy("title", event.log.event_type);
        }
        w.array("types", |w| w.copy_item("", event.log.event_type));
        let name = Risk::of(event.security.risk).detection_name;
        if saying(name).is_some() {
            w.object("analytic", |w| {
                w.copy("name", name);
                w.fragment(r#""type_id":0,"type":"Unknown""#);
            });
        }
    });
}

/// A finding that takes its course keeps its uid: it is that of its family about its subject. What is noticed once has the
/// event's.
fn finding_uid(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let name = event.log.event_type.and_then(Value::word).unwrap_or_default();
    let family = name.rsplit_once('.').map_or(name, |(family, _)| family);
    let is_attack = family == "security.attack";
    let has_a_course = is_attack || family.ends_with(".risk") || matches!(entry.activity_id, UPDATE | CLOSE);
    let user = changed_user(event).and_then(|user| saying(user.id));
    match user {
        Some(user) if has_a_course && !is_attack => w.escaped_text("uid", &format!("{family}:{}", user.span())),
        // An attack is on the org, of which there is one.
        _ if is_attack => w.escaped_text("uid", family),
        _ => w.escaped_text("uid", event.log.uuid.map(Value::span).unwrap_or_default()),
    }
}

/// What it was noticed by: who, where from, with what; and each user whom it is about.
fn evidences(w: &mut Writer<'_>, event: &Event<'_>) {
    let mut users = event.targets_of(Role::User).chain(event.targets_of(Role::AppUser)).filter(can_be_user);
    let first = users.next();
    w.array("evidences", |w| {
        w.item(|w| {
            // The class wants at least one of these; a request alone proves nothing.
            let seen = w.wrote(|w| {
                people::actor(w, event);
                if let Some(user) = first {
                    people::user(w, event, "user", &user);
                }
                network::src_endpoint(w, event);
            });
            if seen {
                network::http_request(w, event);
            }
        });
        for user in users {
            w.item(|w| people::user(w, event, "user", &user));
        }
    });
}
