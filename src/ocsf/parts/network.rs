//! `src_endpoint`, `http_request`: where the request came from and what it asked for.

use std::net::IpAddr;

use super::{countries, people};
use crate::json::{Kind, Value};
use crate::ocsf::enums::Observable;
use crate::ocsf::event::Event;
use crate::ocsf::privacy;
use crate::ocsf::writer::{MOST_LISTED, Writer, saying};
use crate::okta::{GeographicalContext, Geolocation, IpAddress, Request};

/// `src_endpoint`. Whether there is one.
pub fn src_endpoint(w: &mut Writer<'_>, event: &Event<'_>) -> bool {
    w.wrote(|w| {
        if has_address(event) {
            w.object("src_endpoint", |w| endpoint(w, event));
        }
    })
}

/// `src_endpoint` of a class that requires one: Okta itself where no client is known.
pub fn src_endpoint_or_okta(w: &mut Writer<'_>, event: &Event<'_>) {
    if !src_endpoint(w, event) {
        w.fragment(r#""src_endpoint":{"svc_name":"Okta"}"#);
    }
}

/// Whether the client's address is known, without which an endpoint is not one.
pub fn has_address(event: &Event<'_>) -> bool {
    client_ip(event).is_some() || is_name(saying(event.security.domain))
}

fn endpoint(w: &mut Writer<'_>, event: &Event<'_>) {
    if let Some(address) = client_ip(event) {
        self::address(w, address);
    }
    w.copy("zone", event.client.zone);
    if is_name(saying(event.security.domain)) {
        w.copy("domain", event.security.domain);
    }
    w.copy("isp", event.security.isp);
    w.object("autonomous_system", |w| {
        w.copy_integer("number", event.security.as_number, 0..=i64::from(u32::MAX));
        w.copy("name", event.security.as_org);
    });
    location(w, event.client.geographical_context);
    kind(w, event.client.device);
    w.array("intermediate_ips", |w| intermediate(w, event));
    os(w, event.user_agent.os, None);
}

/// A domain that is more than a root dot.
fn is_name(domain: Option<Value<'_>>) -> bool {
    domain.is_some_and(|domain| domain.span() != ".")
}

/// `type_id` of the device that a client runs on. Whether the event says it.
pub fn kind(w: &mut Writer<'_>, device: Option<Value<'_>>) -> bool {
    let known = match saying(device).and_then(Value::word) {
        Some("Computer") => r#""type_id":2,"type":"Desktop""#,
        Some("Tablet") => r#""type_id":4,"type":"Tablet""#,
        Some("Mobile") => r#""type_id":5,"type":"Mobile""#,
        _ => return w.wrote(|w| w.other("type_id", "type", device)),
    };
    w.fragment(known);
    w.implied(device, "type");
    true
}

/// `os`, by the names that user agents and devices report.
pub fn os(w: &mut Writer<'_>, name: Option<Value<'_>>, version: Option<Value<'_>>) {
    let Some(said) = saying(name) else { return };
    w.object("os", |w| {
        w.copy("name", name);
        w.fragment(os_type(said.span()));
        w.copy("version", version);
    });
}

/// `type_id` and `type` of a system by its name.
pub fn os_type(name: &str) -> &'static str {
    let starts = |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    match () {
        () if starts("windows phone") || starts("windows mobile") => r#""type_id":101,"type":"Windows Mobile""#,
        () if starts("windows") => r#""type_id":100,"type":"Windows""#,
        () if starts("ios") || name.contains("iPhone") => r#""type_id":301,"type":"iOS""#,
        () if starts("ipados") || name.contains("iPad") => r#""type_id":302,"type":"iPadOS""#,
        () if starts("mac") || starts("os x") || starts("osx") => r#""type_id":300,"type":"macOS""#,
        () if starts("android") => r#""type_id":201,"type":"Android""#,
        () if starts("linux") || starts("ubuntu") => r#""type_id":200,"type":"Linux""#,
        () => r#""type_id":0,"type":"Unknown""#,
    }
}

