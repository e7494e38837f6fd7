//! A job in a file: what is to be read, and how far it is read.
//!
//! It says no more than what the landing log has acknowledged; that may be a second old, so after a crash a few pages are
//! read twice. A slice that is finished is written down at once.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::plan::{Claim, Plan, Slice};
use super::span::Span;
use crate::error::{ExitStatus, Fatal};
use crate::job_file::{JobFile, replace};
use crate::okta::OrgId;

/// The layout of the file.
const VERSION: u32 = 1;

/// How old what the file says may be. With 90 days it has 100 kB: written once a second it costs nothing beside the
/// events, written with every page of a fast org it would.
const BETWEEN_WRITES: Duration = Duration::from_secs(1);

/// Which job: what was asked for, in the words in which it was. The same words are the same job, also where they mean
/// another time than yesterday, such as `90d`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobKey {
    /// Whose log.
    pub org: String,
    /// `--since`.
    pub since: String,
    /// `--until`.
    pub until: Option<String>,
    /// Okta's filter expression.
    pub filter: Option<String>,
}

impl JobKey {
    /// Its name: the org, and a part of the hash of the rest.
    pub fn name(&self) -> String {
        let mut digest = Sha256::new();
        for text in [Some(&self.since), self.until.as_ref(), self.filter.as_ref()] {
            digest.update(text.map_or("-", |text| text));
            digest.update([0, u8::from(text.is_some())]);
        }
        let hash: String = digest.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{hash}", self.org)
    }
}

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    version: u32,
    #[serde(flatten)]
    key: JobKey,
    /// Where the org is: places in its lists mean nothing elsewhere.
    url: String,
    span: Span,
    finished: bool,
    slices: Plan,
}

/// A job that this process alone works on, until this is dropped.
pub struct Job {
    name: String,
    file: JobFile,
    state: Mutex<State>,
    /// Rings when what a reader may do could be another thing now.
    changed: Notify,
    /// When the file was written last; whoever writes it holds this.
    written: tokio::sync::Mutex<Option<Instant>>,
}

struct State {
    file: Written,
    /// Slices that are being read, by their beginning.
    reading: BTreeSet<i64>,
}

/// A name that is taken for a job which may exist.
pub(super) struct Reserved {
    file: JobFile,
    key: JobKey,
    url: String,
    /// What was begun before.
    before: Option<Written>,
}

impl Reserved {
    /// Takes the name in this folder, and reads what is there of the job.
    pub fn take(folder: &Path, key: JobKey, org: &OrgId, url: &str) -> Result<Self, Fatal> {
        let name = key.name();
        let Some(file) = JobFile::take(folder, &name)? else {
            let what = format!("another process is at this backfill of {org} already");
            let hint = format!("let it end; {}.json tells how far it is", folder.join(name).display());
            return Err(Fatal::new(ExitStatus::Config, what).hint(hint));
        };
        let before = file.read()?.map(|bytes| read(file.path(), &bytes, &key)).transpose()?;
        Ok(Self { file, key, url: url.to_owned(), before })
    }

    /// What was begun before and is not finished.
    pub fn open_span(&self) -> Option<Span> {
        self.before.as_ref().filter(|before| !before.finished).map(|before| before.span)
    }

    /// Whether all of this was read before.
    pub fn covers(&self, span: Span) -> bool {
        let covers = |before: &Written| before.span.since <= span.since && span.until <= before.span.until;
        self.before.as_ref().is_some_and(|before| before.finished && covers(before))
    }

    /// Goes on with what was begun. Places in the lists of another org are forgotten.
    pub fn resume(self) -> Option<Job> {
        let mut written = self.before?;
        written.finished = false;
        if written.url != self.url {
            written.url.clone_from(&self.url);
            for mut slice in written.slices.slices().to_vec() {
                written.slices.change(&mut slice, Slice::seek);
            }
        }
        Some(Job::new(self.file, &self.key, written))
    }

    /// Begins anew.
    pub fn begin(self, span: Span, parallel: usize) -> Job {
        let slices = Plan::new(span, parallel);
        let written = Written { version: VERSION, key: self.key.clone(), url: self.url, span, finished: false, slices };
        Job::new(self.file, &self.key, written)
    }
}

fn read(path: &Path, bytes: &[u8], key: &JobKey) -> Result<Written, Fatal> {
    let broken = |what: &str| {
        Fatal::new(ExitStatus::Io, format!("the job file {} {what}", path.display()))
            .hint("remove it to read everything anew: what has landed is not published twice")
    };
    let written: Written = serde_json::from_slice(bytes).map_err(|error| broken("cannot be read").because(error))?;
    if written.version != VERSION {
        return Err(broken("is of another version of okta-ocsf"));
    }
    if written.key != *key || !written.slices.is_of(written.span) {
        return Err(broken("does not hold this job as a whole"));
    }
    Ok(written)
}

