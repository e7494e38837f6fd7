//! What was asked for and how far it is, in a folder below the data directory, so that it can be resumed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::data_dir::{DataDir, InUse};
use super::scope::Scope;
use crate::error::{ExitStatus, Fatal};
use crate::job_file::replace;

/// Layout of the job file. One of another version is not guessed at.
const VERSION: u8 = 1;

/// Where reprocessed records go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Topics of this prefix.
    Topics(String),
    /// The topics that the worker publishes to.
    SameTopics,
    /// NDJSON files in this folder.
    Directory(PathBuf),
    /// Nowhere: they are counted.
    Nowhere,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Asked {
    /// Something new.
    New {
        /// Which records.
        scope: Scope,
        /// Fold the log from its beginning, and not only from the first record that is asked for.
        whole: bool,
        /// Where what comes of them goes.
        output: Output,
    },
    /// Go on with the one of this name.
    Resume(String),
}

/// A part of one partition of the landing log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// Which partition.
    pub partition: i32,
    /// The first offset that is read.
    pub start: u64,
    /// Nothing before this offset is asked for.
    pub asked_from: u64,
    /// The offset after the last one.
    pub end: u64,
}

impl Stretch {
    /// How many records it may hold.
    pub fn records(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// The job file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    version: u8,
    pub scope: Scope,
    pub output: Output,
    /// Fixed at the beginning: what lands later is the worker's.
    pub stretches: Vec<Stretch>,
    done: BTreeSet<i32>,
}

impl Written {
    /// What is not done yet.
    pub fn open(&self) -> impl Iterator<Item = &Stretch> {
        self.stretches.iter().filter(|stretch| !self.done.contains(&stretch.partition))
    }
}

/// A reprocessing that this process alone works on, until this is dropped.
pub(super) struct Job {
    id: String,
    folder: PathBuf,
    written: Written,
    data_dir: Arc<DataDir>,
}

impl Job {
    /// Begins what is asked for, over the stretches that `stretches` finds for it; or takes up what was begun.
    pub fn open(
        base: &Path,
        asked: Asked,
        stretches: impl FnOnce(&Scope, bool, &Output) -> Result<Vec<Stretch>, Fatal>,
    ) -> Result<Self, Fatal> {
        match asked {
            Asked::New { scope, whole, output } => {
                let stretches = stretches(&scope, whole, &output)?;
                let written = Written { version: VERSION, scope, output, stretches, done: BTreeSet::new() };
                let id = new_id();
                let folder = base.join(&id);
                let data_dir = Arc::new(DataDir::take(&folder)?);
                let job = Self { id, folder, written, data_dir };
                job.save()?;
                Ok(job)
            }
            Asked::Resume(id) => Self::resume(base, id),
        }
    }

    fn resume(base: &Path, id: String) -> Result<Self, Fatal> {
        let folder = base.join(&id);
        let unknown = |what: &str| {
            Fatal::new(ExitStatus::Config, format!("the reprocessing {id:?} cannot be resumed: {what}"))
                .hint(format!("those that can be are the folders in {}; otherwise begin anew", base.display()))
        };
        let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !id.is_empty();
        if !plain || !folder.join("job.json").exists() {
            return Err(unknown("there is none of this name"));
        }
        let data_dir = DataDir::take(&folder).map_err(|fatal| {
            let in_use = std::error::Error::source(&fatal).is_some_and(|cause| cause.is::<InUse>());
            if in_use { unknown("another process is at it") } else { fatal }
        })?;
        let read = std::fs::read(folder.join("job.json"));
        let read = read.map_err(|error| unknown("its job file cannot be read").because(error))?;
        let written: Written =
            serde_json::from_slice(&read).map_err(|error| unknown("its job file is damaged").because(error))?;
        if written.version != VERSION {
            return Err(unknown("another version of okta-ocsf has begun it"));
        }
        Ok(Self { id, folder, written, data_dir: Arc::new(data_dir) })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn written(&self) -> &Written {
        &self.written
    }

    pub fn data_dir(&self) -> Arc<DataDir> {
        Arc::clone(&self.data_dir)
    }

    /// A partition came to its end.
    pub fn done(&mut self, partition: i32) -> Result<(), Fatal> {
        self.written.done.insert(partition);
        self.save()
    }

    /// All is done, or nobody will go on with it: nothing stays behind.
    pub fn remove(self) {
        let Self { folder, data_dir, .. } = self;
        drop(data_dir);
        if let Err(error) = std::fs::remove_dir_all(&folder) {
            tracing::warn!(folder = %folder.display(), %error, "the temporary state cannot be removed");
        }
    }

    fn save(&self) -> Result<(), Fatal> {
        let path = self.folder.join("job.json");
        let write = || replace(&path, &serde_json::to_vec(&self.written)?);
        write().map_err(|error: std::io::Error| {
            Fatal::new(ExitStatus::Io, format!("the job file {} cannot be written", path.display()))
                .hint("check worker.data_dir: rights and free space")
                .because(error)
        })
    }
}

/// A name that tells when, and is nobody else's.
fn new_id() -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let random = Uuid::new_v4().simple().to_string();
    format!("{now}-{}", random.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::scope::By;
    use super::*;

    fn asked() -> Asked {
        let scope = Scope { by: By::Landed, since: Some(1), until: None, orgs: BTreeSet::new() };
        Asked::New { scope, whole: true, output: Output::Topics("p".into()) }
    }

    fn stretch(partition: i32) -> Stretch {
        Stretch { partition, start: 5, asked_from: 7, end: 10 }
    }

    fn begin(base: &Path) -> Job {
        Job::open(base, asked(), |_, whole, _| {
            assert!(whole);
            Ok(vec![stretch(0), stretch(1)])
        })
        .unwrap()
    }

    fn resume(base: &Path, id: &str) -> Result<Job, Fatal> {
        Job::open(base, Asked::Resume(id.into()), |_, _, _| panic!("the stretches are known"))
    }

    #[test]
    fn a_job_is_resumed_with_what_was_asked_for_and_what_is_left() {
        let base = tempfile::tempdir().unwrap();
        let mut job = begin(base.path());
        job.done(0).unwrap();
        let (id, written) = (job.id().to_owned(), job.written().clone());
        let busy = resume(base.path(), &id).map(|_| ()).unwrap_err();
        assert!(busy.to_string().contains("another process"), "{busy}");
        drop(job);
        let job = resume(base.path(), &id).unwrap();
        assert_eq!(*job.written(), written);
        assert_eq!(job.written().open().collect::<Vec<_>>(), [&stretch(1)]);
        job.remove();
        assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 0, "nothing stays behind");
        let gone = resume(base.path(), &id).map(|_| ()).unwrap_err();
        assert!(gone.to_string().contains("none of this name") && gone.status() == ExitStatus::Config, "{gone}");
    }

    #[test]
    fn a_name_is_no_path_and_names_differ() {
        let base = tempfile::tempdir().unwrap();
        let (one, two) = (begin(base.path()), begin(base.path()));
        assert_ne!(one.id(), two.id());
        let outside = format!("../{}/{}", base.path().file_name().unwrap().to_str().unwrap(), one.id());
        for id in ["", "..", outside.as_str()] {
            assert!(resume(base.path(), id).is_err(), "{id}");
        }
    }
}
