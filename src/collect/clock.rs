//! What of an org's state must not wait for the next record: what is to be published is driven by ticks when nothing else
//! lands, and how fresh the state is, is shown from time to time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::collector::Ends;
use super::land::Lander;
use super::org::{Trouble, look_again};
use crate::error::{Chain, Fatal};
use crate::landing::{self, Content, Origin};
use crate::merge::StoreError;
use crate::merge::inventory::freshness;
use crate::merge::inventory::reports::{Pending, TICK, pending};
use crate::okta::OrgId;
use crate::telemetry::metrics;

/// What waits must stand still for so long before it is driven: long against the pause between two records of a busy log,
/// and short for whoever waits for a record.
const STANDSTILL: Duration = Duration::from_millis(500);

/// Ticks that land together: a thousand things with each round trip through the log, so that 100,000 take some seconds.
const TICKS: usize = 16;

/// Pause after trouble that may pass.
const PAUSE: Duration = Duration::from_secs(5);

/// How often it is shown how fresh the state is: every head is looked at, which for 100,000 users takes a good part of a
/// second.
const BETWEEN_SHOWS: Duration = Duration::from_secs(300);

/// Drives what of an org waits to be published, until stopped.
///
/// # Errors
/// When the landing log cannot be written until a person acts.
pub async fn tick(org: OrgId, ends: Ends, stop: CancellationToken) -> Result<(), Fatal> {
    let clock = Clock { lander: Lander::new(org.clone(), Arc::clone(&ends.landing), ends.room.clone()), org, ends };
    tokio::select! {
        fatal = clock.go_on() => fatal,
        () = stop.cancelled() => Ok(()),
    }
}

/// Shows how fresh the state of an org is, until stopped.
pub async fn watch(org: OrgId, ends: Ends, stop: CancellationToken) {
    let showing = async {
        if !ends.caught_up().await {
            return;
        }
        loop {
            let (org, state) = (org.clone(), Arc::clone(&ends.state));
            let shown = tokio::task::spawn_blocking(move || show(&org, state.as_ref()));
            if let Ok(Err(error)) = shown.await {
                tracing::debug!(error = %Chain(&error), "how fresh the state is cannot be read");
            }
            tokio::time::sleep(BETWEEN_SHOWS).await;
        }
    };
    tokio::select! {
        () = showing => {}
        () = stop.cancelled() => {}
    }
}

struct Clock {
    org: OrgId,
    ends: Ends,
    lander: Lander,
}

impl Clock {
    async fn go_on(&self) -> Result<(), Fatal> {
        if !self.ends.caught_up().await {
            return Ok(());
        }
        loop {
            match self.step().await {
                Ok(()) => {}
                // The owner of the partition is gone, and we with it.
                Err(Trouble::Stopped(_)) => return Ok(()),
                Err(trouble) => {
                    let goes_on = "what waits to be published goes on where it was";
                    let trouble = trouble.unless_hopeless("a tick cannot be landed", goes_on)?;
                    tracing::debug!(org = %self.org, error = %Chain(&trouble), "what waits to be published waits on");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Waits until something waits that nothing else drives, and then drives it until nothing does.
    async fn step(&self) -> Result<(), Trouble> {
        let mut committed = self.ends.committed.clone();
        committed.mark_unchanged();
        let before = self.pending()?;
        if before.is_empty() {
            return look_again(&mut committed).await;
        }
        tokio::time::sleep(STANDSTILL).await;
        let mut now = self.pending()?;
        let stands_still = now == before;
        while stands_still && !now.is_empty() {
            committed.mark_unchanged();
            let ticks = vec![(Content::Mark { name: TICK.to_owned() }, b"null".to_vec()); TICKS];
            self.lander.land(Origin::Snapshot, ticks).await.map_err(Trouble::NotLanded)?;
            self.until_moved(&now, &mut committed).await?;
            now = self.pending()?;
        }
        Ok(())
    }

    async fn until_moved(&self, from: &Pending, committed: &mut watch::Receiver<u64>) -> Result<(), Trouble> {
        while self.pending()? == *from {
            look_again(committed).await?;
        }
        Ok(())
    }

    fn pending(&self) -> Result<Pending, Trouble> {
        let found = pending(self.ends.state.as_ref(), &self.org)?;
        metrics::inventory_waiting(self.org.as_str(), found.users);
        Ok(found)
    }
}

fn show(org: &OrgId, state: &dyn crate::merge::StateReader) -> Result<(), StoreError> {
    for row in freshness(state, org, landing::now_ms())? {
        metrics::inventory(org.as_str(), row.collection, row.live, row.gone);
        if let Some(ages) = row.staleness {
            let ages = [("0.5", ages.p50), ("0.99", ages.p99), ("1", ages.max)];
            metrics::staleness(org.as_str(), row.collection, ages);
        }
    }
    Ok(())
}
