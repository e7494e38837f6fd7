//! No leaf of an object is lost.

use std::collections::HashSet;

use super::*;
use crate::okta::parse_ms;

/// Every scalar of a value that says something, as text.
fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| leaves(field, found)),
        Value::String(text) => found.push(text.clone()),
        scalar => found.push(scalar.to_string()),
    }
}

/// Whether two values are the same but for secrets.
fn is_same(given: &Value, kept: &Value) -> bool {
    match (given, kept) {
        (Value::Array(given), Value::Array(kept)) => {
            given.len() == kept.len() && given.iter().zip(kept).all(|(given, kept)| is_same(given, kept))
        }
        (Value::Object(given), Value::Object(kept)) => {
            given.len() == kept.len()
                && given.iter().all(|(key, field)| kept.get(key).is_some_and(|kept| is_same(field, kept)))
        }
        (given, kept) => given == kept || kept == "(withheld)",
    }
}

/// What a case hands in, as `raw_data` has it.
fn given(case: &Case) -> Value {
    if case.0["collection"] != "users" {
        return case.0["object"].clone();
    }
    let mut given = json!({"user": case.0["object"]});
    for list in ["groups", "factors", "roles"] {
        if let Some(elements) = case.0.get(list) {
            given[list] = elements.clone();
        }
    }
    given
}

/// Holds every leaf of what a case hands in against its record, where a time may also stand in ms.
fn account(case: &Case) {
    let record = case.bytes(Options { raw_data: true, unmapped: true }).unwrap();
    let mut record: Value = serde_json::from_slice(&record).unwrap();
    let kept: Value = serde_json::from_str(record["raw_data"].take().as_str().unwrap()).unwrap();
    assert!(is_same(&given(case), &kept), "{kept:#} is not {:#}", given(case));

    let (mut kept_leaves, mut there) = (Vec::new(), Vec::new());
    leaves(&kept, &mut kept_leaves);
    leaves(&record, &mut there);
    let there: HashSet<String> = there.into_iter().collect();
    for leaf in kept_leaves {
        let as_ms = parse_ms(&leaf).is_some_and(|ms| there.contains(&ms.to_string()));
        assert!(as_ms || there.contains(&leaf), "{leaf:?} of {kept:#} is lost in {record:#}");
    }
}

/// The same shape with another leaf at each place, so that none can be taken for another.
fn replaced(value: &Value, leaf: &mut impl FnMut(&Value) -> Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| replaced(item, leaf)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, field)| (key.clone(), replaced(field, leaf)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        scalar => leaf(scalar),
    }
}

#[test]
fn no_leaf_of_a_golden_object_is_lost() {
    for (_, case) in golden_cases() {
        account(&case);
    }
}

#[test]
fn no_leaf_is_lost_whatever_the_leaves_are() {
    for (_, case) in golden_cases() {
        let mut count = 0;
        let mut next = || {
            count += 1;
            count
        };
        let kinds: [fn(usize, &Value) -> Value; 5] = [
            |at, _| json!(format!("text {at}")),
            |at, _| json!(format!("user{at}@example.com")),
            |at, _| json!(format!("2024-01-01T00:{:02}:{:02}.000Z", at / 60 % 60, at % 60)),
            |at, _| json!(at),
            // The words stay that decide something.
            |at, old| match old.as_str() {
                Some(word) if word == word.to_uppercase() => old.clone(),
                _ => json!(format!("text {at}")),
            },
        ];
        for kind in kinds {
            let mut changed = case.clone();
            for piece in ["object", "groups", "factors", "roles"] {
                if let Some(piece) = changed.0.get_mut(piece) {
                    *piece = replaced(piece, &mut |old| kind(next(), old));
                }
            }
            account(&changed);
        }
    }
}
