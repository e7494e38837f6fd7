//! How fresh what is known of an org is.

use std::collections::BTreeMap;

use serde::Serialize;

use super::head::Head;
use super::reports::{DriftCounts, drifts};
use super::slot::by_facet;
use super::state::{HEAD, LEDGER, Ledger, after_all, decode, key};
use super::store::{InventoryStore, each};
use crate::merge::StoreError;
use crate::okta::OrgId;

/// How fresh one collection is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Freshness {
    /// Its name.
    pub collection: &'static str,
    /// The facet that it tells.
    pub facet: &'static str,
    /// How many slots are there: objects, or lists of a collection whose lists are one each.
    pub live: u64,
    /// How many are known to be gone.
    pub gone: u64,
    /// The last snapshot that read it completely, ms since the Unix epoch by Okta's clock.
    pub last_complete: Option<i64>,
    /// How long ago those that are there were last seen to be as they are known; nothing if none is.
    pub staleness: Option<Staleness>,
    /// Fetches that are open.
    pub open_intents: u64,
    /// Changes that no event announced.
    pub drift: DriftCounts,
}

/// How long ago, ms: that half, 99 of 100, and all are no staler than.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // the names say it
pub struct Staleness {
    pub p50: i64,
    pub p99: i64,
    pub max: i64,
}

#[derive(Default)]
struct Seen {
    gone: u64,
    /// How long ago each that is there was confirmed.
    ages: Vec<i64>,
}

/// How fresh every collection is of which something is known, in the order of their facets, as last committed. `now` is
/// by Okta's clock. Looks at every head, not at what the slots say: about a second for a million of them.
///
/// # Errors
/// When the disk cannot be read.
pub fn freshness(store: &(impl InventoryStore + ?Sized), org: &OrgId, now: i64) -> Result<Vec<Freshness>, StoreError> {
    let mut found: BTreeMap<&'static str, Freshness> = BTreeMap::new();
    for (facet, Seen { gone, ages }) in seen(store, org, now)? {
        if let Some(row) = row(&mut found, facet) {
            (row.live, row.gone) = (ages.len() as u64, gone);
            row.staleness = staleness(ages);
        }
    }
    let from = key(LEDGER, org.as_str(), &[""]);
    each(store, &from, &after_all(&from), |key, value| {
        let ledger: Ledger = decode(value)?;
        if let Some(row) = name(key, from.len()).and_then(|facet| row(&mut found, facet)) {
            (row.last_complete, row.open_intents) = (ledger.last_complete, ledger.open);
        }
        Ok(())
    })?;
    for (facet, counts) in drifts(store, org)? {
        if let Some(row) = by_facet(&facet).and_then(|collection| row(&mut found, collection.facet)) {
            row.drift = counts;
        }
    }
    Ok(found.into_values().collect())
}

/// What is there and what is gone, by facet.
fn seen(
    store: &(impl InventoryStore + ?Sized),
    org: &OrgId,
    now: i64,
) -> Result<BTreeMap<&'static str, Seen>, StoreError> {
    let from = key(HEAD, org.as_str(), &[""]);
    let mut found: BTreeMap<&'static str, Seen> = BTreeMap::new();
    each(store, &from, &after_all(&from), |key, value| {
        let Some(facet) = name(key, from.len()) else { return Ok(()) };
        let head: Head = decode(value)?;
        let seen = found.entry(facet).or_default();
        if head.is_gone() {
            seen.gone += 1;
        } else {
            seen.ages.push((now - head.confirmed_as_of).max(0));
        }
        Ok(())
    })?;
    Ok(found)
}

/// The facet in a key, which stands behind so many bytes.
fn name(key: &[u8], behind: usize) -> Option<&'static str> {
    let rest = key.get(behind..)?;
    let facet = rest.split(|byte| *byte == 0).next()?;
    by_facet(std::str::from_utf8(facet).ok()?).map(|collection| collection.facet)
}

fn row<'r>(found: &'r mut BTreeMap<&'static str, Freshness>, facet: &'static str) -> Option<&'r mut Freshness> {
    let collection = by_facet(facet)?;
    Some(found.entry(facet).or_insert_with(|| Freshness {
        collection: collection.name,
        facet,
        live: 0,
        gone: 0,
        last_complete: None,
        staleness: None,
        open_intents: 0,
        drift: DriftCounts::default(),
    }))
}

fn staleness(mut ages: Vec<i64>) -> Option<Staleness> {
    let most = ages.len().checked_sub(1)?;
    let mut at = |place: usize| *ages.select_nth_unstable(place).1;
    // The smallest age that at least this share of all does not exceed.
    let share = |percent: usize| ((most + 1) * percent).div_ceil(100) - 1;
    Some(Staleness { p50: at(share(50)), p99: at(share(99)), max: at(most) })
}
