//! Windows of time of which the System Log is to be read again: something changed in them that no event announced.
//!
//! Whoever reads the log asks for those that are [`open`], lands the events, and behind them a mark `log_reread` with the
//! window that was read.

use serde::{Deserialize, Serialize};

use super::output::Drift;
use super::settings::Settings;
use super::state::{State, decode, key};
use super::store::InventoryStore;
use crate::merge::StoreError;
use crate::okta::OrgId;

/// What the keys of these begin with.
const REREADS: u8 = b'R';

/// The name of the mark.
pub const LOG_REREAD: &str = "log_reread";

/// Windows closer to each other than this are one: a reading of the log takes a call at least, which brings the events of
/// some minutes.
const APART_MS: i64 = 300_000;

/// More windows than this of one org are made one by one where they are closest: each is a query of its own.
const MOST_WINDOWS: usize = 64;

/// How far back a window goes if nothing says when the thing was not there yet: a snapshot a day is usual.
const UNSEEN_MS: i64 = 86_400_000;

/// How far back Okta keeps its log.
const KEPT_MS: i64 = 90 * 86_400_000;

/// The content of the mark: what was read, ms since the Unix epoch by Okta's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogReread {
    /// From this time on.
    pub since: i64,
    /// Before this time.
    pub until: i64,
}

/// A window: from one time on and before another, ms since the Unix epoch by Okta's clock.
pub type Window = (i64, i64);

/// The windows that are to be read, oldest first, as last committed. None touches another.
///
/// # Errors
/// When the disk cannot be read.
pub fn open(store: &(impl InventoryStore + ?Sized), org: &OrgId) -> Result<Vec<Window>, StoreError> {
    let stored = store.get(&key(REREADS, org.as_str(), &[]))?;
    Ok(stored.map(|value| decode(&value)).transpose()?.unwrap_or_default())
}

/// Takes a mark, if it is one of these. One that says nothing readable closes nothing.
pub(super) fn take<S: InventoryStore>(
    state: &mut State<'_, S>,
    org: &OrgId,
    name: &str,
    value: &[u8],
) -> Result<(), StoreError> {
    if name != LOG_REREAD {
        return Ok(());
    }
    let Ok(LogReread { since, until }) = serde_json::from_slice(value) else { return Ok(()) };
    let mut windows = read(state, org)?;
    close(&mut windows, (since, until));
    write(state, org, &windows)
}

/// Opens the window in which something drifted.
pub(super) fn add<S: InventoryStore>(
    state: &mut State<'_, S>,
    settings: &Settings,
    drift: &Drift,
) -> Result<(), StoreError> {
    let org = drift.slot.org.clone();
    let mut windows = read(state, &org)?;
    let (since, until) = drift.between;
    let since = since.unwrap_or(until - UNSEEN_MS).max(until - KEPT_MS);
    // An event may be dated a little before its change, and the log shows it a little after.
    let margin = settings.announced_within_ms;
    insert(&mut windows, (since - margin, until + margin));
    write(state, &org, &windows)
}

fn read<S: InventoryStore>(state: &State<'_, S>, org: &OrgId) -> Result<Vec<Window>, StoreError> {
    Ok(state.read(&key(REREADS, org.as_str(), &[]))?.unwrap_or_default())
}

fn write<S: InventoryStore>(state: &mut State<'_, S>, org: &OrgId, windows: &Vec<Window>) -> Result<(), StoreError> {
    let kept = (!windows.is_empty()).then_some(windows);
    state.write(key(REREADS, org.as_str(), &[]), kept)
}

/// Adds a window, and makes one of those that are close to each other.
fn insert(windows: &mut Vec<Window>, window: Window) {
    windows.push(window);
    windows.sort_unstable();
    windows.dedup_by(|next, window| {
        let close = next.0 - window.1 <= APART_MS;
        if close {
            window.1 = window.1.max(next.1);
        }
        close
    });
    while windows.len() > MOST_WINDOWS {
        let gaps = windows.iter().zip(windows.iter().skip(1)).map(|(one, next)| next.0 - one.1).enumerate();
        let Some((closest, _)) = gaps.min_by_key(|(_, gap)| *gap) else { return };
        let next = windows.remove(closest + 1);
        if let Some(window) = windows.get_mut(closest) {
            window.1 = next.1;
        }
    }
}

/// Takes what was read out of what is to be read.
fn close(windows: &mut Vec<Window>, read: Window) {
    let left = windows.iter().flat_map(|(since, until)| {
        let before = (*since, (*until).min(read.0));
        let after = ((*since).max(read.1), *until);
        // What was read may lie wholly beside it, and then one of these is all of it.
        if read.1 <= read.0 { [(*since, *until), (0, 0)] } else { [before, after] }
    });
    *windows = left.filter(|(since, until)| since < until).collect();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn windows_that_are_close_are_one() {
        let mut windows = Vec::new();
        insert(&mut windows, (10_000_000, 11_000_000));
        insert(&mut windows, (0, 1_000_000));
        assert_eq!(windows, [(0, 1_000_000), (10_000_000, 11_000_000)]);
        insert(&mut windows, (1_200_000, 1_300_000));
        assert_eq!(windows, [(0, 1_300_000), (10_000_000, 11_000_000)]);
        insert(&mut windows, (500_000, 10_500_000));
        assert_eq!(windows, [(0, 11_000_000)]);
    }

    #[test]
    fn what_was_read_is_closed_and_the_rest_stays() {
        for (read, left) in [
            ((0, 100), vec![]),
            ((10, 20), vec![(0, 10), (20, 100)]),
            ((-5, 50), vec![(50, 100)]),
            ((50, 500), vec![(0, 50)]),
            ((100, 200), vec![(0, 100)]),
            ((-50, 0), vec![(0, 100)]),
            ((50, 50), vec![(0, 100)]),
            ((60, 40), vec![(0, 100)]),
        ] {
            let mut windows = vec![(0, 100)];
            close(&mut windows, read);
            assert_eq!(windows, left, "{read:?}");
        }
    }

    proptest! {
        /// However many windows are added: all of them are covered, none touches another, and there are not too many.
        #[test]
        fn nothing_that_was_added_is_forgotten(
            added in prop::collection::vec((0..100_000_000_000i64, 1..10_000_000i64), 0..200),
        ) {
            let added: Vec<Window> = added.into_iter().map(|(since, long)| (since, since + long)).collect();
            let mut windows = Vec::new();
            for window in &added {
                insert(&mut windows, *window);
            }
            prop_assert!(windows.len() <= MOST_WINDOWS);
            prop_assert!(windows.windows(2).all(|pair| pair[0].1 < pair[1].0));
            for (since, until) in added {
                prop_assert!(windows.iter().any(|window| window.0 <= since && until <= window.1));
            }
        }
    }
}
