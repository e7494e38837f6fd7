//! What the tests map with, and what they map.

use std::path::PathBuf;

use serde_json::Value;

use super::super::*;

pub const AT: i64 = 1_777_890_030_123;

pub fn org() -> OrgId {
    OrgId::new("acme")
}

pub fn collected(org: &OrgId) -> Observed<'_> {
    Observed { org, at: AT, activity: Activity::Collect }
}

pub fn mapper() -> InventoryMapper {
    InventoryMapper::new(Options { raw_data: false, unmapped: true })
}

/// The folder beside the checkout, where there is one.
pub fn shared() -> Option<PathBuf> {
    let shared = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    shared.exists().then_some(shared)
}

/// The examples of Okta's API description.
pub fn examples() -> Vec<(usize, Value)> {
    let Some(shared) = shared() else { return Vec::new() };
    let text = std::fs::read_to_string(shared.join("data/corpus/inventory-openapi-examples/examples.ndjson")).unwrap();
    text.lines().enumerate().map(|(at, line)| (at, serde_json::from_str::<Value>(line).unwrap()["value"].clone())).collect()
}
