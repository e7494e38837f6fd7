//! The data directory: made, locked for this process, and named.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::{ExitStatus, Fatal};

/// The socket over which a worker answers questions, in its data directory.
pub const CONTROL_SOCKET: &str = "control.sock";

/// Another process uses a data directory.
#[derive(Debug, thiserror::Error)]
#[error("another worker uses the data directory {}", .0.display())]
pub struct InUse(PathBuf);

/// A data directory that this process alone uses, until this is dropped.
pub struct DataDir {
    path: PathBuf,
    /// Whose state this is: the name under which its process is a member of the consumer group.
    pub instance: String,
    _lock: File,
}

impl DataDir {
    /// Makes the directory where it does not exist, and takes it.
    ///
    /// # Errors
    /// When another process uses it, or the disk refuses.
    pub fn take(path: &Path) -> Result<Self, Fatal> {
        let refused = |error: std::io::Error| {
            Fatal::new(ExitStatus::Io, format!("the data directory {} cannot be used", path.display()))
                .hint("check worker.data_dir: rights and free space")
                .because(error)
        };
        std::fs::create_dir_all(path.join("state")).map_err(refused)?;
        let lock = File::create(path.join("lock")).map_err(refused)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let in_use = InUse(path.to_owned());
                return Err(Fatal::new(ExitStatus::Config, in_use.to_string())
                    .hint("give each worker its own worker.data_dir")
                    .because(in_use));
            }
            Err(TryLockError::Error(error)) => return Err(refused(error)),
        }
        let instance = instance(&path.join("instance")).map_err(refused)?;
        Ok(Self { path: path.to_owned(), instance, _lock: lock })
    }

    /// The socket over which questions of people are answered.
    pub fn control_socket(&self) -> PathBuf {
        self.path.join(CONTROL_SOCKET)
    }

    /// The file with the state of a partition.
    pub fn state(&self, topic: &str, partition: i32) -> PathBuf {
        self.path.join("state").join(format!("{topic}-{partition}.redb"))
    }
}

/// The name in the file, drawn at the first start.
fn instance(path: &Path) -> std::io::Result<String> {
    let written = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read?,
    };
    if let Ok(name) = Uuid::try_parse(written.trim()) {
        return Ok(name.to_string());
    }
    let name = Uuid::new_v4().to_string();
    std::fs::write(path, format!("{name}\n"))?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_user_and_keeps_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::take(folder.path()).unwrap();
        let second = DataDir::take(folder.path()).map(|_| ()).unwrap_err();
        assert!(second.to_string().contains("another worker"), "{second}");
        let name = first.instance.clone();
        drop(first);
        assert_eq!(DataDir::take(folder.path()).unwrap().instance, name);
    }
}
