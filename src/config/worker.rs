use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiConfig, LogConfig, QuotaConfig, SnapshotConfig};
use crate::error::{ExitStatus, Fatal};
use crate::ocsf::EventTypes;

/// A part of the pipeline that a process can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads the queues and lands what they hold. Stateless; run as many as needed.
    Ingest,
    /// Reads the inventory and polls the System Log of the orgs whose partitions this process owns.
    Collect,
    /// Folds landing partitions and publishes OCSF. Each partition has one owner at a time.
    Normalize,
}

/// `[worker]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerConfig {
    /// What this process does. Give each process fewer roles to scale them apart.
    pub roles: Vec<Role>,
    /// Folder of the state store and, without Kafka, of the landing log. Should survive a restart; with Kafka, losing it
    /// means that the state is read from its changelog first.
    pub data_dir: PathBuf,
    /// Seconds from the stop signal until the process ends. What is not finished by then is given back to the queue.
    pub stop_timeout_seconds: u64,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            roles: vec![Role::Ingest, Role::Collect, Role::Normalize],
            data_dir: PathBuf::from("data"),
            stop_timeout_seconds: 10,
        }
    }
}

/// `[[org]]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OrgConfig {
    /// Name of the org here: the landing key and `metadata.tenant_uid`. Letters, digits, `.`, `_` and `-`. Never
    /// change it: to the pipeline another name is another org.
    pub id: String,
    /// The EventBridge `source` of this org's log stream, such as `aws.partner/okta.com/acme/logs`. Everything at or
    /// below it is this org; an event of any other source is quarantined.
    pub event_source: Option<String>,
    /// How its REST API is reached; without it nothing is read from the org itself. What is given chooses the way in:
    /// `token`; `client_id` and `client_secret`; or `client_id` and one `[[org.api.key]]` or two. `docs/okta-access.md`
    /// says how to get each.
    pub api: Option<ApiConfig>,
    /// How much of the org's API the worker may use up.
    pub quota: QuotaConfig,
    /// What is read of its inventory, and when.
    pub snapshot: SnapshotConfig,
    /// Whether and how often its System Log is polled.
    pub log: LogConfig,
}

/// Where a log lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LandingKind {
    /// A Kafka topic.
    Kafka,
    /// One file in the data directory.
    Local,
}

/// `[landing]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LandingConfig {
    /// `kafka` or `local`. Default: `kafka` if there is a `[kafka]` table.
    pub kind: Option<LandingKind>,
    /// Topic of the landing log. Everything of one org is in one of its partitions.
    pub topic: String,
    /// Consumer group of the role `normalize`.
    pub group: String,
    /// Hours that the local log keeps records after they were consumed. A topic has a retention of its own, given when
    /// it is created and yours to change: keep it at least as long as `merge.dedupe_window_days`, because a new owner
    /// without state folds the log again.
    pub retention_hours: u64,
}

impl Default for LandingConfig {
    fn default() -> Self {
        Self { kind: None, topic: "okta.landing".into(), group: "okta-ocsf".into(), retention_hours: 24 * 7 }
    }
}

/// `[merge]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MergeConfig {
    /// Days for which an event is remembered, so that it is published once however often it comes. Default: Okta's
    /// own retention, beyond which nothing can be delivered again.
    pub dedupe_window_days: u32,
    /// The most records that are folded, published and committed as one batch. More gives throughput after an outage,
    /// fewer a shorter repeat after a crash; a batch never waits to be full.
    pub batch_records: usize,
    /// The most bytes of landing records in one batch.
    pub batch_bytes: usize,
    /// The compacted topic that holds a copy of the state, from which a worker that has lost its disk, or takes over a
    /// partition, has it again instead of folding the landing log anew. Default: the landing topic's
    /// name and `.state`; an empty text is none. Only with Kafka.
    pub changelog_topic: Option<String>,
}

impl Default for MergeConfig {
    fn default() -> Self {
        // 8,000 records make the fsync of a commit, 5 to 8 ms, a tenth of a batch at 100,000 records a second.
        Self { dedupe_window_days: 90, batch_records: 8_000, batch_bytes: 16 << 20, changelog_topic: None }
    }
}

/// `[publish]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PublishConfig {
    /// Topics are `<topic_prefix>.<class name>`, such as `okta.ocsf.authentication`.
    pub topic_prefix: String,
    /// Folder of the NDJSON files, one for each topic, when there is no Kafka. `-` writes to standard output instead,
    /// where a crash can repeat records. Default: `output` in the data directory.
    pub directory: Option<PathBuf>,
    /// Keep the source text of each event in `raw_data`.
    pub raw_data: bool,
    /// Keep what no OCSF attribute took in `unmapped`.
    pub unmapped: bool,
    /// A CSV file of event types that override or extend the built-in ones; its columns are those of
    /// `schemas/event-types.csv`. `okta-ocsf explain` shows the effect.
    pub event_types: Option<PathBuf>,
    /// Check one record in this many against the OCSF schema before it is published; an invalid one goes to quarantine
    /// instead. 1 checks every record, 0 none. A check takes about as long as the mapping itself.
    pub validate_one_in: u32,
}

impl Default for PublishConfig {
    fn default() -> Self {
        Self {
            topic_prefix: "okta.ocsf".into(),
            directory: None,
            raw_data: true,
            unmapped: true,
            event_types: None,
            // A hundredth of the mapping's own cost: a mistake that touches one event in a thousand is found in the
            // first hundred thousand.
            validate_one_in: 100,
        }
    }
}

impl PublishConfig {
    /// The event-type table: the built-in one, or with the user's file before it.
    ///
    /// # Errors
    /// When the file cannot be read or used.
    pub fn event_types(&self) -> Result<Arc<EventTypes>, Fatal> {
        let Some(path) = &self.event_types else { return Ok(EventTypes::embedded()) };
        EventTypes::read(path).map_err(|error| {
            Fatal::new(ExitStatus::Config, format!("the event types in {} cannot be used", path.display()))
                .hint("schemas/README.md describes the columns; `okta-ocsf explain` shows what a type is mapped to")
                .because(error)
        })
    }
}

/// `[quarantine]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QuarantineConfig {
    /// Topic of what can never succeed: the bytes as received, with reason, attempts and source in headers. It holds
    /// personal data like the landing topic; protect it alike.
    pub topic: String,
    /// The worker stops (exit status 65) when this percentage of the last `window` inputs was bad: then the queue is
    /// probably the wrong one, and moving everything to quarantine would not help anyone.
    pub stop_percent: u8,
    /// How many of the latest inputs `stop_percent` looks at. It never stops before that many were seen.
    pub window: usize,
}

impl Default for QuarantineConfig {
    fn default() -> Self {
        Self { topic: "okta.quarantine".into(), stop_percent: 95, window: 500 }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// `[telemetry]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// Address of `/livez`, `/readyz` and `/metrics`. Port 0 takes a free one; an empty text opens none.
    pub listen: String,
    /// `auto`, `human` or `json`.
    pub log_format: LogFormat,
    /// What to log: `error`, `warn`, `info`, `debug`, or a tracing filter such as `info,librdkafka=debug`.
    pub log_level: String,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9464".into(), log_format: LogFormat::Auto, log_level: "info".into() }
    }
}
