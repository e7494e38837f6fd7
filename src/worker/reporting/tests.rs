use serde_json::{Value, json};

use super::*;
use crate::collect::COLLECTIONS;
use crate::merge::inventory::reports::{Reading, Scan, Tally};

const AT: i64 = 1_777_890_030_123;
const SOURCE: SourceId = SourceId { partition: 3, offset: 1042, index: 7 };

fn org() -> OrgId {
    OrgId::new("acme")
}

fn slot(collection: &str, key: &str) -> Slot {
    Slot::new(&org(), crate::collect::Collection::find(collection).unwrap(), key).unwrap()
}

fn reporting(validate_one_in: u32) -> Reporting {
    Reporting::new(&PublishConfig { validate_one_in, ..PublishConfig::default() }, None)
}

fn thing(slot: Slot, body: &Value, facts: Facts, occasion: Occasion) -> Report {
    let readings = vec![Reading { facet: slot.facet(), as_of: (AT - 100, AT), confirmed_as_of: AT }];
    let body = body.to_string().into_bytes();
    Report::Thing(Box::new(Thing { slot, occasion, at: AT, body, facts, readings }))
}

fn changed(slot: &Slot, before: &str, after: &str) -> Occasion {
    let change = Delta::Content(Some(before.into()), Some(after.into()));
    let (cause, as_of) = (inventory::Cause::Event([7; 16]), (AT - 100, AT));
    Occasion::Changed(vec![Reason { slot: slot.clone(), change, cause, as_of }])
}

/// The record of a report, which was checked against the schema.
fn made(report: &Report) -> (OutputRecord, Value) {
    let output = reporting(1)
        .map(SOURCE, (&org(), 7), Told::Inventory(report))
        .unwrap_or_else(|refused| panic!("{}", refused.detail));
    let Body::Record(json) = &output.body else { panic!("{output:?}") };
    let value = serde_json::from_slice(json).unwrap();
    (output, value)
}

