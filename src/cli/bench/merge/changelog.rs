//! Where the changelog of a run stands: in a file, or in a topic as that of a worker.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::ack::{Ack, NotDelivered};
use crate::config::{KafkaConfig, TopicsConfig};
use crate::error::{ExitStatus, Fatal};
use crate::kafka::{Cluster, Place, Producer, QUESTION_TIMEOUT, TopicSpec, ensure_topics};
use crate::merge::changelog::{Logged, Record};
use crate::telemetry::Health;
use crate::worker::changelog::{ChangelogError, ChangelogTopic, Log, LogReader};

/// The length that stands for no value, and the claim that stands for none.
const NONE: u32 = u32::MAX;
const NO_CLAIM: u64 = u64::MAX;

/// How long a broker may be silent: for one question. A worker waits for it to come back, a person mistook the port.
const PATIENCE: Duration = QUESTION_TIMEOUT.saturating_add(Duration::from_secs(1));

/// A topic of one partition and one replica, made if there is none, that is removed by nobody: it is for a broker that is
/// thrown away.
pub async fn topic(brokers: &str, name: &str) -> anyhow::Result<ChangelogTopic> {
    let topics =
        TopicsConfig { partitions: 1, replication_factor: 1, min_insync_replicas: 1, ..TopicsConfig::default() };
    let config = KafkaConfig { brokers: brokers.to_owned(), topics, ..KafkaConfig::default() };
    let aws = aws_config::SdkConfig::builder().build();
    let cluster = Cluster::new(&config, "okta-ocsf-bench", &aws).await?;
    let name = name.to_owned();
    let topic =
        TopicSpec { name: name.clone(), min_partitions: None, retention_ms: None, compacted: true, settings: &[] };
    let (health, stop) = (Health::default().component("kafka"), CancellationToken::new());
    let topics = [topic];
    let made = ensure_topics(&cluster, &config.topics, &topics, &health, &stop);
    tokio::time::timeout(PATIENCE, made).await.map_err(|_| {
        Fatal::new(ExitStatus::Unavailable, format!("Kafka at {brokers} does not answer"))
            .hint("check --kafka, and that its listener speaks plaintext")
    })??;
    let producer = Producer::start(&cluster)?;
    Ok(ChangelogTopic { cluster, producer, name })
}

/// A file of records, one behind the other.
pub struct FileLog {
    path: PathBuf,
    end: Mutex<End>,
}

struct End {
    file: BufWriter<File>,
    /// How many records there are.
    records: u64,
}

impl FileLog {
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create_new(path).with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Self::ending(path, file, 0))
    }

    /// One that was created before, to be read and written on.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("{} cannot be read", path.display());
        let file = File::options().read(true).append(true).open(path).with_context(cannot)?;
        let records = count(&file).with_context(cannot)?;
        Ok(Self::ending(path, file, records))
    }

    fn ending(path: &Path, file: File, records: u64) -> Self {
        let end = End { file: BufWriter::with_capacity(1 << 20, file), records };
        Self { path: path.to_owned(), end: Mutex::new(end) }
    }
}

/// How many records there are in a file, whose lengths are read from one to the next.
fn count(file: &File) -> io::Result<u64> {
    let (mut file, mut lengths, mut records) = (BufReader::with_capacity(1 << 20, file), [[0; 4]; 2], 0);
    while !file.fill_buf()?.is_empty() {
        file.read_exact(lengths.as_flattened_mut())?;
        let [of_key, of_value] = lengths.map(u32::from_le_bytes);
        let of_value = if of_value == NONE { 0 } else { of_value };
        file.seek_relative(size_of::<u64>() as i64 + i64::from(of_key) + i64::from(of_value))?;
        records += 1;
    }
    Ok(records)
}

impl End {
    /// Lengths of key and value, the claim, key and value.
    fn write(&mut self, record: &Record, claim: Option<u64>) -> io::Result<()> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(NONE).to_le_bytes();
        self.file.write_all(&length(&record.key))?;
        self.file.write_all(&record.value.as_deref().map_or(NONE.to_le_bytes(), length))?;
        self.file.write_all(&claim.unwrap_or(NO_CLAIM).to_le_bytes())?;
        self.file.write_all(&record.key)?;
        self.file.write_all(record.value.as_deref().unwrap_or_default())?;
        self.records += 1;
        Ok(())
    }
}

impl Log for FileLog {
    fn reader(&self) -> Result<Box<dyn LogReader>, ChangelogError> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.file.flush().map_err(unanswered)?;
        Ok(Box::new(FileReader(self.path.clone())))
    }

    fn send(&self, record: &Record, claim: Option<u64>, ack: Ack, place: Option<&Place>) -> Result<(), Ack> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = place {
            place.set(end.records.cast_signed());
        }
        let refused = |error: io::Error| NotDelivered::Impossible { what: error.to_string(), status: ExitStatus::Io };
        ack.redeem(end.write(record, claim).map_err(refused));
        Ok(())
    }
}

struct FileReader(PathBuf);

impl LogReader for FileReader {
    fn low(&self) -> Result<u64, ChangelogError> {
        Ok(0)
    }

    fn read(
        &self,
        range: Range<u64>,
        _: &dyn Fn() -> bool,
        each: &mut dyn FnMut(&Logged<'_>) -> Result<(), ChangelogError>,
    ) -> Result<(), ChangelogError> {
        let file = File::open(&self.0).map_err(unanswered)?;
        let mut file = BufReader::with_capacity(1 << 20, file);
        let (mut lengths, mut of_claim, mut key, mut value) = ([[0; 4]; 2], [0; 8], Vec::new(), Vec::new());
        for offset in 0..range.end {
            let mut fill = |bytes: &mut [u8]| file.read_exact(bytes).map_err(unanswered);
            fill(lengths.as_flattened_mut())?;
            fill(&mut of_claim)?;
            let [of_key, of_value] = lengths.map(u32::from_le_bytes);
            key.resize(of_key as usize, 0);
            fill(&mut key)?;
            value.resize(if of_value == NONE { 0 } else { of_value as usize }, 0);
            fill(&mut value)?;
            let claim = Some(u64::from_le_bytes(of_claim)).filter(|claim| *claim != NO_CLAIM);
            let there = (of_value != NONE).then_some(value.as_slice());
            if offset >= range.start {
                each(&Logged { offset, claim, key: &key, value: there })?;
            }
        }
        Ok(())
    }
}

fn unanswered(error: io::Error) -> ChangelogError {
    ChangelogError::Unanswered(Box::new(error))
}
