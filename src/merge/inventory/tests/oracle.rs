//! What is known as of any time, held against an oracle that keeps everything and looks through all of it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::landing::LandingRecord;
use crate::merge::inventory::history::{KEPT_MS, MOST_KEPT, spell};
use crate::merge::inventory::memberships;
use crate::ocsf::{Knowledge, Lookup, UserCard};

const USERS: u8 = 4;
const GROUPS: u8 = 3;

fn user(number: u8) -> String {
    format!("00u{number:017}")
}

fn group(number: u8) -> String {
    format!("00g{number:017}")
}

/// Something that is read, so many seconds after what was read before.
#[derive(Debug, Clone)]
enum Reading {
    User { user: u8, department: Option<u8>, listed: bool },
    Factors { user: u8, factor: u8 },
    Members { group: u8, members: BTreeSet<u8> },
    Group { group: u8, there: bool },
    AllMembers,
    AllUsers,
}

fn reading() -> impl Strategy<Value = Reading> {
    let listed = any::<bool>();
    let department = prop::option::weighted(0.9, 0..3u8);
    prop_oneof![
        4 => (0..USERS, department, listed).prop_map(|(user, department, listed)| Reading::User { user, department, listed }),
        2 => (0..USERS, 0..3u8).prop_map(|(user, factor)| Reading::Factors { user, factor }),
        4 => (0..GROUPS, prop::collection::btree_set(0..USERS, 0..4))
            .prop_map(|(group, members)| Reading::Members { group, members }),
        1 => (0..GROUPS, any::<bool>()).prop_map(|(group, there)| Reading::Group { group, there }),
        1 => Just(Reading::AllMembers),
        1 => Just(Reading::AllUsers),
    ]
}

/// Steps between readings, s: some close to each other, some further than a list lags, some so far that the past is
/// forgotten.
fn pause() -> impl Strategy<Value = i64> {
    prop_oneof![3 => 1..30i64, 3 => 100..1000i64, 1 => 1_000_000..4_000_000i64]
}

