//! The configuration: one TOML file, overridden by environment variables.
//!
//! The doc comments of these types are the manual: `okta-ocsf config reference` prints them. Reading is in two steps:
//! [`load`](load::load) turns text into these types and rejects what it does not know; [`validate`](validate) then
//! says everything that is wrong at once.

mod aws;
mod enrichment;
mod kafka;
mod load;
mod log;
mod okta;
mod reference;
mod secret;
mod snapshot;
mod validate;
mod worker;

pub use aws::{AwsConfig, QueueConfig};
pub use enrichment::{EnrichmentConfig, PrivacyConfig};
pub use kafka::{KafkaConfig, OauthConfig, SaslMechanism, SecurityConfig, SecurityProtocol, TopicsConfig};
pub use load::{ConfigError, load};
pub use log::{LogConfig, LogMode};
pub(crate) use okta::is_loopback;
pub use okta::{ApiConfig, ApiKeyConfig, Dpop, KeyAlgorithm, QuotaConfig, Share};
pub use reference::{reference, schema};
pub use secret::Secret;
pub use snapshot::SnapshotConfig;
pub use worker::{
    LandingConfig, LandingKind, LogFormat, MergeConfig, OrgConfig, PublishConfig, QuarantineConfig, Role,
    TelemetryConfig, WorkerConfig,
};

use schemars::JsonSchema;
use serde::Deserialize;

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What this process does and where it keeps its files.
    pub worker: WorkerConfig,
    /// The Okta orgs; one `[[org]]` each. At least one is needed.
    #[serde(rename = "org")]
    pub orgs: Vec<OrgConfig>,
    /// The SQS queues to read; one `[[queue]]` each. Needed by the role `ingest`.
    #[serde(rename = "queue")]
    pub queues: Vec<QueueConfig>,
    /// How AWS is reached. What is not set here comes from the usual places (environment, profile, instance role).
    pub aws: AwsConfig,
    /// The Kafka cluster. Without this table the landing log is a local file and the output goes to NDJSON files.
    pub kafka: Option<KafkaConfig>,
    /// The log in which everything lands before anything is done with it.
    pub landing: LandingConfig,
    /// The fold over the landing log.
    pub merge: MergeConfig,
    /// The OCSF output.
    pub publish: PublishConfig,
    /// What the inventory adds to events.
    pub enrichment: EnrichmentConfig,
    /// Which personal values records have only as pseudonyms.
    pub privacy: PrivacyConfig,
    /// What happens to input that can never succeed.
    pub quarantine: QuarantineConfig,
    /// Logs, metrics and health.
    pub telemetry: TelemetryConfig,
}

impl Config {
    /// Whether this process has the role.
    pub fn has_role(&self, role: Role) -> bool {
        self.worker.roles.contains(&role)
    }

    /// The topic of the changelogs, after defaults, if there is one.
    pub fn changelog_topic(&self) -> Option<String> {
        self.kafka.as_ref()?;
        let default = || format!("{}.state", self.landing.topic);
        Some(self.merge.changelog_topic.clone().unwrap_or_else(default)).filter(|name| !name.is_empty())
    }

    /// Where the landing log lives, after defaults: Kafka if there is a cluster.
    pub fn landing_kind(&self) -> LandingKind {
        let default = if self.kafka.is_some() { LandingKind::Kafka } else { LandingKind::Local };
        self.landing.kind.unwrap_or(default)
    }
}
