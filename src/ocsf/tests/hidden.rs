//! Personal values never reach a record in clear, and everything else does.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::known::{Fake, bytes_within, found, grace, knows_everything};
use super::*;
use crate::ocsf::inventory::{
    Activity, Basis, Cause, Change, Collection, InventoryMapper, Observed, ResourceFacts, Said, UserFacts,
};
use crate::ocsf::privacy::{ADDRESS_DOMAIN, Personal, Privacy, is_token};

const ALL: &[Personal] = Personal::ALL;

fn privacy(kinds: &[Personal]) -> Privacy {
    Privacy::new(b"a key of the tests, which is no secret", kinds)
}

fn hiding(kinds: &[Personal]) -> Mapper {
    mapper(Options { raw_data: true, unmapped: true }).with_privacy(Some(privacy(kinds)))
}

fn token(text: &str) -> String {
    privacy(ALL).of(&OrgId::new("acme")).token(text)
}

fn hidden_by(kinds: &[Personal], event: &Value) -> Value {
    let bytes = bytes_within(&mut hiding(kinds), event.to_string().as_bytes(), None, false);
    assert_valid(&bytes, event);
    serde_json::from_slice(&bytes).unwrap()
}

/// The record of an event in which everything is hidden that can be.
fn hidden(event: &Value) -> Value {
    hidden_by(ALL, event)
}

/// Whether a text is anywhere in a record, in any case and under the escapes of JSON and of URLs.
fn has(record: &[u8], text: &str) -> bool {
    let record = String::from_utf8_lossy(record).to_lowercase();
    let unescaped = record.replace('\\', "");
    let plus = record.replace('+', " ");
    let text = text.to_lowercase();
    let encoded = text.replace('@', "%40").replace(' ', "%20");
    [&record, &unescaped, &plus].into_iter().any(|form| form.contains(&text) || form.contains(&encoded))
}

#[test]
fn a_pseudonym_is_the_same_for_the_same_value_of_the_same_org_and_no_other() {
    let of = |key: &[u8], org: &str, text: &str| Privacy::new(key, ALL).of(&OrgId::new(org)).token(text);
    let key = [7; 32];
    assert_eq!(of(&key, "acme", "Ada@Example.com"), of(&key, "acme", "ada@example.COM"));
    for (other_key, org, text) in [([8; 32], "acme", "ada"), (key, "globex", "ada"), (key, "acme", "adb")] {
        assert_ne!(of(&key, "acme", "ada"), of(&other_key, org, text));
    }
    // RFC 2104 by another implementation: HMAC-SHA-256 twice, the first 16 bytes in Base 64.
    assert_eq!(of(&key, "acme", "ada"), "hmac:8gkzyp-zME4AiU3cfx79Hg");
}

#[test]
fn a_pseudonym_of_an_address_is_an_address_and_others_are_texts() {
    let address = token("ada@example.com");
    assert!(address.ends_with(&format!("@{ADDRESS_DOMAIN}")) && !is_token(&address));
    for text in ["ada", "Ada Lovelace", "192.0.2.7", "ä@b.c", "\u{0}"] {
        assert!(is_token(&token(text)), "{}", token(text));
    }
    for text in ["hmac:", "hmac:short", "ada", "hmac:0123456789012345678901\n"] {
        assert!(!is_token(text), "{text}");
    }
}

#[test]
fn people_have_the_same_pseudonyms_wherever_they_stand() {
    let record = hidden(&sign_in());
    let address = token("ada@example.com");
    assert_eq!(record["user"]["name"], address);
    assert_eq!(record["user"]["email_addr"], address);
    assert_eq!(record["actor"]["user"]["name"], address);
    assert_eq!(record["user"]["display_name"], token("Ada"));
    assert_eq!(record["user"]["uid"], "00u1", "ids are what records are joined by");
    assert_eq!(record["raw_data"], json!(null));
}

#[test]
fn an_address_of_a_machine_stands_where_any_text_may() {
    let record = hidden(&sign_in());
    let endpoint = &record["src_endpoint"];
    assert_eq!([&endpoint["ip"], &endpoint["interface_uid"]], [&json!(null), &json!(token("192.0.2.7"))]);
    assert_eq!(endpoint["location"]["city"], "Graz", "what is not named stays");
    let lonely = hidden(&with("/eventType", json!("quantum")));
    assert_eq!(lonely["device"]["interface_uid"], token("192.0.2.7"));
}

