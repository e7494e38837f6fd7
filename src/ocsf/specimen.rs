//! An event of a type with every field filled that the mapping knows: what `okta-ocsf explain EVENT_TYPE` maps.

use serde_json::{Map, Value, json};

use super::Class;
use super::event::Role;
use super::event_types::Entry;
use crate::okta::{
    AuthenticationContext, Client, DebugData, Device, GeographicalContext, LogEvent, Outcome, SecurityContext,
    Transaction, UserAgent,
};

/// The event as JSON text. Its values are made up.
pub fn specimen(event_type: &str, entry: &Entry) -> String {
    let mut event = filled(LogEvent::FIELDS);
    let sections = json!({
        "uuid": "3f0a8c52-7c1e-11f0-9a41-0242ac120002",
        "published": "2026-05-04T10:20:30.123Z",
        "eventType": event_type,
        "version": "0",
        "severity": "INFO",
        "actor": {"id": "00u1", "type": "User", "alternateId": "ada@example.com", "displayName": "Ada"},
        "outcome": with(Outcome::FIELDS, json!({"result": "SUCCESS"})),
        "transaction": with(Transaction::FIELDS, json!({"type": "WEB", "detail": {"requestApiTokenId": "00T1"}})),
        "authenticationContext": with(AuthenticationContext::FIELDS, json!({
            "authenticationProvider": "FACTOR_PROVIDER", "credentialType": "OTP", "authenticationStep": 0,
            "issuer": {"id": "https://example.okta.com", "type": "OIDC"},
        })),
        "securityContext": with(SecurityContext::FIELDS, json!({
            "asNumber": 64500, "isProxy": false, "domain": "example.net",
            "risk": {"level": "LOW", "reasons": ["Anomalous Device"], "detectionName": "Detection"},
            "userBehaviors": [{"id": "beh1", "name": "New Device", "result": "POSITIVE"}],
            "ipDetails": {"asNumber": 64500}, "botProtection": {"level": "LOW"},
        })),
        "client": with(Client::FIELDS, json!({
            "ipAddress": "192.0.2.7", "device": "Computer", "zone": "BlockedIpZone",
            "userAgent": with(UserAgent::FIELDS, json!({"os": "Mac OS X"})),
            "geographicalContext": with(GeographicalContext::FIELDS, json!({
                "country": "Austria", "geolocation": {"lat": 47.07, "lon": 15.44},
            })),
        })),
        "device": with(Device::FIELDS, json!({"os_platform": "OSX", "managed": true, "registered": true, "jailbreak": false})),
        "request": {"ipChain": [{"ip": "192.0.2.7", "version": "V4"}, {"ip": "198.51.100.9", "version": "V4"}]},
        "debugContext": {"debugData": debug_data()},
        "target": targets(entry),
    });
    event.extend(sections.as_object().cloned().unwrap_or_default());
    Value::Object(event).to_string()
}

fn debug_data() -> Value {
    with(
        DebugData::FIELDS,
        json!({
            "risk": "{reasons=Anomalous Location, level=HIGH}",
            "behaviors": "{New Device=POSITIVE, New IP=NEGATIVE}",
            "logOnlySecurityData": r#"{"risk":{"level":"LOW"},"behaviors":{"New Device":"NEGATIVE"}}"#,
            "threatSuspected": "false",
            "signOnMode": "SAML 2.0",
            "phoneNumber": "+43 1 5550100",
        }),
    )
}

/// Every field with its own name for a value.
fn filled(fields: &[&str]) -> Map<String, Value> {
    fields.iter().map(|field| ((*field).to_owned(), json!(format!("<{field}>")))).collect()
}

fn with(fields: &[&str], values: Value) -> Value {
    let mut section = filled(fields);
    section.extend(values.as_object().cloned().unwrap_or_default());
    Value::Object(section)
}

/// The target that the activity is about, and those that its class usually has beside it.
fn targets(entry: &Entry) -> Vec<Value> {
    let object = entry.targets.first().cloned();
    let object = object.or_else(|| Role::usual_kind(&entry.entity).map(str::to_owned));
    let object = object.or_else(|| (!entry.entity.is_empty()).then(|| entry.entity.replace(' ', "")));
    let beside: &[&str] = match entry.class {
        Class::Authentication => &["User", "AppInstance", "AuthenticatorEnrollment"],
        Class::AuthorizeSession => &["User", "AppInstance", "PolicyEntity", "PolicyRule"],
        Class::AccountChange => &["User", "AppUser", "AuthenticatorEnrollment"],
        Class::UserAccess => &["User", "AppInstance", "ROLE"],
        Class::GroupManagement => &["UserGroup", "User", "AppInstance"],
        Class::DetectionFinding => &["User", "AppInstance", "PolicyRule"],
        Class::EmailActivity => &["User"],
        Class::ApplicationLifecycle => &["AppInstance"],
        _ => &[],
    };
    let mut kinds: Vec<String> = object.into_iter().chain(beside.iter().map(|kind| (*kind).to_owned())).collect();
    let mut seen = Vec::new();
    kinds.retain(|kind| {
        !seen.contains(kind) && {
            seen.push(kind.clone());
            true
        }
    });
    kinds.iter().enumerate().map(|(at, kind)| target(at, kind, at == 0)).collect()
}

fn target(at: usize, kind: &str, is_object: bool) -> Value {
    let alternate = match kind {
        "User" | "AppUser" | "email" => "grace@example.com".to_owned(),
        _ => format!("<{kind} alternateId>"),
    };
    let mut target = json!({
        "id": format!("id{at}"), "type": kind, "alternateId": alternate, "displayName": format!("<{kind} displayName>"),
        "detailEntry": {"policyType": "<policyType>", "methodTypeUsed": "Password"},
    });
    if is_object {
        target["changeDetails"] = json!({"from": {"status": "ACTIVE"}, "to": {"status": "INACTIVE"}});
    }
    target
}
