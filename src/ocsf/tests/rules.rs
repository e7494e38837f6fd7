//! One rule a test.

use super::*;

/// The values at some JSON pointers of a record.
fn at<const N: usize>(record: &Value, pointers: [&str; N]) -> [Value; N] {
    pointers.map(|pointer| record.pointer(pointer).cloned().unwrap_or_default())
}

fn class_of(event: &Value) -> Class {
    mapped(event, KEPT).0.class
}

#[test]
fn the_source_text_is_kept_byte_for_byte() {
    let source = "{ \"uuid\" : \"u1\",\r\n\t\"published\":\"2026-01-01T00:00:00Z\",  \"eventType\":\"x.\\u00e9\" }\n";
    let all = Options { raw_data: true, unmapped: true };
    let (_, bytes) = record_of(&mut mapper(all), source.as_bytes()).unwrap();
    assert_valid(&bytes, &source);
    let record: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(record["raw_data"], source);
}

#[test]
fn a_pretty_printed_event_gives_the_same_record() {
    for (name, event) in golden_events() {
        let value: Value = serde_json::from_str(&event).unwrap();
        let (compact, pretty) = (value.to_string(), format!("{value:#}").replace('\n', "\r\n"));
        let read = |text: &str| -> Value {
            let (_, bytes) = record_of(&mut mapper(KEPT), text.as_bytes()).unwrap();
            serde_json::from_slice(&bytes).unwrap()
        };
        assert_eq!(read(&compact), read(&pretty), "{name}");
    }
}

#[test]
fn the_same_input_gives_the_same_bytes_whatever_was_mapped_before() {
    let mut used = mapper(KEPT);
    for (name, event) in golden_events() {
        let fresh = record_of(&mut mapper(KEPT), event.as_bytes()).unwrap();
        assert_eq!(record_of(&mut used, event.as_bytes()).unwrap(), fresh, "{name}");
        assert!(record_of(&mut used, b"{\"target\":[").is_err());
    }
}