#[test]
fn only_what_is_named_is_hidden() {
    let record = hidden_by(&[Personal::Ip], &sign_in());
    assert_eq!([&record["user"]["name"], &record["user"]["display_name"]], ["ada@example.com", "Ada"]);
    assert!(!has(record.to_string().as_bytes(), "192.0.2.7"));
    let record = hidden_by(&[Personal::Login], &sign_in());
    assert_eq!([&record["src_endpoint"]["ip"], &record["user"]["display_name"]], ["192.0.2.7", "Ada"]);
    assert!(!has(record.to_string().as_bytes(), "ada@example.com"));
}

/// Texts of an event in which somebody may be named.
const TEXTS: &[&str] = &[
    "/displayMessage",
    "/outcome/reason",
    "/debugContext/debugData/errorMessage",
    "/debugContext/debugData/requestUri",
    "/debugContext/debugData/url",
    "/debugContext/debugData/anything",
    "/target/0/displayName",
    "/target/0/detailEntry",
    "/target/0/changeDetails",
    "/securityContext/ipDetails",
    "/client/userAgent/rawUserAgent",
    "/transaction/detail/x",
    "/new",
];

/// A value as it may stand in a text.
fn forms(value: &str) -> Vec<Value> {
    let quoted = json!(value).to_string();
    vec![
        json!(value),
        json!(format!("{value} did something")),
        json!(format!("it was ({value}), again {}", value.to_uppercase())),
        json!(format!("/api/v1/users/{}?q=1", value.replace('@', "%40").replace(' ', "%20"))),
        json!(format!("/search?q={}&x", value.replace(' ', "+"))),
        json!(format!("{{\"who\":{quoted}}}")),
        json!(json!({"nested": format!("{{\"who\":{quoted}}}")}).to_string()),
        json!({"list": [value, {"deep": value}]}),
        json!({value: "as a key"}),
    ]
}

#[test]
fn no_personal_value_is_in_clear_anywhere() {
    let people =
        ["ada@example.com", "Ada Augusta Lovelace", "Jürgen \"Jay\" Öhm", "+43 1 5550100", "192.0.2.7", "2001:db8::7"];
    let mut case = 0;
    for value in people {
        for form in forms(value) {
            // Every value in every form, and both at every place in the long run.
            for place in TEXTS
                .iter()
                .skip(
                    {
                        case += 1;
                        case
                    } % 4,
                )
                .step_by(4)
            {
                let mut event = with("/actor/displayName", json!(people[1]));
                event["debugContext"]["debugData"]["phoneNumber"] = json!(people[3]);
                event["target"] = json!([
                    {"id": "0oa1", "type": "AppInstance", "alternateId": "Payroll", "displayName": "Payroll"},
                    party("00u9", "User", "grace@example.com"),
                ]);
                event["target"][1]["displayName"] = json!(people[2]);
                put(&mut event, place, form.clone());
                let bytes = bytes_within(&mut hiding(ALL), event.to_string().as_bytes(), None, false);
                assert_valid(&bytes, &event);
                for value in people {
                    assert!(!has(&bytes, value), "{value} at {place}, as {form}: {}", String::from_utf8_lossy(&bytes));
                }
            }
        }
    }
}

#[test]
fn a_name_is_hidden_as_a_key_unless_a_field_could_be_called_so() {
    for (name, is_hidden) in
        [("Anna-Lena", true), ("Anna.Lena", true), ("Anna Lena", true), ("Anna2", true), ("outcome", false)]
    {
        let mut event = with("/actor/displayName", json!(name));
        event["debugContext"]["debugData"]["seen"] = json!({name: "at noon"});
        let seen = hidden(&event)["unmapped"]["debugContext"]["debugData"]["seen"].clone();
        assert_eq!(seen.get(name).is_none(), is_hidden, "{seen}");
        assert_eq!(seen.as_object().unwrap().len(), 1);
    }
}

