//! Policies and their rules, zones, behaviors, authenticators, assurances, authorization servers.

use serde_json::{Value, json};

use super::{link, object};
use crate::cast::PLACES;
use crate::world::seed::{Kind, Seed};

/// The policy types and how many of each an org has; the first three policies are those of the day's talk.
pub const POLICY_TYPES: [(&str, u64); 12] = [
    ("OKTA_SIGN_ON", 3),
    ("PASSWORD", 2),
    ("MFA_ENROLL", 2),
    ("IDP_DISCOVERY", 1),
    ("ACCESS_POLICY", 6),
    ("PROFILE_ENROLLMENT", 2),
    ("ENTITY_RISK", 1),
    ("POST_AUTH_SESSION", 1),
    ("SESSION_VIOLATION_DETECTION", 1),
    ("CLIENT_UPDATE", 1),
    ("DEVICE_SIGNAL_COLLECTION", 1),
    ("IDENTITY_CLAIM_SOURCING", 1),
];

/// The places policy rules have in the numbering; not all are taken.
pub const RULES_PER_POLICY: u64 = 4;

pub fn policy_type(index: u64) -> &'static str {
    let mut left = index;
    for (kind, count) in POLICY_TYPES {
        if left < count {
            return kind;
        }
        left -= count;
    }
    POLICY_TYPES[0].0
}

pub fn rule_count(policy: u64) -> u64 {
    1 + policy % RULES_PER_POLICY
}

pub fn policy(seed: &Seed, index: u64) -> Value {
    let kind = policy_type(index);
    let name = match index {
        0 => String::from("Default Policy"),
        1 => String::from("Offices and VPN"),
        2 => String::from("Two factors for finance"),
        _ => format!("{} {index}", kind.to_lowercase().replace('_', " ")),
    };
    let groups = json!({ "people": { "groups": { "include": [seed.id(Kind::Group, index % seed.groups.max(1))] } } });
    let mut own = json!({
        "type": kind, "status": "ACTIVE", "name": name, "description": format!("{name} of {}", seed.org),
        "priority": 1 + index % 4, "system": index == 0,
        "conditions": if matches!(kind, "OKTA_SIGN_ON" | "PASSWORD" | "MFA_ENROLL") { groups } else { Value::Null },
        "_links": { "rules": link(&format!("/api/v1/policies/{}/rules", seed.id(Kind::Policy, index))) },
    });
    match kind {
        "PASSWORD" => {
            own["settings"] = json!({ "password": {
                "complexity": { "minLength": 12, "minLowerCase": 1, "minUpperCase": 1, "minNumber": 1, "minSymbol": 0, "excludeUsername": true },
                "age": { "maxAgeDays": 0, "expireWarnDays": 0, "minAgeMinutes": 0, "historyCount": 4 },
                "lockout": { "maxAttempts": 10, "autoUnlockMinutes": 0, "showLockoutFailures": false },
            } });
        }
        "MFA_ENROLL" => {
            own["settings"] = json!({ "type": "AUTHENTICATORS", "authenticators": [
                { "key": "okta_verify", "enroll": { "self": "REQUIRED" } },
                { "key": "webauthn", "enroll": { "self": "OPTIONAL" } },
            ] });
        }
        _ => {}
    }
    object(seed, Kind::Policy, index, "/api/v1/policies", own)
}

