//! Any JSON at any place of an event.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// The longest that a record may be for each byte of its event: what is worth searching for stands in `user`, in
/// `actor`, in their observables and in the names of enrichments.
const GROWTH: usize = 24;
/// What every record has.
const FIXED: usize = 16 * 1024;

/// Texts that mean something to some part of the mapping, or might.
const WORDS: &[&str] = &[
    "",
    "null",
    "unknown",
    "Other",
    "true",
    "SUCCESS",
    "DENY",
    "User",
    "SystemPrincipal",
    "IP address",
    "PolicyRule",
    "UserGroup",
    "AppInstance",
    "192.0.2.7",
    "2001:db8::1",
    "::ffff:192.0.2.7%eth0",
    "ada@example.com",
    "@",
    "a@b.",
    "{level=LOW}",
    "{reasons=A, level=",
    "{a=1, a=2}",
    "{=}",
    "{New Device=POSITIVE}",
    "[1]",
    "{\"risk\":{\"level\":3}}",
    "2026-05-04T10:20:30Z",
    "9999-12-31T23:59:59Z",
    "-2026-01-01T00:00:00Z",
    "1e400",
    "\"",
    "\\",
    "\u{0}",
    "\u{1f511}",
    "\u{feff}",
    "\u{2028}",
    "a.b",
    "a[0]",
    "eventType",
    "user.session.start",
];

/// Keys that events have, that look like them, or that paths could mistake.
const KEYS: &[&str] = &[
    "id",
    "type",
    "alternateId",
    "displayName",
    "detailEntry",
    "changeDetails",
    "from",
    "to",
    "level",
    "reasons",
    "risk",
    "ipAddress",
    "ip",
    "",
    ".",
    "a.b",
    "a[0]",
    "]",
    "\"",
    "\\u0069d",
    "unmapped",
    "data",
];

