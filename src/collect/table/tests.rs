//! What must hold for every row.

mod document;

use std::collections::HashSet;

use super::*;
use crate::ocsf::inventory::COLLECTIONS as MAPPINGS;

fn row(name: &str) -> &'static Collection {
    Collection::find(name).unwrap()
}

/// The limits that the API's description declares: least and most, where it says them. A collection that is not here
/// declares neither.
const DECLARED_LIMITS: &[(&str, u32, u32)] = &[
    ("yubikey_tokens", 1, 200),
    ("groups", 1, 10_000),
    ("group_rules", 1, 200),
    ("apps", 1, 200),
    ("app_users", 1, 500),
    ("app_groups", 20, 200),
    ("app_tokens", 1, 200),
    ("app_group_push_mappings", 1, 1000),
    ("devices", 1, 200),
    ("role_targets", 1, 200),
    ("governance_bundles", 1, 200),
    ("service_accounts", 1, 200),
    ("okta_service_accounts", 1, 200),
    ("principal_rate_limits", 1, 50),
    ("idps", 1, 200),
    ("idp_keys", 1, 200),
    ("idp_users", 1, 200),
    ("authorization_server_scopes", 1, 200),
    ("trusted_origins", 1, 200),
    ("log_streams", 1, 200),
    ("brands", 1, 200),
    ("profile_mappings", 1, 200),
    ("realm_assignments", 1, 200),
];

#[test]
fn names_and_facets_are_unique_and_well_formed() {
    let word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let (mut names, mut facets, mut paths) = (HashSet::new(), HashSet::new(), HashSet::new());
    for row in COLLECTIONS {
        assert!(names.insert(row.name) && facets.insert(row.facet) && paths.insert(row.path), "{}", row.name);
        let parts: Vec<&str> = row.facet.split('.').collect();
        assert!(word(row.name) && parts.len() <= 2 && parts.iter().all(|part| word(part)), "{}", row.facet);
    }
}

#[test]
fn parents_come_first_and_a_path_has_a_place_for_each() {
    for (at, row) in COLLECTIONS.iter().enumerate() {
        let known = |name| COLLECTIONS[..at].iter().find(|other| other.name == name);
        let depth = match row.parent {
            Parent::Org => 0,
            Parent::Each(_, words) => {
                assert!(!words.is_empty() && words.iter().collect::<HashSet<_>>().len() == words.len(), "{}", row.name);
                0
            }
            // That a parent stands before its child also means that there is no circle.
            Parent::Of(name) => known(name).unwrap_or_else(|| panic!("{name} is not before {}", row.name)).depth() + 1,
            Parent::Link { of, .. } => known(of).unwrap().depth() + 1,
        };
        assert_eq!(row.depth(), depth, "{}", row.path);
        assert!(row.path.starts_with('/') && !row.path.ends_with('/'), "{}", row.path);
        for child in row.children() {
            assert_eq!(child.parent(), Some(row), "{}", child.name);
        }
    }
}

#[test]
fn every_scope_is_one_for_reading() {
    for row in COLLECTIONS {
        assert!(!row.scopes.is_empty(), "{}", row.name);
        assert!(row.scopes.iter().all(|scope| scope.starts_with("okta.") && scope.ends_with(".read")), "{}", row.name);
    }
}

#[test]
fn pages_are_as_large_as_the_api_allows_and_no_larger() {
    for row in COLLECTIONS {
        let declared = DECLARED_LIMITS.iter().find(|(name, ..)| *name == row.name);
        assert!(declared.is_none() || row.page.is_some(), "{} has a limit", row.name);
        let Some(page) = row.page else { continue };
        assert!(page.least <= page.size && row.shape != Shape::One, "{}", row.name);
        if let Some((name, least, most)) = declared {
            assert!(page.least >= *least && page.size <= *most, "{name}");
            assert!(page.size == *most || *name == "groups", "{name} can have more at once");
        }
    }
}

