//! The races in which something that is there could be taken for gone; told as in `races.rs`.

use super::*;

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
fn race_9_a_canary_that_an_event_said_was_deleted_is_gone_and_another_takes_its_place() {
    let mut world = with_users(users(5), None);
    world.begun(s(500));
    for key in users(4) {
        world.listed(USER, &key, &object("a", s(-1000)), s(501), s(500));
    }
    world.ended("users", s(500), Outcome::Complete);
    assert_eq!(world.due(), [(USER, "00u0000".to_owned())], "the canary");
    world.event("user.lifecycle.delete.completed", &[("User", "00u0000")], s(502));
    world.asked(USER, "00u0000", "", s(510));
    assert!(world.is_gone(USER, "00u0000"), "an event said so, and Okta does not have it");
    assert_eq!(world.due(), [(USER, "00u0001".to_owned())], "another canary");
    world.asked(USER, "00u0001", &object("a", s(-1000)), s(511));
    world.asked(USER, "00u0004", "", s(512));
    assert!(world.is_gone(USER, "00u0004") && world.alerts().is_empty());
}

#[test]
fn race_9_one_canary_that_is_missing_without_a_word_does_not_stop_the_sweep_and_is_not_gone_by_it() {
    let mut world = with_users(users(5), None);
    swept(
        &mut world,
        5,
        |key| if matches!(key, "00u0000" | "00u0004") { String::new() } else { object("a", s(-1000)) },
    );
    assert_eq!(world.deleted(), [(USER, "00u0004".to_owned())]);
    assert!(world.body(USER, "00u0000").is_some() && world.alerts().is_empty());
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
