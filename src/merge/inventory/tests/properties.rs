//! What holds of any records, and of the same observations in any order.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;
use crate::landing::LandingRecord;

/// Something that happens to one of a few slots, at a moment.
#[derive(Debug, Clone)]
enum Happening {
    Listed {
        key: u8,
        says: u8,
        age: u8,
    },
    Fetched {
        key: u8,
        says: Option<u8>,
    },
    Sent {
        key: u8,
    },
    Hint {
        key: u8,
        history: bool,
    },
    /// An event names someone, and says nothing of them.
    Named {
        key: u8,
        history: bool,
    },
    Page {
        part: u8,
        last: bool,
        says: u8,
    },
    Begun,
    Complete,
}

fn happening() -> impl Strategy<Value = Happening> {
    let key = 0..6u8;
    prop_oneof![
        4 => (key.clone(), 0..3u8, 0..90u8).prop_map(|(key, says, age)| Happening::Listed { key, says, age }),
        3 => (key.clone(), prop::option::weighted(0.7, 0..3u8)).prop_map(|(key, says)| Happening::Fetched { key, says }),
        3 => key.clone().prop_map(|key| Happening::Sent { key }),
        3 => (key.clone(), any::<bool>()).prop_map(|(key, history)| Happening::Hint { key, history }),
        2 => (key, any::<bool>()).prop_map(|(key, history)| Happening::Named { key, history }),
        2 => (0..3u8, any::<bool>(), 0..3u8).prop_map(|(part, last, says)| Happening::Page { part, last, says }),
        1 => Just(Happening::Begun),
        1 => Just(Happening::Complete),
    ]
}

/// The records of what happens, one every ten seconds.
fn records(happenings: &[Happening]) -> Vec<LandingRecord> {
    let mut world = World::new();
    let mut epoch = s(0);
    let mut records = Vec::new();
    for (number, happening) in happenings.iter().enumerate() {
        let now = s(10 * (number as i64 + 1));
        world.clock = now;
        let name = |key: u8| format!("00u{key:017}");
        let says = |says: u8| object(&says.to_string(), now - i64::from(says) * 20_000);
        let observe = |world: &mut World, origin, seen: Seen<'_>| {
            world.record(origin, seen.content(), seen.value.as_bytes().to_vec())
        };
        records.push(match happening {
            Happening::Listed { key, says: text, age } => {
                let (name, value) = (name(*key), says(*text));
                let seen = Seen::object(USER, &name, &value, now - i64::from(*age) * 1000);
                observe(&mut world, Origin::Snapshot, Seen { epoch: Some(epoch), ..seen })
            }
            Happening::Fetched { key, says: text } => {
                let (name, value) = (name(*key), text.map(says).unwrap_or_default());
                observe(&mut world, Origin::Fetch, Seen::object(USER, &name, &value, now))
            }
            Happening::Sent { key } => {
                let errands = vec![Errand { facet: USER.into(), key: Some(name(*key)) }];
                let (mark, value) = FetchMark::Sent(Sent { as_of: now, errands }).write().unwrap();
                world.record(Origin::Fetch, landing::Content::Mark { name: mark.into() }, value)
            }
            Happening::Hint { key, history } => {
                let origin = if *history { Origin::Command } else { Origin::Sqs };
                world.event_record(origin, "user.account.update_profile", &[("User", &name(*key))], now)
            }
            Happening::Named { key, history } => {
                let origin = if *history { Origin::Backfill } else { Origin::Poll };
                world.event_record(origin, "user.session.start", &[("User", &name(*key))], now - 5_000)
            }
            Happening::Page { part, last, says } => {
                let value = format!(r#"["{}"]"#, name(*says));
                let seen = Seen::object("group.members", "00g1", &value, now);
                let seen = Seen { part: u32::from(*part), last: *last, epoch: Some(epoch), ..seen };
                observe(&mut world, Origin::Snapshot, seen)
            }
            Happening::Begun => {
                epoch = now;
                let (requests, collections, rosters) = (Vec::new(), Vec::new(), Vec::new());
                let begun = Begun { epoch, requests, whole: true, engine: String::new(), collections, rosters };
                let (mark, value) = Mark::Begun(begun).write().unwrap();
                world.record(Origin::Snapshot, landing::Content::Mark { name: mark.into() }, value)
            }
            Happening::Complete => {
                let (collection, outcome) = ("users".to_owned(), Outcome::Complete);
                let ended = CollectionEnded { epoch, collection, outcome, objects: 0, calls: 0 };
                let (mark, value) = Mark::CollectionEnded(ended).write().unwrap();
                world.record(Origin::Snapshot, landing::Content::Mark { name: mark.into() }, value)
            }
        });
    }
    records
}

