//! How far a snapshot has come, for people.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::table::{COLLECTIONS, Collection};
use crate::merge::snapshots::{Outcome, Place};
use crate::okta::api::{Meter, Seen};
use crate::okta::gate::Gate;
use crate::okta::quota::Method;

/// The snapshot that runs, or the last one.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<BTreeMap<&'static str, Arc<Line>>>);

/// One collection.
#[derive(Debug, Default)]
pub(super) struct Line {
    objects: AtomicU64,
    calls: AtomicU64,
    lists: AtomicU64,
    /// Lists that were begun.
    begun: AtomicU64,
    /// How many lists there are, as far as is known, and whether that is all.
    expected: AtomicU64,
    all_known: AtomicBool,
    /// Objects of the last complete reading: a guess of how many there are now.
    before: AtomicU64,
    outcome: Mutex<Option<Outcome>>,
}

/// What is told of a snapshot while it runs: the value of the mark `snapshot_progress`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which snapshot.
    pub epoch: i64,
    /// How long it has run, in ms of the org's time.
    pub elapsed_ms: i64,
    /// Calls made since it began, or since this process took it over.
    pub calls: u64,
    /// Calls that are left, as far as is known.
    pub calls_left: u64,
    /// Whether there may be more of them: some list has not told yet how long it is.
    pub at_least: bool,
    /// How long these take if nothing else is asked for, in ms of the org's time.
    pub left_ms: u64,
    /// Answers that told of a rate limit.
    pub refused: u64,
    /// The buckets of Okta's quota that were met.
    pub quota: Vec<Bucket>,
    /// The collections, in the order of the plan.
    pub collections: Vec<Row>,
}

/// One bucket of the quota.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Calls in the window that is open.
    pub used: u32,
    /// Calls a minute that we may make.
    pub permitted: u32,
}

/// One collection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Objects so far.
    pub objects: u64,
    /// Calls so far.
    pub calls: u64,
    /// Lists read, of how many.
    pub lists: u64,
    /// How many lists there are, as far as is known.
    pub expected: u64,
    /// How it ended.
    pub verdict: Option<String>,
    /// What is missing, or why it is not complete.
    pub detail: Option<String>,
}

