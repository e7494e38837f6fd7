//! One rule a test, with the values that matter.

use super::*;

fn ada() -> Value {
    json!({"id": "00u1", "status": "ACTIVE", "profile": {"login": "ada@example.com"}})
}

fn user(changed: Value) -> Value {
    let mut user = ada();
    user.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
    Case::user(user).record()
}

fn profile(profile: Value) -> Value {
    user(json!({"profile": profile}))["user"].take()
}

#[test]
fn every_status_of_a_user_is_kept_and_says_what_follows_from_it() {
    for (status, is_enabled, is_disabled, is_locked) in [
        ("STAGED", false, None, None),
        ("PROVISIONED", false, None, None),
        ("ACTIVE", true, Some(false), Some(false)),
        ("RECOVERY", false, Some(false), Some(false)),
        ("PASSWORD_EXPIRED", false, Some(false), Some(false)),
        ("LOCKED_OUT", false, Some(false), Some(true)),
        ("SUSPENDED", false, Some(true), None),
        ("DEPROVISIONED", false, Some(true), None),
        ("SOMETHING_NEW", false, None, None),
    ] {
        let record = user(json!({"status": status}));
        assert_eq!(record["status_code"], status);
        let account = &record["user"]["account"];
        assert_eq!(account["is_disabled"].as_bool(), is_disabled, "{status}");
        assert_eq!(account["is_locked"].as_bool(), is_locked, "{status}");
        let control = enrichment(&record, "access_control").unwrap();
        assert_eq!((&control["status"], &control["is_enabled"]), (&json!(status), &json!(is_enabled)));
    }
}

#[test]
fn what_is_not_known_is_not_said() {
    let unknown = user(json!({}));
    assert_eq!(unknown["user"]["type_id"], 0);
    for attribute in ["has_mfa", "groups"] {
        assert!(unknown["user"].get(attribute).is_none(), "{attribute}");
    }
    for kind in ["groups", "factors", "roles", "missing_required_attributes"] {
        assert_eq!(enrichment(&unknown, kind), None);
    }
    let none = Case::user(ada()).with("groups", json!([])).with("factors", json!([])).with("roles", json!([])).record();
    assert_eq!(none["user"]["type_id"], 1);
    assert_eq!(none["user"]["has_mfa"], false);
    assert_eq!(enrichment(&none, "groups"), Some(&json!({"count": 0, "listed": 0})));
    assert_eq!(enrichment(&none, "factors"), Some(&json!({"count": 0})));
    assert_eq!(enrichment(&none, "roles"), Some(&json!({"count": 0})));
}

#[test]
fn a_user_with_a_role_that_is_in_effect_is_an_administrator() {
    let kind = |roles: Value| Case::user(ada()).with("roles", roles).record()["user"]["type_id"].take();
    assert_eq!(kind(json!([{"id": "ra1", "type": "HELP_DESK_ADMIN", "status": "ACTIVE"}])), 2);
    assert_eq!(kind(json!([{"id": "ra1", "type": "CUSTOM"}])), 2);
    assert_eq!(kind(json!([{"id": "ra1", "status": "INACTIVE"}])), 1);
    assert_eq!(kind(json!(["odd"])), 0);
    assert_eq!(kind(json!(["odd", {"id": "ra1"}])), 2);
}

#[test]
fn an_active_factor_other_than_the_password_is_a_second_one() {
    let has_mfa = |factors: Value| Case::user(ada()).with("factors", factors).record()["user"]["has_mfa"].as_bool();
    assert_eq!(has_mfa(json!([{"id": "f1", "factorType": "push", "status": "ACTIVE"}])), Some(true));
    assert_eq!(has_mfa(json!([{"id": "f1", "factorType": "push", "status": "PENDING_ACTIVATION"}])), Some(false));
    assert_eq!(
        has_mfa(json!([{"id": "e1", "type": "password", "key": "okta_password", "status": "ACTIVE"}])),
        Some(false)
    );
    assert_eq!(has_mfa(json!([{"id": "e1", "type": "phone", "key": "phone_number", "status": "ACTIVE"}])), Some(true));
    // A factor of which it is not known whether it is active makes it unknown, unless another one settles it.
    assert_eq!(has_mfa(json!([{"id": "f1", "factorType": "push"}])), None);
    assert_eq!(has_mfa(json!([7, {"factorType": "sms", "status": "ACTIVE"}])), Some(true));
}