#[test]
fn a_user_is_told_with_all_that_is_known() {
    let user = slot("users", "00u1");
    let facts = Facts::User {
        groups: Some(vec![br#"{"id":"00g1","profile":{"name":"Engineers"}}"#.to_vec()]),
        factors: Some(br#"[{"id":"f1","factorType":"push","status":"ACTIVE"}]"#.to_vec()),
        roles: Some(b"[]".to_vec()),
    };
    let factors = Slot::new(&org(), inventory_collection("user.factors"), "00u1").unwrap();
    let occasion = changed(&factors, "[]", r#"[{"id":"f1"}]"#);
    let body = json!({"id": "00u1", "profile": {"login": "ada@example.com"}});
    let (output, record) = made(&thing(user, &body, facts, occasion));
    assert_eq!((output.class, output.key.as_str()), (Class::UserInventory, "acme|users|00u1"));
    assert_eq!(output.source, SOURCE);
    assert_eq!(record["user"]["groups"][0]["name"], "Engineers");
    assert_eq!((&record["user"]["has_mfa"], &record["user"]["type"]), (&json!(true), &json!("User")));
    let said = record["enrichments"].as_array().unwrap().iter().find(|said| said["type"] == "change").unwrap();
    assert_eq!(said["data"]["added"], json!({"count": 1, "ids": ["f1"]}));
}

fn inventory_collection(facet: &str) -> &'static crate::collect::Collection {
    COLLECTIONS.iter().find(|collection| collection.facet == facet).unwrap()
}

#[test]
fn a_part_is_told_within_what_it_is_a_part_of() {
    let rule = slot("authorization_server_policy_rules", "aus1/00p1/0pr1");
    let (before, after) = (r#"{"id":"0pr1","priority":1}"#, r#"{"id":"0pr1","priority":2}"#);
    let occasion = changed(&rule, before, after);
    let report = thing(rule, &json!({"id": "0pr1", "priority": 2}), Facts::Other { members: None }, occasion);
    let (output, record) = made(&report);
    assert_eq!(output.key, "acme|authorization_server_policy_rules|aus1/00p1/0pr1");
    assert_eq!(record["resources"][1]["uid"], "00p1");
    assert_eq!(record["resources"][1]["type"], "Authorization Server Policy");
}

/// Whatever a collection holds, its objects are valid records, each of the class of its topic.
#[test]
fn every_collection_is_told() {
    let object = json!({
        "id": "x1", "name": "x1", "type": "x1", "kid": "x1", "client_id": "x1", "label": "x1", "orn": "x1", "keyId": "x1",
        "contactType": "x1", "primary": {"name": "x1"}, "user": {"id": "x1"}, "deviceUserId": "x1",
    });
    for collection in COLLECTIONS {
        let key = if collection.parent == Parent::Org { "x1" } else { "p1/p2/x1" };
        let slot = Slot::new(&org(), collection, key).unwrap();
        let facts = match collection.name {
            "users" => Facts::User { groups: None, factors: None, roles: None },
            "devices" => Facts::Device,
            _ => Facts::Other { members: Some(3) },
        };
        let occasions = [changed(&slot, r#"{"a":1}"#, r#"{"a":2}"#), Occasion::Collected(AT - 5)];
        let mut uids = Vec::new();
        for occasion in occasions {
            let report = thing(slot.clone(), &object, facts.clone(), occasion);
            let (output, record) = made(&report);
            assert_eq!(output.class, Told::Inventory(&report).class(), "{}", collection.name);
            assert_eq!(record["class_uid"], output.class.uid(), "{}", collection.name);
            assert!(output.class.is_inventory());
            uids.push(record["metadata"]["uid"].clone());
        }
        assert_ne!(uids[0], uids[1], "{}", collection.name);
    }
}

#[test]
fn what_is_gone_is_a_tombstone_with_its_cause() {
    let gone = |cause| Report::Gone(Gone { slot: slot("users", "00u1"), cause, as_of: (AT, AT) });
    let output =
        |cause| reporting(1).map(SOURCE, (&org(), 7), Told::Inventory(&gone(cause))).unwrap_or_else(|_| panic!());
    let sweep = output(inventory::Cause::Sweep);
    assert_eq!((sweep.key.as_str(), sweep.body), ("acme|users|00u1", Body::Tombstone { cause: "sweep".into() }));
    let event = output(inventory::Cause::Event([0x11; 16]));
    assert_eq!(event.body, Body::Tombstone { cause: "11111111-1111-1111-1111-111111111111".into() });
}

#[test]
fn marks_drift_and_alerts_are_records_of_the_org() {
    let tally = Tally { outcome: Some(Outcome::Complete), objects: 5, told: 5 };
    let collections = [("users".to_owned(), tally)].into();
    let scan = Scan { epoch: AT - 9, requested: true, phase: Phase::Completed, collections };
    let between = (Some(AT - 5), AT);
    let kind = DriftKind::Vanished;
    let alert = Alert::Braked { slot: slot("users", ""), epoch: AT - 9, candidates: 100, live: 100 };
    for report in [
        Report::Scan(ScanReport { org: org(), scan, at: AT }),
        Report::Drift(Drift { slot: slot("zones", "nzo1"), kind, between }),
        Report::Alert(Alerted { alert, at: AT }),
    ] {
        let (output, record) = made(&report);
        assert_eq!((output.class, output.key.as_str()), (Told::Inventory(&report).class(), "acme"));
        assert_eq!(record["class_uid"], output.class.uid());
    }
}

#[test]
fn what_cannot_be_told_is_refused_with_what_it_was_made_of() {
    let occasion = Occasion::Collected(AT);
    let report = thing(slot("zones", "nzo1"), &json!({"name": "no id"}), Facts::Other { members: None }, occasion);
    let Err(refused) = reporting(1).map(SOURCE, (&org(), 7), Told::Inventory(&report)) else { panic!("it has no id") };
    assert_eq!((refused.reason, refused.bytes), ("inventory_missing_id", br#"{"name":"no id"}"#.to_vec()));
}
