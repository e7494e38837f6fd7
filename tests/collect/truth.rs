//! What lands is what there is: compared with the org's own account, object by object and link by link.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::bench::{BY_SECRET, BY_TOKEN, Bench, org};
use crate::support::org::Org;

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// Ids and statuses of all there is of a collection.
fn objects(org: &Org, collection: &str) -> BTreeMap<String, String> {
    org.truth(collection).iter().map(|object| (text(object, "id"), text(object, "status"))).collect()
}

/// What belongs to what.
fn links(org: &Org, collection: &str) -> BTreeSet<(String, String)> {
    org.truth(collection).iter().map(|link| (text(link, "left"), text(link, "right"))).collect()
}

fn lists(org: &Org, collection: &str) -> BTreeSet<(String, String)> {
    let truth = org.truth(collection);
    let ids = |line: &Value| line["ids"].as_array().unwrap().clone();
    let pairs = truth.iter().flat_map(|line| ids(line).into_iter().map(|id| (text(line, "owner"), id)));
    pairs.map(|(owner, id)| (owner, id.as_str().unwrap().to_owned())).collect()
}

#[test]
fn what_landed_is_what_the_org_has() {
    // More than a page of users, and of the members of a group.
    let org = org(1_300, &["--groups", "30", "--apps", "20"]);
    for (deed, count) in [("user.deactivate", 40), ("user.delete", 10), ("user.create", 5), ("group.delete", 2)] {
        org.act(deed, None, count);
    }
    for (deed, count) in [("member.remove", 20), ("app_user.remove", 20), ("factor.reset", 20), ("role.grant", 5)] {
        org.act(deed, None, count);
    }
    let bench = Bench::new().org("acme", &org.url, BY_SECRET, "");
    bench.collect(&[]).assert_complete();
    let landed = bench.landed();
    let ids_and_statuses = |collection: &str| -> BTreeMap<String, String> {
        landed.objects(collection).into_iter().map(|(id, object)| (id, text(&object, "status"))).collect()
    };
    let users = ids_and_statuses("users");
    assert_eq!(users, objects(&org, "users"));
    assert!(users.values().filter(|status| *status == "DEPROVISIONED").count() >= 30, "those who left are there");
    for (ours, theirs) in [("groups", "groups"), ("apps", "apps"), ("devices", "devices"), ("zones", "zones")] {
        assert_eq!(ids_and_statuses(ours), objects(&org, theirs), "{ours}");
    }
    for (ours, theirs) in [("policies", "policies"), ("idps", "idps"), ("group_rules", "group-rules")] {
        assert_eq!(ids_and_statuses(ours), objects(&org, theirs), "{ours}");
    }
    for (ours, theirs) in [("group_members", "group-members"), ("app_users", "app-users"), ("app_groups", "app-groups")]
    {
        assert_eq!(landed.links(ours), links(&org, theirs), "{ours}");
    }
    assert_eq!(landed.links("user_factors"), lists(&org, "factors"));
    assert_eq!(landed.links("role_assignments"), lists(&org, "user-roles"));
    let told_absent: Vec<_> =
        landed.all_observations().filter(|(_, value)| value.is_empty()).map(|(seen, _)| seen).collect();
    assert!(told_absent.is_empty(), "told to be absent: {told_absent:?}");
}

#[test]
fn every_observation_says_when_it_was_true() {
    let org = org(60, &[]);
    let bench = Bench::of(&org, BY_TOKEN);
    let collected = bench.collect(&[]);
    collected.assert_complete();
    let landed = bench.landed();
    let epoch = landed.mark("snapshot_begun")["epoch"].as_i64().unwrap();
    assert_eq!(collected.org("acme")["epoch"], epoch);
    for (observation, _) in landed.all_observations() {
        let (lo, hi) = observation.as_of;
        assert_eq!(observation.epoch, Some(epoch));
        assert!(epoch <= lo && lo <= hi, "{observation:?} of {epoch}");
    }
}

#[test]
fn a_classic_org_is_not_asked_for_what_it_cannot_have() {
    let org = org(30, &["--engine", "classic"]);
    let bench = Bench::new().org("acme", &org.url, BY_SECRET, "");
    let collected = bench.collect(&[]);
    let rows = collected.org("acme")["collections"].as_array().unwrap();
    let off: Vec<&str> = rows
        .iter()
        .filter(|row| row["verdict"] == "feature_off")
        .map(|row| row["collection"].as_str().unwrap())
        .collect();
    assert!(off.contains(&"devices") && off.contains(&"authenticators"), "what it cannot have is told: {off:?}");
    collected.assert_complete_but(&off);
    assert_eq!(collected.status, Some(0), "what an org does not have is no failure");
    assert_eq!(collected.org("acme")["engine"], "Classic Engine");
    let named = bench.collect(&["--collections", "devices"]);
    assert_eq!((named.verdict("devices"), named.status), ("feature_off", Some(1)), "unless it is asked for by name");
    for path in ["/api/v1/devices", "/api/v1/authenticators", "/api/v1/device-assurances"] {
        assert_eq!(org.answered(&format!("GET {path}"), 0), 0, "{path}");
    }
    for unlicensed in ["realms", "realm_assignments", "push_providers"] {
        assert_eq!(collected.verdict(unlicensed), "feature_off");
    }
}
