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
    fn answer(&self, slice: &Slice, floor: i64) -> Answer {
        match &slice.next {
            Some(next) => self.behind(next),
            None => {
                let from = slice.ask_from(floor);
                let begin = self.events.partition_point(|(_, at)| *at < from);
                Answer { asked_from: Some(from), ..self.page(begin, slice.until) }
            }
        }
    }

    fn behind(&self, next: &str) -> Answer {
        let (place, until) = next.split_once(' ').unwrap();
        self.page(place.parse().unwrap(), until.parse().unwrap())
    }

    fn page(&self, begin: usize, until: i64) -> Answer {
        let end = self.events.partition_point(|(_, at)| *at < until);
        let stop = (begin + self.page).min(end);
        let next = (stop < end).then(|| format!("{stop} {until}"));
        Answer { asked_from: None, events: self.events[begin.min(stop)..stop].to_vec(), next }
    }

    fn step(&self, slice: &mut Slice, floor: i64) {
        slice.take(&self.answer(slice, floor).page());
        if slice.next.is_none() {
            slice.stage = Stage::Read;
        }
    }

    fn within(&self, since: i64, until: i64) -> Tally {
        tally(self.events.iter().filter(|(_, at)| (since..until).contains(at)))
    }
}

struct Answer {
    asked_from: Option<i64>,
    events: Vec<(Uuid, i64)>,
    next: Option<String>,
}

