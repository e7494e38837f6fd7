//! Where all of it is in the ordered store.

use crate::merge::StoreError;
use crate::okta::OrgId;

/// What every key of this module begins with; the kinds of the inventory are small letters.
const KIND: u8 = b'L';
const HOURS: u8 = b'h';
const STANDING: u8 = b's';

/// The counts of an hour, counted from the Unix epoch. Keys are in the order of time.
pub(super) fn hour(org: &OrgId, hour: i64) -> Vec<u8> {
    let mut key = of(org, HOURS);
    key.extend_from_slice(&(hour.cast_unsigned() ^ (1 << 63)).to_be_bytes());
    key
}

/// The hour of such a key.
pub(super) fn hour_of(key: &[u8]) -> Option<i64> {
    let bytes = key.last_chunk::<8>()?;
    Some((u64::from_be_bytes(*bytes) ^ (1 << 63)).cast_signed())
}

/// What is kept of an org beside the counts.
pub(super) fn standing(org: &OrgId) -> Vec<u8> {
    of(org, STANDING)
}

/// A zero ends the name, which holds none.
fn of(org: &OrgId, what: u8) -> Vec<u8> {
    [&[KIND], org.as_str().as_bytes(), &[0, what]].concat()
}

pub(super) fn damaged(what: &str) -> StoreError {
    StoreError {
        operation: "be read",
        source: ::redb::Error::Corrupted(format!("the ledger of the System Log: {what}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_in_the_order_of_time_and_orgs_apart() {
        let acme = OrgId::new("acme");
        let hours = [i64::MIN, -1, 0, 1, 255, 256, i64::MAX];
        let keys = hours.map(|nth| hour(&acme, nth));
        assert!(keys.is_sorted());
        assert_eq!(keys.map(|key| hour_of(&key)), hours.map(Some));
        assert!(hour(&acme, i64::MAX) < hour(&OrgId::new("acme2"), i64::MIN));
        assert!(standing(&acme) > hour(&acme, i64::MAX));
    }
}
