//! Groups, applications, devices, and what connects them.

use serde_json::{Value, json};

use super::{link, object};
use crate::cast::{APPS, GROUPS, SERVICES, platform};
use crate::world::people::first_name;
use crate::world::relations::EVERYONE;
use crate::world::seed::{Kind, Seed};

const ROOMS: [&str; 6] = ["North", "South", "Harbour", "Campus", "Night shift", "Annex"];

pub fn group(seed: &Seed, index: u64) -> Value {
    let name = match GROUPS.get(index as usize) {
        Some(name) => (*name).to_owned(),
        None => format!("{} {} {index}", GROUPS[1 + (index % 11) as usize], ROOMS[(index % 6) as usize]),
    };
    let kind = match index {
        EVERYONE => "BUILT_IN",
        _ if index % 7 == 6 => "APP_GROUP",
        _ => "OKTA_GROUP",
    };
    let class = if kind == "APP_GROUP" { "okta:windows_security_principal" } else { "okta:user_group" };
    let mut profile = json!({ "name": name, "description": format!("{name} of {}", seed.org) });
    if kind == "APP_GROUP" {
        profile["samAccountName"] = json!(name);
        profile["groupType"] = json!("Security");
        profile["externalId"] = json!(seed.rng(Kind::Group, index).word("", 22));
    }
    let path = format!("/api/v1/groups/{}", seed.id(Kind::Group, index));
    let own = json!({
        "type": kind, "objectClass": [class], "profile": profile,
        "_links": {
            "logo": [{ "name": "medium", "href": "{base}/img/logos/groups/okta-medium.png", "type": "image/png" }],
            "users": link(&format!("{path}/users")),
            "apps": link(&format!("{path}/apps")),
        },
    });
    let mut group = object(seed, Kind::Group, index, "/api/v1/groups", own);
    group["lastMembershipUpdated"] = group["lastUpdated"].clone();
    group
}

pub fn group_rule(seed: &Seed, index: u64) -> Value {
    let group = 1 + index % seed.groups.saturating_sub(1).max(1);
    let own = json!({
        "type": "group_rule",
        "status": if index % 5 == 4 { "INACTIVE" } else { "ACTIVE" },
        "name": format!("Rule {index}"),
        "conditions": {
            "people": { "users": { "exclude": [] }, "groups": { "exclude": [] } },
            "expression": { "value": "user.department==\"Finance\"", "type": "urn:okta:expression:1.0" },
        },
        "actions": { "assignUserToGroups": { "groupIds": [seed.id(Kind::Group, group)] } },
    });
    object(seed, Kind::GroupRule, index, "/api/v1/groups/rules", own)
}

pub fn group_owners(seed: &Seed, group: u64) -> Value {
    let owner = group % seed.users.max(1);
    let items = match group % 4 {
        1 => json!([{
            "id": seed.id(Kind::User, owner), "type": "USER", "resolved": true, "originId": null,
            "originType": "OKTA_DIRECTORY", "displayName": first_name(seed, owner),
            "lastUpdated": "2025-03-29T18:30:58.000Z",
        }]),
        _ => json!([]),
    };
    json!({ "items": items })
}

/// Application name in the catalogue, sign-on mode, credentials scheme.
const APP_KINDS: [(&str, &str, &str); 8] = [
    ("oidc_client", "OPENID_CONNECT", ""),
    ("", "SAML_2_0", ""),
    ("bookmark", "BOOKMARK", ""),
    ("template_swa", "BROWSER_PLUGIN", "EDIT_USERNAME_AND_PASSWORD"),
    ("template_basic_auth", "BASIC_AUTH", "EDIT_USERNAME_AND_PASSWORD"),
    ("template_wsfed", "WS_FEDERATION", ""),
    ("", "AUTO_LOGIN", "ADMIN_SETS_CREDENTIALS"),
    ("template_sps", "SECURE_PASSWORD_STORE", "EXTERNAL_PASSWORD_SYNC"),
];