#[test]
fn names_and_addresses_are_what_the_profile_says() {
    let only_last = profile(json!({"lastName": "Lovelace", "login": "ada"}));
    assert_eq!((&only_last["full_name"], &only_last["name"]), (&json!("Lovelace"), &json!("ada")));
    assert!(only_last.get("display_name").is_none());
    let no_address = profile(json!({"email": "not an address", "department": "Engines"}));
    for absent in ["email_addr", "domain", "org"] {
        assert!(no_address.get(absent).is_none(), "{absent}");
    }
    assert_eq!(no_address["ldap_person"]["department"], "Engines");
    let named = profile(json!({"email": "a@b.example", "organization": "Analytical", "department": "Engines"}));
    assert_eq!(named["org"], json!({"name": "Analytical", "ou_name": "Engines"}));
    assert_eq!(profile(json!({"email": "a@b.example"}))["org"], json!({"name": "b.example"}));
    let phones = profile(json!({"primaryPhone": "+43 1"}));
    assert_eq!((&phones["phone_number"], &phones["ldap_person"]["phone_number"]), (&json!("+43 1"), &json!("+43 1")));
    assert_eq!(profile(json!({"primaryPhone": "+43 1", "mobilePhone": "+43 6"}))["phone_number"], "+43 6");
}

#[test]
fn a_manager_and_a_place_of_work_are_taken_as_far_as_they_are_one() {
    let person = |value: Value| profile(value)["ldap_person"].take();
    assert_eq!(
        person(json!({"managerId": "00u9", "manager": "Eve"}))["manager"],
        json!({"uid": "00u9", "display_name": "Eve"})
    );
    assert_eq!(person(json!({"manager": "Eve"}))["manager"], json!({"name": "Eve"}));
    assert_eq!(person(json!({"countryCode": "AT"}))["location"], json!({"country": "AT"}));
    assert_eq!(person(json!({"countryCode": "Austria"})), Value::Null);
    assert_eq!(person(json!({"division": "Optics"}))["tags"], json!([{"value": "Optics", "name": "division"}]));
}

#[test]
fn a_day_of_employment_is_midnight_and_stays_as_it_was_written() {
    let record = user(json!({"profile": {"hireDate": "2024-01-31", "terminationDate": "2025-06-30T17:00:00+02:00"}}));
    let person = &record["user"]["ldap_person"];
    assert_eq!(
        (&person["hire_time"], &person["leave_time"]),
        (&json!(1_706_659_200_000_i64), &json!(1_751_295_600_000_i64))
    );
    assert_eq!(record["unmapped"], json!({"user": {"profile": {"hireDate": "2024-01-31"}}}));
    let odd = user(json!({"profile": {"hireDate": "31.01.2024", "startDate": "last spring"}}));
    assert!(odd["user"].get("ldap_person").is_none());
}

#[test]
fn attributes_that_the_schema_requires_and_the_profile_lacks_are_named() {
    let schema = json!({"definitions": {
        "base": {
            "properties": {"login": {"required": true}, "email": {"required": true}},
            "required": ["login", "lastName"],
        },
        "custom": {"properties": {"badge": {"required": true}, "shoe": {"required": false}, "odd": 7}, "required": []},
    }});
    let missing = |profile: Value, schema: &Value| {
        let record = Case::user(json!({"id": "00u1", "profile": profile})).with("schema", schema.clone()).record();
        enrichment(&record, "missing_required_attributes").cloned()
    };
    let named = |names: &[&str]| Some(json!({"attributes": names}));
    assert_eq!(missing(json!({"login": "ada", "badge": ""}), &schema), named(&["lastName", "email", "badge"]));
    assert_eq!(
        missing(json!({"login": "ada", "badge": 7, "lastName": null, "email": "x"}), &schema),
        named(&["lastName"])
    );
    assert_eq!(missing(json!({"login": "ada", "badge": false, "lastName": "L", "email": "x"}), &schema), None);
    assert_eq!(missing(json!({}), &json!({"definitions": [1, {"required": 5, "properties": "x"}]})), None);
    let refused = UserSchema::read(b"[]").unwrap_err();
    assert_eq!(refused, InventoryError::NotObject(Piece::UserSchema));
}

