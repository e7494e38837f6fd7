//! An event of every type of the catalogue: each is valid, of the class that the table names, and loses nothing.

use std::collections::HashSet;
use std::io::{Seek as _, Write as _};
use std::process::{Command, Stdio};

use serde_json::Map;

use super::*;
use crate::ocsf::event::Role;

/// Okta's catalogue of event types, of which a copy may be beside the checkout.
pub struct Catalogue {
    pub types: Vec<Value>,
    schemas: Value,
}

impl Catalogue {
    pub fn read() -> Option<Self> {
        let file = shared("data/okta/event-types.json")?;
        let mut catalogue: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let mut version = catalogue["versions"][0].take();
        let Value::Array(types) = version["eventTypes"].take() else { panic!("no event types") };
        Some(Self { types, schemas: version["schemas"].take() })
    }

    /// An object with every property of a schema, by the examples of the catalogue. Another number, other examples.
    fn object(&self, schema: &Value, number: usize) -> Map<String, Value> {
        let properties = schema.as_str().map(|name| &self.schemas[name]["properties"]);
        let properties = properties.and_then(Value::as_object).into_iter().flatten();
        properties.map(|(name, property)| (camel_case(name), example(property, number))).collect()
    }

    /// An event with everything that the catalogue says about its type.
    fn event(&self, of_type: &Value, number: usize, entry: &Entry) -> Value {
        let schema = &of_type["schema"];
        let debug_data = self.object(&schema["debugData"], number);
        let mut detail = Map::new();
        for name in schema["targets"].as_array().into_iter().flatten() {
            detail.extend(self.object(name, number));
        }
        let change = self.object(&schema["changeDetails"][0], number);

        let mut event = sign_in();
        event["uuid"] = json!(format!("{number:08x}-0000-4000-8000-{number:012x}"));
        event["eventType"] = of_type["id"].clone();
        event["severity"] = pick(&["DEBUG", "INFO", "WARN", "ERROR", "NOTICE"], number);
        event["actor"] = actor(number);
        event["outcome"]["result"] = pick(OUTCOMES, number);
        event["target"] = targets(entry, detail, change);
        if !debug_data.is_empty() {
            event["debugContext"]["debugData"] = Value::Object(debug_data);
        }
        if number.is_multiple_of(3) {
            event["client"] = json!({"userAgent": null, "ipAddress": null});
            event["securityContext"] = json!({});
            event["request"] = json!({"ipChain": []});
            event["device"] = json!(null);
        }
        event
    }
}

const OUTCOMES: &[&str] = &[
    "SUCCESS",
    "FAILURE",
    "ALLOW",
    "DENY",
    "CHALLENGE",
    "SKIPPED",
    "UNKNOWN",
    "RATE_LIMIT",
    "DEFERRED",
    "SCHEDULED",
    "ABANDONED",
    "UNANSWERED",
    "SOMETHING_NEW",
];

fn pick(words: &[&str], number: usize) -> Value {
    json!(words[number % words.len()])
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    words.filter(|word| !word.is_empty()).fold(first, |name, word| name + &capital(word))
}

fn example(property: &Value, number: usize) -> Value {
    let examples = property["examples"].as_array().map(Vec::as_slice).unwrap_or_default();
    let example = examples.get(number % examples.len().max(1)).cloned().unwrap_or_else(|| json!("x"));
    match property["type"].as_str() {
        Some("Boolean" | "boolean") => [json!(true), json!("true"), json!("false")][number % 3].clone(),
        Some("Integer" | "Long" | "int") => {
            example.as_str().and_then(|text| text.parse().ok()).unwrap_or(json!(number))
        }
        _ => example,
    }
}

fn actor(number: usize) -> Value {
    match number % 4 {
        0 => party("00uada", "User", "ada@example.com"),
        1 => party("sys", "SystemPrincipal", "system@okta.com"),
        2 => party("0oaclient", "PublicClientApp", "unknown"),
        _ => party("a53agent", "AD_AGENT", "dc1.corp.example.com"),
    }
}

