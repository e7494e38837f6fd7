//! The inventory by way of Kafka: whoever owns the org reads it, whoever owns it next goes on.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Bench, Org, assert_valid_ocsf, broker, until};

fn bench(name: &str, org: &Org, snapshot: &str) -> Bench {
    Bench::new(name).reads(org, &format!("[org.snapshot]\n{snapshot}"))
}

fn begun(bench: &Bench) -> usize {
    bench.tail(&["landing"]).iter().filter(|record| record["headers"]["name"] == "snapshot_begun").count()
}

fn calls(org: &Org, path: &str) -> u64 {
    let usage: Value = serde_json::from_str(&org.get("/_org/usage")).unwrap();
    let statuses = usage["paths"][format!("GET {path}")].as_object();
    statuses.into_iter().flatten().filter_map(|(_, calls)| calls.as_u64()).sum()
}

#[test]
fn a_request_is_answered_by_the_owner_and_gone_on_with_by_the_next_one() {
    let _broker = broker();
    let org =
        Org::start(&["--no-stream", "--users", "400", "--groups", "40", "--limits", "none", "--latency-ms", "100"]);
    let bench = bench("inventory", &org, "interval_hours = 0");
    let mut workers = ["one", "two"].map(|name| bench.start(name, &[]));
    workers.iter().for_each(|worker| worker.until_ready());
    let asker = Command::new(env!("CARGO_BIN_EXE_okta-ocsf"))
        .args(["collect", "--json", "--config"])
        .arg(bench.config("asker"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("the factors of some users are read", || (calls(&org, "/api/v1/users/{}/factors") > 100).then_some(()));
    let owner = workers.iter_mut().find(|worker| worker.metric("okta_ocsf_okta_calls_total", "acme") > 0.0).unwrap();
    owner.kill();
    let output = asker.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("read by the running workers"), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let collections = report[0]["collections"].as_array().unwrap();
    for row in collections {
        assert!(row["verdict"] == "complete" || row["verdict"] == "feature_off", "{row}\n{said}");
    }
    assert_eq!(output.status.code(), Some(0), "{said}");
    let users = collections.iter().find(|row| row["collection"] == "users").unwrap();
    assert_eq!(users["objects"], 400);
    // What had ended before is not read again, and of the rest only what was under way.
    assert_eq!(calls(&org, "/api/v1/zones"), 1);
    let factors = calls(&org, "/api/v1/users/{}/factors");
    assert!((400..600).contains(&factors), "{factors} calls for the factors of 400 users");
    assert_eq!(begun(&bench), 1, "the next owner goes on with the same snapshot");
    assert!(bench.tail(&["quarantine"]).is_empty());
}

/// The state that an owner begins with is empty; what it says of the org is of no use before the log was folded.
#[test]
fn an_owner_without_state_first_learns_what_runs_and_begins_nothing_of_its_own() {
    let _broker = broker();
    let org =
        Org::start(&["--no-stream", "--users", "400", "--groups", "40", "--limits", "none", "--latency-ms", "100"]);
    let bench = bench("takeover", &org, "interval_hours = 24");
    let mut first = bench.start("one", &[]);
    until("the factors of some users are read", || (calls(&org, "/api/v1/users/{}/factors") > 100).then_some(()));
    first.kill();
    let next = bench.start("two", &[]);
    next.until_logged("a snapshot that was begun before goes on");
    next.until_logged("snapshot ended");
    assert_eq!(begun(&bench), 1);
    assert_eq!(calls(&org, "/api/v1/zones"), 1);
    assert!(!next.log().contains("a collection is not complete"), "{}", next.log());
}

/// What the workers say about the inventory, in Kafka.
const CLASSES: &[&str] =
    &["user_inventory", "inventory_info", "cloud_resources_inventory_info", "scan_activity", "detection_finding"];

#[test]
fn the_inventory_is_published_once_over_crashes_between_outputs_of_one_record() {
    let _broker = broker();
    let org = Org::start(&["--no-stream", "--users", "150", "--groups", "12", "--limits", "none"]);
    let bench = bench("published", &org, "interval_hours = 24");
    let completed = |bench: &Bench| {
        let marks = bench.tail(&["scan_activity"]).into_iter();
        marks.map(|mark| mark["value"].clone()).find(|mark| mark["activity_name"] == "Completed")
    };
    // Each owner has a state of its own, so the next one folds the log again, too.
    for (name, point) in [("one", "fold.told:120"), ("one", "fold.told:300"), ("two", "fold.told:100")] {
        let mut worker = bench.start(name, &[("OKTA_OCSF_CRASH_AT", point)]);
        assert_eq!(worker.exit_status(), -1, "the worker dies at {point}:\n{}", worker.log());
    }
    let _worker = bench.start("two", &[]);
    let completed = until("the snapshot is complete", || completed(&bench));
    assert_eq!(completed["status_code"], "complete", "{completed:#}");

    let records = bench.tail(CLASSES);
    let mut sources = std::collections::BTreeSet::new();
    let mut of_snapshot = std::collections::BTreeSet::new();
    for record in &records {
        assert!(sources.insert(record["headers"]["landing"].as_str().unwrap()), "twice: {record:#}");
        let value = &record["value"];
        if value["class_uid"] == 5003 && value["metadata"]["correlation_uid"] == completed["scan"]["uid"] {
            let uid = value["user"]["uid"].as_str().unwrap();
            assert_eq!(record["key"], format!("acme|users|{uid}"));
            assert!(of_snapshot.insert(uid), "twice in one snapshot: {record:#}");
        }
    }
    let users: Vec<Value> = org.truth("users");
    assert_eq!(of_snapshot, users.iter().map(|user| user["id"].as_str().unwrap()).collect());
    assert_valid_ocsf(&records);
    assert!(bench.tail(&["quarantine"]).is_empty());
}
