use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::landed::Landed;
use crate::support::command::{Ended, Running};
use crate::support::landed::landed;
use crate::support::org::{NO_LIMITS, Org};
use crate::support::worker::Worker;

/// The ways in that every simulated org has, and one that none has.
pub const BY_TOKEN: &str = "token = { env = \"SIM_TOKEN\" }";
pub const BY_SECRET: &str = "client_id = \"sim-client\"\nclient_secret = { env = \"SIM_SECRET\" }";
pub const BY_WRONG_TOKEN: &str = "token = { env = \"WRONG_TOKEN\" }";
const SECRETS: [(&str, &str); 3] =
    [("SIM_TOKEN", "sim-token"), ("SIM_SECRET", "sim-secret"), ("WRONG_TOKEN", "of-another-org")];

/// Collections of all kinds: alone, for each user, for each group and app, for each word.
pub const SOME: &[&str] =
    &["users", "user_factors", "groups", "group_members", "apps", "app_users", "devices", "policies", "zones"];

/// How many of the org's minutes pass in one of ours, where pauses are waited for.
pub const FAST: &str = "600";

/// One test's place: a folder, the configuration in it, and the program that uses them.
pub struct Bench {
    folder: TempDir,
    orgs: String,
}

impl Bench {
    /// A bench for the one org `acme`, of which [`SOME`] is read.
    pub fn of(org: &Org, way_in: &str) -> Self {
        Self::new().org("acme", &org.url, way_in, &only(SOME))
    }

    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), orgs: String::new() }
    }

    /// Adds an org, whose log nobody polls; the way in and the snapshot are lines of TOML.
    pub fn org(mut self, id: &str, url: &str, way_in: &str, snapshot: &str) -> Self {
        let table = format!(
            "[[org]]\nid = {id:?}\n[org.api]\nurl = {url:?}\n{way_in}\n[org.snapshot]\n{snapshot}\n\
             [org.log]\nmode = \"off\"\n"
        );
        self.orgs.push_str(&table);
        self
    }

    /// The log of the orgs so far is polled, too.
    pub fn polled(mut self) -> Self {
        self.orgs = self.orgs.replace("mode = \"off\"", "mode = \"primary\"");
        self
    }

    /// The configuration with whatever the orgs are now.
    fn config(&self) -> PathBuf {
        let (path, data) = (self.folder.path().join("worker.toml"), self.folder.path().join("data"));
        let worker = format!("[worker]\nroles = [\"collect\", \"normalize\"]\ndata_dir = {data:?}\n");
        let telemetry = "[telemetry]\nlisten = \"127.0.0.1:0\"\nlog_format = \"json\"\n";
        std::fs::write(&path, format!("{worker}{telemetry}{}", self.orgs)).unwrap();
        path
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okta-ocsf"));
        command.args([name, "--config"]).arg(self.config()).envs(SECRETS);
        // The orgs are on this machine, or nowhere.
        command.env("NO_PROXY", "*").env("no_proxy", "*");
        command
    }

    /// `okta-ocsf collect --json`, to its end.
    pub fn collect(&self, arguments: &[&str]) -> Ended {
        self.start_collecting(arguments).end()
    }

    /// `okta-ocsf collect --json` in the time of an org that is [`FAST`].
    pub fn collect_fast(&self) -> Ended {
        self.collect(&["--clock-rate", FAST])
    }

    pub fn start_collecting(&self, arguments: &[&str]) -> Running {
        let mut command = self.command("collect");
        command.arg("--json").args(arguments);
        Running::start(command)
    }

    /// `okta-ocsf check --org acme --json`.
    pub fn check(&self) -> Value {
        let output = self.command("check").args(["--org", "acme", "--json"]).output().unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// `okta-ocsf run`.
    pub fn run(&self) -> Worker {
        Worker::spawn(self.command("run"), &self.folder.path().join("worker.log"))
    }

    /// `okta-ocsf run`, which dies at a named point.
    pub fn crash_at(&self, point: &str) -> Worker {
        let mut command = self.command("run");
        command.env("OKTA_OCSF_CRASH_AT", point);
        Worker::spawn(command, &self.folder.path().join("worker.log"))
    }

    /// The lines of the output file of a class. While the worker writes, the last one may be incomplete.
    pub fn published(&self, class: &str) -> Vec<Value> {
        let path = self.folder.path().join(format!("data/output/okta.ocsf.{class}.ndjson"));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// All that has landed. The program must have ended.
    pub fn landed(&self) -> Landed {
        Landed(landed(&self.folder.path().join("data")))
    }
}

/// The TOML that has just these collections read.
pub fn only(collections: &[&str]) -> String {
    format!("collections = {collections:?}")
}

/// What `okta-ocsf collect --json` gave.
impl Ended {
    fn rows(&self) -> &[Value] {
        self.org("acme")["collections"].as_array().unwrap()
    }

    fn row(&self, collection: &str) -> &Value {
        let found = self.rows().iter().find(|row| row["collection"] == collection);
        found.unwrap_or_else(|| panic!("{collection} is not in {:#}", self.org("acme")))
    }

    pub fn verdict(&self, collection: &str) -> &str {
        self.row(collection)["verdict"].as_str().unwrap_or("none")
    }

    pub fn objects(&self, collection: &str) -> u64 {
        self.row(collection)["objects"].as_u64().unwrap()
    }

    /// Asserts that a collection ended so, and that who asked is told this about it, in JSON and in words.
    pub fn assert_told(&self, collection: &str, verdict: &str, what: &str) {
        let row = self.row(collection);
        let detail = row["detail"].as_str().unwrap_or_default();
        assert!(row["verdict"] == verdict && detail.contains(what), "not {verdict}, {what:?}: {row:#}");
        let line = self.said.lines().find(|line| line.starts_with(&format!("acme: {collection} {verdict}")));
        assert!(line.is_some_and(|line| line.contains(what)), "nobody said so:\n{}", self.said);
    }

    /// Asserts that everything is complete but these, and what no simulated org has.
    pub fn assert_complete_but(&self, others: &[&str]) {
        assert!(!self.rows().is_empty(), "nothing was read\n{}", self.said);
        let absent = ["governance_bundles", "service_accounts", "okta_service_accounts", "bot_protection"];
        for row in self.rows() {
            let name = row["collection"].as_str().unwrap();
            let expected = if absent.contains(&name) { "feature_off" } else { "complete" };
            assert!(others.contains(&name) || row["verdict"] == expected, "{row:#}\n{}", self.said);
        }
    }

    /// Asserts that nothing is missing, and that the program says so to scripts.
    pub fn assert_complete(&self) {
        self.assert_complete_but(&[]);
        assert_eq!(self.status, Some(0), "{}", self.said);
    }

    /// Asserts that the snapshot was given up, for the reason that is told, and that scripts learn it.
    pub fn assert_given_up(&self, why: &str) {
        let aborted = self.org("acme")["aborted"].as_str().unwrap_or_default();
        assert!(aborted.contains(why), "not given up for {why:?}: {:#}", self.org("acme"));
        assert!(self.said.contains(&format!("given up: {aborted}")), "{}", self.said);
        assert_eq!(self.status, Some(1));
    }
}

/// An org of so many people that changes only when it is told to, and limits nobody.
pub fn org(users: u64, more: &[&str]) -> Org {
    let users = users.to_string();
    Org::start(&[["--no-stream", "--seconds", "0", "--users", &users, "--limits", NO_LIMITS].as_slice(), more].concat())
}
