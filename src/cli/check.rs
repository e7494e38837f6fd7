use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use rdkafka::consumer::Consumer;
use serde_json::json;

use super::{ConfigArgument, runtime};
use crate::config::{Config, OrgConfig, QueueConfig};
use crate::error::{Chain, ExitStatus};
use crate::ingest::sqs::SqsQueue;
use crate::kafka::{Cluster, QUESTION_TIMEOUT};
use crate::okta::api::{Client, Meter, Request, Seen};
use crate::okta::quota::Headers;
use crate::okta::share::share_of;
use crate::publish::Topics;

/// Ask every part of the outside world whether the worker could use it
///
/// Reads only: the queue, the event rule that feeds it, the org's API where one is configured, Kafka and its topics. Exit
/// status 1 when something is missing.
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf check --config worker.toml
  okta-ocsf check --json | jq '.[] | select(.ok | not)'")]
pub struct Check {
    #[command(flatten)]
    config: ConfigArgument,
    /// One JSON array instead of a table
    #[arg(long)]
    json: bool,
}

/// What one question gave.
struct Finding {
    what: String,
    ok: bool,
    detail: String,
}

impl Check {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        let config = self.config.load()?;
        let findings = runtime()?.block_on(findings(&config));
        if self.json {
            let rows = findings.iter().map(|f| json!({"check": f.what, "ok": f.ok, "detail": f.detail}));
            println!("{}", serde_json::Value::from_iter(rows));
        } else {
            print_table(&findings);
        }
        let fine = findings.iter().all(|finding| finding.ok);
        Ok(if fine { ExitStatus::Ok } else { ExitStatus::SomeFailed })
    }
}

fn print_table(findings: &[Finding]) {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["", "check", "detail"]);
    for finding in findings {
        table.add_row([if finding.ok { "ok" } else { "FAIL" }, &finding.what, &finding.detail]);
    }
    println!("{table}");
}

async fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = vec![fine("configuration", "valid")];
    let aws = crate::aws::settings(&config.aws).await;
    for queue in &config.queues {
        let what = format!("queue {}", queue.url.rsplit('/').next().unwrap_or_default());
        let arn = SqsQueue::new(&aws, queue).probe().await;
        findings.push(match &arn {
            Ok(arn) => fine(&what, arn),
            Err(error) => failed(&what, &Chain(error).to_string()),
        });
        if let Some(rule) = &queue.event_rule {
            findings.push(event_rule(&aws, rule, arn.ok().as_deref(), queue).await);
        }
    }
    for org in &config.orgs {
        findings.extend(org_api(org).await);
    }
    if config.kafka.is_some() {
        findings.extend(kafka(config, &aws).await);
    }
    findings
}

/// The rule must be enabled and lead to the queue; a disabled rule is silence that looks like a quiet night.
async fn event_rule(aws: &aws_config::SdkConfig, rule: &str, queue_arn: Option<&str>, queue: &QueueConfig) -> Finding {
    let what = format!("event rule {rule}");
    let Some((bus, name)) = rule.rsplit_once('/') else {
        return failed(&what, "queue.event_rule must be BUS/RULE");
    };
    let client = aws_sdk_eventbridge::Client::new(aws);
    let described = match client.describe_rule().event_bus_name(bus).name(name).send().await {
        Ok(described) => described,
        Err(error) => return failed(&what, &aws_sdk_eventbridge::error::DisplayErrorContext(error).to_string()),
    };
    let targets = match client.list_targets_by_rule().event_bus_name(bus).rule(name).send().await {
        Ok(targets) => targets,
        Err(error) => return failed(&what, &aws_sdk_eventbridge::error::DisplayErrorContext(error).to_string()),
    };
    let state = described.state().map_or("unknown", |state| state.as_str());
    if state != "ENABLED" {
        return failed(&what, &format!("the rule is {state}"));
    }
    let targeted = targets.targets().iter().any(|target| Some(target.arn()) == queue_arn);
    if targeted {
        fine(&what, "enabled, targets the queue")
    } else {
        failed(&what, &format!("does not target {}", queue.url))
    }
}

