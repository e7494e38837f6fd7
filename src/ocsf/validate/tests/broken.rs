//! Broken records, at least one for each rule, and what is found in each: that rule, at that place, and nothing else.

use std::collections::BTreeSet;

use super::*;

/// What to change in the valid record (a JSON pointer, and the new value or nothing), and what is found then.
type Case = (&'static str, Option<Value>, &'static str, &'static str);

#[rustfmt::skip] // one case a line
fn cases() -> Vec<Case> {
    let some = Some::<Value>;
    vec![
        ("/class_uid", some(json!(12_345)), "class_uid_unknown", "class_uid"),
        ("/class_uid", some(json!(1007)), "class_uid_unknown", "class_uid"),
        ("/class_uid", some(json!(u64::MAX)), "class_uid_unknown", "class_uid"),
        ("/class_uid", some(json!(3002.0)), "attribute_wrong_type", "class_uid"),
        ("/class_uid", some(Value::Null), "attribute_required_missing", "class_uid"),
        ("/class_uid", None, "attribute_required_missing", "class_uid"),
        ("/metadata/version", some(json!("1.7.0")), "version_mismatch", "metadata.version"),
        ("/metadata/profiles/2", some(json!("hosts")), "profile_unknown", "metadata.profiles[2]"),
        ("/metadata/profiles/2", some(json!("incident")), "profile_not_applicable", "metadata.profiles[2]"),
        ("/metadata/profiles/2", some(json!("host")), "profile_duplicate", "metadata.profiles"),
        ("/usr", some(json!({"name": null})), "attribute_unknown", "usr"),
        ("/user/groups/1/typ", some(json!("x")), "attribute_unknown", "user.groups[1].typ"),
        ("/cloud", some(json!({})), "attribute_needs_profile", "cloud"),
        ("/metadata/data_classification", some(json!({})), "attribute_needs_profile", "metadata.data_classification"),
        ("/time", None, "attribute_required_missing", "time"),
        ("/metadata/product", None, "attribute_required_missing", "metadata.product"),
        ("/enrichments/0/data", some(Value::Null), "attribute_required_missing", "enrichments[0].data"),
        ("/message", some(Value::Null), "attribute_null", "message"),
        ("/message", some(json!(5)), "attribute_wrong_type", "message"),
        ("/is_mfa", some(json!("true")), "attribute_wrong_type", "is_mfa"),
        ("/timezone_offset", some(json!(false)), "attribute_wrong_type", "timezone_offset"),
        ("/timezone_offset", some(json!(60.0)), "attribute_wrong_type", "timezone_offset"),
        ("/src_endpoint/location/long", some(json!(15)), "attribute_wrong_type", "src_endpoint.location.long"),
        ("/src_endpoint/intermediate_ips/2", some(Value::Null),
            "attribute_wrong_type", "src_endpoint.intermediate_ips[2]"),
        ("/user/groups/2", some(json!("00g3")), "attribute_wrong_type", "user.groups[2]"),
        ("/http_request", some(json!("POST /")), "attribute_wrong_type", "http_request"),
        ("/actor/session", some(json!([{"uid": "102"}])), "attribute_wrong_type", "actor.session"),
        ("/enrichments", some(json!({})), "attribute_wrong_type", "enrichments"),
        ("/user/credential_uid", some(json!("c1")), "attribute_deprecated", "user.credential_uid"),
        ("/timezone_offset", some(json!(u64::MAX)), "integer_range", "timezone_offset"),
        ("/src_endpoint/port", some(json!(65_536)), "attribute_value_range", "src_endpoint.port"),
        ("/device/subnet", some(json!("ä".repeat(43))), "attribute_max_len", "device.subnet"),
        ("/device/subnet", some(json!("ä".repeat(42))), "attribute_format", "device.subnet"),
        ("/user/email_addr", some(json!("ada")), "attribute_format", "user.email_addr"),
        ("/time_dt", some(json!("2026-05-04T12:20:30.123")), "attribute_format", "time_dt"),
        ("/actor/session/created_time", some(json!(1_777_890_000)), "timestamp_not_ms", "actor.session.created_time"),
        ("/time_dt", some(json!("2026-05-04T12:20:30.124+02:00")), "datetime_mismatch", "time_dt"),
        ("/user/risk_level_id", some(json!(77)), "attribute_enum_value_unknown", "user.risk_level_id"),
        ("/http_request/http_method", some(json!("post")), "attribute_enum_value_unknown", "http_request.http_method"),
        ("/http_request/url/category_ids/2", some(json!(-1)),
            "attribute_enum_value_unknown", "http_request.url.category_ids[2]"),
        ("/user/account", some(json!({"name": "a", "type_id": 3})), "enum_value_deprecated", "user.account.type_id"),
        ("/severity", some(json!("INFO")), "enum_sibling_incorrect", "severity"),
        ("/http_request/url/categories/0", some(json!("Own")),
            "enum_sibling_incorrect", "http_request.url.categories[0]"),
        ("/http_request/url/categories/3", some(json!("Own")), "enum_sibling_incorrect", "http_request.url.categories"),
        ("/status", None, "enum_sibling_missing_for_other", "status"),
        ("/status", some(json!("Other")), "enum_other_suspicious", "status"),
        ("/user/type_id", None, "enum_sibling_without_id", "user.type"),
        ("/actor", some(json!({})), "constraint_failed", "actor"),
        ("/dst_endpoint", None, "constraint_failed", ""),
        ("/observables/3/name", None, "observable_without_name", "observables[3]"),
        ("/observables/3/name", some(json!("user.nam")), "observable_name_unresolved", "observables[3].name"),
        ("/observables/3/name", some(json!("user..name")), "observable_name_unresolved", "observables[3].name"),
        ("/observables/3/name", some(json!("user[0]")), "observable_name_unresolved", "observables[3].name"),
        ("/observables/3/name", some(json!("user.name.first")), "observable_name_unresolved", "observables[3].name"),
        ("/observables/3/name", some(json!("user.org")), "observable_name_unresolved", "observables[3].name"),
        ("/observables/3/name", some(json!("user.groups[2]")), "observable_name_unresolved", "observables[3].name"),
        ("/observables/3/name", some(json!("unmapped.other")), "observable_name_unresolved", "observables[3].name"),
        ("/observables/3/name", some(json!("cloud")), "observable_name_unresolved", "observables[3].name"),
        ("/observables/6/type_id", some(json!(2)), "observable_type_mismatch", "observables[6].type_id"),
        ("/observables/0/value", some(json!("192.0.2.8")), "observable_value_mismatch", "observables[0].value"),
        ("/observables/0/value", None, "observable_value_mismatch", "observables[0].value"),
        ("/observables/3/value", some(json!("ada")), "observable_value_mismatch", "observables[3].value"),
    ]
}

/// What more than one value has to be changed for, and what is no object at all.
fn texts() -> Vec<(String, &'static str, &'static str)> {
    let mut other_activity = sign_in();
    (other_activity["activity_id"], other_activity["activity_name"]) = (json!(2), json!("Logoff"));
    vec![
        (other_activity.to_string(), "type_uid_incorrect", "type_uid"),
        ("[]".into(), "json_not_object", ""),
        (r#"{"class_uid":3002"#.into(), "json_invalid", ""),
        (r#"{"class_uid":NaN}"#.into(), "json_invalid", ""),
        (r#"{"class_uid":3002,"user":{"uid":"1","uid":"2"}}"#.into(), "json_duplicate_key", ""),
        (format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000)), "json_invalid", ""),
    ]
}

/// Changes one place of a record; `None` removes it.
pub fn change(record: &mut Value, pointer: &str, value: Option<Value>) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match (record.pointer_mut(parent).unwrap(), value) {
        (Value::Object(object), Some(value)) => drop(object.insert(key.to_owned(), value)),
        (Value::Object(object), None) => drop(object.remove(key).unwrap()),
        (Value::Array(array), value) => {
            let at: usize = key.parse().unwrap();
            array.splice(at..array.len().min(at + 1), value);
        }
        (scalar, _) => panic!("{pointer}: {scalar} has no parts"),
    }
}

#[test]
fn each_broken_rule_is_found_at_its_place_and_nothing_else_is() {
    for (pointer, instead, code, path) in cases() {
        let mut record = sign_in();
        let case = format!("{pointer} = {instead:?}");
        change(&mut record, pointer, instead);
        assert_eq!(places(&check(&record)), [(code, path)], "{case}");
    }
    for (text, code, path) in texts() {
        let found = Schema::embedded().check(text.as_bytes());
        assert_eq!(places(&found), [(code, path)], "{}", &text[..text.len().min(200)]);
    }
}

#[test]
fn deprecated_classes_and_objects_are_warned_of() {
    let mut facts: Value = serde_json::from_str(FACTS).unwrap();
    facts["classes"]["authentication"]["deprecated"] = json!(true);
    facts["objects"]["location"]["deprecated"] = json!(true);
    let schema = Schema::from_facts(&facts.to_string()).unwrap();
    let found = schema.check(sign_in().to_string().as_bytes());
    assert_eq!(places(&found), [("class_deprecated", "class_uid"), ("object_deprecated", "src_endpoint.location")]);
    assert!(found.iter().all(|finding| finding.severity == Severity::Warning));
}

#[test]
fn every_rule_has_a_broken_record() {
    let rules = include_str!("../rule.rs").lines().filter(|line| line.starts_with("pub const"));
    let rules: BTreeSet<&str> = rules.map(|line| line.split('"').nth(1).unwrap()).collect();
    let cases = cases();
    let texts = texts();
    let broken = cases.iter().map(|case| case.2).chain(texts.iter().map(|text| text.1));
    let broken: BTreeSet<&str> = broken.chain(["class_deprecated", "object_deprecated"]).collect();
    assert_eq!(rules, broken);
}