/// The target that a type is about, with all details, and those that its class usually has beside it.
fn targets(entry: &Entry, detail: Map<String, Value>, change: Map<String, Value>) -> Value {
    let named = entry.targets.first().map(String::as_str);
    let object = named.or_else(|| Role::usual_kind(&entry.entity)).map(str::to_owned);
    let object = object.or_else(|| (!entry.entity.is_empty()).then(|| entry.entity.replace(' ', "")));
    let beside: &[&str] = match entry.class {
        Class::AccountChange | Class::AuthorizeSession | Class::EmailActivity => &["User"],
        Class::Authentication | Class::UserAccess => &["User", "AppInstance"],
        Class::GroupManagement => &["UserGroup", "User"],
        Class::ApplicationLifecycle => &["AppInstance"],
        _ => &[],
    };
    let kinds = object.into_iter().chain(beside.iter().map(|kind| (*kind).to_owned()));
    let mut seen = HashSet::new();
    let mut targets: Vec<Value> = Vec::new();
    for kind in kinds.filter(|kind| seen.insert(kind.clone())) {
        let login = if kind.contains("ser") || kind == "email" { "grace@example.com" } else { "unknown" };
        let mut target = party(&format!("id{}", targets.len()), &kind, login);
        if !detail.is_empty() {
            target["detailEntry"] = json!(detail);
        }
        if !change.is_empty() && targets.is_empty() {
            target["changeDetails"] = json!({"from": change, "to": change});
        }
        targets.push(target);
    }
    json!(targets)
}

/// One event of each type with every field that the mapping knows.
fn specimens() -> Vec<(String, String)> {
    let types = EventTypes::embedded();
    types.names().into_iter().map(|name| (name.to_owned(), specimen(name, &types.find(name).1))).collect()
}

/// One event of each type with every field that the catalogue knows, where there is a catalogue.
fn catalogue_events() -> Vec<(String, String)> {
    let Some(catalogue) = Catalogue::read() else { return Vec::new() };
    let types = EventTypes::embedded();
    let event = |(number, of_type): (usize, &Value)| {
        let name = of_type["id"].as_str().unwrap();
        (name.to_owned(), catalogue.event(of_type, number, &types.find(name).1).to_string())
    };
    catalogue.types.iter().enumerate().map(event).collect()
}

#[test]
fn a_specimen_of_every_type_is_a_valid_record_of_its_class() {
    let specimens = specimens();
    assert!(specimens.len() >= 1274, "{}", specimens.len());
    each_is_of_its_class_and_loses_nothing(&specimens);
}

#[test]
fn an_event_of_every_type_of_the_catalogue_is_a_valid_record_of_its_class() {
    each_is_of_its_class_and_loses_nothing(&catalogue_events());
}

fn each_is_of_its_class_and_loses_nothing(events: &[(String, String)]) {
    let mut mapper = mapper(KEPT);
    let mut others = Vec::new();
    let unlike = unlike_types();
    for (name, event) in events {
        let expected = EventTypes::embedded().find(name).1.class;
        let (mapped, record) = record_of(&mut mapper, event.as_bytes()).unwrap();
        assert_valid(&record, name);
        assert_eq!(mapped.known, Known::Listed, "{name}");
        if mapped.class != expected {
            others.push(format!("{name}: {:?}, not {expected:?}", mapped.class));
        }
        if unlike.contains(name) {
            accounting::account(&mut mapper, name, event.as_bytes());
        }
    }
    assert!(others.is_empty(), "{others:#?}");
}

#[test]
fn an_event_of_any_type_without_targets_and_without_client_is_a_valid_record() {
    let mut mapper = mapper(KEPT);
    for name in unlike_types() {
        let mut event = sign_in();
        event["eventType"] = json!(name);
        for absent in ["target", "client", "securityContext", "request", "device", "debugContext"] {
            event[absent] = json!(null);
        }
        accounting::account(&mut mapper, &name, event.to_string().as_bytes());
    }
}

/// The records of everything that these tests map, by the other validator, where there is one.
#[test]
fn another_validator_finds_every_record_valid() {
    let (Some(validator), Some(schema)) = (shared("tools/ocsf-validate"), shared("data/ocsf/ocsf-1.8.0.json")) else {
        return;
    };
    let mut events: Vec<(String, String)> = golden_events();
    events.extend(specimens());
    events.extend(catalogue_events());
    events.extend(corpus_events().into_iter().map(|event| ("sample".to_owned(), event)));

    let mut mapper = mapper(Options { raw_data: true, unmapped: true });
    let mut lines = tempfile::tempfile().unwrap();
    let mut records = 0;
    for (_, event) in &events {
        let Ok((_, record)) = record_of(&mut mapper, event.as_bytes()) else { continue };
        lines.write_all(&record).unwrap();
        lines.write_all(b"\n").unwrap();
        records += 1;
    }
    lines.rewind().unwrap();
    let mut command = Command::new(validator);
    command.args(["--json", "--show", "20", "--schema"]).arg(schema).stdin(Stdio::from(lines));
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["first_errors"], json!([]));
    assert!(records > 2500, "{records}");
}
