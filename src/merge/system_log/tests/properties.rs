use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::marks::{LogMark, Slice};
use super::super::*;
use super::{T0, World, at_end};
use crate::landing::Origin;

/// Something that lands.
#[derive(Debug, Clone)]
enum Lands {
    Event { uuid: u128, origin: Origin },
    Poll { after: i64, end: bool },
    Slice { since: i64, length: i64 },
    Cut,
}

/// Each uuid has one time; some share a minute.
fn published_of(uuid: u128) -> i64 {
    T0 + i64::try_from(uuid).unwrap() % 40 * 5 * MINUTE_MS - HOUR_MS + i64::try_from(uuid).unwrap()
}

fn lands() -> impl Strategy<Value = Lands> {
    let origin = prop::sample::select(vec![Origin::Sqs, Origin::Poll, Origin::Backfill, Origin::Archive]);
    prop_oneof![
        8 => (0..200u128, origin).prop_map(|(uuid, origin)| Lands::Event { uuid, origin }),
        2 => (0..20 * MINUTE_MS, any::<bool>()).prop_map(|(after, end)| Lands::Poll { after, end }),
        1 => (-HOUR_MS..2 * HOUR_MS, 0..HOUR_MS).prop_map(|(since, length)| Lands::Slice { since, length }),
        1 => Just(Lands::Cut),
    ]
}

/// What Okta's log says of the stream in a minute.
fn told() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![8 => Just(None), 1 => Just(Some("deactivate")), 1 => Just(Some("activate"))]
}

proptest! {
    /// Whatever lands in whatever order, wherever batches are cut: the ledger says what counting it all says.
    #[test]
    fn the_ledger_is_what_counting_everything_gives(all in prop::collection::vec(lands(), 0..120)) {
        let (mut cut, mut whole) = (World::new(), World::new());
        let mut came: BTreeMap<i64, BTreeMap<&str, BTreeSet<u128>>> = BTreeMap::new();
        let mut proven: Vec<(i64, i64)> = Vec::new();
        for one in &all {
            for world in [&mut cut, &mut whole] {
                match one {
                    Lands::Event { uuid, origin } => world.arrive(*origin, *uuid, published_of(*uuid)),
                    Lands::Poll { after, end } => {
                        world.clock += after;
                        let cursor = Cursor { end: *end, ..at_end(world.clock, T0) };
                        world.cursor(&cursor);
                    }
                    Lands::Slice { since, length } => {
                        let (since, until) = (T0 + since, T0 + since + length);
                        world.mark(&LogMark::Slice(Slice { since, until, events: 0 }));
                    }
                    Lands::Cut => {}
                }
            }
            match one {
                Lands::Event { uuid, origin } => {
                    let minute = came.entry(minute_of(published_of(*uuid))).or_default();
                    let way = match origin {
                        Origin::Sqs => "stream",
                        Origin::Poll => "poll",
                        _ => "history",
                    };
                    minute.entry(way).or_default().insert(*uuid);
                    minute.entry("all").or_default().insert(*uuid);
                }
                Lands::Poll { end: true, .. } => proven.push((T0, cut.clock - SETTLE_MS)),
                Lands::Slice { since, length } => proven.push((T0 + since, T0 + since + length)),
                Lands::Poll { .. } => {}
                Lands::Cut => cut.cut(),
            }
        }
        cut.cut();
        whole.cut();
        prop_assert_eq!(&cut.store, &whole.store);
        prop_assert_eq!(&cut.outputs, &whole.outputs);
        let count = |at: i64, way: &str| came.get(&at).and_then(|ways| ways.get(way)).map_or(0, |uuids| uuids.len() as u64);
        for minute in cut.ledger(T0 - 2 * HOUR_MS, T0 + 6 * HOUR_MS) {
            let counts = Counts {
                all: count(minute.at, "all"),
                stream: count(minute.at, "stream"),
                poll: count(minute.at, "poll"),
                history: count(minute.at, "history"),
            };
            prop_assert_eq!(minute.counts, counts, "{}", minute.at);
            // Second by second, as the pieces end anywhere: all of these moments are in some piece.
            let moments = (minute.at..minute.at + MINUTE_MS).step_by(500).chain([minute.at + MINUTE_MS - 1]);
            let mut moments = moments.chain(proven.iter().flat_map(|(from, until)| [*from - 1, *until])
                .filter(|edge| (minute.at..minute.at + MINUTE_MS).contains(edge)));
            let complete = moments.all(|moment| proven.iter().any(|(from, until)| (*from..*until).contains(&moment)));
            prop_assert_eq!(minute.complete, complete, "{}", minute.at);
        }
    }

    /// Whatever the stream brings or does not, and whatever Okta says of it: each alarm is told once and healed once, and
    /// the gaps hold just what the stream has not brought.
    #[test]
    fn every_event_that_the_stream_did_not_bring_is_in_one_healed_gap(
        minutes in prop::collection::vec((prop::collection::vec(any::<bool>(), 0..4), told()), 1..60),
    ) {
        let mut world = World::new();
        world.good_minutes_pass(2);
        let mut missing = 1;
        for (events, told) in &minutes {
            for brought in events {
                missing += u64::from(!brought);
                world.event(world.clock, if *brought { &[Origin::Poll, Origin::Sqs] } else { &[Origin::Poll] });
            }
            if let Some(what) = told {
                missing += 1;
                world.lifecycle(what, world.clock);
            }
            world.minutes_pass(1);
        }
        world.lifecycle("activate", world.clock);
        world.good_minutes_pass(25);
        let (mut open, mut recovered) = (None, 0);
        for output in world.take_outputs() {
            match output {
                Output::Alarm(alarm) => {
                    let worse = alarm.reason == Reason::Deactivated && open != Some(Reason::Deactivated);
                    prop_assert!(open.is_none() || worse, "an alarm is told once");
                    open = Some(alarm.reason);
                }
                Output::Healed(gap) => {
                    prop_assert!(open.is_some() && gap.from < gap.until, "{:?}", gap);
                    (open, recovered) = (None, recovered + gap.recovered);
                }
                Output::Lost { .. } => prop_assert!(false, "nothing is lost"),
            }
        }
        prop_assert!(open.is_none(), "it is healed");
        prop_assert_eq!(recovered, missing);
    }
}
