use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::ocsf::Class;

/// Names of the output topics. Static: nothing from an event chooses a topic.
#[derive(Debug, Clone)]
pub struct Topics {
    classes: Vec<(Class, String)>,
    quarantine: String,
}

impl Topics {
    /// One topic a class, below `prefix`.
    pub fn new(prefix: &str, quarantine: &str) -> Self {
        let classes = Class::ALL.iter().map(|class| (*class, format!("{prefix}.{}", class.name()))).collect();
        Self { classes, quarantine: quarantine.to_owned() }
    }

    /// The topic of a class.
    pub fn of(&self, class: Class) -> &str {
        let found = self.classes.iter().find(|(known, _)| *known == class);
        // Every class is there.
        found.map_or(&self.quarantine, |(_, topic)| topic)
    }

    /// The class of a topic.
    pub fn class_of(&self, topic: &str) -> Option<Class> {
        self.classes.iter().find(|(_, known)| known == topic).map(|(class, _)| *class)
    }

    /// Whether of a topic only the newest record of each key is kept: those that say what there is.
    pub fn is_compacted(&self, topic: &str) -> bool {
        self.class_of(topic).is_some_and(Class::is_inventory)
    }

    /// The quarantine topic.
    pub fn quarantine(&self) -> &str {
        &self.quarantine
    }

    /// The topics of all classes.
    pub fn of_classes(&self) -> impl Iterator<Item = &str> {
        self.classes.iter().map(|(_, topic)| topic.as_str())
    }

    /// All topics that are written.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.of_classes().chain([self.quarantine.as_str()])
    }
}

/// The place in the landing log that an output came from. Header `landing`, written `partition:offset:index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId {
    /// Landing partition, and partition of the output.
    pub partition: i32,
    /// Landing offset.
    pub offset: u64,
    /// Which of the outputs of that landing record.
    pub index: u32,
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.partition, self.offset, self.index)
    }
}

impl FromStr for SourceId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split(':');
        let id = Self {
            partition: parts.next().and_then(|part| part.parse().ok()).ok_or(())?,
            offset: parts.next().and_then(|part| part.parse().ok()).ok_or(())?,
            index: parts.next().and_then(|part| part.parse().ok()).ok_or(())?,
        };
        if parts.next().is_none() { Ok(id) } else { Err(()) }
    }
}

/// A finished record on its way out.
#[derive(Debug, Clone)]
pub struct OutputRecord {
    /// Decides the topic.
    pub class: Class,
    /// Key of the message: the org; of the inventory, `org|collection|id`.
    pub key: String,
    /// Where it came from; decides the partition.
    pub source: SourceId,
    /// What it says.
    pub body: Body,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// OCSF JSON.
    Record(Vec<u8>),
    /// What was known under the key is gone. In Kafka a record without a value.
    Tombstone {
        /// How that came out: `fetch`, `sweep`, or the uuid of an event.
        cause: String,
    },
}

/// What the output of a partition holds of landing offsets that are not committed yet.
#[derive(Debug, Default)]
pub struct Found {
    records: BTreeSet<SourceId>,
    newest: BTreeMap<Class, SourceId>,
}

impl Found {
    /// Notes a record of a topic; in a topic they stand in the order of their sources.
    pub fn add(&mut self, class: Class, source: SourceId) {
        self.records.insert(source);
        let newest = self.newest.entry(class).or_insert(source);
        *newest = source.max(*newest);
    }

    /// Whether an event's record is there, of whatever class it is.
    pub fn has_event(&self, source: SourceId) -> bool {
        self.records.contains(&source)
    }

    /// Whether a record of a class is there, or was: a topic that is compacted may have lost one to a newer one of the same
    /// key, and writing it again would take that one back.
    pub fn has(&self, class: Class, source: SourceId) -> bool {
        let passed = class.is_inventory() && self.newest.get(&class) >= Some(&source);
        passed || self.records.contains(&source)
    }

    /// Forgets what is before a source.
    pub fn forget_before(&mut self, source: SourceId) {
        self.records = self.records.split_off(&source);
        self.newest.retain(|_, newest| *newest >= source);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_id_survives_its_text() {
        let id = SourceId { partition: 3, offset: u64::MAX, index: 7 };
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "1", "1:2", "1:2:3:4", "a:1:2", "1:-2:3"] {
            assert_eq!(text.parse::<SourceId>(), Err(()), "{text}");
        }
    }

    #[test]
    fn every_class_has_a_topic_of_its_own_and_the_inventory_is_compacted() {
        let topics = Topics::new("p", "q");
        let names: std::collections::HashSet<_> = topics.all().collect();
        assert_eq!(names.len(), Class::ALL.len() + 1);
        assert_eq!(topics.of(Class::Authentication), "p.authentication");
        let compacted: Vec<_> = topics.all().filter(|topic| topics.is_compacted(topic)).collect();
        assert_eq!(compacted, ["p.inventory_info", "p.user_inventory", "p.cloud_resources_inventory_info"]);
    }

    #[test]
    fn what_a_compacted_topic_has_passed_is_not_written_again() {
        let source = |offset, index| SourceId { partition: 0, offset, index };
        let mut found = Found::default();
        found.add(Class::UserInventory, source(7, 3));
        found.add(Class::DetectionFinding, source(7, 5));
        assert!(found.has(Class::UserInventory, source(7, 3)));
        assert!(found.has(Class::UserInventory, source(7, 1)), "a newer record of its key may have taken its place");
        assert!(!found.has(Class::UserInventory, source(7, 4)));
        assert!(found.has(Class::DetectionFinding, source(7, 5)));
        assert!(!found.has(Class::DetectionFinding, source(7, 4)), "nothing goes missing from this topic");
        assert!(!found.has(Class::InventoryInfo, source(1, 0)), "each topic speaks for itself");
        found.forget_before(source(8, 0));
        assert!(found.is_empty() && !found.has(Class::UserInventory, source(7, 1)));
    }
}
