//! What people do with the mapping: explain it, check records against the schema, override it, measure it.

use std::fs;

use serde_json::Value;

use crate::command_line::{run, text};
use crate::support::{Bench, until};

const SIGN_IN: &str = r#"{"uuid":"3f0a8c52-7c1e-11f0-9a41-0242ac120002","published":"2026-05-04T10:20:30Z","eventType":"user.session.start","actor":{"id":"00u1","type":"User","alternateId":"ada@example.com"},"surprise":{"a b":[null,7]}}"#;

/// The inputs of the golden tests, one on each line.
fn golden_events() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let inputs = files.filter(|path| path.to_str().unwrap().ends_with(".in.json"));
    inputs.map(|path| fs::read_to_string(path).unwrap().replace('\n', " ")).collect()
}

#[test]
fn every_golden_event_transforms_into_what_validate_accepts() {
    let events = golden_events();
    let records = run(&["transform"], events.join("\n").as_bytes());
    assert_eq!((records.status.code(), text(&records.stderr)), (Some(0), String::new()));
    assert_eq!(text(&records.stdout).lines().count(), events.len());
    let checked = run(&["validate", "--json"], &records.stdout);
    let report: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!((checked.status.code(), &report["invalid"]), (Some(0), &0.into()), "{report:#}");
}

#[test]
fn validate_says_what_is_wrong_and_where() {
    let record = run(&["transform"], SIGN_IN.as_bytes()).stdout;
    let broken = text(&record).replace("\"activity_name\":\"Logon\"", "\"activity_name\":\"Log on\"");
    let checked = run(&["validate"], broken.as_bytes());
    assert_eq!(checked.status.code(), Some(1));
    let said = text(&checked.stdout);
    assert!(said.contains("line 1: enum_sibling_incorrect at activity_name"), "{said}");
}

#[test]
fn explain_shows_a_type_with_its_class_and_fields() {
    let shown = text(&run(&["explain", "user.session.start"], b"").stdout);
    for expected in ["Authentication (3002)", "Logon (1)", "actor.alternateId", "user.email_addr"] {
        assert!(shown.contains(expected), "{expected} is missing in:\n{shown}");
    }
}

#[test]
fn explain_of_a_mistyped_type_names_similar_ones() {
    let shown = run(&["explain", "usr.session.start"], b"");
    assert_eq!(shown.status.code(), Some(1));
    let said = text(&shown.stderr);
    assert!(said.contains("usr.session.start is not a known event type"), "{said}");
    assert!(said.contains("user.session.start"), "{said}");
}

#[test]
fn explain_of_an_event_says_where_each_value_went() {
    let shown = run(&["explain", "--input", "-", "--json"], SIGN_IN.as_bytes());
    let explained: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let fields = explained["fields"].as_array().unwrap();
    let of = |path: &str| fields.iter().find(|field| field["field"] == path).unwrap_or_else(|| panic!("{path}"));
    assert_eq!(explained["class"], "authentication");
    assert!(of("actor.id")["attributes"].as_array().unwrap().contains(&"user.uid".into()));
    assert_eq!(of("surprise.a b[0]")["raw_data_only"], true);
    assert_eq!(of("surprise.a b[1]")["unmapped"], "unmapped.surprise.a b[0]");
}

#[test]
fn a_file_of_event_types_changes_the_mapping_and_a_bad_one_is_refused_with_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.csv");
    let file = path.to_str().unwrap();
    let header = "event_type,class,activity_id,activity,entity,targets,defaults,why\n";
    fs::write(&path, format!("{header}user.session.*,authentication,2,Logoff,,,,\n")).unwrap();
    let record = run(&["transform", "--event-types", file], SIGN_IN.as_bytes());
    assert!(text(&record.stdout).contains("\"type_name\":\"Authentication: Logoff\""));
    fs::write(&path, format!("{header}a.b,authentication,77,Odd,,,,\nc.d,nothing,1,X,,,,\n")).unwrap();
    let refused = run(&["transform", "--event-types", file], SIGN_IN.as_bytes());
    assert_eq!(refused.status.code(), Some(78));
    let said = text(&refused.stderr);
    assert!(said.contains("line 2: authentication has no activity 77") && said.contains("line 3:"), "{said}");
}

