use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3_600_000;

fn uuid(number: usize) -> Uuid {
    Uuid::from_u128((number as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_0C92_9A1B_2C3D))
}

fn tally<'e>(events: impl IntoIterator<Item = &'e (Uuid, i64)>) -> Tally {
    let mut tally = Tally::default();
    events.into_iter().for_each(|(uuid, _)| tally.add(*uuid));
    tally
}

/// A log in the order of time, and how many of it one page holds.
struct Log {
    events: Vec<(Uuid, i64)>,
    page: usize,
}

impl Log {
    fn of(times: &[i64], page: usize) -> Self {
        let mut times = times.to_vec();
        times.sort_unstable();
        Self { events: times.into_iter().enumerate().map(|(number, at)| (uuid(number), at)).collect(), page }
    }

    /// What Okta answers to what the slice asks for next; the next link is a place in the log and an end.
    fn answer(&self, slice: &Slice, floor: i64) -> (Option<i64>, Vec<(Uuid, i64)>, Option<String>) {
        let (from, begin, until) = match &slice.next {
            None => {
                let from = slice.ask_from(floor);
                (Some(from), self.events.partition_point(|(_, at)| *at < from), slice.until)
            }
            Some(next) => {
                let (place, until) = next.split_once(' ').unwrap();
                (None, place.parse().unwrap(), until.parse().unwrap())
            }
        };
        let end = self.events.partition_point(|(_, at)| *at < until);
        let stop = (begin + self.page).min(end);
        let next = (stop < end).then(|| format!("{stop} {until}"));
        (from, self.events[begin.min(stop)..stop].to_vec(), next)
    }

    fn step(&self, slice: &mut Slice, floor: i64) {
        let (asked_from, events, next) = self.answer(slice, floor);
        slice.take(&Page { asked_from, events: &events, bytes: events.len() as u64, next });
        if slice.next.is_none() {
            slice.stage = Stage::Read;
        }
    }

    fn within(&self, since: i64, until: i64) -> Tally {
        tally(self.events.iter().filter(|(_, at)| (since..until).contains(at)))
    }
}

#[test]
fn ninety_days_are_slices_of_six_hours_and_a_day_is_one_for_everybody() {
    let days = |days: i64| Plan::new(Span { since: 0, until: days * 24 * HOUR }, 4).slices.len();
    assert_eq!((days(90), days(1)), (360, 8));
    let minutes = Plan::new(Span { since: 7, until: 7 + 60_000 }, 4);
    assert_eq!(minutes.slices.len(), 1);
    assert!(minutes.is_of(Span { since: 7, until: 7 + 60_000 }));
}

#[test]
fn a_slice_is_asked_for_from_a_second_before_its_beginning_but_not_before_the_time_that_is_wanted() {
    let mut slice = Slice::new(10_000, 20_000);
    assert_eq!((slice.ask_from(0), slice.ask_from(10_000)), (9_000, 10_000));
    let log = Log::of(&[12_000, 13_000, 14_000], 2);
    log.step(&mut slice, 0);
    slice.seek();
    assert_eq!(slice.ask_from(0), 12_000, "a second before the newest event");
}

#[test]
fn the_oldest_slice_that_nobody_reads_is_next() {
    let mut plan = Plan::new(Span { since: 0, until: 24 * HOUR }, 4);
    let reading = BTreeSet::from([0, 3 * HOUR]);
    assert_eq!(plan.next(&reading).map(|slice| slice.since), Some(6 * HOUR));
    let finished = Slice { stage: Stage::Read, ..Slice::new(6 * HOUR, 9 * HOUR) };
    plan.put(finished);
    assert_eq!(plan.next(&reading).map(|slice| slice.since), Some(9 * HOUR));
    assert!(!plan.is_read());
}

#[test]
fn a_file_whose_slices_do_not_adjoin_is_found_out() {
    let span = Span { since: 0, until: 24 * HOUR };
    let whole = Plan::new(span, 4);
    assert!(whole.is_of(span));
    let mut gap = whole.clone();
    gap.slices.remove(2);
    let mut short = whole.clone();
    short.slices.pop();
    let mut twice = whole.clone();
    twice.slices.insert(1, twice.slices[1].clone());
    let mut backwards = whole;
    backwards.slices[0].until = 0;
    for broken in [gap, short, twice, backwards] {
        assert!(!broken.is_of(span), "{broken:?}");
    }
}

#[test]
fn a_slice_of_seconds_is_not_halved() {
    assert!(Slice::new(0, 2 * NARROWEST_MS - 1).halve().is_none());
    let mut slice = Slice::new(0, 2 * NARROWEST_MS);
    let later = slice.halve().unwrap();
    assert_eq!((slice.until, later.since, later.until), (NARROWEST_MS, NARROWEST_MS, 2 * NARROWEST_MS));
}

