//! The mapping from the outside: events in, records out.
//!
//! - `golden`: whole records, as files to read.
//! - `rules`: one rule a test, with the values that matter.
//! - `enrichment`: what the inventory adds.
//! - `hidden`: personal values and their pseudonyms.
//! - `known`: an inventory for both.
//! - `accounting`: no leaf of an event is lost.
//! - `types`: an event of every type of the catalogue.
//! - `table`: the tables, and a user's own.
//! - `properties`: any JSON at any place.
//! - `captions`: the enumerations against the schema.

mod accounting;
mod captions;
mod enrichment;
mod golden;
mod hidden;
mod known;
mod properties;
mod rules;
mod table;
mod types;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::validate::Schema;
use super::*;

const KEPT: Options = Options { raw_data: false, unmapped: true };

fn mapper(options: Options) -> Mapper {
    Mapper::new(EventTypes::embedded(), options)
}

/// The record of an event, as bytes.
fn record_of(mapper: &mut Mapper, event: &[u8]) -> Result<(Mapped, Vec<u8>), MapError> {
    let org = OrgId::new("acme");
    let source = Source { org: &org, landed_at: Some(1_777_890_031_000), bytes: event };
    let mut out = Vec::new();
    mapper.map(source, &mut out).map(|mapped| (mapped, out))
}

/// The record of an event, read, and known to be valid.
fn mapped(event: &Value, options: Options) -> (Mapped, Value) {
    let (mapped, record) = record_of(&mut mapper(options), event.to_string().as_bytes()).unwrap();
    assert_valid(&record, event);
    (mapped, serde_json::from_slice(&record).unwrap())
}

/// The record of an event without its source text.
fn record(event: &Value) -> Value {
    mapped(event, KEPT).1
}

/// Fails with what is wrong with a record; `what` says what it was made of.
fn assert_valid(record: &[u8], what: &impl std::fmt::Display) {
    let findings = Schema::embedded().check(record);
    assert!(findings.is_empty(), "{}: {:#?}", shown(what), findings.iter().take(3).collect::<Vec<_>>());
    assert!(!record.contains(&b'\n'), "{}: more than a line", shown(what));
}

/// The beginning of a text, for messages.
fn shown(what: &impl std::fmt::Display) -> String {
    what.to_string().chars().take(300).collect()
}

/// A sign-in with something in every section.
fn sign_in() -> Value {
    json!({
        "uuid": "3f0a8c52-7c1e-11f0-9a41-0242ac120002", "published": "2026-05-04T10:20:30.123Z", "version": "0",
        "eventType": "user.session.start", "severity": "WARN", "displayMessage": "User login to Okta",
        "actor": {"id": "00u1", "type": "User", "alternateId": "ada@example.com", "displayName": "Ada", "detailEntry": null},
        "client": {
            "id": null, "zone": "null", "device": "Computer", "ipAddress": "192.0.2.7",
            "userAgent": {"rawUserAgent": "Mozilla/5.0", "os": "Linux", "browser": "FIREFOX"},
            "geographicalContext": {"city": "Graz", "state": "Styria", "country": "Austria", "postalCode": 8010,
                                    "geolocation": {"lat": 47.0, "lon": 15.4}},
        },
        "device": {"id": "guo1", "name": "laptop", "os_platform": "OSX", "os_version": "14.5", "managed": true},
        "authenticationContext": {"authenticationProvider": "FACTOR_PROVIDER", "credentialType": "OTP",
                                  "externalSessionId": "102x", "rootSessionId": "102r", "authenticationStep": 0},
        "securityContext": {"asNumber": 64500, "asOrg": "Example Net", "isp": "Example ISP", "domain": "example.net",
                            "isProxy": false, "userBehaviors": [{"id": "b1", "name": "New IP", "result": "NEGATIVE"}]},
        "outcome": {"result": "FAILURE", "reason": "INVALID_CREDENTIALS"},
        "target": [
            {"id": "0oa1", "type": "AppInstance", "alternateId": "Payroll", "displayName": "Payroll"},
            {"id": "pfd1", "type": "AuthenticatorEnrollment", "displayName": "Okta Verify",
             "detailEntry": {"methodTypeUsed": "Get a push notification"}},
        ],
        "transaction": {"id": "tx1", "type": "WEB", "detail": {"requestApiTokenId": "00T1"}},
        "debugContext": {"debugData": {
            "requestId": "r1", "requestUri": "/api/v1/authn", "risk": "{reasons=Anomalous Location, level=HIGH}",
            "behaviors": "{New Device=POSITIVE, New IP=NEGATIVE}", "threatSuspected": "false",
            "logOnlySecurityData": "{\"risk\":{\"level\":\"LOW\"},\"behaviors\":{}}", "factor": "OKTA_VERIFY_PUSH",
        }},
        "request": {"ipChain": [{"ip": "192.0.2.7", "version": "V4"}, {"ip": "198.51.100.9", "version": "V4"}]},
    })
}

/// The sign-in with another value at a JSON pointer.
fn with(pointer: &str, value: Value) -> Value {
    let mut event = sign_in();
    put(&mut event, pointer, value);
    event
}

/// Puts a value at a JSON pointer, also under a key that an object does not have yet.
fn put(event: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match event.pointer_mut(parent) {
        Some(Value::Object(fields)) => drop(fields.insert(key.to_owned(), value)),
        Some(Value::Array(items)) => items[key.parse::<usize>().unwrap()] = value,
        other => panic!("{pointer}: {other:?}"),
    }
}

/// An event of a type about some targets, by an admin.
fn about(event_type: &str, targets: Value) -> Value {
    let mut event = with("/eventType", json!(event_type));
    event["actor"] = party("00uadmin", "User", "admin@example.com");
    event["target"] = targets;
    event
}

fn party(id: &str, kind: &str, alternate: &str) -> Value {
    json!({"id": id, "type": kind, "alternateId": alternate, "displayName": format!("{kind} {id}"), "detailEntry": null})
}

/// One event type of each kind that the mapping tells apart.
fn unlike_types() -> Vec<String> {
    let types = EventTypes::embedded();
    let mut seen = std::collections::HashSet::new();
    let mut is_new = |name: &&str| {
        let entry = types.find(name).1;
        seen.insert(format!("{:?} {} {:?} {:?}", entry.class, entry.entity, entry.targets, entry.defaults))
    };
    types.names().into_iter().filter(|name| is_new(name)).map(str::to_owned).collect()
}

/// The events of the golden files, by name.
fn golden_events() -> Vec<(String, String)> {
    let mut events = Vec::new();
    for entry in std::fs::read_dir(golden_folder()).unwrap() {
        let path = entry.unwrap().path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".in.json")) {
            events.push((name.to_owned(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    events.sort();
    events
}

fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// A file or folder beside the checkout, where there is one.
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    path.exists().then_some(path)
}

/// The sample events beside the checkout, where there are any.
fn corpus_events() -> Vec<String> {
    let Some(folder) = shared("data/corpus") else { return Vec::new() };
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files
        .flat_map(|file| std::fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}
