//! Events and rosters, many in a record.

use super::VERSION;
use crate::merge::snapshots::Roster;
use crate::merge::store::{Listed, Ways};

/// An event in a chunk: its uuid and the ways by which it came.
pub(super) type Row = ([u8; 16], Ways);

const ROW_BYTES: usize = 17;

/// Events in a chunk at most; some 70 kB.
pub(super) const MOST_ROWS: usize = if cfg!(test) { 4 } else { 4_096 };

/// Events of a bucket. `added` is the day on which the last of them came, by the fold's clock; a chunk without events
/// is what is left of one that was void.
pub(super) fn write_events(added: i64, rows: &[Row]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(9 + rows.len() * ROW_BYTES);
    bytes.push(VERSION);
    bytes.extend_from_slice(&added.to_be_bytes());
    for (uuid, ways) in rows {
        bytes.extend_from_slice(uuid);
        bytes.push(ways.0);
    }
    bytes
}

/// Reads them again, behind the version.
pub(super) fn read_events(bytes: &[u8]) -> Option<(i64, Vec<Row>)> {
    let (added, rows) = bytes.split_first_chunk()?;
    let (rows, rest) = rows.as_chunks::<ROW_BYTES>();
    let row = |row: &[u8; ROW_BYTES]| {
        let (ways, uuid) = row.split_last()?;
        Some((uuid.try_into().ok()?, Ways(*ways)))
    };
    let rows = rows.iter().map(row).collect::<Option<_>>()?;
    rest.is_empty().then_some((i64::from_be_bytes(*added), rows))
}

/// Keys that follow each other on one roster.
pub(super) fn write_keys(listed: &[Listed]) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&listed.first().map_or(0, |first| first.place).to_be_bytes());
    for Listed { key, .. } in listed {
        bytes.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(key.as_bytes());
    }
    bytes
}

/// Reads them again, behind the version.
pub(super) fn read_keys(roster: &Roster, bytes: &[u8]) -> Option<Vec<Listed>> {
    let (first, mut rest) = bytes.split_first_chunk()?;
    let mut place = u64::from_be_bytes(*first);
    let mut listed = Vec::new();
    while let Some((length, more)) = rest.split_first_chunk() {
        let (key, more) = more.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        listed.push(Listed { roster: roster.clone(), place, key: std::str::from_utf8(key).ok()?.to_owned() });
        place += 1;
        rest = more;
    }
    rest.is_empty().then_some(listed)
}