#[test]
fn lists_are_bounded_and_their_rest_stays_with_its_ids() {
    let groups: Vec<Value> =
        (0..1_200).map(|at| json!({"id": format!("00g{at}"), "profile": {"name": format!("Group {at}")}})).collect();
    let record = Case::user(ada()).with("groups", json!(groups)).record();
    assert_eq!(record["user"]["groups"].as_array().unwrap().len(), 1_000);
    assert_eq!(enrichment(&record, "groups"), Some(&json!({"count": 1_200, "listed": 1_000})));
    assert_eq!(record["unmapped"]["groups"].as_array().unwrap().len(), 200);
    assert_eq!(record["unmapped"]["groups"][0], groups[1_000]);
    let of_groups = |observable: &&Value| observable["name"].as_str().unwrap().starts_with("user.groups[");
    assert_eq!(record["observables"].as_array().unwrap().iter().filter(of_groups).count(), 200);

    let factors: Vec<Value> = (0..150).map(|at| json!({"id": at, "status": "ACTIVE", "profile": {"x": at}})).collect();
    let record = Case::user(ada()).with("factors", json!(factors)).record();
    let listed = enrichment(&record, "factors").unwrap();
    assert_eq!((&listed["count"], listed["factors"].as_array().unwrap().len()), (&json!(150), 100));
    assert_eq!(record["unmapped"]["factors"][99], json!({"id": 99, "profile": {"x": 99}}));
    assert_eq!(record["unmapped"]["factors"][100], factors[100]);
}

#[test]
fn odd_values_stay_where_they_were() {
    let record = Case::user(json!({"id": 7, "status": {"x": 1}, "created": "yesterday", "profile": {"login": ["a"]}}))
        .with("groups", json!([5, {"profile": 1}, {"id": null, "profile": {"name": ""}}]))
        .record();
    assert_eq!(record["user"]["uid"], "7");
    assert_eq!(
        record["unmapped"],
        json!({
            "user": {"status": {"x": 1}, "created": "yesterday", "profile": {"login": ["a"]}},
            "groups": [5, {"profile": 1}, {"profile": {"name": ""}}],
        })
    );
}

#[test]
fn the_users_of_a_device_say_who_owns_it_and_whether_it_is_managed() {
    let device = |users: Value| Case::new("devices", json!({"id": "guo1", "_embedded": {"users": users}})).record();
    let of = |id: &str, status: &str| json!({"managementStatus": status, "user": {"id": id, "profile": {"login": id}}});
    let one = device(json!([of("00u1", "NOT_MANAGED")]));
    assert_eq!(one["device"]["owner"], json!({"uid": "00u1", "name": "00u1"}));
    assert_eq!(one["device"]["is_managed"], false);
    let two = device(json!([of("00u1", "NOT_MANAGED"), of("00u2", "MANAGED")]));
    assert_eq!((&two["device"]["owner"], &two["device"]["is_managed"]), (&Value::Null, &json!(true)));
    assert_eq!(enrichment(&two, "users").unwrap()["count"], 2);
    let odd = device(json!([of("00u1", "NOT_MANAGED"), of("00u2", "PERHAPS")]));
    assert!(odd["device"].get("is_managed").is_none());
    assert!(device(json!([]))["device"].get("is_managed").is_none());
    let asked = Case::new("devices", json!({"id": "guo1", "profile": {"managed": true}})).record();
    assert_eq!((&asked["device"]["is_managed"], enrichment(&asked, "users")), (&json!(true), None));
}

#[test]
fn an_identity_provider_says_how_it_is_spoken_to_and_in_which_state_it_is() {
    let idp = |status: &str, kind: &str| {
        Case::new("idps", json!({"id": "0oa1", "status": status, "protocol": {"type": kind}})).record()["idp"].take()
    };
    assert_eq!(idp("ACTIVE", "SAML2")["sso"], json!({"auth_protocol_id": 5, "auth_protocol": "SAML"}));
    assert_eq!(idp("ACTIVE", "MTLS")["sso"], json!({"auth_protocol_id": 99, "auth_protocol": "MTLS"}));
    assert_eq!(idp("ACTIVE", "Other").get("sso"), None);
    assert_eq!((&idp("ACTIVE", "OIDC")["state_id"], &idp("ACTIVE", "OIDC")["state"]), (&json!(1), &json!("Active")));
    assert_eq!(
        (&idp("INACTIVE", "OIDC")["state_id"], &idp("INACTIVE", "OIDC")["state"]),
        (&json!(99), &json!("INACTIVE"))
    );
}

