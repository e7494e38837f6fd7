//! Lands a page of the log, and then the place behind it: never the other way round, and never both at once, so that no
//! place passes an event that is not durable.

use std::sync::Arc;
use std::time::Duration;

use super::page::Page;
use super::{Trouble, millis};
use crate::ack::{NotDelivered, Tally};
use crate::collect::Lander;
use crate::ingest::Poison;
use crate::landing::{self, Content, Origin};
use crate::merge::system_log::marks::LogMark;
use crate::merge::system_log::{CURSOR, Cursor};
use crate::okta::OrgId;
use crate::okta::api::Request;
use crate::publish::{Busy, Rejected, Sink};
use crate::telemetry::metrics;

/// Where nothing comes, a place is noted this often: the minutes of the ledger become complete by it, and a poll each five
/// seconds would otherwise land seventeen thousand places a day that say nothing.
const QUIET_MS: i64 = 60_000;

/// Pause before a busy quarantine is offered the same again. It is free again within a broker round trip.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Lands what the poll brings.
pub(super) struct Landing {
    org: OrgId,
    lander: Lander,
    sink: Arc<dyn Sink>,
    /// How long the org's log stream may take, if there is one.
    grace: Option<Duration>,
    /// When the page was asked for behind which a place was noted last.
    noted: i64,
}

impl Landing {
    pub fn new(org: OrgId, lander: Lander, sink: Arc<dyn Sink>, grace: Option<Duration>) -> Self {
        Self { org, lander, sink, grace, noted: i64::MIN }
    }

    /// Lands a page of the poll and the place where it goes on; everything persisted since `from` was read.
    pub async fn page(&mut self, page: &mut Page, next: &Request, from: i64, end: bool) -> Result<(), Trouble> {
        let events = page.count();
        self.events(page).await?;
        crate::crash_point!("poll.landed");
        if events == 0 && page.asked.saturating_sub(self.noted) < QUIET_MS {
            return Ok(());
        }
        let stream_grace = self.grace.map(millis);
        let cursor = Cursor { next: next.target(), from, asked: page.asked, end, events, stream_grace };
        // Texts and numbers can always be written as JSON.
        let value = serde_json::to_vec(&cursor).unwrap_or_default();
        self.land(vec![(Content::Cursor { name: CURSOR.into() }, value)]).await?;
        self.noted = page.asked;
        crate::crash_point!("poll.noted");
        Ok(())
    }

    /// Lands the events of a page, and sets aside what is none.
    pub async fn events(&self, page: &mut Page) -> Result<(), Trouble> {
        self.set_aside(std::mem::take(&mut page.poison)).await?;
        self.land(std::mem::take(&mut page.events)).await
    }

    /// Lands a mark.
    pub async fn mark(&self, mark: &LogMark) -> Result<(), Trouble> {
        let Ok((name, value)) = mark.write() else { return Ok(()) };
        self.land(vec![(Content::Mark { name: name.into() }, value)]).await
    }

    async fn land(&self, records: Vec<(Content, Vec<u8>)>) -> Result<(), Trouble> {
        if records.is_empty() {
            return Ok(());
        }
        self.lander.land(Origin::Poll, records).await.map_err(Trouble::NotLanded)
    }

    async fn set_aside(&self, poison: Vec<Poison>) -> Result<(), Trouble> {
        let tally = Tally::default();
        for poison in poison {
            let reason = poison.reason;
            let rejected = Rejected {
                org: Some(self.org.clone()),
                source: format!("poll:{}", self.org),
                stage: "ingest",
                reason,
                detail: poison.detail,
                attempts: 1,
                rejected_at: landing::now_ms(),
                bytes: poison.bytes,
            };
            let mut ack = tally.ack().once_delivered(move || metrics::quarantined("ingest", reason));
            while let Err(Busy(back)) = self.sink.quarantine(&rejected, None, ack) {
                ack = back;
                tokio::time::sleep(BUSY_PAUSE).await;
            }
        }
        tally.settled().await.map_err(Trouble::NotLanded)
    }
}

impl Trouble {
    /// What only a person can mend.
    pub fn hopeless(&self) -> Option<&NotDelivered> {
        match self {
            Self::NotLanded(why @ NotDelivered::Impossible { .. }) => Some(why),
            _ => None,
        }
    }
}