/// Every name by which the mapping finds something in an event is one that no person can hide.
#[test]
fn the_fields_of_events_are_single_words() {
    use crate::okta::{
        AuthenticationContext, ChangeDetails, Client, DebugContext, DebugData, DetailEntry, Device,
        GeographicalContext, Geolocation, LogEvent, Outcome, Party, Request, Risk, SecurityContext, Transaction,
        TransactionDetail, UserAgent,
    };
    let all = [
        LogEvent::FIELDS,
        Party::FIELDS,
        ChangeDetails::FIELDS,
        DetailEntry::FIELDS,
        Client::FIELDS,
        UserAgent::FIELDS,
        GeographicalContext::FIELDS,
        Geolocation::FIELDS,
        AuthenticationContext::FIELDS,
        SecurityContext::FIELDS,
        Risk::FIELDS,
        Outcome::FIELDS,
        Transaction::FIELDS,
        TransactionDetail::FIELDS,
        DebugContext::FIELDS,
        DebugData::FIELDS,
        Device::FIELDS,
        Request::FIELDS,
    ];
    for field in all.into_iter().flatten() {
        assert!(field.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_'), "{field}");
    }
}

#[test]
fn what_only_the_inventory_knows_of_somebody_is_hidden_too() {
    let knowledge = knows_everything();
    let clear = [
        "grace@example.com",
        "grace.hopper@example.org",
        "Grace Hopper",
        "100042",
        "Howard Aiken",
        "00umark1",
        "x@example.com",
    ];
    for value in clear {
        for form in forms(value) {
            let mut event = with("/displayMessage", form);
            event["actor"] = json!({"id": "00u1", "type": "User"});
            let bytes = bytes_within(&mut hiding(ALL), event.to_string().as_bytes(), Some(&knowledge), false);
            assert_valid(&bytes, &event);
            clear
                .into_iter()
                .for_each(|value| assert!(!has(&bytes, value), "{value}: {}", String::from_utf8_lossy(&bytes)));
            let record: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(record["user"]["email_addr"], token("grace.hopper@example.org"));
            assert_eq!(record["user"]["ldap_person"]["manager"]["uid"], token("00umark1"));
            assert_eq!(record["user"]["ldap_person"]["department"], "Compilers");
        }
    }
}

#[test]
fn a_person_cannot_hide_what_happened_by_their_name() {
    for name in [
        "HIGH",
        "FAILURE",
        "true",
        "OKTA_VERIFY_PUSH",
        "User",
        "user.session.start",
        "New Device",
        "00u1",
        "OTP",
        "outcome",
        "target",
        "debugData",
    ] {
        let mut event = with("/actor/displayName", json!(name));
        event["actor"]["alternateId"] = json!(name);
        let (plain, hidden) = (record(&event), hidden(&event));
        for attribute in [
            "class_uid",
            "activity_id",
            "status",
            "risk_level",
            "risk_details",
            "is_alert",
            "is_mfa",
            "auth_factors",
            "severity",
            "type_uid",
            "time",
            "service",
        ] {
            assert_eq!(plain[attribute], hidden[attribute], "{attribute} with {name}");
        }
        assert_eq!(plain["user"]["type"], hidden["user"]["type"]);
        assert_eq!(plain["metadata"]["uid"], hidden["metadata"]["uid"]);
        assert_eq!(hidden["user"]["name"], token(name));
    }
    let role = json!([party("00u9", "User", "x@example.com"), {"id": "r", "type": "ROLE", "displayName": "Super Administrator"}]);
    let mut event = about("user.account.privilege.grant", role);
    event["actor"]["displayName"] = json!("Super Administrator");
    assert_eq!(record(&event)["privileges"], hidden(&event)["privileges"]);
}

/// Hiding changes what values are, not what happened: the class stays, also where an address is required.
#[test]
fn every_event_keeps_its_class_and_its_validity() {
    let types = EventTypes::embedded();
    let specimens = unlike_types().into_iter().map(|name| specimen(&name, &types.find(&name).1));
    let golden = golden_events().into_iter().map(|(_, event)| event);
    let knowledge = knows_everything();
    let mut mapper = hiding(ALL);
    for event in golden.chain(specimens) {
        let class = record_of(&mut self::mapper(KEPT), event.as_bytes()).unwrap().0.class;
        let bytes = bytes_within(&mut mapper, event.as_bytes(), Some(&knowledge), false);
        assert_valid(&bytes, &event);
        let record: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(record["class_uid"], class.uid(), "{}", shown(&event));
    }
}

#[test]
fn okta_itself_has_a_name() {
    let event = with("/actor", party("sys", "SystemPrincipal", "system@okta.com"));
    assert_eq!(hidden(&event)["actor"]["user"]["name"], "system@okta.com");
}

#[test]
fn the_version_of_a_browser_is_no_address() {
    let agent = "Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36";
    let event = with("/client/userAgent/rawUserAgent", json!(agent));
    assert_eq!(hidden(&event)["http_request"]["user_agent"], agent);
}

#[test]
fn with_more_people_than_can_be_looked_for_texts_are_hidden_as_a_whole() {
    let targets: Vec<Value> =
        (0..400).map(|at| party(&format!("00u{at}"), "User", &format!("p{at}@example.com"))).collect();
    let mut event = about("user.risk.detect", json!(targets));
    event["displayMessage"] = json!("User 00u399 was here");
    let record = hidden(&event);
    assert_eq!(record["message"], token("User 00u399 was here"));
    assert!(!record.to_string().contains("@example.com"));
}

#[test]
fn an_event_without_people_is_mapped_as_if_nothing_were_hidden() {
    let mut event = about("policy.rule.update", json!([party("rul1", "PolicyRule", "unknown")]));
    for section in ["actor", "client", "request", "device", "securityContext"] {
        event[section] = json!(null);
    }
    assert_eq!(record(&event), hidden(&event));
}

const USER: &str = r#"{"id":"00u9","status":"ACTIVE","profile":{"login":"grace@example.com","email":"grace.hopper@example.org",
    "firstName":"Grace","lastName":"Hopper","displayName":"Grace Hopper","employeeNumber":"100042","mobilePhone":"+1 555 0100",
    "manager":"Howard Aiken","managerId":"00umark1","department":"Team of Grace Hopper"}}"#;

