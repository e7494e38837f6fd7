//! The plan of a job: slices that together are the whole time, and of each how far it is read. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::span::Span;
use super::tally::Tally;

/// The widest slice. 90 days are 360 of these: the last page of each is half empty, which costs 0.2 % of the calls where
/// a million events happen in a day, and there are enough of them to be read side by side until the end.
const WIDEST_MS: i64 = 6 * 3_600_000;

/// The narrowest slice that is planned for.
const NARROW_MS: i64 = 5 * 60_000;

/// No slice is halved into parts shorter than this. Okta gives a query up after 30 s of work, and no org has events in
/// five seconds that take so long to find.
const NARROWEST_MS: i64 = 5_000;

/// A slice under way is divided only where so many pages are left of it. Two of them are on their way already: one lands
/// while the next one is fetched. Each part costs two calls more, a last page that is another's in part and a sample. Of
/// three days at 120 calls a minute, this took 1.023 of the floor, and twice as many pages 1.026, as there more is left to
/// one reader alone at the end.
const WORTH_DIVIDING: i64 = 4;

/// Each slice is read from so much before its beginning: whatever happens at an edge is in two slices, however Okta
/// rounds times there. Deduplication by uuid removes the doubles.
pub(super) const OVERLAP_MS: i64 = 1_000;

/// What became of a slice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// It is not read to its end.
    #[default]
    Waiting,
    /// All of it has landed, and the mark that says so.
    Read,
    /// Okta dropped it before it was read.
    Lost,
}

/// What the verification says of a slice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Check {
    /// It was not looked at again.
    #[default]
    Open,
    /// Its sample is as it was.
    Same,
    /// There was something else the second time, and after it was read anew again.
    Differs,
    /// It cannot be looked at any more.
    Gone,
}

/// The newest millisecond of which something was read, and what was counted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Newest {
    published: i64,
    tally: Tally,
}

/// A part of a slice that one page held, to be asked for again: everything that happened in it was on that page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sample {
    pub since: i64,
    pub until: i64,
    pub tally: Tally,
    /// Which page of a slice it is, is left to chance: that with the lowest rank.
    rank: u64,
}

/// A part of the time, read in order. Times are ms since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slice {
    pub since: i64,
    pub until: i64,
    pub stage: Stage,
    pub check: Check,
    /// How often it was read anew because its sample was another.
    pub again: u32,
    /// What was read, by pages and bytes, doubles included.
    pub pages: u64,
    pub bytes: u64,
    /// What happened within its edges, each event once.
    pub tally: Tally,
    /// Everything before this is counted.
    counted_until: i64,
    newest: Option<Newest>,
    /// Where the next page is, if Okta has said so.
    pub next: Option<String>,
    pub sample: Option<Sample>,
}

/// A page that has landed.
pub(super) struct Page<'a> {
    /// The time that was asked for, unless it was the page behind another.
    pub asked_from: Option<i64>,
    /// Uuid and `published` of its events, in their order.
    pub events: &'a [(Uuid, i64)],
    pub bytes: u64,
    /// Where the next page is.
    pub next: Option<String>,
}

impl Page<'_> {
    fn is_in_order(&self) -> bool {
        self.events.is_sorted_by_key(|(_, published)| *published)
    }
}

impl Slice {
    pub fn new(since: i64, until: i64) -> Self {
        Self {
            since,
            until,
            stage: Stage::default(),
            check: Check::default(),
            again: 0,
            pages: 0,
            bytes: 0,
            tally: Tally::default(),
            counted_until: since,
            newest: None,
            next: None,
            sample: None,
        }
    }

    /// How far it is read.
    pub fn position(&self) -> i64 {
        if self.stage != Stage::Waiting || self.is_read_through() {
            return self.until;
        }
        self.newest.map_or(self.counted_until, |newest| newest.published)
    }

    /// Whether there is nothing left to ask for.
    pub fn is_read_through(&self) -> bool {
        self.counted_until >= self.until
    }

    /// From when on to ask if there is no next page to go on with; never from before `floor`.
    pub fn ask_from(&self, floor: i64) -> i64 {
        (self.counted_until - OVERLAP_MS).max(floor)
    }

