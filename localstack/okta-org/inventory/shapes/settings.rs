//! The org's settings: hooks, streams, origins, brands, domains, features, realms.

use serde_json::{Value, json};

use super::{link, object};
use crate::world::seed::{Kind, Seed};

pub fn derive(seed: &Seed, kind: Kind, index: u64) -> Value {
    match kind {
        Kind::EventHook => object(
            seed,
            kind,
            index,
            "/api/v1/eventHooks",
            json!({
                "status": "ACTIVE", "verificationStatus": "VERIFIED", "name": "User lifecycle hook",
                "events": { "type": "EVENT_TYPE", "items": ["user.lifecycle.create", "user.lifecycle.deactivate"] },
                "channel": { "type": "HTTP", "version": "1.0.0", "config": { "uri": "https://hooks.example/okta", "headers": [], "method": "POST" } },
            }),
        ),
        Kind::InlineHook => object(
            seed,
            kind,
            index,
            "/api/v1/inlineHooks",
            json!({
                "status": "ACTIVE", "name": format!("Token hook {index}"), "type": "com.okta.oauth2.tokens.transform", "version": "1.0.0",
                "channel": { "type": "HTTP", "version": "1.0.0", "config": { "uri": "https://hooks.example/token", "headers": [], "method": "POST", "authScheme": { "type": "HEADER", "key": "authorization" } } },
            }),
        ),
        Kind::LogStream => object(
            seed,
            kind,
            index,
            "/api/v1/logStreams",
            json!({
                "type": "aws_eventbridge", "name": "System Log to EventBridge", "status": "ACTIVE",
                "settings": { "accountId": "000000000000", "eventSourceName": "logs", "region": "us-east-1" },
            }),
        ),
        Kind::TrustedOrigin => object(
            seed,
            kind,
            index,
            "/api/v1/trustedOrigins",
            json!({
                "name": format!("Site {index}"), "origin": format!("https://site{index}.example"), "status": "ACTIVE",
                "scopes": [{ "type": "CORS" }, { "type": "REDIRECT" }], "createdBy": seed.id(Kind::User, 0),
            }),
        ),
        Kind::Brand => object(
            seed,
            kind,
            index,
            "/api/v1/brands",
            json!({
                "name": if index == 0 { "Okta Default" } else { "Acme" }, "isDefault": index == 0, "locale": "en",
                "agreeToCustomPrivacyPolicy": false, "removePoweredByOkta": false, "customPrivacyPolicyUrl": null,
                "emailDomainId": seed.id(Kind::EmailDomain, index),
            }),
        ),
        Kind::Domain => object(
            seed,
            kind,
            index,
            "/api/v1/domains",
            json!({
                "domain": format!("login{index}.{}.example", seed.org), "certificateSourceType": "OKTA_MANAGED",
                "validationStatus": "COMPLETED", "brandId": seed.id(Kind::Brand, index),
            }),
        ),
        Kind::EmailDomain => json!({
            "id": seed.id(kind, index), "validationStatus": "VERIFIED", "displayName": "Admin", "userName": "admin",
            "domain": format!("mail{index}.{}.example", seed.org), "validationSubdomain": "mail", "dnsValidationRecords": [],
        }),
        Kind::Feature => object(
            seed,
            kind,
            index,
            "/api/v1/features",
            json!({
                "name": format!("Feature {index}"), "description": "A self-service feature", "type": "self-service",
                "status": if index.is_multiple_of(2) { "ENABLED" } else { "DISABLED" }, "stage": { "state": "OPEN", "value": "EA" },
            }),
        ),
        Kind::Realm => object(
            seed,
            kind,
            index,
            "/api/v1/realms",
            json!({
                "isDefault": index == 0,
                "profile": { "name": if index == 0 { String::from("Default Realm") } else { format!("Partner {index}") }, "realmType": if index == 0 { "DEFAULT" } else { "PARTNER" }, "domains": [] },
            }),
        ),
        Kind::RealmAssignment => object(
            seed,
            kind,
            index,
            "/api/v1/realm-assignments",
            json!({
                "status": "ACTIVE", "name": "Catch-all", "isDefault": true, "domains": [], "priority": 499,
                "conditions": { "profileSourceId": seed.id(Kind::App, 0), "expression": { "value": "user.profile.department ==\"Legal\"" } },
                "actions": { "assignUserToRealm": { "realmId": seed.id(Kind::Realm, 0) } },
            }),
        ),
        Kind::Agent => object(
            seed,
            kind,
            index,
            "/api/v1/agentPools",
            json!({
                "name": if index == 0 { "adagent-lyon-1" } else { "adagent-osaka-1" }, "type": "AD", "operationalStatus": "OPERATIONAL", "agents": [],
            }),
        ),
        Kind::Org => json!({
            "id": seed.id(kind, 0), "companyName": seed.org, "subdomain": seed.org, "status": "ACTIVE", "country": "France",
            "city": "Lyon", "website": format!("https://{}.example", seed.org), "supportPhoneNumber": null, "phoneNumber": null,
            "created": "2018-01-24T14:15:22.000Z", "lastUpdated": "2025-07-21T14:15:22.000Z", "expiresAt": null,
            "_links": { "contacts": link("/api/v1/org/contacts"), "preferences": link("/v1/org/preferences") },
        }),
        other => json!({ "id": seed.id(other, index) }),
    }
}
