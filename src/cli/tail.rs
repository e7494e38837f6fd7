use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use super::{ConfigArgument, is_broken_pipe, runtime};
use crate::config::{Config, KafkaConfig};
use crate::error::{ExitStatus, Fatal};
use crate::kafka::{Cluster, Context, QUESTION_TIMEOUT, watermarks};
use crate::publish::Topics;

/// A leader that moves, or a broker that was away, answers again after a few tries: a broker that lost its session takes up
/// to 20 s to lead its partitions again, here with half as much on top.
const LEADER_PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(500);

/// Print records of a topic as JSON lines
///
/// TOPIC is a class name such as authentication, a whole topic name, `landing` or `quarantine`. Follows the topic until
/// interrupted, unless --until-end is given. Reads without a consumer group, so it disturbs nobody.
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf tail authentication | jq '{time, user: .user.name, status}'
  okta-ocsf tail quarantine --from-start --until-end --envelope")]
pub struct Tail {
    /// What to read; all output topics if absent
    topic: Vec<String>,
    #[command(flatten)]
    config: ConfigArgument,
    /// Start with the oldest record instead of the next one
    #[arg(long)]
    from_start: bool,
    /// Stop where the topics end now
    #[arg(long)]
    until_end: bool,
    /// Wrap each record with its topic, partition, offset, time, key and headers
    #[arg(long)]
    envelope: bool,
}

impl Tail {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        let config = self.config.load()?;
        let Some(kafka) = &config.kafka else {
            return Err(Fatal::new(ExitStatus::Config, "there is no [kafka] table, so there are no topics")
                .hint(format!("look at the files: tail -f {}/output/*.ndjson", config.worker.data_dir.display()))
                .into());
        };
        let runtime = runtime()?;
        let aws = runtime.block_on(crate::aws::settings(&config.aws));
        let cluster = runtime.block_on(Cluster::new(kafka, &config.landing.group, &aws))?;
        let consumer = cluster.reader("tail").context("the Kafka client cannot start")?;
        let ends = self.assign(&consumer, &self.topics(&config), kafka)?;
        match self.print(&consumer, ends) {
            // Whoever read us has seen enough, as `head` does.
            Err(error) if is_broken_pipe(&error) => Ok(ExitStatus::Ok),
            printed => printed.map(|()| ExitStatus::Ok),
        }
    }

    fn topics(&self, config: &Config) -> Vec<String> {
        let topics = Topics::new(&config.publish.topic_prefix, &config.quarantine.topic);
        if self.topic.is_empty() {
            return topics.all().filter(|name| *name != topics.quarantine()).map(str::to_owned).collect();
        }
        let named = self.topic.iter().map(|name| {
            let class = format!("{}.{name}", config.publish.topic_prefix);
            match name.as_str() {
                "landing" => config.landing.topic.clone(),
                "quarantine" => config.quarantine.topic.clone(),
                _ if topics.all().any(|topic| topic == class) => class,
                _ => name.clone(),
            }
        });
        named.collect()
    }

    /// Assigns every partition; gives those with records left to print when `--until-end` is given.
    fn assign(
        &self,
        consumer: &BaseConsumer<Context>,
        topics: &[String],
        kafka: &KafkaConfig,
    ) -> anyhow::Result<Vec<(String, i32, i64)>> {
        let mut list = TopicPartitionList::new();
        let mut ends = Vec::new();
        for topic in topics {
            let metadata = patiently(QUESTION_TIMEOUT, || {
                // One that was away breaks off its first connections, so a question may end before its time.
                consumer.fetch_metadata(Some(topic), QUESTION_TIMEOUT)
            })
            .map_err(|error| {
                Fatal::new(ExitStatus::Unavailable, format!("Kafka at {} does not answer", kafka.brokers))
                    .because(error)
            })?;
            let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
            if partitions == 0 {
                return Err(Fatal::new(ExitStatus::Unavailable, format!("there is no topic {topic}"))
                    .hint("name a class such as authentication, a whole topic, landing or quarantine")
                    .into());
            }
            for partition in 0..i32::try_from(partitions)? {
                let (low, high) = patiently(LEADER_PATIENCE, || watermarks(consumer, topic, partition))?;
                let start = if self.from_start { low } else { high };
                list.add_partition_offset(topic, partition, Offset::Offset(start))?;
                if start < high {
                    ends.push((topic.clone(), partition, high));
                }
            }
        }
        consumer.assign(&list)?;
        Ok(ends)
    }

    fn print(&self, consumer: &BaseConsumer<Context>, mut ends: Vec<(String, i32, i64)>) -> anyhow::Result<()> {
        let mut output = std::io::BufWriter::new(std::io::stdout().lock());
        let mut last_flush = Instant::now();
        while !(self.until_end && ends.is_empty()) {
            let message = consumer.poll(Duration::from_millis(100));
            if message.is_none() || last_flush.elapsed() > Duration::from_millis(200) {
                output.flush()?;
                last_flush = Instant::now();
            }
            let message = match message {
                None if consumer.context().is_stranded() => {
                    return Err(Fatal::new(ExitStatus::Unavailable, "the Kafka client lost every broker")
                        .hint("run it again; a new client finds them")
                        .into());
                }
                None => continue,
                Some(Ok(message)) => message,
                Some(Err(error)) if is_final(&error) => return Err(error).context("a topic cannot be read"),
                // A broker that is away comes back.
                Some(Err(_)) => continue,
            };
            let value = message.payload();
            if self.envelope {
                serde_json::to_writer(&mut output, &envelope(&message)).map_err(std::io::Error::from)?;
            } else {
                output.write_all(value.unwrap_or_default())?;
            }
            // A tombstone has no value, and so no line of its own.
            if self.envelope || value.is_some() {
                output.write_all(b"\n")?;
            }
            let next = message.offset() + 1;
            ends.retain(|(topic, partition, end)| {
                !(topic == message.topic() && *partition == message.partition() && next >= *end)
            });
        }
        output.flush()?;
        Ok(())
    }
}

