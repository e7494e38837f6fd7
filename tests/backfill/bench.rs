use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::landed::Landed;
use crate::support::command::{Ended, Running};
use crate::support::landed::landed;
pub use crate::support::org::LOGS;
use crate::support::org::{NO_LIMITS, Org};

/// A way in that every simulated org has.
pub const BY_TOKEN: &str = "token = { env = \"SIM_TOKEN\" }";
const SECRETS: [(&str, &str); 3] =
    [("SIM_TOKEN", "sim-token"), ("SIM_SECRET", "sim-secret"), ("WRONG_TOKEN", "of-another-org")];

const HOUR_MS: i64 = 3_600_000;

/// An org with two days of past, so many events on each, and nothing new.
pub fn org(per_day: u32, more: &[&str]) -> Org {
    limited_org(per_day, NO_LIMITS, more)
}

pub fn limited_org(per_day: u32, limits: &str, more: &[&str]) -> Org {
    let per_day = per_day.to_string();
    let past = ["--history-days", "2", "--history-per-day", &per_day, "--limits", limits];
    Org::start(&[["--no-stream", "--seconds", "0", "--users", "30"].as_slice(), &past, more].concat())
}

/// A time of the org's, and so many hours before it now.
pub fn hours_ago(org: &Org, hours: i64) -> (String, i64) {
    let ms = (org.now_ms() - hours * HOUR_MS) / 1_000 * 1_000;
    (jiff::Timestamp::from_millisecond(ms).unwrap().to_string(), ms)
}

/// `--org acme` and a day of the past: from 26 hours ago until 2 hours ago.
pub fn a_day(org: &Org) -> (Vec<String>, i64, i64) {
    let ((since, from), (until, to)) = (hours_ago(org, 26), hours_ago(org, 2));
    (["--org", "acme", "--since", &since, "--until", &until].map(str::to_owned).to_vec(), from, to)
}

/// The uuids of what happened in a time.
pub fn truth(org: &Org, since: i64, until: i64) -> BTreeSet<String> {
    let history = org.history().into_iter();
    history.filter(|(_, _, at)| (since..until).contains(at)).map(|(uuid, ..)| uuid).collect()
}

/// One test's place: a folder, the configuration in it, and the program that uses them.
pub struct Bench {
    folder: TempDir,
    orgs: String,
}

impl Bench {
    /// A bench for the one org `acme`.
    pub fn of(org: &Org) -> Self {
        Self::new().org("acme", &org.url, BY_TOKEN)
    }

    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), orgs: String::new() }
    }

    /// Adds an org; the way in is lines of TOML. All of the limits that it shows are ours.
    pub fn org(mut self, id: &str, url: &str, way_in: &str) -> Self {
        let table = format!("[[org]]\nid = {id:?}\n[org.api]\nurl = {url:?}\n{way_in}\n[org.quota]\nshare = 1.0\n");
        self.orgs.push_str(&table);
        self
    }

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

    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okta-ocsf"));
        command.args([name, "--config"]).arg(self.config()).envs(SECRETS);
        // The orgs are on this machine, or nowhere.
        command.env("NO_PROXY", "*").env("no_proxy", "*");
        command
    }

    /// `okta-ocsf backfill --json`, to its end.
    pub fn backfill<S: AsRef<str>>(&self, arguments: &[S]) -> Ended {
        self.start(arguments, None).end()
    }

    /// As [`Bench::backfill`], and dies where it is told to.
    pub fn start<S: AsRef<str>>(&self, arguments: &[S], dies_at: Option<&str>) -> Running {
        let mut command = self.command("backfill");
        command.arg("--json").args(arguments.iter().map(AsRef::as_ref));
        command.envs(dies_at.map(|point| ("OKTA_OCSF_CRASH_AT", point)));
        Running::start(command)
    }

    /// All that has landed. The program must have ended.
    pub fn landed(&self) -> Landed {
        Landed(landed(&self.folder.path().join("data")))
    }

    /// How often each uuid is in the output.
    pub fn published(&self) -> BTreeMap<String, usize> {
        let mut published = BTreeMap::new();
        for file in std::fs::read_dir(self.folder.path().join("data/output")).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            for record in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
                let uuid = record["metadata"]["original_event_uid"].as_str().unwrap().to_owned();
                *published.entry(uuid).or_default() += 1;
            }
        }
        published
    }

    /// Asserts that the output has exactly these events, each once.
    pub fn assert_published_once(&self, events: &BTreeSet<String>) {
        let published = self.published();
        let twice: Vec<_> = published.iter().filter(|(_, times)| **times != 1).collect();
        assert!(twice.is_empty(), "published more than once: {twice:?}");
        let published: BTreeSet<_> = published.into_keys().collect();
        let (missing, strange) = (events.difference(&published).count(), published.difference(events).count());
        assert_eq!((missing, strange), (0, 0), "of {} events (missing, strange)", events.len());
    }
}

/// What `okta-ocsf backfill --json` gave.
impl Ended {
    /// Asserts that all of it was read and is as it was the second time; gives what was told of it.
    pub fn assert_read(&self) -> &Value {
        let acme = self.org("acme");
        assert!(self.status == Some(0) && acme["outcome"] == "read", "{:?}: {acme:#}\n{}", self.status, self.said);
        assert_eq!((&acme["read"], &acme["same"]), (&acme["slices"], &acme["slices"]), "{acme:#}");
        acme
    }

    /// Asserts that it ended with a status and said all of this.
    pub fn assert_refused(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, Some(status), "{}", self.said);
        for word in words {
            assert!(self.said.contains(word), "{word:?} is missing in:\n{}", self.said);
        }
    }
}
