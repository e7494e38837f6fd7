//! Lands the elements of a text, batch by batch, and says how far everything before is landed.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{Element, Elements, Place};
use crate::ack::{Ack, NotDelivered, Tally};
use crate::ingest::{Arrived, Poison, QueueOrgs, decode};
use crate::landing::{self, Content, LandingLog, LandingRecord, Origin, Refused};
use crate::publish::{Busy, Limit, Rejected, Sink, TooMuchIsBad};

/// Elements in a batch. Of a usual size (1.5 kB) that is some 3 MB, and at 100,000 a second its acknowledgement, a few
/// milliseconds, is hidden behind the reading of the next one.
const BATCH_ELEMENTS: u64 = 2_000;

/// Bytes of elements in a batch; with [`BATCHES`] what may be under way.
const BATCH_BYTES: u64 = 8 << 20;

/// Batches under way: one is read while the other is acknowledged.
const BATCHES: usize = 2;

/// Pause before a record or a rejected element is offered again. Refusals end within a broker round trip.
const REFUSED_PAUSE: Duration = Duration::from_millis(5);

/// How long one look at a batch under way takes, and so how late a stop is noticed.
const LOOK: Duration = Duration::from_millis(100);

/// How long a stop waits for what is under way; what is not acknowledged by then is read again by the next run.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Why the loading of a text ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The text cannot be read on: the disk refuses, or what is packed is damaged.
    #[error("it cannot be read on")]
    Input(#[source] std::io::Error),
    /// The log or the quarantine did not take something.
    #[error("something was not stored")]
    NotDelivered(#[source] NotDelivered),
    /// Nearly everything is bad.
    #[error(transparent)]
    TooMuchIsBad(#[from] TooMuchIsBad),
    /// Asked to stop.
    #[error("interrupted")]
    Stopped,
}

/// What became of the elements of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Elements that were read.
    pub elements: u64,
    /// Events that are in the landing log; an element may hold several.
    pub landed: u64,
    /// What is in quarantine, by reason.
    pub quarantined: BTreeMap<String, u64>,
}

impl Counts {
    /// Adds what became of others.
    pub fn add(&mut self, others: &Self) {
        self.elements += others.elements;
        self.landed += others.landed;
        for (reason, count) in &others.quarantined {
            *self.quarantined.entry(reason.clone()).or_default() += count;
        }
    }

    /// All that is in quarantine.
    pub fn bad(&self) -> u64 {
        self.quarantined.values().sum()
    }
}

/// For those who watch the loading from elsewhere.
#[derive(Debug, Default)]
pub struct Watch {
    /// Elements that were read.
    pub elements: AtomicU64,
    /// Of these, the ones in quarantine.
    pub bad: AtomicU64,
}

/// Lands texts.
pub struct Loader {
    /// Where events go.
    pub landing: Arc<dyn LandingLog>,
    /// Where the quarantine is.
    pub sink: Arc<dyn Sink>,
    /// Whose events they are.
    pub orgs: QueueOrgs,
    /// Ends the loading when nearly everything is bad.
    pub limit: Limit,
    /// Told as it goes.
    pub watch: Arc<Watch>,
    /// Ends the loading.
    pub stop: CancellationToken,
}

/// Elements whose acknowledgements are counted together.
#[derive(Default)]
struct Batch {
    tally: Tally,
    counts: Counts,
    bytes: u64,
    /// Behind its last element.
    end: Place,
}

impl Loader {
    /// Lands everything from where `elements` stands to its end. `noted` is told, in order, up to which place everything
    /// is landed or in quarantine, and what became of it since the last time. Blocking.
    ///
    /// # Errors
    /// [`LoadError`]; what was noted stays true.
    pub fn load<R: Read>(
        &self,
        name: &str,
        elements: &mut Elements<R>,
        noted: &mut dyn FnMut(Place, &Counts),
    ) -> Result<(), LoadError> {
        let mut under_way = VecDeque::new();
        let ended = self.read(name, elements, &mut under_way, noted);
        // What was read before the trouble counts all the same.
        let deadline = Instant::now() + STOP_PATIENCE;
        while let Some(batch) = under_way.pop_front() {
            let patience = ended.is_err().then_some(deadline);
            self.settle(&batch, patience)?;
            noted(batch.end, &batch.counts);
        }
        ended
    }

    fn read<R: Read>(
        &self,
        name: &str,
        elements: &mut Elements<R>,
        under_way: &mut VecDeque<Batch>,
        noted: &mut dyn FnMut(Place, &Counts),
    ) -> Result<(), LoadError> {
        loop {
            let mut batch = Batch { end: elements.place(), ..Batch::default() };
            let filled = self.fill(name, elements, &mut batch);
            let more = !matches!(filled, Ok(false));
            batch.end = if filled.is_ok() { elements.place() } else { batch.end };
            if batch.counts.elements > 0 || !more {
                under_way.push_back(batch);
            }
            filled?;
            while under_way.len() >= BATCHES {
                let Some(batch) = under_way.front() else { break };
                self.settle(batch, None)?;
                noted(batch.end, &batch.counts);
                under_way.pop_front();
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Lands elements until the batch is full; false at the end of the text. [`Batch::end`] is always behind an element
    /// of which everything was handed over.
    fn fill<R: Read>(&self, name: &str, elements: &mut Elements<R>, batch: &mut Batch) -> Result<bool, LoadError> {
        while batch.counts.elements < BATCH_ELEMENTS && batch.bytes < BATCH_BYTES {
            if self.stop.is_cancelled() {
                return Err(LoadError::Stopped);
            }
            let Some(element) = elements.next_element().map_err(LoadError::Input)? else { return Ok(false) };
            self.land(name, &element, batch)?;
            batch.counts.elements += 1;
            batch.bytes += element.bytes.len() as u64;
            self.watch.elements.fetch_add(1, Ordering::Relaxed);
            batch.end = elements.place();
        }
        Ok(true)
    }

    fn land(&self, name: &str, element: &Element<'_>, batch: &mut Batch) -> Result<(), LoadError> {
        if element.is_cut {
            let detail = format!("more than {} bytes; only the first ones are here", element.bytes.len());
            let poison = Poison { reason: "too_large", detail, bytes: element.bytes.to_vec() };
            return self.quarantine(name, element.place, poison, batch);
        }
        for decoded in decode(element.bytes, &self.orgs) {
            match decoded {
                Ok(arrived) => {
                    self.limit.note(None)?;
                    self.append(arrived, batch)?;
                }
                Err(poison) => self.quarantine(name, element.place, poison, batch)?,
            }
        }
        Ok(())
    }

    fn append(&self, arrived: Arrived, batch: &mut Batch) -> Result<(), LoadError> {
        let mut record = LandingRecord {
            org: arrived.org,
            origin: Origin::Backfill,
            landed_at: landing::now_ms(),
            content: Content::Event { uuid: arrived.uuid, published: arrived.published },
            value: arrived.value,
        };
        let mut ack = batch.tally.ack();
        while let Err(refused) = self.landing.append(record, ack) {
            Refused(record, ack) = *refused;
            ack = self.rest(ack)?;
        }
        batch.counts.landed += 1;
        Ok(())
    }

    fn quarantine(&self, name: &str, place: Place, poison: Poison, batch: &mut Batch) -> Result<(), LoadError> {
        self.limit.note(Some(poison.reason))?;
        let rejected = Rejected {
            org: self.orgs.only().cloned(),
            source: format!("file:{name}:{}:{}", place.line, place.elements + 1),
            stage: "ingest",
            reason: poison.reason,
            detail: poison.detail,
            attempts: 1,
            rejected_at: landing::now_ms(),
            bytes: poison.bytes,
        };
        let mut ack = batch.tally.ack();
        while let Err(Busy(back)) = self.sink.quarantine(&rejected, None, ack) {
            ack = self.rest(back)?;
        }
        *batch.counts.quarantined.entry(poison.reason.to_owned()).or_default() += 1;
        self.watch.bad.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Pauses before something is offered again, and gives its ack back. At a stop it is not offered again, and owes the
    /// batch nothing, which ends before its element.
    fn rest(&self, ack: Ack) -> Result<Ack, LoadError> {
        if self.stop.is_cancelled() {
            ack.redeem(Ok(()));
            return Err(LoadError::Stopped);
        }
        std::thread::sleep(REFUSED_PAUSE);
        Ok(ack)
    }

    /// Waits until everything in the batch is stored; at a stop, and where something else ended the loading already,
    /// not for long.
    fn settle(&self, batch: &Batch, deadline: Option<Instant>) -> Result<(), LoadError> {
        let mut deadline = deadline;
        loop {
            match batch.tally.wait(LOOK) {
                Some(delivery) => return delivery.map_err(LoadError::NotDelivered),
                None if self.stop.is_cancelled() => {
                    deadline = Some(deadline.unwrap_or_else(|| Instant::now() + STOP_PATIENCE));
                }
                None => {}
            }
            if deadline.is_some_and(|at| Instant::now() >= at) {
                return Err(LoadError::Stopped);
            }
        }
    }
}
