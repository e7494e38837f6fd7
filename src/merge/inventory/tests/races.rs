//! The ways in which what is read by and by can be put together wrongly. Each test tells one of them, and names the guard
//! that stands against it: without that guard the same story ends badly.

use super::super::guards::Guard;
use super::*;
use crate::merge::{Fold, MemoryStore, StateStore, Verdict};
use crate::ocsf::inventory as ocsf;

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
fn race_3_a_fetch_that_fails_stays_open_unless_there_is_no_such_thing() {
    let mut world = World::new();
    updated(&mut world, "00u1", s(10));
    let fail = |world: &mut World, again| {
        world.sent(USER, "00u1", s(11));
        let errand = Errand { facet: USER.into(), key: Some("00u1".into()) };
        world.fetch_mark(&FetchMark::Failed(Failed { errand, again }))
    };
    let outputs = fail(&mut world, true);
    assert!(matches!(&outputs[..], [Output::Intent(intent)] if intent.not_before == world.clock + 600_000));
    assert_eq!(world.due(), [(USER, "00u1".to_owned())]);
    fail(&mut world, false);
    assert!(world.due().is_empty());
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
fn race_4_what_was_read_beside_the_end_of_what_it_is_in_goes_with_it_in_any_order() {
    for part_first in [true, false] {
        let mut world = with_users(users(1), None);
        let factors = |world: &mut World| world.asked(FACTORS, "00u0000", r#"[{"id":"a"}]"#, s(103));
        if part_first {
            factors(&mut world);
        }
        world.asked(USER, "00u0000", "", s(102));
        if !part_first {
            factors(&mut world);
        }
        assert!(world.is_gone(USER, "00u0000"));
        assert_eq!(world.body(FACTORS, "00u0000"), None, "part first: {part_first}");
    }
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
fn race_13_a_change_whose_event_was_lost_is_found_and_reported() {
    guarded(Guard::Drift, |without| {
        let mut world = with_users(users(2), without);
        world.begun(s(500));
        world.listed(USER, "00u0000", &object("b", s(400)), s(501), s(500));
        updated(&mut world, "00u0001", s(400));
        world.listed(USER, "00u0001", &object("b", s(400)), s(501), s(500));
        world.listed(USER, "00u0009", &object("b", s(400)), s(501), s(500));
        assert_eq!(world.changes(), 3, "found it is in any case");
        // What an event announced is no drift.
        world.drifts() == [(DriftKind::Changed, "00u0000".to_owned()), (DriftKind::Appeared, "00u0009".to_owned())]
    });
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
            let fresh = fold.apply(offset, &record, &store).unwrap().verdict == Verdict::Fresh;
            intents += world.take(&record, fresh).len();
            world.asked(USER, "00u1", &object("a", s(1)), s(2));
        }
        intents == 1
    });
}

/// 24 the other way round: history was read before its event came live.
#[test]
fn race_24_an_event_that_history_told_first_hints_when_it_comes_live() {
    let mut world = with_users(users(1), None);
    let (mut store, mut fold) = (MemoryStore::default(), Fold::new(&MemoryStore::default(), 90));
    let live = world.event_record(Origin::Sqs, "user.account.update_profile", &[("User", "00u0000")], s(1));
    let polled = LandingRecord { origin: Origin::Poll, ..live.clone() };
    let history = LandingRecord { origin: Origin::Backfill, ..live.clone() };
    let known = world.event_record(Origin::Sqs, "user.account.update_profile", &[("User", "00u0000")], s(0));
    let mut asked = Vec::new();
    for (offset, record) in (0..).zip([&known, &history, &live, &polled, &history]) {
        let verdict = fold.apply(offset, record, &store).unwrap().verdict;
        store.commit(&fold.finish(&store, Vec::new())).unwrap();
        let due = due(&store, &Settings::default(), &world.org, i64::MAX / 2, None, usize::MAX).unwrap();
        asked.push((verdict, due.len()));
        let slot = slot(USER, "00u0000");
        let sent =
            FetchMark::Sent(Sent { as_of: s(2), errands: vec![Errand { facet: USER.into(), key: Some(slot.key) }] });
        let answer = Seen::object(USER, "00u0000", &object("a", s(-1000)), s(2)).content();
        let (name, value) = sent.write().unwrap();
        let sent = world.record(Origin::Fetch, landing::Content::Mark { name: name.into() }, value);
        let answer = world.record(Origin::Fetch, answer, object("a", s(-1000)).into_bytes());
        for record in [sent, answer] {
            fold.apply(offset, &record, &store).unwrap();
        }
        store.commit(&fold.finish(&store, Vec::new())).unwrap();
    }
    let [fresh, duplicate] = [Verdict::Fresh, Verdict::Duplicate];
    assert_eq!(asked, [(fresh, 1), (fresh, 0), (duplicate, 1), (duplicate, 0), (duplicate, 0)]);
}

