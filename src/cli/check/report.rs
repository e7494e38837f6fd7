//! What was found, and how it is printed.

use std::fmt::Write as _;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;

/// All that was found.
#[derive(Default, Serialize)]
pub struct Report {
    /// The orgs whose API is configured.
    pub orgs: Vec<OrgReport>,
    /// Queues and the rules that feed them.
    pub queues: Vec<Finding>,
    /// The cluster, its topics and our rights.
    pub kafka: Vec<Finding>,
}

/// What one org's API gave.
#[derive(Default, Serialize)]
pub struct OrgReport {
    pub org: String,
    pub url: String,
    /// Calls made, without those for tokens.
    pub calls: u64,
    /// Scopes that were asked for in vain.
    pub scopes_not_granted: Vec<String>,
    pub findings: Vec<Finding>,
    pub collections: Vec<Probe>,
    pub limits: Vec<LimitSeen>,
}

/// What one question gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub state: State,
    pub what: String,
    pub detail: String,
}

/// What asking for one collection gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probe {
    pub collection: &'static str,
    pub path: &'static str,
    pub state: State,
    pub reason: Reason,
    pub detail: String,
}

/// What it means for the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    /// It works without.
    Skip,
    /// Somebody should look, and nothing stands still.
    Warn,
    Fail,
}

/// Why a collection can or cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Readable,
    /// A scope or a role is missing.
    Forbidden,
    /// The org does not have it.
    FeatureOff,
    /// There is no object yet of the kind that it is within.
    NoParent,
    /// The calls were over before.
    NotTried,
    Failed,
}

/// A rate limit as the last answer told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitSeen {
    /// Our name for the endpoints that share it.
    pub bucket: String,
    /// Calls a minute.
    pub limit: u32,
    /// Calls left in this minute.
    pub remaining: u32,
}

impl Finding {
    pub fn new(state: State, what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { state, what: what.into(), detail: detail.into() }
    }

    pub fn ok(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(State::Ok, what, detail)
    }

    pub fn fail(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(State::Fail, what, detail)
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skip => "skip",
            Self::Warn => "warn",
            // In capitals, to be seen in a long table.
            Self::Fail => "FAIL",
        }
    }
}

impl Report {
    /// Whether nothing failed.
    pub fn is_fine(&self) -> bool {
        !self.states().any(|state| state == State::Fail)
    }

    fn states(&self) -> impl Iterator<Item = State> {
        let of_orgs = self.orgs.iter().flat_map(|org| {
            let findings = org.findings.iter().map(|finding| finding.state);
            findings.chain(org.collections.iter().map(|probe| probe.state))
        });
        of_orgs.chain(self.queues.iter().chain(&self.kafka).map(|finding| finding.state))
    }

    fn count(&self, wanted: State) -> usize {
        self.states().filter(|state| *state == wanted).count()
    }

    /// One object: `ok`, how many `skipped`, `warned` and `failed`, and the lists of what was found.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "ok": self.is_fine(),
            "skipped": self.count(State::Skip),
            "warned": self.count(State::Warn),
            "failed": self.count(State::Fail),
            "orgs": self.orgs,
            "queues": self.queues,
            "kafka": self.kafka,
        })
    }

    /// A table for each org, one for the queues and one for Kafka, and the sum of all.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for org in &self.orgs {
            section(&mut text, &format!("org {} at {} (calls made: {})", org.org, org.url, org.calls), org.rows());
        }
        for (title, findings) in [("queues", &self.queues), ("Kafka", &self.kafka)] {
            section(&mut text, title, findings.iter().map(row).collect());
        }
        let [skipped, warned, failed] = [State::Skip, State::Warn, State::Fail].map(|state| self.count(state));
        let _ = writeln!(text, "{} ok, {skipped} skipped, {warned} warned, {failed} failed", self.count(State::Ok));
        text
    }
}

impl OrgReport {
    fn rows(&self) -> Vec<[String; 3]> {
        let collection = |probe: &Probe| [probe.state.word().into(), probe.collection.into(), probe.detail.clone()];
        let limit = |seen: &LimitSeen| {
            let LimitSeen { bucket, limit, remaining } = seen;
            ["".into(), format!("rate limit {bucket}"), format!("{remaining} of {limit} calls a minute left")]
        };
        let findings = self.findings.iter().map(row);
        findings.chain(self.collections.iter().map(collection)).chain(self.limits.iter().map(limit)).collect()
    }
}

fn row(finding: &Finding) -> [String; 3] {
    [finding.state.word().into(), finding.what.clone(), finding.detail.clone()]
}

fn section(text: &mut String, title: &str, rows: Vec<[String; 3]>) {
    if rows.is_empty() {
        return;
    }
    let mut table = Table::new();
    table.load_style(NOTHING).add_rows(rows);
    // The table fills its cells up; nobody wants that at the end of a line.
    let lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    let _ = writeln!(text, "{title}\n{}\n", lines.join("\n"));
}
