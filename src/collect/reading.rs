//! Reads one collection: its lists, some at a time, page by page, each landed before the place behind it is noted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::list::{ListKey, ListReader, Purpose, Step};
use super::lists::{Next, Source};
use super::observe::Roster;
use super::org::{Org, Trouble};
use super::progress::Line;
use super::remedy::{ListEnd, Patience};
use super::table::{Collection, Parent};
use super::verdict::Lists;
use crate::landing::{Content, Grain, Origin};
use crate::merge::snapshots::{Outcome, Place, Reading};
use crate::okta::quota::Priority;

/// Lists of one collection that are read at once: as many as may have a call under way (30 by default), and as many again
/// whose page is on its way into the log, so that a slow disk or broker leaves no window with calls left. How many calls
/// go at once is for the limiter to say, and how many bytes are on their way for the lander.
const LISTS_AT_ONCE: usize = 64;

/// Keys that are looked up at a time.
const KEYS_AT_ONCE: usize = 256;

/// A cursor is noted when so many lists have ended, or when so much time has passed: what a crash reads again.
const LISTS_A_CURSOR: u64 = 100;
const TIME_A_CURSOR: Duration = Duration::from_secs(1);

/// What all readings of a snapshot share.
pub(super) struct Snapshot {
    pub org: Arc<Org>,
    pub epoch: i64,
    pub rosters: Arc<[Roster]>,
}

impl Snapshot {
    fn list(&self, collection: &'static Collection, key: ListKey) -> ListReader {
        let (priority, origin) =
            if collection.audit { (Priority::Audit, Origin::Audit) } else { (Priority::Snapshot, Origin::Snapshot) };
        let rosters = Arc::clone(&self.rosters);
        let purpose = Purpose { priority, origin, epoch: Some(self.epoch), rosters, asked_after: i64::MIN };
        ListReader::new(&self.org, purpose, collection, key)
    }
}

/// Reads a collection from where its last reader stopped; gives how it ended and how far it came.
pub(super) async fn read(
    snapshot: &Arc<Snapshot>,
    collection: &'static Collection,
    reading: Reading,
) -> Result<(Outcome, Place), Trouble> {
    let mut reader = Reader {
        snapshot: Arc::clone(snapshot),
        collection,
        source: Source::new(Arc::clone(&snapshot.org), snapshot.epoch, collection, reading.place.lists),
        waiting: VecDeque::new(),
        running: JoinSet::new(),
        noted: (reading.place.lists, Instant::now()),
        resume: reading.place.next.clone(),
        line: snapshot.org.progress.of(collection.name),
        lists: Lists::new(
            Place { epoch: snapshot.epoch, ..reading.place },
            matches!(collection.parent, Parent::Each(..)),
        ),
    };
    let within = reader.run().await?;
    Ok((reader.lists.verdict(within.as_ref()), reader.lists.place().clone()))
}

struct Reader {
    snapshot: Arc<Snapshot>,
    collection: &'static Collection,
    source: Source,
    waiting: VecDeque<(u64, ListKey)>,
    running: JoinSet<Result<Told, Trouble>>,
    lists: Lists,
    line: Arc<Line>,
    /// How many lists the last cursor passed, and when it was noted.
    noted: (u64, Instant),
    /// Where the only list of a collection goes on.
    resume: Option<String>,
}

/// What the reading of one list tells when it has ended.
struct Told {
    at: u64,
    end: ListEnd,
}

impl Reader {
    /// Gives the verdict on what the collection is within, if it is within another.
    async fn run(&mut self) -> Result<Option<Outcome>, Trouble> {
        let mut within = None;
        let mut more = true;
        loop {
            if self.lists.hopeless() {
                // Those under way would be refused, too; most still wait for their turn.
                self.running.shutdown().await;
                return Ok(within);
            }
            while self.running.len() < LISTS_AT_ONCE {
                let Some((at, key)) = self.waiting.pop_front() else { break };
                self.line.list_begun();
                self.start(at, key).await?;
            }
            let wanted = more && self.waiting.is_empty();
            tokio::select! {
                Some(told) = self.running.join_next(), if !self.running.is_empty() => {
                    let told = told.map_err(|error| Trouble::Broken(error.to_string()))??;
                    self.ended(told).await?;
                }
                keys = self.source.next(KEYS_AT_ONCE), if wanted => match keys? {
                    Next::Keys(keys) => self.waiting.extend(keys),
                    Next::End(outcome) => (more, within) = (false, outcome),
                },
                else => return Ok(within),
            }
        }
    }

    async fn start(&mut self, at: u64, key: ListKey) -> Result<(), Trouble> {
        if matches!(self.collection.parent, Parent::Org) {
            let end = self.read_alone(key).await?;
            return self.ended(Told { at, end }).await;
        }
        let list = self.snapshot.list(self.collection, key);
        self.running.spawn(async move { Ok(Told { at, end: list.read_to_end().await? }) });
        Ok(())
    }

    /// The only list of a collection: its places are noted page by page.
    async fn read_alone(&mut self, key: ListKey) -> Result<ListEnd, Trouble> {
        let mut list = self.snapshot.list(self.collection, key);
        list.patience = Patience::new(self.collection.page, self.lists.place().restarts);
        // A stored place of a table that has changed since is no place of this list: then it is read from its beginning.
        // Parts of a page must come in one go, or a reader would take the rest for all.
        let resume = self.resume.take().filter(|_| self.collection.grain == Grain::Object);
        if let Some(Ok(resumed)) = resume.map(|target| list.first().resume(&target)) {
            list.begin_at(resumed);
        }
        loop {
            match list.step().await? {
                Step::End(end) => return Ok(end),
                Step::At(target) => {
                    self.lists.go_on_at(Some(target), list.patience.restarts());
                    self.note().await;
                }
            }
        }
    }

    async fn ended(&mut self, told: Told) -> Result<(), Trouble> {
        self.line.list_ended();
        self.lists.end(told.at, told.end);
        self.lists.go_on_at(None, 0);
        if matches!(self.collection.parent, Parent::Each(..)) {
            // A dozen calls at most: read again rather than remembered which word had what.
            return Ok(());
        }
        let (lists, since) = self.noted;
        let place = self.lists.place();
        if place.lists >= lists + LISTS_A_CURSOR || (place.lists > lists && since.elapsed() >= TIME_A_CURSOR) {
            self.note().await;
        }
        Ok(())
    }

    /// Notes the place. A cursor that is lost costs reading again, so nobody waits for it.
    async fn note(&mut self) {
        self.lists.count(self.line.objects(), self.line.calls());
        let place = self.lists.place();
        self.noted = (place.lists, Instant::now());
        if let Ok(value) = serde_json::to_vec(place) {
            let content = Content::Cursor { name: self.collection.name.to_owned() };
            self.snapshot.org.lander.note(Origin::Snapshot, content, value).await;
        }
    }
}