/// What came of the records, in batches that end where `cuts` says.
fn folded(records: &[LandingRecord], cuts: &[bool]) -> (Vec<Output>, MemoryInventory) {
    let settings = Settings { burst: 2, ..Settings::default() };
    let (mut inventory, mut store, mut outputs) = (Inventory::new(settings), MemoryInventory::default(), Vec::new());
    for (at, record) in records.iter().enumerate() {
        outputs.extend(inventory.apply(record, true, &store).unwrap());
        if cuts.get(at).copied().unwrap_or(false) {
            store.commit(inventory.finish().writes);
        }
    }
    store.commit(inventory.finish().writes);
    (outputs, store)
}

/// A user who changes and may go, a list that is a part of them, and what is seen of both.
struct Life {
    /// When they changed, and from when on they are what the place says; the first of each is before anything is seen.
    user: Vec<i64>,
    factors: Vec<i64>,
    gone: Option<i64>,
}

/// Something that is seen of a [`Life`], or told.
#[derive(Debug, Clone)]
enum Glimpse {
    /// A list shows the user as they were a while ago.
    Listed { at: i64, lag: i64 },
    /// The user is read by id, at some moment of the reading.
    User { at: i64, took: i64, then: i64 },
    /// So is the list.
    Factors { at: i64, took: i64, then: i64 },
    /// An event told it.
    Event { at: i64, event_type: &'static str },
}

fn glimpse() -> impl Strategy<Value = Glimpse> {
    let reading = || (0..150_000i64, 0..20_000i64, 0..20_000i64);
    prop_oneof![
        (0..150_000i64, 0..60_000i64).prop_map(|(at, lag)| Glimpse::Listed { at: s(0) + at, lag }),
        reading().prop_map(|(at, took, then)| Glimpse::User { at: s(0) + at, took, then: then.min(took) }),
        reading().prop_map(|(at, took, then)| Glimpse::Factors { at: s(0) + at, took, then: then.min(took) }),
    ]
}

impl Life {
    fn user(&self, at: i64) -> Option<String> {
        truth(&self.user, self.gone, at).map(|version| object(&version.to_string(), self.user[version]))
    }

