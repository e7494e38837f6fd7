use serde_json::{Value, json};

use super::*;

const ALL: Options = Options { raw_data: true, unmapped: true };

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
        "authenticationContext": {"authenticationProvider": "FACTOR_PROVIDER", "externalSessionId": "102x",
                                  "rootSessionId": "102r", "authenticationStep": 0, "issuer": null},
        "securityContext": {"asNumber": 64500, "asOrg": "Example Net", "isp": "Example ISP", "domain": ".", "isProxy": false},
        "outcome": {"result": "FAILURE", "reason": "INVALID_CREDENTIALS"},
        "target": [{"id": "0oa1", "type": "AppInstance", "alternateId": "Payroll", "displayName": "Payroll"}],
        "transaction": {"id": "tx1", "type": "WEB", "detail": {}},
        "debugContext": {"debugData": {"requestId": "r1", "risk": "{level=LOW}"}},
        "request": {"ipChain": [{"ip": "192.0.2.7", "version": "V4"}, {"ip": "198.51.100.9", "version": "V4"}]},
    })
}

fn mapped(event: &Value, options: Options) -> (Class, Value) {
    let org = OrgId::new("acme");
    let bytes = serde_json::to_vec(event).unwrap();
    let source = Source { org: &org, landed_at: Some(1_777_890_031_000), bytes: &bytes };
    let record = map(source, options).unwrap();
    (record.class, serde_json::from_slice(&record.json).unwrap())
}

fn with(path: &str, value: Value) -> Value {
    let mut event = sign_in();
    *event.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
    event
}

#[test]
fn a_sign_in_is_an_authentication_with_every_part_in_its_place() {
    let (class, record) = mapped(&sign_in(), Options { raw_data: false, unmapped: true });
    assert_eq!(class, Class::Authentication);
    let expected = json!({
        "category_uid": 3, "category_name": "Identity & Access Management",
        "class_uid": 3002, "class_name": "Authentication", "activity_id": 1, "activity_name": "Logon",
        "type_uid": 300_201, "type_name": "Authentication: Logon",
        "time": 1_777_890_030_123_i64, "severity_id": 3, "severity": "Medium",
        "status_id": 2, "status": "Failure", "status_code": "FAILURE", "status_detail": "INVALID_CREDENTIALS",
        "message": "User login to Okta",
        "metadata": {
            "version": "1.8.0", "product": {"name": "Okta", "vendor_name": "Okta"},
            "uid": "1d6f0d1c-0000-0000-0000-000000000000",
            "original_event_uid": "3f0a8c52-7c1e-11f0-9a41-0242ac120002", "tenant_uid": "acme",
            "event_code": "user.session.start", "log_level": "WARN", "log_name": "Okta System Log", "log_provider": "Okta",
            "original_time": "2026-05-04T10:20:30.123Z", "logged_time": 1_777_890_031_000_i64,
            "correlation_uid": "tx1", "transformation_info_list": [{"name": "okta-ocsf", "uid": MAPPING_VERSION}],
        },
        "user": {"uid": "00u1", "name": "ada@example.com", "display_name": "Ada", "email_addr": "ada@example.com",
                 "type_id": 1, "type": "User"},
        "actor": {
            "user": {"uid": "00u1", "name": "ada@example.com", "display_name": "Ada", "email_addr": "ada@example.com",
                     "type_id": 1, "type": "User"},
            "session": {"uid": "102x", "uid_alt": "102r"},
        },
        "session": {"uid": "102x", "uid_alt": "102r"},
        "service": {"uid": "0oa1", "name": "Payroll"},
        "is_mfa": true,
        "src_endpoint": {
            "ip": "192.0.2.7", "isp": "Example ISP", "autonomous_system": {"number": 64500, "name": "Example Net"},
            "location": {"city": "Graz", "region": "Styria", "postal_code": "8010", "lat": 47.0, "long": 15.4},
            "intermediate_ips": ["198.51.100.9"],
        },
        "http_request": {"user_agent": "Mozilla/5.0"},
        "observables": [
            {"name": "src_endpoint.ip", "type_id": 2, "type": "IP Address", "value": "192.0.2.7"},
            {"name": "user.name", "type_id": 4, "type": "User Name", "value": "ada@example.com"},
            {"name": "http_request.user_agent", "type_id": 16, "type": "HTTP User-Agent", "value": "Mozilla/5.0"},
        ],
        "unmapped": {
            "version": "0",
            "client": {"zone": "null", "device": "Computer", "userAgent": {"os": "Linux", "browser": "FIREFOX"},
                       "geographicalContext": {"country": "Austria"}},
            "authenticationContext": {"authenticationProvider": "FACTOR_PROVIDER", "authenticationStep": 0},
            "securityContext": {"domain": ".", "isProxy": false},
            "target": [{"id": "0oa1", "type": "AppInstance", "alternateId": "Payroll", "displayName": "Payroll"}],
            "transaction": {"type": "WEB"},
            "debugContext": {"debugData": {"requestId": "r1", "risk": "{level=LOW}"}},
            "request": {"ipChain": [{"ip": "192.0.2.7", "version": "V4"}, {"ip": "198.51.100.9", "version": "V4"}]},
        },
    });
    let mut expected = expected;
    expected["metadata"]["uid"] = json!(
        uuid::Uuid::new_v5(
            &uuid::Uuid::from_u128(0x4f1c_5a0e_7d33_4b52_9a51_0c5d_6e8f_2b47),
            b"acme\n3f0a8c52-7c1e-11f0-9a41-0242ac120002",
        )
        .to_string()
    );
    assert_eq!(record, expected);
}

