//! Windows of time of which the System Log is to be read again: something changed in them that no event announced.
//!
//! Whoever reads the log asks for those that are [`open`], lands the events, and behind them a mark `log_reread` with the
//! window that was read.

use super::state::{decode, key};
use super::store::InventoryStore;
use crate::merge::StoreError;
use crate::okta::OrgId;

/// What the keys of these begin with.
const REREADS: u8 = b'R';

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