impl Progress {
    /// A snapshot begins, or is gone on with.
    pub fn begin<'c>(&self, collections: impl Iterator<Item = (&'static Collection, &'c Place, Option<Outcome>, u64)>) {
        let line = |(collection, place, outcome, before): (&'static Collection, &Place, Option<Outcome>, u64)| {
            let line = Line {
                objects: place.objects.into(),
                calls: place.calls.into(),
                lists: place.lists.into(),
                begun: place.lists.into(),
                expected: if collection.parent().is_none() { collection.words().count() as u64 } else { 0 }.into(),
                all_known: collection.parent().is_none().into(),
                before: before.into(),
                outcome: Mutex::new(outcome),
            };
            (collection.name, Arc::new(line))
        };
        *self.lines() = collections.map(line).collect();
    }

    /// One collection's line.
    pub fn of(&self, collection: &'static str) -> Arc<Line> {
        Arc::clone(self.lines().entry(collection).or_default())
    }

    /// All of it, with an estimate of what is left.
    pub fn report(&self, epoch: i64, elapsed_ms: i64, gate: &Gate) -> Report {
        let lines = self.lines().clone();
        let mut left = Vec::new();
        let mut rows = Vec::new();
        let mut at_least = false;
        for collection in COLLECTIONS {
            let Some(line) = lines.get(collection.name) else { continue };
            let (calls, known) = line.left(collection);
            at_least |= !known;
            if calls > 0 {
                left.push((Method::Get, collection.path, calls));
            }
            rows.push(line.row(collection.name));
        }
        let spent = gate.spent();
        Report {
            epoch,
            elapsed_ms,
            calls: rows.iter().map(|row| row.calls).sum(),
            calls_left: left.iter().map(|(_, _, calls)| calls).sum(),
            at_least,
            left_ms: u64::try_from(gate.estimate(&left).as_millis()).unwrap_or(u64::MAX),
            refused: spent.refused.values().sum::<u64>() + spent.crowded,
            quota: gate.outlook().into_iter().map(Bucket::from).collect(),
            collections: rows,
        }
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Arc<Line>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<crate::okta::quota::Outlook> for Bucket {
    fn from(outlook: crate::okta::quota::Outlook) -> Self {
        Self { name: outlook.bucket, used: outlook.used_by_us, permitted: outlook.permitted_per_minute }
    }
}

impl Line {
    /// Objects were read.
    pub fn read(&self, objects: u64) {
        self.objects.fetch_add(objects, Ordering::Relaxed);
    }

    /// Objects that were read will be read again.
    pub fn forget(&self, objects: u64) {
        let _ = self
            .objects
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |known| Some(known.saturating_sub(objects)));
    }

    /// A list is being read.
    pub fn list_begun(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// A list was read to its end.
    pub fn list_ended(&self) {
        self.lists.fetch_add(1, Ordering::Relaxed);
    }

    /// So many lists are known, and perhaps there are no more.
    pub fn expects(&self, lists: u64, all: bool) {
        self.expected.store(lists, Ordering::Relaxed);
        self.all_known.store(all, Ordering::Relaxed);
    }

    /// The collection has ended.
    pub fn end(&self, outcome: Outcome) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    /// Whether anything of it was read.
    pub fn has_answered(&self) -> bool {
        self.objects() > 0 || self.lists.load(Ordering::Relaxed) > 0
    }

    pub fn objects(&self) -> u64 {
        self.objects.load(Ordering::Relaxed)
    }

    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// A meter that counts the calls of this collection.
    pub fn counting<M>(self: &Arc<Self>, meter: M) -> Counting<M> {
        Counting { line: Arc::clone(self), meter }
    }

    /// Calls that are left, and whether that is all. Lists that are not begun will take what those took that are; of one
    /// that is on its way nobody knows how long it is, but that it needs one more call.
    fn left(&self, collection: &Collection) -> (u64, bool) {
        let lists = self.lists.load(Ordering::Relaxed);
        let expected = self.expected.load(Ordering::Relaxed).max(1);
        if self.outcome.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return (0, true);
        }
        if collection.parent().is_none() {
            let size = u64::from(collection.page.map_or(1_000, |page| page.size));
            let before = self.before.load(Ordering::Relaxed);
            let pages = before.saturating_sub(self.objects()).div_ceil(size);
            // A list whose length nobody knows has one more page, at least.
            return (pages.max(1), pages > 0 || collection.page.is_none());
        }
        let begun = self.begun.load(Ordering::Relaxed).max(lists);
        let calls_a_list = if begun == 0 { 1.0 } else { (self.calls() as f64 / begun as f64).max(1.0) };
        let left = expected.saturating_sub(begun) as f64 * calls_a_list + (begun - lists) as f64;
        (left.ceil() as u64, self.all_known.load(Ordering::Relaxed))
    }

    fn row(&self, name: &str) -> Row {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Row {
            name: name.to_owned(),
            objects: self.objects(),
            calls: self.calls(),
            lists: self.lists.load(Ordering::Relaxed),
            expected: self.expected.load(Ordering::Relaxed),
            verdict: outcome.as_ref().map(|outcome| outcome.word().to_owned()),
            detail: outcome.as_ref().and_then(|outcome| outcome.detail().map(str::to_owned)),
        }
    }
}

/// See [`Line::counting`].
pub(super) struct Counting<M> {
    line: Arc<Line>,
    meter: M,
}

impl<M: Meter> Meter for Counting<M> {
    type Permit = M::Permit;

    fn before(&self, path: &str) -> impl Future<Output = M::Permit> + Send {
        self.meter.before(path)
    }

    fn after(&self, permit: M::Permit, seen: &Seen<'_>) {
        self.line.calls.fetch_add(1, Ordering::Relaxed);
        self.meter.after(permit, seen);
    }
}
