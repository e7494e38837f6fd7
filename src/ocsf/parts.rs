//! The parts that all classes share, each made from the one place of the event that says it.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::objects::{
    AutonomousSystem, HttpRequest, Location, Metadata, NetworkEndpoint, Product, Session, TransformationInfo, User,
};
use super::unmapped::Taken;
use super::{Class, MAPPING_VERSION, OCSF_VERSION, Options, Source};
use crate::okta::{self, LogEvent, Text};

/// The namespace of `metadata.uid` (UUID version 5, RFC 9562): any fixed value serves; this one was drawn once.
const RECORD_NAMESPACE: Uuid = Uuid::from_u128(0x4f1c_5a0e_7d33_4b52_9a51_0c5d_6e8f_2b47);

/// One event on its way to a record.
pub struct Context<'a> {
    pub source: Source<'a>,
    pub options: Options,
    pub event: &'a LogEvent<'a>,
    pub uuid: &'a str,
    pub published: &'a str,
    /// `published` in ms since the Unix epoch.
    pub time: i64,
}

/// The attributes that every class starts with.
#[derive(Debug, Serialize)]
pub struct Base<'a> {
    pub category_uid: u32,
    pub category_name: &'static str,
    pub class_uid: u32,
    pub class_name: &'static str,
    pub activity_id: u8,
    pub activity_name: &'a str,
    pub type_uid: u32,
    pub type_name: String,
    pub time: i64,
    pub severity_id: u8,
    pub severity: &'a str,
    pub status_id: u8,
    pub status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'a str>,
    pub metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub unmapped: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_data: Option<&'a str>,
}

/// Names of a class and its category, as the schema's captions say them.
pub struct Captions {
    pub category_uid: u32,
    pub category: &'static str,
    pub class: &'static str,
}

/// The shared start of a record. `activity` is the id and its caption (for 99 the source's own word); `taken` knows
/// what the class took already, and what is left after this is the record's `unmapped`.
pub fn base<'a>(
    context: &Context<'a>,
    class: Class,
    captions: &Captions,
    (activity_id, activity_name): (u8, &'a str),
    profiles: &'static [&'static str],
    mut taken: Taken,
) -> Base<'a> {
    let event = context.event;
    let (severity_id, severity) = severity(&event.severity);
    let result = taken.take("outcome.result", event.outcome.as_ref().and_then(|o| o.result.get()));
    let reason = taken.take("outcome.reason", event.outcome.as_ref().and_then(|o| o.reason.get()));
    let (status_id, status) = status(result);
    // A sibling repeats the schema's caption; only Base Event's type_uid is itself 99, which wants the source's word.
    let caption = if activity_id == 99 && class != Class::BaseEvent { "Other" } else { activity_name };
    Base {
        category_uid: captions.category_uid,
        category_name: captions.category,
        class_uid: class.uid(),
        class_name: captions.class,
        activity_id,
        activity_name,
        type_uid: class.uid() * 100 + u32::from(activity_id),
        type_name: format!("{}: {caption}", captions.class),
        time: context.time,
        severity_id,
        severity,
        status_id,
        status,
        status_code: result,
        status_detail: reason,
        message: taken.take("displayMessage", event.display_message.get()),
        metadata: metadata(context, profiles, &mut taken),
        unmapped: if context.options.unmapped { taken.leftover(context.source.bytes) } else { Map::new() },
        raw_data: context.options.raw_data.then(|| std::str::from_utf8(context.source.bytes).ok()).flatten(),
    }
}

fn metadata<'a>(context: &Context<'a>, profiles: &'static [&'static str], taken: &mut Taken) -> Metadata<'a> {
    let event = context.event;
    Metadata {
        version: OCSF_VERSION,
        product: Product { name: "Okta", vendor_name: "Okta" },
        uid: record_uid(context.source.org, context.uuid),
        original_event_uid: taken.always("uuid", context.uuid),
        tenant_uid: context.source.org.as_str(),
        event_code: taken.take("eventType", event.event_type.get()),
        log_level: taken.take("severity", event.severity.get()),
        log_name: "Okta System Log",
        log_provider: "Okta",
        original_time: taken.always("published", context.published),
        logged_time: context.source.landed_at,
        correlation_uid: taken.take("transaction.id", event.transaction.as_ref().and_then(|t| t.id.get())),
        transformation_info_list: [TransformationInfo { name: "okta-ocsf", uid: MAPPING_VERSION }],
        profiles,
    }
}

/// `metadata.uid`: the same for the same event of the same org, whoever computes it and whenever.
fn record_uid(org: &okta::OrgId, uuid: &str) -> String {
    Uuid::new_v5(&RECORD_NAMESPACE, format!("{org}\n{uuid}").as_bytes()).to_string()
}

/// Okta's four levels; OCSF has no level for debugging, and an ERROR of a log is not a Critical incident.
fn severity<'a>(text: &'a Text<'_>) -> (u8, &'a str) {
    match text.get() {
        None => (0, "Unknown"),
        Some("DEBUG" | "INFO") => (1, "Informational"),
        Some("WARN") => (3, "Medium"),
        Some("ERROR") => (4, "High"),
        Some(other) => (99, other),
    }
}

fn status(result: Option<&str>) -> (u8, &str) {
    match result {
        None => (0, "Unknown"),
        Some("SUCCESS" | "ALLOW") => (1, "Success"),
        Some("FAILURE" | "DENY") => (2, "Failure"),
        Some(other) => (99, other),
    }
}