#[test]
fn a_refused_event_leaves_the_output_as_it_was() {
    let org = OrgId::new("acme");
    for (bytes, reason) in [
        (&b"[]"[..], "not_log_event"),
        (b"", "not_log_event"),
        (b"{\"uuid\":\"u\"", "not_log_event"),
        (b"{\"uuid\":\"u\",\"uuid\":\"v\",\"published\":\"2026-01-01T00:00:00Z\"}", "not_log_event"),
        (b"{\"uuid\":\"\xff\",\"published\":\"2026-01-01T00:00:00Z\"}", "not_log_event"),
        (br#"{"published":"2026-01-01T00:00:00Z"}"#, "missing_uuid"),
        (br#"{"uuid":"unknown","published":"2026-01-01T00:00:00Z"}"#, "missing_uuid"),
        (br#"{"uuid":{},"published":"2026-01-01T00:00:00Z"}"#, "missing_uuid"),
        (br#"{"uuid":"u"}"#, "missing_published"),
        (br#"{"uuid":"u","published":1777890030123}"#, "missing_published"),
        (br#"{"uuid":"u","published":"never"}"#, "missing_published"),
        (br#"{"uuid":"u","published":"2026-13-01T00:00:00Z"}"#, "missing_published"),
        (br#"{"uuid":"u","published":"1969-01-01T00:00:00Z"}"#, "absurd_published"),
        (br#"{"uuid":"u","published":"2300-01-01T00:00:00Z"}"#, "absurd_published"),
    ] {
        let mut out = b"before".to_vec();
        let error = mapper(KEPT).map(Source { org: &org, landed_at: None, bytes }, &mut out).unwrap_err();
        assert_eq!(error.reason(), reason, "{}", String::from_utf8_lossy(bytes));
        assert_eq!(out, b"before");
    }
}

#[test]
fn a_record_is_known_by_the_org_and_the_uuid_alone() {
    let uid = |org: &str, landed_at, event: &Value| {
        let (org, mut out) = (OrgId::new(org), Vec::new());
        let bytes = event.to_string();
        mapper(KEPT).map(Source { org: &org, landed_at, bytes: bytes.as_bytes() }, &mut out).unwrap();
        serde_json::from_slice::<Value>(&out).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned()
    };
    let first = uid("acme", None, &sign_in());
    assert_eq!(first, uid("acme", Some(1), &with("/displayMessage", json!("Another text"))));
    assert_ne!(first, uid("acme2", None, &sign_in()));
    assert_ne!(first, uid("acme", None, &with("/uuid", json!("another"))));
}

#[test]
fn the_time_is_the_published_one_in_every_form() {
    for (published, time) in [
        ("2026-05-04T10:20:30Z", 1_777_890_030_000_i64),
        ("2026-05-04T10:20:30.1Z", 1_777_890_030_100),
        ("2026-05-04T10:20:30.123Z", 1_777_890_030_123),
        ("2026-05-04T10:20:30.123456Z", 1_777_890_030_123),
        ("2026-05-04T10:20:30.123456789Z", 1_777_890_030_123),
        ("2026-05-04 10:20:30.123Z", 1_777_890_030_123),
        ("2026-05-04T12:20:30.123+02:00", 1_777_890_030_123),
        ("2026-05-04T04:50:30.123-05:30", 1_777_890_030_123),
    ] {
        let record = record(&with("/published", json!(published)));
        assert_eq!(record["time"], time, "{published}");
        assert_eq!(record["metadata"]["original_time"], published);
    }
}

#[test]
fn every_outcome_has_a_status() {
    let [sign_in, job] = [sign_in(), about("zone.update", json!([party("nzo1", "NetworkZone", "unknown")]))];
    for (result, of_sign_in, of_job) in [
        ("SUCCESS", (1, "Success"), (1, "Success")),
        ("ALLOW", (1, "Success"), (1, "Success")),
        ("FAILURE", (2, "Failure"), (2, "Failure")),
        ("DENY", (2, "Failure"), (2, "Failure")),
        ("RATE_LIMIT", (2, "Failure"), (2, "Failure")),
        ("ABANDONED", (2, "Failure"), (99, "ABANDONED")),
        ("UNANSWERED", (2, "Failure"), (99, "UNANSWERED")),
        ("CHALLENGE", (99, "CHALLENGE"), (99, "CHALLENGE")),
        ("SKIPPED", (99, "SKIPPED"), (99, "SKIPPED")),
        ("DEFERRED", (99, "DEFERRED"), (99, "DEFERRED")),
        ("SCHEDULED", (99, "SCHEDULED"), (99, "SCHEDULED")),
        ("SOMETHING_NEW", (99, "SOMETHING_NEW"), (99, "SOMETHING_NEW")),
        ("UNKNOWN", (0, "Unknown"), (0, "Unknown")),
    ] {
        for (event, (id, caption)) in [(&sign_in, of_sign_in), (&job, of_job)] {
            let mut event = event.clone();
            event["outcome"]["result"] = json!(result);
            let found = at(&record(&event), ["/status_id", "/status"]);
            assert_eq!(found, [json!(id), json!(caption)], "{result} of {}", event["eventType"]);
        }
    }
}

#[test]
fn what_a_control_decided_is_its_disposition() {
    for (result, action, disposition) in [
        ("ALLOW", json!("Allowed"), json!("Allowed")),
        ("DENY", json!("Denied"), json!("Blocked")),
        ("RATE_LIMIT", json!("Denied"), json!("Rejected")),
        ("CHALLENGE", json!(null), json!("Challenge")),
        ("SUCCESS", json!(null), json!(null)),
        ("FAILURE", json!(null), json!(null)),
    ] {
        let record = record(&with("/outcome/result", json!(result)));
        assert_eq!(at(&record, ["/action", "/disposition"]), [action, disposition], "{result}");
    }
}

#[test]
fn a_type_says_the_status_where_the_event_does_not() {
    let mut event = with("/eventType", json!("user.mfa.okta_verify.deny_push"));
    event["outcome"] = json!(null);
    assert_eq!(record(&event)["status"], "Failure");
    event["eventType"] = json!("user.session.start");
    assert_eq!(record(&event)["status"], json!(null));
}

#[test]
fn the_severity_is_that_of_the_event() {
    for (severity, id, caption) in [
        (json!("DEBUG"), 1, "Informational"),
        (json!("INFO"), 1, "Informational"),
        (json!("WARN"), 3, "Medium"),
        (json!("ERROR"), 4, "High"),
        (json!("NOTICE"), 99, "NOTICE"),
        (json!("Other"), 0, "Unknown"),
        (json!(""), 0, "Unknown"),
        (json!(null), 0, "Unknown"),
        (json!({"level": "WARN"}), 0, "Unknown"),
    ] {
        let record = record(&with("/severity", severity.clone()));
        assert_eq!(at(&record, ["/severity_id", "/severity"]), [json!(id), json!(caption)], "{severity}");
    }
}

#[test]
fn a_risk_is_read_in_every_form_that_events_have() {
    let risk = |place: &str, value: Value| {
        let mut event = sign_in();
        event["debugContext"]["debugData"] = json!({});
        put(&mut event, place, value);
        at(&record(&event), ["/risk_level_id", "/risk_level", "/risk_details"])
    };
    let high = [json!(3), json!("High"), json!("Anomalous Location, New Device")];
    let none = [json!(null), json!(null), json!(null)];
    let debug = |key: &str| format!("/debugContext/debugData/{key}");
    for text in
        ["{reasons=Anomalous Location, New Device, level=HIGH}", "reasons=Anomalous Location, New Device, level=HIGH"]
    {
        assert_eq!(risk(&debug("risk"), json!(text)), high, "{text}");
    }
    let object = json!({"level": "HIGH", "reasons": "Anomalous Location, New Device"});
    assert_eq!(risk(&debug("risk"), object.clone()), high);
    assert_eq!(risk("/securityContext/risk", object.clone()), high);
    let list = json!({"level": "HIGH", "reasons": ["Anomalous Location", "New Device"]});
    assert_eq!(risk("/securityContext/risk", list), high);
    assert_eq!(risk(&debug("logOnlySecurityData"), json!({"risk": object})), high);
    assert_eq!(risk(&debug("logOnlySecurityData"), json!(json!({"risk": object}).to_string())), high);
    assert_eq!(risk(&debug("risk"), json!("{level=LOW}")), [json!(1), json!("Low"), json!(null)]);
    assert_eq!(risk(&debug("riskLevel"), json!("MEDIUM")), [json!(2), json!("Medium"), json!(null)]);
    assert_eq!(risk(&debug("risk"), json!("{level=SEVERE}")), [json!(99), json!("SEVERE"), json!(null)]);

    for malformed in ["{reasons=A, level=", "HIGH", "{level=LOW, extra=1}", "{}", "level"] {
        let found = risk(&debug("risk"), json!(malformed));
        assert_eq!(found, [json!(null), json!(null), json!(malformed)], "kept as text: {malformed}");
    }
    for silent in [json!("null"), json!(""), json!("unknown"), json!(null), json!({}), json!([])] {
        assert_eq!(risk(&debug("risk"), silent.clone()), none, "{silent}");
    }
    for broken in ["{\"risk\":", "[]", "\"x\"", "{\"risk\":3}", "{\"risk\":{}}", "{\n\"risk\":null}"] {
        assert_eq!(risk(&debug("logOnlySecurityData"), json!(broken)), none, "{broken}");
    }
}

#[test]
fn a_better_source_of_the_risk_comes_first() {
    let mut event = sign_in();
    event["securityContext"]["risk"] = json!({"level": "LOW"});
    assert_eq!(record(&event)["risk_level"], "High", "debugData.risk before the rest");
    event["debugContext"]["debugData"]["risk"] = json!(null);
    event["debugContext"]["debugData"]["logOnlySecurityData"] = json!({"risk": {"level": "MEDIUM"}});
    assert_eq!(record(&event)["risk_level"], "Low", "securityContext before logOnlySecurityData");
}

#[test]
fn machines_do_not_pose_as_people() {
    for (kind, user_type) in [("User", json!("User")), ("SystemPrincipal", json!("System"))] {
        let record = record(&with("/actor/type", json!(kind)));
        assert_eq!(record["actor"]["user"]["type"], user_type, "{kind}");
    }
    let clients = ["PublicClientApp", "PublicClientAppEntity", "AppInstance", "AD_AGENT", "WorkloadPrincipal"];
    for kind in clients {
        let record = record(&with("/actor/type", json!(kind)));
        assert_eq!(record["actor"]["user"], json!(null), "{kind}");
        assert_eq!(record["actor"]["app_uid"], "00u1", "{kind}");
        assert_eq!(record["user"]["email_addr"], json!(null), "{kind}");
    }
}

#[test]
fn an_address_is_nobody() {
    for kind in ["IP address", "IP Address"] {
        let mut event = with("/actor", party("203.0.113.9", kind, "unknown"));
        assert_eq!(class_of(&event), Class::BaseEvent, "a sign-in of nobody");
        event["eventType"] = json!("security.threat.detected");
        let record = record(&event);
        assert_eq!(at(&record, ["/evidences/0/actor/user", "/evidences/0/user"]), [json!(null), json!(null)]);
        assert_eq!(record["evidences"][0]["src_endpoint"]["ip"], "192.0.2.7");
    }
}

#[test]
fn a_sign_in_of_nobody_is_a_base_event_because_authentication_requires_a_user() {
    for actor in [json!(null), json!({"id": "unknown", "alternateId": "null", "displayName": ""}), json!([1])] {
        let record = record(&with("/actor", actor));
        assert_eq!(record["class_uid"], 0);
        assert_eq!(record["activity_name"], "user.session.start");
        assert_eq!(record["actor"]["user"], json!(null));
    }
}

#[test]
fn a_person_whom_a_machine_signs_in_is_the_user() {
    let mut event = with("/actor/type", json!("SystemPrincipal"));
    event["target"] = json!([{"type": "AppInstance", "id": "0oa1"}, party("00u9", "User", "b@example.com")]);
    let record = record(&event);
    assert_eq!(at(&record, ["/user/uid", "/actor/user/uid"]), [json!("00u9"), json!("00u1")]);
}

#[test]
fn the_user_is_whom_it_happens_to_and_never_the_admin_who_does_it() {
    let targets = json!([
        party("0oa1", "AppInstance", "Payroll"),
        party("00g1", "UserGroup", "unknown"),
        party("00u9", "User", "grace@example.com"),
    ]);
    for event_type in [
        "user.account.reset_password",
        "user.lifecycle.deactivate",
        "user.mfa.factor.reset_all",
        "user.account.privilege.grant",
        "application.user_membership.add",
        "group.user_membership.add",
        "user.session.clear",
        "user.authentication.universal_logout",
        "user.session.impersonation.initiate",
    ] {
        let record = record(&about(event_type, targets.clone()));
        let found = at(&record, ["/user/uid", "/actor/user/uid"]);
        assert_eq!(found, [json!("00u9"), json!("00uadmin")], "{event_type}");
    }
}

#[test]
fn an_admin_who_gives_a_role_to_a_group_is_not_given_it() {
    let role = party("cr0", "CUSTOM_ROLE", "unknown");
    let group = party("00g1", "UserGroup", "unknown");
    for targets in [json!([group, role]), json!([role, group])] {
        let event = about("iam.resourceset.bindings.add", targets);
        assert_eq!(class_of(&event), Class::GroupManagement);
        assert_eq!(at(&record(&event), ["/group/uid", "/user"]), [json!("00g1"), json!(null)]);
    }
}

#[test]
fn who_consents_is_the_user_and_not_the_client() {
    let client = party("0oa7", "PublicClientApp", "unknown");
    let event = about("app.oauth2.as.consent.grant", json!([party("scp1", "scope", "unknown"), client]));
    assert_eq!(record(&event)["user"]["uid"], "00uadmin");
}

#[test]
fn the_session_of_an_admin_is_not_the_session_of_the_user() {
    let event = about("user.session.clear", json!([party("00u9", "User", "grace@example.com")]));
    let record = record(&event);
    assert_eq!(at(&record, ["/session", "/actor/session/uid"]), [json!(null), json!("102x")]);
}

#[test]
fn behaviors_are_those_of_the_person_who_made_the_request() {
    let about_whom = |event: &Value| {
        let record = record(event);
        let enrichments = record["enrichments"].as_array().unwrap().clone();
        let behaviors = enrichments.iter().filter(|enrichment| enrichment["type"] == "behaviors");
        behaviors.map(|enrichment| enrichment["value"].clone()).collect::<Vec<_>>()
    };
    let target = json!([party("00u9", "User", "grace@example.com")]);
    let mut event = about("user.account.reset_password", target);
    assert!(about_whom(&event).iter().all(|value| value == "00uadmin"));
    event["actor"] = party("sys", "SystemPrincipal", "system@okta.com");
    assert!(about_whom(&event).iter().all(|value| value == "00u9"));
}

#[test]
fn the_order_of_the_targets_means_nothing() {
    let targets = [
        party("00u9", "User", "grace@example.com"),
        party("0ua9", "AppUser", "grace"),
        party("0oa1", "AppInstance", "Payroll"),
        party("00g1", "UserGroup", "unknown"),
        party("rul1", "PolicyRule", "unknown"),
        party("pfd1", "AuthenticatorEnrollment", "unknown"),
        party("nzo1", "NetworkZone", "unknown"),
    ];
    let mut mapper = mapper(KEPT);
    for event_type in unlike_types() {
        let mut roles = |targets: Vec<Value>| {
            let (_, record) =
                record_of(&mut mapper, about(&event_type, json!(targets)).to_string().as_bytes()).unwrap();
            let record: Value = serde_json::from_slice(&record).unwrap();
            let pointers = ["/class_uid", "/user/uid", "/actor", "/group/uid", "/entity/uid", "/app/uid", "/service"];
            at(&record, pointers)
        };
        let expected = roles(targets.to_vec());
        let mut turned = targets.to_vec();
        for _ in 1..targets.len() {
            turned.rotate_left(1);
            assert_eq!(roles(turned.clone()), expected, "{event_type}");
        }
    }
}

#[test]
fn many_targets_are_kept_and_each_role_is_found_wherever_it_stands() {
    let mut targets: Vec<Value> = (0..200).map(|at| party(&format!("res{at}"), "Resource", "unknown")).collect();
    targets[180] = party("00u9", "User", "grace@example.com");
    targets[181] = party("0oa1", "AppInstance", "Payroll");
    let event = about("application.user_membership.add", json!(targets));
    let record = record(&event);
    assert_eq!(at(&record, ["/user/uid", "/privileges/0"]), [json!("00u9"), json!("app:AppInstance 0oa1")]);
    assert_eq!(record["resources"].as_array().unwrap().len(), 101, "the first hundred of a role");
    accounting::account(&mut mapper(KEPT), "200 targets", event.to_string().as_bytes());
}

#[test]
fn a_device_that_is_managed_is_not_the_device_that_the_request_came_from() {
    let mut event = about("device.lifecycle.activate", json!([party("guo9", "UDDevice", "unknown")]));
    event["device"] = json!(null);
    let record = record(&event);
    assert_eq!(at(&record, ["/entity/device/uid", "/device"]), [json!("guo9"), json!(null)]);
}

#[test]
fn an_application_or_a_zone_is_neither_an_email_nor_a_policy() {
    for (event_type, kind, id, caption) in [
        ("zone.update", "NetworkZone", 7, "Network Zone"),
        ("policy.rule.update", "PolicyRule", 5, "Policy"),
        ("device.lifecycle.activate", "UDDevice", 1, "Device"),
        ("user.account.update_profile", "User", 2, "User"),
        ("group.profile.update", "UserGroup", 3, "Group"),
        ("security.trusted_origin.create", "TrustedOrigin", 99, "Trusted Origin"),
        ("system.api_token.create", "Token", 99, "API Token"),
    ] {
        let record = record(&about(event_type, json!([party("x1", kind, "unknown")])));
        assert_eq!(at(&record, ["/entity/type_id", "/entity/type"]), [json!(id), json!(caption)], "{event_type}");
    }
}

#[test]
fn what_is_not_valid_ocsf_stays_in_unmapped() {
    for (pointer, value) in [
        ("/client/ipAddress", json!("somewhere")),
        ("/client/ipAddress", json!("192.0.2.256")),
        ("/client/ipAddress", json!(3_221_225_991_u32)),
        ("/securityContext/asNumber", json!(-1)),
        ("/securityContext/asNumber", json!(1.5)),
        ("/securityContext/asNumber", json!(u64::MAX)),
        ("/client/geographicalContext/geolocation/lat", json!("47.0")),
        ("/debugContext/debugData/threatSuspected", json!("perhaps")),
        ("/device/managed", json!("yes")),
    ] {
        let record = record(&with(pointer, value.clone()));
        assert_eq!(record["unmapped"].pointer(pointer), Some(&value), "{pointer}");
    }
    let record = record(&with("/actor/alternateId", json!("@nowhere")));
    assert_eq!(at(&record, ["/user/name", "/user/email_addr"]), [json!("@nowhere"), json!(null)]);
}

#[test]
fn numbers_keep_their_digits() {
    let long = "{\"uuid\":\"u\",\"published\":\"2026-01-01T00:00:00Z\",\"x\":12345678901234567890123,\"y\":1.10}";
    let (_, record) = record_of(&mut mapper(KEPT), long.as_bytes()).unwrap();
    let record = String::from_utf8(record).unwrap();
    assert!(record.contains("\"unmapped\":{\"x\":12345678901234567890123,\"y\":1.10}"), "{record}");
}

#[test]
fn is_mfa_is_said_only_where_it_is_known() {
    for (provider, is_mfa) in [
        (json!("FACTOR_PROVIDER"), json!(true)),
        (json!("OKTA_AUTHENTICATION_PROVIDER"), json!(false)),
        (json!(null), json!(null)),
    ] {
        let record = record(&with("/authenticationContext/authenticationProvider", provider.clone()));
        assert_eq!(record["is_mfa"], is_mfa, "{provider}");
    }
}

#[test]
fn an_enrichment_says_something_of_something_in_the_record() {
    for (name, event) in golden_events() {
        let event: Value = serde_json::from_str(&event).unwrap();
        let record = record(&event);
        for enrichment in record["enrichments"].as_array().into_iter().flatten() {
            let about = enrichment["name"].as_str().unwrap();
            let found = accounting::at(&record, about).unwrap_or_else(|| panic!("{name}: nothing at {about}"));
            assert_eq!(found, &enrichment["value"], "{name}: {about}");
            let is_empty = [json!([]), json!({}), json!("")].contains(&enrichment["data"]);
            assert!(!is_empty, "{name}: {enrichment}");
        }
    }
}
