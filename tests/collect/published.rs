//! What is published of what was read: all of it once a snapshot has ended, each record once, whenever the worker dies.

use std::collections::{BTreeMap, BTreeSet};

use okta_ocsf::ocsf::validate::Schema;
use serde_json::Value;

use crate::bench::{BY_TOKEN, Bench, org};
use crate::support::until;

/// Every class of which the inventory has records.
const CLASSES: &[&str] = &[
    "user_inventory",
    "inventory_info",
    "cloud_resources_inventory_info",
    "scan_activity",
    "detection_finding",
    "application_error",
];

fn scan(bench: &Bench, activity: &str) -> Option<Value> {
    bench.published("scan_activity").into_iter().find(|record| record["activity_name"] == activity)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

#[test]
fn everything_that_is_there_is_published_once_over_crashes_in_the_middle() {
    let org = org(150, &["--groups", "12", "--apps", "10"]);
    let bench = Bench::of(&org, BY_TOKEN).polled();
    // Between two outputs of one record, again and again.
    for point in ["fold.told:100", "fold.told:150", "fold.told:100"] {
        let mut worker = bench.crash_at(point);
        assert_eq!(worker.exit_status(), -1, "the worker dies at {point}:\n{}", worker.log());
    }
    let mut worker = bench.run();
    let completed = until("the snapshot is complete", || scan(&bench, "Completed"));

    assert_eq!(completed["status_code"], "complete", "{completed:#}");
    let scan_uid = &completed["scan"]["uid"];
    let of_snapshot = |class: &str| {
        let records = bench.published(class).into_iter();
        records.filter(|record| record["metadata"]["correlation_uid"] == *scan_uid).collect::<Vec<_>>()
    };
    let users = of_snapshot("user_inventory");
    let truth: BTreeSet<String> = org.truth("users").iter().map(|user| text(&user["id"])).collect();
    assert_eq!(users.len(), truth.len(), "each once");
    assert_eq!(users.iter().map(|record| text(&record["user"]["uid"])).collect::<BTreeSet<_>>(), truth);
    let mut groups = BTreeSet::new();
    for record in &users {
        let of_user = record["user"]["groups"].as_array().into_iter().flatten();
        groups.extend(of_user.map(|group| (text(&group["uid"]), text(&record["user"]["uid"]))));
    }
    let members: BTreeSet<_> =
        org.truth("group-members").iter().map(|link| (text(&link["left"]), text(&link["right"]))).collect();
    assert_eq!(groups, members, "each user with their groups");
    let apps = of_snapshot("cloud_resources_inventory_info");
    let apps: BTreeSet<_> = apps
        .iter()
        .filter(|record| record["metadata"]["event_code"] == "apps")
        .collect::<Vec<_>>()
        .into_iter()
        .map(|record| text(&record["resources"][0]["uid"]))
        .collect();
    assert_eq!(apps, org.truth("apps").iter().map(|app| text(&app["id"])).collect());
    let published: BTreeMap<String, u64> = completed["enrichments"][0]["data"]["collections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (text(&row["collection"]), row["published"].as_u64().unwrap_or(0)))
        .collect();
    assert_eq!(published["users"], truth.len() as u64);

    // Who is deleted has a tombstone; the event says it, and Okta's 404 proves it.
    org.act("user.deactivate", None, 3);
    org.act("user.delete", None, 1);
    let gone = until("a user is gone", || {
        bench.published("user_inventory").into_iter().find(|line| line["tombstone"] == true)
    });
    let id = text(&gone["key"]);
    let id = id.strip_prefix("acme|users|").unwrap();
    assert!(truth.contains(id) && !org.truth("users").iter().any(|user| user["id"] == id), "{gone}");
    assert_eq!(worker.stop(), 0);

    let mut seen = BTreeSet::new();
    for class in CLASSES {
        for record in bench.published(class).iter().filter(|record| record["tombstone"].is_null()) {
            assert!(seen.insert(text(&record["metadata"]["uid"])), "twice: {record:#}");
            let findings = Schema::embedded().check(record.to_string().as_bytes());
            assert!(findings.is_empty(), "{findings:?}\n{record:#}");
        }
    }
    assert!(seen.len() > 2 * truth.len(), "as it was read, and when it was complete: {}", seen.len());
}
