use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use memchr::memmem;

use super::hours::{Counts, Hour};
use super::marks::{CURSOR, Cursor, LogMark, Slice};
use super::standing::Standing;
use super::watch::{Alarm, Gap, News, Told, Watch};
use super::{HOUR_MS, MINUTE_MS, SETTLE_MS, keys};
use crate::json::Tape;
use crate::landing::{Content, LandingRecord};
use crate::merge::StoreError;
use crate::merge::inventory::{InventoryStore, Writes};
use crate::merge::store::{DAY_MS, Ways};
use crate::okta::OrgId;

/// Events dated later than this are not counted: a wrong date must not keep a row for ever.
const FUTURE_MS: i64 = 366 * DAY_MS;

/// Rows that are dropped at once; one falls due each hour, more only where the log's clock leaps.
const DROPPED_AT_ONCE: usize = 4_096;

/// What the events about a log stream have in their type.
const LIFECYCLE: &str = "system.log_stream.lifecycle.";

/// Looks for it as bytes: every event is asked, and hardly one is read for it.
static FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(LIFECYCLE));

/// What a person should know of an org's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The log stream does not bring what it should. Once for an alarm, and again only when Okta says meanwhile that the
    /// stream is not active.
    Alarm(Alarm),
    /// It does again, and what it had not brought is here.
    Healed(Gap),
    /// What Okta persisted between these times, by its clock, could not be read: it no longer had it.
    Lost {
        /// From.
        from: i64,
        /// Up to.
        until: i64,
    },
}

/// A cursor or mark about the log is not what its name promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// Folds what is known of the System Logs of a partition's orgs, batch by batch.
///
/// Between two commits it sees its own uncommitted changes on top of the store, so a batch behaves as if each record had
/// been committed alone.
#[derive(Debug)]
pub struct SystemLog {
    window_days: i64,
    /// What the batch has touched.
    orgs: BTreeMap<OrgId, Open>,
    dropped: Vec<Vec<u8>>,
}

/// What was read of the store, or changed since.
#[derive(Debug)]
struct Open {
    standing: Standing,
    hours: BTreeMap<i64, Hour>,
    /// How `standing` was read, so that only a change of it is written.
    before: Standing,
    /// The hours that were changed.
    counted: BTreeSet<i64>,
}

impl SystemLog {
    /// Counts are kept for so many days.
    pub fn new(window_days: u32) -> Self {
        Self { window_days: i64::from(window_days), orgs: BTreeMap::new(), dropped: Vec::new() }
    }

    /// Takes the next record. `before` says by which ways an event had come; `clock` is the newest landing time so far.
    ///
    /// # Errors
    /// When the store cannot be read; the batch must be given up then.
    pub fn apply(
        &mut self,
        record: &LandingRecord,
        before: Ways,
        clock: i64,
        store: &impl InventoryStore,
    ) -> Result<Result<Vec<Output>, Unreadable>, StoreError> {
        match &record.content {
            Content::Event { published, .. } => self.event(record, *published, before, clock, store).map(Ok),
            Content::Cursor { name } if name == CURSOR => {
                let Ok(cursor) = serde_json::from_slice(&record.value) else { return Ok(Err(Unreadable)) };
                self.cursor(&record.org, cursor, clock, store).map(Ok)
            }
            Content::Mark { name } => match LogMark::read(name, &record.value) {
                Ok(Some(mark)) => self.mark(&record.org, mark, clock, store).map(Ok),
                Ok(None) => Ok(Ok(Vec::new())),
                Err(_) => Ok(Err(Unreadable)),
            },
            Content::Cursor { .. } | Content::Observation(_) => Ok(Ok(Vec::new())),
        }
    }

    /// What the batch changed; the next one starts on top of it.
    pub fn finish(&mut self) -> Writes {
        let mut writes: Writes = std::mem::take(&mut self.dropped).into_iter().map(|key| (key, None)).collect();
        for (org, open) in std::mem::take(&mut self.orgs) {
            for (nth, hour) in open.hours.iter().filter(|(nth, _)| open.counted.contains(nth)) {
                writes.insert(keys::hour(&org, *nth), Some(hour.encode()));
            }
            if open.standing != open.before {
                writes.insert(keys::standing(&org), Some(open.standing.encode()));
            }
        }
        writes
    }

