//! Each object as the seed has it, in the shape in which Okta writes it. Links begin with `{base}`.

mod admin;
mod directory;
mod policies;
mod settings;
mod users;

use serde_json::{Value, json};

use crate::cast::SERVICES;
use crate::world::people::derived_times;
use crate::world::seed::{Kind, Seed};
use crate::world::stamp;

pub use admin::{CUSTOM_PERMISSIONS, principal_limit, role_grant};
pub use policies::{POLICY_TYPES, RULES_PER_POLICY, rule_count};
pub use users::{factor, profile, user};

/// How many objects of a kind every org has, whatever its size.
pub fn count(seed: &Seed, kind: Kind) -> u64 {
    match kind {
        Kind::UserType | Kind::UserSchema | Kind::Brand | Kind::Domain | Kind::EmailDomain | Kind::AuthServer => 2,
        Kind::GroupRule => (seed.groups / 8).clamp(2, 2_000),
        Kind::Service => SERVICES.len() as u64,
        Kind::Authenticator => 6,
        Kind::Idp | Kind::Zone | Kind::DeviceAssurance | Kind::Realm => 3,
        Kind::Policy => POLICY_TYPES.iter().map(|(_, count)| *count).sum(),
        Kind::PolicyRule => count(seed, Kind::Policy) * RULES_PER_POLICY,
        Kind::Behavior | Kind::InlineHook | Kind::TrustedOrigin | Kind::Agent => 2,
        Kind::ApiToken | Kind::Feature => 5,
        Kind::Integration | Kind::EventHook | Kind::LogStream | Kind::RealmAssignment | Kind::LinkedObject => 1,
        Kind::AuthScope | Kind::AuthClaim => count(seed, Kind::AuthServer) * 4,
        Kind::AuthPolicy => count(seed, Kind::AuthServer),
        Kind::AuthPolicyRule => count(seed, Kind::AuthPolicy) * 2,
        Kind::Mapping => seed.apps,
        Kind::CustomRole => CUSTOM_PERMISSIONS.len() as u64,
        Kind::ResourceSet => 2,
        Kind::Resource => count(seed, Kind::ResourceSet) * 3,
        Kind::PushMapping => seed.apps,
        Kind::ClientRoles => SERVICES.len() as u64,
        Kind::Org | Kind::ThreatInsight => 1,
        _ => 0,
    }
}

/// Whether a place in the numbering of a kind is taken.
pub fn taken(kind: Kind, index: u64) -> bool {
    kind != Kind::PolicyRule || index % RULES_PER_POLICY < rule_count(index / RULES_PER_POLICY)
}

/// The object as it was at the start.
pub fn derive(seed: &Seed, kind: Kind, index: u64) -> Value {
    match kind {
        Kind::User => json!(users::user(seed, index)),
        Kind::UserType => users::user_type(seed, index),
        Kind::UserSchema => users::user_schema(seed, index),
        Kind::LinkedObject => users::linked_object(),
        Kind::UserFactors => users::factors(seed, index),
        Kind::Group => directory::group(seed, index),
        Kind::GroupRule => directory::group_rule(seed, index),
        Kind::GroupOwners => directory::group_owners(seed, index),
        Kind::App => directory::app(seed, index),
        Kind::Service => directory::service(seed, index),
        Kind::PushMapping => directory::push_mapping(seed, index),
        Kind::Device => directory::device(seed, index),
        Kind::Idp => directory::idp(seed, index),
        Kind::Mapping => directory::mapping(seed, index),
        Kind::Policy => policies::policy(seed, index),
        Kind::PolicyRule => policies::rule(seed, index),
        Kind::Zone => policies::zone(seed, index),
        Kind::Behavior => policies::behavior(seed, index),
        Kind::ThreatInsight => policies::threat_insight(seed),
        Kind::Authenticator => policies::authenticator(seed, index),
        Kind::DeviceAssurance => policies::device_assurance(seed, index),
        Kind::AuthServer => policies::auth_server(seed, index),
        Kind::AuthScope => policies::auth_scope(seed, index),
        Kind::AuthClaim => policies::auth_claim(seed, index),
        Kind::AuthPolicy => policies::auth_policy(seed, index),
        Kind::AuthPolicyRule => policies::auth_policy_rule(seed, index),
        Kind::UserRoles => admin::user_roles(seed, index),
        Kind::GroupRoles => admin::group_roles(seed, index),
        Kind::ClientRoles => admin::client_roles(seed, index),
        Kind::CustomRole => admin::custom_role(seed, index),
        Kind::ResourceSet => admin::resource_set(seed, index),
        Kind::Resource => admin::resource(seed, index),
        Kind::ApiToken => admin::api_token(seed, index),
        Kind::Integration => admin::integration(seed, index),
        other => settings::derive(seed, other, index),
    }
}

/// The members nearly all objects share, around those of its own.
fn object(seed: &Seed, kind: Kind, index: u64, path: &str, own: Value) -> Value {
    let (created, updated) = derived_times(seed, kind, index);
    let id = seed.id(kind, index);
    let mut object = json!({
        "id": id,
        "created": stamp(created),
        "lastUpdated": stamp(updated),
        "_links": { "self": { "href": format!("{{base}}{path}/{id}"), "hints": { "allow": ["GET"] } } },
    });
    if let Value::Object(own) = own {
        crate::world::lay_over(&mut object, &own);
    }
    object
}

/// Where an object is found.
fn link(path: &str) -> Value {
    json!({ "href": format!("{{base}}{path}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_with_a_count_has_a_shape() {
        let seed = Seed::new("acme", 1, 100, 20, 10);
        #[rustfmt::skip]
        let kinds = [
            Kind::UserType, Kind::UserSchema, Kind::GroupRule, Kind::Service, Kind::Authenticator, Kind::Idp,
            Kind::Policy, Kind::PolicyRule, Kind::DeviceAssurance, Kind::Zone, Kind::Behavior, Kind::ApiToken,
            Kind::Integration, Kind::AuthServer, Kind::AuthScope, Kind::AuthClaim, Kind::AuthPolicy,
            Kind::AuthPolicyRule, Kind::EventHook, Kind::InlineHook, Kind::LogStream, Kind::TrustedOrigin, Kind::Brand,
            Kind::Domain, Kind::EmailDomain, Kind::Feature, Kind::Mapping, Kind::Realm, Kind::RealmAssignment,
            Kind::CustomRole, Kind::ResourceSet, Kind::Resource, Kind::PushMapping,
        ];
        for kind in kinds {
            assert!(count(&seed, kind) > 0, "{kind:?}");
            for index in 0..count(&seed, kind) {
                let object = derive(&seed, kind, index);
                assert_eq!(object["id"].as_str(), Some(seed.id(kind, index).as_str()), "{kind:?}");
            }
        }
    }
}
