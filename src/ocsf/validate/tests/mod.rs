mod agreement;
mod broken;

use serde_json::{Value, json};

use super::*;

const FACTS: &str = include_str!("../../../../schemas/ocsf/1.8.0/facts.json");

/// A valid record with something of everything: profiles, ids and names, observables, addresses and times.
fn sign_in() -> Value {
    json!({
        "category_uid": 3, "category_name": "Identity & Access Management",
        "class_uid": 3002, "class_name": "Authentication",
        "activity_id": 1, "activity_name": "Logon", "type_uid": 300_201, "type_name": "Authentication: Logon",
        "time": 1_777_890_030_123_i64, "time_dt": "2026-05-04T12:20:30.123+02:00",
        "severity_id": 1, "severity": "Informational", "status_id": 99, "status": "CHALLENGE",
        "message": "User login to Okta", "is_mfa": true, "timezone_offset": 0,
        "metadata": {
            "version": "1.8.0", "product": {"name": "Okta", "vendor_name": "Okta"}, "profiles": ["datetime", "host"],
            "uid": "3f0a8c52-7c1e-51f0-9a41-0242ac120002", "original_time": "2026-05-04T10:20:30.123Z",
        },
        "user": {
            "uid": "00u1", "name": "ada", "email_addr": "ada@example.com", "type_id": 1, "type": "User",
            "groups": [{"uid": "00g1", "name": "Everyone"}, {"uid": "00g2"}], "risk_level_id": 0,
        },
        "actor": {"user": {"name": "ada"}, "session": {"uid": "102", "created_time": 1_777_890_000_000_i64}},
        "src_endpoint": {
            "ip": "192.0.2.7", "port": 443, "mac": "18:36:F3:98:4F:9A", "intermediate_ips": ["198.51.100.9", "::1"],
            "location": {"city": "Graz", "lat": 47.0, "long": 15.4},
            "autonomous_system": {"number": 64_500, "name": "Example Net"},
        },
        "dst_endpoint": {"hostname": "acme.okta.com", "svc_name": "okta"},
        "device": {"type_id": 2, "type": "Desktop", "hostname": "laptop", "subnet": "192.0.2.0/24"},
        "http_request": {
            "http_method": "POST", "user_agent": "Mozilla/5.0",
            "url": {
                "url_string": "https://acme.okta.com/", "category_ids": [21, 99, 0],
                "categories": ["Business/Economy", "Own", "Unknown"],
            },
        },
        "enrichments": [{"name": "user.uid", "value": "00u1", "data": {"any": [1, null, {"x": "y"}]}}],
        "unmapped": {"debugContext": {"debugData": {"any": [1, null, {"thing": "x"}]}}},
        "observables": [
            {"name": "src_endpoint.ip", "type_id": 2, "type": "IP Address", "value": "192.0.2.7"},
            {"name": "src_endpoint.intermediate_ips[]", "type_id": 2, "value": "::1"},
            {"name": "src_endpoint.location.lat", "type_id": 0, "value": "47.0"},
            {"name": "user", "type_id": 21, "type": "User"},
            {"name": "user.groups[1].uid", "type_id": 99, "type": "Group", "value": "00g2"},
            {"name": "unmapped.debugContext.debugData.any[2].thing", "type_id": 6, "value": "x"},
            {"name": "device.hostname", "type_id": 1, "value": "laptop"},
        ],
    })
}

/// A detection with what a sign-in does not have: profiles with attributes of nested objects, names of several ids.
fn detection() -> Value {
    json!({
        "category_uid": 2, "category_name": "Findings", "class_uid": 2004, "class_name": "Detection Finding",
        "activity_id": 1, "type_uid": 200_401, "time": 1_777_890_030_123_i64, "severity_id": 4, "severity": "High",
        "status_id": 1, "is_alert": true, "confidence_score": 80, "verdict_id": 2, "verdict": "True Positive",
        "metadata": {
            "version": "1.8.0", "product": {"name": "Okta", "feature": {"name": "ThreatInsight"}},
            "profiles": ["cloud", "security_control", "incident", "container", "linux/linux_users"],
            "logged_time": 1_777_890_030_200_i64, "labels": ["a", "b"],
        },
        "cloud": {"provider": "Okta", "account": {"uid": "acme", "type_id": 99, "type": "Okta org"}},
        "api": {"operation": "login", "response": {"code": 403}},
        "finding_info": {"uid": "f1", "title": "Password spray", "analytic": {"type_id": 1, "name": "spray"}},
        "malware": [{"classification_ids": [1, 99], "classifications": ["Adware", "Own"], "name": "m"}],
        "attacks": [{"tactic": {"uid": "TA0001"}, "technique": {"uid": "T1110", "name": "Brute Force"}}],
        "evidences": [
            {"process": {"pid": 7, "euid": 0, "namespace_pid": 1, "container": {"uid": "c"}, "name": "sshd"}},
            {"data": {"anything": [null]}, "src_endpoint": {"ip": "192.0.2.7", "owner": {"name": "x"}}},
        ],
        "observables": [
            {"name": "evidences[].src_endpoint.ip", "type_id": 2, "value": "192.0.2.7"},
            {"name": "evidences[0].process", "type_id": 25},
            {"name": "evidences[0].process.pid", "type_id": 15, "value": "7"},
            {"name": "evidences[1].data.anything", "type_id": 5, "value": "null"},
            {"name": "attacks[0].technique", "type_id": 0},
        ],
    })
}