impl Job {
    fn new(file: JobFile, key: &JobKey, written: Written) -> Self {
        let state = Mutex::new(State { file: written, reading: BTreeSet::new() });
        Self { name: key.name(), file, state, changed: Notify::new(), written: tokio::sync::Mutex::default() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The time that is read.
    pub fn span(&self) -> Span {
        self.state().file.span
    }

    /// The slices as they stand.
    pub(super) fn slices(&self) -> Vec<Slice> {
        self.state().file.slices.slices().to_vec()
    }

    /// The next slice for a reader, who waits for as long as others have all there is. It is the caller's now; `None` when
    /// nothing is left to read.
    pub(super) async fn claim(&self) -> Option<Slice> {
        loop {
            // Before the look at the state, so that nothing that changes behind it is missed.
            let changed = self.changed.notified();
            match self.try_claim() {
                Claim::Read(slice) => return Some(*slice),
                Claim::Done => return None,
                Claim::Wait => changed.await,
            }
        }
    }

    fn try_claim(&self) -> Claim {
        let mut state = self.state();
        let State { file, reading } = &mut *state;
        let claim = file.slices.claim(reading);
        if let Claim::Read(slice) = &claim {
            reading.insert(slice.since);
        }
        claim
    }

    /// Whether every slice is read or lost.
    pub(super) fn is_read(&self) -> bool {
        self.state().file.slices.is_read()
    }

    /// What is older than this and not read is lost.
    pub(super) fn lose_before(&self, oldest: i64) {
        let mut state = self.state();
        let State { file, reading } = &mut *state;
        file.slices.lose_before(oldest, reading);
    }

    /// Nobody reads the slice any more.
    pub(super) fn give_back(&self, since: i64) {
        self.state().reading.remove(&since);
        self.changed.notify_waiters();
    }

    /// See [`Plan::change`].
    pub(super) fn change<T>(&self, slice: &mut Slice, change: impl FnOnce(&mut Slice) -> T) -> T {
        let result = self.state().file.slices.change(slice, change);
        self.changed.notify_waiters();
        result
    }

    /// See [`Plan::halve`].
    pub(super) fn halve(&self, slice: &mut Slice) -> bool {
        let halved = self.state().file.slices.halve(slice);
        self.changed.notify_waiters();
        halved
    }

    /// Sees to it that all that is known is on disk within a second.
    pub(super) async fn note(&self) -> Result<(), Fatal> {
        // Whoever writes now writes this, too, or the next one does.
        let Ok(mut written) = self.written.try_lock() else { return Ok(()) };
        if written.is_some_and(|written| written.elapsed() < BETWEEN_WRITES) {
            return Ok(());
        }
        self.write(&mut written).await
    }

    /// Writes all that is known; it is on disk when this resolves.
    pub(super) async fn save(&self) -> Result<(), Fatal> {
        let mut written = self.written.lock().await;
        self.write(&mut written).await
    }

    /// Nothing is left to do.
    pub(super) async fn finish(&self) -> Result<(), Fatal> {
        self.state().file.finished = true;
        self.save().await
    }

    async fn write(&self, written: &mut Option<Instant>) -> Result<(), Fatal> {
        let bytes = serde_json::to_vec(&self.state().file);
        let path = self.file.path().to_owned();
        let stored = tokio::task::spawn_blocking(move || replace(&path, &bytes?)).await;
        *written = Some(Instant::now());
        stored.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(|error| {
            Fatal::new(ExitStatus::Io, format!("the job file {} cannot be written", self.file.path().display()))
                .hint("free space there, or give another folder with --state, and run it again")
                .because(error)
        })
    }

    // Nothing panics while it holds the lock, so a poisoned one still guards a whole state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::{Pin, pin};
    use std::task::Poll;

    use super::super::plan::Stage;
    use super::*;

    const SPAN: Span = Span { since: 0, until: 86_400_000 };

    fn key(filter: Option<&str>) -> JobKey {
        JobKey { org: "acme".into(), since: "1d".into(), until: None, filter: filter.map(str::to_owned) }
    }

    fn take(folder: &Path, url: &str) -> Result<Reserved, Fatal> {
        Reserved::take(folder, key(None), &OrgId::new("acme"), url)
    }

    async fn look<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
    }

    #[test]
    fn other_words_are_another_job() {
        let mut until = key(None);
        until.until = Some("1h".into());
        let mut confused = key(None);
        confused.filter = Some("1h".into());
        let names: BTreeSet<_> = [key(None), key(Some("x")), until, confused].iter().map(JobKey::name).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(names.iter().all(|name| name.starts_with("acme-")));
    }

    #[tokio::test]
    async fn a_job_goes_on_where_its_file_says() {
        let folder = tempfile::tempdir().unwrap();
        let job = take(folder.path(), "https://acme").unwrap().begin(SPAN, 4);
        let mut slice = job.claim().await.unwrap();
        job.change(&mut slice, |slice| slice.next = Some("/api/v1/logs?after=1".into()));
        let second = job.claim().await.unwrap();
        assert_ne!(second.since, slice.since, "nobody reads what another one does");
        job.save().await.unwrap();
        drop(job);
        let again = take(folder.path(), "https://acme").unwrap();
        assert_eq!((again.open_span(), again.covers(SPAN)), (Some(SPAN), false));
        let job = again.resume().unwrap();
        assert_eq!(job.claim().await, Some(slice.clone()));
        job.finish().await.unwrap();
        drop(job);
        let finished = take(folder.path(), "https://acme").unwrap();
        assert!(finished.covers(SPAN) && finished.open_span().is_none());
        assert!(!finished.covers(Span { until: SPAN.until + 1, ..SPAN }), "the same words may mean more today");
        drop(finished);
        let moved = take(folder.path(), "https://other").unwrap().resume().unwrap();
        assert_eq!(moved.claim().await.unwrap().next, None, "a place in another org's list");
    }

    #[tokio::test]
    async fn notes_are_on_disk_within_a_second_and_what_is_saved_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let job = take(folder.path(), "https://acme").unwrap().begin(SPAN, 4);
        let stored = || read(job.file.path(), &std::fs::read(job.file.path()).unwrap(), &key(None)).unwrap();
        let mut slice = job.claim().await.unwrap();
        job.note().await.unwrap();
        job.change(&mut slice, |slice| slice.pages = 1);
        job.note().await.unwrap();
        assert_eq!(stored().slices.slices()[0].pages, 0, "not with every page");
        job.change(&mut slice, |slice| slice.stage = Stage::Read);
        job.save().await.unwrap();
        assert_eq!(stored().slices.slices()[0], slice);
    }