pub fn app(seed: &Seed, index: u64) -> Value {
    let (short, label) = match APPS.get(index as usize) {
        Some((short, label)) => ((*short).to_owned(), (*label).to_owned()),
        None => (format!("site{index}"), format!("{} {index}", APPS[1 + (index % 9) as usize].1)),
    };
    let (kind, mode, scheme) = APP_KINDS[(index % 8) as usize];
    let host = short.to_lowercase().replace(' ', "-");
    let name = if kind.is_empty() { format!("{}_{}_1", seed.org, host.replace('-', "")) } else { kind.to_owned() };
    let id = seed.id(Kind::App, index);
    let path = format!("/api/v1/apps/{id}");
    let template = json!({ "template": "${source.login}", "type": "BUILT_IN" });
    let (mut credentials, settings) = match mode {
        "OPENID_CONNECT" => (
            json!({ "userNameTemplate": template, "signing": { "kid": seed.rng(Kind::App, index).word("", 43) },
                "oauthClient": { "autoKeyRotation": true, "client_id": id, "token_endpoint_auth_method": "private_key_jwt", "pkce_required": true } }),
            json!({ "app": {}, "oauthClient": {
                "redirect_uris": [format!("https://{host}.example/callback")], "response_types": ["code"],
                "grant_types": ["authorization_code"], "application_type": "web", "consent_method": "TRUSTED",
                "dpop_bound_access_tokens": false, "issuer_mode": "DYNAMIC",
            } }),
        ),
        "SAML_2_0" => (
            json!({ "userNameTemplate": template, "signing": { "kid": seed.rng(Kind::App, index).word("", 43) } }),
            json!({ "app": {}, "signOn": {
                "ssoAcsUrl": format!("https://{host}.example/acs"), "audience": format!("https://{host}.example"),
                "recipient": format!("https://{host}.example/acs"), "destination": format!("https://{host}.example/acs"),
                "signatureAlgorithm": "RSA_SHA256", "digestAlgorithm": "SHA256", "assertionSigned": true,
                "responseSigned": true, "requestCompressed": false, "honorForceAuthn": true, "attributeStatements": [],
            } }),
        ),
        _ => (json!({ "userNameTemplate": template, "signing": {} }), json!({ "app": app_settings(mode, &host) })),
    };
    if !scheme.is_empty() {
        credentials["scheme"] = json!(scheme);
    }
    let own = json!({
        "name": name, "label": label, "status": if index % 11 == 10 { "INACTIVE" } else { "ACTIVE" },
        "signOnMode": mode,
        "accessibility": { "selfService": false, "errorRedirectUrl": null, "loginRedirectUrl": null },
        "visibility": { "autoLaunch": false, "autoSubmitToolbar": false, "hide": { "iOS": false, "web": false }, "appLinks": { "login": true } },
        "features": if index.is_multiple_of(3) { json!(["GROUP_PUSH", "PUSH_NEW_USERS"]) } else { json!([]) },
        "credentials": credentials, "settings": settings,
        "profile": null,
        "_links": { "users": link(&format!("{path}/users")), "groups": link(&format!("{path}/groups")) },
    });
    object(seed, Kind::App, index, "/api/v1/apps", own)
}

/// What the catalogue's templates ask an administrator for.
fn app_settings(mode: &str, host: &str) -> Value {
    let url = format!("https://{host}.example/login");
    match mode {
        "BOOKMARK" => json!({ "url": url, "requestIntegration": false }),
        "BROWSER_PLUGIN" => json!({
            "url": url, "usernameField": "#user", "passwordField": "#password", "buttonField": "#login", "loginUrlRegex": null,
        }),
        "BASIC_AUTH" => json!({ "url": url, "authURL": format!("https://{host}.example/auth") }),
        "SECURE_PASSWORD_STORE" => json!({ "url": url, "usernameField": "#user", "passwordField": "#password" }),
        "WS_FEDERATION" => json!({
            "audienceRestriction": format!("urn:{host}"), "authnContextClassRef": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
            "groupName": null, "groupValueFormat": "windowsDomainQualifiedName", "nameIDFormat": "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
            "realm": format!("urn:{host}:realm"), "siteURL": url, "usernameAttribute": "username", "wReplyOverride": false,
            "wReplyURL": url, "attributeStatements": null, "groupFilter": null,
        }),
        _ => json!({ "url": url }),
    }
}

/// The service applications of the day's talk: OAuth clients without people.
pub fn service(seed: &Seed, index: u64) -> Value {
    let name = SERVICES[(index % SERVICES.len() as u64) as usize];
    let own = json!({ "client_id": seed.id(Kind::Service, index), "name": name, "label": name, "application_type": "service" });
    object(seed, Kind::Service, index, "/oauth2/v1/clients", own)
}

