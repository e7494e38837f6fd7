//! What the inventory adds to events.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::sample::select;

use super::accounting::{Step, leaves_of};
use super::golden::difference;
use super::known::{Fake, PUBLISHED, app_card, bytes_within, device_card, found, grace, knows_everything};
use super::*;

/// How much longer a record may get by what the inventory adds, in bytes: ten people, three places each, with 50 groups
/// of two texts, each at most 512 bytes, of which JSON may make six times as many.
const MOST_ADDED: usize = 10 * 3 * (50 * 2 + 40) * 512 * 6;

fn ids(count: usize) -> Box<[GroupId]> {
    (0..count).map(|at| format!("00g{at:017}").as_str().into()).collect()
}

/// A table in which the user of [`sign_in`] has a card.
fn knows(card: UserCard, as_of: i64, confidence: Confidence) -> Fake {
    Fake { users: HashMap::from([("00u1".into(), found(card, as_of, confidence))]), ..Fake::default() }
}

fn enriched_by(mapper: &mut Mapper, event: &Value, knowledge: &Fake) -> Value {
    let bytes = bytes_within(mapper, event.to_string().as_bytes(), Some(knowledge), false);
    assert_valid(&bytes, event);
    serde_json::from_slice(&bytes).unwrap()
}

fn enriched(event: &Value, knowledge: &Fake) -> Value {
    enriched_by(&mut mapper(KEPT), event, knowledge)
}

/// The enrichments by the inventory.
fn entries(record: &Value) -> Vec<Value> {
    let all = record["enrichments"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|entry| entry["provider"] == "okta-ocsf").collect()
}

fn entry_about(record: &Value, value: &str) -> Value {
    let about: Vec<Value> = entries(record).into_iter().filter(|entry| entry["value"] == value).collect();
    assert_eq!(about.len(), 1, "{value}: {about:?}");
    about[0].clone()
}

#[test]
fn every_golden_event_with_the_inventory_gives_its_record() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/enriched");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    let knowledge = Fake::read(&read("knowledge.json"));
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let (mut differences, mut count) = (String::new(), 0);
    let mut names: Vec<String> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in names.iter().filter_map(|file| file.strip_suffix(".in.json")) {
        count += 1;
        let is_historical = name.starts_with("historical");
        let bytes = bytes_within(
            &mut mapper(KEPT),
            read(&format!("{name}.in.json")).as_bytes(),
            Some(&knowledge),
            is_historical,
        );
        assert_valid(&bytes, &name);
        let record: Value = serde_json::from_slice(&bytes).unwrap();
        let file = format!("{name}.out.json");
        if update {
            std::fs::write(folder.join(file), format!("{record:#}\n")).unwrap();
            continue;
        }
        let expected: Value = serde_json::from_str(&read(&file)).unwrap_or_default();
        if record != expected {
            differences += &format!("\n{name} (-expected +got)\n{}", difference(&expected, &record));
        }
    }
    assert!(count >= 6, "{count} events");
    assert!(differences.is_empty(), "{differences}\nUPDATE_GOLDEN=1 accepts this");
}

#[test]
fn what_the_event_lacks_comes_from_the_inventory() {
    let mut event = sign_in();
    event["actor"] = json!({"id": "00u1", "type": "User"});
    let mut knowledge = knows(grace(), PUBLISHED - 60_000, Confidence::AsOf);
    knowledge.groups.insert("00g1".into(), "Everyone".into());
    let record = enriched(&event, &knowledge);
    let user = &record["user"];
    assert_eq!(user["name"], "grace@example.com");
    assert_eq!(user["display_name"], "Grace Hopper");
    assert_eq!(user["email_addr"], "grace.hopper@example.org");
    assert_eq!(user["has_mfa"], true);
    assert_eq!(user["org"], json!({"name": "Example", "ou_name": "Compilers"}));
    assert_eq!(user["groups"], json!([{"uid": "00g1", "name": "Everyone"}, {"uid": "00g2"}, {"uid": "00g3"}]));
    assert_eq!(
        user["ldap_person"],
        json!({
            "employee_uid": "100042", "job_title": "Admiral", "labels": ["Employee"], "department": "Compilers",
            "tags": [{"value": "Navy", "name": "division"}],
            "manager": {"uid": "00umark1", "display_name": "Howard Aiken"},
        })
    );
    assert_eq!(user["groups"], record["actor"]["user"]["groups"]);
    let entry = entry_about(&record, "00u1");
    assert_eq!((&entry["type"], &entry["name"]), (&json!("inventory"), &json!("user.uid")));
    assert_eq!(
        entry["data"],
        json!({
            "confidence": "as_of", "as_of": 1_777_889_970_123_i64, "as_of_dt": "2026-05-04T10:19:30.123Z",
            "staleness_ms": 60_000, "status": "ACTIVE", "group_count": 3, "groups_listed": 3, "groups_cut": false,
            "role_count": 1, "roles": [{"type": "SUPER_ADMIN", "label": "Super Administrator"}], "factor_count": 2,
            "factors": [{"type": "push", "provider": "OKTA", "status": "ACTIVE"}, {"type": "password", "status": "ACTIVE"}],
        })
    );
}