impl Answer {
    fn page(&self) -> Page<'_> {
        let Self { asked_from, events, next } = self;
        Page { asked_from: *asked_from, events, bytes: events.len() as u64, next: next.clone() }
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

fn claimed(plan: &mut Plan, reading: &BTreeSet<i64>) -> Slice {
    let Claim::Read(slice) = plan.claim(reading) else { panic!("nothing to read in {plan:?}") };
    *slice
}

#[test]
fn the_oldest_slice_that_nobody_reads_is_next() {
    let mut plan = Plan::new(Span { since: 0, until: 24 * HOUR }, 4);
    let reading = BTreeSet::from([0, 3 * HOUR]);
    let mut slice = claimed(&mut plan, &reading);
    assert_eq!(slice.since, 6 * HOUR);
    plan.change(&mut slice, |slice| slice.stage = Stage::Read);
    assert_eq!(claimed(&mut plan, &reading).since, 9 * HOUR);
    assert!(!plan.is_read());
}

#[test]
fn who_would_be_idle_takes_half_of_what_is_left_of_the_largest() {
    let span = Span { since: 0, until: 10 * HOUR };
    // A page of ten is 100 s of the first slice, and 200 s of the second.
    let times = (0..3_600).map(|n| n * 10_000).chain((1_800..3_600).map(|n| n * 20_000));
    let log = Log::of(&times.filter(|at| *at < 36_000_000).collect::<Vec<_>>(), 10);
    let mut plan = Plan { slices: vec![Slice::new(0, 5 * HOUR), Slice::new(5 * HOUR, 10 * HOUR)] };
    let reading = BTreeSet::from([0, 5 * HOUR]);
    assert_eq!(plan.claim(&reading), Claim::Wait, "nobody has seen a page of them");
    let (mut first, mut second) = (plan.slices[0].clone(), plan.slices[1].clone());
    plan.change(&mut first, |slice| log.step(slice, 0));
    plan.change(&mut second, |slice| log.step(slice, 0));
    let larger = if first.pages_left() > second.pages_left() { &first } else { &second };
    let (since, middle, until) = (larger.since, (larger.position() + larger.until) / 2, larger.until);
    let part = claimed(&mut plan, &reading);
    assert_eq!((part.since, part.until), (middle, until));
    assert!(plan.is_of(span), "{plan:?}");
    // Whoever reads it learns it with the next change.
    let mut slice = larger.clone();
    plan.change(&mut slice, |slice| log.step(slice, 0));
    assert_eq!((slice.since, slice.until), (since, middle));
}

#[test]
fn what_is_nearly_read_is_left_to_its_reader() {
    let times: Vec<_> = (0..10 * WORTH_DIVIDING).map(|n| n * 10_000).collect();
    let log = Log::of(&times, 10);
    let mut plan = Plan { slices: vec![Slice::new(0, 100_000 * WORTH_DIVIDING)] };
    let reading = BTreeSet::from([0]);
    let mut slice = plan.slices[0].clone();
    plan.change(&mut slice, |slice| log.step(slice, 0));
    assert_eq!(plan.claim(&reading), Claim::Wait, "{} pages", slice.pages_left());
    while !slice.is_read_through() {
        plan.change(&mut slice, |slice| log.step(slice, 0));
        assert_eq!(plan.claim(&reading), if plan.is_read() { Claim::Done } else { Claim::Wait });
    }
    assert_eq!(slice.tally, tally(&log.events));
}

#[test]
fn a_list_is_left_a_second_behind_the_end_that_has_come_nearer_and_one_out_of_order_at_its_own() {
    let page = |times: &[i64], next: bool| {
        let events: Vec<_> = times.iter().enumerate().map(|(number, at)| (uuid(number), *at)).collect();
        Answer { asked_from: None, events, next: next.then(|| "there".to_owned()) }
    };
    let slice = Slice::new(0, 100_000);
    let ends = |times: &[i64], next: bool| slice.ends_within(&page(times, next).page());
    assert!(ends(&[1, 2], false) && ends(&[], false));
    assert!(!ends(&[1, 2], true) && !ends(&[], true));
    assert!(!ends(&[99_000, 100_999], true) && ends(&[99_000, 101_000], true));
    assert!(!ends(&[101_000, 99_000, 101_000], true));
    let mut slice = slice;
    slice.take(&page(&[99_000, 101_000], true).page());
    assert!(slice.is_read_through() && slice.next.is_none());
    assert_eq!(slice.tally.events, 1, "what is behind the end is another's");
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
    let halve = |until| {
        let mut plan = Plan { slices: vec![Slice::new(0, until)] };
        let mut slice = plan.slices[0].clone();
        let halved = plan.halve(&mut slice);
        (halved, plan.slices.iter().map(|slice| slice.until).collect::<Vec<_>>(), slice.until)
    };
    assert_eq!(halve(2 * NARROWEST_MS - 1), (false, vec![2 * NARROWEST_MS - 1], 2 * NARROWEST_MS - 1));
    assert_eq!(halve(2 * NARROWEST_MS), (true, vec![NARROWEST_MS, 2 * NARROWEST_MS], NARROWEST_MS));
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
    plan.change(&mut second, |_| ());
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
    assert!(plan.is_of(span), "{plan:?}");
}

#[test]
fn a_slice_that_is_read_again_forgets_but_knows_that_it_does() {
    let log = Log::of(&[1, 2, 3], 10);
    let mut slice = Slice::new(0, HOUR);
    log.step(&mut slice, 0);
    slice.read_again();
    assert_eq!((slice.tally, slice.stage, slice.again, slice.pages), (Tally::default(), Stage::Waiting, 1, 0));
}

/// What may happen next.
#[derive(Debug, Clone, Copy)]
enum Happening {
    /// A reader comes a step further.
    Step(usize),
    CursorExpired(usize),
    TooHeavy(usize),
    /// What is known is written down.
    Saved,
    /// What was not written down is forgotten.
    Killed,
}

fn happening() -> impl Strategy<Value = Happening> {
    let reader = 0..READERS;
    prop_oneof![
        30 => reader.clone().prop_map(Happening::Step),
        1 => reader.clone().prop_map(Happening::CursorExpired),
        1 => reader.prop_map(Happening::TooHeavy),
        3 => Just(Happening::Saved),
        1 => Just(Happening::Killed),
    ]
}

const READERS: usize = 4;

/// Where a reader is between two steps, as `read.rs` takes them.
enum Reader {
    Idle,
    Asks(Slice),
    Has(Slice, Answer),
    /// A page lands while the one behind it has come already.
    Lands(Slice, Answer, Option<Answer>),
    HasMarked(Slice),
}

/// Readers of a job, its file, and the marks in the landing log.
struct World {
    log: Log,
    plan: Plan,
    stored: String,
    reading: BTreeSet<i64>,
    readers: [Reader; READERS],
    /// Edges and count of each mark, as often as it has landed.
    marks: Vec<(i64, i64, Tally)>,
    finished: Vec<Span>,
}

impl World {
    fn new(log: Log, plan: Plan) -> Self {
        let stored = serde_json::to_string(&plan).unwrap();
        let readers = std::array::from_fn(|_| Reader::Idle);
        Self { log, plan, stored, reading: BTreeSet::new(), readers, marks: Vec::new(), finished: Vec::new() }
    }

