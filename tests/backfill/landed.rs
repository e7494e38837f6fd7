use std::collections::BTreeSet;

use okta_ocsf::landing::{Content, LandingRecord, Origin};
use serde_json::Value;

/// What is in a landing log.
pub struct Landed(pub Vec<LandingRecord>);

/// The mark of a finished slice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SliceMark {
    pub since: i64,
    pub until: i64,
    pub events: u64,
    pub hash: String,
}

impl Landed {
    /// The uuid of every event, as often as it has landed.
    pub fn uuids(&self) -> Vec<String> {
        let uuid = |record: &LandingRecord| match &record.content {
            Content::Event { uuid, .. } => Some(uuid.to_string()),
            _ => None,
        };
        self.0.iter().filter_map(uuid).collect()
    }

    /// The uuids, each once.
    pub fn events(&self) -> BTreeSet<String> {
        self.uuids().into_iter().collect()
    }

    /// Asserts that everything that landed says that it is of the past.
    pub fn assert_history(&self) {
        let strange = self.0.iter().filter(|record| record.origin != Origin::Backfill).count();
        assert_eq!(strange, 0, "records of another origin");
    }

    /// How often anything of a slice has landed.
    pub fn landings(&self, mark: &SliceMark) -> usize {
        let within = |record: &&LandingRecord| match record.content {
            Content::Event { published, .. } => (mark.since..mark.until).contains(&published),
            _ => false,
        };
        self.0.iter().filter(within).count()
    }

    /// The marks of finished slices, each once, in the order of time. Asserts of each that it stands behind the events
    /// that it counts.
    pub fn slices(&self) -> Vec<SliceMark> {
        let mut marks = BTreeSet::new();
        let mut before: BTreeSet<(i64, String)> = BTreeSet::new();
        for record in &self.0 {
            match &record.content {
                Content::Event { uuid, published } => drop(before.insert((*published, uuid.to_string()))),
                Content::Mark { name } if name == "log_slice" => {
                    let value: Value = serde_json::from_slice(&record.value).unwrap();
                    let number = |key: &str| value[key].as_i64().unwrap();
                    let (since, until) = (number("since"), number("until"));
                    let within = before.range((since, String::new())..(until, String::new())).count();
                    assert_eq!(number("events"), within as i64, "what stands before the mark of {since} to {until}");
                    let hash = value["uuids_hash"].as_str().unwrap().to_owned();
                    marks.insert(SliceMark { since, until, events: within as u64, hash });
                }
                _ => {}
            }
        }
        marks.into_iter().collect()
    }

    /// Asserts that the marks are a time exactly, without a gap and without an overlap; gives them.
    pub fn assert_marks_cover(&self, since: i64, until: i64) -> Vec<SliceMark> {
        let marks = self.slices();
        let mut at = since;
        for mark in &marks {
            assert_eq!(mark.since, at, "{marks:?}");
            at = mark.until;
        }
        assert_eq!(at, until, "{marks:?}");
        marks
    }
}
