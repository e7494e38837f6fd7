use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Org, Running, Worker, block_on, stack};

pub const ORG: &str = "acme";
pub const SOURCE: &str = "aws.partner/okta.com/acme/logs";

/// How long the stack's Kafka may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// One test's place: a queue, topic names, a folder, and the configuration that joins them.
pub struct Bench {
    pub name: String,
    pub queue_url: String,
    pub folder: PathBuf,
    sqs: aws_sdk_sqs::Client,
    /// Further TOML for the configuration.
    extra: String,
    kafka: Option<String>,
    endpoint: Option<String>,
}

impl Bench {
    /// A bench with a new queue, publishing to the stack's Kafka.
    pub fn new(name: &str) -> Self {
        Self::with_kafka(name, Some(stack("KAFKA_BROKERS")))
    }

    /// A bench without Kafka: a local log and NDJSON files.
    pub fn local(name: &str) -> Self {
        Self::with_kafka(name, None)
    }

    /// A bench on another Kafka.
    pub fn with_kafka(name: &str, kafka: Option<String>) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{name}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(&stack("STACK_DIR")).join("tests").join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let sqs = block_on(async { aws_sdk_sqs::Client::new(&aws_config::load_from_env().await) });
        let created = block_on(sqs.create_queue().queue_name(&name).send()).unwrap();
        Self { queue_url: created.queue_url.unwrap(), name, folder, sqs, extra: String::new(), kafka, endpoint: None }
    }

    /// A bench on a mock cluster of the test's own, which can be stopped. It has the topics, because a mock cluster
    /// cannot be asked to create any.
    pub fn mock(name: &str, cluster: &MockCluster<'_, DefaultProducerContext>) -> Self {
        let bench = Self::with_kafka(name, Some(cluster.bootstrap_servers()));
        for topic in ["landing", "landing.state", "quarantine", "ocsf.authentication", "ocsf.base_event"] {
            cluster.create_topic(&format!("{}.{topic}", bench.name), 3, 1).unwrap();
        }
        bench
    }

    /// Uses a queue that exists, such as the deployed one.
    pub fn on_queue(mut self, url: String) -> Self {
        self.queue_url = url;
        self
    }

    /// Reaches AWS by another endpoint.
    pub fn through(mut self, endpoint: &str) -> Self {
        self.endpoint = Some(endpoint.to_owned());
        self
    }

    /// Adds TOML tables to the configuration.
    pub fn extra(mut self, toml: &str) -> Self {
        self.extra.push_str(toml);
        self
    }

    /// The API of a simulated org is read as well; `more` are further tables of it.
    pub fn reads(self, org: &Org, more: &str) -> Self {
        let token = self.folder.join("token");
        std::fs::write(&token, "sim-token").unwrap();
        self.extra(&format!("[org.api]\nurl = {:?}\ntoken = {{ file = {token:?} }}\n{more}\n", org.url))
    }

    /// The configuration of a worker with a data directory of its own.
    pub fn config(&self, worker: &str) -> PathBuf {
        let path = self.folder.join(format!("{worker}.toml"));
        let data = self.folder.join(format!("{worker}-data"));
        let kafka = self.kafka.as_ref().map_or(String::new(), |brokers| {
            format!("[kafka]\nbrokers = {brokers:?}\n[kafka.topics]\npartitions = 3\nreplication_factor = 1\nmin_insync_replicas = 1\n")
        });
        let endpoint = self.endpoint.as_ref().map_or(String::new(), |url| format!("[aws]\nendpoint_url = {url:?}\n"));
        let (url, name) = (&self.queue_url, &self.name);
        let text = format!(
            "[worker]\ndata_dir = {data:?}\n[[org]]\nid = {ORG:?}\nevent_source = {SOURCE:?}\n\
             [[queue]]\nurl = {url:?}\norgs = [{ORG:?}]\nwait_seconds = 1\nvisibility_seconds = 6\n\
             [landing]\ntopic = \"{name}.landing\"\ngroup = {name:?}\n\
             [publish]\ntopic_prefix = \"{name}.ocsf\"\n[telemetry]\nlisten = \"127.0.0.1:0\"\nlog_format = \"json\"\n\
             {kafka}{endpoint}{}",
            self.quarantine_table(),
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    fn quarantine_table(&self) -> String {
        // A test that sets limits brings the whole table.
        let own = format!("[quarantine]\ntopic = \"{}.quarantine\"\n", self.name);
        if self.extra.contains("[quarantine]") {
            self.extra.replace("[quarantine]", own.trim_end())
        } else {
            own + &self.extra
        }
    }

    /// Starts a worker and waits until it is ready.
    pub fn worker(&self, name: &str) -> Worker {
        let worker = self.start(name, &[]);
        worker.until_ready();
        worker
    }

    /// Starts a worker with further environment variables.
    pub fn start(&self, name: &str, environment: &[(&str, &str)]) -> Worker {
        Worker::start(&self.config(name), &self.folder.join(format!("{name}.log")), environment)
    }

    /// Starts `okta-ocsf backfill --json` of the org, which may die where it is told to.
    pub fn backfill(&self, arguments: &[&str], dies_at: Option<&str>) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okta-ocsf"));
        command.args(["backfill", "--json", "--org", ORG]).args(arguments);
        command.arg("--config").arg(self.config("backfill")).envs(dies_at.map(|point| ("OKTA_OCSF_CRASH_AT", point)));
        Running::start(command)
    }

    /// What `okta-ocsf status --json` says of the org, beside the worker of that name.
    pub fn status(&self, worker: &str, arguments: &[&str]) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okta-ocsf"));
        command.args(["status", "--json", "--org", ORG]).args(arguments).arg("--config").arg(self.config(worker));
        let output = command.output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        said["orgs"][0].clone()
    }

    /// Puts bodies on the queue, ten a call.
    pub fn send(&self, bodies: &[String]) {
        for batch in bodies.chunks(10) {
            let entries = batch.iter().enumerate().map(|(index, body)| {
                SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(body).build().unwrap()
            });
            let sent = self.sqs.send_message_batch().queue_url(&self.queue_url).set_entries(Some(entries.collect()));
            let sent = block_on(sent.send()).unwrap();
            assert!(sent.failed.is_empty(), "{:?}", sent.failed);
        }
    }

    /// Messages waiting, and messages somebody holds.
    pub fn queue_depth(&self) -> (u64, u64) {
        let asked = self.sqs.get_queue_attributes().queue_url(&self.queue_url).attribute_names(QueueAttributeName::All);
        let attributes = block_on(asked.send()).unwrap().attributes.unwrap();
        let number = |name: QueueAttributeName| attributes.get(&name).and_then(|text| text.parse().ok()).unwrap_or(0);
        (
            number(QueueAttributeName::ApproximateNumberOfMessages),
            number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        )
    }

    /// Waits until the queue holds nothing at all.
    pub fn until_drained(&self) {
        super::until("the queue is empty", || (self.queue_depth() == (0, 0)).then_some(()));
    }

    /// Everything in the topics now, as `okta-ocsf tail --envelope` gives it.
    pub fn tail(&self, topics: &[&str]) -> Vec<Value> {
        self.try_tail(topics).unwrap_or_else(|said| panic!("tail: {said}"))
    }

    /// As [`Bench::tail`], or what it said when it failed.
    fn try_tail(&self, topics: &[&str]) -> Result<Vec<Value>, String> {
        let output = Command::new(env!("CARGO_BIN_EXE_okta-ocsf"))
            .arg("tail")
            .args(topics)
            .args(["--from-start", "--until-end", "--envelope", "--config"])
            .arg(self.config("tail"))
            .output()
            .unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.map(|line| serde_json::from_slice(line).unwrap()).collect())
    }

    /// The uuids of all sign-ins in the output file of the worker named `worker`.
    pub fn in_files(&self) -> Vec<String> {
        let path = self.folder.join(format!("worker-data/output/{}.ocsf.authentication.ndjson", self.name));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        // While the worker writes, the last line may be incomplete.
        let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records.map(|record| record["metadata"]["original_event_uid"].as_str().unwrap().to_owned()).collect()
    }

    /// The uuids of the published records of all events and how often each is there.
    pub fn published(&self) -> BTreeMap<String, usize> {
        by_uuid(&self.tail(&[]))
    }

    /// Looks at the landing topic as the worker's consumer group does.
    fn group(&self) -> BaseConsumer {
        let mut config = rdkafka::ClientConfig::new();
        config.set("bootstrap.servers", stack("KAFKA_BROKERS")).set("group.id", &self.name).create().unwrap()
    }

    /// The offsets that the worker's consumer group has committed, by partition; 0 where there is none.
    fn committed_by(&self, group: &BaseConsumer) -> Vec<i64> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&format!("{}.landing", self.name), 0, 2);
        let committed = group.committed_offsets(list, PATIENCE).unwrap();
        committed.elements().into_iter().map(|entry| entry.offset().to_raw().unwrap_or(0).max(0)).collect()
    }

    /// The offset that the worker's consumer group has committed, in the partition of the org.
    pub fn committed(&self) -> i64 {
        self.committed_by(&self.group()).into_iter().max().unwrap()
    }

    /// Waits until the group's offsets say that all that has landed is published.
    pub fn until_told(&self) {
        let (group, topic) = (self.group(), format!("{}.landing", self.name));
        super::until("the group's offsets are at the end of the log", || {
            let ends = (0..3).map(|partition| group.fetch_watermarks(&topic, partition, PATIENCE).unwrap().1);
            ends.zip(self.committed_by(&group)).all(|(end, committed)| committed >= end).then_some(())
        });
    }

    /// Waits until every uuid is published and whatever came twice has been looked at, then asserts that each is there
    /// once and nothing else is.
    pub fn assert_published_once(&self, wanted: &BTreeSet<String>) {
        super::until("every event is published", || {
            // While a broker comes back, not everything that is asked of it is answered.
            let found = self.try_tail(&[]).map(|records| by_uuid(&records));
            let found = found.inspect_err(|said| eprintln!("tail: {said}")).ok()?;
            wanted.iter().all(|uuid| found.contains_key(uuid)).then_some(())
        });
        self.until_drained();
        let found = self.published();
        let doubled: Vec<_> = found.iter().filter(|(_, count)| **count > 1).collect();
        assert!(doubled.is_empty(), "published more than once: {doubled:?}");
        let unknown: Vec<_> = found.keys().filter(|uuid| !wanted.contains(*uuid)).collect();
        assert!(unknown.is_empty(), "published but never sent: {unknown:?}");
    }
}