    fn event(
        &mut self,
        record: &LandingRecord,
        published: i64,
        before: Ways,
        clock: i64,
        store: &impl InventoryStore,
    ) -> Result<Vec<Output>, StoreError> {
        let way = Ways::of(record.origin);
        if before.has(way) {
            return Ok(Vec::new());
        }
        self.drop_old(&record.org, clock, store)?;
        let window = self.window_days;
        let open = self.open(&record.org, store)?;
        if published >= open.kept_from(clock, window) && published <= clock.saturating_add(FUTURE_MS) {
            let nth = published.div_euclid(HOUR_MS);
            open.hour(&record.org, nth, store)?.count(published, before, way);
            open.counted.insert(nth);
        }
        if way == Ways::STREAM {
            open.standing.newest_by_stream = open.standing.newest_by_stream.max(Some(published));
            if let Some(watch) = &mut open.standing.watch {
                watch.brought(published);
            }
        }
        // History tells of what is over; but it may have read first what is news to the poll after a long stop.
        let is_news = way != Ways::HISTORY && !before.has(Ways::STREAM) && !before.has(Ways::POLL);
        let told = is_news.then(|| told_of_stream(&record.value, published));
        let watch = open.standing.watch.as_mut();
        let news = watch.zip(told.flatten()).and_then(|(watch, told)| watch.tell(clock, told));
        Ok(news.and_then(raised).into_iter().collect())
    }

    fn cursor(
        &mut self,
        org: &OrgId,
        cursor: Cursor,
        clock: i64,
        store: &impl InventoryStore,
    ) -> Result<Vec<Output>, StoreError> {
        self.drop_old(org, clock, store)?;
        let window = self.window_days;
        let open = self.open(org, store)?;
        let standing = &mut open.standing;
        let mut outputs = Vec::new();
        if let Some(read_to) = standing.read_to.filter(|read_to| *read_to < cursor.from) {
            outputs.push(Output::Lost { from: read_to, until: cursor.from });
            standing.remember_lost(read_to, cursor.from);
            standing.read_to = Some(cursor.from);
        }
        if cursor.end {
            standing.read_to = standing.read_to.max(Some(cursor.asked));
            standing.complete.add(cursor.from, cursor.asked.saturating_sub(SETTLE_MS));
        }
        let (grace, asked, end) = (cursor.stream_grace, cursor.asked, cursor.end);
        // Without a stream that should bring them there is nothing to watch.
        let known = standing.watch.take();
        standing.watch = grace.map(|grace| {
            let mut watch = known.unwrap_or_else(|| Watch::new(grace, asked));
            watch.grace = grace;
            watch
        });
        standing.cursor = Some(cursor);
        if let Some(watch) = standing.watch.as_mut().filter(|_| end) {
            watch.passed(clock, asked);
        }
        outputs.extend(open.judge(org, clock, window, store)?);
        Ok(outputs)
    }

    fn mark(
        &mut self,
        org: &OrgId,
        mark: LogMark,
        clock: i64,
        store: &impl InventoryStore,
    ) -> Result<Vec<Output>, StoreError> {
        let standing = &mut self.open(org, store)?.standing;
        match mark {
            LogMark::Slice(Slice { since, until, .. }) => standing.complete.add(since, until),
            LogMark::Reread(reread) => {
                // What was published just before the question may not have been persisted.
                standing.complete.add(reread.since, reread.until.min(reread.asked.saturating_sub(SETTLE_MS)));
            }
            LogMark::Stream(seen) => {
                let told = Told { active: seen.active, at: seen.at };
                let news = standing.watch.as_mut().and_then(|watch| watch.tell(clock, told));
                return Ok(news.and_then(raised).into_iter().collect());
            }
        }
        Ok(Vec::new())
    }

    /// Drops the hours that are over the window; once an hour.
    fn drop_old(&mut self, org: &OrgId, clock: i64, store: &impl InventoryStore) -> Result<(), StoreError> {
        let window = self.window_days;
        let open = self.open(org, store)?;
        let kept_from = open.kept_from(clock, window).div_euclid(HOUR_MS);
        if kept_from <= open.standing.kept_from {
            return Ok(());
        }
        open.standing.kept_from = kept_from;
        open.standing.complete.forget_before(kept_from.saturating_mul(HOUR_MS));
        open.hours = open.hours.split_off(&kept_from);
        let (first, end) = (keys::hour(org, i64::MIN), keys::hour(org, kept_from));
        let old = store.range(&first, &end, DROPPED_AT_ONCE)?;
        self.dropped.extend(old.into_iter().map(|(key, _)| key));
        Ok(())
    }