fn records(readings: &[(i64, Reading)]) -> Vec<LandingRecord> {
    let mut world = World::new();
    let mut now = s(1000);
    let mut records = Vec::new();
    for (pause, reading) in readings {
        now += pause * 1000;
        world.clock = now;
        let mut observe = |facet: &str, key: &str, value: &str, listed: bool| {
            let origin = if listed { Origin::Snapshot } else { Origin::Fetch };
            let content = Seen::object(facet, key, value, now).content();
            records.push(world.record(origin, content, value.as_bytes().to_vec()));
        };
        match reading {
            Reading::User { user: number, department, listed } => {
                let profile = |name| format!(r#"{{"profile":{{"department":"{name}"}},"#);
                let body = department.map(|name| object("a", now - 5_000).replace('{', &profile(name)));
                if body.is_some() || !listed {
                    observe(USER, &user(*number), &body.unwrap_or_default(), *listed);
                }
            }
            Reading::Factors { user: number, factor } => {
                observe(FACTORS, &user(*number), &format!(r#"[{{"factorType":"{factor}"}}]"#), false);
            }
            Reading::Members { group: number, members } => {
                let members: Vec<String> = members.iter().map(|number| format!(r#""{}""#, user(*number))).collect();
                observe(MEMBERS, &group(*number), &format!("[{}]", members.join(",")), true);
            }
            Reading::Group { group: number, there } => {
                let body = if *there { object("g", now - 5_000) } else { String::new() };
                observe("group.core", &group(*number), &body, false);
            }
            Reading::AllMembers | Reading::AllUsers => {
                let collection = if matches!(reading, Reading::AllUsers) { "users" } else { "group_members" };
                let (requests, collections, rosters) = (Vec::new(), Vec::new(), Vec::new());
                let begun = Begun { epoch: now, requests, whole: true, engine: String::new(), collections, rosters };
                let (collection, outcome) = (collection.to_owned(), Outcome::Complete);
                let ended = CollectionEnded { epoch: now, collection, outcome, objects: 0, calls: 0 };
                for mark in [Mark::Begun(begun), Mark::CollectionEnded(ended)] {
                    let (mark, value) = mark.write().unwrap();
                    records.push(world.record(Origin::Snapshot, landing::Content::Mark { name: mark.into() }, value));
                }
            }
        }
    }
    records
}

/// What came out of each slot, and from when on it was so. A body that is none is an end.
type Said = BTreeMap<(&'static str, String), Vec<(i64, Option<Vec<u8>>)>>;

fn note(said: &mut Said, output: &Output) {
    let (slot, as_of, lu, body) = match output {
        Output::Change(change) => (&change.slot, change.as_of.0, change.lu, Some(change.after.clone())),
        Output::Deleted(deleted) => (&deleted.slot, deleted.as_of.0, None, None),
        _ => return,
    };
    let said = said.entry((slot.facet(), slot.key.clone())).or_default();
    let seen = lu.map_or(as_of, |lu| as_of.max(lu));
    let since = said.last().map_or(seen, |(before, _)| seen.max(before + 1));
    said.push((since, body));
}

fn at(said: &[(i64, Option<Vec<u8>>)], time: i64) -> Option<usize> {
    said.iter().rposition(|(since, _)| *since <= time)
}

/// Times that tell answers apart: around everything that was said, and far away from all of it.
fn times(said: &Said, clock: i64) -> BTreeSet<i64> {
    let edges = said.values().flatten().flat_map(|(since, _)| [since - 1, *since, since + 1]);
    edges.chain([0, clock]).collect()
}

fn folded(records: &[LandingRecord], cuts: &[bool], mut after: impl FnMut(&World)) -> (World, Said) {
    let (mut world, mut said) = (World::new(), Said::new());
    for (at, record) in records.iter().enumerate() {
        world.clock = record.landed_at;
        let outputs = world.inventory.apply(record, true, &world.store).unwrap();
        outputs.iter().for_each(|output| note(&mut said, output));
        if let landing::Content::Observation(seen) = &record.content
            && record.value.is_empty()
        {
            // The end of what was never known is no output, and is known all the same.
            let facet = by_facet(&seen.facet).unwrap().facet;
            said.entry((facet, seen.key.clone())).or_insert_with(|| vec![(seen.as_of.0, None)]);
        }
        after(&world);
        if cuts.get(at).copied().unwrap_or(true) {
            let writes = world.inventory.finish().writes;
            world.store.commit(writes);
        }
    }
    let writes = world.inventory.finish().writes;
    world.store.commit(writes);
    (world, said)
}

fn who(view: &impl Knowledge, number: u8) -> Lookup<UserCard> {
    view.user(&user(number))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Of every time: what was so then, or that it is not kept. Of a time within what is kept always what was so.
    #[test]
    fn what_a_slot_was_is_told_as_by_one_who_keeps_everything(
        readings in prop::collection::vec((pause(), reading()), 0..60),
    ) {
        let (world, said) = folded(&records(&readings), &[], |_| ());
        for ((facet, key), said) in &said {
            for time in times(&Said::from([((*facet, key.clone()), said.clone())]), world.clock) {
                let known = spell(&world.store, &slot(facet, key), time).unwrap().unwrap();
                let then = at(said, time);
                let in_window = time > world.clock - KEPT_MS;
                let among_the_last = then.is_some_and(|then| said.len() - then <= MOST_KEPT + 1);
                if known.seen_by_then {
                    prop_assert_eq!(Some(&known.body), then.map(|then| &said[then].1));
                    prop_assert_eq!(Some(known.from), then.map(|then| said[then].0));
                    prop_assert!(known.until == i64::MAX || Some(known.until) == then.and_then(|then| said.get(then + 1)).map(|next| next.0));
                } else {
                    prop_assert!(!(in_window && among_the_last), "{facet} {key} at {time}: {said:?}");
                    prop_assert_eq!(Some(&known.body), said.last().map(|last| &last.1));
                }
            }
        }
    }

    /// The groups of a user are those whose list held them then. What is not known is said, and after all lists were
    /// read once, everything is known.
    #[test]
    fn the_groups_of_a_user_are_told_as_by_one_who_looks_through_all_lists(
        readings in prop::collection::vec((pause(), reading()), 0..60),
    ) {
        let mut known_since = None;
        let (world, said) = folded(&records(&readings), &[], |world| {
            let nobody = memberships::groups(&world.store, &world.org, "00unobody", world.clock).unwrap();
            known_since = known_since.or(nobody.map(|_| world.clock));
        });
        for number in 0..USERS {
            let id = user(number);
            let in_list = |body: &Option<Vec<u8>>| {
                body.as_ref().is_some_and(|body| String::from_utf8_lossy(body).contains(&id))
            };
            let truth = |time: i64| -> Vec<String> {
                let lists = said.iter().filter(|((facet, _), _)| *facet == MEMBERS);
                let holds = lists.filter(|(_, said)| at(said, time).is_some_and(|then| in_list(&said[then].1)));
                holds.map(|((_, key), _)| key.clone()).collect()
            };
            for time in times(&said, world.clock) {
                let Some(groups) = memberships::groups(&world.store, &world.org, &id, time).unwrap() else {
                    prop_assert!(truth(i64::MAX).is_empty() && known_since.is_none());
                    continue;
                };
                let told = if groups.seen_by_then { truth(time) } else { truth(i64::MAX) };
                prop_assert_eq!(&groups.ids, &told, "{} at {}: {:?}", id, time, groups);
                let is_known = known_since.is_some_and(|since| time >= since) && time > world.clock - KEPT_MS;
                prop_assert!(groups.seen_by_then || !is_known, "{} at {}", id, time);
            }
        }
    }

    /// What is remembered never changes an answer, nor does where batches are cut.
    #[test]
    fn answers_are_the_same_from_memory_and_from_the_state_wherever_batches_are_cut(
        readings in prop::collection::vec((pause(), reading()), 0..40),
        cuts in prop::collection::vec(any::<bool>(), 80),
        back in prop::collection::vec(0..2_000i64, 80),
    ) {
        let records = records(&readings);
        let mut answers = Vec::new();
        let mut turn = back.iter().cycle();
        folded(&records, &cuts, |world| {
            let published = world.clock - turn.next().unwrap() * 1000;
            for number in 0..USERS {
                let remembered = who(&world.inventory.knowledge(&world.store, &world.org, published), number);
                world.inventory.forget_cards();
                let anew = who(&world.inventory.knowledge(&world.store, &world.org, published), number);
                assert_eq!(remembered, anew);
                // Remember something for the records to come, of another time too.
                who(&world.inventory.knowledge(&world.store, &world.org, published - 100_000), number);
                answers.push(remembered);
            }
        });
        let mut whole = Vec::new();
        let mut turn = back.iter().cycle();
        folded(&records, &[false; 200], |world| {
            let published = world.clock - turn.next().unwrap() * 1000;
            for number in 0..USERS {
                whole.push(who(&world.inventory.knowledge(&world.store, &world.org, published), number));
            }
        });
        prop_assert_eq!(answers, whole);
    }

    /// The answer for an event is made of what was so when it happened: each part by itself.
    #[test]
    fn a_card_says_what_each_of_its_parts_was(
        readings in prop::collection::vec((pause(), reading()), 0..60),
    ) {
        let (world, said) = folded(&records(&readings), &[], |_| ());
        for number in 0..USERS {
            let Some(core) = said.get(&(USER, user(number))) else { continue };
            for time in times(&said, world.clock).into_iter().filter(|time| *time > world.clock - KEPT_MS) {
                let then = at(core, time).filter(|then| core.len() - then <= MOST_KEPT + 1);
                let expected = then.map_or(core.last(), |then| core.get(then)).and_then(|(_, body)| body.clone());
                let view = world.inventory.knowledge(&world.store, &world.org, time);
                match (who(&view, number), expected) {
                    (Lookup::Found(found), Some(body)) => {
                        let department = found.card.department.clone().unwrap();
                        let body = String::from_utf8(body).unwrap();
                        let said_so = body.contains(&format!(r#""department":"{department}""#));
                        prop_assert!(said_so, "{} {}", body, department);
                        let factors = said.get(&(FACTORS, user(number)));
                        let time = if then.is_some() { time } else { i64::MAX };
                        let list = factors.and_then(|said| at(said, time).map(|then| said[then].1.clone())).flatten();
                        let is_told = |list: Vec<u8>| found.card.factors.as_ref().is_some_and(|factors| {
                            let kind = factors[0].kind.as_deref().unwrap();
                            String::from_utf8(list).unwrap().contains(&format!(r#""{kind}""#))
                        });
                        prop_assert!(list.map_or(found.card.factors.is_none(), is_told));
                    }
                    (Lookup::Gone(_), None) => {}
                    (told, expected) => prop_assert!(false, "{told:?} {expected:?}"),
                }
            }
        }
    }
}
