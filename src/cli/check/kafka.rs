//! Kafka: the brokers, the topics, and our rights as far as they can be proven by reading.

use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use super::report::{Finding, State};
use crate::config::Config;
use crate::error::Chain;
use crate::kafka::{Cluster, Context, QUESTION_TIMEOUT};
use crate::publish::Topics;

/// How long to wait for a record that may not be there: a broker refuses a fetch at once.
const SILENCE: Duration = Duration::from_secs(2);

/// Nothing, where no cluster is configured.
pub async fn check(config: &Config, aws: &SdkConfig) -> Vec<Finding> {
    let Some(kafka) = &config.kafka else { return Vec::new() };
    let brokers = format!("brokers {}", kafka.brokers);
    let cluster = match Cluster::new(kafka, &config.landing.group, aws).await {
        Ok(cluster) => cluster,
        Err(error) => return vec![Finding::fail(brokers, Chain(&error).to_string())],
    };
    let topics = Topics::new(&config.publish.topic_prefix, &config.quarantine.topic);
    let questions = Questions {
        brokers,
        landing: config.landing.topic.clone(),
        outputs: topics.all().map(str::to_owned).chain(config.changelog_topic()).collect(),
        create: kafka.topics.create && !cluster.uses_tokens(),
    };
    let asked = tokio::task::spawn_blocking(move || questions.ask(&cluster));
    asked.await.unwrap_or_else(|error| vec![Finding::fail("Kafka", error.to_string())])
}

struct Questions {
    brokers: String,
    landing: String,
    outputs: Vec<String>,
    /// Missing topics will be created.
    create: bool,
}

impl Questions {
    fn ask(&self, cluster: &Cluster) -> Vec<Finding> {
        let reader = match cluster.reader("check") {
            Ok(reader) => reader,
            Err(error) => return vec![Finding::fail(&self.brokers, error.to_string())],
        };
        let metadata = match reader.fetch_metadata(None, QUESTION_TIMEOUT) {
            Ok(metadata) => metadata,
            Err(error) => return vec![Finding::fail(&self.brokers, trouble(&reader, &error))],
        };
        let mut findings = vec![Finding::ok(&self.brokers, format!("{} broker(s)", metadata.brokers().len()))];
        let landing = partitions(&reader, &self.landing);
        findings.push(self.topic(&self.landing, &landing, None));
        let count = landing.unwrap_or_default();
        findings.extend(self.outputs.iter().map(|name| self.topic(name, &partitions(&reader, name), count)));
        if let Some(count) = count {
            findings.push(read_of_landing(&reader, &self.landing, count));
            findings.push(read_of_group(&reader, cluster.group(), &self.landing));
        }
        findings.push(self.unproven());
        findings
    }

    /// Whether a topic is there, or will be, with partitions for all that the landing topic has.
    fn topic(&self, name: &str, found: &KafkaResult<Option<usize>>, needed: Option<usize>) -> Finding {
        let what = format!("topic {name}");
        match found {
            Err(error) if is(error, Code::TopicAuthorizationFailed) => {
                Finding::fail(what, "not allowed (TopicAuthorizationFailed): grant Describe, Read and Write on it")
            }
            Err(error) => Finding::fail(what, error.to_string()),
            Ok(None) if self.create => Finding::ok(what, "missing; will be created, if Create is granted"),
            Ok(None) => {
                Finding::fail(what, "missing, and cannot be created (kafka.topics.create is off, or a token login)")
            }
            Ok(Some(count)) if needed.is_some_and(|needed| *count < needed) => {
                Finding::fail(what, format!("{count} partitions, fewer than the landing topic"))
            }
            Ok(Some(count)) => Finding::ok(what, format!("{count} partitions")),
        }
    }

    /// What a check that leaves no trace cannot know.
    fn unproven(&self) -> Finding {
        let create = if self.create { ", Create where a topic is missing" } else { "" };
        let detail = format!(
            "not tried, as it would leave records: Write on {} and on the output topics{create}; nor is Read on the output topics",
            self.landing
        );
        Finding::new(State::Skip, "rights to write", detail)
    }
}