const CLEAR: &[&str] = &[
    "grace@example.com",
    "grace.hopper@example.org",
    "Grace Hopper",
    "100042",
    "+1 555 0100",
    "Howard Aiken",
    "00umark1",
];

/// The record of an object of the inventory, of which everything has just changed.
fn inventory(map: impl FnOnce(&mut InventoryMapper, &Observed<'_>, &mut Vec<u8>)) -> Value {
    let org = OrgId::new("acme");
    let before = br#"{"id":"00u9","profile":{"lastName":"Maiden","title":"Mrs. Maiden, formerly Grace Hopper"}}"#;
    let said = Said::Object(Some(before), Some(USER.as_bytes()));
    let changes = [Change { facet: "user.core", key: "00u9", cause: Cause::List, as_of: (1, 2), said }];
    let basis = Basis { key: "00u9", epoch: None, readings: &[], changes: &changes };
    let observed = Observed { org: &org, at: 1_777_890_030_123, activity: Activity::Log, basis: Some(&basis) };
    let options = Options { raw_data: true, unmapped: true };
    let mut out = Vec::new();
    map(&mut InventoryMapper::new(options).with_privacy(Some(privacy(ALL))), &observed, &mut out);
    assert_valid(&out, &"an object");
    assert!(out.windows(8).any(|text| text == b"\"change\""), "what has changed is said");
    for value in CLEAR.iter().chain(&["Maiden"]) {
        assert!(!has(&out, value), "{value}: {}", String::from_utf8_lossy(&out));
    }
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn records_of_the_inventory_have_the_pseudonyms_of_events() {
    let group = br#"{"id":"00g1","profile":{"name":"Friends of grace@example.com"}}"#;
    let groups: &[&[u8]] = &[group];
    let facts = UserFacts { user: USER.as_bytes(), groups: Some(groups), ..UserFacts::default() };
    let record = inventory(|mapper, observed, out| {
        mapper.user(observed, &facts, out).unwrap();
    });
    let user = &record["user"];
    let event = hidden(&with("/actor", party("00u9", "User", "grace@example.com")));
    assert_eq!(user["name"], event["user"]["name"]);
    assert_eq!(user["email_addr"], token("grace.hopper@example.org"));
    assert_eq!(user["ldap_person"]["employee_uid"], token("100042"));
    assert_eq!([&user["org"], &user["domain"]], [&json!(null), &json!(null)], "the domain of a pseudonym is nobody's");
    assert_eq!(user["groups"][0]["uid"], "00g1");
    assert_eq!(record["raw_data"], json!(null));
}

#[test]
fn people_in_other_objects_are_hidden_too() {
    let profile = serde_json::from_str::<Value>(USER).unwrap()["profile"].clone();
    let device = json!({
        "id": "guo1", "profile": {"displayName": "Grace Hopper's laptop", "platform": "MACOS", "serialNumber": "C02SECRET"},
        "resourceDisplayName": {"value": "Grace Hopper's laptop"},
        "_embedded": {"users": [{"managementStatus": "MANAGED", "user": {"id": "00u9", "profile": profile}}]},
    });
    let record = inventory(|mapper, observed, out| {
        mapper.device(observed, device.to_string().as_bytes(), out).unwrap();
    });
    assert_eq!(record["device"]["owner"]["name"], token("grace@example.com"));
    assert!(!record.to_string().contains("C02SECRET") && !record.to_string().contains("laptop"));
    let assigned = json!({"id": "00u9", "credentials": {"userName": "grace@example.com"}, "profile": profile});
    let assigned = assigned.to_string();
    let facts = ResourceFacts { object: assigned.as_bytes(), ..ResourceFacts::default() };
    let collection = Collection::find("app_users").unwrap();
    let record = inventory(|mapper, observed, out| {
        mapper.resource(observed, collection, &facts, out).unwrap();
    });
    assert_eq!(record["resources"][0]["name"], token("grace@example.com"));
}

/// A value that is no word of any protocol.
fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[qx]{4,8}@[qx]{3,6}\\.[a-z]{2,3}",
        "[QX][qx]{3,8} [QX][qxéü]{3,8}",
        "[QX][qx]{2,4}['\"&/ -][QX][qx]{3,8}",
        (1..224_u8, any::<[u8; 3]>()).prop_map(|(first, [b, c, d])| format!("{first}.{b}.{c}.{d}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_at_a_known_place_is_in_clear_at_any_other(
        value in any_value(), event_type in any::<Index>(), at in any::<Index>(), form in any::<Index>(),
        place in select(&["/actor/alternateId", "/actor/displayName", "/target/0/changeDetails/from/lastName"][..]),
    ) {
        let types = unlike_types();
        let event_type = event_type.get(&types);
        let mut event: Value =
            serde_json::from_str(&specimen(event_type, &EventTypes::embedded().find(event_type).1)).unwrap();
        // A text that is no word by which Okta says what happened.
        put(&mut event, at.get::<&str>(&TEXTS[..6]), form.get(&forms(&value)).clone());
        if event.pointer(place).is_some() || place.starts_with("/actor") {
            put(&mut event, place, json!(value));
        } else {
            put(&mut event, "/actor/displayName", json!(value));
        }
        let card = UserCard { title: Some(format!("deputy of {value}").into()), display_name: Some(value.as_str().into()), ..grace() };
        let knowledge = Fake { others: Some(found(card, 0, Confidence::AsOf)), ..Fake::default() };
        let bytes = bytes_within(&mut hiding(ALL), event.to_string().as_bytes(), Some(&knowledge), false);
        assert_valid(&bytes, &event);
        prop_assert!(!has(&bytes, &value), "{}", String::from_utf8_lossy(&bytes));
        prop_assert_eq!(&bytes, &bytes_within(&mut hiding(ALL), event.to_string().as_bytes(), Some(&knowledge), false));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_event_can_be_hidden(event in super::properties::any_event()) {
        let plain = record_of(&mut mapper(KEPT), event.as_bytes());
        let hidden = record_of(&mut hiding(ALL), event.as_bytes());
        prop_assert_eq!(plain.is_ok(), hidden.is_ok());
        if let Ok((_, bytes)) = hidden {
            assert_valid(&bytes, &event);
        }
    }
}
