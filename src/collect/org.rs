//! What all readers of one org share.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::land::Lander;
use super::progress::Progress;
use crate::ack::NotDelivered;
use crate::error::Fatal;
use crate::landing::{Content, Origin};
use crate::merge::cursors;
use crate::merge::snapshots::{Run, Snapshots};
use crate::merge::{StateReader, StoreError};
use crate::okta::api::Client;
use crate::okta::gate::Gate;
use crate::okta::{OrgId, Pace};

/// The state is looked at no more often than this, however fast batches are committed: it is written and read as a
/// whole, about 20 kB.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// An org that is being read.
pub(super) struct Org {
    pub id: OrgId,
    pub client: Client,
    pub gate: Gate,
    pub lander: Lander,
    pub state: Arc<dyn StateReader>,
    /// Changes with every commit of the partition; its sender goes when the partition does.
    pub committed: watch::Receiver<u64>,
    pub progress: Progress,
}

/// Why reading cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The log did not take a record.
    #[error("the landing log did not take what was read")]
    NotLanded(#[source] NotDelivered),
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StoreError),
    /// The org does not let us in.
    #[error("{0}")]
    NoWayIn(String),
    /// The partition is no longer ours, or the process ends.
    #[error("stopped: {0}")]
    Stopped(String),
    /// A reader broke down: a fault of this program.
    #[error("a reader broke down: {0}")]
    Broken(String),
    /// Another snapshot runs now.
    #[error("the snapshot was taken over by another one")]
    Superseded,
}

impl Trouble {
    /// Itself, unless only a person can mend the log: then `what` failed, and after the mend this `goes_on`.
    pub fn unless_hopeless(self, what: &str, goes_on: &str) -> Result<Self, Fatal> {
        match self {
            Self::NotLanded(why @ NotDelivered::Impossible { status, .. }) => {
                Err(Fatal::new(status, what).hint(format!("mend the cause and start again: {goes_on}")).because(why))
            }
            trouble => Ok(trouble),
        }
    }
}

impl Org {
    /// How the org's time goes.
    pub fn pace(&self) -> Pace {
        self.gate.pace()
    }

    /// What time it is at Okta, ms since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        self.client.now_ms()
    }

    /// How the reading stands, as last committed.
    pub fn standing(&self) -> Result<Snapshots, Trouble> {
        Ok(self.state.snapshots(&self.id)?.unwrap_or_default())
    }

    /// The snapshot that runs, if it is this one.
    pub fn running(&self, epoch: i64) -> Result<Run, Trouble> {
        self.standing()?.running.filter(|run| run.epoch == epoch).ok_or(Trouble::Superseded)
    }

    /// The place of this name that was noted last; nothing if it cannot be read any more.
    pub fn place<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Trouble> {
        let place = cursors::place(self.state.as_ref(), &self.id, name)?;
        Ok(place.and_then(|place| serde_json::from_slice(&place).ok()))
    }

    /// Notes a place. It lands behind what was read before, so a crash reads the same again.
    pub async fn note(&self, origin: Origin, name: &str, place: &impl Serialize) -> Result<(), Trouble> {
        // Texts and numbers can always be written as JSON.
        let value = serde_json::to_vec(place).unwrap_or_default();
        let record = (Content::Cursor { name: name.to_owned() }, value);
        self.lander.land(origin, vec![record]).await.map_err(Trouble::NotLanded)
    }
}

/// Waits for a commit after the last look.
pub(super) async fn look_again(committed: &mut watch::Receiver<u64>) -> Result<(), Trouble> {
    tokio::time::sleep(BETWEEN_LOOKS).await;
    committed.changed().await.map_err(|_| Trouble::Stopped("the partition has no owner".into()))
}
