//! What is not granted costs one collection and nothing else: it is told, and nothing is taken for deleted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::bench::{BY_SECRET, BY_TOKEN, Bench, SOME, only, org};
use crate::support::command::Ended;
use crate::support::org::Org;
use crate::support::until;

const FACTORS: &str = "GET /api/v1/users/{}/factors";

/// What reading [`SOME`] takes.
const SCOPES: &[&str] = &[
    "okta.users.read",
    "okta.groups.read",
    "okta.apps.read",
    "okta.devices.read",
    "okta.policies.read",
    "okta.networkZones.read",
];

/// A client with these scopes, or with all but them.
fn client(org: &Org, without: &[&str], more: &Value) {
    let scopes: BTreeSet<_> = SCOPES.iter().filter(|scope| !without.contains(scope)).collect();
    let mut principal = json!({"id": "0oaClient", "secret": "sim-secret", "scopes": scopes});
    principal.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    org.principal(&principal);
}

fn by_client() -> String {
    BY_SECRET.replace("sim-client", "0oaClient")
}

#[test]
fn a_missing_scope_is_named_and_costs_what_needs_it() {
    let org = org(60, &[]);
    client(&org, &["okta.groups.read"], &json!({}));
    let bench = Bench::of(&org, &by_client());
    let collected = bench.collect(&[]);
    collected.assert_told("groups", "forbidden", "grant the scope okta.groups.read");
    collected.assert_told("group_members", "forbidden", "grant the scope okta.groups.read");
    collected.assert_complete_but(&["groups", "group_members"]);
    assert_eq!(collected.status, Some(0), "what is not granted is no failure");
    let named = bench.collect(&["--collections", "groups,zones"]);
    named.assert_told("groups", "forbidden", "grant the scope okta.groups.read");
    assert_eq!(named.status, Some(1), "unless somebody named it");
}

#[test]
fn what_only_a_super_admin_sees_is_forbidden_to_others() {
    let org = org(30, &[]);
    org.principal(&json!({"id": "0oaReader", "token": "sim-secret", "role": "READ_ONLY_ADMIN"}));
    let by_reader = BY_TOKEN.replace("SIM_TOKEN", "SIM_SECRET");
    let bench = Bench::new().org("acme", &org.url, &by_reader, &only(&["users", "log_streams", "custom_roles"]));
    let collected = bench.collect(&[]);
    collected.assert_told("log_streams", "forbidden", "an admin role that may see it");
    collected.assert_told("custom_roles", "forbidden", "an admin role that may see it");
    collected.assert_complete_but(&["log_streams", "custom_roles"]);
}

#[test]
fn a_role_that_is_taken_away_meanwhile_is_no_complete_reading() {
    let org = org(300, &["--latency-ms", "100"]);
    client(&org, &[], &json!({}));
    let bench = Bench::of(&org, &by_client());
    let collecting = bench.start_collecting(&[]);
    org.until_answered(FACTORS, 30);
    client(&org, &[], &json!({"role": "CUSTOM", "permissions": &SCOPES[1..]}));
    let collected = collecting.end();
    collected.assert_told("user_factors", "partial", "an admin role that may see it");
    collected.assert_complete_but(&["user_factors"]);
    assert_eq!(collected.status, Some(1));
    let refused = org.answered(FACTORS, 403);
    assert!((10..60).contains(&refused), "{refused} refusals, and then the rest is not tried");
}

#[test]
fn one_failing_collection_never_stops_another() {
    let org = org(60, &[]);
    for (path, fault) in [("/api/v1/zones$", "html"), ("/api/v1/apps$", "truncated"), ("/api/v1/groups/", "forbidden")]
    {
        org.fault(path, fault, 1_000_000);
    }
    let collected = Bench::of(&org, BY_TOKEN).collect(&[]);
    collected.assert_complete_but(&["zones", "apps", "app_users", "group_members"]);
    assert_eq!(collected.verdict("zones"), "failed");
    assert_eq!(collected.verdict("apps"), "failed");
    assert_eq!(collected.verdict("app_users"), "failed", "nobody knows which apps there are");
    assert_eq!(collected.verdict("group_members"), "forbidden");
    assert_eq!(collected.status, Some(1));
}

#[test]
fn removing_one_permission_leaves_all_other_collections_complete_and_deletes_nothing() {
    let org = org(60, &[]);
    client(&org, &[], &json!({}));
    let bench = Bench::of(&org, &by_client());
    let first = bench.collect(&[]);
    first.assert_complete();
    client(&org, &["okta.groups.read"], &json!({}));
    let second = bench.collect(&[]);
    for collection in ["groups", "group_members"] {
        second.assert_told(collection, "forbidden", "grant the scope okta.groups.read");
    }
    second.assert_complete_but(&["groups", "group_members"]);
    let landed = bench.landed();
    assert!(landed.all_observations().all(|(_, value)| !value.is_empty()), "nothing is told to be absent");
    assert_eq!(landed.objects("groups").len(), org.truth("groups").len());
    // A worker that takes the data directory over shows how things stand, and begins nothing by itself: nothing is due.
    let worker = bench.run();
    until("the worker knows how things stand", || {
        worker.ready().filter(|(_, report)| report.contains("the last snapshot has ended"))
    });
    let last_complete = |collection: &str| {
        let label = format!("collection=\"{collection}\"");
        (worker.metric("okta_ocsf_collection_last_complete_timestamp_seconds", &label) * 1e3).round() as i64
    };
    let epoch = |collected: &Ended| collected.org("acme")["epoch"].as_i64().unwrap();
    for collection in SOME {
        let expected = if collection.starts_with("group") { epoch(&first) } else { epoch(&second) };
        assert_eq!(last_complete(collection), expected, "{collection}");
    }
    assert_eq!(worker.metric("okta_ocsf_collection_verdict", "collection=\"groups\",verdict=\"forbidden\""), 1.0);
}