pub fn rule(seed: &Seed, index: u64) -> Value {
    let (policy, nth) = (index / RULES_PER_POLICY, index % RULES_PER_POLICY);
    let last = nth + 1 == rule_count(policy);
    let kind = policy_type(policy);
    let actions = match kind {
        "ACCESS_POLICY" => json!({ "appSignOn": { "access": "ALLOW", "verificationMethod": {
            "factorMode": if last { "1FA" } else { "2FA" }, "type": "ASSURANCE", "reauthenticateIn": "PT12H", "constraints": [],
        } } }),
        "OKTA_SIGN_ON" => json!({ "signon": {
            "access": "ALLOW", "requireFactor": !last, "factorPromptMode": "ALWAYS", "primaryFactor": "PASSWORD_IDP_ANY_FACTOR",
            "session": { "maxSessionIdleMinutes": 720, "maxSessionLifetimeMinutes": 0, "usePersistentCookie": false },
        } }),
        "PASSWORD" => {
            json!({ "passwordChange": { "access": "ALLOW" }, "selfServicePasswordReset": { "access": "ALLOW" }, "selfServiceUnlock": { "access": "DENY" } })
        }
        "MFA_ENROLL" => json!({ "enroll": { "self": "CHALLENGE" } }),
        _ => json!({}),
    };
    let network = match last {
        true => json!({ "connection": "ANYWHERE" }),
        false => json!({ "connection": "ZONE", "include": [seed.id(Kind::Zone, 0)] }),
    };
    let own = json!({
        "type": if kind == "OKTA_SIGN_ON" { "SIGN_ON" } else { kind },
        "status": "ACTIVE", "name": if last { String::from("Catch-all rule") } else { format!("Rule {nth}") },
        "priority": if last { 99 } else { nth }, "system": last,
        "conditions": { "network": network }, "actions": actions,
    });
    let path = format!("/api/v1/policies/{}/rules", seed.id(Kind::Policy, policy));
    object(seed, Kind::PolicyRule, index, &path, own)
}

pub fn zone(seed: &Seed, index: u64) -> Value {
    let own = match index % 3 {
        0 => json!({
            "type": "IP", "name": "Headquarters", "usage": "POLICY", "system": false,
            "gateways": [{ "type": "CIDR", "value": format!("{}0/26", PLACES[0].prefix) }], "proxies": null,
        }),
        1 => json!({
            "type": "DYNAMIC", "name": "Blocked countries", "usage": "BLOCKLIST", "system": false,
            "locations": [{ "country": "AQ", "region": null }], "proxyType": null, "asns": [],
        }),
        _ => json!({
            "type": "IP", "name": "LegacyIpZone", "usage": "POLICY", "system": true, "gateways": null, "proxies": null,
        }),
    };
    let mut zone = object(seed, Kind::Zone, index, "/api/v1/zones", own);
    zone["status"] = json!("ACTIVE");
    zone
}

pub fn behavior(seed: &Seed, index: u64) -> Value {
    let own = match index % 2 {
        0 => json!({ "name": "Velocity", "type": "VELOCITY", "settings": { "velocityKph": 805 }, "status": "ACTIVE" }),
        _ => json!({
            "name": "New City", "type": "ANOMALOUS_LOCATION", "status": "ACTIVE",
            "settings": { "granularity": "CITY", "maxEventsUsedForEvaluation": 20, "minEventsNeededForEvaluation": 0 },
        }),
    };
    object(seed, Kind::Behavior, index, "/api/v1/behaviors", own)
}

pub fn threat_insight(seed: &Seed) -> Value {
    json!({
        "action": "audit", "excludeZones": [seed.id(Kind::Zone, 0)],
        "created": "2020-08-05T22:18:30.000Z", "lastUpdated": "2025-08-05T22:18:30.000Z",
        "_links": { "self": link("/api/v1/threats/configuration") },
    })
}

pub fn authenticator(seed: &Seed, index: u64) -> Value {
    let (kind, key, name) = [
        ("password", "okta_password", "Password"),
        ("email", "okta_email", "Email"),
        ("phone", "phone_number", "Phone"),
        ("app", "okta_verify", "Okta Verify"),
        ("security_key", "webauthn", "Security Key or Biometric"),
        ("security_question", "security_question", "Security Question"),
    ][(index % 6) as usize];
    let status = if key == "security_question" { "INACTIVE" } else { "ACTIVE" };
    let path = format!("/api/v1/authenticators/{}/methods", seed.id(Kind::Authenticator, index));
    let own = json!({
        "type": kind, "key": key, "name": name, "status": status, "settings": { "allowedFor": "any" },
        "_links": { "methods": link(&path) },
    });
    object(seed, Kind::Authenticator, index, "/api/v1/authenticators", own)
}

