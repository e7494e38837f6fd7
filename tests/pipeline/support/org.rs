use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{block_on, stack};

/// The simulated org as a process.
pub struct Org {
    child: Child,
    pub url: String,
}

impl Org {
    pub fn start(arguments: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_BIN_EXE_okta-ocsf")).parent().unwrap();
        let mut child = Command::new(folder.join("examples/okta-org"))
            .args(["--listen", "127.0.0.1:0", "--event-bus", &stack("STACK_EVENT_BUS")])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let hello: Value = serde_json::from_str(&line).unwrap();
        Self { child, url: hello["listening"].as_str().unwrap().to_owned() }
    }

    pub fn get(&self, path: &str) -> String {
        block_on(async { reqwest::get(format!("{}{path}", self.url)).await.unwrap().text().await.unwrap() })
    }

    pub fn state(&self) -> Value {
        serde_json::from_str(&self.get("/_org/state")).unwrap()
    }

    /// The uuids in the org's own log: the truth.
    pub fn logged(&self) -> BTreeSet<String> {
        let events = self.get("/_org/events");
        let uuids = events
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["uuid"].as_str().unwrap().to_owned());
        uuids.collect()
    }
}

impl Drop for Org {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
