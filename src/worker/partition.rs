//! One landing partition: fold, map, publish, commit; batch after batch.
//!
//! A batch is committed in this order, and a crash between any two steps repeats, never skips: outputs handed to the
//! sink → all acknowledged → state and offset in one store transaction → offset told to the log.

mod trouble;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use super::Shared;
use super::changelog::{Changelog, ChangelogError, Pen};
use super::mapping::Mapping;
use super::reporting::{Reporting, Told};
use crate::ack::{Ack, Tally};
use crate::config::MergeConfig;
use crate::error::{Chain, Fatal};
use crate::json::{Lazy, Tape};
use crate::landing::{Content, LandedRecord, LandingPartition, LandingRecord, MalformedRecord};
use crate::merge::{Fold, Folded, RedbStore, StateStore, Verdict};
use crate::ocsf::Class as OcsfClass;
use crate::okta::OrgId;
use crate::publish::{Body, Busy, Found, Limit, OutputRecord, Rejected, Sink, SourceId};
use crate::telemetry::metrics;
use trouble::Trouble;

/// How long the thread waits for a record, and so how late it notices a stop.
const POLL: Duration = Duration::from_millis(100);

/// Pause before a busy sink is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(2);

/// Pause before a partition is opened again after trouble that may pass; doubled up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(15);

/// The owner of one partition.
pub struct PartitionWorker {
    partition: i32,
    reader: Box<dyn LandingPartition>,
    store: RedbStore,
    sink: Arc<dyn Sink>,
    limit: Arc<Limit>,
    merge: MergeConfig,
    mapping: Mapping,
    reporting: Reporting,
    bounds: Bounds,
    stop: Arc<Stop>,
}

/// Between what the earlier owners have done, and what this one has.
pub struct Bounds {
    /// Earlier owners published everything before this offset.
    pub published_before: u64,
    /// Told the next offset after every commit.
    pub committed: watch::Sender<u64>,
    /// Where a copy of the state is kept, if one is.
    pub changelog: Option<Changelog>,
}

/// How a partition is asked to stop: after the batch in hand, and if that cannot be delivered, at a given time.
#[derive(Debug, Default)]
pub struct Stop {
    asked: AtomicBool,
    give_up_at: OnceLock<Instant>,
}

impl Stop {
    /// Asks; whoever asks first says until when the batch in hand may take.
    pub fn ask(&self, give_up_at: Instant) {
        let _ = self.give_up_at.set(give_up_at);
        self.asked.store(true, Ordering::Release);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// The batch in hand has had its time.
    pub(super) fn is_over(&self) -> bool {
        self.give_up_at.get().is_some_and(|at| Instant::now() >= *at)
    }
}

/// One batch on its way.
#[derive(Default)]
struct Batch {
    tally: Tally,
    published: HashMap<OcsfClass, u64>,
    /// `published` times of the events, for their age at the acknowledgement.
    event_times: Vec<i64>,
    fresh: u64,
    duplicates: u64,
    /// Observations, marks and cursors.
    noted: u64,
    malformed: u64,
    suppressed: u64,
    quarantined: Vec<&'static str>,
}

impl PartitionWorker {
    /// Nothing happens before [`PartitionWorker::run`].
    pub fn new(
        partition: i32,
        shared: &Shared,
        reader: Box<dyn LandingPartition>,
        store: RedbStore,
        bounds: Bounds,
        stop: Arc<Stop>,
        limit: Arc<Limit>,
    ) -> Self {
        Self {
            partition,
            reader,
            store,
            sink: Arc::clone(&shared.sink),
            limit,
            merge: shared.config.merge.clone(),
            mapping: Mapping::new(&shared.config, Arc::clone(&shared.event_types)),
            reporting: Reporting::new(&shared.config.publish, shared.config.privacy.privacy()),
            bounds,
            stop,
        }
    }

