//! What of the fold's work counts: the reader notes which records are asked for, the sink lets only theirs pass.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::super::partition::Stop;
use crate::ack::Ack;
use crate::landing::local::LocalPartition;
use crate::landing::range::RangeReader;
use crate::landing::{Content, LandedRecord, LandingError, LandingPartition, LandingRecord};
use crate::okta::OrgId;
use crate::publish::{Body, Busy, Found, OutputRecord, PublishError, Rejected, Sink, SourceId};

/// How long the last batch may take to be acknowledged, once all is read.
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);

/// Which time of a record decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// When it was landed.
    Landed,
    /// When the event was published by Okta; what is no event has no such time.
    Published,
}

/// Which records are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// By which time.
    pub by: By,
    /// From when on, ms since the Unix epoch.
    pub since: Option<i64>,
    /// And before when.
    pub until: Option<i64>,
    /// Of which orgs; of all if none is named.
    pub orgs: BTreeSet<String>,
}

impl Scope {
    /// Whether the record is asked for.
    pub fn covers(&self, record: &LandingRecord) -> bool {
        let time = match (self.by, &record.content) {
            (By::Landed, _) => record.landed_at,
            (By::Published, Content::Event { published, .. }) => *published,
            (By::Published, _) => return false,
        };
        self.covers_org(&record.org)
            && self.since.is_none_or(|since| since <= time)
            && self.until.is_none_or(|until| time < until)
    }

    /// Whether anything of the org may be asked for.
    pub fn covers_org(&self, org: &OrgId) -> bool {
        self.orgs.is_empty() || self.orgs.contains(org.as_str())
    }
}

/// What was done, for those who watch, and for the summary.
#[derive(Debug, Default)]
pub struct Tallies {
    /// Records that were read.
    pub read: AtomicU64,
    /// Of these, the ones that were asked for.
    pub chosen: AtomicU64,
    /// What came of them.
    outputs: Mutex<Outputs>,
}

/// Records that are stored, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Published, by class.
    pub published: BTreeMap<&'static str, u64>,
    /// In quarantine, by reason.
    pub quarantined: BTreeMap<&'static str, u64>,
}

impl Tallies {
    /// What came of the records until now.
    pub fn outputs(&self) -> Outputs {
        lock(&self.outputs).clone()
    }
}

/// The chosen offsets of the batch in hand.
#[derive(Debug, Default)]
pub(super) struct Chosen(Mutex<BTreeSet<u64>>);

impl Chosen {
    fn has(&self, offset: u64) -> bool {
        lock(&self.0).contains(&offset)
    }
}

/// A log of which only a part is there.
pub(super) enum Part {
    Kafka(RangeReader),
    Local { reader: LocalPartition, position: u64 },
}

impl Part {
    fn next(&mut self, timeout: Duration) -> Result<Option<LandedRecord>, LandingError> {
        match self {
            Self::Kafka(reader) => reader.next(timeout),
            Self::Local { reader, position } => {
                let record = reader.next(timeout)?;
                *position = record.as_ref().map_or(*position, |record| record.offset + 1);
                Ok(record)
            }
        }
    }

    fn position(&self) -> u64 {
        match self {
            Self::Kafka(reader) => reader.position(),
            Self::Local { position, .. } => *position,
        }
    }

    fn seek(&mut self, next_offset: u64) -> Result<(), LandingError> {
        match self {
            Self::Kafka(reader) => reader.seek(next_offset),
            Self::Local { reader, position } => {
                *position = next_offset;
                reader.seek(next_offset)
            }
        }
    }
}

/// Reads up to an end, notes which records are chosen, and stops the fold when all is committed.
pub(super) struct ScopedReader {
    pub part: Part,
    /// Where the part begins: what is before was not asked for.
    pub start: u64,
    pub end: u64,
    pub scope: Arc<Scope>,
    pub chosen: Arc<Chosen>,
    pub tallies: Arc<Tallies>,
    pub stop: Arc<Stop>,
    /// Told when everything up to the end is committed.
    pub finished: Arc<AtomicBool>,
    /// Records were given out since the last commit.
    pub open: bool,
}

impl ScopedReader {
    fn finish(&self) {
        self.finished.store(true, Ordering::Release);
        self.stop.ask(Instant::now() + PATIENCE);
    }
}

impl LandingPartition for ScopedReader {
    fn next(&mut self, timeout: Duration) -> Result<Option<LandedRecord>, LandingError> {
        if self.part.position() >= self.end {
            if !self.open {
                self.finish();
            }
            return Ok(None);
        }
        let Some(record) = self.part.next(timeout)? else { return Ok(None) };
        if record.offset >= self.end {
            return Ok(None);
        }
        self.open = true;
        self.tallies.read.fetch_add(1, Ordering::Relaxed);
        if record.content.as_ref().is_ok_and(|record| self.scope.covers(record)) {
            self.tallies.chosen.fetch_add(1, Ordering::Relaxed);
            lock(&self.chosen.0).insert(record.offset);
        }
        Ok(Some(record))
    }

