use std::sync::LazyLock;

use foldhash::HashMap;
use uuid::Uuid;

use super::slot::{Slot, by_facet};
use crate::collect::Collection;
use crate::json::{Kind, Value};
use crate::okta::{LogEvent, OrgId, Party};

/// What events make stale: the table `event-hints.csv` in `schemas/`.
#[derive(Debug, Default)]
pub struct HintTable(HashMap<String, Vec<Rule>>);

/// A line of the table that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct HintError {
    /// Counted from 1; the header is line 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// The slots with the key that the targets make, in each of the collections.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    /// For each part of the key the types of target that it is the id of; none stands for all types.
    parts: Vec<Vec<String>>,
    collections: Vec<&'static Collection>,
    ends: bool,
}

/// A slot that an event makes stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hint {
    pub slot: Slot,
    /// The thing may have come to its end, which no list of changes would show.
    pub ends: bool,
}

const HEADER: &str = "event_type,target,facets,ends";

static EMBEDDED: LazyLock<HintTable> = LazyLock::new(|| {
    // A test forbids bad rows; the worker must not fail on one.
    HintTable::read(include_str!("../../../schemas/event-hints.csv")).unwrap_or_default()
});

impl HintTable {
    /// The compiled-in table.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// Reads a table.
    ///
    /// # Errors
    /// The first line that cannot be used.
    pub fn read(csv: &str) -> Result<Self, HintError> {
        let mut lines = csv.lines();
        if lines.next().map(str::trim) != Some(HEADER) {
            return Err(HintError { line: 1, problem: format!("the header must be {HEADER}") });
        }
        let mut table = Self::default();
        for (line, text) in (2..).zip(lines) {
            let (event_type, rule) = row(text).map_err(|problem| HintError { line, problem })?;
            table.0.entry(event_type.to_owned()).or_default().push(rule);
        }
        Ok(table)
    }