    fn save(&mut self) {
        self.stored = serde_json::to_string(&self.plan).unwrap();
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Step(reader) => {
                let before = std::mem::replace(&mut self.readers[reader], Reader::Idle);
                self.readers[reader] = self.step(before);
            }
            Happening::Saved => self.save(),
            Happening::Killed => {
                self.plan = serde_json::from_str(&self.stored).unwrap();
                self.reading.clear();
                self.readers = std::array::from_fn(|_| Reader::Idle);
            }
            Happening::CursorExpired(reader) => self.meets(reader, |plan, slice| plan.change(slice, Slice::seek)),
            Happening::TooHeavy(reader) => self.meets(reader, |plan, slice| _ = plan.halve(slice)),
        }
    }

    /// Something is wrong with what a reader has asked for.
    fn meets(&mut self, reader: usize, trouble: impl FnOnce(&mut Plan, &mut Slice)) {
        let reader = &mut self.readers[reader];
        if let Reader::Asks(slice) | Reader::Has(slice, _) = reader
            && !slice.is_read_through()
        {
            let mut slice = slice.clone();
            trouble(&mut self.plan, &mut slice);
            *reader = Reader::Asks(slice);
        }
    }

    fn step(&mut self, reader: Reader) -> Reader {
        match reader {
            Reader::Idle => {
                let Claim::Read(slice) = self.plan.claim(&self.reading) else { return Reader::Idle };
                assert!(self.reading.insert(slice.since), "two read {slice:?}");
                let overlaps = |done: &&Span| done.since < slice.until && slice.since < done.until;
                assert_eq!(self.finished.iter().find(overlaps), None, "is read again by {slice:?}");
                Reader::Asks(*slice)
            }
            Reader::Asks(slice) if slice.is_read_through() => {
                self.save();
                self.marks.push((slice.since, slice.until, slice.tally));
                Reader::HasMarked(slice)
            }
            Reader::Asks(slice) => {
                let answer = self.log.answer(&slice, 0);
                Reader::Has(slice, answer)
            }
            Reader::Has(mut slice, answer) => {
                let ends = self.plan.change(&mut slice, |slice| slice.ends_within(&answer.page()));
                let ahead = answer.next.as_ref().filter(|_| !ends).map(|next| self.log.behind(next));
                Reader::Lands(slice, answer, ahead)
            }
            Reader::Lands(mut slice, answer, ahead) => {
                self.plan.change(&mut slice, |slice| slice.take(&answer.page()));
                match ahead.filter(|_| !slice.is_read_through()) {
                    Some(ahead) => Reader::Has(slice, ahead),
                    None => Reader::Asks(slice),
                }
            }
            Reader::HasMarked(mut slice) => {
                self.plan.change(&mut slice, |slice| slice.stage = Stage::Read);
                self.save();
                self.reading.remove(&slice.since);
                self.finished.push(Span { since: slice.since, until: slice.until });
                Reader::Idle
            }
        }
    }

    /// One step of everybody, as long as there is anything to do; how many had a slice in each round.
    fn finish(&mut self) -> Vec<usize> {
        let mut at_work = Vec::new();
        while !self.plan.is_read() {
            (0..READERS).for_each(|reader| self.happens(Happening::Step(reader)));
            at_work.push(self.readers.iter().filter(|reader| !matches!(reader, Reader::Idle)).count());
            assert!(at_work.len() < 100_000, "it does not end: {:?}", self.plan);
        }
        at_work
    }
}

