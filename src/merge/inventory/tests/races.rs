//! The ways in which what is read by and by can be put together wrongly. Each test tells one of them, and names the guard
//! that stands against it: without that guard the same story ends badly.

use super::super::guards::Guard;
use super::*;
use crate::merge::{Fold, MemoryStore, Verdict};

const USER: &str = "user.core";
const FACTORS: &str = "user.factors";
const MEMBERS: &str = "group.members";

/// The story ends well with all guards, and badly without this one.
fn guarded(guard: Guard, story: impl Fn(Option<Guard>) -> bool) {
    assert!(story(None), "with all guards");
    assert!(!story(Some(guard)), "without {guard:?}");
}

/// A world in which a complete snapshot at second 0 has shown these users.
fn with_users(users: impl IntoIterator<Item = String>, without: Option<Guard>) -> World {
    let mut world = World::without(without);
    world.begun(s(0));
    for key in users {
        world.listed(USER, &key, &object("a", s(-1000)), s(0), s(0));
    }
    world.ended("users", s(0), Outcome::Complete);
    world.snapshot_ended(s(0));
    world.outputs.clear();
    world
}

fn users(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("00u{number:04}"))
}

fn updated(world: &mut World, key: &str, published: i64) -> Vec<Output> {
    world.event("user.account.update_profile", &[("User", key)], published)
}

#[test]
fn race_1_a_page_that_was_read_before_a_fetch_and_lands_after_it_changes_nothing() {
    guarded(Guard::Order, |without| {
        let mut world = World::without(without);
        updated(&mut world, "00u1", s(11));
        world.asked(USER, "00u1", &object("new", s(11)), s(12));
        world.listed(USER, "00u1", &object("old", s(5)), s(10), s(0));
        world.body(USER, "00u1") == Some(object("new", s(11))) && world.changes() == 1
    });
}

#[test]
fn race_2_of_two_changes_in_one_second_the_later_one_stays() {
    guarded(Guard::TieBreak, |without| {
        let mut world = World::without(without);
        world.asked(USER, "00u1", &object("first", s(10)), s(10));
        updated(&mut world, "00u1", s(10) + 800);
        world.asked(USER, "00u1", &object("second", s(10) + 800), s(11));
        world.body(USER, "00u1") == Some(object("second", s(10)))
    });
}

#[test]
fn race_2_a_replica_that_lags_by_one_of_two_changes_in_one_second_is_no_news() {
    guarded(Guard::ListLag, |without| {
        let mut world = World::without(without);
        world.asked(USER, "00u1", &object("second", s(10)), s(11));
        world.listed(USER, "00u1", &object("first", s(10)), s(12), s(0));
        world.body(USER, "00u1") == Some(object("second", s(10)))
    });
}

#[test]
fn race_3_an_event_while_a_fetch_is_out_asks_once_more() {
    guarded(Guard::AskAgain, |without| {
        let mut world = World::without(without);
        updated(&mut world, "00u1", s(10));
        world.sent(USER, "00u1", s(11));
        updated(&mut world, "00u1", s(11) + 50);
        updated(&mut world, "00u1", s(11) + 60);
        world.fetched(USER, "00u1", &object("first", s(10)), s(11));
        if world.due() != [(USER, "00u1".to_owned())] {
            return false;
        }
        world.asked(USER, "00u1", &object("second", s(11)), s(14));
        world.body(USER, "00u1") == Some(object("second", s(11))) && world.due().is_empty()
    });
}

#[test]
fn race_4_a_lagging_page_does_not_bring_back_what_is_gone() {
    guarded(Guard::Tombstones, |without| {
        let mut world = with_users(users(1), without);
        world.event("user.lifecycle.delete.completed", &[("User", "00u0000")], s(100));
        world.asked(USER, "00u0000", "", s(102));
        world.listed(USER, "00u0000", &object("a", s(-1000)), s(110), s(90));
        world.is_gone(USER, "00u0000") && world.changes() == 0 && world.due().is_empty()
    });
}

#[test]
fn race_4_only_a_read_by_id_brings_something_back() {
    let mut world = with_users(users(1), None);
    world.asked(USER, "00u0000", "", s(102));
    world.listed(USER, "00u0000", &object("b", s(150)), s(200), s(190));
    assert!(world.is_gone(USER, "00u0000"), "no list does");
    assert_eq!(world.due(), [(USER, "00u0000".to_owned())], "but one that is surely newer asks");
    world.asked(USER, "00u0000", &object("b", s(150)), s(202));
    assert_eq!(world.body(USER, "00u0000"), Some(object("b", s(150))));
    world.fetched(USER, "00u0000", "", s(101));
    assert!(!world.is_gone(USER, "00u0000"), "what was not there before is there now");
}

