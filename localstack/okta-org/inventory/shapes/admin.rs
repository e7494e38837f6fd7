//! Who administers the org: roles, custom roles, resource sets, API tokens, clients.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{link, object};
use crate::world::people::{derived_role, derived_times};
use crate::world::seed::{Kind, Seed};
use crate::world::stamp;

/// The custom roles and what each may.
pub const CUSTOM_PERMISSIONS: [(&str, &[&str]); 2] = [
    ("User creator", &["okta.users.create", "okta.users.read", "okta.groups.read"]),
    ("Auditor", &["okta.iam.read", "okta.apps.read", "okta.users.read"]),
];

/// A role as it is granted to a user, a group or a client.
pub fn role_grant(seed: &Seed, role: &str, assignee: &str, assignment: &str, grant: u64, since: &str) -> Value {
    let own_label = role.to_lowercase().replace('_', " ");
    json!({
        "id": seed.id(Kind::RoleGrant, grant), "label": own_label, "type": role, "status": "ACTIVE",
        "created": since, "lastUpdated": since, "assignmentType": assignment,
        "_links": { "assignee": link(assignee) },
    })
}

fn custom_grant(seed: &Seed, role: u64, assignee: &str, assignment: &str, grant: u64, since: &str) -> Value {
    let (role_id, set) = (seed.id(Kind::CustomRole, role), seed.id(Kind::ResourceSet, 0));
    json!({
        "id": seed.id(Kind::RoleGrant, grant), "role": role_id, "label": CUSTOM_PERMISSIONS[(role % 2) as usize].0,
        "type": "CUSTOM", "status": "ACTIVE", "created": since, "lastUpdated": since,
        "assignmentType": assignment, "resource-set": set,
        "_links": {
            "assignee": link(assignee),
            "resource-set": link(&format!("/api/v1/iam/resource-sets/{set}")),
            "role": link(&format!("/api/v1/iam/roles/{role_id}")),
        },
    })
}

pub fn user_roles(seed: &Seed, user: u64) -> Value {
    let since = stamp(derived_times(seed, Kind::User, user).0);
    let assignee = format!("/api/v1/users/{}", seed.id(Kind::User, user));
    let mut items: Vec<Value> = derived_role(seed, user)
        .map(|role| role_grant(seed, role, &assignee, "USER", user * 64, &since))
        .into_iter()
        .collect();
    if !items.is_empty() && user % 3 == 2 {
        items.push(custom_grant(seed, user % 2, &assignee, "USER", user * 64 + 1, &since));
    }
    json!({ "next": items.len(), "items": items })
}

pub fn group_roles(seed: &Seed, group: u64) -> Value {
    let since = stamp(derived_times(seed, Kind::Group, group).0);
    let assignee = format!("/api/v1/groups/{}", seed.id(Kind::Group, group));
    let items = match group {
        4 => vec![role_grant(seed, "HELP_DESK_ADMIN", &assignee, "GROUP", 1 << 40 | group, &since)],
        _ if group % 500 == 11 => vec![custom_grant(seed, 0, &assignee, "GROUP", 1 << 40 | group, &since)],
        _ => Vec::new(),
    };
    json!({ "next": items.len(), "items": items })
}

pub fn client_roles(seed: &Seed, service: u64) -> Value {
    let assignee = format!("/oauth2/v1/clients/{}", seed.id(Kind::Service, service));
    let since = "2025-06-01T08:00:00.000Z";
    let items = match service {
        3 => vec![role_grant(seed, "READ_ONLY_ADMIN", &assignee, "CLIENT", 1 << 41 | service, since)],
        _ => Vec::new(),
    };
    json!({ "next": items.len(), "items": items })
}

pub fn custom_role(seed: &Seed, index: u64) -> Value {
    let (label, _) = CUSTOM_PERMISSIONS[(index % 2) as usize];
    let path = format!("/api/v1/iam/roles/{}/permissions", seed.id(Kind::CustomRole, index));
    let own =
        json!({ "label": label, "description": format!("{label} role"), "_links": { "permissions": link(&path) } });
    object(seed, Kind::CustomRole, index, "/api/v1/iam/roles", own)
}

pub fn resource_set(seed: &Seed, index: u64) -> Value {
    let path = format!("/api/v1/iam/resource-sets/{}", seed.id(Kind::ResourceSet, index));
    let own = json!({
        "label": format!("Site {index}"), "description": format!("What belongs to site {index}"),
        "_links": { "resources": link(&format!("{path}/resources")), "bindings": link(&format!("{path}/bindings")) },
    });
    object(seed, Kind::ResourceSet, index, "/api/v1/iam/resource-sets", own)
}

pub fn resource(seed: &Seed, index: u64) -> Value {
    let org = seed.id(Kind::Org, 0);
    let what = match index % 3 {
        0 => String::from("users"),
        1 => String::from("groups"),
        _ => format!("groups:{}", seed.id(Kind::Group, index % seed.groups.max(1))),
    };
    let path = format!("/api/v1/iam/resource-sets/{}/resources", seed.id(Kind::ResourceSet, index / 3));
    object(seed, Kind::Resource, index, &path, json!({ "orn": format!("orn:okta:directory:{org}:{what}") }))
}

pub fn api_token(seed: &Seed, index: u64) -> Value {
    let user = seed.id(Kind::User, index % seed.users.max(1));
    let own = json!({
        "name": format!("token {index}"), "userId": user, "tokenWindow": "P30D", "clientName": "Okta API",
        "network": { "connection": "ANYWHERE" }, "expiresAt": "2026-12-31T00:00:00.000Z",
        "_links": { "user": link(&format!("/api/v1/users/{user}")) },
    });
    object(seed, Kind::ApiToken, index, "/api/v1/api-tokens", own)
}

pub fn integration(seed: &Seed, index: u64) -> Value {
    let id = seed.id(Kind::Integration, index);
    json!({
        "id": id, "type": "my_app_cie", "name": "Cloud identity engine", "createdAt": "2025-02-21T20:08:24.000Z",
        "createdBy": seed.id(Kind::User, 0), "configGuideUrl": "https://docs.example/guide",
        "grantedScopes": ["okta.logs.read", "okta.groups.read", "okta.users.read"],
        "_links": { "self": link(&format!("/integrations/api/v1/api-services/{id}")) },
    })
}

/// What a principal may use of each limit.
pub fn principal_limit(seed: &Seed, principal: &str, kind: &str, percent: u32) -> Value {
    // A number of its own for each, whoever else there is; identifiers take 48 bits.
    let hash = Sha256::digest(format!("{kind} {principal}"));
    let index = hash.iter().take(5).fold(0, |number, byte| number << 8 | u64::from(*byte));
    json!({
        "id": seed.id(Kind::RateLimit, index), "orgId": seed.id(Kind::Org, 0), "principalId": principal,
        "principalType": kind, "defaultPercentage": percent, "defaultConcurrencyPercentage": 75,
        "createdDate": "2025-05-19T20:05:22.000Z", "createdBy": seed.id(Kind::User, 0),
        "lastUpdate": "2025-05-20T21:13:07.000Z", "lastUpdatedBy": seed.id(Kind::User, 0),
    })
}
