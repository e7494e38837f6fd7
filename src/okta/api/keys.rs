//! The private keys of a service app: one in use, and during a rotation a second one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use secrecy::{ExposeSecret, SecretString};

use super::jwt::{KeyFault, Signer};
use crate::config::{ApiKeyConfig, KeyAlgorithm, Secret};

/// A PEM file is a few kB; a larger file is something else.
const LARGEST_FILE: u64 = 64 << 10;

/// Why a configured key cannot be used now.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum KeyProblem {
    #[error("the file {} of the key {id:?} cannot be read: {error}", path.display())]
    Unreadable { id: String, path: PathBuf, error: String },
    #[error("the key {id:?} cannot be used: {fault}")]
    Unusable { id: String, fault: KeyFault },
}

/// All keys, and which one Okta accepted last.
pub(super) struct KeyRing {
    keys: Vec<Key>,
    works: AtomicUsize,
}

/// A configured key.
pub(super) struct Key {
    id: String,
    algorithm: Option<KeyAlgorithm>,
    source: Source,
    loaded: Mutex<Option<Loaded>>,
}

enum Source {
    File(PathBuf),
    Text(Secret),
}

struct Loaded {
    stamp: Option<Stamp>,
    signer: Arc<Signer>,
}

/// What changes with a file's content.
type Stamp = (SystemTime, u64);

impl KeyRing {
    pub fn new(configs: &[ApiKeyConfig]) -> Self {
        let keys = configs.iter().filter_map(|config| {
            let source = match (&config.file, &config.pem) {
                (Some(path), _) => Source::File(path.clone()),
                (None, Some(pem)) => Source::Text(pem.clone()),
                (None, None) => return None,
            };
            Some(Key { id: config.id.clone(), algorithm: config.algorithm, source, loaded: Mutex::default() })
        });
        Self { keys: keys.collect(), works: AtomicUsize::new(0) }
    }

    /// The keys in the order in which to try them: first the one that worked last.
    pub fn in_order(&self) -> impl Iterator<Item = (usize, &Key)> {
        let works = self.works.load(Ordering::Relaxed);
        let others = self.keys.iter().enumerate().filter(move |(at, _)| *at != works);
        self.keys.get(works).map(|key| (works, key)).into_iter().chain(others)
    }

    /// Remembers which key was accepted; gives its id if that is another one than before.
    pub fn worked(&self, at: usize) -> Option<&str> {
        let before = self.works.swap(at, Ordering::Relaxed);
        self.keys.get(at).filter(|_| before != at).map(|key| key.id.as_str())
    }
}

impl Key {
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key as it is now: a file that changed is read again. While a new one cannot be read, perhaps because it is
    /// being written, the old one serves.
    pub fn signer(&self) -> Result<Arc<Signer>, KeyProblem> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = match &self.source {
            Source::File(path) => stamp(path),
            Source::Text(_) => None,
        };
        if let Some(known) = loaded.as_ref().filter(|known| known.stamp == stamp) {
            return Ok(known.signer.clone());
        }
        match (self.read(), loaded.as_ref()) {
            (Ok(signer), _) => {
                let signer = Arc::new(signer);
                *loaded = Some(Loaded { stamp, signer: signer.clone() });
                Ok(signer)
            }
            (Err(problem), Some(known)) => {
                tracing::warn!(key = self.id, %problem, "the changed key is not usable, the one before stays in use");
                Ok(known.signer.clone())
            }
            (Err(problem), None) => Err(problem),
        }
    }

    /// Reading a small file now and then may block: it happens once an hour, when a token is renewed.
    fn read(&self) -> Result<Signer, KeyProblem> {
        let unusable = |fault| KeyProblem::Unusable { id: self.id.clone(), fault };
        let path = match &self.source {
            Source::Text(pem) => return Signer::from_pem(pem.expose(), self.algorithm).map_err(unusable),
            Source::File(path) => path,
        };
        let unreadable = |error: String| KeyProblem::Unreadable { id: self.id.clone(), path: path.clone(), error };
        if stamp(path).is_some_and(|(_, length)| length > LARGEST_FILE) {
            return Err(unreadable("it is too large for a key".into()));
        }
        let pem = fs::read_to_string(path).map(SecretString::from).map_err(|error| unreadable(error.to_string()))?;
        Signer::from_pem(pem.expose_secret(), self.algorithm).map_err(unusable)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
