//! Why a record is written and on what it rests; and the records that are of no object.

use uuid::Uuid;

use super::*;
use crate::ocsf::inventory::{
    AlertFacts, Basis, Cause, Change, DriftFacts, FacetReading, Said, ScanFacts, ScanPhase, Scanned, scan_uid,
};
use crate::ocsf::privacy::Personal;

const READINGS: &[FacetReading<'_>] = &[FacetReading { facet: "user.core", as_of: (AT - 100, AT), confirmed: AT }];
const EVENT: Uuid = Uuid::from_u128(0x6f9a_1d2e_0b3c_11ef_8a4d_0242_ac12_0002);

fn user(basis: &Basis<'_>, activity: Activity) -> Value {
    let org = OrgId::new("acme");
    let user = br#"{"id":"00u1","status":"ACTIVE","profile":{"login":"ada@example.com","title":"Chief"}}"#;
    let observed = Observed { org: &org, at: AT, activity, basis: Some(basis) };
    let mut out = Vec::new();
    let facts = UserFacts { user, ..UserFacts::default() };
    InventoryMapper::new(KEPT).user(&observed, &facts, &mut out).unwrap();
    assert_valid(&out, &Value::Null);
    serde_json::from_slice(&out).unwrap()
}

fn resource(collection: &str, object: &Value, basis: &Basis<'_>) -> Value {
    let org = OrgId::new("acme");
    let observed = Observed { org: &org, at: AT, activity: Activity::Log, basis: Some(basis) };
    let mut out = Vec::new();
    let object = object.to_string();
    let facts = ResourceFacts { object: object.as_bytes(), ..ResourceFacts::default() };
    InventoryMapper::new(KEPT).resource(&observed, Collection::find(collection).unwrap(), &facts, &mut out).unwrap();
    assert_valid(&out, &Value::Null);
    serde_json::from_slice(&out).unwrap()
}

fn change<'a>(said: Said<'a>, cause: Cause) -> Change<'a> {
    Change { facet: "user.core", key: "00u1", cause, as_of: (AT - 100, AT), said }
}

#[test]
fn a_change_says_what_was_and_what_is_and_how_it_came_out() {
    let before = br#"{"id":"00u1","profile":{"title":"Analyst"},"credentials":{"password":{"value":"old"}}}"#;
    let after = br#"{"id":"00u1","profile":{"title":"Chief"},"credentials":{"password":{"value":"new"}}}"#;
    let changes = [change(Said::Object(Some(before), Some(after)), Cause::Event(EVENT))];
    let record = user(&Basis { key: "00u1", epoch: None, readings: READINGS, changes: &changes }, Activity::Log);
    assert_eq!(
        enrichment(&record, "change"),
        Some(&json!({
            "facet": "user.core", "key": "00u1", "what": "changed", "cause": "event", "event_uid": EVENT.to_string(),
            "as_of_lo": AT - 100, "as_of_hi": AT, "count": 1,
            "fields": [{"path": "profile.title", "before": "Analyst", "after": "Chief"}],
        }))
    );
    assert_eq!(record["metadata"]["correlation_uid"], EVENT.to_string());
    assert_eq!(record["metadata"]["original_event_uid"], Value::Null, "it is not the event");
    let facets = &enrichment(&record, "observation").unwrap()["facets"];
    assert_eq!(*facets, json!([{"facet": "user.core", "as_of_lo": AT - 100, "as_of_hi": AT, "confirmed_as_of": AT}]));
}

