//! The tables that say what an event type is, and the user's own before them.

use super::captions::{attribute, facts};
use super::types::Catalogue;
use super::*;

const HEADER: &str = "event_type,class,activity_id,activity,entity,targets,defaults,why\n";

fn overrides(rows: &str) -> Result<Arc<EventTypes>, Vec<TableError>> {
    EventTypes::with_overrides(&format!("{HEADER}{rows}"))
}

#[test]
fn every_type_of_the_catalogue_has_a_row() {
    let Some(catalogue) = Catalogue::read() else { return };
    let types = EventTypes::embedded();
    let names = types.names();
    for of_type in catalogue.types {
        let name = of_type["id"].as_str().unwrap();
        assert!(names.binary_search(&name).is_ok(), "{name}");
    }
}

#[test]
fn every_activity_is_one_of_its_class() {
    let (facts, types) = (facts(), EventTypes::embedded());
    for name in types.names() {
        let entry = types.find(name).1;
        let class = &facts["classes"][entry.class.name()];
        assert!(class.is_object() && class["deprecated"] != true, "{name}: {:?}", entry.class);
        assert!(entry.class.is_of_events(), "{name} is an event, not an inventory");
        let activities = attribute(&facts, "classes", entry.class.name(), "activity_id");
        let caption = activities["enum"][entry.activity_id.to_string()].as_str();
        match entry.activity_id {
            99 => assert!(!entry.activity.is_empty() && entry.activity != "Other", "{name} has an activity of no name"),
            _ => assert_eq!(caption, Some(entry.activity.as_str()), "{name}"),
        }
    }
}

/// What others have got wrong: activities of the wrong number, and classes that say another thing.
#[test]
fn types_that_are_easily_mistaken_have_the_right_activity() {
    for (name, class, activity) in [
        ("group.lifecycle.create", Class::GroupManagement, "Create"),
        ("group.user_membership.add", Class::GroupManagement, "Add User"),
        ("group.user_membership.remove", Class::GroupManagement, "Remove User"),
        ("device.lifecycle.activate", Class::EntityManagement, "Activate"),
        ("application.user_membership.add", Class::UserAccess, "Assign Privileges"),
        ("application.user_membership.remove", Class::UserAccess, "Revoke Privileges"),
        ("user.account.privilege.grant", Class::UserAccess, "Assign Privileges"),
        ("zone.create", Class::EntityManagement, "Create"),
        ("zone.update", Class::EntityManagement, "Update"),
        ("zone.delete", Class::EntityManagement, "Delete"),
        ("user.mfa.factor.activate", Class::AccountChange, "MFA Factor Enable"),
        ("user.mfa.factor.deactivate", Class::AccountChange, "MFA Factor Disable"),
        ("user.lifecycle.suspend", Class::AccountChange, "Disable"),
        ("user.account.lock", Class::AccountChange, "Lock"),
        ("user.session.start", Class::Authentication, "Logon"),
        ("user.session.end", Class::Authentication, "Logoff"),
        ("user.session.clear", Class::Authentication, "Logoff"),
        ("app.generic.unauth_app_access_attempt", Class::Authentication, "Logon"),
        ("user.authentication.auth_via_mfa", Class::Authentication, "Logon"),
        ("security.threat.detected", Class::DetectionFinding, "Create"),
        ("system.api_token.create", Class::EntityManagement, "Create"),
        ("system.email.password_reset.sent_message", Class::EmailActivity, "Send"),
    ] {
        let types = EventTypes::embedded();
        let (known, entry) = types.find(name);
        assert_eq!((known, entry.class, entry.activity.as_str()), (Known::Listed, class, activity), "{name}");
    }
}

#[test]
fn a_type_without_a_row_is_mapped_by_its_family_and_without_a_family_as_a_base_event() {
    let types = EventTypes::embedded();
    let found = |name| {
        let (known, entry) = types.find(name);
        (known, entry.class, entry.activity_id, entry.activity.clone())
    };
    assert_eq!(found("zone.shape.update"), (Known::Family, Class::EntityManagement, 3, "Update".into()));
    assert_eq!(found("zone.archive"), (Known::Family, Class::EntityManagement, 99, "zone.archive".into()));
    assert_eq!(found("quantum.teleport"), (Known::Unknown, Class::BaseEvent, 99, String::new()));
    assert_eq!(found(""), (Known::Unknown, Class::BaseEvent, 99, String::new()));
}

#[test]
fn an_odd_type_of_a_known_family_does_not_break_the_record() {
    for name in ["zone.\"quoted\"", "zone.back\\slash", "zone.new\nline", "zone.zoë", "zone.", "zone.update "] {
        let mut event = about(name, json!([party("nzo1", "NetworkZone", "unknown")]));
        event["published"] = json!("2026-05-04T10:20:30Z");
        let record = record(&event);
        assert_eq!(record["metadata"]["event_code"], name, "{name:?}");
        assert!(record["activity_name"].is_string(), "{name:?}");
    }
}

