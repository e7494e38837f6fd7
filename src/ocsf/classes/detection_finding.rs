//! Detection Finding (2004): Okta noticed something about an identity, a session or an address.

use super::changed_user;
use crate::json::Value;
use crate::ocsf::event::{Event, Role};
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::{control, device, network, people, resources, risk};
use crate::ocsf::writer::{Writer, saying};
use crate::okta::Risk;

const CREATE: u8 = 1;

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    finding_info(w, event, entry);
    evidences(w, event);
    resources::resources(w, event, &[Role::User, Role::Policy, Role::Rule]);
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
        w.copy("title", event.log.display_message);
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

/// The same finding keeps its uid: what changes or ends is the finding of that family about that subject.
fn finding_uid(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let name = event.log.event_type.and_then(Value::word).unwrap_or_default();
    let has_a_course = entry.activity_id != CREATE || name.starts_with("security.attack.") || name.contains(".risk.");
    let subject = changed_user(event).and_then(|user| saying(user.id));
    let subject = subject.or_else(|| event.targets.iter().find_map(|target| saying(target.party.id)));
    let family = name.rsplit_once('.').map_or(name, |(family, _)| family);
    match (has_a_course, subject) {
        (true, Some(subject)) => w.escaped_text("uid", &format!("{family}:{}", subject.span())),
        (true, None) if !family.is_empty() => w.escaped_text("uid", family),
        _ => w.escaped_text("uid", event.log.uuid.map(Value::span).unwrap_or_default()),
    }
}

/// What it was noticed by: who, where from, with what.
fn evidences(w: &mut Writer<'_>, event: &Event<'_>) {
    w.array("evidences", |w| {
        w.item(|w| {
            // The class wants at least one of these; a request alone proves nothing.
            let seen = w.wrote(|w| {
                people::actor(w, event);
                if let Some(user) = changed_user(event) {
                    people::user(w, "user", &user);
                }
                network::src_endpoint(w, event);
            });
            if seen {
                network::http_request(w, event);
            }
        });
    });
}