#[test]
fn the_event_is_never_overwritten() {
    let record = enriched(&sign_in(), &knows(grace(), PUBLISHED, Confidence::AsOf));
    let user = &record["user"];
    assert_eq!(
        [&user["name"], &user["display_name"], &user["email_addr"]],
        ["ada@example.com", "Ada", "ada@example.com"]
    );
    assert_eq!(user["ldap_person"]["email_addrs"], json!(["grace.hopper@example.org"]));
}

/// Everything that a record says without the inventory, it says with it.
#[test]
fn the_inventory_only_adds() {
    let knowledge = knows_everything();
    let mut seen = 0;
    let types = EventTypes::embedded();
    let specimens = unlike_types().into_iter().map(|name| specimen(&name, &types.find(&name).1));
    for event in golden_events().into_iter().map(|(_, event)| event).chain(specimens) {
        let plain = bytes_within(&mut mapper(KEPT), event.as_bytes(), None, false);
        let full = bytes_within(&mut mapper(KEPT), event.as_bytes(), Some(&knowledge), false);
        assert_valid(&full, &event);
        let [plain, full]: [Value; 2] = [plain, full].map(|bytes| serde_json::from_slice(&bytes).unwrap());
        for (steps, leaf) in leaves_of(&plain) {
            let same = steps.iter().try_fold(&full, |value, step| match step {
                Step::Key(key) => value.get(key),
                Step::Index(index) => value.get(index),
            });
            assert_eq!(same, Some(&leaf), "{steps:?} of {}", shown(&event));
        }
        seen += entries(&full).len();
    }
    assert!(seen > 100, "{seen} enrichments");
}

#[test]
fn who_was_never_seen_is_said_to_be_missing_and_nothing_else() {
    let record = enriched(&sign_in(), &Fake::default());
    assert_eq!(entry_about(&record, "00u1")["data"], json!({"confidence": "missing"}));
    assert_eq!(entry_about(&record, "0oa1")["data"], json!({"confidence": "missing"}));
    let mut plain = self::record(&sign_in());
    let mut missing = record.clone();
    for record in [&mut plain, &mut missing] {
        record.as_object_mut().unwrap().remove("enrichments");
    }
    assert_eq!(plain, missing);
}

#[test]
fn where_nothing_is_read_nothing_is_said() {
    let knowledge = Fake { others: Some(Lookup::Unread), ..Fake::default() };
    assert!(entries(&enriched(&sign_in(), &knowledge)).iter().all(|entry| entry["value"] != "00u1"));
}

#[test]
fn who_is_gone_is_said_to_be_gone() {
    let knowledge = Fake { users: HashMap::from([("00u1".into(), Lookup::Gone(PUBLISHED - 5))]), ..Fake::default() };
    let record = enriched(&sign_in(), &knowledge);
    let data = &entry_about(&record, "00u1")["data"];
    assert_eq!(
        [&data["confidence"], &data["staleness_ms"], &data["status"]],
        [&json!("gone"), &json!(5), &json!(null)]
    );
    assert_eq!(record["user"]["has_mfa"], json!(null));
}

