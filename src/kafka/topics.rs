use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;
use tokio_util::sync::CancellationToken;

use super::client::Context;
use super::{Cluster, MAX_MESSAGE_BYTES, QUESTION_TIMEOUT};
use crate::config::TopicsConfig;
use crate::error::{ExitStatus, Fatal};
use crate::telemetry::Component;

/// Pause between two tries while the cluster does not answer.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// How long the creation of topics may take: a busy controller needs a second or two.
const CREATION_TIMEOUT: Duration = Duration::from_secs(6);

/// A topic that must exist.
#[derive(Debug, Clone)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// Its partitions if it is created, and how many it must have at least otherwise; `None` leaves it to the config.
    pub min_partitions: Option<i32>,
    /// Milliseconds that records are kept if the topic is created; `None` is the broker's default.
    pub retention_ms: Option<i64>,
    /// Whether only the newest record of each key is kept, if the topic is created.
    pub compacted: bool,
    /// Further settings of the topic, if it is created.
    pub settings: &'static [(&'static str, &'static str)],
}

/// Makes sure that the topics exist, waiting for a cluster that is down. Returns the partitions of each, in order;
/// `None` when `stop` was asked for first.
///
/// # Errors
/// When a topic is missing and cannot be created, has too few partitions, or we are not allowed to see it.
pub async fn ensure_topics(
    cluster: &Cluster,
    config: &TopicsConfig,
    topics: &[TopicSpec],
    health: &Component,
    stop: &CancellationToken,
) -> Result<Option<Vec<i32>>, Fatal> {
    let client = || {
        cluster.reader("admin").map(Arc::new).map_err(|error| {
            Fatal::new(ExitStatus::Config, "the Kafka client cannot start")
                .hint("check [kafka] and [kafka.security]")
                .because(error)
        })
    };
    let mut reader = client()?;
    let mut warned = false;
    loop {
        if reader.context().is_stranded() {
            reader = client()?;
        }
        let asked = tokio::select! {
            () = stop.cancelled() => return Ok(None),
            asked = describe(&reader, topics) => asked,
        };
        let pause = match asked {
            Ok(found) => {
                let missing = missing(cluster, config, topics, &found)?;
                if missing.is_empty() {
                    return Ok(Some(found.into_iter().flatten().collect()));
                }
                create(cluster, config, &missing).await?;
                RETRY_PAUSE / 10
            }
            Err(unanswered) => {
                refuse_if_hopeless(cluster, reader.context(), &unanswered)?;
                let trouble = reader.context().trouble().map_or(unanswered.what, |(_, reason)| reason);
                health.waiting(format!("Kafka at {} does not answer: {trouble}", cluster.brokers()));
                if !warned {
                    warned = true;
                    tracing::warn!(
                        brokers = cluster.brokers(),
                        reason = trouble,
                        "Kafka does not answer, trying again"
                    );
                }
                RETRY_PAUSE
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[derive(Debug)]
struct Unanswered {
    what: String,
    code: Code,
}

/// The partitions of each topic, `None` for one that does not exist.
async fn describe(reader: &Arc<BaseConsumer<Context>>, topics: &[TopicSpec]) -> Result<Vec<Option<i32>>, Unanswered> {
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let reader = Arc::clone(reader);
    let asked = tokio::task::spawn_blocking(move || {
        let each = names.iter().map(|name| partitions(&reader.fetch_metadata(Some(name), QUESTION_TIMEOUT), name));
        let answers = each.collect();
        // Why there is no answer is told in a callback, and callbacks run only while somebody polls.
        let _ = reader.poll(Duration::from_millis(10));
        answers
    });
    asked.await.unwrap_or_else(|error| Err(Unanswered { what: error.to_string(), code: Code::Unknown }))
}

fn partitions(answer: &Result<Metadata, KafkaError>, name: &str) -> Result<Option<i32>, Unanswered> {
    let metadata = answer.as_ref().map_err(|error| Unanswered {
        what: error.to_string(),
        code: error.rdkafka_error_code().unwrap_or(Code::Unknown),
    })?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    match topic.map(|topic| (topic.error().map(Code::from), topic.partitions().len())) {
        None | Some((Some(Code::UnknownTopicOrPartition | Code::UnknownTopic), _)) | Some((None, 0)) => Ok(None),
        Some((Some(code), _)) => Err(Unanswered { what: format!("topic {name}: {code}"), code }),
        Some((None, count)) => Ok(Some(i32::try_from(count).unwrap_or(i32::MAX))),
    }
}

/// Trouble that waiting cannot end.
fn refuse_if_hopeless(cluster: &Cluster, context: &Context, error: &Unanswered) -> Result<(), Fatal> {
    let denied = matches!(error.code, Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed);
    let trouble = context.trouble();
    let unauthenticated = trouble.as_ref().filter(|(code, _)| *code == Code::Authentication);
    if let Some((_, reason)) = unauthenticated {
        return Err(Fatal::new(
            ExitStatus::NoPermission,
            format!("Kafka at {} refuses our credentials: {reason}", cluster.brokers()),
        )
        .hint("check kafka.security: mechanism, username and password, or the token"));
    }
    if denied {
        return Err(Fatal::new(ExitStatus::NoPermission, format!("Kafka denies access: {}", error.what))
            .hint("grant this user Describe, Read and Write on the topic, and Read on the consumer group"));
    }
    Ok(())
}

fn missing<'t>(
    cluster: &Cluster,
    config: &TopicsConfig,
    topics: &'t [TopicSpec],
    found: &[Option<i32>],
) -> Result<Vec<&'t TopicSpec>, Fatal> {
    let mut missing = Vec::new();
    for (topic, partitions) in topics.iter().zip(found) {
        let wanted = topic.min_partitions.unwrap_or(config.partitions);
        match partitions {
            None if config.create && !cluster.uses_tokens() => missing.push(topic),
            None => {
                let why = if config.create {
                    "topics cannot be created with a token login"
                } else {
                    "kafka.topics.create is off"
                };
                let retention = topic.retention_ms.map_or(String::new(), |ms| format!(" --config retention.ms={ms}"));
                let cleanup = if topic.compacted { " --config cleanup.policy=compact" } else { "" };
                let settings: String =
                    topic.settings.iter().map(|(key, value)| format!(" --config {key}={value}")).collect();
                let command = format!(
                    "kafka-topics.sh --bootstrap-server {} --create --topic {} --partitions {wanted} \
                     --replication-factor {} --config min.insync.replicas={} --config max.message.bytes={MAX_MESSAGE_BYTES}{retention}{cleanup}{settings}",
                    cluster.brokers(),
                    topic.name,
                    config.replication_factor,
                    config.min_insync_replicas,
                );
                let what = format!("the topic {} does not exist, and {why}", topic.name);
                return Err(Fatal::new(ExitStatus::Unavailable, what).hint(format!("create it:\n  {command}")));
            }
            Some(partitions) if topic.min_partitions.is_some_and(|least| *partitions < least) => {
                let what = format!("the topic {} has {partitions} partitions, but needs {wanted}", topic.name);
                return Err(Fatal::new(ExitStatus::Unavailable, what).hint(format!(
                    "output topics need as many partitions as the landing topic:\n  \
                     kafka-topics.sh --bootstrap-server {} --alter --topic {} --partitions {wanted}",
                    cluster.brokers(),
                    topic.name
                )));
            }
            Some(_) => {}
        }
    }
    Ok(missing)
}

async fn create(cluster: &Cluster, config: &TopicsConfig, topics: &[&TopicSpec]) -> Result<(), Fatal> {
    let admin: AdminClient<Context> = cluster
        .config()
        .create_with_context(cluster.context("creation"))
        .map_err(|error| Fatal::new(ExitStatus::Config, "the Kafka client cannot start").because(error))?;
    let min_insync = config.min_insync_replicas.to_string();
    let max_bytes = MAX_MESSAGE_BYTES.to_string();
    let retention: Vec<_> = topics.iter().map(|topic| topic.retention_ms.map(|ms| ms.to_string())).collect();
    let wanted = topics.iter().zip(&retention).map(|(topic, retention)| {
        let new = NewTopic::new(
            &topic.name,
            topic.min_partitions.unwrap_or(config.partitions),
            TopicReplication::Fixed(config.replication_factor),
        )
        .set("min.insync.replicas", &min_insync)
        .set("max.message.bytes", &max_bytes);
        let new = if topic.compacted { new.set("cleanup.policy", "compact") } else { new };
        let new = match retention {
            Some(ms) => new.set("retention.ms", ms),
            None => new,
        };
        topic.settings.iter().fold(new, |new, (key, value)| new.set(key, value))
    });
    let wanted: Vec<_> = wanted.collect();
    let options = AdminOptions::new().operation_timeout(Some(QUESTION_TIMEOUT)).request_timeout(Some(CREATION_TIMEOUT));
    let results = match admin.create_topics(&wanted, &options).await {
        Ok(results) => results,
        Err(error) => {
            tracing::warn!(%error, "topics cannot be created, trying again");
            // The cluster went away, which asking again tells; or it knows no such request, as librdkafka's mock
            // cluster, and makes topics when a producer asks about them.
            for topic in topics {
                let _ = admin.inner().fetch_metadata(Some(&topic.name), CREATION_TIMEOUT);
            }
            return Ok(());
        }
    };
    for result in results {
        match result {
            Ok(name) => tracing::info!(topic = name, "topic created"),
            // Another worker was quicker.
            Err((_, Code::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                return Err(Fatal::new(ExitStatus::Unavailable, format!("the topic {name} cannot be created: {code}"))
                    .hint("create it by hand, or check kafka.topics.replication_factor and this user's rights"));
            }
        }
    }
    Ok(())
}
