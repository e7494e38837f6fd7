//! Reads one collection: its lists, some at a time, page by page, each landed before the place behind it is noted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::lists::{Next, Source};
use super::observe::{List, Roster};
use super::org::{Org, Trouble};
use super::remedy::{ListEnd, Patience, Remedy};
use super::table::{Collection, Parent};
use super::trail::Trail;
use super::verdict::Lists;
use crate::landing::{Content, Origin};
use crate::merge::snapshots::{Outcome, Place, Reading};
use crate::okta::api::{Answer, ApiFault, Request};
use crate::okta::quota::Priority;

/// Lists of one collection that are read at once. At 250 ms a call this is 64 calls a second: a minute's share of any
/// bucket within ten seconds, so that no window ends with calls left. How many go at once is for the limiter to say.
const LISTS_AT_ONCE: usize = 16;

/// Keys that are looked up at a time.
const KEYS_AT_ONCE: usize = 256;

/// A cursor is noted when so many lists have ended, or when so much time has passed: what a crash reads again.
const LISTS_A_CURSOR: u64 = 100;
const TIME_A_CURSOR: Duration = Duration::from_secs(1);

/// What all readings of a snapshot share.
pub(super) struct Snapshot {
    pub org: Arc<Org>,
    pub epoch: i64,
    pub rosters: Vec<Roster>,
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
    /// How many lists the last cursor passed, and when it was noted.
    noted: (u64, Instant),
    /// Where the only list of a collection goes on.
    resume: Option<String>,
}

/// Which list.
#[derive(Debug, Clone)]
pub(super) struct ListKey {
    pub key: Option<String>,
    pub word: Option<&'static str>,
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
            while self.running.len() < LISTS_AT_ONCE && !self.lists.hopeless() {
                let Some((at, key)) = self.waiting.pop_front() else { break };
                self.start(at, key).await?;
            }
            if self.lists.hopeless() && self.running.is_empty() {
                return Ok(within);
            }
            let wanted = more && self.waiting.is_empty() && !self.lists.hopeless();
            tokio::select! {
                Some(told) = self.running.join_next(), if !self.running.is_empty() => {
                    let told = told.map_err(|error| Trouble::Stopped(error.to_string()))??;
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
            let end = self.read_alone(&key).await?;
            return self.ended(Told { at, end }).await;
        }
        let mut list = ListReader::new(&self.snapshot, self.collection, key);
        self.running.spawn(async move {
            let mut request = list.first();
            loop {
                match list.page(request).await? {
                    Step::Next(next) => request = next,
                    Step::End(end) => return Ok(Told { at, end }),
                }
            }
        });
        Ok(())
    }

    /// The only list of a collection: its places are noted page by page.
    async fn read_alone(&mut self, key: &ListKey) -> Result<ListEnd, Trouble> {
        let mut list = ListReader::new(&self.snapshot, self.collection, key.clone());
        list.patience = Patience::new(self.collection.page, self.lists.place().restarts);
        let first = list.first();
        let mut request = match self.resume.take().map(|target| first.resume(&target)) {
            Some(Ok(resumed)) => resumed,
            // A stored place of a table that has changed since is no place of this list.
            Some(Err(_)) | None => first,
        };
        loop {
            match list.page(request).await? {
                Step::End(end) => return Ok(end),
                Step::Next(next) => {
                    self.lists.go_on_at(Some(next.target()), list.patience.restarts());
                    self.note().await;
                    request = next;
                }
            }
        }
    }

    async fn ended(&mut self, told: Told) -> Result<(), Trouble> {
        self.snapshot.org.progress.of(self.collection.name).list_ended();
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
        let line = self.snapshot.org.progress.of(self.collection.name);
        self.lists.count(line.objects(), line.calls());
        let place = self.lists.place();
        self.noted = (place.lists, Instant::now());
        if let Ok(value) = serde_json::to_vec(place) {
            let content = Content::Cursor { name: self.collection.name.to_owned() };
            self.snapshot.org.lander.note(Origin::Snapshot, content, value).await;
        }
    }
}

/// Reads one list.
struct ListReader {
    snapshot: Arc<Snapshot>,
    collection: &'static Collection,
    key: ListKey,
    patience: Patience,
    trail: Trail,
    part: u32,
}

/// What comes after a page.
enum Step {
    Next(Request),
    End(ListEnd),
}

impl ListReader {
    fn new(snapshot: &Arc<Snapshot>, collection: &'static Collection, key: ListKey) -> Self {
        let patience = Patience::new(collection.page, 0);
        Self { snapshot: Arc::clone(snapshot), collection, key, patience, trail: Trail::default(), part: 0 }
    }

    fn first(&self) -> Request {
        self.collection.first_request(self.key.key.as_deref(), self.key.word)
    }

    /// Reads a page and lands it.
    async fn page(&mut self, mut request: Request) -> Result<Step, Trouble> {
        let answer = loop {
            let fault = match self.ask(&request).await {
                Ok(answer) => break answer,
                Err(fault) => fault,
            };
            match self.patience.after(&fault) {
                Remedy::Again => {}
                Remedy::After(pause) => {
                    tracing::debug!(collection = self.collection.name, %fault, "a page is asked for again later");
                    self.snapshot.org.pace().sleep(pause).await;
                }
                Remedy::Smaller(size) => request = request.with_limit(size),
                Remedy::Restart => {
                    (self.part, self.trail) = (0, Trail::default());
                    request = self.first();
                }
                // What is not within anything cannot be gone: the org does not have it.
                Remedy::End(ListEnd::Gone) if self.key.key.is_none() => return Ok(Step::End(ListEnd::Off)),
                Remedy::End(end) => return Ok(Step::End(end)),
                Remedy::NoWayIn(why) => return Err(Trouble::NoWayIn(why)),
            }
        };
        self.patience.succeeded();
        self.land(answer).await
    }

    async fn ask(&self, request: &Request) -> Result<Answer, ApiFault> {
        let org = &self.snapshot.org;
        let priority = if self.collection.audit { Priority::Audit } else { Priority::Snapshot };
        let line = org.progress.of(self.collection.name);
        org.client.get(request, &line.counting(org.gate.at(priority))).await
    }

    async fn land(&mut self, mut answer: Answer) -> Result<Step, Trouble> {
        let org = &self.snapshot.org;
        let next = answer.next.take();
        let list = List {
            collection: self.collection,
            key: self.key.key.as_deref(),
            epoch: Some(self.snapshot.epoch),
            rosters: &self.snapshot.rosters,
        };
        let page = list.records(&answer, &mut self.part, next.is_none(), org.lander.max_value_bytes());
        drop(answer);
        let origin = if self.collection.audit { Origin::Audit } else { Origin::Snapshot };
        org.lander.land(origin, page.records).await.map_err(Trouble::NotLanded)?;
        org.progress.of(self.collection.name).landed(page.objects);
        if page.too_large > 0 {
            let why = format!("{} objects are larger than the landing log takes", page.too_large);
            return Ok(Step::End(ListEnd::Failed(why)));
        }
        Ok(match next {
            None => Step::End(ListEnd::Read),
            Some(next) if self.trail.goes_on(next.target()) => Step::Next(next),
            Some(_) => Step::End(ListEnd::Failed("the pages lead back to one that was read before".into())),
        })
    }
}
