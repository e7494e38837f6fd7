//! Which class and activity an Okta event type is: `schemas/event-types.csv`, compiled in.

use std::collections::HashMap;
use std::sync::LazyLock;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// `activity_id` within the class.
    pub activity_id: u8,
}

static TABLE: LazyLock<HashMap<&'static str, Entry>> =
    LazyLock::new(|| rows().filter_map(|(event_type, entry)| Some((event_type, entry?))).collect());

/// The row of an event type; types without a row are Base Events.
pub fn lookup(event_type: &str) -> Option<Entry> {
    TABLE.get(event_type).copied()
}

/// All rows; a row that cannot be read gives `None`, which a test forbids.
fn rows() -> impl Iterator<Item = (&'static str, Option<Entry>)> {
    include_str!("../../schemas/event-types.csv").lines().skip(1).map(|line| {
        let mut cells = line.split(',');
        let event_type = cells.next().unwrap_or_default();
        let entry = match (cells.next(), cells.next().map(str::parse), cells.next()) {
            (Some("authentication"), Some(Ok(activity_id)), None) => Some(Entry { activity_id }),
            _ => None,
        };
        (event_type, entry)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_readable_unique_and_an_activity_of_its_class() {
        let mut seen = std::collections::HashSet::new();
        for (event_type, entry) in rows() {
            let entry = entry.unwrap_or_else(|| panic!("unreadable row for {event_type:?}"));
            assert!(seen.insert(event_type), "{event_type} appears twice");
            assert!(
                matches!(entry.activity_id, 1..=7 | 99),
                "{event_type}: {} is no Authentication activity",
                entry.activity_id
            );
        }
        assert!(seen.len() > 100);
    }
}