    fn commit(&mut self, next_offset: u64) -> Result<(), LandingError> {
        self.open = false;
        let mut chosen = lock(&self.chosen.0);
        *chosen = chosen.split_off(&next_offset);
        Ok(())
    }

    fn seek(&mut self, next_offset: u64) -> Result<(), LandingError> {
        self.open = false;
        // What is read again is counted again, and what it comes to is found where it was published.
        let again = std::mem::take(&mut *lock(&self.chosen.0)).len() as u64;
        self.tallies.chosen.fetch_sub(again, Ordering::Relaxed);
        let next_offset = next_offset.max(self.start);
        let before = self.part.position();
        self.tallies.read.fetch_sub(before.saturating_sub(next_offset), Ordering::Relaxed);
        self.part.seek(next_offset)
    }
}

/// Lets pass what comes of chosen records.
pub(super) struct ScopedSink {
    /// Where it goes; nowhere in a rehearsal.
    pub inner: Option<Arc<dyn Sink>>,
    pub chosen: Arc<Chosen>,
    pub tallies: Arc<Tallies>,
    /// The topics hold the newest of the inventory already, and an older state must not come behind it.
    pub events_only: bool,
    /// Nothing was published yet: nothing is to be looked for.
    pub fresh: AtomicBool,
}

impl ScopedSink {
    fn counted(&self, ack: Ack, count: impl FnOnce(&mut Outputs) + Send + Sync + 'static) -> Ack {
        let tallies = Arc::clone(&self.tallies);
        ack.once_delivered(move || count(&mut lock(&tallies.outputs)))
    }
}

impl Sink for ScopedSink {
    fn publish(&self, record: &OutputRecord, ack: Ack) -> Result<(), Busy> {
        if !self.chosen.has(record.source.offset) || (self.events_only && record.class.is_inventory()) {
            ack.redeem(Ok(()));
            return Ok(());
        }
        let (class, counts) = (record.class.name(), u64::from(matches!(record.body, Body::Record(_))));
        let ack = self.counted(ack, move |outputs| *outputs.published.entry(class).or_default() += counts);
        match &self.inner {
            Some(inner) => inner.publish(record, ack),
            None => {
                ack.redeem(Ok(()));
                Ok(())
            }
        }
    }

    fn quarantine(&self, rejected: &Rejected, from: Option<SourceId>, ack: Ack) -> Result<(), Busy> {
        if !from.is_some_and(|source| self.chosen.has(source.offset)) {
            ack.redeem(Ok(()));
            return Ok(());
        }
        let reason = rejected.reason;
        let ack = self.counted(ack, move |outputs| *outputs.quarantined.entry(reason).or_default() += 1);
        match &self.inner {
            Some(inner) => inner.quarantine(rejected, from, ack),
            None => {
                ack.redeem(Ok(()));
                Ok(())
            }
        }
    }

    fn seal(&self, partition: i32) -> Result<Vec<u8>, PublishError> {
        self.inner.as_ref().map_or(Ok(Vec::new()), |inner| inner.seal(partition))
    }

    fn recover(
        &self,
        partition: i32,
        from: u64,
        sealed: &[u8],
        stopped: &dyn Fn() -> bool,
    ) -> Result<Found, PublishError> {
        match &self.inner {
            Some(inner) if !self.fresh.swap(false, Ordering::AcqRel) => inner.recover(partition, from, sealed, stopped),
            _ => Ok(Found::default()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::landing::Origin;
    use uuid::Uuid;

    fn record(org: &str, landed_at: i64, content: Content) -> LandingRecord {
        LandingRecord { org: OrgId::new(org), origin: Origin::Sqs, landed_at, content, value: Vec::new() }
    }

    fn event(published: i64) -> Content {
        Content::Event { uuid: Uuid::nil(), published }
    }

    #[test]
    fn a_scope_covers_by_org_and_by_either_time() {
        let scope = |by, orgs: &[&str]| Scope {
            by,
            since: Some(10),
            until: Some(20),
            orgs: orgs.iter().map(|org| (*org).to_owned()).collect(),
        };
        let landed = scope(By::Landed, &[]);
        let covered: Vec<i64> = (8..22).filter(|at| landed.covers(&record("acme", *at, event(0)))).collect();
        assert_eq!(covered, (10..20).collect::<Vec<_>>(), "from the first time on, before the second");
        let published = scope(By::Published, &["acme"]);
        assert!(published.covers(&record("acme", 0, event(15))) && !published.covers(&record("acme", 15, event(0))));
        assert!(!published.covers(&record("globex", 0, event(15))));
        let mark = Content::Mark { name: "listed".into() };
        assert!(landed.covers(&record("acme", 15, mark.clone())) && !published.covers(&record("acme", 15, mark)));
        let all = Scope { by: By::Landed, since: None, until: None, orgs: BTreeSet::new() };
        assert!(all.covers(&record("acme", i64::MIN, event(0))) && all.covers(&record("acme", i64::MAX, event(0))));
    }
}