/// The guard is the stamp on every record, without which this fails; none of the fold's stands here: what is kept is what
/// Okta said, and every record made of it says by which mapping. So a change of the mapping in the middle of a snapshot
/// mixes nothing that could not be told apart and made again.
#[test]
fn race_25_what_is_kept_knows_no_mapping_and_every_record_names_its_own() {
    let mut world = World::new();
    let body = format!(r#"{{ "id":"00u1",  "profile":{{"login":"ann"}}, {}"#, &object("a", s(1))[1..]);
    let outputs = world.asked(USER, "00u1", &body, s(2));
    let [Output::Change(change)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(change.after, body.as_bytes(), "byte by byte, whatever a mapping makes of it");
    assert_eq!(world.body(USER, "00u1"), Some(body));

    let at = ocsf::Observed { org: &world.org, at: s(2), activity: ocsf::Activity::Collect, basis: None };
    let facts = ocsf::UserFacts { user: &change.after, ..Default::default() };
    let options = crate::ocsf::Options { raw_data: false, unmapped: false };
    let mut record = Vec::new();
    ocsf::InventoryMapper::new(options).user(&at, &facts, &mut record).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let stamp = &record["metadata"]["transformation_info_list"][0]["uid"];
    assert_eq!(stamp, crate::ocsf::MAPPING_VERSION);
    // The fold itself has no version of the mapping in what it keeps.
    let kept = world.store.range(&[0], &[0xFF; 64], usize::MAX).unwrap();
    assert!(kept.iter().all(|(_, value)| !String::from_utf8_lossy(value).contains("transformation_info")));
}

/// Of what an event is about; who is only named by it is asked for by [`Guard::Strangers`], of which `knowing` tells.
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
fn race_17_no_list_of_changes_shows_an_end_so_it_is_fetched_even_in_a_burst() {
    let mut world = World::with(Settings { burst: 0, ..Settings::default() }, None);
    updated(&mut world, "00u1", s(10));
    world.event("user.lifecycle.delete.completed", &[("User", "00u2")], s(10));
    assert_eq!(world.due(), [(USER, "00u2".to_owned()), (USER, String::new())]);
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
    let due = due(&world.store, &settings, &world.org, i64::MAX / 2, None, 9).unwrap();
    assert_eq!(due[0].ask, Ask::Changes { since: Some(s(5) - 60_000) });
    send(&mut world, s(80));
    updated(&mut world, "00u3", s(81));
    assert_eq!(read(&mut world, s(80)).len(), 1, "what was announced while it was read is asked for again");
    send(&mut world, s(120));
    read(&mut world, s(110));
    assert_eq!(world.due().len(), 1, "an older answer ends nothing");
    read(&mut world, s(120));
    assert_eq!(world.due().len(), 1, "the index may have lagged behind the last change");
    send(&mut world, s(190));
    read(&mut world, s(190));
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
    assert_eq!(world.due(), [(USER, "00u1".to_owned())], "the factors are known, and whose they are is asked");
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

#[test]
fn race_22_what_is_fetched_is_named_by_its_id() {
    let (id, login) = ("00u1annaaaaaaaaaaaaa", "ann@example.com");
    guarded(Guard::Ids, |without| {
        let mut world = World::without(without);
        world.begun(s(0));
        updated(&mut world, id, s(10));
        world.event("user.session.start", &[("User", login)], s(11));
        world.due() == [(USER, id.to_owned())]
    });
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
        world.event_by(Origin::Backfill, "user.lifecycle.create", &[("User", "00u0000")], s(-1000));
        let known = world.due();
        world.event_by(Origin::Backfill, "user.lifecycle.create", &[("User", "00unew")], s(-1000));
        known.is_empty() && world.is_gone(USER, "00u0000") && world.due() == [(USER, "00unew".to_owned())]
    });
}