#[test]
fn the_uid_tells_orgs_collections_parents_objects_and_times_apart() {
    let uid = |org: &str, at: i64, collection: &str, within: Option<&str>, object: &str| {
        let (org, object) = (OrgId::new(org), json!({"id": object}).to_string());
        let within = within.map(|uid| Related { collection: Collection::find("apps").unwrap(), uid });
        let facts = ResourceFacts { object: object.as_bytes(), within, ..ResourceFacts::default() };
        let observed = Observed { org: &org, at, activity: Activity::Log, basis: None };
        let mut out = Vec::new();
        let collection = Collection::find(collection).unwrap();
        InventoryMapper::new(KEPT).resource(&observed, collection, &facts, &mut out).unwrap();
        serde_json::from_slice::<Value>(&out).unwrap()["metadata"]["uid"].to_string()
    };
    let uids = [
        uid("acme", AT, "app_users", Some("0oa1"), "00u1"),
        uid("acme", AT, "app_users", Some("0oa2"), "00u1"),
        uid("acme", AT, "app_users", Some("0oa10"), "0u1"),
        uid("acme", AT, "app_users", None, "00u1"),
        uid("acme", AT, "app_groups", Some("0oa1"), "00u1"),
        uid("acme", AT + 1, "app_users", Some("0oa1"), "00u1"),
        uid("other", AT, "app_users", Some("0oa1"), "00u1"),
    ];
    assert_eq!(uids[0], uid("acme", AT, "app_users", Some("0oa1"), "00u1"));
    assert_eq!(uids.iter().collect::<std::collections::HashSet<_>>().len(), uids.len());
}

#[test]
fn what_cannot_be_a_record_is_a_named_error_and_appends_nothing() {
    let org = OrgId::new("acme");
    let observed = Observed { org: &org, at: AT, activity: Activity::Collect, basis: None };
    let mut mapper = InventoryMapper::new(KEPT);
    let mut out = b"before".to_vec();
    let deep = format!("{{\"id\":1,\"x\":{}1{}}}", "[".repeat(60), "]".repeat(60));
    let groups = Collection::find("groups").unwrap();
    for (text, reason) in [
        ("[]", "inventory_not_object"),
        ("7", "inventory_not_object"),
        ("{", "inventory_not_json"),
        (r#"{"id":"a","id":"b"}"#, "inventory_not_json"),
        (&deep, "inventory_not_json"),
        ("{}", "inventory_missing_id"),
        (r#"{"id":"unknown"}"#, "inventory_missing_id"),
        (r#"{"id":{"a":1}}"#, "inventory_missing_id"),
    ] {
        let facts = ResourceFacts { object: text.as_bytes(), ..ResourceFacts::default() };
        let user = UserFacts { user: text.as_bytes(), ..UserFacts::default() };
        let found = [
            mapper.user(&observed, &user, &mut out),
            mapper.device(&observed, text.as_bytes(), &mut out),
            mapper.resource(&observed, groups, &facts, &mut out),
        ];
        for found in found {
            assert_eq!(found.unwrap_err().reason(), reason, "{text}");
        }
    }
    // No piece of a user can end where it should not.
    for group in [r#"{"id":"00g1"}],"roles":[{"id":"ra1"}"#, r#"1,2"#, ""] {
        let groups = [group.as_bytes()];
        let user = UserFacts { user: br#"{"id":"00u1"}"#, groups: Some(&groups), ..UserFacts::default() };
        let error = mapper.user(&observed, &user, &mut out).unwrap_err();
        assert!(matches!(error, InventoryError::NotJson(Piece::Group, _)), "{group}");
    }
    let late = Observed { at: AT / 1000, ..observed };
    assert_eq!(mapper.device(&late, br#"{"id":"guo1"}"#, &mut out), Err(InventoryError::AbsurdTime));
    assert_eq!(out, b"before");
}

#[test]
fn raw_data_is_what_was_handed_in() {
    let both = Options { raw_data: true, unmapped: false };
    let record = |case: &Case| serde_json::from_slice::<Value>(&case.bytes(both).unwrap()).unwrap();
    let group = json!({"id": "00g1", "profile": {"name": "a\nb"}});
    let device = record(&Case::new("groups", group.clone()));
    assert_eq!(device["raw_data"], group.to_string());
    assert!(device.get("unmapped").is_none());
    let user = record(&Case::user(ada()).with("groups", json!([group])).with("roles", json!([])));
    let raw: Value = serde_json::from_str(user["raw_data"].as_str().unwrap()).unwrap();
    assert_eq!(raw, json!({"user": ada(), "groups": [group], "roles": []}));
}

#[test]
fn every_collection_has_a_name_and_a_kind_of_its_own() {
    let mut seen = std::collections::HashSet::new();
    for collection in COLLECTIONS {
        assert!(seen.insert(collection.name) && seen.insert(collection.kind), "{}", collection.name);
        assert!(collection.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", collection.name);
        assert_eq!(Collection::find(collection.name), Some(collection));
    }
}
