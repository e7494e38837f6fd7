use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Secret;

/// `[kafka]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaConfig {
    /// Bootstrap servers, `host:port,host:port`.
    pub brokers: String,
    /// `client.id`, for the broker's logs and quotas. Default: `okta-ocsf`.
    pub client_id: Option<String>,
    /// How missing topics are made.
    pub topics: TopicsConfig,
    /// Encryption and authentication.
    pub security: SecurityConfig,
}

/// `[kafka.topics]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TopicsConfig {
    /// Create missing topics at the start. When off, a missing topic is an error that prints the command to create it.
    pub create: bool,
    /// Partitions of topics that are created. Output topics have as many as the landing topic, because a record stays
    /// in the partition with its number. One partition carries the largest org; have as many as you will ever have
    /// workers, as the number must not change later.
    pub partitions: i32,
    /// Replicas of topics that are created.
    pub replication_factor: i32,
    /// `min.insync.replicas` of topics that are created.
    pub min_insync_replicas: i32,
}

impl Default for TopicsConfig {
    fn default() -> Self {
        Self { create: true, partitions: 12, replication_factor: 3, min_insync_replicas: 2 }
    }
}

/// How the connection is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecurityProtocol {
    /// Neither encryption nor authentication: for a cluster on this machine only.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// Authentication without encryption: passwords travel in the clear.
    SaslPlaintext,
    /// TLS and authentication.
    SaslSsl,
}

impl SecurityProtocol {
    /// librdkafka's `security.protocol`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    /// Whether there is a SASL handshake.
    pub fn uses_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// How the client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SaslMechanism {
    /// User and password in the clear, inside TLS.
    #[serde(rename = "PLAIN")]
    Plain,
    /// RFC 7677.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// RFC 7677 with SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    /// RFC 7628: a bearer token from a file, or from a token endpoint.
    #[serde(rename = "OAUTHBEARER")]
    OauthBearer,
    /// Amazon MSK's IAM: a token signed with the worker's AWS credentials.
    #[serde(rename = "AWS_MSK_IAM")]
    AwsMskIam,
}

/// `[kafka.security]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecurityConfig {
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`.
    pub protocol: SecurityProtocol,
    /// PEM file with the authorities that may sign the broker's certificate. Default: those of the system.
    pub ca_file: Option<PathBuf>,
    /// PEM file with our certificate, where the broker asks for one.
    pub certificate_file: Option<PathBuf>,
    /// PEM file with the key of that certificate.
    pub key_file: Option<PathBuf>,
    /// Password of that key.
    pub key_password: Option<Secret>,
    /// `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`, `OAUTHBEARER` or `AWS_MSK_IAM`; needed with a `sasl_` protocol.
    pub mechanism: Option<SaslMechanism>,
    /// User for PLAIN and SCRAM.
    pub username: Option<String>,
    /// Password for PLAIN and SCRAM.
    pub password: Option<Secret>,
    /// Where the token of OAUTHBEARER comes from.
    pub oauth: OauthConfig,
}

/// `[kafka.security.oauth]`: either `token_file`, or `token_endpoint` with client id and secret.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OauthConfig {
    /// File with a token (JWT) that something else keeps fresh, such as a projected service account token.
    pub token_file: Option<PathBuf>,
    /// Token endpoint for the client credentials grant (RFC 6749, section 4.4). HTTPS only.
    pub token_endpoint: Option<String>,
    /// Client id for the token endpoint.
    pub client_id: Option<String>,
    /// Client secret for the token endpoint.
    pub client_secret: Option<Secret>,
    /// Scope to ask for.
    pub scope: Option<String>,
}
