use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use okta_ocsf::landing::Content;
use okta_ocsf::landing::local::LocalLanding;
use okta_ocsf::landing::{LandingPartition, LandingRecord};
use okta_ocsf::merge::RedbStore;
use okta_ocsf::merge::system_log::{Minute, Standing, ledger, standing};
use okta_ocsf::okta::OrgId;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::org::Org;
use crate::support::until;
use crate::support::worker::Worker;

/// The call that reads the log.
pub const LOGS: &str = "GET /api/v1/logs";

/// One test's place: a folder, the configuration of a worker that polls the one org `acme`.
pub struct Bench {
    folder: TempDir,
    org: String,
}

impl Bench {
    /// Polls once a second.
    pub fn new(org: &Org) -> Self {
        Self::with(org, "every_seconds = 1")
    }

    /// The lines of `[org.log]` are given.
    pub fn with(org: &Org, log: &str) -> Self {
        let way_in = "token = { env = \"SIM_TOKEN\" }";
        Self::by(org, way_in, log)
    }

    pub fn by(org: &Org, way_in: &str, log: &str) -> Self {
        let org = format!(
            "[[org]]\nid = \"acme\"\n[org.api]\nurl = {:?}\n{way_in}\n[org.snapshot]\ninterval_hours = 0\n[org.log]\n{log}\n",
            org.url
        );
        Self { folder: tempfile::tempdir().unwrap(), org }
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
        std::fs::write(&path, format!("{worker}{telemetry}{}", self.org)).unwrap();
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
        let log = LocalLanding::open(&self.folder.path().join("data/landing.redb"), std::time::Duration::MAX).unwrap();
        let mut partition = log.partition(0);
        let records = std::iter::from_fn(|| partition.next(std::time::Duration::ZERO).unwrap());
        records.map(|landed| landed.content.unwrap()).collect()
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
    let limits = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/collect/no_limits.json");
    Org::start(&[["--no-stream", "--seconds", "0", "--limits", limits].as_slice(), more].concat())
}
