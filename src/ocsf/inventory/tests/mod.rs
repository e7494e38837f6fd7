//! The mapping of the inventory from the outside: objects in, records out.
//!
//! - `golden`: whole records, as files to read.
//! - `basis`: why a record is written, and the records that are of no object.
//! - `rules`: one rule a test, with the values that matter.
//! - `secrets`: what belongs in no record is in none.
//! - `accounting`: no leaf of an object is lost.
//! - `properties`: any JSON at any place.
//! - `examples`: the examples of Okta's API description.

mod accounting;
mod basis;
mod examples;
mod golden;
mod properties;
mod rules;
mod secrets;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::ocsf::validate::Schema;

const KEPT: Options = Options { raw_data: false, unmapped: true };
const AT: i64 = 1_777_890_030_123;

/// An object as a test gives it: `{"collection":"users","object":{…}}` with the facts of [`UserFacts`] or
/// [`ResourceFacts`] besides.
#[derive(Debug, Clone)]
struct Case(Value);

impl Case {
    fn new(collection: &str, object: Value) -> Self {
        Self(json!({"collection": collection, "object": object}))
    }

    fn user(object: Value) -> Self {
        Self::new("users", object)
    }

    fn with(mut self, fact: &str, value: Value) -> Self {
        self.0[fact] = value;
        self
    }

    fn bytes(&self, options: Options) -> Result<Vec<u8>, InventoryError> {
        let org = OrgId::new("acme");
        let activity = if self.0["activity"] == "Log" { Activity::Log } else { Activity::Collect };
        let observed = Observed { org: &org, at: AT, activity, basis: None };
        let object = self.0["object"].to_string();
        let mut mapper = InventoryMapper::new(options);
        let mut out = Vec::new();
        match self.0["collection"].as_str().unwrap() {
            "users" => {
                let lists = ["groups", "factors", "roles"].map(|name| self.texts(name));
                let lists = lists.each_ref().map(|list| list.as_ref().map(|list| bytes_of(list)));
                let schema =
                    self.0.get("schema").map(|schema| UserSchema::read(schema.to_string().as_bytes())).transpose()?;
                let facts = UserFacts {
                    user: object.as_bytes(),
                    groups: lists[0].as_deref(),
                    factors: lists[1].as_deref(),
                    roles: lists[2].as_deref(),
                    schema: schema.as_ref(),
                };
                mapper.user(&observed, &facts, &mut out)?
            }
            "devices" => mapper.device(&observed, object.as_bytes(), &mut out)?,
            name => {
                let facts = ResourceFacts {
                    object: object.as_bytes(),
                    within: self.related("within"),
                    source: self.related("source"),
                    members: self.0["members"].as_u64(),
                };
                let collection = Collection::find(name).unwrap_or_else(|| panic!("{name} is no collection"));
                mapper.resource(&observed, collection, &facts, &mut out)?
            }
        };
        Ok(out)
    }

    fn texts(&self, name: &str) -> Option<Vec<String>> {
        Some(self.0.get(name)?.as_array()?.iter().map(Value::to_string).collect())
    }

    /// Another object, as `["apps","0oa1"]`.
    fn related(&self, name: &str) -> Option<Related<'_>> {
        let related = self.0.get(name)?;
        Some(Related { collection: Collection::find(related[0].as_str()?)?, uid: related[1].as_str()? })
    }

    /// The record, known to be valid.
    fn record(&self) -> Value {
        let record = self.bytes(KEPT).unwrap_or_else(|error| panic!("{error}: {}", self.0));
        assert_valid(&record, &self.0);
        serde_json::from_slice(&record).unwrap()
    }
}

fn bytes_of(texts: &[String]) -> Vec<&[u8]> {
    texts.iter().map(String::as_bytes).collect()
}

/// Fails with all that is wrong with a record, and what it was made of.
fn assert_valid(record: &[u8], source: &Value) {
    let findings = Schema::embedded().check(record);
    assert!(findings.is_empty(), "{findings:#?}\nof {source}\nin {}", String::from_utf8_lossy(record));
    assert!(!record.contains(&b'\n'), "more than a line: {source}");
    let record: Value = serde_json::from_slice(record).unwrap();
    for enrichment in record["enrichments"].as_array().into_iter().flatten() {
        // The validator follows observables only.
        let attribute = enrichment["name"].as_str().unwrap().replace(['.', '['], "/").replace(']', "");
        assert_eq!(record.pointer(&format!("/{attribute}")), Some(&enrichment["value"]), "{enrichment} of {source}");
    }
}

/// The enrichment of a type.
fn enrichment<'a>(record: &'a Value, kind: &str) -> Option<&'a Value> {
    record["enrichments"].as_array()?.iter().find(|enrichment| enrichment["type"] == kind).map(|found| &found["data"])
}

/// A file or folder beside the checkout, where there is one.
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    path.exists().then_some(path)
}

fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ocsf/inventory/tests/golden")
}

/// The objects of the golden files, by name.
fn golden_cases() -> Vec<(String, Case)> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(golden_folder()).unwrap() {
        let path = entry.unwrap().path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".in.json")) {
            let case = serde_json::from_str(&std::fs::read_to_string(&path).unwrap());
            cases.push((name.to_owned(), Case(case.unwrap_or_else(|error| panic!("{name}: {error}")))));
        }
    }
    cases.sort_by(|one, other| one.0.cmp(&other.0));
    cases
}
