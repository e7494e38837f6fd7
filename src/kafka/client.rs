use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;

use super::token::TokenSource;
use super::{FETCH_QUEUE_BACKOFF_MS, security};
use crate::config::KafkaConfig;
use crate::error::Fatal;
use crate::telemetry::metrics;

/// How often librdkafka reports its statistics, ms; Prometheus rarely scrapes more often than every 15 s.
const STATISTICS_INTERVAL_MS: &str = "5000";

/// Statistics in a row that name no broker before a client counts as stranded. Starting over from the bootstrap servers,
/// which a healthy client does then, takes milliseconds, and a single report may fall into them.
const STRANDED_REPORTS: u32 = 2;

/// One Kafka cluster as the configuration describes it; makes clients.
#[derive(Clone)]
pub struct Cluster {
    config: ClientConfig,
    tokens: Option<TokenSource>,
    brokers: String,
    group: String,
}

impl Cluster {
    /// Prepares the connection; fetches the first token where the mechanism needs one. `group` is the one consumer
    /// group that this user may need rights on.
    ///
    /// # Errors
    /// When the security settings cannot work or the token cannot be had.
    pub async fn new(config: &KafkaConfig, group: &str, aws: &aws_config::SdkConfig) -> Result<Self, Fatal> {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &config.brokers)
            .set("client.id", config.client_id.as_deref().unwrap_or("okta-ocsf"))
            .set("statistics.interval.ms", STATISTICS_INTERVAL_MS)
            // Quick enough to notice a broker that is back, slow enough not to hammer one that is down.
            .set("reconnect.backoff.max.ms", "2000")
            .set("socket.keepalive.enable", "true");
        security::apply(&config.security, &mut client);
        let tokens = TokenSource::start(&config.security, aws).await?;
        Ok(Self { config: client, tokens, brokers: config.brokers.clone(), group: group.to_owned() })
    }

    /// A cluster with nothing but an address.
    #[cfg(test)]
    pub(crate) async fn of(brokers: String) -> Self {
        let config = KafkaConfig { brokers, ..KafkaConfig::default() };
        Self::new(&config, "group", &aws_config::SdkConfig::builder().build()).await.unwrap()
    }

    /// The consumer group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Whether we log in with tokens. rust-rdkafka's admin client cannot (its issue 757), so it creates no topics then.
    pub fn uses_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// A client to ask questions with and to read partitions by hand; it never joins the group or commits.
    ///
    /// # Errors
    /// When librdkafka rejects the settings.
    pub fn reader(&self, name: &'static str) -> KafkaResult<BaseConsumer<Context>> {
        self.reader_with(name, &[])
    }

    /// As [`Cluster::reader`], with further settings.
    pub(super) fn reader_with(
        &self,
        name: &'static str,
        settings: &[(&str, &str)],
    ) -> KafkaResult<BaseConsumer<Context>> {
        let mut config = self.config();
        for (key, value) in settings {
            config.set(*key, *value);
        }
        let reader: BaseConsumer<Context> = config
            // The API demands a group; naming ours asks for no further rights.
            .set("group.id", &self.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.queue.backoff.ms", FETCH_QUEUE_BACKOFF_MS)
            .create_with_context(self.context(name))?;
        if self.uses_tokens() {
            // The token is handed over in a callback, and callbacks run only while somebody polls.
            let _ = reader.poll(Duration::from_millis(200));
        }
        Ok(reader)
    }

    /// How many members our group has.
    ///
    /// # Errors
    /// When the cluster does not say.
    pub fn members(&self) -> KafkaResult<usize> {
        let groups = self
            .reader("members")
            .and_then(|reader| reader.fetch_group_list(Some(&self.group), super::QUESTION_TIMEOUT));
        groups.map(|groups| groups.groups().iter().map(|group| group.members().len()).sum())
    }

    /// The bootstrap servers, for messages.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Settings to build a client from.
    pub fn config(&self) -> ClientConfig {
        self.config.clone()
    }

    /// Callbacks of a client; `name` tells its statistics apart.
    pub fn context(&self, name: &'static str) -> Context {
        Context { name, tokens: self.tokens.clone(), trouble: Arc::default(), without_broker: Arc::default() }
    }
}

