//! Where personal values stand in what Okta sends: in the parties of an event, and under the keys of profiles.

use super::Personal;
use crate::json::{Kind, Value};

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// What makes the event what it is. It is never touched.
    Fixed,
    /// A personal value.
    Personal(Personal),
    /// A word by which Okta says what happened. Only forms are looked for.
    Machine,
    /// Numbers of versions, which look like addresses.
    Agent,
    /// Anything.
    Free,
}

/// The root's own fields that are no texts for people.
const FIXED: &[&str] = &["uuid", "published", "eventType", "legacyEventType", "version", "severity"];

/// Keys whose values the mapping reads, and ids.
const MACHINE: &[&str] = &[
    "id",
    "type",
    "result",
    "level",
    "status",
    "risk",
    "riskLevel",
    "riskReasons",
    "reasons",
    "behaviors",
    "userBehaviors",
    "logOnlySecurityData",
    "threatSuspected",
    "threatDetections",
    "isProxy",
    "proxyType",
    "tunnels",
    "anonymizerStatus",
    "factor",
    "factorType",
    "methodTypeUsed",
    "signOnMode",
    "authenticationProvider",
    "credentialProvider",
    "credentialType",
    "privilegeGranted",
    "privilegeRevoked",
    "grantedScopes",
    "scopes",
    "policyType",
    "os",
    "os_platform",
    "osPlatform",
    "platform",
    "browser",
    "country",
];

const AGENT: &[&str] = &["rawUserAgent", "userAgent", "os_version", "osVersion", "version", "asOrg", "isp"];

/// Keys in profiles, in details of changes and in debug data: without case and punctuation.
const KEYS: &[(&str, Personal)] = &[
    ("login", Personal::Login),
    ("email", Personal::Login),
    ("secondemail", Personal::Login),
    ("emailaddress", Personal::Login),
    ("useremail", Personal::Login),
    ("username", Personal::Login),
    ("userlogin", Personal::Login),
    ("userprincipalname", Personal::Login),
    ("firstname", Personal::Name),
    ("lastname", Personal::Name),
    ("middlename", Personal::Name),
    ("nickname", Personal::Name),
    ("fullname", Personal::Name),
    ("givenname", Personal::Name),
    ("familyname", Personal::Name),
    ("surname", Personal::Name),
    ("employeenumber", Personal::EmployeeNumber),
    ("employeeid", Personal::EmployeeNumber),
    ("manager", Personal::Manager),
    ("managerid", Personal::Manager),
    ("managername", Personal::Manager),
    ("phone", Personal::Phone),
    ("phonenumber", Personal::Phone),
    ("mobilephone", Personal::Phone),
    ("primaryphone", Personal::Phone),
    ("workphone", Personal::Phone),
    ("homephone", Personal::Phone),
    ("ip", Personal::Ip),
    ("ipaddress", Personal::Ip),
    ("clientip", Personal::Ip),
    ("serialnumber", Personal::Device),
    ("imei", Personal::Device),
    ("meid", Personal::Device),
    ("udid", Personal::Device),
    ("macaddress", Personal::Device),
];

/// Keys that only users have: an object with one of them describes a person.
const OF_PEOPLE: &[&str] = &["login", "email", "firstName", "lastName", "credentials"];

/// Keys that only devices have.
const OF_DEVICES: &[&str] = &["platform", "serialNumber", "osPlatform", "os_platform"];

/// What stands at the place of a scalar.
pub fn place(value: Value<'_>) -> Place {
    let Some(holder) = value.parent() else { return Place::Free };
    // An element of a list is what the list is.
    let (named, object) = match holder.kind() {
        Kind::Array => (holder, holder.parent()),
        _ => (value, Some(holder)),
    };
    let key = &*named.key();
    let Some(object) = object else { return Place::Free };
    if object.parent().is_none() && FIXED.contains(&key) {
        return Place::Fixed;
    }
    if let Some(place) = name(object, key) {
        return place;
    }
    if let Some(kind) = kind_of_key(key) {
        return Place::Personal(kind);
    }
    if AGENT.contains(&key) {
        return Place::Agent;
    }
    if MACHINE.contains(&key) { Place::Machine } else { Place::Free }
}

/// The names by which an object is called, which are personal or not by what the object is.
fn name(object: Value<'_>, key: &str) -> Option<Place> {
    let has_any = |keys: &[&str]| object.children().any(|child| keys.contains(&&*child.key()));
    match key {
        "alternateId" | "displayName" if has_any(&["type"]) && has_any(&["id", "alternateId"]) => {
            Some(party(object, key))
        }
        "displayName" if has_any(OF_PEOPLE) => Some(Place::Personal(Personal::Name)),
        "displayName" if has_any(OF_DEVICES) => Some(Place::Personal(Personal::Device)),
        // The device of an event, and the name of a device that Okta repeats beside its profile.
        "name" if object.key() == "device" => Some(Place::Personal(Personal::Device)),
        "value" if object.key() == "resourceDisplayName" => Some(Place::Personal(Personal::Device)),
        "sid" if has_any(OF_DEVICES) => Some(Place::Personal(Personal::Device)),
        _ => None,
    }
}

/// The names of an actor or a target.
fn party(object: Value<'_>, key: &str) -> Place {
    let kind = object.get("type");
    let personal = if key == "alternateId" { Personal::Login } else { Personal::Name };
    match kind.and_then(Value::word) {
        Some("User" | "NewUser" | "AppUser") | None => Place::Personal(personal),
        Some("UDDevice" | "Device" | "DeviceInstance") => Place::Personal(Personal::Device),
        // Okta itself has an address, which is nobody's.
        Some("SystemPrincipal") => Place::Fixed,
        Some("UserGroup" | "AppGroup" | "Group" | "AppInstance") => Place::Free,
        // Roles, policies, factors: what they are called says what happened.
        Some(_) => Place::Machine,
    }
}

fn kind_of_key(key: &str) -> Option<Personal> {
    let is_same = |known: &str| {
        let letters = key.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase());
        letters.eq(known.bytes())
    };
    KEYS.iter().find(|(known, _)| is_same(known)).map(|(_, kind)| *kind)
}