    /// Counts a page that has landed.
    pub fn take(&mut self, page: &Page<'_>) {
        self.draw_sample(page);
        for (uuid, published) in page.events {
            if (self.counted_until..self.until).contains(published) {
                self.tally.add(*uuid);
                self.note_newest(*uuid, *published);
            }
        }
        self.pages += 1;
        self.bytes += page.bytes;
        self.next = page.next.clone().filter(|_| !self.ends_within(page));
        if self.next.is_none() {
            self.counted_until = self.until;
        }
    }

    /// Whether nothing of the slice is behind this page. Where the slice was divided while it was read, its list goes on
    /// beyond its end. It is left as far behind the end as a list begins before a slice; a list that is not in the order
    /// of time is read to its own end.
    pub fn ends_within(&self, page: &Page<'_>) -> bool {
        let beyond = page.events.last().is_some_and(|(_, published)| *published >= self.until + OVERLAP_MS);
        page.next.is_none() || (beyond && page.is_in_order())
    }

    fn note_newest(&mut self, uuid: Uuid, published: i64) {
        let newest = self.newest.get_or_insert(Newest { published, tally: Tally::default() });
        if published > newest.published {
            *newest = Newest { published, tally: Tally::default() };
        }
        if published == newest.published {
            newest.tally.add(uuid);
        }
    }

    /// The way by next links is lost: from the newest event on, it is asked for by time.
    pub fn seek(&mut self) {
        self.next = None;
        if let Some(newest) = self.newest.take_if(|_| self.counted_until < self.until) {
            // There may be more of that millisecond, and they are counted together.
            self.tally = self.tally.minus(newest.tally);
            self.counted_until = newest.published;
        }
    }

    /// Whether what is not read is long enough for two.
    pub fn can_halve(&self) -> bool {
        self.until - self.position() >= 2 * NARROWEST_MS
    }

    /// Leaves the later half of what is not read to another slice. `None` where it is too short for that.
    fn halve(&mut self) -> Option<Self> {
        if !self.can_halve() {
            return None;
        }
        let position = self.position();
        let middle = position + (self.until - position) / 2;
        let later = Self { again: self.again, ..Self::new(middle, self.until) };
        self.until = middle;
        Some(later)
    }

    /// How many pages are left, by those that were read. Before the first one nobody knows, and none is.
    fn pages_left(&self) -> i64 {
        let pages = i64::try_from(self.pages).unwrap_or(i64::MAX);
        let (read, left) = (self.position() - self.since, self.until - self.position());
        left.saturating_mul(pages) / read.max(1)
    }

    /// Forgets everything that was read.
    pub fn read_again(&mut self) {
        *self = Self { again: self.again + 1, ..Self::new(self.since, self.until) };
    }

    fn draw_sample(&mut self, page: &Page<'_>) {
        let first = page.events.first().map(|(uuid, published)| (*uuid, *published));
        // Behind the first millisecond and before the last one nothing can be on another page.
        let since = match (page.asked_from, first) {
            (Some(from), _) => from,
            (None, Some((_, published))) => published + 1,
            (None, None) => return,
        };
        let until = match (&page.next, page.events.last()) {
            (None, _) => self.until,
            (Some(_), Some((_, published))) => self.until.min(*published),
            (Some(_), None) => return,
        };
        let rank = first.map_or(0, |(uuid, _)| mixed(uuid));
        if !page.is_in_order() || since >= until || self.sample.is_some_and(|sample| sample.rank <= rank) {
            return;
        }
        let mut tally = Tally::default();
        page.events.iter().filter(|(_, at)| (since..until).contains(at)).for_each(|(uuid, _)| tally.add(*uuid));
        self.sample = Some(Sample { since, until, tally, rank });
    }
}

fn mixed(uuid: Uuid) -> u64 {
    let (high, low) = uuid.as_u64_pair();
    (high ^ low).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// What a reader is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Claim {
    /// It reads this slice.
    Read(Box<Slice>),
    /// All slices are being read, and none is worth dividing as far as is known; that may change with each page.
    Wait,
    /// Nothing is left.
    Done,
}

/// All slices, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Plan {
    slices: Vec<Slice>,
}

