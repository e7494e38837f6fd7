//! What is known as of an event, and what is asked for because an event names it.

use std::ops::Deref as _;
use std::sync::Arc;

use super::*;
use crate::ocsf::{Confidence, Knowledge, Lookup, Sighted, UserCard};

const ANN: &str = "00u1annaaaaaaaaaaaaa";
const BOB: &str = "00u2bobbbbbbbbbbbbbb";
const STAFF: &str = "00g1staffaaaaaaaaaaa";
const MAIL: &str = "0oa1mailaaaaaaaaaaaa";
const LAPTOP: &str = "guo1laptopaaaaaaaaaa";

fn person(department: &str, updated: i64) -> String {
    let profile = format!(r#"{{"profile":{{"login":"ann@example.com","department":"{department}"}},"#);
    object("a", updated).replace('{', &profile)
}

impl World {
    fn user(&self, id: &str, published: i64) -> Lookup<UserCard> {
        let view = self.inventory.knowledge(&self.store, &self.org, published);
        let lookup = view.user(id);
        view.failed().unwrap();
        lookup
    }

    fn found(&self, id: &str, published: i64) -> Sighted<UserCard> {
        match self.user(id, published) {
            Lookup::Found(found) => found,
            other => panic!("{other:?}"),
        }
    }

    fn names(&mut self, origin: Origin, targets: &[(&str, &str)], published: i64) -> Vec<(&'static str, String)> {
        let outputs = self.event_by(origin, "user.session.start", targets, published);
        let asked = outputs.into_iter().filter_map(|output| match output {
            Output::Intent(intent) => Some((intent.slot.facet(), intent.slot.key)),
            _ => None,
        });
        asked.collect()
    }
}

#[test]
fn an_event_is_told_who_someone_was_then() {
    let mut world = World::new();
    world.asked(USER, ANN, &person("Sales", s(5)), s(10));
    world.asked(USER, ANN, &person("Legal", s(95)), s(100));
    let department = |published| {
        let found = world.found(ANN, published);
        (found.card.department.clone().unwrap(), found.as_of, found.confidence)
    };
    assert_eq!(department(s(50)), ("Sales".into(), s(10), Confidence::AsOf));
    assert_eq!(department(s(100)), ("Legal".into(), s(100), Confidence::AsOf));
    assert_eq!(department(s(500)), ("Legal".into(), s(100), Confidence::AsOf));
    assert_eq!(department(s(1)), ("Legal".into(), s(100), Confidence::CurrentState), "not seen so early");
}

#[test]
fn how_old_an_answer_is_goes_with_the_last_confirmation_before_the_event() {
    let mut world = World::new();
    world.asked(USER, ANN, &person("Sales", s(5)), s(10));
    world.asked(USER, ANN, &person("Sales", s(5)), s(1000));
    assert_eq!(world.found(ANN, s(1500)).as_of, s(1000));
    assert_eq!(world.found(ANN, s(500)).as_of, s(10), "it was seen then, and again after the event");
}

#[test]
fn a_card_is_of_one_time() {
    let mut world = World::new();
    world.asked(USER, ANN, &person("Sales", s(5)), s(10));
    world.asked(MEMBERS, STAFF, &format!(r#"["{ANN}"]"#), s(20));
    world.asked(FACTORS, ANN, r#"[{"factorType":"push","provider":"OKTA","status":"ACTIVE"}]"#, s(30));
    world.asked(
        "user.roles",
        ANN,
        r#"[{"type":"SUPER_ADMIN","label":"Super"},{"type":"X","status":"INACTIVE"}]"#,
        s(40),
    );
    let card = |published| world.found(ANN, published).card;
    assert_eq!((&card(s(15)).groups, &card(s(15)).factors), (&None, &None), "that was read later");
    assert_eq!(card(s(25)).groups.as_ref().unwrap()[0].deref(), STAFF);
    assert_eq!(card(s(35)).factors.as_ref().unwrap()[0].kind.as_deref(), Some("push"));
    let roles = card(s(45)).roles.clone().unwrap();
    assert_eq!((roles.len(), roles[0].kind.as_deref()), (1, Some("SUPER_ADMIN")));
    let now = card(s(1));
    assert!(now.groups.is_some() && now.factors.is_some() && now.roles.is_some(), "a card of now has all of now");
}

#[test]
fn whoever_has_no_list_of_roles_has_none_once_all_were_read() {
    let mut world = World::new();
    world.asked(USER, ANN, &person("Sales", s(5)), s(10));
    assert_eq!(world.found(ANN, s(20)).card.roles, None);
    world.begun(s(15));
    world.clock = s(30);
    world.ended("role_assignments", s(15), Outcome::Complete);
    assert_eq!(world.found(ANN, s(20)).card.roles, None);
    assert_eq!(world.found(ANN, s(31)).card.roles, Some(Box::default()));
}

#[test]
fn what_was_never_seen_is_missing_only_where_such_things_are_read() {
    let mut world = World::new();
    assert_eq!(world.user(ANN, s(1)), Lookup::Unread);
    world.begun(s(0));
    assert_eq!(world.user(ANN, s(1)), Lookup::Missing);
    world.snapshot_ended(s(0));
    assert_eq!(world.user(ANN, s(1)), Lookup::Unread);
    world.begun(s(10));
    world.ended("users", s(10), Outcome::Complete);
    world.snapshot_ended(s(10));
    assert_eq!(world.user(ANN, s(1)), Lookup::Missing);
    let view = world.inventory.knowledge(&world.store, &world.org, s(1));
    assert_eq!(view.app(MAIL), Lookup::Unread);
}

#[test]
fn whoever_is_gone_was_somebody_before() {
    let mut world = World::new();
    world.asked(USER, ANN, &person("Sales", s(5)), s(10));
    world.asked(USER, ANN, "", s(100));
    assert_eq!(world.user(ANN, s(100)), Lookup::Gone(s(100)));
    assert_eq!(world.found(ANN, s(50)).card.department.as_deref(), Some("Sales"));
    assert_eq!(world.user(ANN, s(5)), Lookup::Gone(s(100)));
}

#[test]
fn apps_devices_and_groups_are_known_too() {
    let mut world = World::new();
    let app = r#"{"name":"mail","label":"Mail","status":"ACTIVE","signOnMode":"SAML_2_0","profile":{"owner":"it"}}"#;
    world.asked("app.core", MAIL, app, s(10));
    let device = r#"{"status":"ACTIVE","profile":{"displayName":"Ann's","platform":"MACOS","osVersion":"15.1","serialNumber":"C02","registered":true,"secureHardwarePresent":true,"diskEncryptionType":"ALL_INTERNAL_VOLUMES","integrityJailbreak":false},"_embedded":{"users":[{"managementStatus":"NOT_MANAGED"},{"managementStatus":"MANAGED"}]}}"#;
    world.asked("device", LAPTOP, device, s(10));
    world.asked("group.core", STAFF, r#"{"profile":{"name":"Staff"}}"#, s(10));
    let view = world.inventory.knowledge(&world.store, &world.org, s(20));
    let (Lookup::Found(app), Lookup::Found(device)) = (view.app(MAIL), view.device(LAPTOP)) else { panic!() };
    assert_eq!((app.card.label.as_deref(), app.card.sign_on_mode.as_deref()), (Some("Mail"), Some("SAML_2_0")));
    assert_eq!(app.card.owner.as_deref(), Some("it"));
    assert_eq!(device.card.management_status.as_deref(), Some("MANAGED"));
    assert_eq!((device.card.jailbroken, device.card.secure_hardware), (Some(false), Some(true)));
    assert_eq!(view.group_name(STAFF), Some(Arc::from("Staff")));
    assert_eq!(view.group_name("00g2"), None);
}

/// Nothing is committed here: what the batch has changed is known.
#[test]
fn what_was_folded_a_moment_ago_is_known_before_it_is_committed() {
    let mut world = World::new();
    let seen = Seen::object(USER, ANN, "", s(10)).content();
    for (department, at) in [("Sales", 10), ("Legal", 20)] {
        let content = Seen::object(USER, ANN, "", s(at)).content();
        let record = world.record(Origin::Fetch, content, person(department, s(at - 1)).into_bytes());
        world.inventory.apply(&record, false, &world.store).unwrap();
        assert_eq!(world.found(ANN, s(30)).card.department.as_deref(), Some(department));
    }
    let record = world.record(Origin::Fetch, seen, Vec::new());
    world.inventory.apply(&LandingRecord { landed_at: s(40), ..record }, false, &world.store).unwrap();
    assert_eq!(world.found(ANN, s(30)).card.department.as_deref(), Some("Legal"), "an old answer buries nobody");
}

#[test]
fn race_16_whoever_an_event_names_and_nobody_has_seen_is_asked_for() {
    let mut world = World::new();
    let all = [("User", ANN), ("UserGroup", STAFF), ("AppInstance", MAIL), ("UDDevice", LAPTOP)];
    assert!(world.names(Origin::Sqs, &all, s(1)).is_empty(), "nothing is read yet");
    world.begun(s(0));
    let asked = world.names(Origin::Sqs, &all, s(1));
    let expected = [(USER, ANN), ("group.core", STAFF), ("app.core", MAIL), ("device", LAPTOP)];
    assert_eq!(asked, expected.map(|(facet, key)| (facet, key.to_owned())));
    assert!(world.names(Origin::Sqs, &all, s(2)).is_empty(), "once");
    world.asked(USER, ANN, &person("Sales", s(1)), s(10));
    world.asked("device", LAPTOP, "", s(10));
    assert!(world.names(Origin::Sqs, &all, s(20)).is_empty(), "known, gone, or waiting");
    for odd in ["", "unknown", "00u", "00U1annaaaaaaaaaaaaa", "00u1annaaaaaaaaaaaa/", MAIL] {
        assert!(world.names(Origin::Sqs, &[("User", odd)], s(21)).is_empty(), "{odd:?} is no user's id");
    }
}

#[test]
fn race_16_without_its_guard_nobody_asks_for_a_stranger() {
    guarded(Guard::Strangers, |without| {
        let mut world = World::without(without);
        world.begun(s(0));
        world.names(Origin::Sqs, &[("User", ANN)], s(1)) == [(USER, ANN.to_owned())]
    });
}

#[test]
fn who_appears_because_an_event_names_them_was_not_announced_by_it() {
    let mut world = with_users(users(3), None);
    world.names(Origin::Sqs, &[("User", ANN)], s(100));
    let outputs = world.asked(USER, ANN, &person("Sales", s(50)), s(103));
    assert!(matches!(&outputs[0], Output::Change(change) if change.cause == Cause::Fetch), "{outputs:?}");
    assert_eq!(world.drifts(), [(DriftKind::Appeared, ANN.to_owned())]);
}

#[test]
fn race_24_history_asks_only_for_whom_nobody_has_seen() {
    let mut world = World::new();
    world.begun(s(0));
    assert_eq!(world.names(Origin::Backfill, &[("User", ANN)], s(-1000)), [(USER, ANN.to_owned())]);
    world.asked(USER, ANN, "", s(10));
    assert!(world.names(Origin::Backfill, &[("User", ANN)], s(-1000)).is_empty(), "it is gone");
    assert!(world.is_gone(USER, ANN));
}

#[test]
fn strangers_are_asked_for_a_few_at_a_time() {
    let mut world = World::new();
    world.begun(s(0));
    let most = Settings::default().strangers;
    let mut asked = 0;
    for number in 0..most + 20 {
        asked += world.names(Origin::Sqs, &[("User", &format!("00u{number:017}"))], s(1)).len() as u64;
    }
    assert_eq!(asked, most);
    world.asked(USER, &format!("00u{:017}", 0), "", s(10));
    assert_eq!(world.names(Origin::Sqs, &[("User", &format!("00u{:017}", most + 5))], s(11)).len(), 1);
    assert_eq!(world.names(Origin::Sqs, &[("UserGroup", STAFF)], s(11)).len(), 1, "each collection by itself");
}

#[test]
fn orgs_know_nothing_of_each_other() {
    let mut world = World::new();
    world.asked(USER, ANN, &person("Sales", s(5)), s(10));
    assert!(matches!(world.user(ANN, s(20)), Lookup::Found(_)));
    world.org = OrgId::new("globex");
    assert_eq!(world.user(ANN, s(20)), Lookup::Unread);
    assert_eq!(world.user(BOB, s(20)), Lookup::Unread);
}
