//! Any JSON at any place.

use proptest::prelude::*;

use super::*;
use crate::okta::inventory::*;

/// Every key that the mapping looks at, and some that it does not.
fn keys() -> Vec<String> {
    let sections = [
        User::FIELDS,
        UserProfile::FIELDS,
        Credentials::FIELDS,
        Group::FIELDS,
        GroupProfile::FIELDS,
        Factor::FIELDS,
        Device::FIELDS,
        DeviceProfile::FIELDS,
        DeviceEmbedded::FIELDS,
        DeviceUser::FIELDS,
        IdentityProvider::FIELDS,
        Protocol::FIELDS,
        Endpoints::FIELDS,
        Endpoint::FIELDS,
        ProtocolCredentials::FIELDS,
        Trust::FIELDS,
        IdentityProviderPolicy::FIELDS,
        Provisioning::FIELDS,
        SchemaDefinition::FIELDS,
        &[
            "label",
            "orn",
            "userId",
            "user",
            "group",
            "value",
            "headers",
            "client_secret",
            "_links",
            "_embedded",
            "definitions",
        ],
        &["", "a.b", "quo\"te", "back\\slash", "ü", "line\nend"],
    ];
    sections.into_iter().flatten().map(|key| (*key).to_owned()).collect()
}

fn scalar() -> impl Strategy<Value = Value> {
    const WORDS: &[&str] = &[
        "",
        "null",
        "unknown",
        "Unknown",
        "Other",
        "ACTIVE",
        "INACTIVE",
        "LOCKED_OUT",
        "MANAGED",
        "DISABLED",
        "NONE",
        "WINDOWS",
        "iOS",
        "OIDC",
        "SAML2",
        "a@b.example",
        "a@b",
        "AT",
        "2024-01-31",
        "2024-01-31T00:00:00.000Z",
        "1969-01-31T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "password",
        "true",
        "\"\\\u{1}\u{2028}",
        "{\"a\":1}",
    ];
    prop_oneof![
        4 => proptest::sample::select(WORDS).prop_map(|word| json!(word)),
        2 => any::<i64>().prop_map(|number| json!(number)),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => any::<bool>().prop_map(|flag| json!(flag)),
        1 => Just(Value::Null),
        1 => ".{0,12}".prop_map(|text| json!(text)),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let keys = keys();
    scalar().prop_recursive(5, 60, 8, move |inner| {
        let key = proptest::sample::select(keys.clone());
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            4 => proptest::collection::btree_map(key, inner, 0..8).prop_map(|map| json!(map)),
        ]
    })
}

/// Mostly an object with an id, and with one field of any shape after another replaced by an object.
fn object() -> impl Strategy<Value = Value> {
    let shaped = (any_json(), any_json(), any_json(), any_json()).prop_map(|(rest, profile, protocol, user)| {
        let mut object = rest.as_object().cloned().unwrap_or_default();
        object.extend([
            ("id".to_owned(), json!("id1")),
            ("profile".to_owned(), profile),
            ("protocol".to_owned(), protocol),
        ]);
        object.insert("_embedded".to_owned(), json!({"users": [{"user": user}, 1]}));
        Value::Object(object)
    });
    prop_oneof![4 => shaped, 1 => any_json()]
}

proptest! {
    #[test]
    fn any_object_is_a_valid_record_or_a_named_error(
        object in object(),
        lists in proptest::collection::vec(proptest::option::of(proptest::collection::vec(any_json(), 0..4)), 3),
        schema in any_json(),
        collection in 0..COLLECTIONS.len(),
    ) {
        let mut user = Case::user(object.clone());
        for (name, list) in ["groups", "factors", "roles"].into_iter().zip(lists) {
            if let Some(list) = list {
                user = user.with(name, json!(list));
            }
        }
        if schema.is_object() {
            user = user.with("schema", json!({"definitions": schema}));
        }
        let resource = Case::new("zones", object.clone()).with("collection", json!(COLLECTIONS[collection].name));
        let resource = resource.with("within", json!(["apps", "0oa1"])).with("members", json!(3));
        for case in [user, resource, Case::new("devices", object.clone()), Case::new("idps", object)] {
            for options in [KEPT, Options { raw_data: true, unmapped: false }] {
                if let Ok(record) = case.bytes(options) {
                    assert_valid(&record, &case.0);
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_a_named_error_or_a_valid_record(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let org = OrgId::new("acme");
        let observed = Observed { org: &org, at: AT, activity: Activity::Log, basis: None };
        let mut out = Vec::new();
        let groups = [&bytes[..]];
        let facts = UserFacts { user: br#"{"id":"00u1"}"#, groups: Some(&groups), ..UserFacts::default() };
        if InventoryMapper::new(KEPT).user(&observed, &facts, &mut out).is_ok() {
            assert_valid(&out, &json!(bytes));
        }
        let _ = InventoryMapper::new(KEPT).device(&observed, &bytes, &mut out);
    }
}