/// Asserts with a strict OCSF validator that every record is valid, where one is at hand: `OCSF_VALIDATE`, or beside the
/// checkout. It reads JSON lines and ends with 0 when all are valid.
pub fn assert_valid_ocsf(records: &[Value]) {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tools/ocsf-validate");
    let validator = std::env::var_os("OCSF_VALIDATE").map_or(beside, PathBuf::from);
    if !validator.exists() {
        eprintln!("no OCSF validator at {}: not validated", validator.display());
        return;
    }
    let schema = validator.with_file_name("../data/ocsf/ocsf-1.8.0.json");
    let mut command = Command::new(&validator);
    if schema.exists() {
        command.arg("--schema").arg(schema);
    }
    let lines: Vec<u8> = records.iter().flat_map(|record| format!("{}\n", record["value"]).into_bytes()).collect();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&lines));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A small sign-in event.
pub fn event(uuid: Uuid) -> Value {
    json!({
        "uuid": uuid.to_string(), "published": "2026-05-04T10:20:30.123Z", "eventType": "user.session.start",
        "severity": "INFO", "actor": {"id": "00u1", "type": "User", "alternateId": "ada@example.com"},
        "outcome": {"result": "SUCCESS"}, "client": {"ipAddress": "192.0.2.7"},
    })
}

/// An event in the envelope that EventBridge would put around it.
pub fn org_event(source: &str, detail: &Value) -> String {
    json!({"version": "0", "id": Uuid::new_v4().to_string(), "detail-type": "SystemLog", "source": source, "detail": detail})
        .to_string()
}

/// So many enveloped events of the org, with their uuids.
pub fn events(count: usize) -> (Vec<String>, BTreeSet<String>) {
    let uuids: Vec<Uuid> = (0..count).map(|_| Uuid::new_v4()).collect();
    let bodies = uuids.iter().map(|uuid| org_event(SOURCE, &event(*uuid))).collect();
    (bodies, uuids.iter().map(Uuid::to_string).collect())
}

fn by_uuid(records: &[Value]) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for uuid in records.iter().filter_map(|record| record["value"]["metadata"]["original_event_uid"].as_str()) {
        *found.entry(uuid.to_owned()).or_default() += 1;
    }
    found
}