pub fn device_assurance(seed: &Seed, index: u64) -> Value {
    let (platform, minimum) = [("WINDOWS", "10.0.19045"), ("MACOS", "15.5.0"), ("IOS", "18.5")][(index % 3) as usize];
    let own = json!({
        "name": format!("Assured {platform}"), "platform": platform, "osVersion": { "minimum": minimum },
        "diskEncryptionType": { "include": ["ALL_INTERNAL_VOLUMES"] }, "screenLockType": { "include": ["BIOMETRIC"] },
        "secureHardwarePresent": true, "displayRemediationMode": "SHOW",
        "createdBy": seed.id(Kind::User, 0), "lastUpdatedBy": seed.id(Kind::User, 0),
    });
    let mut assurance = object(seed, Kind::DeviceAssurance, index, "/api/v1/device-assurances", own);
    assurance["createdDate"] = assurance["created"].clone();
    assurance["lastUpdate"] = assurance["lastUpdated"].clone();
    assurance
}

pub fn auth_server(seed: &Seed, index: u64) -> Value {
    let id = seed.id(Kind::AuthServer, index);
    let path = format!("/api/v1/authorizationServers/{id}");
    let own = json!({
        "name": format!("server {index}"), "description": "Custom authorization server", "status": "ACTIVE",
        "audiences": [format!("https://api{index}.example")], "issuer": format!("{{base}}/oauth2/{id}"), "issuerMode": "ORG_URL",
        "credentials": { "signing": { "rotationMode": "AUTO", "kid": seed.rng(Kind::AuthServer, index).word("", 43) } },
        "_links": {
            "scopes": link(&format!("{path}/scopes")), "claims": link(&format!("{path}/claims")),
            "policies": link(&format!("{path}/policies")),
        },
    });
    object(seed, Kind::AuthServer, index, "/api/v1/authorizationServers", own)
}

pub fn auth_scope(seed: &Seed, index: u64) -> Value {
    let name = ["openid", "profile", "stock.read", "invoices.write"][(index % 4) as usize];
    json!({
        "id": seed.id(Kind::AuthScope, index), "name": name, "displayName": name, "description": name,
        "system": index % 4 < 2, "default": false, "consent": "IMPLICIT", "optional": false, "metadataPublish": "NO_CLIENTS",
    })
}

pub fn auth_claim(seed: &Seed, index: u64) -> Value {
    let name = ["sub", "groups", "department", "tenant"][(index % 4) as usize];
    json!({
        "id": seed.id(Kind::AuthClaim, index), "name": name, "status": "ACTIVE", "claimType": "RESOURCE",
        "valueType": "EXPRESSION", "value": format!("appuser.{name}"), "conditions": { "scopes": [] },
        "system": index.is_multiple_of(4), "alwaysIncludeInToken": true,
    })
}

pub fn auth_policy(seed: &Seed, index: u64) -> Value {
    let path = format!("/api/v1/authorizationServers/{}/policies", seed.id(Kind::AuthServer, index));
    let own = json!({
        "type": "OAUTH_AUTHORIZATION_POLICY", "status": "ACTIVE", "name": "Default Policy", "description": "All clients",
        "priority": 1, "system": false, "conditions": { "clients": { "include": ["ALL_CLIENTS"] } },
    });
    object(seed, Kind::AuthPolicy, index, &path, own)
}

pub fn auth_policy_rule(seed: &Seed, index: u64) -> Value {
    let own = json!({
        "type": "RESOURCE_ACCESS", "status": "ACTIVE", "name": format!("Rule {}", index % 2), "priority": 1 + index % 2, "system": false,
        "conditions": {
            "people": { "users": { "include": [], "exclude": [] }, "groups": { "include": ["EVERYONE"], "exclude": [] } },
            "grantTypes": { "include": ["client_credentials", "authorization_code"] }, "scopes": { "include": ["*"] },
        },
        "actions": { "token": { "accessTokenLifetimeMinutes": 60, "refreshTokenLifetimeMinutes": 0, "refreshTokenWindowMinutes": 10_080 } },
    });
    object(seed, Kind::AuthPolicyRule, index, "/api/v1/authorizationServers/rules", own)
}
