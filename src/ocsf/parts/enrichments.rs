//! `enrichments`: what Okta knows about an address, a user or an object beyond the attributes that OCSF has for them;
//! each says which attribute of the record it is about.

use crate::json::{Kind, Value};
use crate::ocsf::Class;
use crate::ocsf::enums::Observable;
use crate::ocsf::event::Event;
use crate::ocsf::event_types::Entry;
use crate::ocsf::writer::{Writer, saying};
use crate::okta::{ChangeDetails, Party};

/// `enrichments`, all of them.
pub fn enrichments(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    w.array("enrichments", |w| {
        address(w, event);
        behaviors(w, event);
        threats(w, event);
        embedded(w, event);
        // An entity carries its own before and after.
        if entry.class != Class::EntityManagement {
            for target in &event.targets {
                change(w, &target.party);
            }
        }
    });
}

/// Proxies, tunnels and whatever else is known of the client's address.
fn address(w: &mut Writer<'_>, event: &Event<'_>) {
    let (security, debug) = (&event.security, &event.debug);
    let facts: [(&'static str, Option<Value<'_>>); 7] = [
        ("isProxy", security.is_proxy),
        ("ipDetails", security.ip_details),
        ("botProtection", security.bot_protection),
        ("tunnels", debug.tunnels),
        ("proxyType", debug.proxy_type),
        ("associatedProxies", debug.associated_proxies),
        ("anonymizerStatus", debug.anonymizer_status),
    ];
    if facts.iter().any(|(_, fact)| fact.is_some()) {
        enrichment(w, Observable::IpAddress, "address", |w| {
            w.object("data", |w| {
                for (name, fact) in facts {
                    w.copy_json(name, name, fact);
                }
            });
        });
    }
}

/// How the sign-in compares with the user's habits.
fn behaviors(w: &mut Writer<'_>, event: &Event<'_>) {
    for value in [event.debug.behaviors, event.security.user_behaviors].into_iter().flatten() {
        let map = value.word().and_then(read_map);
        enrichment(w, Observable::UserUid, "behaviors", |w| match map {
            Some(pairs) => {
                w.object("data", |w| pairs.iter().for_each(|(name, result)| w.escaped_text(name, result)));
                w.implied(Some(value), "data");
            }
            None => w.copy_json("data", "data", Some(value)),
        });
    }
}

/// `{New Device=NEGATIVE, New IP=POSITIVE}`; `None` if it is of another form to its last character.
fn read_map(text: &str) -> Option<Vec<(&str, &str)>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let pairs: Option<Vec<_>> = inner.split(", ").map(|pair| pair.split_once('=')).collect();
    let pairs = pairs.filter(|pairs| pairs.len() <= crate::ocsf::writer::MOST_LISTED)?;
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let is_map = names.windows(2).all(|pair| pair.first() != pair.last());
    is_map.then_some(pairs)
}

/// What ThreatInsight and partners say.
fn threats(w: &mut Writer<'_>, event: &Event<'_>) {
    for (kind, value) in [("threats", event.debug.threat_detections), ("partner risk", event.debug.partner_risk)] {
        if value.is_some() {
            enrichment(w, Observable::IpAddress, kind, |w| w.copy_json("data", "data", value));
        }
    }
}

/// `logOnlySecurityData`: as the JSON that it is.
fn embedded(w: &mut Writer<'_>, event: &Event<'_>) {
    let Some(value) = event.debug.log_only_security_data else { return };
    match (value.kind(), event.embedded) {
        (Kind::Object, _) => {
            enrichment(w, Observable::UserUid, "security", |w| w.copy_json("data", "data", Some(value)));
        }
        (Kind::String, Some(object)) => enrichment(w, Observable::UserUid, "security", |w| {
            w.key("data");
            w.out().extend_from_slice(object.written().as_bytes());
            w.implied(Some(value), "data");
        }),
        _ => {}
    }
}

/// Before and after of a target.
fn change(w: &mut Writer<'_>, target: &Party<'_>) {
    let change = ChangeDetails::of(target.change_details);
    let Some(id) = saying(target.id).filter(|_| change.from.or(change.to).is_some()) else { return };
    w.item(|w| {
        w.fragment(r#""name":"target.id""#);
        w.escaped_text("value", id.span());
        w.fragment(r#""type":"change","provider":"Okta""#);
        w.object("data", |w| {
            w.copy_json("before", "before", change.from);
            w.copy_json("after", "after", change.to);
        });
    });
}

/// One enrichment, if the record has something that it can be about; otherwise the data is left where it was.
fn enrichment(
    w: &mut Writer<'_>,
    about: Observable,
    kind: &'static str,
    data: impl FnOnce(&mut Writer<'_>),
) {
    if !w.has_noted(about) {
        return;
    }
    w.item(|w| {
        w.about(about);
        w.text("type", kind);
        w.fragment(r#""provider":"Okta""#);
        data(w);
    });
}

#[cfg(test)]
mod tests {
    use super::read_map;

    #[test]
    fn a_map_is_read_only_if_it_is_one() {
        assert_eq!(
            read_map("{New Device=NEGATIVE, New IP=BAD_REQUEST}"),
            Some(vec![("New Device", "NEGATIVE"), ("New IP", "BAD_REQUEST")])
        );
        for odd in ["", "{}", "{a}", "{a=1", "{a=1, a=2}", "a=1"] {
            assert_eq!(read_map(odd), None, "{odd}");
        }
    }
}
