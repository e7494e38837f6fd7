//! What stands where in the file.

use redb::TableDefinition;

use super::super::Bucket;
use crate::merge::snapshots::Roster;

/// Layout of the file. An older one is brought to this one when it is opened; a newer one is refused.
pub(super) const FORMAT: u64 = 2;

pub(super) const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
pub(super) const SINK: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sink");
/// (org, day) → day on which something was last added.
pub(super) const BUCKETS: TableDefinition<'_, (&str, i64), i64> = TableDefinition::new("buckets");
/// Org → how the reading of its inventory stands, as JSON.
pub(super) const SNAPSHOTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("snapshots");
/// What else is known, by key: the inventory first of all.
pub(super) const STATE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("state");
/// What the changelog keeps of itself.
pub(super) const NOTES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("notes");

/// The number in [`NUMBERS`] that says that the file holds a part of a state only.
pub(super) const UNFINISHED: &str = "unfinished";

/// Names of the tables of one roster begin with these.
pub(super) const ROSTER: &str = "roster/";
pub(super) const LISTED: &str = "listed/";
/// Name of the table of a bucket begins with this.
pub(super) const WAYS: &str = "ways/";

/// Place → key.
pub(super) fn keys(name: &str) -> TableDefinition<'_, u64, &'static str> {
    TableDefinition::new(name)
}

/// Key → place.
pub(super) fn places(name: &str) -> TableDefinition<'_, &'static str, u64> {
    TableDefinition::new(name)
}

/// Uuid by time → ways.
pub(super) fn ways(name: &str) -> TableDefinition<'_, &'static [u8; 16], u8> {
    TableDefinition::new(name)
}

pub(super) fn keys_name(roster: &Roster) -> String {
    format!("{ROSTER}{}/{}/{}", roster.org, roster.epoch, roster.name)
}

pub(super) fn places_name(roster: &Roster) -> String {
    format!("{LISTED}{}/{}/{}", roster.org, roster.epoch, roster.name)
}

pub(super) fn ways_name(bucket: &Bucket) -> String {
    format!("{WAYS}{}/{}", bucket.org, bucket.day)
}

/// The bytes of a uuid with those of its time first and in order. Okta's are of version 1, whose time stands in pieces,
/// the quickest first, so that what happens together would be stored all over the table: each event would cost a page of
/// its own. What has no time in it loses nothing but that.
pub(super) fn by_time(uuid: &[u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *uuid;
    [g, h, e, f, a, b, c, d, i, j, k, l, m, n, o, p]
}

/// The uuid again.
pub(super) fn uuid_of(by_time: &[u8; 16]) -> [u8; 16] {
    let [g, h, e, f, a, b, c, d, i, j, k, l, m, n, o, p] = *by_time;
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn uuids_of_version_1_stand_in_the_order_of_their_time() {
        // One second apart each, over a turn of the lowest part of the time.
        let texts = ["ffe3a300-598c-11ef-8478-2b7584bf8d5a", "007c3980-598d-11ef-8478-2b7584bf8d5a"];
        let [first, then] = texts.map(|text| Uuid::try_parse(text).unwrap().into_bytes());
        assert!(first > then, "as bytes they are the other way round");
        assert!(by_time(&first) < by_time(&then));
        assert_eq!(uuid_of(&by_time(&first)), first);
    }
}
