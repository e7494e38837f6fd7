//! The inventory by way of Kafka: whoever owns the org reads it, whoever owns it next goes on.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Bench, Org, broker, until};

fn bench(name: &str, org: &Org, snapshot: &str) -> Bench {
    let bench = Bench::new(name);
    let token = bench.folder.join("token");
    std::fs::write(&token, "sim-token").unwrap();
    bench
        .extra(&format!("[org.api]\nurl = {:?}\ntoken = {{ file = {token:?} }}\n[org.snapshot]\n{snapshot}\n", org.url))
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
