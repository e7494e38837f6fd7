mod properties;

use std::collections::BTreeMap;

use uuid::Uuid;

use super::marks::{LogMark, Reread, Slice, StreamSeen};
use super::*;
use crate::landing::{Content, LandingRecord, Origin};
use crate::merge::Ways;
use crate::merge::inventory::{InventoryStore, MemoryInventory};
use crate::okta::OrgId;

/// A minute that begins an hour of today.
const T0: i64 = 1_795_400_400_000 / HOUR_MS * HOUR_MS;
const GRACE: i64 = 5 * MINUTE_MS;
const WINDOW_DAYS: u32 = 90;

/// A log that is folded, and who remembers what had come.
struct World {
    store: MemoryInventory,
    fold: SystemLog,
    seen: BTreeMap<Uuid, Ways>,
    clock: i64,
    outputs: Vec<Output>,
    made: u128,
}

fn acme() -> OrgId {
    OrgId::new("acme")
}

impl World {
    fn new() -> Self {
        let store = MemoryInventory::default();
        Self {
            store,
            fold: SystemLog::new(WINDOW_DAYS),
            seen: BTreeMap::new(),
            clock: T0,
            outputs: Vec::new(),
            made: 0,
        }
    }

    fn take(&mut self, origin: Origin, content: Content, value: Vec<u8>) {
        let record = LandingRecord { org: acme(), origin, landed_at: self.clock, content, value };
        let before = match &record.content {
            Content::Event { uuid, .. } => {
                let ways = self.seen.entry(*uuid).or_default();
                std::mem::replace(ways, ways.and(Ways::of(origin)))
            }
            _ => Ways::NONE,
        };
        let outputs = self.fold.apply(&record, before, self.clock, &self.store).unwrap().unwrap();
        self.outputs.extend(outputs);
    }

    fn cut(&mut self) {
        let writes = self.fold.finish();
        self.store.commit(writes);
    }