#[test]
fn what_was_seen_only_after_the_event_is_not_stale() {
    let record = enriched(&sign_in(), &knows(grace(), PUBLISHED + 1_000, Confidence::CurrentState));
    let data = &entry_about(&record, "00u1")["data"];
    assert_eq!([&data["confidence"], &data["staleness_ms"]], [&json!("current_state"), &json!(0)]);
    assert_eq!(record["user"]["has_mfa"], true);
}

#[test]
fn an_event_of_the_past_says_so_and_gets_only_what_was_seen_before_it() {
    for (confidence, has_mfa) in [(Confidence::AsOf, json!(true)), (Confidence::CurrentState, json!(null))] {
        let knowledge = knows(grace(), PUBLISHED - 1, confidence);
        let event = sign_in().to_string();
        let bytes = bytes_within(&mut mapper(KEPT), event.as_bytes(), Some(&knowledge), true);
        assert_valid(&bytes, &event);
        let record: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(record["metadata"]["labels"], json!(["historical"]));
        assert_eq!(record["user"]["has_mfa"], has_mfa);
        let data = &entry_about(&record, "00u1")["data"];
        assert_eq!(data["as_of"], PUBLISHED - 1);
        assert_eq!(data["status"].is_null(), has_mfa.is_null());
    }
    let plain = bytes_within(&mut mapper(KEPT), sign_in().to_string().as_bytes(), None, true);
    let plain: Value = serde_json::from_slice(&plain).unwrap();
    assert_eq!(plain["metadata"]["labels"], json!(["historical"]));
    assert_eq!(record(&sign_in())["metadata"]["labels"], json!(null));
}

#[test]
fn each_person_has_one_enrichment_however_often_they_are_named() {
    let targets = json!([party("00u9", "User", "grace@example.com"), party("00uadmin", "User", "admin@example.com")]);
    let event = about("user.account.reset_password", targets);
    let knowledge = Fake { others: Some(found(grace(), PUBLISHED, Confidence::AsOf)), ..Fake::default() };
    let record = enriched(&event, &knowledge);
    let about: Vec<Value> = entries(&record).iter().map(|entry| entry["value"].clone()).collect();
    assert_eq!(about, ["00uadmin", "00u9", "guo1"]);
}

#[test]
fn five_thousand_groups_are_counted_and_the_first_are_listed() {
    let card = UserCard { groups: Some(ids(5_000)), ..UserCard::default() };
    let mut knowledge = knows(card, PUBLISHED, Confidence::AsOf);
    for id in ids(5_000) {
        knowledge.groups.insert(id.to_string(), format!("Group with a name of usual length {}", &*id).into());
    }
    let event = sign_in().to_string();
    let plain = bytes_within(&mut mapper(KEPT), event.as_bytes(), None, false);
    let bytes = bytes_within(&mut mapper(KEPT), event.as_bytes(), Some(&knowledge), false);
    assert_valid(&bytes, &event);
    assert!(bytes.len() < plain.len() + 16_000, "{} bytes instead of {}", bytes.len(), plain.len());
    let record: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(record["user"]["groups"].as_array().unwrap().len(), 50);
    let data = &entry_about(&record, "00u1")["data"];
    assert_eq!(
        [&data["group_count"], &data["groups_listed"], &data["groups_cut"]],
        [&json!(5_000), &json!(50), &json!(true)]
    );
}

#[test]
fn the_groups_that_matter_come_first() {
    let card = UserCard { groups: Some(ids(8)), ..UserCard::default() };
    let mut knowledge = knows(card, PUBLISHED, Confidence::AsOf);
    for (at, name) in [(2, "Admins of Payroll"), (5, "VPN"), (6, "Admins of Mail")] {
        knowledge.groups.insert(ids(8)[at].to_string(), name.into());
    }
    let enrichment = |max_groups| Enrichment {
        max_groups,
        groups_first: vec!["VPN".into(), "00g00000000000000007".into(), "Admins of *".into()],
        without: Vec::new(),
    };
    let listed = |max_groups| -> Vec<usize> {
        let mut mapper = mapper(KEPT).with_enrichment(enrichment(max_groups));
        let record = enriched_by(&mut mapper, &sign_in(), &knowledge);
        let groups = record["user"]["groups"].as_array().cloned().unwrap_or_default();
        groups.iter().map(|group| group["uid"].as_str().unwrap()[3..].parse().unwrap()).collect()
    };
    assert_eq!(listed(8), [5, 7, 2, 6, 0, 1, 3, 4]);
    assert_eq!(listed(3), [5, 7, 2]);
    assert_eq!(listed(0), [0; 0]);
}

