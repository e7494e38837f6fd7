//! How far a file is landed, in a file beside the worker's state.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Counts, Place};
use crate::error::{ExitStatus, Fatal};
use crate::job_file::{JobFile, replace};
use crate::okta::OrgId;

/// Layout of the job file. One of another version is not guessed at.
const VERSION: u8 = 1;

/// Bytes of a file by which it is known again, together with its size.
const HEAD: u64 = 64 << 10;

/// At most so often is the place written: what came after it is landed again, and published once all the same.
const BETWEEN_WRITES: Duration = Duration::from_secs(1);

/// How far one file is landed for one org. One process at a time.
pub struct FileJob {
    file: JobFile,
    written: Written,
    saved: Option<Instant>,
}

/// The job file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u8,
    org: String,
    /// The file, as the system knows it.
    file: PathBuf,
    /// Its size and the hash of its beginning: a file that changed is another one.
    size: u64,
    head: String,
    place: Place,
    counts: Counts,
    finished: bool,
}

impl FileJob {
    /// The job of a file, where it was left; from the beginning if the file is not the same any more, or with `again`.
    ///
    /// # Errors
    /// When the file or its job cannot be read, or another process is at it.
    pub fn take(folder: &Path, org: &OrgId, file: &Path, again: bool) -> Result<Self, Fatal> {
        let unreadable = |error: std::io::Error| {
            Fatal::new(ExitStatus::Io, format!("cannot read {}", file.display())).because(error)
        };
        let known = file.canonicalize().map_err(unreadable)?;
        let (size, head) = fingerprint(&known).map_err(unreadable)?;
        let name = format!("{org}-file-{}", &hash(known.as_os_str().as_encoded_bytes())[..16]);
        let Some(job_file) = JobFile::take(folder, &name)? else {
            let what = format!("another process lands {} already", file.display());
            return Err(Fatal::new(ExitStatus::Config, what).hint("let it end, or name each file once"));
        };
        let new = Written {
            version: VERSION,
            org: org.to_string(),
            file: known,
            size,
            head,
            place: Place::default(),
            counts: Counts::default(),
            finished: false,
        };
        // What cannot be understood costs a second landing and nothing else.
        let before = job_file.read()?.and_then(|bytes| serde_json::from_slice::<Written>(&bytes).ok());
        let same = |before: &Written| {
            (before.version, &before.org, &before.file, before.size, &before.head)
                == (VERSION, &new.org, &new.file, new.size, &new.head)
        };
        let written = before.filter(|before| !again && same(before)).unwrap_or(new);
        Ok(Self { file: job_file, written, saved: None })
    }

    /// Up to where everything is landed or in quarantine.
    pub fn place(&self) -> Place {
        self.written.place
    }

    /// What became of everything before.
    pub fn counts(&self) -> &Counts {
        &self.written.counts
    }

    /// Whether all of the file was landed.
    pub fn is_finished(&self) -> bool {
        self.written.finished
    }

    /// Takes note of a place; on disk within a second.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn note(&mut self, place: Place, more: &Counts) -> std::io::Result<()> {
        self.written.place = place;
        self.written.counts.add(more);
        if self.saved.is_some_and(|saved| saved.elapsed() < BETWEEN_WRITES) {
            return Ok(());
        }
        self.save()
    }

    /// All of the file is landed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(&mut self) -> std::io::Result<()> {
        self.written.finished = true;
        self.save()
    }

    /// Writes what is known, in the place of what was there, all or none.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&mut self) -> std::io::Result<()> {
        replace(self.file.path(), &serde_json::to_vec(&self.written)?)?;
        self.saved = Some(Instant::now());
        Ok(())
    }
}

fn fingerprint(path: &Path) -> std::io::Result<(u64, String)> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head)?;
    Ok((size, hash(&head)))
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(offset: u64) -> Place {
        Place { offset, line: 2, elements: 3, within: true }
    }

    #[test]
    fn a_job_goes_on_where_it_was_left_as_long_as_the_file_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (log, state) = (folder.path().join("log.json"), folder.path().join("state"));
        let org = OrgId::new("acme");
        let take = |again| FileJob::take(&state, &org, &log, again).unwrap();
        std::fs::write(&log, "[1,2,3]").unwrap();
        let mut job = take(false);
        assert_eq!((job.place(), job.is_finished()), (Place::default(), false));
        let more = Counts { elements: 3, landed: 2, quarantined: [("not_json".to_owned(), 1)].into() };
        job.note(place(5), &more).unwrap();
        job.note(place(6), &more).unwrap();
        drop(job);
        assert_eq!(take(false).place(), place(5), "not with every batch");
        let mut job = take(false);
        job.note(place(6), &more).unwrap();
        job.finish().unwrap();
        drop(job);
        let job = take(false);
        assert_eq!((job.place(), job.is_finished(), job.counts().elements, job.counts().bad()), (place(6), true, 6, 2));
        drop(job);
        assert!(!take(true).is_finished(), "asked for it again");
        let other = FileJob::take(&state, &OrgId::new("globex"), &log, false).unwrap();
        assert!(!other.is_finished(), "another org's");
        std::fs::write(&log, "[1,2,3,4]").unwrap();
        assert_eq!(take(false).place(), Place::default(), "it has grown: another file");
        std::fs::write(&log, "[1,2,9]").unwrap();
        assert_eq!(take(false).place(), Place::default());
    }

    #[test]
    fn a_file_is_landed_by_one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.json");
        std::fs::write(&log, "").unwrap();
        let take = || FileJob::take(folder.path(), &OrgId::new("acme"), &log, false);
        let first = take().unwrap();
        let error = take().map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("another process lands"), "{error}");
        drop(first);
        assert!(take().is_ok());
        let missing = FileJob::take(folder.path(), &OrgId::new("acme"), Path::new("/no/such"), false);
        assert_eq!(missing.map(|_| ()).unwrap_err().status(), ExitStatus::Io);
    }

    #[test]
    fn a_damaged_job_file_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.json");
        std::fs::write(&log, "").unwrap();
        let mut job = FileJob::take(folder.path(), &OrgId::new("acme"), &log, false).unwrap();
        job.finish().unwrap();
        std::fs::write(job.file.path(), "{").unwrap();
        drop(job);
        assert!(!FileJob::take(folder.path(), &OrgId::new("acme"), &log, false).unwrap().is_finished());
    }
}