/// Whether the org lets us in and its System Log can be read: one call for one event. Then, how much of its API is ours.
async fn org_api(org: &OrgConfig) -> Vec<Finding> {
    let Some(api) = &org.api else { return Vec::new() };
    let what = format!("Okta API of {}", org.id);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let client = match Client::new(api, &["okta.logs.read", "okta.principalRateLimits.read"], now.as_secs()) {
        Ok(client) => client,
        Err(error) => return vec![failed(&what, &Chain(&error).to_string())],
    };
    let limit = SeenLimit::default();
    let request = Request::list("/api/v1/logs").query("limit", "1").id_key("uuid");
    if let Err(fault) = client.get(&request, &limit).await {
        return vec![failed(&what, &fault.to_string())];
    }
    let (share, why) = share_of(api, &org.quota, &client, &()).await;
    vec![
        fine(&what, &format!("{}: the System Log can be read{limit}", api.url)),
        fine(
            &format!("Okta quota of {}", org.id),
            &format!("{:.0} % of what its answers show may be used: {why}", share * 100.0),
        ),
    ]
}

/// Remembers what the last answer said about the rate limit.
#[derive(Default)]
struct SeenLimit(Mutex<Option<Headers>>);

impl Meter for SeenLimit {
    type Permit = ();

    async fn before(&self, _: &str) {}

    fn after(&self, (): (), seen: &Seen<'_>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seen.headers;
    }
}

impl fmt::Display for SeenLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match headers.and_then(|headers| headers.remaining.zip(headers.limit)) {
            Some((remaining, limit)) => write!(f, ", {remaining} of {limit} calls a minute left"),
            None => Ok(()),
        }
    }
}

async fn kafka(config: &Config, aws: &aws_config::SdkConfig) -> Vec<Finding> {
    let Some(kafka) = &config.kafka else { return Vec::new() };
    let what = format!("Kafka {}", kafka.brokers);
    let cluster = match Cluster::new(kafka, &config.landing.group, aws).await {
        Ok(cluster) => cluster,
        Err(error) => return vec![failed(&what, &Chain(&error).to_string())],
    };
    let topics = Topics::new(&config.publish.topic_prefix, &config.quarantine.topic);
    let names: Vec<_> = std::iter::once(config.landing.topic.as_str()).chain(topics.all()).map(str::to_owned).collect();
    let create = kafka.topics.create && !cluster.uses_tokens();
    let asked = tokio::task::spawn_blocking(move || ask_kafka(&cluster, &what, &names, create));
    asked.await.unwrap_or_else(|error| vec![failed("Kafka", &error.to_string())])
}

fn ask_kafka(cluster: &Cluster, what: &str, names: &[String], create: bool) -> Vec<Finding> {
    let reader = match cluster.reader("check") {
        Ok(reader) => reader,
        Err(error) => return vec![failed(what, &error.to_string())],
    };
    let metadata = match reader.fetch_metadata(None, QUESTION_TIMEOUT) {
        Ok(metadata) => metadata,
        Err(error) => {
            // Why there is no answer is told in a callback, and callbacks run only while somebody polls.
            let _ = reader.poll(Duration::from_millis(10));
            let reason = reader.context().trouble().map_or_else(|| error.to_string(), |(_, reason)| reason);
            return vec![failed(what, &reason)];
        }
    };
    let mut findings = vec![fine(what, &format!("{} broker(s)", metadata.brokers().len()))];
    let landing = names.first().and_then(|name| partitions(&metadata, name));
    for name in names {
        let what = format!("topic {name}");
        findings.push(match partitions(&metadata, name) {
            None if create => fine(&what, "missing; will be created"),
            None => failed(&what, "missing, and cannot be created (kafka.topics.create is off, or a token login)"),
            Some(count) if landing.is_some_and(|landing| count < landing) => {
                failed(&what, &format!("{count} partitions, fewer than the landing topic"))
            }
            Some(count) => fine(&what, &format!("{count} partitions")),
        });
    }
    findings
}

fn partitions(metadata: &rdkafka::metadata::Metadata, name: &str) -> Option<usize> {
    let topic = metadata.topics().iter().find(|topic| topic.name() == name)?;
    (topic.error().is_none() && !topic.partitions().is_empty()).then(|| topic.partitions().len())
}

fn fine(what: &str, detail: &str) -> Finding {
    Finding { what: what.into(), ok: true, detail: detail.into() }
}

fn failed(what: &str, detail: &str) -> Finding {
    Finding { what: what.into(), ok: false, detail: detail.into() }
}
