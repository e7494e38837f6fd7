//! What differs between two states of a thing: leaves of an object, elements of a list. Bounded, and without secrets.

use std::collections::BTreeMap;

use crate::json::{Document, Kind, Tape, Value};
use crate::ocsf::privacy::{Pseudonyms, Values};
use crate::okta::secrets;

/// So many leaves are said by name: a person's change is of a few, and what an import changes of more is in the record.
const MOST_LEAVES: usize = 32;

/// So many ids of elements are said.
const MOST_IDS: usize = 50;

/// A value longer than this is said by its length only.
const LONGEST_VALUE: usize = 256;

/// Leaves that differ, in the order of their paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Leaves {
    /// The first of them.
    pub first: Vec<Leaf>,
    /// How many there are.
    pub count: usize,
}

/// A leaf that differs.
#[derive(Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Where, such as `profile.title` or `conditions.people[0].id`.
    pub path: String,
    /// What it was, as JSON; nothing if it was not there.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

/// Elements that differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Elements {
    /// Those that are there only now.
    pub added: Ids,
    /// Those that were there only before.
    pub removed: Ids,
    /// Those that say something else.
    pub changed: Ids,
}

/// Ids, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// The first of them.
    pub first: Vec<String>,
    /// How many there are.
    pub count: usize,
}

impl Ids {
    fn add(&mut self, id: &str) {
        self.count += 1;
        if self.first.len() < MOST_IDS {
            self.first.push(id.to_owned());
        }
    }
}

/// The leaves in which two objects differ, with pseudonyms for personal values. Nothing of what is no JSON.
pub fn leaves(before: &[u8], after: &[u8], pseudonyms: Option<&Pseudonyms>) -> Leaves {
    let (mut old_tape, mut new_tape) = (Tape::default(), Tape::default());
    let (mut before, mut after) = (without_secrets(&mut old_tape, before), without_secrets(&mut new_tape, after));
    if let Some(pseudonyms) = pseudonyms {
        hide(pseudonyms, &mut old_tape, [&mut before, &mut after]);
    }
    let (Ok(before), Ok(after)) = (old_tape.read(&before), new_tape.read(&after)) else { return Leaves::default() };
    let (before, after) = (flat(&before), flat(&after));
    let mut found = Leaves::default();
    let is_other = |path: &&String| before.get(*path) != after.get(*path);
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).filter(is_other).collect();
    paths.sort_unstable();
    paths.dedup();
    found.count = paths.len();
    let leaf = |path: &String| Leaf {
        path: path.clone(),
        before: before.get(path).map(|value| short(value)),
        after: after.get(path).map(|value| short(value)),
    };
    found.first = paths.into_iter().take(MOST_LEAVES).map(leaf).collect();
    found
}

/// The elements in which two lists differ, by the field that is their id, or by themselves where they are ids.
pub fn elements(id: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> Elements {
    let (mut old_tape, mut new_tape) = (Tape::default(), Tape::default());
    let (before, after) = (by_id(&mut old_tape, id, before), by_id(&mut new_tape, id, after));
    let mut found = Elements::default();
    for (id, written) in &after {
        match before.get(id) {
            None => found.added.add(id),
            Some(known) if known != written => found.changed.add(id),
            Some(_) => {}
        }
    }
    before.keys().filter(|id| !after.contains_key(*id)).for_each(|id| found.removed.add(id));
    found
}

fn by_id<'a>(tape: &'a mut Tape, id: &str, list: Option<&'a [u8]>) -> BTreeMap<String, String> {
    let Some(document) = list.and_then(|list| tape.read(list).ok()) else { return BTreeMap::new() };
    let element = |value: Value<'_>| {
        let name = if value.kind() == Kind::Object { value.get(id) } else { Some(value) };
        // What has no id where it should is known by nothing else.
        let name = name.filter(|name| name.is_scalar())?;
        Some((name.decoded().into_owned(), value.written().to_owned()))
    };
    document.root().children().filter_map(element).collect()
}

/// A state of an object without what belongs in no record.
fn without_secrets(tape: &mut Tape, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    if let Ok(document) = tape.read(text) {
        secrets::copy_without(&document, &mut out);
    }
    out
}

/// Hides the personal values of both states: one that stands at its place in one may be in a text of the other.
fn hide(pseudonyms: &Pseudonyms, tape: &mut Tape, states: [&mut Vec<u8>; 2]) {
    let mut values = Values::default();
    for state in &states {
        if let Ok(document) = tape.read(state) {
            pseudonyms.note(&document, &mut values);
        }
    }
    for state in states {
        let mut hidden = Vec::with_capacity(state.len());
        if let Ok(document) = tape.read(state) {
            pseudonyms.rewrite(&document, &values, &mut hidden);
        }
        *state = hidden;
    }
}

/// Every leaf as it was written, by its path. Links, and what was asked to be expanded, depend on the way of asking; but
/// of an application they say its policies.
fn flat(document: &Document<'_>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open: Vec<Open> = vec![Open { end: usize::MAX, path: 0, next: 0 }];
    let mut path = String::new();
    let mut place = 1;
    while let Some(value) = document.value(place) {
        while open.last().is_some_and(|holder| holder.end <= place) {
            open.pop();
        }
        let is_at_top = open.len() == 1;
        push_step(&mut path, open.last_mut(), value);
        if is_at_top && is_left_out(value) {
            place = value.next_place();
            continue;
        }
        if matches!(value.kind(), Kind::Object | Kind::Array) && value.next_place() > place + 1 {
            open.push(Open { end: value.next_place(), path: path.len(), next: 0 });
        } else {
            found.insert(path.clone(), value.written().to_owned());
        }
        place += 1;
    }
    found
}