#[test]
fn what_is_switched_off_is_not_there() {
    let everything = knows_everything();
    let fields = [
        (Field::Groups, "groups"),
        (Field::Groups, "group_count"),
        (Field::Roles, "roles"),
        (Field::Factors, "has_mfa"),
        (Field::Factors, "factors"),
        (Field::Organization, "department"),
        (Field::Organization, "org"),
        (Field::Title, "job_title"),
        (Field::EmployeeNumber, "employee_uid"),
        (Field::Manager, "manager"),
        (Field::Email, "email_addrs"),
        (Field::ApplicationOwner, "owner"),
        (Field::Application, "sign_on_mode"),
        (Field::DeviceSerial, "hw_info"),
        (Field::Device, "managementStatus"),
    ];
    for (field, key) in fields {
        let has = |without: Vec<Field>| {
            let mut mapper = mapper(KEPT).with_enrichment(Enrichment { without, ..Enrichment::default() });
            enriched_by(&mut mapper, &sign_in(), &everything).to_string().contains(&format!("\"{key}\":"))
        };
        assert!(has(Vec::new()), "{key}");
        assert!(!has(vec![field]), "{key}");
    }
}

#[test]
fn a_device_and_its_posture_are_known() {
    let card = json!({
        "display_name": "Ada's laptop", "status": "ACTIVE", "platform": "MACOS", "os_version": "14.5",
        "serial_number": "C02X", "management_status": "MANAGED", "registered": true, "secure_hardware": true,
        "disk_encryption": "ALL_INTERNAL_VOLUMES", "jailbroken": false,
    });
    let lookup = found(device_card(&card), PUBLISHED, Confidence::AsOf);
    let knowledge = Fake { devices: HashMap::from([("guo1".into(), lookup)]), ..Fake::default() };
    let mut event = with("/device", json!({"id": "guo1"}));
    event["client"]["userAgent"] = json!(null);
    let record = enriched(&event, &knowledge);
    let device = &record["device"];
    assert_eq!(device["os"], json!({"name": "MACOS", "type_id": 300, "type": "macOS", "version": "14.5"}));
    assert_eq!([&device["is_managed"], &device["name"]], [&json!(true), &json!("Ada's laptop")]);
    assert_eq!(device["hw_info"]["serial_number"], "C02X");
    let data = &entry_about(&record, "guo1")["data"];
    for (key, value) in [
        ("managementStatus", json!("MANAGED")),
        ("diskEncryptionType", json!("ALL_INTERNAL_VOLUMES")),
        ("secureHardwarePresent", json!(true)),
        ("integrityJailbreak", json!(false)),
        ("registered", json!(true)),
    ] {
        assert_eq!(data[key], value, "{key}");
    }
}

#[test]
fn the_client_that_acts_is_an_application() {
    let app = app_card(&json!({"label": "Sync", "sign_on_mode": "OPENID_CONNECT", "owner": "ops@example.com"}));
    let knowledge =
        Fake { apps: HashMap::from([("0oa9".into(), found(app, PUBLISHED, Confidence::AsOf))]), ..Fake::default() };
    let record = enriched(&with("/actor", party("0oa9", "PublicClientApp", "0oa9")), &knowledge);
    let entry = entry_about(&record, "0oa9");
    assert_eq!([&entry["data"]["label"], &entry["data"]["owner"]], ["Sync", "ops@example.com"]);
    assert_eq!(at(&record, "actor.app_uid"), "0oa9");
}

fn at<'v>(record: &'v Value, path: &str) -> &'v Value {
    accounting::at(record, path).unwrap()
}

/// Texts that a card may hold, among them some that no attribute can.
fn any_text() -> impl Strategy<Value = Option<String>> {
    let some = prop_oneof![
        select(&["", "unknown", "ACTIVE", "a@b.c", "@", "\"", "\\", "\u{0}", "é\u{1f511}", "MANAGED", "\u{2028}"][..])
            .prop_map(str::to_owned),
        any::<String>(),
        (1..3_000_usize).prop_map(|length| "\u{1}".repeat(length)),
    ];
    proptest::option::of(some)
}