pub fn push_mapping(seed: &Seed, index: u64) -> Value {
    let app = index % seed.apps.max(1);
    let (source, target) = (1 % seed.groups.max(1), 2 % seed.groups.max(1));
    let own = json!({
        "errorSummary": "", "status": "ACTIVE", "lastPush": "2025-12-01T00:00:00.000Z",
        "sourceGroupId": seed.id(Kind::Group, source), "targetGroupId": seed.id(Kind::Group, target),
    });
    let path = format!("/api/v1/apps/{}/group-push/mappings", seed.id(Kind::App, app));
    object(seed, Kind::PushMapping, index, &path, own)
}

pub fn device(seed: &Seed, index: u64) -> Value {
    let (platform, version, what) = platform(index);
    let name = format!("{}'s {what}", first_name(seed, index));
    let id = seed.id(Kind::Device, index);
    let mut profile = json!({
        "displayName": name, "platform": platform, "osVersion": version, "registered": true,
        "secureHardwarePresent": true, "diskEncryptionType": "ALL_INTERNAL_VOLUMES",
        "serialNumber": seed.rng(Kind::Device, index).hex(8).to_uppercase(),
    });
    match platform {
        "WINDOWS" => profile["sid"] = json!(format!("S-1-5-21-397267483-186086704-24170134-{index}")),
        "IOS" => profile["model"] = json!("iPhone17,1"),
        _ => {}
    }
    let own = json!({
        "status": if index % 29 == 28 { "SUSPENDED" } else { "ACTIVE" },
        "profile": profile,
        "resourceType": "UDDevice", "resourceDisplayName": { "value": name, "sensitive": false },
        "resourceAlternateId": null, "resourceId": id,
        "_links": { "users": link(&format!("/api/v1/devices/{id}/users")) },
    });
    object(seed, Kind::Device, index, "/api/v1/devices", own)
}

pub fn idp(seed: &Seed, index: u64) -> Value {
    let (kind, name) =
        [("SAML2", "Partner SAML"), ("OIDC", "Supplier OpenID"), ("GOOGLE", "Google")][(index % 3) as usize];
    let protocol = match kind {
        "SAML2" => json!({
            "type": "SAML2",
            "endpoints": { "sso": { "url": "https://idp.example.com", "binding": "HTTP-POST", "destination": "https://idp.example.com" }, "acs": { "binding": "HTTP-POST", "type": "INSTANCE" } },
            "algorithms": { "request": { "signature": { "algorithm": "SHA-256", "scope": "REQUEST" } }, "response": { "signature": { "algorithm": "SHA-256", "scope": "ANY" } } },
            "settings": { "nameFormat": "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified" },
            "credentials": { "trust": { "issuer": "https://idp.example.com", "audience": "http://www.okta.example/123", "kid": "your-key-id" } },
        }),
        _ => json!({
            "type": "OIDC",
            "scopes": ["openid", "profile", "email"],
            "credentials": { "client": { "client_id": "your-client-id" } },
            "issuer": { "url": "https://idp.example.com" },
        }),
    };
    let own = json!({
        "type": kind, "name": name, "status": "ACTIVE", "issuerMode": "DYNAMIC", "protocol": protocol,
        "policy": {
            "provisioning": { "action": "AUTO", "profileMaster": false, "groups": { "action": "NONE" }, "conditions": { "deprovisioned": { "action": "NONE" }, "suspended": { "action": "NONE" } } },
            "accountLink": { "filter": null, "action": "AUTO" },
            "subject": { "userNameTemplate": { "template": "idpuser.email" }, "filter": "", "matchType": "USERNAME" },
            "maxClockSkew": 120_000,
        },
    });
    object(seed, Kind::Idp, index, "/api/v1/idps", own)
}

pub fn mapping(seed: &Seed, index: u64) -> Value {
    let own = json!({
        "source": { "id": seed.id(Kind::App, index), "name": "appuser", "type": "appuser" },
        "target": { "id": seed.id(Kind::UserType, 0), "name": "user", "type": "user" },
    });
    object(seed, Kind::Mapping, index, "/api/v1/mappings", own)
}
