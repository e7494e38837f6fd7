//! Asks the state: the worker that runs in the data directory, or where none runs, the files themselves.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use anyhow::Context;

use crate::config::Config;
use crate::error::{ExitStatus, Fatal};
use crate::inspect::{self, Answer, Question, States};
use crate::landing;
use crate::merge::{RedbReader, RedbStore, StateReader};
use crate::worker::{CONTROL_SOCKET, DataDir};

/// How an answer came about.
pub struct Asked {
    /// The answer.
    pub answer: Answer,
    /// A worker runs here and gave it.
    pub by_worker: bool,
}

/// Asks.
///
/// # Errors
/// When nobody can answer, or the question makes no sense.
pub fn ask(config: &Config, question: &Question) -> anyhow::Result<Asked> {
    let asked = match UnixStream::connect(config.worker.data_dir.join(CONTROL_SOCKET)) {
        Ok(stream) => Asked { answer: converse(stream, question)?, by_worker: true },
        Err(_) => Asked { answer: read_files(config, question)?, by_worker: false },
    };
    match asked.answer {
        Answer::Refused { why } => Err(Fatal::new(ExitStatus::Usage, why).into()),
        _ => Ok(asked),
    }
}

fn converse(mut stream: UnixStream, question: &Question) -> anyhow::Result<Answer> {
    let mut line = serde_json::to_vec(question)?;
    line.push(b'\n');
    stream.write_all(&line).context("the worker does not listen")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).context("the worker does not answer")?;
    serde_json::from_slice(&answer).context("the worker gave no answer; is it of another version?")
}

/// The states in the data directory of a worker that does not run.
struct Files {
    partitions: i32,
    states: BTreeMap<i32, RedbReader>,
}

impl States for Files {
    fn partitions(&self) -> i32 {
        self.partitions
    }

    fn state(&self, partition: i32) -> Option<&dyn StateReader> {
        self.states.get(&partition).map(|state| state as &dyn StateReader)
    }
}

fn read_files(config: &Config, question: &Question) -> anyhow::Result<Answer> {
    let path = &config.worker.data_dir;
    if !path.join("state").is_dir() {
        let what = format!("nothing is known yet: no worker has run with the data directory {}", path.display());
        return Err(Fatal::new(ExitStatus::Unavailable, what)
            .hint("start `okta-ocsf run`, or name its configuration with --config")
            .into());
    }
    let data_dir = DataDir::take(path)?;
    let partitions = config.kafka.as_ref().map_or(1, |kafka| kafka.topics.partitions);
    let mut states = BTreeMap::new();
    for partition in 0..partitions {
        let file = data_dir.state(&config.landing.topic, partition);
        if file.exists() {
            let store = RedbStore::open(&file).with_context(|| format!("the state {}", file.display()))?;
            states.insert(partition, store.reader());
        }
    }
    Ok(inspect::answer(question, config, &Files { partitions, states }, landing::now_ms()))
}
