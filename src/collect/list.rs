//! Reads one list, page by page: a page is landed while the next one is on its way.

use std::sync::Arc;

use jiff::Timestamp;

use super::observe::{Landed, List, Roster, Seen};
use super::org::{Org, Trouble};
use super::progress::Line;
use super::remedy::{ListEnd, Patience, Remedy};
use super::table::Collection;
use super::trail::Trail;
use crate::ack::NotDelivered;
use crate::landing::Origin;
use crate::okta::api::{Answer, ApiFault, Request, Verdict};
use crate::okta::quota::Priority;

/// Which list.
#[derive(Debug, Clone)]
pub(super) struct ListKey {
    pub key: Option<String>,
    pub word: Option<&'static str>,
}

/// What a list is read for.
#[derive(Debug, Clone)]
pub(super) struct Purpose {
    pub priority: Priority,
    pub origin: Origin,
    /// The snapshot that it is part of.
    pub epoch: Option<i64>,
    /// The rosters that its objects belong on.
    pub rosters: Arc<[Roster]>,
    /// It was certainly asked after this time, ms by Okta's clock, whatever the guess of that clock says.
    pub asked_after: i64,
}

/// The reader of one list.
pub(super) struct ListReader {
    org: Arc<Org>,
    purpose: Purpose,
    collection: &'static Collection,
    key: ListKey,
    line: Arc<Line>,
    /// With which pages that cannot be read are met.
    pub patience: Patience,
    trail: Trail,
    part: u32,
    /// Pages and objects that were read since the list began.
    pages: u32,
    objects: u64,
    /// What to ask for first, if it is not the first page.
    request: Option<Request>,
    /// A page that is not landed yet.
    page: Option<Page>,
    /// What the last step landed one by one, if somebody asks for it.
    landed: Vec<Seen>,
}

/// A page, as records.
struct Page {
    landed: Landed,
    next: Option<Request>,
}

/// What a step came to.
pub(super) enum Step {
    /// All before this place is landed.
    At(String),
    End(ListEnd),
}

impl ListReader {
    pub fn new(org: &Arc<Org>, purpose: Purpose, collection: &'static Collection, key: ListKey) -> Self {
        let patience = Patience::new(collection.page, 0);
        Self {
            org: Arc::clone(org),
            purpose,
            collection,
            key,
            line: org.progress.of(collection.name),
            patience,
            trail: Trail::default(),
            part: 0,
            pages: 0,
            objects: 0,
            request: None,
            page: None,
            landed: Vec::new(),
        }
    }

    /// The reader of what has changed since a time, ms by Okta's clock. `None` if the collection does not tell that.
    pub fn of_changes(org: &Arc<Org>, purpose: Purpose, collection: &'static Collection, since: i64) -> Option<Self> {
        let time = Timestamp::from_millisecond(since).unwrap_or(Timestamp::MIN);
        let request = collection.changes_request(None, &format!("{time:.3}"))?;
        let mut list = Self::new(org, purpose, collection, ListKey { key: None, word: None });
        list.begin_at(request);
        Some(list)
    }

    /// What asks for the first page, in pages as large as turned out to be possible.
    pub fn first(&self) -> Request {
        let first = self.collection.first_request(self.key.key.as_deref(), self.key.word);
        match self.patience.reduced() {
            Some(size) => first.with_limit(size),
            None => first,
        }
    }

    /// Begins at another request than that for the first page.
    pub fn begin_at(&mut self, request: Request) {
        self.patience.goes_by(request.limit());
        self.request = Some(request);
    }

    /// From the beginning again: what was read counts no more.
    fn restart(&mut self) -> Request {
        self.line.forget(self.objects);
        (self.part, self.pages, self.objects, self.trail) = (0, 0, 0, Trail::default());
        self.first()
    }