    fn factors(&self, at: i64) -> Option<String> {
        truth(&self.factors, self.gone, at).map(|version| format!(r#"[{{"id":"{version}"}}]"#))
    }

    /// What was announced: every change.
    fn events(&self) -> Vec<Glimpse> {
        let told = |times: &[i64], event_type| {
            times.iter().skip(1).map(move |at| Glimpse::Event { at: *at, event_type }).collect::<Vec<_>>()
        };
        let changes = told(&self.user, "user.account.update_profile");
        let factors = told(&self.factors, "user.mfa.factor.activate");
        let gone = self.gone.map(|at| Glimpse::Event { at, event_type: "user.lifecycle.delete.completed" });
        changes.into_iter().chain(factors).chain(gone).collect()
    }

    fn show(&self, world: &mut World, glimpse: &Glimpse) {
        let id = "00u1";
        match *glimpse {
            Glimpse::Listed { at, lag } => {
                // A list does not show what is gone; it does not say so either.
                if let Some(user) = self.user(at - lag) {
                    world.observed(Origin::Snapshot, Seen::object(USER, id, &user, at));
                }
            }
            Glimpse::User { at, took, then } => {
                let user = self.user(at + then).unwrap_or_default();
                world.observed(Origin::Fetch, Seen { as_of: (at, at + took), ..Seen::object(USER, id, &user, at) });
            }
            Glimpse::Factors { at, took, then } => {
                let factors = self.factors(at + then).unwrap_or_default();
                world.observed(
                    Origin::Audit,
                    Seen { as_of: (at, at + took), ..Seen::object(FACTORS, id, &factors, at) },
                );
            }
            Glimpse::Event { at, event_type } => drop(world.event(event_type, &[("User", id)], at)),
        }
    }

    /// What is known when it was seen in this order, and what was asked for was answered.
    fn known(&self, glimpses: impl Iterator<Item = Glimpse>) -> Result<[Option<String>; 2], TestCaseError> {
        let mut world = World::new();
        world.clock = s(200);
        glimpses.for_each(|glimpse| self.show(&mut world, &glimpse));
        for round in 0..5 {
            for (facet, key) in world.due() {
                let now = s(300 + round);
                let answer = match facet {
                    USER => self.user(now),
                    FACTORS => self.factors(now),
                    other => return Err(TestCaseError::fail(format!("{other} was asked for"))),
                };
                world.asked(facet, &key, &answer.unwrap_or_default(), now);
            }
        }
        prop_assert_eq!(world.due(), []);
        Ok([world.body(USER, "00u1"), world.body(FACTORS, "00u1")])
    }
}

/// One reading of an object that changes, as `history` says, and then perhaps goes.
#[derive(Debug, Clone)]
struct Look {
    at: i64,
    /// Of a list: by how much it lagged.
    lag: Option<i64>,
}

/// What an object is at a moment: which of its versions, if it is not gone.
fn truth(history: &[i64], gone: Option<i64>, at: i64) -> Option<usize> {
    if gone.is_some_and(|gone| gone <= at) {
        return None;
    }
    history.iter().rposition(|changed| *changed <= at)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn wherever_batches_are_cut_outputs_and_state_are_the_same(
        happenings in prop::collection::vec(happening(), 0..60),
        cuts in prop::collection::vec(any::<bool>(), 60),
    ) {
        let records = records(&happenings);
        let whole = folded(&records, &[]);
        prop_assert_eq!(&folded(&records, &cuts), &whole);
        prop_assert_eq!(&folded(&records, &[true; 60]), &whole);
    }

    /// The readings are of one object: lists that lag by no more than is allowed for, and reads by id that take no time
    /// and of which the last is later than every change. No two are of the same millisecond. What a list does to something
    /// that is gone (a fetch) is not answered.
    #[test]
    fn the_same_readings_in_any_order_and_number_end_in_the_truth(
        changes in prop::collection::vec(0..100_000i64, 1..6),
        gone in prop::option::of(100_001..150_000i64),
        looks in prop::collection::vec((0..100_000i64, prop::option::of(0..60_000i64)), 0..12),
        order in Just((0..40usize).collect::<Vec<_>>()).prop_shuffle(),
        doubled in 0..5usize,
    ) {
        let mut history: Vec<i64> = changes.iter().map(|change| s(0) + change).collect();
        history.sort_unstable();
        history.insert(0, s(-1));
        let gone = gone.map(|gone| s(0) + gone);
        // Even milliseconds are fetches, odd ones lists.
        let mut looks: Vec<Look> = looks
            .into_iter()
            .map(|(at, lag)| Look { at: s(0) + at * 2 + i64::from(lag.is_some()), lag })
            .collect();
        looks.sort_by_key(|look| look.at);
        looks.dedup_by_key(|look| look.at);
        looks.push(Look { at: s(300), lag: None });
        let again = looks.clone();
        looks.extend(again.into_iter().take(doubled));
        let mut shuffled: Vec<(usize, Look)> = order.iter().copied().zip(looks).collect();
        shuffled.sort_by_key(|(place, _)| *place);

        let mut world = World::new();
        for (_, Look { at, lag }) in shuffled {
            let shown = truth(&history, gone, at - lag.unwrap_or(0));
            let value = shown.map(|version| object(&version.to_string(), history[version])).unwrap_or_default();
            let origin = if lag.is_some() { Origin::Snapshot } else { Origin::Fetch };
            // A list does not show what is gone; it does not say so either.
            if lag.is_none() || shown.is_some() {
                world.observed(origin, Seen { as_of: (at, at), ..Seen::object(USER, "00u1", &value, at) });
            }
        }
        let expected = truth(&history, gone, s(300)).map(|version| object(&version.to_string(), history[version]));
        prop_assert_eq!(world.body(USER, "00u1"), expected);
    }

    /// Whatever was seen and told, with or without a version, overlapping, lagging and to the end: in any order and number
    /// it comes to the same, which is the truth, once what the fold itself asks for is answered.
    #[test]
    fn any_observations_and_events_come_to_the_same_in_any_order_and_number(
        user in prop::collection::vec(0..100_000i64, 0..5),
        factors in prop::collection::vec(0..100_000i64, 0..5),
        gone in prop::option::of(100_001..150_000i64),
        seen in prop::collection::vec(glimpse(), 0..12),
        order in Just((0..50usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let times = |mut times: Vec<i64>| {
            times.iter_mut().for_each(|time| *time += s(0));
            times.push(s(-1));
            times.sort_unstable();
            times.dedup();
            times
        };
        let life = Life { user: times(user), factors: times(factors), gone: gone.map(|gone| s(0) + gone) };
        // Both were seen at least once.
        let at = s(0);
        let first = [Glimpse::User { at, took: 0, then: 0 }, Glimpse::Factors { at, took: 0, then: 0 }];
        let all: Vec<Glimpse> = first.into_iter().chain(seen).chain(life.events()).collect();
        let truth = [life.user(s(400)), life.factors(s(400))];
        prop_assert_eq!(&life.known(all.iter().cloned())?, &truth);
        // Each comes twice or more.
        prop_assert_eq!(&life.known(order.iter().map(|place| all[place % all.len()].clone()))?, &truth);
    }

    /// Whatever was seen of something that is there and has a version: old and new, overlapping, of one second or of one
    /// time, in lists or by itself, even what no Okta would show.
    #[test]
    fn any_sightings_of_what_has_a_version_end_in_the_same_one_in_any_order_and_number(
        seen in prop::collection::vec((0..4u8, 0..3i64, 0..200_000i64, 0..5_000i64, any::<bool>()), 1..12),
        order in Just((0..24usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let folded = |order: &[usize]| {
            let mut world = World::new();
            for place in order {
                let (says, lu, at, took, fetched) = seen[*place % seen.len()];
                let value = object(&says.to_string(), s(lu));
                let as_of = (s(0) + at, s(0) + at + took);
                let origin = if fetched { Origin::Fetch } else { Origin::Snapshot };
                world.observed(origin, Seen { as_of, ..Seen::object(USER, "00u1", &value, 0) });
            }
            let head = head(&world.store, &slot(USER, "00u1")).unwrap().unwrap();
            (world.body(USER, "00u1"), head.version().map(|version| (version.lu, version.as_of.0, version.hash)))
        };
        let in_order: Vec<usize> = (0..seen.len()).collect();
        // Each comes two times or more.
        prop_assert_eq!(folded(&order), folded(&in_order));
    }

    /// Of what has no version: however the others overlap, one that was read wholly after them is what stays.
    #[test]
    fn a_reading_after_all_others_is_what_stays_in_any_order_and_number(
        seen in prop::collection::vec((0..4u8, 0..100_000i64, 0..50_000i64, any::<bool>()), 0..12),
        last in any::<bool>(),
        order in Just((0..26usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut seen = seen;
        // Lists are taken to be older than they are, by less than this.
        seen.push((9, 300_000, 1_000, last));
        let mut world = World::new();
        for place in order {
            let (says, at, took, fetched) = seen[place % seen.len()];
            let value = format!(r#"[{{"id":"{says}"}}]"#);
            let as_of = (s(0) + at, s(0) + at + took);
            let origin = if fetched { Origin::Fetch } else { Origin::Audit };
            world.observed(origin, Seen { as_of, ..Seen::object(FACTORS, "00u1", &value, 0) });
        }
        prop_assert_eq!(world.body(FACTORS, "00u1"), Some(r#"[{"id":"9"}]"#.to_owned()));
    }

    /// Of what has no version, readings that do not overlap, the lag of lists included, end in the last one.
    #[test]
    fn readings_apart_from_each_other_end_in_the_last_in_any_order(
        says in prop::collection::vec(0..3u8, 1..8),
        order in Just((0..8usize).collect::<Vec<_>>()).prop_shuffle(),
        fetched in prop::collection::vec(any::<bool>(), 8),
    ) {
        let mut world = World::new();
        for place in order.into_iter().filter(|place| *place < says.len()) {
            let value = format!(r#"[{{"id":"{}"}}]"#, says[place]);
            let origin = if fetched[place] { Origin::Fetch } else { Origin::Audit };
            for _ in 0..2 {
                world.observed(origin, Seen::object(FACTORS, "00u1", &value, s(100 * place as i64)));
            }
        }
        let last = says.last().map(|says| format!(r#"[{{"id":"{says}"}}]"#));
        prop_assert_eq!(world.body(FACTORS, "00u1"), last);
    }
}