#[test]
fn objects_of_a_collection_become_valid_inventory_records() {
    let page =
        r#"[{"id":"00g1","profile":{"name":"Everyone"},"type":"BUILT_IN"},{"id":"00g2","profile":{"name":"Ops"}}]"#;
    let records = run(&["transform", "--collection", "groups"], page.as_bytes());
    assert_eq!((records.status.code(), text(&records.stdout).lines().count()), (Some(0), 2));
    assert_eq!(run(&["validate"], &records.stdout).status.code(), Some(0));
    let user = run(
        &["transform", "--collection", "users"],
        br#"{"id":"00u1","status":"ACTIVE","profile":{"login":"a@b.cd"}}"#,
    );
    assert!(text(&user.stdout).contains("\"class_uid\":5003"));
    let bad = run(&["transform", "--collection", "users"], b"{}\n7\n");
    assert_eq!(bad.status.code(), Some(1));
    let said = text(&bad.stderr);
    assert!(said.contains("line 1: inventory_missing_id") && said.contains("line 2: inventory_not_object"), "{said}");
    let unknown = run(&["transform", "--collection", "people"], b"");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("policy_rules"), "{}", text(&unknown.stderr));
}

#[test]
fn bench_normalize_prints_one_line_of_figures() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    fs::write(&path, format!("{SIGN_IN}\nnot an event\n")).unwrap();
    let measured = run(&["bench", "normalize", path.to_str().unwrap(), "--seconds", "0.05"], b"");
    assert_eq!(measured.status.code(), Some(0), "{}", text(&measured.stderr));
    let line = text(&measured.stdout);
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((words[0], words[2], words[4], words[6]), ("normalize", "events/s", "MB/s", "B/event"), "{line}");
    assert!(text(&measured.stderr).contains("1 of 2 lines are no events"));
}

#[test]
fn bench_merge_fills_folds_and_makes_the_state_again() {
    let small = ["bench", "merge", "--users", "50", "--memberships", "200", "--seconds", "0.05"];
    let measured = run(&[&small[..], &["--json"]].concat(), b"");
    assert_eq!(measured.status.code(), Some(0), "{}", text(&measured.stderr));
    let figures: Value = serde_json::from_slice(&measured.stdout).unwrap();
    assert!(figures["merge"]["records"].as_u64().unwrap() > 0, "{figures}");
    assert!(figures["restore_resident_mb"].as_u64().unwrap() > 0, "{figures}");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let unanswered = run(&[&small[..], &["--kafka", &nobody]].concat(), b"");
    assert_eq!(unanswered.status.code(), Some(69));
    assert!(text(&unanswered.stderr).contains("does not answer"), "{}", text(&unanswered.stderr));
}

#[test]
fn a_worker_that_checks_every_record_publishes_them_all_and_tells_of_unknown_types() {
    let bench = Bench::local("mapping");
    let own = bench.folder.join("own.csv");
    let header = "event_type,class,activity_id,activity,entity,targets,defaults,why\n";
    fs::write(&own, format!("{header}acme.door.opened,entity_management,99,Door Opened,Door,Door,,\n")).unwrap();
    let own = own.to_str().unwrap();
    let worker = bench
        .start("worker", &[("OKTA_OCSF__PUBLISH__VALIDATE_ONE_IN", "1"), ("OKTA_OCSF__PUBLISH__EVENT_TYPES", own)]);
    worker.until_ready();
    let event = |n: usize, kind: &str| {
        format!(
            r#"{{"uuid":"00000000-0000-4000-8000-{n:012}","published":"2026-05-04T10:20:30Z","eventType":"{kind}","actor":{{"id":"00u1","type":"User"}},"target":[{{"id":"d1","type":"Door","displayName":"Front"}}]}}"#
        )
    };
    let kinds = ["user.session.start", "acme.door.opened", "acme.door.locked", "zone.brand_new"];
    let events: Vec<String> = kinds.iter().enumerate().map(|(n, kind)| event(n, kind)).collect();
    bench.send(&events);
    until("all are published", || (worker.metric("okta_ocsf_published_total", "") >= 4.0).then_some(()));
    assert!(worker.metric("okta_ocsf_validated_total", "") >= 4.0);
    assert_eq!(worker.metric("okta_ocsf_unlisted_event_types_total", "acme.door.locked"), 1.0);
    assert_eq!(worker.metric("okta_ocsf_unlisted_event_types_total", "zone.brand_new"), 1.0);
    assert_eq!(worker.metric("okta_ocsf_unlisted_event_types_total", "acme.door.opened"), 0.0);
}