#[test]
fn what_is_hidden_in_the_record_is_hidden_in_what_it_was_before() {
    let org = OrgId::new("acme");
    let state = |login: &str, number: &str| {
        let profile = json!({"login": login, "employeeNumber": number, "title": format!("mail {login}")});
        json!({"id": "00u1", "profile": profile}).to_string()
    };
    let (before, after) = (state("ada@old.example", "E-0815"), state("ada@new.example", "E-4711"));
    let changes = [change(Said::Object(Some(before.as_bytes()), Some(after.as_bytes())), Cause::Fetch)];
    let basis = Basis { key: "00u1", epoch: None, readings: READINGS, changes: &changes };
    let observed = Observed { org: &org, at: AT, activity: Activity::Log, basis: Some(&basis) };
    let privacy = Privacy::new(b"a key of a test", &[Personal::Login, Personal::EmployeeNumber]);
    let mut mapper = InventoryMapper::new(KEPT).with_privacy(Some(privacy));
    let mut out = Vec::new();
    mapper.user(&observed, &UserFacts { user: after.as_bytes(), ..UserFacts::default() }, &mut out).unwrap();
    assert_valid(&out, &Value::Null);
    let text = String::from_utf8(out).unwrap();
    for hidden in ["ada@old.example", "ada@new.example", "E-0815", "E-4711"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    let record: Value = serde_json::from_str(&text).unwrap();
    let fields = enrichment(&record, "change").unwrap()["fields"].as_array().unwrap();
    let login = fields.iter().find(|field| field["path"] == "profile.login").unwrap();
    assert_eq!(login["after"], record["user"]["name"], "the same pseudonym as in the record");
    assert_ne!(login["before"], login["after"]);
}

#[test]
fn a_list_says_who_came_and_who_went() {
    let changes = [
        Change {
            facet: "app.users",
            ..change(Said::List("id", Some(br#"[{"id":"a"}]"#), Some(br#"[{"id":"b"}]"#)), Cause::List)
        },
        Change { facet: "group.members", key: "00g1", ..change(Said::Joined, Cause::Audit) },
    ];
    let record = user(&Basis { key: "00u1", epoch: None, readings: &[], changes: &changes }, Activity::Log);
    let said: Vec<&Value> = record["enrichments"].as_array().unwrap().iter().map(|said| &said["data"]).collect();
    let list = said.iter().find(|said| said["facet"] == "app.users").unwrap();
    assert_eq!(list["added"], json!({"count": 1, "ids": ["b"]}));
    assert_eq!(list["removed"], json!({"count": 1, "ids": ["a"]}));
    let joined = said.iter().find(|said| said["facet"] == "group.members").unwrap();
    assert_eq!(
        (&joined["what"], &joined["cause"], &joined["key"]),
        (&json!("joined"), &json!("audit"), &json!("00g1"))
    );
}

#[test]
fn many_changes_are_counted() {
    let changes = [change(Said::Joined, Cause::List); 20];
    let record = user(&Basis { key: "00u1", epoch: None, readings: &[], changes: &changes }, Activity::Log);
    let said = record["enrichments"].as_array().unwrap().iter().filter(|said| said["type"] == "change");
    let said: Vec<_> = said.map(|said| said["data"].clone()).collect();
    assert_eq!(said.len(), 9);
    assert_eq!(said[8], json!({"more_changes": 12}));
}

#[test]
fn records_of_a_snapshot_belong_to_it() {
    let org = OrgId::new("acme");
    let basis = Basis { key: "00u1", epoch: Some(AT), readings: READINGS, changes: &[] };
    let record = user(&basis, Activity::Collect);
    assert_eq!(record["metadata"]["correlation_uid"], scan_uid(&org, AT).to_string());
    assert_eq!(enrichment(&record, "observation").unwrap()["epoch"], AT);
    let next = user(&Basis { epoch: Some(AT + 1), ..basis }, Activity::Collect);
    assert_ne!(record["metadata"]["uid"], next["metadata"]["uid"], "the same state, told twice");
}

#[test]
fn what_has_no_id_is_known_by_its_collection() {
    let changes =
        [Change { facet: "threat_insight", key: "-", ..change(Said::Object(None, Some(b"{}")), Cause::List) }];
    let basis = Basis { key: "-", epoch: None, readings: &[], changes: &changes };
    let record = resource("threat_insight", &json!({"action": "audit"}), &basis);
    let said = &record["enrichments"][0];
    assert_eq!((&said["name"], &said["value"]), (&json!("metadata.event_code"), &json!("threat_insight")));
    assert_eq!(said["data"]["what"], "appeared");
}

/// A record of no object, as a file to read.
fn assert_golden(name: &str, write: impl FnOnce(&mut InventoryMapper, &mut Vec<u8>)) -> Value {
    let mut out = Vec::new();
    write(&mut InventoryMapper::new(KEPT), &mut out);
    assert_valid(&out, &Value::Null);
    let record: Value = serde_json::from_slice(&out).unwrap();
    let text = format!("{record:#}\n");
    let file = golden_folder().with_file_name("notes").join(format!("{name}.json"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&file).unwrap_or_default(), "UPDATE_GOLDEN=1 accepts this");
    record
}

#[test]
fn a_snapshot_is_started_completed_and_cancelled() {
    let org = OrgId::new("acme");
    let scanned =
        |collection, verdict, detail, objects, published| Scanned { collection, verdict, detail, objects, published };
    let collections = [
        scanned("users", Some("complete"), None, 100, 101),
        scanned("zones", Some("forbidden"), Some("okta.networkZones.read"), 0, 0),
        scanned("realms", Some("feature_off"), None, 0, 0),
    ];
    let begun = [scanned("users", None, None, 0, 0), scanned("zones", None, None, 0, 0)];
    let facts = ScanFacts {
        org: &org,
        epoch: AT,
        at: AT + 60_000,
        requested: false,
        phase: ScanPhase::Completed,
        collections: &collections,
    };
    let completed = assert_golden("scan_completed", |mapper, out| {
        mapper.scan(&facts, out).unwrap();
    });
    assert_eq!((&completed["status_code"], &completed["total"]), (&json!("partial"), &json!(101)));
    let whole = ScanFacts { collections: &collections[..1], ..facts };
    let whole = assert_golden("scan_completed_whole", |mapper, out| {
        mapper.scan(&whole, out).unwrap();
    });
    assert_eq!(whole["status_code"], "complete");
    let started = ScanFacts { phase: ScanPhase::Started, requested: true, collections: &begun, ..facts };
    let started = assert_golden("scan_started", |mapper, out| {
        mapper.scan(&started, out).unwrap();
    });
    let cancelled = ScanFacts { phase: ScanPhase::Cancelled("another snapshot began"), ..facts };
    let cancelled = assert_golden("scan_cancelled", |mapper, out| {
        mapper.scan(&cancelled, out).unwrap();
    });
    for record in [&started, &cancelled, &completed] {
        assert_eq!(record["scan"]["uid"], scan_uid(&org, AT).to_string(), "the same snapshot");
    }
    assert_ne!(started["metadata"]["uid"], completed["metadata"]["uid"]);
}

#[test]
fn drift_is_a_finding() {
    let org = OrgId::new("acme");
    let users = Collection::find("users").unwrap();
    let between = (Some(AT - 3_600_000), AT);
    let facts = DriftFacts { org: &org, collection: users, facet: "user.core", key: "00u1", way: "changed", between };
    assert_golden("drift_changed", |mapper, out| {
        mapper.drift(&facts, out).unwrap();
    });
    let zones = Collection::find("threat_insight").unwrap();
    let facts = DriftFacts { collection: zones, facet: "threat_insight", key: "-", between: (None, AT), ..facts };
    assert_golden("drift_without_id", |mapper, out| {
        mapper.drift(&facts, out).unwrap();
    });
}

#[test]
fn an_alert_is_an_application_error() {
    let org = OrgId::new("acme");
    let facts = AlertFacts {
        org: &org,
        collection: "users",
        kind: "braked",
        says: "a complete reading of users missed 500 of 1000: nothing is taken to be gone",
        key: "",
        epoch: AT,
        at: AT + 1,
        numbers: &[("missing", 500), ("live", 1000)],
    };
    assert_golden("alert_braked", |mapper, out| {
        mapper.alert(&facts, out).unwrap();
    });
    let late = AlertFacts { at: 5, ..facts };
    let mut out = Vec::new();
    assert_eq!(InventoryMapper::new(KEPT).alert(&late, &mut out), Err(InventoryError::AbsurdTime));
    assert!(out.is_empty());
}