#[test]
fn what_okta_drops_before_it_is_read_is_lost_and_told_apart() {
    let span = Span { since: 0, until: 24 * HOUR };
    let mut plan = Plan::new(span, 4);
    // The first is being read, the second is read up to 4:00.
    let log = Log::of(&[3 * HOUR + 5, 4 * HOUR, 5 * HOUR], 2);
    let mut second = plan.slices[1].clone();
    log.step(&mut second, 0);
    assert_eq!(second.position(), 4 * HOUR);
    plan.put(second);
    let lost = plan.lose_before(5 * HOUR, &BTreeSet::from([0]));
    assert_eq!(lost, HOUR);
    assert!(plan.is_of(span), "{plan:?}");
    let parts: Vec<_> =
        plan.slices[..4].iter().map(|slice| (slice.since / HOUR, slice.until / HOUR, slice.stage)).collect();
    use Stage::{Lost, Waiting};
    assert_eq!(parts, [(0, 3, Waiting), (3, 4, Waiting), (4, 5, Lost), (5, 6, Waiting)]);
    let read = &plan.slices[1];
    assert!(read.is_read_through(), "nothing is left to ask for");
    assert_eq!(read.tally, log.within(3 * HOUR, 4 * HOUR));
    assert_eq!(plan.lose_before(5 * HOUR, &BTreeSet::from([0])), 0, "only once");
}

#[test]
fn a_slice_that_is_read_again_forgets_but_knows_that_it_does() {
    let log = Log::of(&[1, 2, 3], 10);
    let mut slice = Slice::new(0, HOUR);
    log.step(&mut slice, 0);
    slice.read_again();
    assert_eq!((slice.tally, slice.stage, slice.again, slice.pages), (Tally::default(), Stage::Waiting, 1, 0));
}

/// What may befall a slice between two pages.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    None,
    CursorExpired,
    TooHeavy,
    Killed,
}

fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        4 => Just(Mishap::None),
        1 => Just(Mishap::CursorExpired),
        1 => Just(Mishap::TooHeavy),
        1 => Just(Mishap::Killed),
    ]
}

proptest! {
    #[test]
    fn slices_are_the_time_exactly(since in -1_000_000i64..1_000_000, length in 1i64..100 * 24 * HOUR, parallel in 0usize..9) {
        let span = Span { since, until: since + length };
        let plan = Plan::new(span, parallel);
        prop_assert!(plan.is_of(span));
        prop_assert!(plan.slices.iter().all(|slice| slice.until - slice.since <= WIDEST_MS));
    }

    /// Whatever happens on the way, all slices together count every event once, with the hash of its uuid; and each
    /// sample is what a second look finds.
    #[test]
    fn every_event_counts_once_whatever_happens(
        times in prop::collection::vec(0i64..400_000, 0..120),
        page in 1usize..20,
        mishaps in prop::collection::vec(mishap(), 0..60),
        edges in prop::collection::btree_set(1i64..399_999, 0..4),
    ) {
        let log = Log::of(&times, page);
        let span = Span { since: 0, until: 400_000 };
        let mut plan = Plan { slices: Vec::new() };
        let mut since = 0;
        for edge in edges.into_iter().chain([400_000]) {
            plan.slices.push(Slice::new(since, edge));
            since = edge;
        }
        let mut mishaps = mishaps.into_iter();
        let mut stored = plan.clone();
        for _ in 0..2_000 {
            let Some(slice) = plan.next(&BTreeSet::new()) else { break };
            let mut slice = slice.clone();
            match mishaps.next().unwrap_or(Mishap::None) {
                Mishap::None => log.step(&mut slice, span.since),
                Mishap::CursorExpired => slice.seek(),
                Mishap::TooHeavy => if let Some(later) = slice.halve() {
                    plan.put_halves(slice.clone(), later);
                },
                // What was not written down is forgotten.
                Mishap::Killed => {
                    plan = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
                    continue;
                }
            }
            plan.put(slice);
            if plan.slices.len().is_multiple_of(2) || plan.is_read() {
                stored = plan.clone();
            }
        }
        prop_assert!(plan.is_read() && plan.is_of(span), "{plan:?}");
        for slice in &plan.slices {
            prop_assert_eq!(slice.tally, log.within(slice.since, slice.until));
            if let Some(sample) = slice.sample {
                prop_assert_eq!(sample.tally, log.within(sample.since, sample.until));
            }
        }
        let all = plan.slices.iter().fold(Tally::default(), |all, slice| all.plus(slice.tally));
        prop_assert_eq!(all, tally(&log.events));
    }
}
