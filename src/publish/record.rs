use std::fmt;
use std::str::FromStr;

use crate::ocsf::Class;
use crate::okta::OrgId;

/// Names of the output topics. Static: nothing from an event chooses a topic.
#[derive(Debug, Clone)]
pub struct Topics {
    classes: Vec<(Class, String)>,
    quarantine: String,
}

impl Topics {
    /// One topic a class, below `prefix`.
    pub fn new(prefix: &str, quarantine: &str) -> Self {
        // Nothing writes inventory records yet; their topics will be compacted ones.
        let classes = Class::ALL.iter().filter(|class| !class.is_inventory());
        let classes = classes.map(|class| (*class, format!("{prefix}.{}", class.name()))).collect();
        Self { classes, quarantine: quarantine.to_owned() }
    }

    /// The topic of a class.
    pub fn of(&self, class: Class) -> &str {
        let found = self.classes.iter().find(|(known, _)| *known == class);
        // Every class that events are mapped to is there.
        found.map_or(&self.quarantine, |(_, topic)| topic)
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
    /// Key of the message, as in the landing log.
    pub org: OrgId,
    /// Where it came from; decides the partition.
    pub source: SourceId,
    /// OCSF JSON.
    pub json: Vec<u8>,
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
    fn every_class_of_events_has_a_topic_of_its_own() {
        let topics = Topics::new("p", "q");
        let names: std::collections::HashSet<_> = topics.all().collect();
        assert_eq!(names.len(), Class::ALL.iter().filter(|class| !class.is_inventory()).count() + 1);
        assert_eq!(topics.of(Class::Authentication), "p.authentication");
    }
}