    fn arrive(&mut self, origin: Origin, uuid: u128, published: i64) {
        let content = Content::Event { uuid: Uuid::from_u128(uuid), published };
        self.take(origin, content, br#"{"eventType":"user.session.start"}"#.to_vec());
    }

    /// A new event, by these ways one after the other.
    fn event(&mut self, published: i64, origins: &[Origin]) -> u128 {
        self.made += 1;
        for origin in origins {
            self.arrive(*origin, self.made, published);
        }
        self.made
    }

    /// One whose stream did not bring the event of this time, which is not judged yet.
    fn that_lost_one() -> (Self, i64) {
        let mut world = Self::new();
        world.good_minutes_pass(10);
        let from = world.clock;
        world.event(from, &[Origin::Poll]);
        world.good_minutes_pass(2);
        (world, from)
    }

    /// An event about the stream that the poll brings.
    fn lifecycle(&mut self, what: &str, published: i64) {
        self.lifecycle_by(Origin::Poll, what, published);
    }

    fn lifecycle_by(&mut self, origin: Origin, what: &str, published: i64) {
        self.made += 1;
        self.lifecycle_again(origin, what, published);
    }

    /// The event that was made last, by another way.
    fn lifecycle_again(&mut self, origin: Origin, what: &str, published: i64) {
        let content = Content::Event { uuid: Uuid::from_u128(self.made), published };
        let event = format!(r#"{{"x":"y","eventType":"system.log_stream.lifecycle.{what}"}}"#);
        self.take(origin, content, event.into_bytes());
    }

    fn cursor(&mut self, cursor: &Cursor) {
        let value = serde_json::to_vec(cursor).unwrap();
        self.take(Origin::Poll, Content::Cursor { name: CURSOR.into() }, value);
    }

    fn mark(&mut self, mark: &LogMark) {
        let (name, value) = mark.write().unwrap();
        self.take(Origin::Poll, Content::Mark { name: name.into() }, value);
    }

    /// The poll has read all there was, just now by Okta's clock, which is that of the log.
    fn poll(&mut self) {
        self.cursor(&at_end(self.clock, T0));
    }

    /// Minutes pass, with a poll in each.
    fn minutes_pass(&mut self, minutes: i64) {
        for _ in 0..minutes {
            self.clock += MINUTE_MS;
            self.poll();
        }
    }

    /// Minutes pass in which events come by all ways, as they should.
    fn good_minutes_pass(&mut self, minutes: i64) {
        for _ in 0..minutes {
            self.event(self.clock, &[Origin::Sqs, Origin::Poll]);
            self.minutes_pass(1);
        }
    }

    fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    fn standing(&mut self) -> Standing {
        self.cut();
        standing(&self.store, &acme()).unwrap()
    }

    fn ledger(&mut self, from: i64, until: i64) -> Vec<Minute> {
        self.cut();
        ledger(&self.store, &acme(), from, until).unwrap()
    }
}

fn at_end(asked: i64, from: i64) -> Cursor {
    let next = "/api/v1/logs?after=1".to_owned();
    Cursor { next, from, asked, end: true, events: 0, stream_grace: Some(GRACE) }
}

fn only_alarm(outputs: &[Output]) -> &Alarm {
    match outputs {
        [Output::Alarm(alarm)] => alarm,
        other => panic!("not one alarm: {other:?}"),
    }
}

fn only_gap(outputs: &[Output]) -> &Gap {
    match outputs {
        [Output::Healed(gap)] => gap,
        other => panic!("not one healed gap: {other:?}"),
    }
}

#[test]
fn what_the_stream_brings_within_its_grace_is_no_alarm() {
    let mut world = World::new();
    world.minutes_pass(2);
    let late = world.event(world.clock, &[Origin::Poll]);
    world.minutes_pass(5);
    world.arrive(Origin::Sqs, late, T0 + 2 * MINUTE_MS);
    world.minutes_pass(20);
    assert_eq!(world.take_outputs(), []);
}

#[test]
fn one_event_that_the_stream_lost_is_one_alarm_and_one_healed_gap() {
    let mut world = World::new();
    world.good_minutes_pass(10);
    let lost_at = world.clock;
    world.event(lost_at, &[Origin::Poll]);
    world.good_minutes_pass(5);
    assert_eq!(world.take_outputs(), [], "the stream has its grace");
    world.good_minutes_pass(3);
    let outputs = world.take_outputs();
    let alarm = only_alarm(&outputs);
    assert_eq!((alarm.reason, alarm.since, alarm.missing), (Reason::Losing, minute_of(lost_at), 1));
    assert!(world.standing().watch.unwrap().alarm.is_some());
    world.good_minutes_pass(20);
    let outputs = world.take_outputs();
    let gap = only_gap(&outputs);
    assert_eq!((gap.from, gap.until, gap.recovered), (minute_of(lost_at), minute_of(lost_at) + MINUTE_MS, 1));
    let standing = world.standing();
    assert_eq!((standing.watch.unwrap().alarm, standing.gaps), (None, vec![gap.clone()]));
}

#[test]
fn a_stream_that_brings_nothing_is_silent_until_it_brings_everything_again() {
    let mut world = World::new();
    world.good_minutes_pass(10);
    let from = minute_of(world.clock);
    for _ in 0..30 {
        world.event(world.clock, &[Origin::Poll]);
        world.minutes_pass(1);
    }
    let outputs = world.take_outputs();
    let alarm = only_alarm(&outputs);
    assert_eq!((alarm.reason, alarm.since), (Reason::Silent, from));
    world.minutes_pass(60);
    assert_eq!(world.take_outputs(), [], "a quiet org says nothing of its stream");
    world.good_minutes_pass(20);
    let outputs = world.take_outputs();
    assert_eq!((only_gap(&outputs).from, only_gap(&outputs).recovered), (from, 30));
}

#[test]
fn a_deactivated_stream_is_told_at_once_and_once() {
    let mut world = World::new();
    world.good_minutes_pass(10);
    let off = world.clock;
    world.lifecycle("deactivate", off);
    let outputs = world.take_outputs();
    assert_eq!((only_alarm(&outputs).reason, only_alarm(&outputs).since), (Reason::Deactivated, minute_of(off)));
    world.mark(&LogMark::Stream(StreamSeen { at: off + 5, active: false, detail: "INACTIVE".into() }));
    for _ in 0..10 {
        world.event(world.clock, &[Origin::Poll]);
        world.minutes_pass(1);
    }
    assert_eq!(world.take_outputs(), [], "it was told");
    world.lifecycle("activate", world.clock);
    world.good_minutes_pass(20);
    let outputs = world.take_outputs();
    // The event of the deactivation and that of the activation came by the poll alone, too.
    assert_eq!((only_gap(&outputs).reason, only_gap(&outputs).recovered), (Reason::Deactivated, 12));
}

#[test]
fn what_a_stream_lost_before_it_was_deactivated_is_of_the_same_gap() {
    let (mut world, from) = World::that_lost_one();
    let off = world.clock;
    world.lifecycle("deactivate", off);
    assert_eq!(only_alarm(&world.take_outputs()).since, minute_of(off), "what was lost before is not known yet");
    world.minutes_pass(1);
    world.lifecycle("activate", world.clock);
    let until = minute_of(world.clock) + MINUTE_MS;
    world.good_minutes_pass(20);
    let outputs = world.take_outputs();
    let gap = only_gap(&outputs);
    assert_eq!((gap.from, gap.until, gap.recovered), (minute_of(from), until, 3));
}

#[test]
fn a_gap_never_ends_before_it_begins() {
    let (mut world, from) = World::that_lost_one();
    // Deactivated and activated at once, and both events are brought.
    let off = world.clock;
    for what in ["deactivate", "activate"] {
        world.clock += 1;
        world.lifecycle(what, world.clock);
        world.arrive(Origin::Sqs, world.made, world.clock);
    }
    world.good_minutes_pass(20);
    let outputs = world.take_outputs();
    assert_eq!(outputs.len(), 2, "{outputs:?}");
    let gap = only_gap(&outputs[1..]);
    assert_eq!((gap.from, gap.recovered), (minute_of(from), 1));
    assert!(gap.until >= minute_of(off), "{gap:?}");
}

#[test]
fn a_stream_whose_end_was_read_as_history_first_is_told_when_the_poll_comes_to_it() {
    let mut world = World::new();
    world.good_minutes_pass(3);
    let off = world.clock;
    // A worker that was stopped for hours, and a backfill meanwhile.
    world.clock += 3 * HOUR_MS;
    world.lifecycle_by(Origin::Backfill, "deactivate", off);
    assert_eq!(world.take_outputs(), []);
    world.lifecycle_again(Origin::Poll, "deactivate", off);
    let outputs = world.take_outputs();
    assert_eq!((only_alarm(&outputs).reason, only_alarm(&outputs).since), (Reason::Deactivated, minute_of(off)));
    world.lifecycle_again(Origin::Sqs, "deactivate", off);
    assert_eq!(world.take_outputs(), [], "it was told");
}

#[test]
fn a_silent_stream_of_which_okta_says_that_it_is_off_is_told_again_with_the_worse_reason() {
    let mut world = World::new();
    world.good_minutes_pass(3);
    for _ in 0..12 {
        world.event(world.clock, &[Origin::Poll]);
        world.minutes_pass(1);
    }
    assert_eq!(only_alarm(&world.take_outputs()).reason, Reason::Silent);
    world.mark(&LogMark::Stream(StreamSeen { at: world.clock, active: false, detail: "INACTIVE".into() }));
    assert_eq!(only_alarm(&world.take_outputs()).reason, Reason::Deactivated);
    world.mark(&LogMark::Stream(StreamSeen { at: world.clock - 1, active: true, detail: "old".into() }));
    world.clock += 1;
    world.good_minutes_pass(1);
    assert_eq!(world.take_outputs(), []);
    assert!(world.standing().watch.unwrap().told.unwrap().active, "it brought what was published since");
}

#[test]
fn another_stream_of_the_org_that_is_switched_off_is_no_lasting_alarm() {
    let mut world = World::new();
    world.good_minutes_pass(5);
    world.lifecycle("deactivate", world.clock);
    // Ours brings this event as it brings all.
    world.arrive(Origin::Sqs, world.made, world.clock);
    assert_eq!(only_alarm(&world.take_outputs()).reason, Reason::Deactivated);
    world.clock += 1;
    world.good_minutes_pass(20);
    assert_eq!(only_gap(&world.take_outputs()).recovered, 0);
}

#[test]
fn what_history_tells_of_the_stream_is_long_over() {
    let mut world = World::new();
    world.good_minutes_pass(3);
    world.lifecycle_by(Origin::Backfill, "deactivate", world.clock);
    assert_eq!(world.take_outputs(), []);
}

#[test]
fn a_text_that_only_names_a_lifecycle_event_says_nothing() {
    let mut world = World::new();
    world.good_minutes_pass(3);
    world.made += 1;
    let content = Content::Event { uuid: Uuid::from_u128(world.made), published: world.clock };
    let event = br#"{"eventType":"user.session.start","x":"system.log_stream.lifecycle.deactivate"}"#.to_vec();
    world.take(Origin::Poll, content, event);
    assert_eq!(world.take_outputs(), []);
}

#[test]
fn what_waits_in_the_queue_after_a_long_stop_is_not_lost() {
    let mut world = World::new();
    world.good_minutes_pass(3);
    // For an hour there was no worker. Its poll brings at once what the queue takes some minutes to give.
    let (begin, mut waiting) = (world.clock, Vec::new());
    world.clock += HOUR_MS;
    for minute in 0..60 {
        let published = begin + minute * MINUTE_MS;
        waiting.push((world.event(published, &[Origin::Poll]), published));
    }
    world.poll();
    world.minutes_pass(4);
    for (uuid, published) in waiting {
        world.arrive(Origin::Sqs, uuid, published);
    }
    world.good_minutes_pass(20);
    assert_eq!(world.take_outputs(), []);
}

#[test]
fn what_was_before_the_first_poll_says_nothing_of_the_stream() {
    let mut world = World::new();
    world.event(T0, &[Origin::Poll]);
    world.event(T0 - MINUTE_MS, &[Origin::Poll]);
    world.poll();
    world.minutes_pass(30);
    assert_eq!(world.take_outputs(), []);
}

#[test]
fn an_org_without_a_stream_has_no_alarm() {
    let mut world = World::new();
    for _ in 0..30 {
        world.event(world.clock, &[Origin::Poll]);
        world.clock += MINUTE_MS;
        world.cursor(&Cursor { stream_grace: None, ..at_end(world.clock, T0) });
    }
    assert_eq!(world.take_outputs(), []);
    assert_eq!(world.standing().watch, None);
}

#[test]
fn minutes_are_complete_once_the_poll_has_passed_them_by_the_margin() {
    let mut world = World::new();
    let complete = |world: &mut World| world.ledger(T0, T0 + HOUR_MS).iter().filter(|minute| minute.complete).count();
    world.cursor(&Cursor { end: false, ..at_end(T0 + 30 * MINUTE_MS, T0) });
    assert_eq!(complete(&mut world), 0, "there may be more than that page");
    world.cursor(&at_end(T0 + SETTLE_MS + 7 * MINUTE_MS + 1, T0));
    assert_eq!(complete(&mut world), 7);
    let standing = world.standing();
    assert_eq!(standing.read_to, Some(T0 + SETTLE_MS + 7 * MINUTE_MS + 1));
    world.mark(&LogMark::Slice(Slice { since: T0 + 30 * MINUTE_MS, until: T0 + 32 * MINUTE_MS + 5, events: 0 }));
    world.mark(&LogMark::Slice(Slice { since: T0 + 32 * MINUTE_MS + 5, until: T0 + 33 * MINUTE_MS, events: 0 }));
    assert_eq!(complete(&mut world), 10, "slices that meet within a minute prove it together");
    let asked = T0 + 36 * MINUTE_MS + SETTLE_MS;
    world.mark(&LogMark::Reread(Reread { since: T0 + 35 * MINUTE_MS, until: asked, events: 0, asked }));
    assert_eq!(complete(&mut world), 11, "what may not be persisted yet is not proven by reading it");
}

#[test]
fn what_okta_no_longer_had_is_told_as_lost() {
    let mut world = World::new();
    world.minutes_pass(20);
    let read_to = world.clock;
    world.clock += 100 * 24 * HOUR_MS;
    let from = world.clock - 90 * 24 * HOUR_MS;
    world.cursor(&at_end(world.clock, from));
    assert_eq!(world.take_outputs(), [Output::Lost { from: read_to, until: from }]);
    world.minutes_pass(1);
    world.cursor(&at_end(world.clock, from));
    assert_eq!(world.take_outputs(), [], "it is told once");
    assert_eq!(world.standing().lost, [(read_to, from)]);
}

#[test]
fn counts_are_kept_for_the_window_and_no_longer() {
    let mut world = World::new();
    world.event(T0, &[Origin::Sqs]);
    world.event(T0 - 91 * 24 * HOUR_MS, &[Origin::Backfill]);
    world.event(T0 + 400 * 24 * HOUR_MS, &[Origin::Sqs]);
    world.cut();
    let rows = |world: &World| world.store.range(b"L", b"M", usize::MAX).unwrap().len();
    assert_eq!(rows(&world), 2, "one hour, and what is kept of the org");
    world.clock = T0 + 90 * 24 * HOUR_MS;
    world.event(world.clock, &[Origin::Sqs]);
    world.cut();
    assert_eq!(rows(&world), 3, "an event of 90 days ago may still come");
    world.clock += HOUR_MS;
    world.event(world.clock, &[Origin::Sqs]);
    world.cut();
    assert_eq!(rows(&world), 3, "the first hour is over the window");
}

#[test]
fn what_is_not_as_promised_is_unreadable() {
    let mut world = World::new();
    for content in [Content::Cursor { name: CURSOR.into() }, Content::Mark { name: "log_slice".into() }] {
        let record = LandingRecord { org: acme(), origin: Origin::Poll, landed_at: T0, content, value: b"{}".to_vec() };
        assert_eq!(world.fold.apply(&record, Ways::NONE, T0, &world.store).unwrap(), Err(Unreadable));
    }
}
