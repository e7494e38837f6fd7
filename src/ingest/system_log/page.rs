//! A page of the log, ready to be landed.

use crate::ingest::{Poison, log_event};
use crate::landing::Content;
use crate::okta::OrgId;
use crate::okta::api::{Answer, Request};

/// What came of a request.
#[derive(Debug)]
pub(super) struct Page {
    /// Its events as records.
    pub events: Vec<(Content, Vec<u8>)>,
    /// What of it can never land.
    pub poison: Vec<Poison>,
    /// Where the log goes on, if Okta says so.
    pub next: Option<Request>,
    /// When it was asked for, ms by Okta's clock.
    pub asked: i64,
    /// It has as many events as were asked for, so there may be more at once.
    pub full: bool,
}

impl Page {
    /// Takes an answer apart. `most` is the largest value that a record may have.
    pub fn new(org: &OrgId, request: &Request, mut answer: Answer, most: usize) -> Self {
        let next = answer.next.take();
        let wanted = request.limit().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let full = answer.objects().len() >= wanted;
        let mut page = Self { events: Vec::new(), poison: Vec::new(), next, asked: answer.asked_ms, full };
        for object in answer.objects() {
            match log_event(object.json, org, most) {
                Ok(arrived) => {
                    let content = Content::Event { uuid: arrived.uuid, published: arrived.published };
                    page.events.push((content, arrived.value));
                }
                Err(poison) => page.poison.push(poison),
            }
        }
        page
    }

    /// How many events Okta gave.
    pub fn count(&self) -> u64 {
        (self.events.len() + self.poison.len()) as u64
    }
}