/// JSON as text: also numbers that no other representation holds.
fn any_json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        4 => select(WORDS).prop_map(|word| json!(word).to_string()),
        2 => any::<String>().prop_map(|text| json!(text).to_string()),
        1 => select(&["null", "true", "false", "0", "-0", "1", "-1.5E+3", "0.10", "123456789012345678901234567890"][..])
            .prop_map(str::to_owned),
        1 => any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| json!(number).to_string()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => (1..2000_usize).prop_map(|length| json!("long ".repeat(length)).to_string()),
    ];
    scalar.prop_recursive(4, 40, 8, |inner| {
        let key = prop_oneof![
            4 => select(KEYS).prop_map(|key| json!(key).to_string()),
            1 => "\\PC{0,16}".prop_map(|key| json!(key).to_string()),
        ];
        let fields = proptest::collection::btree_map(key, inner.clone(), 0..8);
        prop_oneof![
            proptest::collection::vec(inner, 0..8).prop_map(|items| format!("[{}]", items.join(","))),
            fields.prop_map(|fields| {
                let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key}:{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

/// Every place of a value, as JSON pointers; none below a key that a pointer would have to escape.
fn pointers(value: &Value, pointer: &str, found: &mut Vec<String>) {
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, part)| (key.clone(), part)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, part)| (at.to_string(), part)).collect(),
        _ => Vec::new(),
    };
    for (key, part) in parts.iter().filter(|(key, _)| !key.contains(['/', '~'])) {
        let pointer = format!("{pointer}/{key}");
        pointers(part, &pointer, found);
        found.push(pointer);
    }
}

/// An event with something of everything, with other JSON at some places of it.
pub fn any_event() -> impl Strategy<Value = String> {
    let changes = proptest::collection::vec((any::<Index>(), any_json()), 0..6);
    (any::<Index>(), changes).prop_map(|(event_type, changes)| {
        let types = unlike_types();
        let event_type = event_type.get(&types);
        let mut event: Value =
            serde_json::from_str(&specimen(event_type, &EventTypes::embedded().find(event_type).1)).unwrap();
        let mut instead = Vec::new();
        for (at, json) in changes {
            let mut places = Vec::new();
            pointers(&event, "", &mut places);
            let placeholder = format!("instead of {}", instead.len());
            *event.pointer_mut(at.get::<String>(&places)).unwrap() = json!(placeholder);
            instead.push((json!(placeholder).to_string(), json));
        }
        instead.iter().fold(event.to_string(), |text, (placeholder, json)| text.replace(placeholder, json))
    })
}

/// What must hold of any event, and its record if it has one.
fn holds(event: &str) -> Result<Option<Vec<u8>>, TestCaseError> {
    let mut mapper = mapper(KEPT);
    let first = record_of(&mut mapper, event.as_bytes());
    prop_assert!(first == record_of(&mut mapper, event.as_bytes()), "twice the same");
    let (mapped, record) = match first {
        Ok(found) => found,
        Err(error) => {
            prop_assert!(!error.reason().is_empty());
            return Ok(None);
        }
    };
    assert_valid(&record, &event);
    let read: Value = serde_json::from_slice(&record).unwrap_or_else(|error| panic!("{error}"));
    prop_assert_eq!(read["class_uid"].as_u64(), Some(mapped.class.uid().into()));
    prop_assert!(record.len() <= event.len() * GROWTH + FIXED, "{} bytes of {}", record.len(), event.len());
    Ok(Some(record))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_at_any_place_gives_a_valid_record_or_a_named_reason(event in any_event()) {
        if holds(&event)?.is_some() {
            accounting::account(&mut mapper(KEPT), "", event.as_bytes());
        }
    }

    #[test]
    fn any_json_at_all_gives_a_valid_record_or_a_named_reason(json in any_json()) {
        holds(&json)?;
        let event = format!(r#"{{"uuid":"u","published":"2026-05-04T10:20:30Z","target":{json},"actor":{json}}}"#);
        prop_assert!(holds(&event)?.is_some());
    }

    #[test]
    fn the_order_of_any_targets_does_not_change_who_is_who(
        event_type in any::<Index>(), kinds in proptest::sample::subsequence(KINDS, 1..9), seed in any::<u64>(),
    ) {
        let types = unlike_types();
        let targets: Vec<Value> = kinds.iter().map(|kind| party(&format!("id of {kind}"), kind, "x@example.com")).collect();
        let mut other = targets.clone();
        // A shuffle by a seed, so that a failure shrinks to few targets.
        for at in (1..other.len()).rev() {
            other.swap(at, usize::try_from(seed.rotate_left(at as u32) % (at as u64 + 1)).unwrap());
        }
        let event_type = event_type.get(&types);
        let [one, two] = [targets, other].map(|targets| record(&about(event_type, json!(targets))));
        for role in ROLES {
            prop_assert_eq!(unordered(&one[role]), unordered(&two[role]), "{} {}", event_type, role);
        }
    }

    #[test]
    fn any_bytes_are_mapped_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = record_of(&mut mapper(KEPT), &bytes);
    }
}

/// The attributes that say who is who.
const ROLES: [&str; 12] = [
    "class_uid",
    "user",
    "actor",
    "group",
    "entity",
    "entity_result",
    "app",
    "service",
    "authentication_token",
    "privileges",
    "resources",
    "web_resources",
];

/// A list may have its elements in the order of the event.
fn unordered(value: &Value) -> Value {
    let mut value = value.clone();
    if let Value::Array(items) = &mut value {
        items.sort_by_key(Value::to_string);
    }
    value
}

/// One type of target for each role.
const KINDS: &[&str] = &[
    "User",
    "AppUser",
    "AppInstance",
    "PublicClientApp",
    "UserGroup",
    "PolicyEntity",
    "PolicyRule",
    "AuthenticatorEnrollment",
    "UDDevice",
    "access_token",
    "NetworkZone",
    "ROLE",
    "IdentityProvider",
    "email",
    "Report",
];

#[test]
fn a_hundred_thousand_targets_are_mapped_and_kept() {
    let target = party("00u9", "User", "grace@example.com").to_string();
    let targets = vec![target.as_str(); 100_000].join(",");
    for event_type in ["application.user_membership.add", "quantum"] {
        let mut event = with("/eventType", json!(event_type)).to_string();
        event.insert_str(event.len() - 1, &format!(",\"other\":[{targets}]"));
        let event = event.replace("\"target\":", "\"instead\":").replace("\"other\":", "\"target\":");
        let (_, record) = record_of(&mut mapper(KEPT), event.as_bytes()).unwrap();
        assert_valid(&record, &event_type);
        assert!(record.len() < event.len() * 2, "{} bytes of {}", record.len(), event.len());
    }
}

#[test]
fn a_long_text_at_any_place_does_not_make_the_record_much_longer() {
    let types =
        ["user.session.start", "user.risk.detect", "policy.evaluate_sign_on", "application.user_membership.add"];
    for event_type in types {
        let event: Value =
            serde_json::from_str(&specimen(event_type, &EventTypes::embedded().find(event_type).1)).unwrap();
        let mut places = Vec::new();
        pointers(&event, "", &mut places);
        for place in places {
            let mut event = event.clone();
            *event.pointer_mut(&place).unwrap() = json!("x".repeat(20_000));
            let event = event.to_string();
            let Ok((_, record)) = record_of(&mut mapper(KEPT), event.as_bytes()) else { continue };
            assert!(record.len() < event.len() * GROWTH, "{place}: {} bytes of {}", record.len(), event.len());
        }
    }
}

/// Where one text of the event could stand in the record once for each of many targets.
#[test]
fn many_targets_do_not_multiply_a_long_text() {
    let policies: Vec<Value> = (0..100).map(|at| party(&format!("rul{at}"), "PolicyRule", "unknown")).collect();
    let factors: Vec<Value> =
        (0..100).map(|at| party(&format!("pfd{at}"), "AuthenticatorEnrollment", "unknown")).collect();
    for (targets, place) in [(policies, "/outcome/result"), (factors, "/debugContext/debugData/phoneNumber")] {
        let mut event = with("/target", json!(targets));
        put(&mut event, place, json!("x".repeat(100_000)));
        let event = event.to_string();
        let (_, record) = record_of(&mut mapper(KEPT), event.as_bytes()).unwrap();
        assert!(record.len() < event.len() * GROWTH, "{place}: {} bytes of {}", record.len(), event.len());
    }
}

#[test]
fn the_deepest_events_that_are_read_give_records_that_are_read() {
    let mut deepest = None;
    for depth in 50..70 {
        let nested = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        for (place, value) in [
            ("/x", nested.clone()),
            ("/actor/x", nested.clone()),
            ("/target/0/detailEntry", nested.clone()),
            ("/target/0/changeDetails", format!("{{\"from\":{nested},\"to\":{nested}}}")),
            ("/debugContext/debugData/behaviors", nested.clone()),
            ("/debugContext/debugData/logOnlySecurityData", json!(format!("{{\"x\":{nested}}}")).to_string()),
            ("/securityContext/userBehaviors", nested.clone()),
        ] {
            for event_type in
                ["user.session.start", "app.oauth2.client.lifecycle.create", "policy.rule.update", "user.risk.detect"]
            {
                let mut event = with("/eventType", json!(event_type));
                event["target"] = json!([party("rul1", "PolicyRule", "x"), party("0oa1", "PublicClientApp", "x")]);
                put(&mut event, place, json!("instead"));
                let event = event.to_string().replace("\"instead\"", &value);
                if let Ok((_, record)) = record_of(&mut mapper(KEPT), event.as_bytes()) {
                    assert_valid(&record, &format!("{depth} levels at {place} of {event_type}"));
                    deepest = Some(depth);
                }
            }
        }
    }
    assert!(deepest >= Some(58));
}
