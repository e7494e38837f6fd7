//! No leaf of an event is lost, and `explain` says where each went.

use super::*;

/// One step of a path such as `a.b[0]["c.d"]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// Every scalar, null and empty container of a value, by its path.
pub fn leaves_of(value: &Value) -> Vec<(Vec<Step>, Value)> {
    let mut found = Vec::new();
    collect(value, &mut Vec::new(), &mut found);
    found
}

fn collect(value: &Value, path: &mut Vec<Step>, found: &mut Vec<(Vec<Step>, Value)>) {
    let parts: Vec<(Step, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, field)| (Step::Key(key.clone()), field)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, item)| (Step::Index(at), item)).collect(),
        _ => Vec::new(),
    };
    if parts.is_empty() {
        found.push((path.clone(), value.clone()));
    }
    for (step, part) in parts {
        path.push(step);
        collect(part, path, found);
        path.pop();
    }
}

/// The steps of a path; keys that are not plain stand in brackets, as JSON.
fn steps(path: &str) -> Vec<Step> {
    let (mut steps, mut rest) = (Vec::new(), path);
    while !rest.is_empty() {
        let end = if let Some(bracketed) = rest.strip_prefix("[\"") {
            let mut json = serde_json::Deserializer::from_str(&rest[1..]).into_iter::<String>();
            let key = json.next().and_then(Result::ok).unwrap_or_else(|| panic!("{path}: {bracketed}"));
            steps.push(Step::Key(key));
            json.byte_offset() + 2
        } else if let Some(index) = rest.strip_prefix('[') {
            let index = index.split(']').next().unwrap_or_default();
            steps.push(Step::Index(index.parse().unwrap_or_else(|_| panic!("{path}: {index}"))));
            index.len() + 2
        } else {
            let key = rest.strip_prefix('.').unwrap_or(rest);
            let key = key.split(['.', '[']).next().unwrap_or_default();
            steps.push(Step::Key(key.to_owned()));
            key.len() + usize::from(rest.starts_with('.'))
        };
        rest = &rest[end..];
    }
    steps
}

/// The value at a path.
pub fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    steps(path).iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

fn says_nothing(leaf: &Value) -> bool {
    matches!(leaf, Value::Null | Value::Object(_) | Value::Array(_))
}

/// What an attribute says in another form than the event: the caption of a word, a list as one text, a text as the JSON
/// in it, and what the attribute's own place says.
fn is_translated(path: &str, attribute: &Value) -> bool {
    let name = path.rsplit('.').next().unwrap_or_default();
    let is_caption = ["type", "factor_type", "risk_level", "is_alert", "status"].contains(&name);
    is_caption || attribute.is_object() || name == "risk_details" || (name == "data" && path.starts_with("enrichments"))
}