#[test]
fn readers_are_at_work_until_the_last_pages() {
    // Three days, and a night has a tenth of a day's events: 2,970 pages of ten.
    let by_hour = |hour: i64| if (8..20).contains(&(hour % 24)) { 750 } else { 75 };
    let times: Vec<_> = (0..72).flat_map(|hour| (0..by_hour(hour)).map(move |n| hour * HOUR + n * 4_700)).collect();
    let span = Span { since: 0, until: 72 * HOUR };
    let mut world = World::new(Log::of(&times, 10), Plan::new(span, READERS));
    let at_work = world.finish();
    let few = at_work.iter().filter(|readers| **readers < 2).count();
    // Two steps are a page, and two more come at the end of each slice.
    assert!(few as i64 <= 2 * WORTH_DIVIDING + 4, "one reader or none in {few} of {} rounds", at_work.len());
    let (pages, fewest) = (world.plan.slices.iter().map(|slice| slice.pages).sum::<u64>(), times.len() as u64 / 10);
    let slices = world.plan.slices.len() as u64;
    assert!((13..30).contains(&slices), "{slices} slices");
    assert!(pages <= fewest + slices, "{pages} pages in {slices} slices, where {fewest} are the fewest");
    assert_eq!(world.plan.slices.iter().map(|slice| slice.tally.events).sum::<u64>(), times.len() as u64);
}

proptest! {
    #[test]
    fn slices_are_the_time_exactly(since in -1_000_000i64..1_000_000, length in 1i64..100 * 24 * HOUR, parallel in 0usize..9) {
        let span = Span { since, until: since + length };
        let plan = Plan::new(span, parallel);
        prop_assert!(plan.is_of(span));
        prop_assert!(plan.slices.iter().all(|slice| slice.until - slice.since <= WIDEST_MS));
    }

    /// Whatever happens on the way, in whatever order readers come on: all slices together are the time and count every
    /// event once, with the hash of its uuid; each sample is what a second look finds; nothing that is finished is read
    /// again; and the marks are those of the slices, also where a crash lets them land twice.
    #[test]
    fn every_event_counts_once_whatever_happens(
        times in prop::collection::vec(0i64..400_000, 0..300),
        page in 1usize..20,
        happenings in prop::collection::vec(happening(), 0..400),
        edges in prop::collection::btree_set(1i64..399_999, 0..4),
    ) {
        let mut plan = Plan { slices: Vec::new() };
        let mut since = 0;
        for edge in edges.into_iter().chain([400_000]) {
            plan.slices.push(Slice::new(since, edge));
            since = edge;
        }
        let mut world = World::new(Log::of(&times, page), plan);
        let calm = happenings.iter().all(|happening| matches!(happening, Happening::Step(_) | Happening::Saved));
        for happening in happenings {
            world.happens(happening);
        }
        world.finish();
        let World { log, plan, marks, .. } = world;
        prop_assert!(plan.is_of(Span { since: 0, until: 400_000 }), "{plan:?}");
        for slice in &plan.slices {
            prop_assert_eq!(slice.tally, log.within(slice.since, slice.until));
            if let Some(sample) = slice.sample {
                prop_assert_eq!(sample.tally, log.within(sample.since, sample.until));
            }
            // Edges only are read twice.
            let reach = log.within(slice.since - OVERLAP_MS, slice.until + OVERLAP_MS).events;
            prop_assert!(!calm || slice.pages <= reach / page as u64 + 1, "{reach} events for {slice:?}");
        }
        let known: BTreeSet<_> = plan.slices.iter().map(|slice| (slice.since, slice.until, slice.tally.hash())).collect();
        let marked: BTreeSet<_> = marks.into_iter().map(|(since, until, tally)| (since, until, tally.hash())).collect();
        prop_assert_eq!(known, marked);
        let all = plan.slices.iter().fold(Tally::default(), |all, slice| all.plus(slice.tally));
        prop_assert_eq!(all, tally(&log.events));
    }
}