fn check(record: &Value) -> Vec<Finding> {
    Schema::embedded().check(&serde_json::to_vec(record).unwrap())
}

fn places(findings: &[Finding]) -> Vec<(&str, &str)> {
    findings.iter().map(|finding| (finding.code, finding.path.as_str())).collect()
}

#[test]
fn a_valid_record_has_no_findings() {
    assert_eq!(check(&sign_in()), []);
    assert_eq!(check(&detection()), []);
}

#[test]
fn the_embedded_schema_is_the_one_that_records_are_made_for() {
    assert_eq!(Schema::embedded().version(), crate::ocsf::OCSF_VERSION);
    for class in crate::ocsf::Class::ALL {
        let known = Schema::embedded().tables.class(class.uid().into());
        assert_eq!(known.map(|known| known.name.as_str()), Some(class.name()));
    }
    assert_eq!(Schema::embedded().tables.classes.len(), crate::ocsf::Class::ALL.len());
    assert_eq!(Schema::embedded().class_name(1007), Some("process_activity"));
    assert_eq!(Schema::embedded().class_name(1), None);
}

/// What `formats` does by hand, as the schema says it. Where this fails after a new schema, look at the new expression.
#[test]
fn the_regular_expressions_are_those_that_are_checked_by_hand() {
    let facts: Value = serde_json::from_str(FACTS).unwrap();
    let types = facts["types"].as_object().unwrap().iter();
    let of = |name: &str| facts["types"][name]["regex"].as_str().unwrap();
    let with_regex: Vec<_> = types.filter(|(_, of)| of.get("regex").is_some()).map(|(name, _)| name).collect();
    assert_eq!(with_regex, ["bytestring_t", "datetime_t", "email_t", "ip_t", "mac_t", "uuid_t"]);
    assert_eq!(of("email_t"), r"^[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$");
    assert_eq!(of("mac_t"), "^([0-9A-Fa-f]{2}[:-]){5}([0-9A-Fa-f]{2})$");
    assert_eq!(of("uuid_t"), "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}");
    let alphabet = |set: &str| format!("(?:[{set}]{{4}})*(?:[{set}]{{2}}==|[{set}]{{3}}=)");
    assert_eq!(of("bytestring_t"), format!("^(?:{}|{})?$", alphabet("A-Za-z0-9+/"), alphabet("A-Za-z0-9_-")));
    // Times and addresses are checked more strictly: a time is an instant, an address one that a parser takes.
    assert_eq!(of("datetime_t"), r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d+)?([Zz]|[\+-]\d{2}:\d{2})?$");
}

#[test]
fn facts_that_do_not_hold_together_are_refused() {
    assert!(matches!(Schema::from_facts("{}"), Err(FactsError::Unreadable(_))));
    for (there, instead, what) in [
        (r#""object":"user""#, r#""object":"usr""#, "object"),
        (r#""type":"email_t""#, r#""type":"mail_t""#, "type"),
        (r#""base":"float_t""#, r#""base":"double_t""#, "type"),
        (r#""optional":["#, r#""optional":["nowhere","#, "attribute"),
        (r#""only_with":{"cloud""#, r#""only_with":{"clowd""#, "profile"),
        (r#""at_least_one":["#, r#""at_least_one":["nowhere","#, "attribute"),
    ] {
        assert!(FACTS.contains(there), "{there}");
        let refused = Schema::from_facts(&FACTS.replacen(there, instead, 1)).unwrap_err();
        assert!(matches!(refused, FactsError::Unknown { what: said, .. } if said == what), "{there}: {refused}");
    }
}
