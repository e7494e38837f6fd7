//! `enrichments`: what Okta knows about an address, a user or an object beyond the attributes that OCSF has for them;
//! each says which attribute of the record it is about. At last those by the inventory (`enrich`).

use super::network::client_ip;
use super::people::{Being, being, can_be_user};
use super::risk;
use crate::json::{self, Kind, Value};
use crate::ocsf::Class;
use crate::ocsf::event::{Event, Role};
use crate::ocsf::event_types::Entry;
use crate::ocsf::writer::{Writer, saying, truth};
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
        event.background.entries(w);
    });
}

/// Proxies, tunnels and whatever else is known of the client's address. That it is no proxy is not worth a record of
/// its own.
fn address(w: &mut Writer<'_>, event: &Event<'_>) {
    let (security, debug) = (&event.security, &event.debug);
    let proxy = security.is_proxy.filter(|proxy| truth(*proxy) == Some(true));
    let facts: [(&'static str, Option<Value<'_>>); 6] = [
        ("ipDetails", security.ip_details),
        ("botProtection", security.bot_protection),
        ("tunnels", debug.tunnels),
        ("proxyType", debug.proxy_type),
        ("associatedProxies", debug.associated_proxies),
        ("anonymizerStatus", debug.anonymizer_status),
    ];
    if proxy.is_some() || facts.iter().any(|(_, fact)| has_substance(*fact)) {
        enrichment(w, client_ip(event), "address", |w| {
            w.object("data", |w| {
                w.copy_json("isProxy", "isProxy", security.is_proxy);
                for (name, fact) in facts {
                    data(w, name, fact);
                }
            });
        });
    }
}

/// How the sign-in compares with the user's habits.
fn behaviors(w: &mut Writer<'_>, event: &Event<'_>) {
    let values = [event.debug.behaviors, event.security.user_behaviors];
    for value in values.into_iter().filter(|value| has_substance(*value)).flatten() {
        let map = value.word().and_then(read_map);
        enrichment(w, person(event), "behaviors", |w| match map {
            Some(pairs) => {
                w.object("data", |w| pairs.iter().for_each(|(name, result)| w.escaped_text(name, result)));
                w.implied(Some(value), "data");
            }
            None => w.copy_json("data", "data", Some(value)),
        });
    }
}

/// The id of the person whose habits and risk an event tells of: whoever acts, if that is a person; else whoever is
/// acted on.
fn person<'a>(event: &Event<'a>) -> Option<Value<'a>> {
    let acting = Some(event.actor).filter(|actor| matches!(being(actor), Being::Person | Being::Unknown));
    let person = acting.filter(can_be_user).or_else(|| event.targets_of(Role::User).find(can_be_user))?;
    person.id
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
        if has_substance(value) {
            enrichment(w, client_ip(event), kind, |w| data(w, "data", value));
        }
    }
}

/// `logOnlySecurityData`: as the JSON that it is.
fn embedded(w: &mut Writer<'_>, event: &Event<'_>) {
    let value = event.debug.log_only_security_data;
    if has_substance(value) && event.embedded.or(value).is_some_and(|object| object.kind() == Kind::Object) {
        enrichment(w, person(event), "security", |w| data(w, "data", value));
    }
}

/// Any JSON attribute: a structure as it is; a text that is the JSON of one, as that; else the text.
fn data(w: &mut Writer<'_>, name: &'static str, value: Option<Value<'_>>) {
    let Some(value) = value.filter(|value| has_substance(Some(*value))) else { return };
    let text = value.as_str().filter(|text| is_structure(text));
    match text {
        Some(text) => {
            w.key(name);
            w.out().extend_from_slice(text.as_bytes());
            w.implied(Some(value), name);
        }
        None => w.copy_json(name, name, Some(value)),
    }
}

/// Whether a text is the JSON of an object or array, on one line as the record is.
fn is_structure(text: &str) -> bool {
    let is_shallow = |depth| depth <= risk::MOST_EMBEDDED_DEPTH;
    let mut tape = json::Tape::default();
    text.starts_with(['{', '['])
        && !text.contains(['\n', '\r'])
        && tape.read(text.as_bytes()).is_ok_and(|document| is_shallow(document.depth()))
}

/// Whether there is more than nothing in a value.
fn has_substance(value: Option<Value<'_>>) -> bool {
    value.is_some_and(|value| match value.kind() {
        Kind::Object | Kind::Array => value.children().next().is_some(),
        _ => saying(Some(value)).is_some(),
    })
}

/// Before and after of a target, where the record has the target.
fn change(w: &mut Writer<'_>, target: &Party<'_>) {
    let change = ChangeDetails::of(target.change_details);
    if !has_substance(change.from) && !has_substance(change.to) {
        return;
    }
    enrichment(w, target.id, "change", |w| {
        w.object("data", |w| {
            w.copy_json("before", "before", change.from);
            w.copy_json("after", "after", change.to);
        });
    });
}

/// One enrichment about a value that stands in the record; otherwise the data is left where it was.
fn enrichment(w: &mut Writer<'_>, about: Option<Value<'_>>, kind: &'static str, data: impl FnOnce(&mut Writer<'_>)) {
    let Some(about) = saying(about).filter(|about| w.has_noted(*about)) else { return };
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
