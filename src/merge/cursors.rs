//! Places that readers note for themselves and that mean nothing to the fold: it keeps the newest of each name.

use super::inventory::{InventoryStore, Writes};
use super::store::StoreError;
use crate::okta::OrgId;

/// What the keys begin with in the table that they share with the inventory.
const CURSOR: u8 = b'k';

/// Keeps a place.
pub(super) fn keep(writes: &mut Writes, org: &OrgId, name: &str, place: &[u8]) {
    writes.insert(key(org, name), Some(place.to_vec()));
}

/// The place of this name that was noted last, as last committed.
///
/// # Errors
/// When the disk cannot be read.
pub fn place(store: &(impl InventoryStore + ?Sized), org: &OrgId, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    store.get(&key(org, name))
}

fn key(org: &OrgId, name: &str) -> Vec<u8> {
    [&[CURSOR], org.as_str().as_bytes(), &[0], name.as_bytes()].concat()
}
