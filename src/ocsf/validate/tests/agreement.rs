//! Another strict validator, where one is at hand, finds the same: in valid records, and in each with one part changed.

use std::collections::BTreeSet;
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::broken::change;
use super::*;

/// The line, the severity, the code and the path of a finding.
type Found = (usize, String, String, String);

/// What an attribute may be instead: each JSON type, and values that mean something to some rule.
fn instead() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(99),
        json!(-1),
        json!(7.0),
        json!(u64::MAX),
        json!(""),
        json!("Other"),
        json!("99"),
        json!("user.groups[].uid"),
        json!("metadata.product"),
        json!("2026-05-04T12:20:30.1234567Z"),
        json!("x".repeat(50)),
        json!([]),
        json!([null]),
        json!(["ab", 1]),
        json!({}),
        json!({"name": "x"}),
    ]
}

/// Every place of a record, as JSON pointers.
fn pointers(value: &Value, pointer: &str, found: &mut Vec<String>) {
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(key, part)| (key.clone(), part)).collect(),
        Value::Array(array) => array.iter().enumerate().map(|(at, part)| (at.to_string(), part)).collect(),
        _ => Vec::new(),
    };
    for (key, part) in parts {
        // A key with a slash would need escapes.
        let pointer = format!("{pointer}/{key}");
        pointers(part, &pointer, found);
        found.push(pointer);
    }
}

/// The record, and the record with each place removed, replaced, and joined by an attribute that is not its own.
fn variants(record: &Value) -> Vec<Value> {
    let mut places = Vec::new();
    pointers(record, "", &mut places);
    let mut variants = vec![record.clone()];
    let mut with = |pointer: &str, value: Option<Value>| {
        let mut variant = record.clone();
        change(&mut variant, pointer, value);
        variants.push(variant);
    };
    for pointer in &places {
        with(pointer, None);
        for value in instead() {
            // The other validator ends when an observable's value is no scalar.
            let is_observed = pointer.starts_with("/observables/") && pointer.ends_with("/value");
            if !(is_observed && (value.is_array() || value.is_object())) {
                with(pointer, Some(value));
            }
        }
        if record.pointer(pointer).is_some_and(Value::is_object) {
            for foreign in ["bogus", "cloud", "created_time_dt", "type"] {
                with(&format!("{pointer}/{foreign}"), Some(json!("x")));
            }
        }
    }
    variants
}

/// Lines that are no records of ours: texts that are no JSON, and whatever the sample events are.
fn foreign_lines(shared: &Path) -> Vec<String> {
    let mut lines: Vec<String> =
        ["{", "[]", "1", "null", "{}", r#"{"a":1,"a":2}"#, r#"{"a":NaN}"#, r#"{"class_uid":3002}"#]
            .map(str::to_owned)
            .into();
    for sample in std::fs::read_dir(shared.join("data/corpus")).unwrap().map(|entry| entry.unwrap().path()) {
        if sample.is_file() {
            lines.extend(std::fs::read_to_string(sample).unwrap().lines().map(str::to_owned));
        }
    }
    lines
}

fn ours(lines: &[String]) -> BTreeSet<Found> {
    let of_line = |(at, line): (usize, &String)| {
        let found = Schema::embedded().check(line.as_bytes()).into_iter();
        found.map(move |Finding { code, path, severity, .. }| {
            let severity = if severity == Severity::Error { "error" } else { "warning" };
            (at + 1, severity.to_owned(), code.to_owned(), path)
        })
    };
    lines.iter().enumerate().flat_map(of_line).collect()
}

fn theirs(validator: &Path, schema: &Path, lines: &[String]) -> BTreeSet<Found> {
    let mut input = tempfile::tempfile().unwrap();
    for line in lines {
        writeln!(input, "{line}").unwrap();
    }
    input.rewind().unwrap();
    let mut command = Command::new(validator);
    command.args(["--json", "--show", "1000000", "--schema"]).arg(schema).stdin(Stdio::from(input));
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |severity: &'static str| {
        report[format!("first_{severity}s")].as_array().unwrap().iter().map(move |finding| {
            let text = |at: usize| finding[at].as_str().unwrap().to_owned();
            let path = if text(4) == "(event)" { String::new() } else { text(4) };
            (finding[0].as_u64().unwrap() as usize, severity.to_owned(), text(3), path)
        })
    };
    of("error").chain(of("warning")).collect()
}

/// A folder beside the checkout with the compiled schema and the other validator, where there is one.
fn shared() -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !shared.exists() {
        eprintln!("no folder {}: not compared", shared.display());
    }
    shared.exists().then_some(shared)
}

#[test]
fn the_committed_schemas_are_what_the_generator_makes_of_the_compiled_schema() {
    let Some(shared) = shared() else { return };
    let generator = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/generate_ocsf.py");
    let mut command = Command::new("python3");
    command.arg(generator).arg(shared.join("data/ocsf/ocsf-1.8.0.json")).arg("--check");
    assert!(command.status().unwrap().success());
}

#[test]
fn another_validator_finds_the_same() {
    let Some(shared) = shared() else { return };
    let (validator, schema) = (shared.join("tools/ocsf-validate"), shared.join("data/ocsf/ocsf-1.8.0.json"));
    let records = [sign_in(), detection()];
    let mut lines: Vec<String> = records.iter().flat_map(variants).map(|record| record.to_string()).collect();
    lines.extend(foreign_lines(&shared));
    let (ours, theirs) = (ours(&lines), theirs(&validator, &schema, &lines));
    let missed: Vec<_> = theirs.difference(&ours).take(10).map(|found| (found, &lines[found.0 - 1])).collect();
    let invented: Vec<_> = ours.difference(&theirs).take(10).map(|found| (found, &lines[found.0 - 1])).collect();
    assert!(missed.is_empty() && invented.is_empty(), "missed: {missed:#?}\ninvented: {invented:#?}");
    assert!(ours.len() > lines.len(), "{} findings in {} lines", ours.len(), lines.len());
}