    /// Works until stopped. Trouble that may pass starts the partition anew from its last commit. False when it had to
    /// give up a batch of which something may still be delivered.
    ///
    /// # Errors
    /// What only a person can mend.
    pub fn run(mut self) -> Result<bool, Fatal> {
        let mut pause = FIRST_PAUSE;
        loop {
            let before = self.store.next_offset();
            let trouble = match self.work() {
                Ok(()) => return Ok(true),
                Err(Trouble::Stopped) => return Ok(false),
                Err(_) if self.stopping() => return Ok(true),
                Err(trouble) => trouble,
            };
            if let Some(fatal) = trouble.fatal(self.partition, self.store.path()) {
                return Err(fatal.because(trouble));
            }
            if self.store.next_offset() > before {
                pause = FIRST_PAUSE;
            }
            let (partition, pause_ms) = (self.partition, u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
            tracing::warn!(partition, error = %Chain(&trouble), pause_ms, "partition starts anew from its last commit");
            metrics::partition_restarted(self.partition);
            self.rest(pause);
            pause = (pause * 2).min(MAX_PAUSE);
            self.seek_last_commit();
            if self.stopping() {
                return Ok(true);
            }
        }
    }

    /// Reading on from anywhere but the last commit would skip what the failed batch held: seeks until it works or the
    /// worker stops, and warns once, so that a partition that waits here is seen to wait.
    fn seek_last_commit(&mut self) {
        let partition = self.partition;
        let mut warned = false;
        while let Err(error) = self.reader.seek(self.store.next_offset()) {
            if !std::mem::replace(&mut warned, true) {
                tracing::warn!(partition, error = %Chain(&error), "seek of the last commit failed, tried until it works");
            }
            self.rest(FIRST_PAUSE);
            if self.stopping() {
                return;
            }
        }
    }

    fn rest(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.stopping() {
            std::thread::sleep(POLL.min(pause));
        }
    }

    /// Batches until stopped.
    fn work(&mut self) -> Result<(), Trouble> {
        let mut pen = self.take_over()?;
        let from = self.store.next_offset().max(self.bounds.published_before);
        let stop = Arc::clone(&self.stop);
        let mut known =
            self.sink.recover(self.partition, from, self.store.sink_position(), &move || stop.is_asked())?;
        self.seal_start()?;
        let (mut fold, mut tape) = (Fold::new(&self.store, self.merge.dedupe_window_days), Tape::default());
        while !self.stopping() {
            let records = self.next_batch()?;
            if records.is_empty() {
                continue;
            }
            let mut batch = Batch::default();
            for record in records {
                self.take(record, &mut tape, &mut fold, &known, &mut batch)?;
                if fold.is_full() {
                    self.commit(&mut fold, std::mem::take(&mut batch), pen.as_mut())?;
                }
            }
            if !batch.is_empty() {
                self.commit(&mut fold, batch, pen.as_mut())?;
            }
            known.forget_before(self.source_id(self.store.next_offset()));
        }
        Ok(())
    }

    /// Has the state that the changelog says, and the right to write to it. Others may read the state from here on.
    fn take_over(&mut self) -> Result<Option<Pen>, Trouble> {
        let before = self.store.next_offset();
        let changelog = self.bounds.changelog.clone();
        let pen = changelog.map(|changelog| changelog.take_over(&mut self.store, &self.stop)).transpose()?;
        let next_offset = self.store.next_offset();
        if next_offset != before {
            self.reader.seek(next_offset)?;
        }
        // An owner that was killed may not have told it, and the next record may be long in coming.
        self.tell_offset(next_offset);
        metrics::partition_offset(self.partition, next_offset);
        self.bounds.committed.send_replace(next_offset);
        Ok(pen)
    }

    fn source_id(&self, offset: u64) -> SourceId {
        SourceId { partition: self.partition, offset, index: 0 }
    }

    /// Files that were there before the first commit are noted, so that a crash in the first batch can cut back to it.
    fn seal_start(&mut self) -> Result<(), Trouble> {
        if self.store.sink_position().is_empty() {
            let sealed = self.sink.seal(self.partition)?;
            if !sealed.is_empty() {
                let changes = Fold::new(&self.store, self.merge.dedupe_window_days).finish(&self.store, sealed);
                self.store.commit(&changes)?;
            }
        }
        Ok(())
    }

    /// What is there now, as far as one batch goes; waits for the first record only.
    fn next_batch(&mut self) -> Result<Vec<LandedRecord>, Trouble> {
        let mut records = Vec::new();
        let mut bytes = 0;
        let mut timeout = POLL;
        while records.len() < self.merge.batch_records && bytes < self.merge.batch_bytes {
            let Some(record) = self.reader.next(timeout)? else { break };
            bytes += record.content.as_ref().map_or(0, |content| content.value.len());
            records.push(record);
            timeout = Duration::ZERO;
        }
        Ok(records)
    }

    fn take(
        &mut self,
        landed: LandedRecord,
        tape: &mut Tape,
        fold: &mut Fold,
        known: &Found,
        batch: &mut Batch,
    ) -> Result<(), Trouble> {
        // A log may give a record again around a seek; it is part of the state already.
        if landed.offset < self.store.next_offset() {
            return Ok(());
        }
        let source = self.source_id(landed.offset);
        let there = landed.offset < self.bounds.published_before || known.has_event(source);
        let record = match landed.content {
            Ok(record) => record,
            Err(newer @ MalformedRecord::Newer(_)) => return Err(Trouble::Newer(newer)),
            Err(MalformedRecord::Header { header, value }) => {
                fold.skip(landed.offset);
                batch.malformed += 1;
                let detail = format!("the header {header:?} is missing or unreadable");
                let rejected = self.rejected(source, None, "malformed_record", detail, value);
                return if there { Ok(()) } else { self.quarantine(&rejected, source, batch) };
            }
        };
        let event = Lazy::new(&record.value, tape);
        let folded = fold.apply_read(landed.offset, &record, &event, &self.store)?;
        match folded.verdict {
            Verdict::Duplicate => batch.duplicates += 1,
            Verdict::Noted => batch.noted += 1,
            Verdict::Unreadable => {
                batch.malformed += 1;
                if !there {
                    let detail = "the mark or cursor says nothing that can be read".to_owned();
                    let of = Some((&record.org, record.landed_at));
                    let rejected = self.rejected(source, of, "malformed_record", detail, record.value.clone());
                    self.quarantine(&rejected, source, batch)?;
                }
            }
            Verdict::Fresh if there => {
                batch.fresh += 1;
                batch.suppressed += 1;
            }
            Verdict::Fresh => {
                batch.fresh += 1;
                self.publish(&record, &event, source, fold, batch)?;
            }
        }
        // An event is the first of its record's outputs.
        let first = SourceId { index: u32::from(matches!(record.content, Content::Event { .. })), ..source };
        self.tell(&folded, (&record.org, record.landed_at), first, known, batch)
    }

    /// Publishes what else the fold says after a record of an org and a time, as far as it is not there.
    fn tell(
        &mut self,
        folded: &Folded,
        of: (&OrgId, i64),
        first: SourceId,
        known: &Found,
        batch: &mut Batch,
    ) -> Result<(), Trouble> {
        for (index, told) in (first.index..).zip(Told::all(folded)) {
            let source = SourceId { index, ..first };
            if source.offset < self.bounds.published_before || known.has(told.class(), source) {
                batch.suppressed += 1;
                continue;
            }
            told.note(of.0);
            match self.reporting.map(source, of, told) {
                Ok(output) => {
                    if matches!(output.body, Body::Record(_)) {
                        *batch.published.entry(output.class).or_default() += 1;
                    }
                    self.insist(batch.tally.ack(), |ack| self.sink.publish(&output, ack))?;
                    crate::crash_point!("fold.told");
                }
                Err(refused) => {
                    let rejected = self.rejected(source, Some(of), refused.reason, refused.detail, refused.bytes);
                    self.quarantine(&rejected, source, batch)?;
                }
            }
        }
        Ok(())
    }

    fn publish(
        &mut self,
        record: &LandingRecord,
        event: &Lazy<'_>,
        source: SourceId,
        fold: &Fold,
        batch: &mut Batch,
    ) -> Result<(), Trouble> {
        let published = match record.content {
            Content::Event { published, .. } => published,
            _ => record.landed_at,
        };
        let known = fold.knowledge(&self.store, &record.org, published);
        let mapped = self.mapping.map(source.offset, record, event, Some(&known));
        // What the disk refused to say was left out of the record, which is given up with the batch.
        known.failed()?;
        let (class, json) = match mapped {
            Ok(mapped) => mapped,
            Err((reason, detail)) => {
                let of = Some((&record.org, record.landed_at));
                let rejected = self.rejected(source, of, reason, detail, record.value.clone());
                return self.quarantine(&rejected, source, batch);
            }
        };
        self.limit.note(None)?;
        *batch.published.entry(class).or_default() += 1;
        if let Content::Event { published, .. } = record.content {
            batch.event_times.push(published);
        }
        let output = OutputRecord { class, key: record.org.to_string(), source, body: Body::Record(json) };
        self.insist(batch.tally.ack(), |ack| self.sink.publish(&output, ack))
    }

    fn rejected(
        &self,
        source: SourceId,
        of: Option<(&OrgId, i64)>,
        reason: &'static str,
        detail: String,
        bytes: Vec<u8>,
    ) -> Rejected {
        Rejected {
            org: of.map(|(org, _)| org.clone()),
            source: format!("landing:{}:{}", source.partition, source.offset),
            stage: "ocsf",
            reason,
            detail,
            attempts: 1,
            // Not a clock: the same log gives the same quarantine.
            rejected_at: of.map_or(0, |(_, landed_at)| landed_at),
            bytes,
        }
    }

    fn quarantine(&self, rejected: &Rejected, source: SourceId, batch: &mut Batch) -> Result<(), Trouble> {
        self.limit.note(Some(rejected.reason))?;
        batch.quarantined.push(rejected.reason);
        self.insist(batch.tally.ack(), |ack| self.sink.quarantine(rejected, Some(source), ack))
    }

    /// Offers until the sink takes it; back-pressure ends here, as the reader is not asked for more meanwhile.
    fn insist(&self, mut ack: Ack, offer: impl Fn(Ack) -> Result<(), Busy>) -> Result<(), Trouble> {
        loop {
            match offer(ack) {
                Ok(()) => return Ok(()),
                Err(Busy(back)) => ack = back,
            }
            if self.stop.is_over() {
                return Err(Trouble::Stopped);
            }
            std::thread::sleep(BUSY_PAUSE);
        }
    }

    fn commit(&mut self, fold: &mut Fold, batch: Batch, pen: Option<&mut Pen>) -> Result<(), Trouble> {
        crate::crash_point!("fold.published");
        let sealed = self.sink.seal(self.partition)?;
        loop {
            match batch.tally.wait(POLL) {
                Some(Ok(())) => break,
                Some(Err(failure)) => return Err(Trouble::NotDelivered(failure)),
                None if self.stop.is_over() => return Err(Trouble::Stopped),
                None => {}
            }
        }
        crate::crash_point!("fold.acknowledged");
        let mut changes = fold.finish(&self.store, sealed);
        let started = Instant::now();
        // Behind the outputs: whoever goes on from the changelog must find that they are out.
        match pen.map(|pen| pen.write(&mut changes, &self.stop)) {
            Some(Err(ChangelogError::Stopped)) => return Err(Trouble::Stopped),
            written => written.transpose()?,
        };
        self.store.commit(&changes)?;
        metrics::commit(started.elapsed());
        crate::crash_point!("fold.committed");
        self.bounds.committed.send_replace(changes.next_offset);
        self.tell_offset(changes.next_offset);
        batch.report(self.partition, changes.next_offset);
        Ok(())
    }

    /// Tells the log up to where all is published.
    fn tell_offset(&mut self, next_offset: u64) {
        // An owner that folds the past again has published nothing new of it, and must not take the group's word back.
        if let Err(error) = self.reader.commit(next_offset.max(self.bounds.published_before)) {
            // Only watchers and the next owner look at it, and the next commit brings it along.
            tracing::debug!(partition = self.partition, error = %Chain(&error), "offset not told to the log");
        }
    }

    fn stopping(&self) -> bool {
        self.stop.is_asked()
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.fresh + self.duplicates + self.noted + self.malformed == 0
    }

    fn report(&self, partition: i32, next_offset: u64) {
        metrics::partition_offset(partition, next_offset);
        metrics::folded("fresh", self.fresh);
        metrics::folded("duplicate", self.duplicates);
        metrics::folded("noted", self.noted);
        metrics::folded("malformed", self.malformed);
        metrics::suppressed(self.suppressed);
        for reason in &self.quarantined {
            metrics::quarantined("ocsf", reason);
        }
        for (class, count) in &self.published {
            metrics::published(class.name(), *count);
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        for published in &self.event_times {
            let then = Duration::from_millis(u64::try_from(*published).unwrap_or_default());
            metrics::event_age(now.saturating_sub(then));
        }
    }
}