    /// The event types that hint at something.
    pub fn event_types(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What an event makes stale, each slot once.
    pub(super) fn hints(&self, org: &OrgId, event: &LogEvent<'_>) -> Vec<Hint> {
        let rules = event.event_type.and_then(Value::as_str).and_then(|name| self.0.get(name.as_ref()));
        let targets = event.target.filter(|target| target.kind() == Kind::Array);
        let (Some(rules), Some(targets)) = (rules, targets) else { return Vec::new() };
        let targets: Vec<_> = targets.children().filter_map(|target| Target::of(Party::of(Some(target)))).collect();
        let mut hints: Vec<Hint> = Vec::new();
        for rule in rules {
            for key in rule.keys(&targets) {
                let found = rule.collections.iter().filter_map(|collection| Slot::new(org, collection, &key));
                for slot in found {
                    if hints.iter().all(|known| known.slot != slot) {
                        hints.push(Hint { slot, ends: rule.ends });
                    }
                }
            }
        }
        hints
    }
}

/// A target, by its type and id. Names and logins are never looked at, as they change.
struct Target {
    kind: String,
    id: String,
}

impl Target {
    fn of(party: Party<'_>) -> Option<Self> {
        let id = party.id?.as_str().filter(|id| !id.is_empty() && !id.contains('/'))?;
        let kind = party.kind.and_then(Value::as_str).unwrap_or_default();
        Some(Self { kind: kind.into_owned(), id: id.into_owned() })
    }
}

impl Rule {
    /// Every key that the targets make: a part of it that several targets fit makes several.
    fn keys(&self, targets: &[Target]) -> Vec<String> {
        let mut keys = vec![String::new()];
        for types in &self.parts {
            let fits = |target: &&Target| types.is_empty() || types.contains(&target.kind);
            let ids: Vec<&str> = targets.iter().filter(fits).map(|target| target.id.as_str()).collect();
            let joined = |key: &String, id: &str| if key.is_empty() { id.to_owned() } else { format!("{key}/{id}") };
            keys = keys.iter().flat_map(|key| ids.iter().map(move |id| joined(key, id))).collect();
        }
        keys
    }
}

fn row(line: &str) -> Result<(&str, Rule), String> {
    let mut cells = line.split(',');
    let mut cell = || cells.next();
    let (Some(event_type), Some(target), Some(facets), Some(ends), None) = (cell(), cell(), cell(), cell(), cell())
    else {
        return Err("not 4 columns".into());
    };
    let ends = match ends {
        "yes" => true,
        "no" => false,
        other => return Err(format!("{other:?} is neither yes nor no")),
    };
    let types = |part: &str| match part.trim() {
        "*" => Vec::new(),
        types => types.split('|').map(str::to_owned).collect(),
    };
    let parts: Vec<Vec<String>> = target.split('/').map(types).collect();
    let find = |facet: &str| by_facet(facet).ok_or_else(|| format!("no facet {facet:?}"));
    let collections = facets.split('|').map(find).collect::<Result<Vec<_>, _>>()?;
    if event_type.is_empty() || parts.iter().flatten().any(String::is_empty) {
        return Err("an event type or a type of target is empty".into());
    }
    Ok((event_type, Rule { parts, collections, ends }))
}

/// How an event is named as a cause.
pub(super) fn cause(uuid: Uuid) -> super::output::Cause {
    super::output::Cause::Event(uuid.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Tape;

    fn slots(event: &str) -> Vec<(&'static str, String)> {
        let mut tape = Tape::default();
        let document = tape.read(event.as_bytes());
        let event = LogEvent::of(document.as_ref().ok().map(|document| document.root()));
        let hints = HintTable::embedded().hints(&OrgId::new("acme"), &event);
        hints.into_iter().map(|hint| (hint.slot.facet(), hint.slot.key)).collect()
    }

    #[test]
    fn every_row_of_the_table_can_be_used_and_names_a_type_of_the_catalogue() {
        let table = HintTable::read(include_str!("../../../schemas/event-hints.csv")).unwrap();
        let catalogue = include_str!("../../../schemas/event-types.csv");
        let known: Vec<&str> = catalogue.lines().filter_map(|line| line.split(',').next()).collect();
        for name in table.event_types() {
            assert!(known.contains(&name), "{name}");
        }
    }

    /// Of what each row speaks, the key has as many parts as the list that the collection is read by, or one more for
    /// an object in it.
    #[test]
    fn every_row_makes_keys_that_fit_its_collections() {
        use crate::collect::Grain;
        for (name, rules) in &HintTable::embedded().0 {
            for rule in rules {
                for collection in &rule.collections {
                    let expected = collection.depth() + usize::from(collection.grain == Grain::Object);
                    assert_eq!(rule.parts.len(), expected, "{name}: {}", collection.facet);
                    let one_can_be_asked_for = collection.single || collection.grain != Grain::Object;
                    assert!(one_can_be_asked_for, "{name}: {}", collection.facet);
                }
            }
        }
    }

    #[test]
    fn targets_are_found_by_their_type_wherever_they_stand() {
        let event = |targets: &str| format!(r#"{{"eventType":"group.user_membership.add","target":[{targets}]}}"#);
        let user = r#"{"id":"00u1","type":"User","alternateId":"ann@example.com"}"#;
        let group = r#"{"id":"00g1","type":"UserGroup"}"#;
        let expected = [("user.groups", "00u1".to_owned()), ("group.members", "00g1".to_owned())];
        for targets in [format!("{user},{group}"), format!("{group},{user}")] {
            let found = slots(&event(&targets));
            assert!(found.len() == 2 && expected.iter().all(|slot| found.contains(slot)), "{found:?}");
        }
    }

    #[test]
    fn a_rule_is_known_within_its_policy() {
        let found = slots(
            r#"{"eventType":"policy.rule.update","target":[{"id":"0pr1","type":"PolicyRule"},{"id":"00p1","type":"PolicyEntity"}]}"#,
        );
        assert_eq!(found, [("policy.rules", "00p1/0pr1".to_owned())]);
    }

    #[test]
    fn what_names_nothing_hints_at_nothing() {
        for event in [
            "",
            "[]",
            r#"{"eventType":"user.lifecycle.create"}"#,
            r#"{"eventType":"user.lifecycle.create","target":null}"#,
            r#"{"eventType":"user.lifecycle.create","target":[{"type":"User"},{"type":"User","id":""},7]}"#,
            r#"{"eventType":"user.session.start","target":[{"type":"User","id":"00u1"}]}"#,
        ] {
            assert!(slots(event).is_empty(), "{event}");
        }
    }

    #[test]
    fn a_bad_line_is_named() {
        let problem = |line: &str| HintTable::read(&format!("{HEADER}\n{line}\n")).unwrap_err();
        assert_eq!(problem("a,User,nothing,no").to_string(), r#"line 2: no facet "nothing""#);
        assert_eq!(problem("a,User").line, 2);
        assert_eq!(HintTable::read("x").unwrap_err().line, 1);
    }
}