#[test]
fn a_users_own_row_comes_first_and_exact_names_before_prefixes_and_long_prefixes_before_short_ones() {
    let types = overrides(concat!(
        "user.session.start,base_event,99,Own Sign-In,,,,why not\n",
        "user.session.*,account_change,9,Lock,,,,\n",
        "user.*,authentication,2,Logoff,,,status=failure;protocol=SAML,\n",
        "custom.thing,entity_management,1,Create,\"Own, quoted\",Thing|Other Thing,,\n",
    ));
    let types = types.unwrap();
    let class = |name| {
        let (known, entry) = types.find(name);
        assert_eq!(known, Known::Listed, "{name}");
        entry.class
    };
    assert_eq!(class("user.session.start"), Class::BaseEvent);
    assert_eq!(class("user.session.clear"), Class::AccountChange);
    assert_eq!(class("user.lifecycle.create"), Class::Authentication);
    assert_eq!(class("zone.update"), Class::EntityManagement);
    let own = types.find("custom.thing").1;
    assert_eq!(
        (own.entity.as_str(), own.targets.as_slice()),
        ("Own, quoted", &["Thing".into(), "Other Thing".into()][..])
    );
    assert!(types.names().contains(&"custom.thing"));

    let mut mapper = Mapper::new(types, KEPT);
    let event = about("custom.thing", json!([party("1", "Other Thing", "unknown"), party("2", "Thing", "unknown")]));
    let (mapped, record) = record_of(&mut mapper, event.to_string().as_bytes()).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(mapped, Mapped { class: Class::EntityManagement, known: Known::Listed });
    assert_eq!(record["entity"]["uid"], "2");
    assert_eq!(record["entity"]["type"], "Own, quoted");
}

#[test]
fn every_line_that_cannot_be_used_is_named() {
    let errors = overrides(concat!(
        "a.b,authentication,1,Logon,,,,\n",
        "a.b,no_such_class,1,Logon,,,,\n",
        "a.b,authentication,one,Logon,,,,\n",
        "a.b,authentication,1,Logon\n",
        "a.b,authentication,1,\"Log\"\"on\",,,,\n",
        "a.b,authentication,1,Logon,,,\"not closed,\n",
        "a.b,authentication,1,Logon,,,color=red,\n",
        "a.b,authentication,1,Logon,,,protocol=Carrier Pigeon,\n",
    ));
    let errors = errors.unwrap_err();
    let lines: Vec<usize> = errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, [3, 4, 5, 6, 7, 8, 9], "{errors:#?}");
    let problems = ["no_such_class", "one", "columns", "quotes", "not closed", "color=red", "Carrier Pigeon"];
    for (error, problem) in errors.iter().zip(problems) {
        assert!(error.to_string().contains(problem), "{error} does not say {problem}");
    }
    assert_eq!(EventTypes::with_overrides("a,b\n").unwrap_err()[0].line, 1);
    assert_eq!(EventTypes::with_overrides("").unwrap_err()[0].line, 1);
}

/// Rows that would make records invalid, if they were taken.
#[test]
fn a_users_own_row_cannot_make_an_invalid_record() {
    for row in [
        "a.b,authentication,1,Sign-In,,,,",
        "a.b,authentication,55,Sign-In,,,,",
        "a.b,authentication,0,Logon,,,,",
        "a.b,user_inventory,1,Log,,,,",
        "a.b,authentication,99,,,,,",
        "a.b,authentication,99,Other,,,,",
    ] {
        match overrides(row) {
            Err(errors) => assert_eq!(errors[0].line, 2, "{row}"),
            Ok(types) => {
                let mut mapper = Mapper::new(types, KEPT);
                let event = with("/eventType", json!("a.b")).to_string();
                let (_, record) = record_of(&mut mapper, event.as_bytes()).unwrap();
                assert_valid(&record, &row);
            }
        }
    }
}

#[test]
fn a_file_of_a_user_is_read_or_refused_with_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.csv");
    assert!(matches!(EventTypes::read(&file), Err(FileError::Unreadable(_))));
    std::fs::write(&file, format!("{HEADER}a.b,nothing,1,Create,,,,\n")).unwrap();
    assert!(EventTypes::read(&file).unwrap_err().to_string().starts_with("line 2: "));
    std::fs::write(&file, format!("{HEADER}a.b,base_event,99,Own,,,,\r\n")).unwrap();
    assert_eq!(EventTypes::read(&file).unwrap().find("a.b").1.activity, "Own");
}
