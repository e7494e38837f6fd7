//! Okta's own client for Python reads the simulated org: what it cannot parse, no client of Okta's could.

#![allow(clippy::unwrap_used)] // where a test cannot go on, it fails

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The simulated org as a process.
struct Org {
    child: Child,
    url: String,
}

impl Org {
    fn start() -> Self {
        let folder = Path::new(env!("CARGO_BIN_EXE_okta-ocsf")).parent().unwrap();
        let mut child = Command::new(folder.join("examples/okta-org"))
            .args(["--no-stream", "--users", "400", "--groups", "40", "--apps", "30"])
            .args(["--events", "50", "--events-per-second", "1000", "--mutations-per-second", "50"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let hello: Value = serde_json::from_str(&line).unwrap();
        Self { child, url: hello["listening"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Org {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn oktas_own_client_lists_users_groups_apps_and_events() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".local/venv/bin/python");
    assert!(python.exists(), "{} is missing: make setup", python.display());
    let org = Org::start();
    let output = Command::new(python).arg(root.join("tests/sdk/list_org.py")).arg(&org.url).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counts: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (what, least) in [("users", 300), ("groups", 35), ("apps", 30), ("events", 50)] {
        assert!(counts[what].as_u64().is_some_and(|count| count >= least), "{what} in {counts}");
    }
}