/// A container whose content is being looked at.
struct Open {
    /// The place behind it.
    end: usize,
    /// How long its path is.
    path: usize,
    /// Which of its values comes next.
    next: usize,
}

fn is_left_out(value: Value<'_>) -> bool {
    match value.key_span() {
        "_embedded" => true,
        "_links" => value.get("accessPolicy").is_none(),
        _ => false,
    }
}

/// Makes the path of what holds a value that of the value.
fn push_step(path: &mut String, holder: Option<&mut Open>, value: Value<'_>) {
    let Some(holder) = holder else { return };
    path.truncate(holder.path);
    let index = holder.next;
    holder.next += 1;
    if value.parent().is_some_and(|parent| parent.kind() == Kind::Array) {
        path.push_str(&format!("[{index}]"));
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(&value.key());
}

/// A value as it was written, or how long it is.
fn short(written: &str) -> String {
    if written.len() <= LONGEST_VALUE { written.to_owned() } else { format!("\"({} bytes)\"", written.len()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn paths(before: &str, after: &str) -> Vec<(String, Option<String>, Option<String>)> {
        let found = leaves(before.as_bytes(), after.as_bytes(), None);
        assert_eq!(found.count, found.first.len());
        found.first.into_iter().map(|leaf| (leaf.path, leaf.before, leaf.after)).collect()
    }

    fn leaf(path: &str, before: Option<&str>, after: Option<&str>) -> (String, Option<String>, Option<String>) {
        (path.to_owned(), before.map(str::to_owned), after.map(str::to_owned))
    }

    #[test]
    fn what_differs_is_said_with_its_path() {
        let before = r#"{"id":"1","profile":{"title":"Analyst","city":null,"tags":["a","b"]},"type":{}}"#;
        let after = r#"{"id":"1","profile":{"title":"Chief","tags":["a","c","d"]},"type":{"id":"t"}}"#;
        assert_eq!(
            paths(before, after),
            [
                leaf("profile.city", Some("null"), None),
                leaf("profile.tags[1]", Some(r#""b""#), Some(r#""c""#)),
                leaf("profile.tags[2]", None, Some(r#""d""#)),
                leaf("profile.title", Some(r#""Analyst""#), Some(r#""Chief""#)),
                leaf("type", Some("{}"), None),
                leaf("type.id", None, Some(r#""t""#)),
            ]
        );
    }

    #[test]
    fn the_same_in_another_order_differs_in_nothing() {
        assert_eq!(paths(r#"{"a":1,"b":{"c":2,"d":3}}"#, r#"{"b":{"d":3,"c":2},"a":1}"#), []);
    }

    #[test]
    fn links_say_nothing_but_those_of_applications() {
        assert_eq!(paths(r#"{"a":1,"_links":{"self":"x"}}"#, r#"{"a":1,"_links":{"self":"y"}}"#), []);
        let policy = |id| format!(r#"{{"_links":{{"accessPolicy":{{"href":"{id}"}}}}}}"#);
        assert_eq!(paths(&policy("x"), &policy("y")).len(), 1);
    }

    #[test]
    fn secrets_and_long_values_are_not_said() {
        assert_eq!(paths(r#"{"clientSecret":"one"}"#, r#"{"clientSecret":"two"}"#), []);
        let long = "x".repeat(1_000);
        let found = paths(r#"{"a":"short"}"#, &format!(r#"{{"a":"{long}"}}"#));
        assert_eq!(found, [leaf("a", Some(r#""short""#), Some(r#""(1002 bytes)""#))]);
    }

    #[test]
    fn no_more_than_some_leaves_are_said_and_all_are_counted() {
        let many = |value: u32| {
            let fields: Vec<String> = (0..100).map(|at| format!(r#""f{at:03}":{value}"#)).collect();
            format!("{{{}}}", fields.join(","))
        };
        let found = leaves(many(1).as_bytes(), many(2).as_bytes(), None);
        assert_eq!((found.first.len(), found.count), (MOST_LEAVES, 100));
    }

    #[test]
    fn elements_are_known_by_their_ids() {
        let before = br#"[{"id":"a","s":1},{"id":"b","s":1},{"id":"c","s":1}]"#;
        let after = br#"[{"id":"c","s":1},{"id":"b","s":2},{"id":"d","s":1}]"#;
        let found = elements("id", Some(before), Some(after));
        assert_eq!(
            (found.added.first, found.removed.first, found.changed.first),
            (vec!["d".to_owned()], vec!["a".to_owned()], vec!["b".to_owned()])
        );
        let ids: Vec<String> = (0..200).map(|at| format!("\"{at:03}\"")).collect();
        let found = elements("id", None, Some(format!("[{}]", ids.join(",")).as_bytes()));
        assert_eq!((found.added.first.len(), found.added.count, found.removed.count), (MOST_IDS, 200, 0));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i32>().prop_map(Into::into),
            "[a-c]{0,3}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("[a-c]", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Nothing differs exactly when the values are equal, and nothing is in the paths twice.
        #[test]
        fn two_objects_differ_in_no_leaf_only_if_they_are_equal(one in json(), other in json()) {
            let object = |value: &serde_json::Value| serde_json::json!({"x": value}).to_string();
            let found = leaves(object(&one).as_bytes(), object(&other).as_bytes(), None);
            prop_assert_eq!(found.count == 0, one == other);
            prop_assert_eq!(leaves(object(&one).as_bytes(), object(&one).as_bytes(), None).count, 0);
        }
    }
}
