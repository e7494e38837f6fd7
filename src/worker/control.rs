//! Answers questions of people about the state, over a socket in the data directory that only its owner may open.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::inspect::{self, Answer, Question, States};
use crate::landing;
use crate::merge::{RedbReader, StateReader};

/// The longest question, bytes: a name and a few numbers.
const MOST_QUESTION: u64 = 64 << 10;

/// Questions that are answered at once; a look at 100,000 users takes part of a second of one core.
const AT_ONCE: usize = 2;

/// How long somebody may take to ask.
const PATIENCE: Duration = Duration::from_secs(10);

/// The states that this process owns now.
#[derive(Clone, Default)]
pub struct Owned(Arc<Mutex<BTreeMap<i32, RedbReader>>>);

impl Owned {
    /// A partition is ours from now on.
    pub fn add(&self, partition: i32, state: RedbReader) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, state);
    }

    /// A partition is ours no more; its file is let go.
    pub fn remove(&self, partition: i32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&partition);
    }

    fn now(&self, partitions: i32) -> Snapshot {
        Snapshot { partitions, states: self.0.lock().unwrap_or_else(PoisonError::into_inner).clone() }
    }
}

/// What is owned while one question is answered.
struct Snapshot {
    partitions: i32,
    states: BTreeMap<i32, RedbReader>,
}

impl States for Snapshot {
    fn partitions(&self) -> i32 {
        self.partitions
    }

    fn state(&self, partition: i32) -> Option<&dyn StateReader> {
        self.states.get(&partition).map(|state| state as &dyn StateReader)
    }
}

/// Answers until stopped. Without the socket the worker works as well, so a failure is told and no more.
pub async fn serve(path: &Path, config: Arc<Config>, owned: Owned, partitions: i32, stop: CancellationToken) {
    let listener = match listen(path) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "`okta-ocsf status` and `show` will find no worker here");
            return;
        }
    };
    let room = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
        let (config, owned) = (Arc::clone(&config), owned.clone());
        tokio::spawn(async move {
            // Who asks and goes away has no answer, and nobody else is concerned.
            let _ = tokio::time::timeout(PATIENCE, converse(stream, config, owned, partitions)).await;
            drop(permit);
        });
    }
    let _ = std::fs::remove_file(path);
}

/// The data directory is ours alone, so what is left there is of a process that was killed.
fn listen(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn converse(stream: UnixStream, config: Arc<Config>, owned: Owned, partitions: i32) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(tokio::io::AsyncReadExt::take(read, MOST_QUESTION)).read_line(&mut line).await?;
    let answer = match serde_json::from_str::<Question>(&line) {
        Ok(question) => {
            let states = owned.now(partitions);
            let answered = move || inspect::answer(&question, &config, &states, landing::now_ms());
            tokio::task::spawn_blocking(answered).await.map_err(std::io::Error::other)?
        }
        Err(error) => Answer::Refused { why: format!("the question cannot be read: {error}") },
    };
    write.write_all(&serde_json::to_vec(&answer).map_err(std::io::Error::other)?).await?;
    write.shutdown().await
}
