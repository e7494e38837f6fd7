//! Reads one list, page by page: a page is landed while the next one is on its way.

use std::sync::Arc;

use super::observe::{Landed, List, Roster};
use super::org::{Org, Trouble};
use super::remedy::{ListEnd, Patience, Remedy};
use super::table::Collection;
use super::trail::Trail;
use crate::landing::Origin;
use crate::okta::api::{Answer, ApiFault, Request};
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
}

/// The reader of one list.
pub(super) struct ListReader {
    org: Arc<Org>,
    purpose: Purpose,
    collection: &'static Collection,
    key: ListKey,
    /// With which pages that cannot be read are met.
    pub patience: Patience,
    trail: Trail,
    part: u32,
    /// What to ask for first, if it is not the first page.
    pub request: Option<Request>,
    /// A page that is not landed yet.
    page: Option<Page>,
    /// Keys of the objects that the last step landed.
    landed: Vec<String>,
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
        let org = Arc::clone(org);
        Self {
            org,
            purpose,
            collection,
            key,
            patience,
            trail: Trail::default(),
            part: 0,
            request: None,
            page: None,
            landed: Vec::new(),
        }
    }

    /// What asks for the first page.
    pub fn first(&self) -> Request {
        self.collection.first_request(self.key.key.as_deref(), self.key.word)
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
        let too_large = landed.too_large;
        self.landed = landed.keys();
        let (org, origin) = (Arc::clone(&self.org), self.purpose.origin);
        let land = land(&org, origin, self.collection, landed);
        let circle = next.as_ref().is_some_and(|next| !self.trail.goes_on(next.target()));
        let Some(next) = next.filter(|_| too_large == 0 && !circle) else {
            land.await?;
            return Ok(Step::End(if too_large > 0 {
                ListEnd::Failed(format!("{too_large} objects are larger than the landing log takes"))
            } else if circle {
                ListEnd::Failed("the pages lead back to one that was read before".into())
            } else {
                ListEnd::Read
            }));
        };
        let place = next.target();
        let (landed, fetched) = tokio::join!(land, self.fetch(next));
        landed?;
        Ok(match fetched? {
            Ok(page) => {
                self.page = Some(page);
                Step::At(place)
            }
            Err(end) => Step::End(end),
        })
    }

    /// The keys of the objects that the last step landed one by one.
    pub fn take_landed(&mut self) -> Vec<String> {
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
                Remedy::Restart => {
                    (self.part, self.trail) = (0, Trail::default());
                    request = self.first();
                }
                // What is not within anything cannot be gone: the org does not have it.
                Remedy::End(ListEnd::Gone) if self.key.key.is_none() => return Ok(Err(ListEnd::Off)),
                Remedy::End(end) => return Ok(Err(end)),
                Remedy::NoWayIn(why) => return Err(Trouble::NoWayIn(why)),
            }
        }
    }

    async fn ask(&self, request: &Request) -> Result<Answer, ApiFault> {
        let line = self.org.progress.of(self.collection.name);
        self.org.client.get(request, &line.counting(self.org.gate.at(self.purpose.priority))).await
    }

    fn take(&mut self, mut answer: Answer) -> Page {
        let next = answer.next.take();
        let list = List {
            collection: self.collection,
            key: self.key.key.as_deref(),
            epoch: self.purpose.epoch,
            rosters: &self.purpose.rosters,
        };
        let most = self.org.lander.max_value_bytes();
        Page { landed: list.records(&answer, &mut self.part, next.is_none(), most), next }
    }
}

async fn land(org: &Org, origin: Origin, collection: &Collection, page: Landed) -> Result<(), Trouble> {
    org.lander.land(origin, page.records).await.map_err(Trouble::NotLanded)?;
    org.progress.of(collection.name).landed(page.objects);
    Ok(())
}
