//! NDJSON files or standard output: the sink of a worker without Kafka.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Body, Busy, Found, OutputRecord, PublishError, Rejected, Sink, SourceId, Topics};
use crate::ack::Ack;
use crate::error::{Chain, Class, ExitStatus};

/// Where the lines go.
#[derive(Debug, Clone)]
pub enum Target {
    /// A folder with one file a topic.
    Directory(PathBuf),
    /// Standard output, all topics mixed; quarantine goes there too.
    Stdout,
}

/// Writes one line a record. A batch is proven when its files are synced; after a crash, files are cut back to what
/// was proven, and as the fold is deterministic the same lines follow again. The quarantine file is never cut.
pub struct LinesSink {
    topics: Topics,
    state: Mutex<State>,
}

struct State {
    target: Target,
    files: BTreeMap<String, Open>,
    /// Acks of lines that are written but not synced.
    unproven: Vec<Ack>,
}

struct Open {
    file: BufWriter<File>,
    length: u64,
}

impl LinesSink {
    /// Opens, or creates, all files.
    ///
    /// # Errors
    /// When the folder or a file cannot be made.
    pub fn open(target: Target, topics: Topics) -> Result<Self, PublishError> {
        let mut files = BTreeMap::new();
        if let Target::Directory(directory) = &target {
            std::fs::create_dir_all(directory).map_err(|error| io("cannot make", directory, error))?;
            for topic in topics.all() {
                let path = path_of(directory, topic);
                files
                    .insert(topic.to_owned(), Open::append_to(&path).map_err(|error| io("cannot open", &path, error))?);
            }
        }
        Ok(Self { topics, state: Mutex::new(State { target, files, unproven: Vec::new() }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for LinesSink {
    fn publish(&self, record: &OutputRecord, ack: Ack) -> Result<(), Busy> {
        let mut state = self.state();
        let tombstone;
        let line = match &record.body {
            Body::Record(json) => json,
            Body::Tombstone { cause } => {
                tombstone = tombstone_line(&record.key, cause);
                &tombstone
            }
        };
        match state.write(self.topics.of(record.class), line) {
            Ok(()) => state.unproven.push(ack),
            Err(error) => ack.redeem(Err(error.into())),
        }
        Ok(())
    }

    fn quarantine(&self, rejected: &Rejected, _: Option<SourceId>, ack: Ack) -> Result<(), Busy> {
        let mut state = self.state();
        let topic = self.topics.quarantine();
        let written = state.write(topic, &rejected.to_json()).and_then(|()| state.sync(topic));
        ack.redeem(written.map_err(Into::into));
        Ok(())
    }

    fn seal(&self, _: i32) -> Result<Vec<u8>, PublishError> {
        let mut state = self.state();
        for topic in self.topics.all() {
            state.sync(topic)?;
        }
        let lengths: BTreeMap<&str, u64> =
            state.files.iter().map(|(topic, open)| (topic.as_str(), open.length)).collect();
        let sealed = serde_json::to_vec(&lengths).map_err(|error| PublishError {
            what: "the file lengths cannot be written down".into(),
            class: Class::Fatal,
            source: Some(Box::new(error)),
        })?;
        for ack in std::mem::take(&mut state.unproven) {
            ack.redeem(Ok(()));
        }
        Ok(sealed)
    }

    fn recover(&self, _: i32, _: u64, sealed: &[u8], _: &dyn Fn() -> bool) -> Result<Found, PublishError> {
        self.state().unproven.clear();
        // Nothing was ever proven: what stands in the files is somebody else's, or from before the state was lost.
        let Ok(lengths) = serde_json::from_slice::<BTreeMap<String, u64>>(sealed) else {
            return Ok(Found::default());
        };
        let mut state = self.state();
        let Target::Directory(directory) = state.target.clone() else {
            return Ok(Found::default());
        };
        for topic in self.topics.of_classes() {
            let proven = lengths.get(topic).copied().unwrap_or_default();
            let path = path_of(&directory, topic);
            if let Some(open) = state.files.get_mut(topic) {
                open.cut(proven).map_err(|error| io("cannot cut back", &path, error))?;
            }
        }
        Ok(Found::default())
    }
}

impl State {
    fn write(&mut self, topic: &str, json: &[u8]) -> Result<(), PublishError> {
        match self.files.get_mut(topic) {
            Some(open) => open.line(json).map_err(|error| io("cannot write", Path::new(topic), error)),
            None => stdout_line(json).map_err(|error| io("cannot write", Path::new("standard output"), error)),
        }
    }

    fn sync(&mut self, topic: &str) -> Result<(), PublishError> {
        match self.files.get_mut(topic) {
            Some(open) => open.sync().map_err(|error| io("cannot sync", Path::new(topic), error)),
            None => std::io::stdout().flush().map_err(|error| io("cannot flush", Path::new("standard output"), error)),
        }
    }
}

impl Open {
    fn append_to(path: &Path) -> std::io::Result<Self> {
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        Ok(Self { file: BufWriter::new(file), length })
    }

    fn line(&mut self, json: &[u8]) -> std::io::Result<()> {
        self.file.write_all(json)?;
        self.file.write_all(b"\n")?;
        self.length += json.len() as u64 + 1;
        Ok(())
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_data()
    }

    fn cut(&mut self, length: u64) -> std::io::Result<()> {
        self.file.flush()?;
        let file = self.file.get_mut();
        // A file that someone moved away is shorter than what was proven; it then starts anew.
        let length = length.min(file.metadata()?.len());
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        self.length = length;
        Ok(())
    }
}

/// A tombstone as a line. A record never begins so, as each begins with its category.
fn tombstone_line(key: &str, cause: &str) -> Vec<u8> {
    serde_json::json!({"tombstone": true, "key": key, "cause": cause}).to_string().into_bytes()
}

fn stdout_line(json: &[u8]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(json)?;
    stdout.write_all(b"\n")
}

fn path_of(directory: &Path, topic: &str) -> PathBuf {
    directory.join(format!("{topic}.ndjson"))
}

fn io(what: &str, path: &Path, error: std::io::Error) -> PublishError {
    PublishError { what: format!("{what} {}", path.display()), class: Class::Fatal, source: Some(Box::new(error)) }
}

impl From<PublishError> for crate::ack::NotDelivered {
    fn from(error: PublishError) -> Self {
        Self::Impossible { what: Chain(&error).to_string(), status: ExitStatus::Io }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ack::Tally;
    use crate::ocsf::Class as OcsfClass;
    use std::time::Duration;

    fn record(offset: u64) -> OutputRecord {
        OutputRecord {
            class: OcsfClass::BaseEvent,
            key: "acme".into(),
            source: SourceId { partition: 0, offset, index: 0 },
            body: Body::Record(format!("{{\"n\":{offset}}}").into_bytes()),
        }
    }

    #[test]
    fn lines_are_proven_by_the_seal_and_cut_back_to_it_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let open = || LinesSink::open(Target::Directory(folder.path().into()), Topics::new("p", "q")).unwrap();
        let text = || std::fs::read_to_string(folder.path().join("p.base_event.ndjson")).unwrap();
        let sink = open();
        let tally = Tally::default();
        sink.publish(&record(1), tally.ack()).unwrap();
        assert_eq!(tally.wait(Duration::ZERO), None, "not proven yet");
        let sealed = sink.seal(0).unwrap();
        assert_eq!(tally.wait(Duration::ZERO), Some(Ok(())));
        sink.publish(&record(2), tally.ack()).unwrap();
        sink.seal(0).unwrap();
        drop(sink);
        assert_eq!(text(), "{\"n\":1}\n{\"n\":2}\n");

        // The commit that should follow the second seal never happened.
        let sink = open();
        assert!(sink.recover(0, 2, &sealed, &|| false).unwrap().is_empty());
        sink.publish(&record(2), tally.ack()).unwrap();
        sink.seal(0).unwrap();
        assert_eq!(text(), "{\"n\":1}\n{\"n\":2}\n", "the same lines again, once");
    }

    #[test]
    fn files_that_were_never_sealed_are_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.base_event.ndjson");
        std::fs::write(&path, "{\"from\":\"before\"}\n").unwrap();
        let sink = LinesSink::open(Target::Directory(folder.path().into()), Topics::new("p", "q")).unwrap();
        sink.recover(0, 0, b"", &|| false).unwrap();
        sink.publish(&record(1), Tally::default().ack()).unwrap();
        sink.seal(0).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"from\":\"before\"}\n{\"n\":1}\n");
    }

    #[test]
    fn a_tombstone_is_a_line_of_its_own_form() {
        let folder = tempfile::tempdir().unwrap();
        let sink = LinesSink::open(Target::Directory(folder.path().into()), Topics::new("p", "q")).unwrap();
        let key = "acme|users|00u\"1".to_owned();
        let body = Body::Tombstone { cause: "sweep".into() };
        let gone = OutputRecord { class: OcsfClass::UserInventory, key, body, ..record(1) };
        sink.publish(&gone, Tally::default().ack()).unwrap();
        sink.seal(0).unwrap();
        let text = std::fs::read_to_string(folder.path().join("p.user_inventory.ndjson")).unwrap();
        assert_eq!(text, "{\"cause\":\"sweep\",\"key\":\"acme|users|00u\\\"1\",\"tombstone\":true}\n");
    }
}