    /// Lands a page and fetches the next.
    pub async fn step(&mut self) -> Result<Step, Trouble> {
        let page = match self.page.take() {
            Some(page) => page,
            None => {
                let request = self.request.take().unwrap_or_else(|| self.first());
                match self.fetch(request).await? {
                    Ok(page) => page,
                    Err(end) => return Ok(Step::End(end)),
                }
            }
        };
        let Page { landed, next } = page;
        let unfit = landed.unfit;
        if self.purpose.epoch.is_none() {
            self.landed = landed.seen();
        }
        let (org, origin) = (Arc::clone(&self.org), self.purpose.origin);
        let land = land(&org, origin, landed);
        let circle = next.as_ref().is_some_and(|next| !self.trail.goes_on(next.target()));
        let Some(next) = next.filter(|_| unfit == 0 && !circle) else {
            if let Some(refused) = land.await? {
                return Ok(Step::End(refused));
            }
            return Ok(Step::End(if unfit > 0 {
                ListEnd::Failed(format!("{unfit} objects are larger than the landing log takes"))
            } else if circle {
                ListEnd::Failed("the pages lead back to one that was read before".into())
            } else {
                ListEnd::Read
            }));
        };
        let place = next.target();
        let (landed, fetched) = tokio::join!(land, self.fetch(next));
        if let Some(refused) = landed? {
            return Ok(Step::End(refused));
        }
        Ok(match fetched? {
            Ok(page) => {
                self.page = Some(page);
                Step::At(place)
            }
            Err(end) => Step::End(end),
        })
    }

    /// Reads on to the end.
    pub async fn read_to_end(mut self) -> Result<ListEnd, Trouble> {
        loop {
            if let Step::End(end) = self.step().await? {
                return Ok(end);
            }
        }
    }

    /// The objects that the last step landed one by one, of a list that is not part of a snapshot.
    pub fn take_landed(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.landed)
    }

    /// Reads a page, or says how the list ends instead.
    async fn fetch(&mut self, mut request: Request) -> Result<Result<Page, ListEnd>, Trouble> {
        loop {
            let fault = match self.ask(&request).await {
                Ok(answer) => {
                    self.patience.succeeded();
                    return Ok(Ok(self.take(answer)));
                }
                Err(fault) => fault,
            };
            match self.patience.after(&fault) {
                Remedy::Again => {}
                Remedy::After(pause) => {
                    tracing::debug!(collection = self.collection.name, %fault, "a page is asked for again later");
                    self.org.pace().sleep(pause).await;
                }
                Remedy::Smaller(size) => request = request.with_limit(size),
                Remedy::Restart => request = self.restart(),
                // What was there a page ago may be gone, or only this page of it: the first page tells.
                Remedy::End(ListEnd::Gone) if self.pages > 0 && self.patience.may_restart() => {
                    request = self.restart();
                }
                // What is not within anything cannot be gone: the org does not have it.
                Remedy::End(ListEnd::Gone) if self.key.key.is_none() => return Ok(Err(ListEnd::Off)),
                Remedy::End(end) => return Ok(Err(end)),
                // An endpoint that takes another kind of login shuts nobody out of the others.
                Remedy::NoWayIn(why) if self.is_let_in().await => return Ok(Err(ListEnd::Refused(why))),
                Remedy::NoWayIn(why) => return Err(Trouble::NoWayIn(why)),
            }
        }
    }

    /// Whether only this endpoint shuts us out: it never let us in, and the org answers another question, be it with a
    /// refusal.
    async fn is_let_in(&self) -> bool {
        if self.line.has_answered() {
            return false;
        }
        let question = Request::one("/api/v1/org");
        let answer = self.org.client.get(&question, &self.org.gate.at(self.purpose.priority)).await;
        match answer {
            Ok(_) => true,
            Err(fault) => matches!(fault.verdict, Verdict::Forbidden { .. } | Verdict::Gone | Verdict::FeatureOff),
        }
    }

    async fn ask(&self, request: &Request) -> Result<Answer, ApiFault> {
        self.org.client.get(request, &self.line.counting(self.org.gate.at(self.purpose.priority))).await
    }

    fn take(&mut self, mut answer: Answer) -> Page {
        let next = answer.next.take();
        answer.asked_ms = answer.asked_ms.max(self.purpose.asked_after);
        answer.answered_ms = answer.answered_ms.max(answer.asked_ms);
        let list = List {
            collection: self.collection,
            key: self.key.key.as_deref(),
            epoch: self.purpose.epoch,
            rosters: &self.purpose.rosters,
        };
        let most = self.org.lander.max_value_bytes();
        let landed = list.records(&answer, &mut self.part, next.is_none(), most);
        (self.pages, self.objects) = (self.pages + 1, self.objects + landed.objects);
        self.line.read(landed.objects);
        Page { landed, next }
    }
}

/// Lands a page; gives how the list ends if the log will never take it.
async fn land(org: &Org, origin: Origin, page: Landed) -> Result<Option<ListEnd>, Trouble> {
    match org.lander.land(origin, page.records).await {
        Ok(()) => Ok(None),
        Err(NotDelivered::Refused(why)) => Ok(Some(ListEnd::Failed(format!("the landing log refuses a page: {why}")))),
        Err(error) => Err(Trouble::NotLanded(error)),
    }
}
