//! Lands what was read: in order, within bounds, and never more than once told to be durable.

use std::sync::Arc;
use tokio::sync::Semaphore;

use crate::ack::{Ack, NotDelivered, Tally};
use crate::landing::{self, Content, LandingLog, LandingRecord, Origin};
use crate::okta::OrgId;
use crate::telemetry::metrics;

/// Bytes of all orgs that may be on their way into the log at once: a few of the largest pages. Who reads on meanwhile
/// holds no more than two pages for each list.
const BYTES_IN_FLIGHT: usize = 32 << 20;

/// The room that all landers of a process share.
#[derive(Clone)]
pub struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BYTES_IN_FLIGHT)))
    }
}

/// Appends the records of one org.
#[derive(Clone)]
pub(crate) struct Lander {
    org: OrgId,
    landing: Arc<dyn LandingLog>,
    room: Room,
}

impl Lander {
    pub fn new(org: OrgId, landing: Arc<dyn LandingLog>, room: Room) -> Self {
        Self { org, landing, room }
    }

    /// The largest value of a record.
    pub fn max_value_bytes(&self) -> usize {
        self.landing.max_value_bytes()
    }

    /// Appends all, in their order; they are durable when this resolves.
    pub async fn land(&self, origin: Origin, records: Vec<(Content, Vec<u8>)>) -> Result<(), NotDelivered> {
        let bytes: usize = records.iter().map(|(_, value)| value.len()).sum();
        let wanted = u32::try_from(bytes.min(BYTES_IN_FLIGHT)).unwrap_or(u32::MAX);
        // The semaphore is never closed, so the only refusal is one that cannot happen.
        let _room = self.room.0.acquire_many(wanted).await;
        let tally = Tally::default();
        for (content, value) in records {
            let record = self.record(origin, content, value);
            landing::append(self.landing.as_ref(), record, self.counted(origin, tally.ack())).await;
        }
        tally.settled().await
    }

    /// Appends one record without waiting for it: for what only saves work.
    pub async fn note(&self, origin: Origin, content: Content, value: Vec<u8>) {
        let org = self.org.clone();
        let ack = Ack::new(move |delivery| {
            if let Err(error) = delivery {
                tracing::debug!(%org, %error, "a note was not landed");
            }
        });
        let record = self.record(origin, content, value);
        landing::append(self.landing.as_ref(), record, self.counted(origin, ack)).await;
    }

    fn record(&self, origin: Origin, content: Content, value: Vec<u8>) -> LandingRecord {
        LandingRecord { org: self.org.clone(), origin, landed_at: landing::now_ms(), content, value }
    }

    fn counted(&self, origin: Origin, ack: Ack) -> Ack {
        let org = self.org.clone();
        let since = std::time::Instant::now();
        ack.once_delivered(move || metrics::landed(org.as_str(), origin.as_str(), since.elapsed()))
    }
}
