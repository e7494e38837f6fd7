//! The file in which a job that may be killed at any moment keeps how far it is: for one process at a time, and never half
//! written.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::crash_point;
use crate::error::{ExitStatus, Fatal};

/// A job's file that this process alone uses, until this is dropped.
pub struct JobFile {
    path: PathBuf,
    _lock: File,
}

impl JobFile {
    /// Takes the job of this name in a folder, which is made where it does not exist. `None` if another process has it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn take(folder: &Path, name: &str) -> Result<Option<Self>, Fatal> {
        let path = folder.join(format!("{name}.json"));
        let refused = |error| refused(&path, error);
        std::fs::create_dir_all(folder).map_err(refused)?;
        // The lock is a file of its own, as the other one is another file after each write.
        let lock = File::create(path.with_extension("lock")).map_err(refused)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { path, _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(refused(error)),
        }
    }

    /// What was written before, if anything was.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read(&self) -> Result<Option<Vec<u8>>, Fatal> {
        match std::fs::read(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some).map_err(|error| refused(&self.path, error)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn refused(path: &Path, error: std::io::Error) -> Fatal {
    Fatal::new(ExitStatus::Io, format!("the job file {} cannot be used", path.display()))
        .hint("check the folder's rights and free space, or give another one with --state")
        .because(error)
}

/// Puts the bytes in the place of the file's, all or none, on disk when this returns.
///
/// # Errors
/// When the disk refuses; the file is what it was then.
pub fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("json.new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    crash_point!("job_file_written");
    std::fs::rename(&beside, path)?;
    // The name is on disk when its folder is.
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_has_one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let take = |name| JobFile::take(&folder.path().join("made"), name).unwrap();
        let first = take("acme-1.5").unwrap();
        assert!(take("acme-1.5").is_none());
        assert!(take("acme-1").is_some(), "another job");
        drop(first);
        assert!(take("acme-1.5").is_some());
    }

    #[test]
    fn what_is_written_takes_the_place_of_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = JobFile::take(folder.path(), "acme").unwrap().unwrap();
        assert_eq!(file.read().unwrap(), None);
        for bytes in [b"a longer one".as_slice(), b"short"] {
            replace(file.path(), bytes).unwrap();
            assert_eq!(file.read().unwrap().as_deref(), Some(bytes));
        }
        // What an earlier process left half written beside it does not matter.
        std::fs::write(folder.path().join("acme.json.new"), "half of a longer o").unwrap();
        assert_eq!(file.read().unwrap().as_deref(), Some(b"short".as_slice()));
        replace(file.path(), b"new").unwrap();
        assert_eq!(file.read().unwrap().as_deref(), Some(b"new".as_slice()));
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "the file and its lock: {left:?}");
    }

    #[test]
    fn a_disk_that_refuses_is_told_with_what_to_do_and_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = JobFile::take(folder.path(), "acme").unwrap().unwrap();
        replace(file.path(), b"before").unwrap();
        // Nothing can be written beside it: a folder is there.
        std::fs::create_dir(folder.path().join("acme.json.new")).unwrap();
        assert!(replace(file.path(), b"after").is_err());
        assert_eq!(file.read().unwrap().as_deref(), Some(b"before".as_slice()));
        let refused = JobFile::take(file.path(), "below-a-file").map(|_| ()).unwrap_err();
        assert_eq!(refused.status(), ExitStatus::Io);
        assert!(refused.advice().is_some_and(|advice| advice.contains("--state")), "{refused}");
    }
}