/// How many partitions a topic has, if there is one. Asked for by its name: a list of all topics leaves out those that
/// we may not see.
fn partitions(reader: &BaseConsumer<Context>, name: &str) -> KafkaResult<Option<usize>> {
    let metadata = reader.fetch_metadata(Some(name), QUESTION_TIMEOUT)?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    match topic.map(|topic| (topic.error().map(Code::from), topic.partitions().len())) {
        None | Some((Some(Code::UnknownTopicOrPartition | Code::UnknownTopic), _) | (None, 0)) => Ok(None),
        Some((Some(code), _)) => Err(KafkaError::MetadataFetch(code)),
        Some((None, count)) => Ok(Some(count)),
    }
}

/// Reads the newest record of the landing topic; without records, waits for a refusal.
fn read_of_landing(reader: &BaseConsumer<Context>, topic: &str, partitions: usize) -> Finding {
    let what = format!("Read on topic {topic}");
    match newest(reader, topic, partitions).and_then(|at| read_at(reader, topic, at)) {
        Ok(true) => Finding::ok(what, "its newest record was read"),
        Ok(false) => Finding::ok(what, "it is empty, and reading it was not refused"),
        Err(error) if is(&error, Code::TopicAuthorizationFailed) => {
            Finding::fail(what, "not allowed: grant Read on it")
        }
        Err(error) => Finding::fail(what, error.to_string()),
    }
}

/// Partition and offset of a record at the end of a partition, or of the end of the first one if all are empty.
fn newest(reader: &BaseConsumer<Context>, topic: &str, partitions: usize) -> KafkaResult<(i32, i64)> {
    let mut empty = (0, 0);
    for partition in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
        let (low, high) = reader.fetch_watermarks(topic, partition, QUESTION_TIMEOUT)?;
        if low < high {
            return Ok((partition, high - 1));
        }
        if partition == 0 {
            empty = (0, high);
        }
    }
    Ok(empty)
}

/// Whether there is a record at this place.
fn read_at(reader: &BaseConsumer<Context>, topic: &str, (partition, offset): (i32, i64)) -> KafkaResult<bool> {
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    reader.assign(&place)?;
    let end = Instant::now() + SILENCE;
    let mut found = Ok(false);
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        match reader.poll(left) {
            Some(Ok(_)) => found = Ok(true),
            // Of other errors the client recovers by itself.
            Some(Err(error)) if is(&error, Code::TopicAuthorizationFailed) => found = Err(error),
            _ => continue,
        }
        break;
    }
    reader.unassign()?;
    found
}

/// Asks for an offset of the group.
fn read_of_group(reader: &BaseConsumer<Context>, group: &str, topic: &str) -> Finding {
    let what = format!("Read on group {group}");
    let mut first = TopicPartitionList::new();
    first.add_partition(topic, 0);
    let answer = reader.committed_offsets(first, QUESTION_TIMEOUT);
    let offset = answer.and_then(|list| match list.find_partition(topic, 0) {
        Some(entry) => entry.error().map(|()| entry.offset()),
        None => Ok(Offset::Invalid),
    });
    match offset {
        Ok(Offset::Offset(_)) => Finding::ok(what, "its offsets can be read"),
        Ok(_) => Finding::ok(what, "its offsets can be read; it has none yet"),
        Err(error) if is(&error, Code::GroupAuthorizationFailed) => {
            Finding::fail(what, "not allowed: grant Read on it")
        }
        Err(error) => Finding::fail(what, error.to_string()),
    }
}

/// Why there is no answer. It is told in a callback, and callbacks run only while somebody polls.
fn trouble(reader: &BaseConsumer<Context>, error: &KafkaError) -> String {
    let _ = reader.poll(Duration::from_millis(10));
    reader.context().trouble().map_or_else(|| error.to_string(), |(_, reason)| reason)
}

fn is(error: &KafkaError, code: Code) -> bool {
    error.rdkafka_error_code() == Some(code)
}
