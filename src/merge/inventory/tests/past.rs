//! What was known when: the past of slots, of memberships and of names, and what is shown of it.

use super::*;
use crate::merge::inventory::history::{KEPT_MS, MOST_KEPT, pasts, spell};
use crate::merge::inventory::memberships;

const ANN: &str = "00u1annaaaaaaaaaaaaa";
const BOB: &str = "00u2bobbbbbbbbbbbbbb";
const STAFF: &str = "00g1staffaaaaaaaaaaa";
const ADMINS: &str = "00g2adminsaaaaaaaaaa";

/// What a user said at a moment, whether it was seen to be so by then.
fn said(world: &World, facet: &str, key: &str, at: i64) -> Option<(Option<String>, bool)> {
    let spell = spell(&world.store, &slot(facet, key), at).unwrap()?;
    Some((spell.body.map(|body| String::from_utf8(body).unwrap()), spell.seen_by_then))
}

fn groups(world: &World, user: &str, at: i64) -> Option<(Vec<String>, bool)> {
    let groups = memberships::groups(&world.store, &org(), user, at).unwrap()?;
    Some((groups.ids, groups.seen_by_then))
}

fn login(login: &str, updated: i64) -> String {
    object("a", updated).replace('{', &format!(r#"{{"profile":{{"login":"{login}"}},"#))
}

fn seen(body: &str) -> Option<(Option<String>, bool)> {
    Some((Some(body.to_owned()), true))
}

#[test]
fn what_a_version_said_is_told_of_its_time_after_it_was_replaced_and_after_the_end() {
    let mut world = World::new();
    let (first, second) = (object("a", s(5)), object("b", s(15)));
    world.asked(USER, ANN, &first, s(10));
    world.asked(USER, ANN, &second, s(20));
    world.asked(USER, ANN, "", s(30));
    assert_eq!(said(&world, USER, ANN, s(12)), seen(&first));
    assert_eq!(said(&world, USER, ANN, s(20)), seen(&second));
    assert_eq!(said(&world, USER, ANN, s(29)), seen(&second));
    assert_eq!(said(&world, USER, ANN, s(30)), Some((None, true)), "gone");
    assert_eq!(said(&world, USER, ANN, s(9)), Some((None, false)), "nothing was known so early");
    assert_eq!(said(&world, USER, BOB, s(9)), None);
}

/// A list is read as of a minute before, but its object says itself that it was not so yet.
#[test]
fn nothing_is_said_to_have_been_so_before_it_was_made_so() {
    let mut world = World::new();
    world.asked(USER, ANN, &object("a", s(50)), s(100));
    world.listed(USER, ANN, &object("b", s(105)), s(110), s(0));
    assert_eq!(said(&world, USER, ANN, s(102)), seen(&object("a", s(50))));
    assert_eq!(said(&world, USER, ANN, s(105)), seen(&object("b", s(105))));
    assert!(!said(&world, USER, ANN, s(60)).unwrap().1);
}

#[test]
fn a_version_that_is_seen_again_is_told_from_when_it_was_seen_first() {
    let mut world = World::new();
    world.asked(USER, ANN, &object("a", s(5)), s(10));
    world.asked(USER, ANN, &object("a", s(5)), s(1000));
    assert_eq!(said(&world, USER, ANN, s(500)), seen(&object("a", s(5))));
    let head = head(&world.store, &slot(USER, ANN)).unwrap().unwrap();
    assert_eq!((head.since(), head.confirmed_as_of, head.past), (s(10), s(1000), 0));
}

#[test]
fn so_much_of_the_past_is_kept_and_so_long() {
    let mut world = World::new();
    let slot = slot(USER, ANN);
    for number in 0..=2 * MOST_KEPT as i64 {
        world.asked(USER, ANN, &object(&number.to_string(), s(number * 10)), s(number * 10 + 5));
    }
    let kept = pasts(&world.store, &slot).unwrap();
    assert_eq!(kept.len(), MOST_KEPT);
    assert_eq!(head(&world.store, &slot).unwrap().unwrap().past, MOST_KEPT as u32);
    assert_eq!(kept[0].head.since(), s(MOST_KEPT as i64 * 10 + 5), "the oldest are forgotten first");
    assert!(!said(&world, USER, ANN, s(20)).unwrap().1, "what is forgotten is not made up");

    // What ended 90 days ago is of no event that is worth an answer; what ended after that is.
    let last_change = s(2 * MOST_KEPT as i64 * 10 + 5);
    world.clock = last_change + KEPT_MS - 1;
    let unchanged = object(&(2 * MOST_KEPT).to_string(), s(2 * MOST_KEPT as i64 * 10));
    world.listed(USER, ANN, &unchanged, last_change + 100_000, s(0));
    assert!(pasts(&world.store, &slot).unwrap().is_empty(), "a confirmation forgets too");
    assert_eq!(head(&world.store, &slot).unwrap().unwrap().past, 0);
}

#[test]
fn of_what_is_large_only_that_it_was_otherwise_is_kept() {
    let mut world = World::new();
    let many: Vec<String> = (0..1000).map(|number| format!(r#""00u{number:017}""#)).collect();
    let (large, small) = (format!("[{}]", many.join(",")), r#"["00u00000000000000001"]"#);
    world.asked(MEMBERS, STAFF, small, s(10));
    world.asked(MEMBERS, STAFF, &large, s(20));
    world.asked(MEMBERS, STAFF, small, s(30));
    world.asked(MEMBERS, STAFF, "[]", s(40));
    assert_eq!(said(&world, MEMBERS, STAFF, s(15)), seen(small));
    assert_eq!(said(&world, MEMBERS, STAFF, s(35)), seen(small));
    assert_eq!(said(&world, MEMBERS, STAFF, s(25)), Some((Some("[]".into()), false)), "it is what is known now");
    assert_eq!(groups(&world, "00u00000000000000007", s(25)).unwrap().0, [STAFF], "but who was in it is known");
}

#[test]
fn how_the_current_version_came_out_is_kept_with_it() {
    let mut world = World::new();
    let cause = |world: &World| head(&world.store, &slot(USER, ANN)).unwrap().unwrap().standing.cause();
    world.listed(USER, ANN, &object("a", s(5)), s(10), s(10));
    assert_eq!(cause(&world), Cause::List);
    world.asked(USER, ANN, &object("a", s(5)), s(300));
    assert_eq!(cause(&world), Cause::List, "a confirmation is no version");
    let outputs = updated(&mut world, ANN, s(400));
    let [Output::Intent(intent)] = &outputs[..] else { panic!("{outputs:?}") };
    world.asked(USER, ANN, &object("b", s(399)), s(402));
    assert_eq!(cause(&world), intent.cause);
    world.observed(Origin::Audit, Seen::object(FACTORS, ANN, "[]", s(500)));
    let factors = head(&world.store, &slot(FACTORS, ANN)).unwrap().unwrap();
    assert_eq!(factors.standing.cause(), Cause::Audit);
    world.asked(USER, ANN, "", s(600));
    assert_eq!(cause(&world), Cause::Fetch);
}

#[test]
fn a_user_is_in_the_groups_whose_lists_say_so_as_of_any_time() {
    let mut world = World::new();
    world.asked(MEMBERS, STAFF, &format!(r#"["{ANN}","{BOB}"]"#), s(10));
    assert_eq!(groups(&world, ANN, s(5)), Some((vec![STAFF.into()], false)), "who was in it before is not known");
    world.begun(s(0));
    world.ended("group_members", s(0), Outcome::Complete);
    world.asked(MEMBERS, ADMINS, &format!(r#"["{ANN}"]"#), s(100));
    world.asked(MEMBERS, STAFF, &format!(r#"["{BOB}"]"#), s(200));
    assert_eq!(groups(&world, ANN, s(50)), Some((vec![STAFF.into()], true)));
    assert_eq!(groups(&world, ANN, s(150)), Some((vec![STAFF.into(), ADMINS.into()], true)));
    assert_eq!(groups(&world, ANN, s(200)), Some((vec![ADMINS.into()], true)));
    assert_eq!(groups_of(&world.store, &org(), BOB).unwrap(), Some(vec![STAFF.into()]));
    world.asked("group.core", ADMINS, &object("a", s(1)), s(250));
    world.asked("group.core", ADMINS, "", s(300));
    assert_eq!(groups(&world, ANN, s(300)), Some((vec![], true)), "a group that is gone has no members");
    assert_eq!(groups(&world, ANN, s(299)), Some((vec![ADMINS.into()], true)));
}

#[test]
fn whoever_is_in_no_list_is_in_no_group_once_all_lists_were_read() {
    let mut world = World::new();
    assert_eq!(groups_of(&world.store, &org(), ANN).unwrap(), None);
    world.begun(s(0));
    world.clock = s(60);
    world.ended("group_members", s(0), Outcome::Complete);
    assert_eq!(groups(&world, ANN, world.clock), Some((vec![], true)));
    assert_eq!(groups(&world, ANN, s(30)), Some((vec![], false)));
}

#[test]
fn only_who_joined_or_left_is_written() {
    let mut world = World::new();
    let list = |range: std::ops::Range<u32>| {
        let ids: Vec<String> = range.map(|number| format!(r#""00u{number:017}""#)).collect();
        format!("[{}]", ids.join(","))
    };
    world.asked(MEMBERS, STAFF, &list(0..5000), s(10));
    let seen = Seen::object(MEMBERS, STAFF, &list(1..5001), s(20)).content();
    let record = world.record(Origin::Fetch, seen, list(1..5001).into_bytes());
    world.inventory.apply(&record, false, &world.store).unwrap();
    let writes = world.inventory.finish().writes;
    let users: Vec<_> = writes.keys().filter(|key| key[0] == b'm').collect();
    assert_eq!(users.len(), 2, "{users:?}");
}

#[test]
fn what_is_read_by_the_user_wins() {
    let mut world = World::new();
    world.asked(MEMBERS, STAFF, &format!(r#"["{ANN}"]"#), s(10));
    world.asked("user.groups", ANN, &format!(r#"["{ADMINS}"]"#), s(20));
    assert_eq!(groups(&world, ANN, s(20)), Some((vec![ADMINS.into()], true)));
}

#[test]
fn a_login_finds_who_had_it_then() {
    let mut world = World::new();
    world.asked(USER, ANN, &login("Ann@example.com", s(5)), s(10));
    world.asked(USER, ANN, &login("ann.smith@example.com", s(95)), s(100));
    world.asked(USER, BOB, &login("ann@example.com", s(195)), s(200));
    let find = |name: &str, at| {
        let shown = show(&world.store, &org(), "user", name, at).unwrap();
        shown.things.into_iter().map(|thing| thing.id).collect::<Vec<_>>()
    };
    assert_eq!(find("ANN@example.com", Some(s(50))), [ANN]);
    assert_eq!(find("ann@example.com", Some(s(300))), [BOB]);
    assert_eq!(find("ann@example.com", None), [BOB]);
    assert_eq!(find("ann@example.com", Some(s(150))), [ANN, BOB], "nobody had it then, so all who ever did");
    assert_eq!(find("ann.smith@example.com", Some(s(150))), [ANN]);
    assert_eq!(find(BOB, Some(s(1))), [BOB]);
    assert!(find("nobody", None).is_empty());
}

#[test]
fn all_that_is_known_of_a_thing_is_shown_as_of_a_time() {
    let mut world = World::new();
    world.asked(USER, ANN, &login("ann@example.com", s(5)), s(10));
    world.asked(FACTORS, ANN, "[]", s(50));
    world.asked(MEMBERS, STAFF, &format!(r#"["{ANN}"]"#), s(60));
    world.asked("group.core", STAFF, r#"{"profile":{"name":"Staff"}}"#, s(60));
    world.asked(USER, ANN, "", s(100));
    let at = |at| {
        let mut shown = show(&world.store, &org(), "users", ANN, at).unwrap();
        assert_eq!((shown.kind, shown.things.len()), (Some("user"), 1));
        shown.things.remove(0)
    };
    let of = |thing: &ShownThing, facet| {
        thing.facets.iter().find(|shown| shown.slot.facet() == facet).map(|shown| shown.then.clone()).unwrap()
    };
    let then = at(Some(s(40)));
    let Then::Known { body, since, until, staleness_ms, .. } = of(&then, USER) else { panic!("{then:?}") };
    assert_eq!((body, since, until), (login("ann@example.com", s(5)).into_bytes(), s(10), Some(s(100))));
    assert_eq!(staleness_ms, Some(30_000));
    assert_eq!(of(&then, FACTORS), Then::NotYet { first: s(50) });
    assert!(!then.groups.unwrap().seen_by_then);
    let now = at(None);
    assert!(matches!(of(&now, USER), Then::Gone { cause: Cause::Fetch, until: None, .. }));
    let core = now.facets.iter().find(|shown| shown.slot.facet() == USER).unwrap();
    assert_eq!(
        core.kept.iter().map(|kept| (kept.since, kept.gone)).collect::<Vec<_>>(),
        [(s(10), false), (s(100), true)]
    );
    let groups = at(Some(s(70))).groups.unwrap();
    assert_eq!((groups.groups, groups.seen_by_then), (vec![(STAFF.into(), Some("Staff".into()))], true));
    assert_eq!(show(&world.store, &org(), "no such type", ANN, None).unwrap().kind, None);
    assert!(show(&world.store, &OrgId::new("globex"), "user", ANN, None).unwrap().things.is_empty());
}

#[test]
fn what_is_within_a_thing_is_shown_with_it() {
    let mut world = World::new();
    world.asked("policy", "00p1", &object("a", s(1)), s(2));
    world.asked("policy.rules", "00p1/0pr1", &object("r", s(1)), s(2));
    world.asked("policy.rules", "00p10/0pr2", &object("r", s(1)), s(2));
    let shown = show(&world.store, &org(), "policy", "00p1", None).unwrap();
    let keys: Vec<_> = shown.things[0].facets.iter().map(|facet| facet.slot.key.clone()).collect();
    assert_eq!(keys, ["00p1", "00p1/0pr1"]);
}
