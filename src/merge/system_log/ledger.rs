//! The ledger as others read it.

use super::hours::{Counts, Hour};
use super::{HOUR_MS, MINUTE_MS, keys, minute_of, standing};
use crate::merge::StoreError;
use crate::merge::inventory::InventoryStore;
use crate::okta::OrgId;

/// The longest time that is told at once, minutes: a little more than the 90 days that Okta keeps.
const MOST_MINUTES: i64 = 100 * 24 * 60;

/// Rows that are read of the store at once.
const STRETCH: usize = 512;

/// What is known of one minute of an org's log, by the `published` of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minute {
    /// Its beginning, ms since the Unix epoch.
    pub at: i64,
    /// The events that came.
    pub counts: Counts,
    /// Whether it is proven that these are all there are.
    pub complete: bool,
}

/// Every minute from the one of a time on and up to before the one of another, as last committed; of a longer time than
/// 100 days only the end.
///
/// # Errors
/// When the disk cannot be read.
pub fn ledger(
    store: &(impl InventoryStore + ?Sized),
    org: &OrgId,
    from: i64,
    until: i64,
) -> Result<Vec<Minute>, StoreError> {
    let until = minute_of(until);
    let from = minute_of(from).max(until.saturating_sub(MOST_MINUTES * MINUTE_MS));
    let complete = standing(store, org)?.complete;
    let count = usize::try_from((until - from).max(0) / MINUTE_MS).unwrap_or_default();
    let mut minutes: Vec<Minute> = (0i64..)
        .take(count)
        .map(|nth| {
            let at = from + nth * MINUTE_MS;
            Minute { at, counts: Counts::default(), complete: complete.cover(at, at + MINUTE_MS) }
        })
        .collect();
    let end = keys::hour(org, until.div_euclid(HOUR_MS).saturating_add(1));
    let mut next = Some(keys::hour(org, from.div_euclid(HOUR_MS)));
    while let Some(begin) = next {
        let rows = store.range(&begin, &end, STRETCH)?;
        next = rows.last().filter(|_| rows.len() == STRETCH).map(|(key, _)| [key.as_slice(), &[0]].concat());
        for (key, row) in rows {
            let Some(hour) = keys::hour_of(&key) else { continue };
            for (at, counts) in (0i64..).map(|nth| hour * HOUR_MS + nth * MINUTE_MS).zip(Hour::decode(&row)?.minutes())
            {
                let nth = usize::try_from((at - from).div_euclid(MINUTE_MS)).ok();
                if let Some(minute) = nth.and_then(|nth| minutes.get_mut(nth)) {
                    minute.counts = counts;
                }
            }
        }
    }
    Ok(minutes)
}
