//! Files of older versions.

use redb::{ReadableTable, TableDefinition, TableHandle, WriteTransaction};

use super::super::Ways;
use super::layout::{NUMBERS, by_time, ways};

/// A bucket of format 1: uuids as they are, and nothing of how they came.
fn seen(name: &str) -> TableDefinition<'_, &'static [u8; 16], ()> {
    TableDefinition::new(name)
}

/// The prefix of the names of such tables.
const SEEN: &str = "seen/";

/// From format 1 to 2. What was seen came by the stream, as there was no other way then.
pub(super) fn from_1(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    let names: Vec<String> = transaction.list_tables()?.map(|table| table.name().to_owned()).collect();
    for name in names.iter().filter(|name| name.starts_with(SEEN)) {
        let bucket = name.trim_start_matches(SEEN);
        let mut rows = Vec::new();
        for entry in transaction.open_table(seen(name))?.iter()? {
            rows.push(by_time(entry?.0.value()));
        }
        // In the order of the new table, which was not that of the old one.
        rows.sort_unstable();
        let name_now = format!("{}{bucket}", super::layout::WAYS);
        let mut table = transaction.open_table(ways(&name_now))?;
        for row in &rows {
            table.insert(row, Ways::STREAM.0)?;
        }
        drop(table);
        transaction.delete_table(seen(name))?;
    }
    transaction.open_table(NUMBERS)?.insert("format", 2)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use redb::Database;

    use super::super::RedbStore;
    use super::super::layout::{BUCKETS, NUMBERS, SINK, SNAPSHOTS};
    use super::*;
    use crate::merge::{Bucket, Seen, StateStore};
    use crate::okta::OrgId;

    /// A file as version 1 wrote it.
    fn write_1(path: &std::path::Path, format: u64, uuids: &[[u8; 16]]) {
        let transaction = Database::create(path).unwrap().begin_write().unwrap();
        {
            let mut numbers = transaction.open_table(NUMBERS).unwrap();
            for (name, number) in [("format", format), ("next_offset", 41), ("clock", 7)] {
                numbers.insert(name, number).unwrap();
            }
            transaction.open_table(SINK).unwrap().insert("position", b"sealed".as_slice()).unwrap();
            transaction.open_table(BUCKETS).unwrap().insert(("acme", 3), 5).unwrap();
            transaction.open_table(SNAPSHOTS).unwrap();
            let mut table = transaction.open_table(seen("seen/acme/3")).unwrap();
            for uuid in uuids {
                table.insert(uuid, ()).unwrap();
            }
        }
        transaction.commit().unwrap();
    }

    #[test]
    fn a_file_of_format_1_is_brought_along_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.redb");
        let uuids: Vec<[u8; 16]> = (0..50u8).map(|n| std::array::from_fn(|at| n.wrapping_mul(at as u8 + 1))).collect();
        write_1(&path, 1, &uuids);
        let bucket = Bucket { org: OrgId::new("acme"), day: 3 };
        // Opened twice: once it is brought along, and then it is what it is.
        for _ in 0..2 {
            let store = RedbStore::open(&path).unwrap();
            assert_eq!((store.next_offset(), store.clock(), store.sink_position()), (41, 7, b"sealed".as_slice()));
            assert_eq!(store.buckets().get(&bucket), Some(&5));
            for uuid in &uuids {
                assert_eq!(store.ways(&Seen { bucket: bucket.clone(), uuid: *uuid }).unwrap(), Ways::STREAM);
            }
            assert_eq!(store.ways(&Seen { bucket: bucket.clone(), uuid: [9; 16] }).unwrap(), Ways::NONE);
        }
    }

    #[test]
    fn a_file_of_a_newer_format_is_refused_in_words_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.redb");
        write_1(&path, 3, &[]);
        for _ in 0..2 {
            let error = RedbStore::open(&path).map(|_| ()).unwrap_err();
            assert!(error.is_newer());
            let text = crate::error::Chain(&error).to_string();
            assert!(text.contains("a newer version has written it") && text.contains("format 3"), "{text}");
        }
    }
}