fn is_final(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode as Code;
    let code = error.rdkafka_error_code();
    matches!(
        code,
        Some(
            Code::TopicAuthorizationFailed
                | Code::UnknownTopic
                | Code::UnknownTopicOrPartition
                | Code::Authentication
                | Code::Fatal
        )
    )
}

/// Asks until there is an answer, or for so long.
fn patiently<T>(patience: Duration, mut question: impl FnMut() -> KafkaResult<T>) -> KafkaResult<T> {
    let begin = Instant::now();
    loop {
        let answer = question();
        if answer.is_ok() || begin.elapsed() + PAUSE >= patience {
            return answer;
        }
        std::thread::sleep(PAUSE);
    }
}

fn envelope(message: &impl Message) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    let headers: serde_json::Map<String, Value> =
        headers.map(|header| (header.key.to_owned(), header.value.map(text).into())).collect();
    let value = message.payload().map_or(Value::Null, |payload| {
        serde_json::from_slice(payload).unwrap_or_else(|_| Value::String(text(payload)))
    });
    json!({
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp().to_millis(),
        "key": message.key().map(text),
        "headers": headers,
        "value": value,
    })
}

#[cfg(test)]
mod tests {
    use rdkafka::types::RDKafkaErrorCode::{BrokerTransportFailure, OperationTimedOut};

    use super::*;

    #[test]
    fn a_question_that_a_broker_breaks_off_is_asked_again() {
        let mut asked = 0;
        let answer = patiently(PAUSE * 10, || {
            asked += 1;
            if asked == 3 { Ok(asked) } else { Err(KafkaError::MetadataFetch(BrokerTransportFailure)) }
        });
        assert_eq!(answer.unwrap(), 3);
    }

    #[test]
    fn a_question_that_took_all_of_its_time_is_asked_once() {
        let mut asked = 0;
        let answer: KafkaResult<()> = patiently(PAUSE, || {
            asked += 1;
            Err(KafkaError::MetadataFetch(OperationTimedOut))
        });
        assert!(answer.is_err() && asked == 1, "{asked}");
    }
}