/// `location`. The schema wants a name in it; bare coordinates are left where they were.
pub fn location(w: &mut Writer<'_>, value: Option<Value<'_>>) {
    let place = GeographicalContext::of(value);
    let code = saying(place.country).and_then(|country| countries::code(&country.decoded()));
    let named = [place.city, place.state, place.postal_code].into_iter().any(|name| saying(name).is_some());
    if !named && code.is_none() {
        return;
    }
    w.object("location", |w| {
        w.copy("city", place.city);
        w.copy("region", place.state);
        if let Some(code) = code {
            w.observe_text("country", code, Observable::Country);
        }
        // The name as Okta writes it: a code may come with others.
        w.copy("desc", place.country);
        w.copy("postal_code", place.postal_code);
        let point = Geolocation::of(place.geolocation);
        w.copy_fraction("lat", point.lat, 90.0);
        w.copy_fraction("long", point.lon, 180.0);
    });
}

/// The addresses between the client and Okta.
fn intermediate(w: &mut Writer<'_>, event: &Event<'_>) {
    let client = client_ip(event);
    let chain = Request::of(event.log.request).ip_chain.filter(|chain| chain.kind() == Kind::Array);
    for hop in chain.into_iter().flat_map(Value::children).take(MOST_LISTED) {
        let Some(address) = ip(IpAddress::of(Some(hop)).ip) else { continue };
        if client.is_some_and(|client| client.span() == address.span()) {
            // The endpoint itself.
            w.same_as_noted(address, Observable::IpAddress);
        } else {
            w.observed_item(address, Observable::IpAddress);
        }
    }
}

/// The address that a request came from. Where the actor is nothing but an address, it is that.
pub fn client_ip<'a>(event: &Event<'a>) -> Option<Value<'a>> {
    let actor = Some(event.actor).filter(|actor| people::being(actor) == people::Being::Address);
    let of_actor = || actor.and_then(|actor| ip(actor.id).or(ip(actor.alternate_id)).or(ip(actor.display_name)));
    let of_client = event.client.ip_address.filter(|address| is_pseudonym(*address));
    ip(event.client.ip_address).or(of_client).or_else(of_actor)
}

/// `ip`; of an address that is hidden `interface_uid`, which may be any text.
pub fn address(w: &mut Writer<'_>, address: Value<'_>) {
    if is_pseudonym(address) {
        w.observe("interface_uid", Some(address), Observable::OtherUid);
    } else {
        w.observe("ip", Some(address), Observable::IpAddress);
    }
}

/// Whether a value stands for one that is hidden.
fn is_pseudonym(value: Value<'_>) -> bool {
    value.word().is_some_and(privacy::is_token)
}

/// A value that is an IP address.
pub fn ip(value: Option<Value<'_>>) -> Option<Value<'_>> {
    // 40 bytes is the schema's limit of `ip_t`; only odd forms of IPv6 are longer.
    value.filter(|value| value.word().is_some_and(|text| text.len() <= 40 && text.parse::<IpAddr>().is_ok()))
}

/// `http_request`. Whether there is one.
pub fn http_request(w: &mut Writer<'_>, event: &Event<'_>) -> bool {
    w.wrote(|w| {
        w.object("http_request", |w| {
            w.observe("user_agent", event.user_agent.raw_user_agent, Observable::UserAgent);
            w.copy("uid", event.debug.request_id);
            w.object("url", |w| url(w, event));
        });
    })
}

/// Okta writes the path in `requestUri`, and in `url` the path with the query; a whole URL only where it calls others.
fn url(w: &mut Writer<'_>, event: &Event<'_>) {
    let has_path = w.copy("path", event.debug.request_uri);
    let Some(url) = saying(event.debug.url) else { return };
    if url.span().contains("://") {
        w.copy("url_string", Some(url));
        return;
    }
    let (path, query) = url.span().split_once('?').unwrap_or((url.span(), ""));
    let path_is_there = has_path && saying(event.debug.request_uri).is_some_and(|uri| uri.span() == path);
    if path.is_empty() || (has_path && !path_is_there) {
        return;
    }
    if !has_path {
        w.escaped_text("path", path);
    }
    if !query.is_empty() {
        w.escaped_text("query_string", query);
    }
    w.implied(Some(url), if query.is_empty() { "path" } else { "query_string" });
}