/// A principal as an OCSF user whose type never lets a machine pose as a person. `None` without any identity.
pub fn principal<'a>(actor: &'a okta::Actor<'_>) -> Option<User<'a>> {
    let name = actor.alternate_id.get().or_else(|| actor.display_name.get());
    let uid = actor.id.get();
    if name.is_none() && uid.is_none() {
        return None;
    }
    let (type_id, kind) = match actor.kind.get() {
        Some("User") => (1, "User"),
        Some("SystemPrincipal") => (3, "System"),
        Some("PublicClientApp" | "PublicClientAppEntity" | "ServiceClient") => (4, "Service"),
        Some(other) => (99, other),
        None => (0, "Unknown"),
    };
    let person = type_id == 1;
    Some(User {
        uid,
        name,
        display_name: actor.display_name.get(),
        email_addr: actor.alternate_id.get().filter(|text| person && is_email(text)),
        type_id,
        kind,
    })
}

/// Conservative: what this accepts, the schema's `email_t` accepts.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    let host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let dotted = domain.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && !rest.is_empty());
    !local.is_empty() && local.chars().all(plain) && domain.chars().all(host) && dotted
}

/// Notes that the event's actor is in the record; its type only if the record says it in the same word.
pub fn take_actor(event: &LogEvent<'_>, user: &User<'_>, taken: &mut Taken) {
    let Some(actor) = &event.actor else { return };
    taken.take("actor.id", actor.id.get());
    taken.take("actor.displayName", actor.display_name.get());
    taken.take("actor.alternateId", actor.alternate_id.get());
    taken.take("actor.type", actor.kind.get().filter(|kind| *kind == user.kind));
}

/// The Okta session that the event belongs to.
pub fn session<'a>(event: &'a LogEvent<'_>, taken: &mut Taken) -> Option<Session<'a>> {
    let context = event.authentication_context.as_ref()?;
    let root = taken.take("authenticationContext.rootSessionId", context.root_session_id.get());
    let external = taken.take("authenticationContext.externalSessionId", context.external_session_id.get());
    let uid = external.or(root)?;
    let issuer = context.issuer.as_ref().and_then(|i| i.id.get());
    Some(Session {
        uid,
        uid_alt: root.filter(|id| *id != uid),
        issuer: taken.take("authenticationContext.issuer.id", issuer),
    })
}

/// The requesting client. `None` without a valid address: Okta's own system events have none.
pub fn src_endpoint<'a>(event: &'a LogEvent<'_>, taken: &mut Taken) -> Option<NetworkEndpoint<'a>> {
    let client = event.client.as_ref()?;
    let ip = taken.take("client.ipAddress", valid_ip(&client.ip_address))?;
    let security = event.security_context.as_ref();
    Some(NetworkEndpoint {
        intermediate_ips: intermediate_ips(event, &ip),
        ip,
        domain: taken.take("securityContext.domain", security.and_then(|s| s.domain.get()).filter(|d| *d != ".")),
        zone: taken.take("client.zone", client.zone.get()),
        isp: taken.take("securityContext.isp", security.and_then(|s| s.isp.get())),
        autonomous_system: security.and_then(|s| autonomous_system(s, taken)),
        location: client.geographical_context.as_ref().and_then(|geo| location(geo, taken)),
    })
}

fn valid_ip(text: &Text<'_>) -> Option<String> {
    text.get()?.trim().parse::<IpAddr>().ok().map(|ip| ip.to_string())
}

fn intermediate_ips(event: &LogEvent<'_>, client: &str) -> Vec<String> {
    let hops = event.request.as_ref().and_then(|r| r.ip_chain.as_deref()).unwrap_or_default();
    hops.iter().filter_map(|hop| valid_ip(&hop.ip)).filter(|ip| ip != client).collect()
}

fn autonomous_system<'a>(security: &'a okta::SecurityContext<'_>, taken: &mut Taken) -> Option<AutonomousSystem<'a>> {
    let number = security.as_number.filter(|n| u32::try_from(*n).is_ok());
    let number = taken.take("securityContext.asNumber", number);
    let name = taken.take("securityContext.asOrg", security.as_org.get());
    (number.is_some() || name.is_some()).then_some(AutonomousSystem { number, name })
}

fn location<'a>(geo: &'a okta::GeographicalContext<'_>, taken: &mut Taken) -> Option<Location<'a>> {
    let city = taken.take("client.geographicalContext.city", geo.city.get());
    let region = taken.take("client.geographicalContext.state", geo.state.get());
    let postal_code = taken.take("client.geographicalContext.postalCode", geo.postal_code.get());
    // The schema wants at least one of the names; a bare coordinate stays in `unmapped`.
    if city.is_none() && region.is_none() && postal_code.is_none() {
        return None;
    }
    let place = geo.geolocation.unwrap_or_default();
    Some(Location {
        city,
        region,
        postal_code,
        lat: taken.take("client.geographicalContext.geolocation.lat", place.lat),
        long: taken.take("client.geographicalContext.geolocation.lon", place.lon),
    })
}

/// The browser or SDK that sent the request.
pub fn http_request<'a>(event: &'a LogEvent<'_>, taken: &mut Taken) -> Option<HttpRequest<'a>> {
    let agent = event.client.as_ref()?.user_agent.as_ref()?;
    let user_agent = taken.take("client.userAgent.rawUserAgent", agent.raw_user_agent.get())?;
    Some(HttpRequest { user_agent })
}