#[test]
fn every_row_has_its_mapping_and_every_mapping_its_row_or_a_reason() {
    let is_left_out = |name: &str| NOT_COLLECTED.iter().any(|(left_out, _)| *left_out == name);
    for row in COLLECTIONS {
        assert!(MAPPINGS.iter().any(|mapping| mapping.name == row.name), "{} cannot be mapped", row.name);
        assert!(!is_left_out(row.name), "{}", row.name);
    }
    for mapping in MAPPINGS {
        assert!(Collection::find(mapping.name).is_some() || is_left_out(mapping.name), "{}", mapping.name);
    }
    assert!(NOT_COLLECTED.iter().all(|(name, _)| MAPPINGS.iter().any(|mapping| mapping.name == *name)));
    assert_eq!(row("users").class().name(), "user_inventory");
    assert_eq!(row("devices").class().name(), "inventory_info");
    assert_eq!(row("zones").class().name(), "cloud_resources_inventory_info");
}

#[test]
fn what_is_asked_for_by_user_runs_behind_everything_else() {
    for row in COLLECTIONS {
        let by_user_and_ours = row.parent == Parent::Of("users") && row.managed == Managed::Yes;
        assert!(row.audit || !by_user_and_ours, "{}", row.name);
    }
}

#[test]
fn no_endpoint_that_gives_secrets_away_is_read() {
    for row in COLLECTIONS {
        for secret in ["credentials/secrets", "credentials/tokens", "connections/default"] {
            assert!(!row.path.contains(secret), "{}", row.path);
        }
    }
}

#[test]
fn requests_are_made_as_the_row_says() {
    let target = |name: &str, key, word| row(name).first_request(key, word).target();
    assert_eq!(target("users", None, None), "/api/v1/users?search=status%20pr&limit=200");
    assert_eq!(target("policies", None, Some("PASSWORD")), "/api/v1/policies?type=PASSWORD");
    assert_eq!(target("group_members", Some("00g1"), None), "/api/v1/groups/00g1/users?limit=1000");
    let rules = target("authorization_server_policy_rules", Some("aus1/00p1"), None);
    assert_eq!(rules, "/api/v1/authorizationServers/aus1/policies/00p1/rules");
    assert_eq!(row("org_settings").first_request_sized(None, None, 7).target(), "/api/v1/org");
    assert_eq!(
        row("apps").first_request_sized(None, None, 25).target(),
        "/api/v1/apps?includeNonDeleted=true&limit=25"
    );
    assert_eq!(row("zones").single_request("nzo1").unwrap().target(), "/api/v1/zones/nzo1");
    assert_eq!(row("app_users").single_request("0oa1/00u1").unwrap().target(), "/api/v1/apps/0oa1/users/00u1");
    assert!(row("threat_insight").single_request("x").is_none());
}

#[test]
fn only_what_has_changed_is_asked_for_in_the_place_of_everything() {
    let changes = |name: &str| row(name).changes_request(None, "2024-01-01T00:00:00.000Z").map(|asked| asked.target());
    let since = "lastUpdated%20ge%20%222024-01-01T00%3A00%3A00.000Z%22";
    assert_eq!(changes("users").unwrap(), format!("/api/v1/users?search={since}&limit=200"));
    let membership = "lastMembershipUpdated%20ge%20%222024-01-01T00%3A00%3A00.000Z%22";
    assert_eq!(changes("groups").unwrap(), format!("/api/v1/groups?filter={since}%20or%20{membership}&limit=200"));
    assert_eq!(changes("devices").unwrap(), format!("/api/v1/devices?search={since}&expand=userSummary&limit=200"));
    assert!(changes("apps").is_none());
}

#[test]
fn a_key_that_does_not_fit_leaves_a_path_that_is_never_sent() {
    for key in [None, Some("00g1/00u1")] {
        assert_eq!(row("group_members").first_request(key, None).path(), "/api/v1/groups/{}/users");
    }
    assert_eq!(row("users").first_request(Some("00u1"), None).path(), "/api/v1/users", "there is no place for it");
}

#[test]
fn an_object_says_the_key_of_what_hangs_on_it() {
    let json = br#"{"id":"oty1","_links":{"schema":{"href":"https://acme.okta.com/api/v1/meta/schemas/user/osc1"}}}"#;
    let object = Object { id: Some("oty1"), json };
    assert_eq!(row("user_schemas").key_below(None, &object).as_deref(), Some("osc1"));
    assert_eq!(row("user_factors").key_below(None, &object).as_deref(), Some("oty1"));
    let rules = row("authorization_server_policy_rules");
    assert_eq!(rules.key_below(Some("aus1"), &object).as_deref(), Some("aus1/oty1"));
    assert_eq!(row("user_schemas").key_below(None, &Object { id: Some("x"), json: b"{}" }), None);
    assert_eq!(row("users").key_below(None, &object), None);
}