#[test]
fn the_source_text_is_kept_byte_for_byte() {
    let org = OrgId::new("acme");
    let bytes = br#"{ "uuid" : "u1","published":"2026-01-01T00:00:00Z",  "eventType":"x.y" }"#;
    let record = map(Source { org: &org, landed_at: None, bytes }, ALL).unwrap();
    let record: Value = serde_json::from_slice(&record.json).unwrap();
    assert_eq!(record["raw_data"], std::str::from_utf8(bytes).unwrap());
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(mapped(&sign_in(), ALL), mapped(&sign_in(), ALL));
}

#[test]
fn every_leaf_of_the_source_is_in_an_attribute_or_in_unmapped() {
    let event = sign_in();
    let (_, record) = mapped(&event, Options { raw_data: false, unmapped: true });
    let mut values = Vec::new();
    leaves(&record, &mut values);
    let mut wanted = Vec::new();
    leaves(&event, &mut wanted);
    for leaf in wanted {
        assert!(values.contains(&leaf), "{leaf} is lost");
    }
}

fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.values().for_each(|field| leaves(field, found)),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Null => {}
        Value::String(text) => found.push(text.clone()),
        other => found.push(other.to_string()),
    }
}

#[test]
fn a_type_without_a_class_is_a_base_event_with_the_actor_under_the_host_profile() {
    let (class, record) = mapped(&with("/eventType", json!("zone.update")), ALL);
    assert_eq!(class, Class::BaseEvent);
    assert_eq!(record["type_uid"], 99);
    assert_eq!(record["activity_name"], "zone.update");
    assert_eq!(record["metadata"]["profiles"], json!(["host"]));
    assert_eq!(record["actor"]["user"]["uid"], "00u1");
    assert!(record.get("src_endpoint").is_none());
}

#[test]
fn a_sign_in_of_nobody_is_a_base_event_because_authentication_requires_a_user() {
    for actor in [json!(null), json!({"id": "unknown", "alternateId": "null", "displayName": ""})] {
        let (class, record) = mapped(&with("/actor", actor), ALL);
        assert_eq!(class, Class::BaseEvent);
        assert!(record.get("actor").is_none());
        assert!(record["metadata"].get("profiles").is_none());
    }
}

#[test]
fn machines_do_not_pose_as_people() {
    for (kind, type_id) in [("SystemPrincipal", 3), ("PublicClientApp", 4), ("IP address", 99)] {
        let (_, record) = mapped(&with("/actor/type", json!(kind)), ALL);
        assert_eq!(record["actor"]["user"]["type_id"], type_id, "{kind}");
        assert!(record["actor"]["user"].get("email_addr").is_none(), "{kind}");
    }
}

#[test]
fn a_person_whom_a_machine_signs_in_is_the_user() {
    let mut event = with("/actor/type", json!("SystemPrincipal"));
    event["target"] =
        json!([{"type": "AppInstance", "id": "0oa1"}, {"type": "User", "id": "00u9", "alternateId": "b@example.com"}]);
    let (_, record) = mapped(&event, ALL);
    assert_eq!((&record["user"]["uid"], &record["actor"]["user"]["uid"]), (&json!("00u9"), &json!("00u1")));
    assert_eq!(record["service"], json!({"name": "Okta"}), "an application without a name is not a service");
}

#[test]
fn what_is_not_valid_ocsf_stays_in_unmapped() {
    let (_, record) = mapped(&with("/client/ipAddress", json!("somewhere")), ALL);
    assert!(record.get("src_endpoint").is_none());
    assert_eq!(record["unmapped"]["client"]["ipAddress"], "somewhere");
    let (_, record) = mapped(&with("/securityContext/asNumber", json!(-1)), ALL);
    assert_eq!(record["src_endpoint"]["autonomous_system"], json!({"name": "Example Net"}));
    assert_eq!(record["unmapped"]["securityContext"]["asNumber"], -1);
    let (_, record) = mapped(&with("/actor/alternateId", json!("@nowhere")), ALL);
    assert!(record["user"].get("email_addr").is_none());
}

#[test]
fn every_outcome_has_a_status() {
    for (result, status_id, status) in [
        ("SUCCESS", 1, "Success"),
        ("ALLOW", 1, "Success"),
        ("FAILURE", 2, "Failure"),
        ("DENY", 2, "Failure"),
        ("CHALLENGE", 99, "CHALLENGE"),
        ("UNKNOWN", 0, "Unknown"),
    ] {
        let (_, record) = mapped(&with("/outcome/result", json!(result)), ALL);
        assert_eq!((&record["status_id"], &record["status"]), (&json!(status_id), &json!(status)), "{result}");
    }
}

#[test]
fn what_has_no_identity_or_time_is_refused_with_a_reason() {
    let org = OrgId::new("acme");
    for (bytes, reason) in [
        (&b"[]"[..], "not_log_event"),
        (br#"{"published":"2026-01-01T00:00:00Z"}"#, "missing_uuid"),
        (br#"{"uuid":"u"}"#, "missing_published"),
        (br#"{"uuid":"u","published":"never"}"#, "missing_published"),
    ] {
        let error = map(Source { org: &org, landed_at: None, bytes }, ALL).unwrap_err();
        assert_eq!(error.reason(), reason);
    }
}