/// What librdkafka calls back for any client.
#[derive(Clone)]
pub struct Context {
    name: &'static str,
    tokens: Option<TokenSource>,
    trouble: Arc<Mutex<Option<(RDKafkaErrorCode, String)>>>,
    /// Statistics in a row that named no broker.
    without_broker: Arc<AtomicU32>,
}

impl Context {
    /// The newest connection trouble that was reported, if any.
    pub fn trouble(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the client knows no broker any more, and so never will: only a new client helps.
    ///
    /// librdkafka forgets the brokers that an answer of the cluster does not name. When it names none, as while a broker
    /// that stood still is let in again, librdkafka starts over from the bootstrap servers; but the same answer may
    /// cancel that, and then it waits for itself (its issue 5301, open in 2.12 and 2.13). It reports no error.
    pub fn is_stranded(&self) -> bool {
        self.without_broker.load(Ordering::Relaxed) >= STRANDED_REPORTS
    }

    /// Makes it one of a stranded client, until the next statistics.
    #[cfg(test)]
    pub(crate) fn strand(&self) {
        (0..STRANDED_REPORTS).for_each(|_| self.note_brokers(0));
    }

    /// Notes how many brokers it knew when it reported its statistics.
    fn note_brokers(&self, count: usize) {
        let next = |reports: u32| Some(if count == 0 { reports.saturating_add(1) } else { 0 });
        let _ = self.without_broker.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }
}

/// Brokers that it was given or learned of. Logical ones, such as the group's coordinator, are only names for these.
fn known_brokers(statistics: &Statistics) -> usize {
    statistics.brokers.values().filter(|broker| matches!(broker.source.as_str(), "configured" | "learned")).count()
}

impl rdkafka::consumer::ConsumerContext for Context {}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            // Even librdkafka's emergencies are retried by it; what ends us is reported through errors.
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(target: "librdkafka", client = self.name, facility, "{message}");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
                tracing::info!(target: "librdkafka", client = self.name, facility, "{message}");
            }
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "librdkafka", client = self.name, facility, "{message}");
            }
        }
    }

    fn stats(&self, statistics: Statistics) {
        metrics::kafka_statistics(self.name, &statistics);
        self.note_brokers(known_brokers(&statistics));
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some((code, reason.to_owned()));
        tracing::debug!(target: "librdkafka", client = self.name, %error, reason, "kafka trouble");
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        match &self.tokens {
            Some(tokens) => Ok(tokens.current()),
            None => Err("no token source is configured".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::kafka::QUESTION_TIMEOUT;
    use crate::kafka::lone_broker::{LoneBroker, brokers_told};

    #[tokio::test]
    async fn a_client_that_was_told_of_no_broker_is_stranded_and_a_new_one_is_not() {
        let broker = LoneBroker::start();
        let cluster = Cluster::of(broker.address()).await;
        let reader = cluster.reader("reader").unwrap();
        assert_eq!(brokers_told(reader.client()), 1);
        // Whoever asks first, this or librdkafka by itself, has the answer that strands it.
        broker.while_fenced(|| drop(reader.fetch_metadata(None, QUESTION_TIMEOUT)));
        let until = Instant::now() + Duration::from_secs(60);
        while !reader.context().is_stranded() {
            assert!(Instant::now() < until, "librdkafka finds back by itself now: nothing must be renewed any more");
            let _ = reader.poll(Duration::from_millis(100));
        }
        assert!(reader.fetch_metadata(None, Duration::from_secs(1)).is_err());
        let new = cluster.reader("reader").unwrap();
        assert_eq!(brokers_told(new.client()), 1);
        assert!(!new.context().is_stranded());
    }

    #[tokio::test]
    async fn one_look_without_a_broker_strands_nobody() {
        let context = Cluster::of("nowhere:1".into()).await.context("client");
        for (brokers, is_stranded) in [(0, false), (1, false), (0, false), (0, true), (2, false)] {
            context.note_brokers(brokers);
            assert_eq!(context.is_stranded(), is_stranded);
        }
    }
}