fn any_card() -> impl Strategy<Value = UserCard> {
    let texts = proptest::collection::vec(any_text(), 12);
    let groups = proptest::option::of(proptest::collection::vec(any_text(), 0..200));
    let few = || proptest::option::of(proptest::collection::vec((any_text(), any_text(), any_text()), 0..40));
    (texts, groups, few(), few()).prop_map(|(texts, groups, roles, factors)| {
        let mut texts = texts.into_iter();
        let mut shared = || texts.next().flatten().map(Arc::from);
        UserCard {
            login: shared(),
            email: shared(),
            display_name: shared(),
            status: shared(),
            department: shared(),
            division: shared(),
            organization: shared(),
            title: shared(),
            user_type: shared(),
            employee_number: shared(),
            manager: shared(),
            manager_id: shared(),
            groups: groups.map(|ids| ids.into_iter().map(|id| id.unwrap_or_default().as_str().into()).collect()),
            roles: roles.map(|list| list.into_iter().map(|(kind, label, _)| RoleCard { kind, label }).collect()),
            factors: factors.map(|list| {
                list.into_iter().map(|(kind, provider, status)| FactorCard { kind, provider, status }).collect()
            }),
        }
    })
}

fn any_device() -> impl Strategy<Value = DeviceCard> {
    let flag = || proptest::option::of(any::<bool>());
    (proptest::collection::vec(any_text(), 7), flag(), flag(), flag()).prop_map(
        |(texts, registered, secure, jailbroken)| {
            let mut texts = texts.into_iter();
            let mut next = || texts.next().flatten();
            DeviceCard {
                display_name: next(),
                status: next(),
                platform: next(),
                os_version: next(),
                serial_number: next(),
                management_status: next(),
                disk_encryption: next(),
                registered,
                secure_hardware: secure,
                jailbroken,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_card_gives_a_valid_record_of_bounded_size(
        card in any_card(), device in any_device(), owner in any_text(), as_of in any::<i64>(),
        is_historical in any::<bool>(), event_type in any::<proptest::sample::Index>(), is_sure in any::<bool>(),
    ) {
        let types = unlike_types();
        let event_type = event_type.get(&types);
        let event = specimen(event_type, &EventTypes::embedded().find(event_type).1);
        let confidence = if is_sure { Confidence::AsOf } else { Confidence::CurrentState };
        let mut knowledge = knows_everything();
        for (id, lookup) in &mut knowledge.apps {
            *lookup = found(AppCard { owner: owner.clone(), label: Some(id.clone()), ..AppCard::default() }, as_of, confidence);
        }
        for lookup in knowledge.devices.values_mut() {
            *lookup = found(device.clone(), as_of, confidence);
        }
        for id in card.groups.iter().flatten() {
            knowledge.groups.insert(id.to_string(), Arc::from(&**id));
        }
        knowledge.others = Some(found(card, as_of, confidence));
        let plain = bytes_within(&mut mapper(KEPT), event.as_bytes(), None, is_historical);
        let mut used = mapper(KEPT);
        let full = bytes_within(&mut used, event.as_bytes(), Some(&knowledge), is_historical);
        assert_valid(&full, &event);
        prop_assert!(full.len() <= plain.len() + MOST_ADDED);
        prop_assert_eq!(&full, &bytes_within(&mut used, event.as_bytes(), Some(&knowledge), is_historical));
    }
}

#[test]
fn of_a_hundred_people_ten_are_looked_up() {
    let targets: Vec<Value> = (0..100).map(|at| party(&format!("00u{at}"), "User", "x@example.com")).collect();
    let knowledge = Fake { others: Some(found(grace(), PUBLISHED, Confidence::AsOf)), ..Fake::default() };
    let record = enriched(&about("user.risk.detect", json!(targets)), &knowledge);
    assert_eq!(entries(&record).iter().filter(|entry| entry["value"] != "guo1").count(), 10);
    let with_groups =
        record["evidences"].as_array().unwrap().iter().filter(|evidence| !evidence["user"]["groups"].is_null());
    assert_eq!(with_groups.count(), 9, "the admin who acts is the tenth");
}