    #[tokio::test]
    async fn who_finds_nothing_to_read_waits_for_a_part_of_another_s_or_for_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let job = take(folder.path(), "https://acme").unwrap().begin(Span { since: 0, until: 300_000 }, 4);
        let mut slice = job.claim().await.unwrap();
        let mut idle = pin!(job.claim());
        assert!(look(idle.as_mut()).await.is_pending(), "nobody knows yet what is in it");
        job.change(&mut slice, |slice| slice.pages = 100);
        let Poll::Ready(Some(part)) = look(idle.as_mut()).await else { panic!("it has hundreds of pages") };
        assert_eq!((part.since, part.until), (150_000, 300_000));
        job.change(&mut slice, |slice| slice.stage = Stage::Read);
        assert_eq!(slice.until, 150_000, "its reader is told with the next change");
        job.give_back(slice.since);
        let mut idle = pin!(job.claim());
        assert!(look(idle.as_mut()).await.is_pending());
        let mut part = part;
        job.change(&mut part, |part| part.stage = Stage::Read);
        job.give_back(part.since);
        assert_eq!(look(idle.as_mut()).await, Poll::Ready(None));
    }

    #[test]
    fn a_job_has_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let first = take(folder.path(), "https://acme").unwrap();
        let second = take(folder.path(), "https://acme").map(|_| ()).unwrap_err();
        assert!(second.to_string().contains("another process is at this backfill of acme"), "{second}");
        drop(first);
        assert!(take(folder.path(), "https://acme").is_ok());
    }

    #[tokio::test]
    async fn a_broken_file_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let job = take(folder.path(), "https://acme").unwrap().begin(SPAN, 4);
        job.save().await.unwrap();
        let path = job.file.path().to_owned();
        drop(job);
        let whole = std::fs::read_to_string(&path).unwrap();
        for broken in [
            whole[..whole.len() / 2].to_owned(),
            whole.replace("\"version\":1", "\"version\":9"),
            whole.replace("\"acme\"", "\"acne\""),
            whole.replace("\"until\":86400000,\"stage\"", "\"until\":86300000,\"stage\""),
        ] {
            assert_ne!(broken, whole);
            std::fs::write(&path, broken).unwrap();
            let error = take(folder.path(), "https://acme").map(|_| ()).unwrap_err();
            assert!(error.advice().is_some_and(|advice| advice.contains("remove it")), "{error}");
        }
    }
}