    fn open(&mut self, org: &OrgId, store: &impl InventoryStore) -> Result<&mut Open, StoreError> {
        if !self.orgs.contains_key(org) {
            let standing = super::standing(store, org)?;
            let open = Open { before: standing.clone(), standing, hours: BTreeMap::new(), counted: BTreeSet::new() };
            self.orgs.insert(org.clone(), open);
        }
        self.orgs.get_mut(org).ok_or_else(|| keys::damaged("an org that was just read is gone"))
    }
}

impl Open {
    /// The counts of an hour, as of now.
    fn hour(&mut self, org: &OrgId, nth: i64, store: &impl InventoryStore) -> Result<&mut Hour, StoreError> {
        match self.hours.entry(nth) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                let stored = store.get(&keys::hour(org, nth))?;
                Ok(place.insert(stored.map(|row| Hour::decode(&row)).transpose()?.unwrap_or_default()))
            }
        }
    }

    /// The minutes of a time in which there is something.
    fn minutes(
        &mut self,
        org: &OrgId,
        (from, until): (i64, i64),
        store: &impl InventoryStore,
    ) -> Result<Vec<(i64, Counts)>, StoreError> {
        let mut found = Vec::new();
        let mut nth = from.div_euclid(HOUR_MS);
        while nth.saturating_mul(HOUR_MS) < until {
            let counts = self.hour(org, nth, store)?.minutes();
            let minutes = (0i64..).map(|minute| nth * HOUR_MS + minute * MINUTE_MS).zip(counts);
            found.extend(minutes.filter(|(at, counts)| (from..until).contains(at) && counts.all > 0));
            nth += 1;
        }
        Ok(found)
    }

    /// Judges the stream by what the poll has found since.
    fn judge(
        &mut self,
        org: &OrgId,
        clock: i64,
        window_days: i64,
        store: &impl InventoryStore,
    ) -> Result<Option<Output>, StoreError> {
        let Some((from, until)) = self.standing.watch.as_mut().and_then(|watch| watch.due(clock)) else {
            return Ok(None);
        };
        let from = from.max(self.kept_from(clock, window_days));
        let minutes = self.minutes(org, (from, until), store)?;
        let news = self.standing.watch.as_mut().and_then(|watch| watch.judge(clock, &minutes));
        let Some(News::Over(alarm)) = news else { return Ok(news.and_then(raised)) };
        let from = alarm.since.max(self.kept_from(clock, window_days));
        let minutes = self.minutes(org, (from, alarm.missing_until), store)?;
        let gap = Gap {
            reason: alarm.reason,
            from: alarm.since,
            until: alarm.missing_until,
            recovered: minutes.iter().map(|(_, counts)| counts.unstreamed()).sum(),
            raised_at: alarm.raised_at,
            healed_at: clock,
        };
        self.standing.remember_gap(gap.clone());
        Ok(Some(Output::Healed(gap)))
    }

    /// Counts of events published before this are not kept: they are over the window.
    fn kept_from(&self, clock: i64, window_days: i64) -> i64 {
        let oldest = clock.saturating_sub(window_days.saturating_mul(DAY_MS)).div_euclid(HOUR_MS);
        oldest.max(self.standing.kept_from).saturating_mul(HOUR_MS)
    }
}

fn raised(news: News) -> Option<Output> {
    match news {
        News::Raised(alarm) => Some(Output::Alarm(alarm)),
        News::Over(_) => None,
    }
}

/// What an event says of whether a log stream is active.
fn told_of_stream(event: &[u8], published: i64) -> Option<Told> {
    FINDER.find(event)?;
    let mut tape = Tape::default();
    let document = tape.read(event).ok()?;
    let event_type = document.root().get("eventType")?.as_str()?;
    let active = match event_type.strip_prefix(LIFECYCLE)? {
        "activate" | "create" => true,
        "deactivate" | "delete" => false,
        _ => return None,
    };
    Some(Told { active, at: published })
}