#[test]
fn race_5_what_is_created_behind_the_cursor_is_not_missing() {
    guarded(Guard::ConfirmedSince, |without| {
        let mut world = with_users(users(3), without);
        world.begun(s(500));
        for key in users(3) {
            world.listed(USER, &key, &object("a", s(-1000)), s(501), s(500));
        }
        world.event("user.lifecycle.create", &[("User", "00uaaaa")], s(502));
        world.asked(USER, "00uaaaa", &object("a", s(502)), s(503));
        world.ended("users", s(500), Outcome::Complete);
        world.due().is_empty() && world.body(USER, "00uaaaa").is_some()
    });
}

/// A snapshot shows all users but the last one, and every fetch that is asked for is answered like this.
fn swept(world: &mut World, count: usize, answer: impl Fn(&str) -> String) {
    world.begun(s(500));
    for key in users(count - 1) {
        world.listed(USER, &key, &object("a", s(-1000)), s(501), s(500));
    }
    world.ended("users", s(500), Outcome::Complete);
    let mut at = 510;
    while let Some((facet, key)) = world.due().first().cloned() {
        world.asked(facet, &key, &answer(&key), s(at));
        at += 1;
    }
}

#[test]
fn race_6_what_a_snapshot_misses_is_asked_for_and_not_taken_for_gone() {
    guarded(Guard::AskBeforeBurying, |without| {
        let mut world = with_users(users(5), without);
        swept(&mut world, 5, |_| object("a", s(-1000)));
        world.deleted().is_empty() && world.body(USER, "00u0004").is_some()
    });
}

#[test]
fn race_6_what_is_gone_in_truth_is_swept_and_its_parts_with_it() {
    let mut world = with_users(users(5), None);
    world.asked(FACTORS, "00u0004", "[]", s(100));
    swept(&mut world, 5, |key| if key == "00u0004" { String::new() } else { object("a", s(-1000)) });
    assert_eq!(world.deleted(), [(USER, "00u0004".to_owned()), (FACTORS, "00u0004".to_owned())]);
    assert_eq!(world.drifts().last(), Some(&(DriftKind::Vanished, "00u0004".to_owned())));
    world.observed(Origin::Audit, Seen::object(FACTORS, "00u0004", "[]", s(5000)));
    assert!(world.is_gone(FACTORS, "00u0004"), "nothing is within something that is gone");
}

#[test]
fn race_7_a_list_that_leaves_out_who_is_deprovisioned_deletes_nobody() {
    guarded(Guard::AskBeforeBurying, |without| {
        let mut world = with_users(users(5), without);
        updated(&mut world, "00u0004", s(100));
        world.asked(USER, "00u0004", &object("deprovisioned", s(100)), s(102));
        swept(&mut world, 5, |_| object("deprovisioned", s(100)));
        world.deleted().is_empty()
    });
}

#[test]
fn race_8_a_permission_that_narrows_stops_the_sweep() {
    guarded(Guard::Brake, |without| {
        let mut world = with_users(users(200), without);
        world.begun(s(500));
        for key in users(100) {
            world.listed(USER, &key, &object("a", s(-1000)), s(501), s(500));
        }
        world.ended("users", s(500), Outcome::Complete);
        let braked = |alert: &&Alert| matches!(alert, Alert::Braked { candidates: 100, live: 200, .. });
        world.due().is_empty() && world.alerts().iter().any(braked)
    });
}

#[test]
fn race_8_a_braked_snapshot_is_read_again_once() {
    let mut world = with_users(users(200), None);
    for (epoch, asked) in [(s(500), 1), (s(600), 1)] {
        world.begun(epoch);
        world.listed(USER, "00u0000", &object("a", s(-1000)), epoch, epoch);
        world.ended("users", epoch, Outcome::Complete);
        let whole = |output: &&Output| matches!(output, Output::Intent(i) if i.ask == Ask::Changes { since: None });
        assert_eq!(world.outputs.iter().filter(whole).count(), asked);
    }
    assert_eq!(world.alerts().len(), 2);
}

#[test]
fn race_9_answers_that_find_nothing_at_all_delete_nothing() {
    guarded(Guard::Canary, |without| {
        let mut world = with_users(users(5), without);
        swept(&mut world, 5, |_| String::new());
        world.deleted().is_empty() && matches!(world.alerts()[..], [Alert::NoCanary { .. }])
    });
}

