use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use okta_ocsf::landing::{Content, LandingRecord};
use okta_ocsf::merge::RedbStore;
use okta_ocsf::merge::system_log::{Minute, Standing, ledger, standing};
use okta_ocsf::okta::OrgId;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::landed::landed;
pub use crate::support::org::LOGS;
use crate::support::org::{NO_LIMITS, Org};
use crate::support::until;
use crate::support::worker::Worker;

/// A way in that every simulated org has.
const BY_TOKEN: &str = "token = { env = \"SIM_TOKEN\" }";

/// One test's place: a folder, the configuration of a worker that polls the org `acme`.
pub struct Bench {
    folder: TempDir,
    orgs: String,
}

fn table(id: &str, org: &Org, way_in: &str, log: &str) -> String {
    let url = &org.url;
    format!(
        "[[org]]\nid = {id:?}\n[org.api]\nurl = {url:?}\n{way_in}\n[org.snapshot]\ninterval_hours = 0\n[org.log]\n{log}\n"
    )
}

impl Bench {
    /// Polls once a second.
    pub fn new(org: &Org) -> Self {
        Self::with(org, "every_seconds = 1")
    }

    /// The lines of `[org.log]` are given.
    pub fn with(org: &Org, log: &str) -> Self {
        Self::by(org, BY_TOKEN, log)
    }

    pub fn by(org: &Org, way_in: &str, log: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), orgs: table("acme", org, way_in, log) }
    }

    /// Another org of the same worker, polled once a second.
    pub fn beside(mut self, id: &str, org: &Org) -> Self {
        self.orgs.push_str(&table(id, org, BY_TOKEN, "every_seconds = 1"));
        self
    }

    pub fn run(&self) -> Worker {
        self.run_with(&[])
    }

    pub fn run_with(&self, environment: &[(&str, &str)]) -> Worker {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okta-ocsf"));
        command.args(["run", "--config"]).arg(self.config()).envs(environment.iter().copied());
        command.env("SIM_TOKEN", "sim-token").env("SIM_SECRET", "sim-secret");
        // The org is on this machine, or nowhere.
        command.env("NO_PROXY", "*").env("no_proxy", "*");
        Worker::spawn(command, &self.folder.path().join("worker.log"))
    }

    fn config(&self) -> PathBuf {
        let (path, data) = (self.folder.path().join("worker.toml"), self.folder.path().join("data"));
        let worker = format!("[worker]\nroles = [\"collect\", \"normalize\"]\ndata_dir = {data:?}\n");
        let telemetry = "[telemetry]\nlisten = \"127.0.0.1:0\"\nlog_format = \"json\"\n";
        std::fs::write(&path, format!("{worker}{telemetry}{}", self.orgs)).unwrap();
        path
    }

    /// All published records.
    pub fn records(&self) -> Vec<Value> {
        let Ok(files) = std::fs::read_dir(self.folder.path().join("data/output")) else { return Vec::new() };
        let files = files.map(|file| file.unwrap().path());
        // While the worker writes, the last line may be incomplete.
        let read = |path: PathBuf| -> Vec<Value> {
            let text = std::fs::read_to_string(path).unwrap();
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
        };
        files.filter(|path| !path.ends_with("okta.quarantine.ndjson")).flat_map(read).collect()
    }

    /// The uuids of the published records of all events and how often each is there.
    pub fn published(&self) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for record in self.records() {
            if let Some(uuid) = record["metadata"]["original_event_uid"].as_str() {
                *found.entry(uuid.to_owned()).or_default() += 1;
            }
        }
        found
    }

    /// Waits until all that the org has logged is published, and asserts that each is there once.
    pub fn until_all_published(&self, org: &Org) {
        until("every event is published", || {
            let (found, wanted) = (self.published(), org.logged());
            wanted.iter().all(|uuid| found.contains_key(uuid)).then_some(())
        });
        let found = self.published();
        assert!(found.values().all(|count| *count == 1), "published more than once: {found:?}");
        assert_eq!(found.len(), org.logged().len(), "published but never logged");
    }

    /// Everything that landed. The worker must have ended.
    pub fn landed(&self) -> Vec<LandingRecord> {
        landed(&self.folder.path().join("data"))
    }

    /// The cursors of the poll.
    pub fn cursors(&self) -> Vec<Value> {
        let records = self.landed();
        let cursors = records.iter().filter(|record| matches!(record.content, Content::Cursor { .. }));
        cursors.map(|record| serde_json::from_slice(&record.value).unwrap()).collect()
    }

    fn store(&self) -> RedbStore {
        RedbStore::open(&self.folder.path().join("data/state/okta.landing-0.redb")).unwrap()
    }

    /// How the log stands in the state. The worker must have ended.
    pub fn standing(&self) -> Standing {
        standing(&self.store(), &OrgId::new("acme")).unwrap()
    }

    /// The ledger of a time. The worker must have ended.
    pub fn ledger(&self, from: i64, until: i64) -> Vec<Minute> {
        ledger(&self.store(), &OrgId::new("acme"), from, until).unwrap()
    }
}

/// An org that logs only what it is told to, and limits nobody.
pub fn org(more: &[&str]) -> Org {
    Org::start(&[["--no-stream", "--seconds", "0", "--limits", NO_LIMITS].as_slice(), more].concat())
}