/// Whether an address is the parts of it that the record has.
fn is_split(record: &Value, attribute: &str, leaf: &Value) -> bool {
    let Some((url, "path" | "query_string")) = attribute.rsplit_once('.') else { return false };
    let part = |name: &str| at(record, &format!("{url}.{name}")).and_then(Value::as_str).unwrap_or_default();
    let parts = format!("{}?{}", part("path"), part("query_string"));
    leaf.as_str().is_some_and(|address| address.trim_end_matches('?') == parts.trim_end_matches('?'))
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether an attribute has the content of a leaf: as a text, a number, a time, or as the JSON in a text.
fn has(attribute: &Value, leaf: &Value, written: &str) -> bool {
    let (said, text) = (as_text(attribute), as_text(leaf));
    let numbers = said.parse::<f64>().ok().zip(text.parse::<f64>().ok());
    said == text
        || said == written
        || said.strip_prefix("app:") == Some(&text)
        || numbers.is_some_and(|(said, number)| said == number)
        || attribute.is_i64() && attribute.as_i64() == parse_ms(&text)
        || serde_json::from_str(&text).is_ok_and(|within: Value| within == *attribute)
}

/// Maps an event and holds every leaf of it against the record; `what` names it in failures.
pub fn account(mapper: &mut Mapper, what: &str, text: &[u8]) {
    let org = OrgId::new("acme");
    let mut out = Vec::new();
    let source = Source { org: &org, landed_at: Some(1_777_890_031_000), bytes: text };
    let (_, leaves) = mapper.explain(source, &mut out).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_valid(&out, &what);
    let record: Value = serde_json::from_slice(&out).unwrap();
    let event: Value = serde_json::from_slice(text).unwrap();

    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let mut explained: Vec<_> = leaves.iter().map(|leaf| (steps(&leaf.path), read(&leaf.value).to_string())).collect();
    let mut there: Vec<_> = leaves_of(&event).into_iter().map(|(path, leaf)| (path, leaf.to_string())).collect();
    explained.sort();
    there.sort();
    let differ: Vec<_> = explained.iter().filter(|leaf| !there.contains(leaf)).collect();
    assert!(differ.is_empty() && explained.len() == there.len(), "{what}: not leaves of the event: {differ:?}");

    for Leaf { path, value, destination } in leaves {
        let leaf = read(&value);
        match destination {
            Destination::RawDataOnly => assert!(says_nothing(&leaf), "{what}: {path} is lost"),
            Destination::Unmapped(kept) => {
                assert_eq!(at(&record, &kept), Some(&leaf), "{what}: {path} should be at {kept}");
            }
            Destination::Attributes(attributes) => {
                assert!(!attributes.is_empty(), "{what}: {path} went nowhere");
                for attribute in &attributes {
                    let found = at(&record, attribute);
                    let found = found.unwrap_or_else(|| panic!("{what}: {path} is not at {attribute}"));
                    let is_same = has(found, &leaf, &value)
                        || is_translated(attribute, found)
                        || is_split(&record, attribute, &leaf);
                    assert!(is_same, "{what}: {path} is {leaf}, {attribute} is {found}");
                }
            }
        }
    }
}

#[test]
fn no_leaf_of_a_golden_event_is_lost() {
    for (name, event) in golden_events() {
        account(&mut mapper(KEPT), &name, event.as_bytes());
    }
}

#[test]
fn no_leaf_of_a_sample_event_is_lost() {
    let mut mapper = mapper(KEPT);
    for event in corpus_events() {
        if record_of(&mut mapper, event.as_bytes()).is_ok() {
            account(&mut mapper, &shown(&event), event.as_bytes());
        }
    }
}

#[test]
fn keys_with_dots_and_brackets_are_accounted_for() {
    let mut event = sign_in();
    event["a.b"] = json!({"c[0]": [1, {"d.e": "x", "": "y"}], "taken": null});
    event["debugContext"]["debugData"]["New.Key[1]"] = json!("z");
    account(&mut mapper(KEPT), "odd keys", event.to_string().as_bytes());
}

#[test]
fn without_unmapped_what_no_attribute_took_is_in_raw_data_only() {
    let org = OrgId::new("acme");
    let event = sign_in().to_string();
    let mut mapper = mapper(Options { raw_data: true, unmapped: false });
    let mut out = Vec::new();
    let (_, leaves) = mapper.explain(Source { org: &org, landed_at: None, bytes: event.as_bytes() }, &mut out).unwrap();
    let record: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(record["raw_data"], event.as_str());
    assert!(record.get("unmapped").is_none());
    assert!(!leaves.iter().any(|leaf| matches!(leaf.destination, Destination::Unmapped(_))));
    let version = leaves.iter().find(|leaf| leaf.path == "client.userAgent.browser").unwrap();
    assert_eq!(version.destination, Destination::RawDataOnly);
}

#[test]
fn to_explain_an_event_does_not_change_its_record() {
    let org = OrgId::new("acme");
    for (name, event) in golden_events() {
        let (mut plain, mut explained) = (Vec::new(), Vec::new());
        let mut mapper = mapper(KEPT);
        let source = Source { org: &org, landed_at: None, bytes: event.as_bytes() };
        mapper.map(source, &mut plain).unwrap();
        mapper.explain(source, &mut explained).unwrap();
        assert_eq!(plain, explained, "{name}");
    }
}
