use schemars::JsonSchema;
use serde::Deserialize;

/// `[aws]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AwsConfig {
    /// Region of the queues. Default: `AWS_REGION`, the profile, or the instance.
    pub region: Option<String>,
    /// Another endpoint, such as that of a local stack. Default: `AWS_ENDPOINT_URL`, or AWS itself.
    pub endpoint_url: Option<String>,
    /// Profile of the AWS configuration files. Default: `AWS_PROFILE`.
    pub profile: Option<String>,
}

/// `[[queue]]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueueConfig {
    /// URL of the queue, as `aws sqs get-queue-url` prints it.
    pub url: String,
    /// Ids of the orgs whose events arrive here. A queue of one org may also carry events without an envelope.
    pub orgs: Vec<String>,
    /// Name of the event bus and rule that feed the queue, `BUS/RULE` where the rule is the part behind the last
    /// slash. Only used by `okta-ocsf check`, which then verifies that the rule is enabled and targets the queue.
    pub event_rule: Option<String>,
    /// Receives in flight at the same time. One yields about 10 messages a round trip: 2 carry some 500 messages a
    /// second against AWS.
    pub receivers: usize,
    /// Seconds that a receive waits for messages, 1 to 20. 20 is the cheapest; messages are never delayed by it.
    pub wait_seconds: u8,
    /// Seconds for which a received message is hidden from others, 2 to 43200. It is extended while the message is
    /// worked on, so this only decides how soon a message comes back after a crash.
    pub visibility_seconds: u32,
    /// The most messages that are received and not yet deleted. Receiving pauses at this number.
    pub max_in_flight: usize,
    /// The most bytes of such messages.
    pub max_in_flight_bytes: usize,
    /// Bodies larger than this are quarantined. Default: the largest that SQS can carry, 1 MiB.
    pub max_body_bytes: usize,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            orgs: Vec::new(),
            event_rule: None,
            receivers: 2,
            wait_seconds: 20,
            visibility_seconds: 60,
            // Far below the 120,000 that SQS allows, and at 2,000 messages a second one second of work.
            max_in_flight: 2_000,
            max_in_flight_bytes: 64 << 20,
            max_body_bytes: 1 << 20,
        }
    }
}
