//! Lands the events of a page, and waits for as long as the log is away: with the page in hand, and no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::plan::Slice;
use super::progress::Progress;
use crate::ack::{Ack, NotDelivered, Tally};
use crate::error::Fatal;
use crate::ingest::{Unfit, identify};
use crate::landing::{self, Content, LandingLog, LandingRecord, Origin, Refused};
use crate::okta::OrgId;
use crate::okta::api::Answer;
use crate::publish::{Busy, Found, OutputRecord, PublishError, Rejected, Sink, SourceId};

/// Pause after the log has failed a page, doubled up to the longest. A broker that restarts is back within seconds.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Pause before a full quarantine is offered the same again. It has room again within a broker round trip.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// How long a page may take to land once the process is to stop. What has not landed by then is read again.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Where events go.
#[derive(Clone)]
pub struct Ends {
    /// The landing log.
    pub landing: Arc<dyn LandingLog>,
    /// Whose quarantine takes what is no event.
    pub sink: Arc<dyn Sink>,
}

/// Why reading a slice cannot go on.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The process is to stop.
    Stopped,
    /// A person must act.
    Fatal(Fatal),
}

impl From<Fatal> for Trouble {
    fn from(fatal: Fatal) -> Self {
        Self::Fatal(fatal)
    }
}

/// A page of the log, looked at only as far as uuid and time.
pub(super) struct Events {
    answer: Answer,
    /// In the order of the objects.
    identities: Vec<Result<(Uuid, i64), Unfit>>,
}

impl Events {
    pub fn new(answer: Answer, most_bytes: usize) -> Self {
        let identify = |json: &[u8]| match json.len() <= most_bytes {
            true => identify(json),
            false => Err(("too_large", "larger than the landing log takes")),
        };
        let identities = answer.objects().map(|object| identify(object.json)).collect();
        Self { answer, identities }
    }

    /// Those that are events.
    pub fn fine(&self) -> Vec<(Uuid, i64)> {
        self.identities.iter().filter_map(|identity| identity.ok()).collect()
    }

    pub fn bytes(&self) -> u64 {
        self.answer.body().len() as u64
    }
}

/// Lands what is read of one org.
pub(super) struct Lander {
    pub org: OrgId,
    pub ends: Ends,
    pub progress: Arc<Progress>,
    pub stop: CancellationToken,
}

impl Lander {
    /// The largest event.
    pub fn most_bytes(&self) -> usize {
        self.ends.landing.max_value_bytes()
    }

    /// Lands a page; all of it is durable when this resolves.
    pub async fn events(&self, page: &Events) -> Result<(), Trouble> {
        self.until_landed(|tally| self.append(page, tally)).await
    }

    /// Says that all of a slice is in the log before this.
    pub async fn mark(&self, slice: &Slice) -> Result<(), Trouble> {
        let value = json!({
            "since": slice.since, "until": slice.until,
            "events": slice.tally.events, "uuids_hash": slice.tally.hash(),
        });
        let value = value.to_string().into_bytes();
        self.until_landed(|tally| {
            let record = self.record(Content::Mark { name: "log_slice".into() }, value.clone());
            async move { landing::append(self.ends.landing.as_ref(), record, tally.ack()).await }
        })
        .await
    }

    /// Tries until all of it is acknowledged, or until the process is to stop and it takes too long.
    async fn until_landed<F: Future<Output = ()>>(&self, append: impl Fn(Tally) -> F) -> Result<(), Trouble> {
        let mut pause = FIRST_PAUSE;
        loop {
            let tally = Tally::default();
            let landed = async {
                append(tally.clone()).await;
                tally.settled().await
            };
            let delivery = tokio::select! {
                delivery = landed => delivery,
                () = self.out_of_time() => return Err(Trouble::Stopped),
            };
            let error = match delivery {
                Ok(()) => {
                    self.progress.goes_on();
                    return Ok(());
                }
                Err(NotDelivered::Impossible { what, status }) => {
                    return Err(Fatal::new(status, "what was read cannot be landed")
                        .hint("mend the cause and run it again: it goes on where it was")
                        .because(NotDelivered::Impossible { what, status })
                        .into());
                }
                Err(error) => error,
            };
            self.progress.waits(format!("the landing log does not take it: {error}"));
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                () = self.stop.cancelled() => return Err(Trouble::Stopped),
            }
        }
    }

    async fn append(&self, page: &Events, tally: Tally) {
        for (object, identity) in page.answer.objects().zip(&page.identities) {
            match identity {
                Ok((uuid, published)) => {
                    let content = Content::Event { uuid: *uuid, published: *published };
                    let record = self.record(content, object.json.to_vec());
                    landing::append(self.ends.landing.as_ref(), record, tally.ack()).await;
                }
                Err(unfit) => {
                    self.quarantine(*unfit, object.json, page.answer.request_id.as_deref(), tally.ack()).await
                }
            }
        }
    }

    async fn quarantine(&self, (reason, detail): Unfit, json: &[u8], request: Option<&str>, mut ack: Ack) {
        let rejected = Rejected {
            org: Some(self.org.clone()),
            source: format!("backfill:{}", request.unwrap_or("unknown")),
            stage: "ingest",
            reason,
            detail: detail.to_owned(),
            attempts: 1,
            rejected_at: landing::now_ms(),
            bytes: json.to_vec(),
        };
        while let Err(Busy(back)) = self.ends.sink.quarantine(&rejected, None, ack) {
            ack = back;
            tokio::time::sleep(BUSY_PAUSE).await;
        }
    }

    fn record(&self, content: Content, value: Vec<u8>) -> LandingRecord {
        let (org, landed_at) = (self.org.clone(), landing::now_ms());
        LandingRecord { org, origin: Origin::Backfill, landed_at, content, value }
    }

    async fn out_of_time(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(STOP_PATIENCE).await;
    }
}

/// Counts what lands and keeps nothing: for finding out how fast an org can be read.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// What has landed, marks included.
    pub fn landed(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn take(&self, ack: Ack) {
        self.0.fetch_add(1, Ordering::Relaxed);
        ack.redeem(Ok(()));
    }
}

impl LandingLog for Count {
    fn append(&self, _: LandingRecord, ack: Ack) -> Result<(), Box<Refused>> {
        self.take(ack);
        Ok(())
    }

    fn max_value_bytes(&self) -> usize {
        usize::MAX
    }
}

impl Sink for Count {
    fn publish(&self, _: &OutputRecord, ack: Ack) -> Result<(), Busy> {
        self.take(ack);
        Ok(())
    }

    fn quarantine(&self, _: &Rejected, _: Option<SourceId>, ack: Ack) -> Result<(), Busy> {
        self.take(ack);
        Ok(())
    }

    fn seal(&self, _: i32) -> Result<Vec<u8>, PublishError> {
        Ok(Vec::new())
    }

    fn recover(&self, _: i32, _: u64, _: &[u8], _: &dyn Fn() -> bool) -> Result<Found, PublishError> {
        Ok(Found::default())
    }
}

#[cfg(test)]
mod tests;