impl Plan {
    /// Slices of equal width; twice as many as are read side by side, if it is not a few minutes only.
    pub fn new(span: Span, parallel: usize) -> Self {
        let most = i64::try_from(parallel.max(1)).unwrap_or(i64::MAX).saturating_mul(2);
        let width = (span.length_ms() / most).clamp(NARROW_MS, WIDEST_MS);
        let mut slices = Vec::new();
        let mut since = span.since;
        while since < span.until {
            let until = since.saturating_add(width).min(span.until);
            slices.push(Slice::new(since, until));
            since = until;
        }
        Self { slices }
    }

    /// Whether the slices are this time, without a gap and without an overlap.
    pub fn is_of(&self, span: Span) -> bool {
        let mut at = span.since;
        let adjoin = self.slices.iter().all(|slice| {
            let adjoins = slice.since == at && slice.until > slice.since;
            at = slice.until;
            adjoins
        });
        adjoin && at == span.until
    }

    pub fn slices(&self) -> &[Slice] {
        &self.slices
    }

    /// The oldest slice that is to be read and is not among these. Where there is none, the later half of what is left of
    /// one of these, so that nobody is idle while others have much to do.
    pub fn claim(&mut self, reading: &BTreeSet<i64>) -> Claim {
        let free = |slice: &&Slice| slice.stage == Stage::Waiting && !reading.contains(&slice.since);
        if let Some(slice) = self.slices.iter().find(free) {
            return Claim::Read(Box::new(slice.clone()));
        }
        if self.is_read() {
            return Claim::Done;
        }
        let largest = self.slices.iter_mut().max_by_key(|slice| slice.pages_left());
        match largest.filter(|slice| slice.pages_left() >= WORTH_DIVIDING).and_then(Slice::halve) {
            Some(later) => {
                self.insert(later.clone());
                Claim::Read(Box::new(later))
            }
            None => Claim::Wait,
        }
    }

    /// Whether anything is to be read.
    pub fn is_read(&self) -> bool {
        self.slices.iter().all(|slice| slice.stage != Stage::Waiting)
    }

    /// Changes a slice in the hands of whoever reads it. All of it is as the reader has it but for its end, which comes
    /// nearer when somebody takes a part of it.
    pub fn change<T>(&mut self, slice: &mut Slice, change: impl FnOnce(&mut Slice) -> T) -> T {
        let known = self.slices.iter_mut().find(|known| known.since == slice.since);
        if let Some(known) = &known {
            slice.until = known.until;
        }
        let result = change(slice);
        if let Some(known) = known {
            known.clone_from(slice);
        }
        result
    }

    /// A list that is too long for Okta is read in two: what is left of this slice is asked for anew, up to the middle, and
    /// the later half is for whoever comes next. Tells whether it was long enough.
    pub fn halve(&mut self, slice: &mut Slice) -> bool {
        let later = self.change(slice, |slice| {
            let later = slice.halve()?;
            slice.seek();
            Some(later)
        });
        later.map(|later| self.insert(later)).is_some()
    }

    fn insert(&mut self, slice: Slice) {
        let at = self.slices.partition_point(|known| known.since < slice.since);
        self.slices.insert(at, slice);
    }

    /// What is not read and is older than this is lost; gives how long that is, ms. Slices that somebody reads are left
    /// alone: what they have begun with is there.
    pub fn lose_before(&mut self, oldest: i64, reading: &BTreeSet<i64>) -> i64 {
        let mut lost = 0;
        let slices = std::mem::take(&mut self.slices);
        for mut slice in slices {
            let unread = slice.stage == Stage::Waiting && !slice.is_read_through();
            let gone = unread && !reading.contains(&slice.since) && slice.position() < oldest;
            if !gone {
                self.slices.push(slice);
                continue;
            }
            slice.seek();
            let (from, end, until) = (slice.position(), oldest.min(slice.until), slice.until);
            lost += end - from;
            if from > slice.since {
                slice.until = from;
                self.slices.push(slice);
            }
            self.slices.push(Slice { stage: Stage::Lost, ..Slice::new(from, end) });
            if end < until {
                self.slices.push(Slice::new(end, until));
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests;