#[test]
fn race_9_a_snapshot_that_shows_nothing_is_not_swept() {
    let mut world = with_users(users(5), None);
    world.begun(s(500));
    world.ended("users", s(500), Outcome::Complete);
    assert!(world.due().is_empty() && matches!(world.alerts()[..], [Alert::NoCanary { .. }]));
}

#[test]
fn race_10_a_reading_that_was_not_complete_says_nothing_of_what_it_did_not_show() {
    let outcomes = [
        Outcome::Partial { why: "timeout".into() },
        Outcome::Failed { why: "timeout".into() },
        Outcome::Forbidden { missing: "okta.users.read".into() },
        Outcome::FeatureOff,
    ];
    for outcome in outcomes {
        guarded(Guard::CompleteOnly, |without| {
            let mut world = with_users(users(5), without);
            world.begun(s(500));
            world.listed(USER, "00u0000", &object("a", s(-1000)), s(501), s(500));
            world.ended("users", s(500), outcome.clone());
            world.due().is_empty()
        });
    }
}

#[test]
fn race_11_a_list_that_begins_anew_is_never_half_a_list() {
    guarded(Guard::WholeLists, |without| {
        let mut world = World::without(without);
        world.asked(MEMBERS, "00g1", r#"["a","b","c"]"#, s(0));
        let page = |value, part, last, at| Seen {
            epoch: Some(s(500)),
            part,
            last,
            ..Seen::object(MEMBERS, "00g1", value, at)
        };
        let halves = [page(r#"["a"]"#, 0, false, s(500)), page(r#"["b"]"#, 1, false, s(501))];
        let anew = [page(r#"["a"]"#, 0, false, s(900)), page(r#"["b","c"]"#, 1, true, s(901))];
        for seen in halves.into_iter().chain(anew) {
            world.observed(Origin::Snapshot, seen);
        }
        world.body(MEMBERS, "00g1") == Some(r#"["a","b","c"]"#.into()) && world.changes() == 1
    });
}

#[test]
fn race_11_pages_that_are_read_twice_make_the_same_list_and_a_missing_one_makes_none() {
    let page = |value, part, last| Seen { part, last, ..Seen::object(MEMBERS, "00g1", value, s(100)) };
    let mut world = World::new();
    let pages = [page(r#"["a"]"#, 0, false), page(r#"["b"]"#, 1, false), page(r#"["b","c"]"#, 1, false)];
    for seen in pages.into_iter().chain([page(r#"["c"]"#, 2, true), page("[]", 2, true)]) {
        world.observed(Origin::Snapshot, seen);
    }
    assert_eq!(world.body(MEMBERS, "00g1"), Some(r#"["a","b","c"]"#.into()));
    for seen in [page(r#"["z"]"#, 0, false), page(r#"["z"]"#, 2, true), page(r#"["z"]"#, 1, true)] {
        world.observed(Origin::Snapshot, Seen { as_of: (s(900), s(900)), ..seen });
    }
    assert_eq!(world.body(MEMBERS, "00g1"), Some(r#"["a","b","c"]"#.into()));
    assert_eq!(world.counts.iter().map(|counts| counts.incomplete).sum::<u64>(), 3);
}

#[test]
fn race_12_a_snapshot_that_is_over_sweeps_nothing() {
    guarded(Guard::Fence, |without| {
        let mut world = with_users(users(5), without);
        world.begun(s(500));
        world.listed(USER, "00u0000", &object("a", s(-1000)), s(501), s(500));
        world.begun(s(600));
        world.ended("users", s(500), Outcome::Complete);
        world.due().is_empty()
    });
}

/// No guard stands here: what no event tells, the next list tells.
#[test]
fn race_13_a_change_whose_event_was_lost_is_found_and_reported() {
    let mut world = with_users(users(2), None);
    world.begun(s(500));
    world.listed(USER, "00u0000", &object("b", s(400)), s(501), s(500));
    updated(&mut world, "00u0001", s(400));
    world.listed(USER, "00u0001", &object("b", s(400)), s(501), s(500));
    world.listed(USER, "00u0009", &object("b", s(400)), s(501), s(500));
    assert_eq!(world.changes(), 3);
    let expected = [(DriftKind::Changed, "00u0000".to_owned()), (DriftKind::Appeared, "00u0009".to_owned())];
    assert_eq!(world.drifts(), expected, "and what an event announced is no drift");
}

#[test]
fn race_14_a_late_event_costs_a_fetch_and_says_nothing() {
    guarded(Guard::EqualContent, |without| {
        let mut world = with_users(users(1), without);
        updated(&mut world, "00u0000", s(-1000));
        world.asked(USER, "00u0000", &object("a", s(-1000)), s(3600));
        world.changes() == 0 && world.due().is_empty()
    });
}

/// 15: Okta delivered an event twice. 26: an archive was replayed. The uuid is the same in both.
#[test]
fn races_15_and_26_an_event_that_comes_twice_hints_once() {
    guarded(Guard::FreshOnly, |without| {
        let mut world = World::without(without);
        let (store, mut fold) = (MemoryStore::default(), Fold::new(&MemoryStore::default(), 90));
        let record = world.event_record(Origin::Sqs, "user.lifecycle.create", &[("User", "00u1")], s(1));
        let mut intents = 0;
        for offset in 0..2 {
            let fresh = fold.apply(offset, &record, &store).unwrap() == Verdict::Fresh;
            intents += world.take(&record, fresh).len();
            world.asked(USER, "00u1", &object("a", s(1)), s(2));
        }
        intents == 1
    });
}

/// No guard stands here: what is not known is asked for.
#[test]
fn race_16_an_event_of_something_unknown_asks_for_it() {
    let mut world = World::new();
    let outputs = updated(&mut world, "00u1", s(10));
    let [Output::Intent(intent)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!((intent.ask, intent.not_before), (Ask::Object, world.clock + 2000));
    let outputs = world.asked(USER, "00u1", &object("a", s(5)), s(12));
    let [Output::Change(change)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!((change.cause, change.before.clone(), change.lu), (intent.cause, None, Some(s(5))));
    assert!(world.drifts().is_empty());
}

#[test]
fn race_17_a_burst_is_listed_and_not_fetched_one_by_one() {
    guarded(Guard::Burst, |without| {
        let mut world = World::without(without);
        for (number, key) in users(1000).enumerate() {
            updated(&mut world, &key, s(10) + number as i64);
            updated(&mut world, &key, s(10) + number as i64);
        }
        let due = world.due();
        let listed = due.iter().filter(|(_, key)| key.is_empty()).count();
        due.len() == 201 && listed == 1
    });
}

#[test]
fn race_17_a_list_of_changes_ends_with_its_mark_unless_more_changed_meanwhile() {
    let settings = Settings { burst: 0, ..Settings::default() };
    let mut world = World::with(settings, None);
    let errand = || Errand { facet: USER.into(), key: None };
    let send = |world: &mut World, as_of| {
        world.fetch_mark(&FetchMark::Sent(Sent { as_of, errands: vec![errand()] }));
    };
    let read =
        |world: &mut World, as_of| world.fetch_mark(&FetchMark::ChangesRead(ChangesRead { facet: USER.into(), as_of }));
    updated(&mut world, "00u1", s(10));
    updated(&mut world, "00u2", s(5));
    let due = due(&world.store, &settings, &world.org, i64::MAX / 2, 9).unwrap();
    assert_eq!(due[0].ask, Ask::Changes { since: Some(s(5) - 60_000) });
    send(&mut world, s(80));
    updated(&mut world, "00u3", s(81));
    assert_eq!(read(&mut world, s(80)).len(), 1, "what was announced while it was read is asked for again");
    send(&mut world, s(160));
    read(&mut world, s(150));
    assert_eq!(world.due().len(), 1, "an older answer ends nothing");
    read(&mut world, s(160));
    assert!(world.due().is_empty());
}

#[test]
fn race_18_a_group_that_says_that_its_members_changed_has_them_read() {
    guarded(Guard::MembershipClock, |without| {
        let mut world = World::without(without);
        let group = |at: i64| {
            let at = Timestamp::from_millisecond(at).unwrap();
            format!(r#"{{"lastUpdated":"2020-01-01T00:00:00Z","lastMembershipUpdated":"{at}"}}"#)
        };
        world.listed("group.core", "00g1", &group(s(-100)), s(0), s(0));
        world.asked(MEMBERS, "00g1", r#"["a"]"#, s(1));
        world.listed("group.core", "00g1", &group(s(-100)), s(300), s(300));
        assert!(world.due().is_empty());
        let changes = world.changes();
        world.listed("group.core", "00g1", &group(s(400)), s(500), s(500));
        world.changes() == changes && world.due() == [(MEMBERS, "00g1".to_owned())]
    });
}

#[test]
fn race_19_an_older_reading_of_what_has_no_version_changes_nothing() {
    guarded(Guard::Disjoint, |without| {
        let mut world = World::without(without);
        world.observed(Origin::Audit, Seen::object(FACTORS, "00u1", r#"[{"id":"a"}]"#, s(0)));
        world.event("user.mfa.factor.reset_all", &[("User", "00u1")], s(102));
        world.asked(FACTORS, "00u1", "[]", s(104));
        world.observed(Origin::Audit, Seen::object(FACTORS, "00u1", r#"[{"id":"a"}]"#, s(103)));
        world.body(FACTORS, "00u1") == Some("[]".into())
    });
}

#[test]
fn race_19_two_readings_that_overlapped_are_decided_by_a_third() {
    let mut world = World::new();
    world.event("user.mfa.factor.reset_all", &[("User", "00u1")], s(99));
    world.sent(FACTORS, "00u1", s(100));
    world.observed(Origin::Audit, Seen::object(FACTORS, "00u1", r#"[{"id":"a"}]"#, s(100)));
    let out = world.observed(Origin::Fetch, Seen { as_of: (s(100), s(101)), ..Seen::object(FACTORS, "00u1", "[]", 0) });
    assert!(matches!(&out[..], [Output::Intent(_)]), "{out:?}");
    world.asked(FACTORS, "00u1", "[]", s(104));
    assert_eq!(world.body(FACTORS, "00u1"), Some("[]".into()));
    assert!(world.due().is_empty());
}

#[test]
fn race_20_the_clock_of_this_machine_does_not_order_what_was_read() {
    guarded(Guard::OktaClock, |without| {
        let mut world = World::without(without);
        world.clock = s(4000);
        world.asked(FACTORS, "00u1", r#"[{"id":"a"}]"#, s(100));
        world.clock = s(200);
        world.asked(FACTORS, "00u1", "[]", s(200));
        world.body(FACTORS, "00u1") == Some("[]".into())
    });
}

#[test]
fn race_21_an_app_that_is_deleted_while_its_users_are_read_is_found_out() {
    guarded(Guard::MissingList, |without| {
        let mut world = World::without(without);
        world.asked("app.core", "0oa1", &object("a", s(0)), s(1));
        world.asked("app.users", "0oa1", r#"[{"id":"00u1"}]"#, s(2));
        let page = Seen {
            epoch: Some(s(500)),
            last: false,
            ..Seen::object("app.users", "0oa1", r#"[{"id":"00u1"}]"#, s(500))
        };
        world.observed(Origin::Snapshot, page);
        world.listed("app.users", "0oa1", "", s(501), s(500));
        if !world.deleted().is_empty() || world.due() != [("app.core", "0oa1".to_owned())] {
            return false;
        }
        world.asked("app.core", "0oa1", "", s(502));
        world.deleted() == [("app.core", "0oa1".to_owned()), ("app.users", "0oa1".to_owned())]
    });
}

/// No guard stands here: names are not looked at.
#[test]
fn race_22_what_is_fetched_is_named_by_its_id() {
    let mut world = World::new();
    updated(&mut world, "00u1", s(10));
    assert_eq!(world.due(), [(USER, "00u1".to_owned())]);
}

#[test]
fn race_23_orgs_with_the_same_ids_stay_apart() {
    guarded(Guard::OrgInKey, |without| {
        let mut world = World::without(without);
        world.asked(USER, "00u1", &object("acme", s(1)), s(2));
        world.org = OrgId::new("globex");
        let outputs = world.asked(USER, "00u1", &object("globex", s(1)), s(3));
        world.asked(USER, "00u1", "", s(4));
        world.org = org();
        matches!(&outputs[..], [Output::Change(change)] if change.before.is_none())
            && world.body(USER, "00u1") == Some(object("acme", s(1)))
    });
}

#[test]
fn race_24_history_hints_at_nothing_that_is_known() {
    guarded(Guard::History, |without| {
        let mut world = with_users(users(1), without);
        world.event("user.lifecycle.delete.completed", &[("User", "00u0000")], s(100));
        world.asked(USER, "00u0000", "", s(102));
        world.event_by(Origin::Command, "user.lifecycle.create", &[("User", "00u0000")], s(-1000));
        let known = world.due();
        world.event_by(Origin::Command, "user.lifecycle.create", &[("User", "00unew")], s(-1000));
        known.is_empty() && world.is_gone(USER, "00u0000") && world.due() == [(USER, "00unew".to_owned())]
    });
}
