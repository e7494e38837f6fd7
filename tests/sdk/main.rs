//! Okta's own client for Python reads the simulated org: what it cannot parse, no client of Okta's could.

#![allow(clippy::unwrap_used)] // where a test cannot go on, it fails

#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use support::org::Org;

#[test]
fn oktas_own_client_lists_users_groups_apps_and_events() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".local/venv/bin/python");
    assert!(python.exists(), "{} is missing: make setup", python.display());
    let org = Org::start(
        &[
            ["--no-stream", "--users", "400", "--groups", "40", "--apps", "30", "--events", "50"].as_slice(),
            &["--events-per-second", "1000", "--mutations-per-second", "50"],
        ]
        .concat(),
    );
    let output = Command::new(python).arg(root.join("tests/sdk/list_org.py")).arg(&org.url).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counts: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (what, least) in [("users", 300), ("groups", 35), ("apps", 30), ("events", 50)] {
        assert!(counts[what].as_u64().is_some_and(|count| count >= least), "{what} in {counts}");
    }
}
