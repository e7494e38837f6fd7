//! What is kept of drift and of alerts, for those who ask how an org stands.

use serde::{Deserialize, Serialize};

use super::{Alerted, Reporter};
use crate::merge::StoreError;
use crate::merge::inventory::output::{Alert, Drift, DriftKind};
use crate::merge::inventory::state::{after_all, decode, key};
use crate::merge::inventory::store::{InventoryStore, each};
use crate::okta::OrgId;

/// What the keys of these begin with.
const DRIFT: u8 = b'D';
const ALERT: u8 = b'A';

/// How many changes of a facet no event announced, since the state was begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftCounts {
    /// Things that were otherwise than before.
    pub changed: u64,
    /// Things that were not there before.
    pub appeared: u64,
    /// Things that were gone.
    pub vanished: u64,
    /// When the last one had happened at the latest, ms since the Unix epoch by Okta's clock.
    pub last: i64,
}

impl DriftCounts {
    /// All of them.
    pub fn all(&self) -> u64 {
        self.changed + self.appeared + self.vanished
    }
}

/// The last alert of its kind about a collection. It stays until a person has seen to it, or a later one replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAlert {
    /// `braked`, `no_canary` or `unconfirmable`.
    pub kind: String,
    /// The facet of the collection.
    pub facet: String,
    /// What was not found, if it is about one thing.
    pub key: String,
    /// The snapshot.
    pub epoch: i64,
    /// How many are missing; 0 if it is not about that.
    pub missing: u64,
    /// Of how many; 0 if it is not about that.
    pub live: u64,
    /// What it says, for people.
    pub says: String,
    /// When it came out, ms since the Unix epoch by the log's clock.
    pub at: i64,
}

/// How much drift there was, by facet, as last committed.
///
/// # Errors
/// When the disk cannot be read.
pub fn drifts(store: &(impl InventoryStore + ?Sized), org: &OrgId) -> Result<Vec<(String, DriftCounts)>, StoreError> {
    let from = key(DRIFT, org.as_str(), &[""]);
    let mut found = Vec::new();
    each(store, &from, &after_all(&from), |key, value| {
        let facet = String::from_utf8_lossy(key.get(from.len()..).unwrap_or_default()).into_owned();
        found.push((facet, decode(value)?));
        Ok(())
    })?;
    Ok(found)
}

/// The alerts that are kept of an org, as last committed.
///
/// # Errors
/// When the disk cannot be read.
pub fn alerts(store: &(impl InventoryStore + ?Sized), org: &OrgId) -> Result<Vec<KeptAlert>, StoreError> {
    let from = key(ALERT, org.as_str(), &[""]);
    let mut found = Vec::new();
    each(store, &from, &after_all(&from), |_, value| {
        found.push(decode(value)?);
        Ok(())
    })?;
    Ok(found)
}

impl<S: InventoryStore> Reporter<'_, S> {
    pub(super) fn count(&mut self, drift: &Drift) -> Result<(), StoreError> {
        let place = key(DRIFT, self.org.as_str(), &[drift.slot.facet()]);
        let mut counts: DriftCounts = self.state.read(&place)?.unwrap_or_default();
        let count = match drift.kind {
            DriftKind::Changed => &mut counts.changed,
            DriftKind::Appeared => &mut counts.appeared,
            DriftKind::Vanished => &mut counts.vanished,
        };
        *count += 1;
        counts.last = counts.last.max(drift.between.1);
        self.state.write(place, Some(&counts))
    }

    pub(super) fn keep(&mut self, alerted: &Alerted) -> Result<(), StoreError> {
        let (slot, epoch) = alerted.about();
        let (missing, live) = match alerted.alert {
            Alert::Braked { candidates, live, .. } => (candidates, live),
            Alert::Unconfirmable { candidates, .. } => (candidates, 0),
            Alert::NoCanary { .. } => (0, 0),
        };
        let kept = KeptAlert {
            kind: alerted.word().to_owned(),
            facet: slot.facet().to_owned(),
            key: slot.key.clone(),
            epoch,
            missing,
            live,
            says: alerted.says(),
            at: alerted.at,
        };
        let place = key(ALERT, self.org.as_str(), &[slot.facet(), alerted.word()]);
        self.state.write(place, Some(&kept))
    }
}
