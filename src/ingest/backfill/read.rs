//! Reads one slice, page by page: a page is landed while the next one is on its way.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::job::Job;
use super::land::{Events, Lander, Trouble};
use super::plan::{Page, Slice, Stage};
use super::progress::Progress;
use super::remedy::{PAGE, Patience, Remedy};
use super::span::RETENTION_MS;
use crate::crash_point;
use crate::error::{ExitStatus, Fatal};
use crate::okta::api::{Answer, ApiFault, Client, Request};
use crate::okta::gate::Gate;
use crate::okta::quota::Priority;

/// Where the log is.
pub(super) const PATH: &str = "/api/v1/logs";

/// One org's log, as whoever reads it sees it.
pub(super) struct Log {
    pub client: Client,
    pub gate: Gate,
    pub filter: Option<String>,
    pub progress: Arc<Progress>,
    pub stop: CancellationToken,
}

impl Log {
    /// Asks for what happened in a time, oldest first.
    pub fn between(&self, since: i64, until: i64, limit: u32) -> Result<Request, Fatal> {
        let time = |ms: i64| {
            let time = Timestamp::from_millisecond(ms);
            let wrong = |error| Fatal::new(ExitStatus::Software, format!("{ms} ms is no time")).because(error);
            time.map(|time| format!("{time:.3}")).map_err(wrong)
        };
        let request = Request::list(PATH)
            .id_key("uuid")
            .query("since", &time(since)?)
            .query("until", &time(until)?)
            .query("sortOrder", "ASCENDING")
            .query("limit", &limit.to_string());
        Ok(match &self.filter {
            Some(filter) => request.query("filter", filter),
            None => request,
        })
    }

    /// Asks when the limiter says so, unless the process is to stop.
    pub async fn ask(&self, request: &Request) -> Result<Result<Answer, ApiFault>, Trouble> {
        let meter = self.gate.at(Priority::Snapshot);
        tokio::select! {
            answer = self.client.get(request, &meter) => Ok(answer),
            () = self.stop.cancelled() => Err(Trouble::Stopped),
        }
    }

    /// Does what is to be done about trouble that only takes time.
    pub async fn pause(&self, pause: std::time::Duration, fault: &ApiFault) -> Result<(), Trouble> {
        self.progress.waits(fault.to_string());
        let pace = self.gate.pace();
        tokio::select! {
            () = pace.sleep(pause) => Ok(()),
            () = self.stop.cancelled() => Err(Trouble::Stopped),
        }
    }

    /// Before this Okta has dropped everything.
    pub fn oldest(&self) -> i64 {
        self.client.now_ms() - RETENTION_MS
    }
}

/// A job, and what it takes to do it.
pub(super) struct Work {
    pub log: Log,
    pub job: Job,
    pub lander: Lander,
}

/// Reads slices for as long as there is anything that nobody else reads, or that can be taken off somebody.
pub(super) async fn read_slices(work: Arc<Work>) -> Result<(), Trouble> {
    loop {
        work.job.lose_before(work.log.oldest());
        let claimed = tokio::select! {
            claimed = work.job.claim() => claimed,
            () = work.log.stop.cancelled() => return Err(Trouble::Stopped),
        };
        let Some(slice) = claimed else { return Ok(()) };
        let since = slice.since;
        Reader { work: &work, slice, patience: Patience::default(), size: PAGE }.read().await?;
        work.job.give_back(since);
    }
}

struct Reader<'w> {
    work: &'w Work,
    /// As the job has it, but for its end: that may have come nearer since the last page.
    slice: Slice,
    patience: Patience,
    /// Events in a page.
    size: u32,
}

/// What was asked for, and what came of it.
struct Asked {
    /// Unless it was the page behind another.
    from: Option<i64>,
    target: String,
    answer: Result<Answer, ApiFault>,
}

impl Reader<'_> {
    async fn read(mut self) -> Result<(), Trouble> {
        let mut ahead = None;
        while !self.slice.is_read_through() {
            let asked = match ahead.take() {
                Some(asked) => asked,
                None => self.ask().await?,
            };
            ahead = match asked.answer {
                Ok(answer) => self.take(asked.from, &asked.target, answer).await?,
                Err(fault) => {
                    self.meet(&fault).await?;
                    None
                }
            };
        }
        if self.work.log.filter.is_none() {
            // A mark must come again as it was after a crash, so the edges that it names are on disk before it.
            self.work.job.save().await?;
            // What a filter left out is not in the log, so nobody may take the slice for complete.
            self.work.lander.mark(&self.slice).await?;
            crash_point!("backfill_slice_marked");
        }
        self.work.job.change(&mut self.slice, |slice| slice.stage = Stage::Read);
        self.work.job.save().await?;
        crash_point!("backfill_slice_kept");
        Ok(())
    }

    async fn ask(&mut self) -> Result<Asked, Trouble> {
        let (from, request) = self.request()?;
        let target = request.target();
        Ok(Asked { from, target, answer: self.work.log.ask(&request).await? })
    }

    /// What to ask for next: the page that Okta named, if it is one of this list, or the time behind what is read.
    fn request(&mut self) -> Result<(Option<i64>, Request), Trouble> {
        let from = self.slice.ask_from(self.work.job.span().since);
        let by_time = self.work.log.between(from, self.slice.until, self.size)?;
        let Some(next) = &self.slice.next else { return Ok((Some(from), by_time)) };
        match by_time.resume(next) {
            Ok(request) => Ok((None, request.with_limit(self.size))),
            Err(verdict) => {
                tracing::warn!(%verdict, "the job file names a page that is not of the log; it is sought by time");
                self.work.job.change(&mut self.slice, Slice::seek);
                self.request_by_time()
            }
        }
    }

    fn request_by_time(&self) -> Result<(Option<i64>, Request), Trouble> {
        let from = self.slice.ask_from(self.work.job.span().since);
        Ok((Some(from), self.work.log.between(from, self.slice.until, self.size)?))
    }

    /// Lands a page while the next one is fetched, and takes note of it.
    async fn take(&mut self, from: Option<i64>, target: &str, mut answer: Answer) -> Result<Option<Asked>, Trouble> {
        let Work { log, job, lander } = self.work;
        let next = answer.next.take();
        let page = Events::new(answer, lander.most_bytes());
        let events = page.fine();
        let place = next.as_ref().map(|next| next.target());
        let before = self.slice.position();
        let newest = events.iter().map(|(_, published)| *published).max();
        let taken = Page { asked_from: from, events: &events, bytes: page.bytes(), next: place.clone() };
        let ends = job.change(&mut self.slice, |slice| slice.ends_within(&taken));
        // In a list that is in the order of time, each page has something newer than the one before, or as new.
        let goes_back = from.is_none() && newest.is_some_and(|newest| newest < before);
        let circle = !ends && (goes_back || place.as_deref() == Some(target));
        let fetch = async {
            match next.as_ref().filter(|_| !ends && !circle) {
                Some(next) => log.ask(next).await.map(Some),
                None => Ok(None),
            }
        };
        let (landed, fetched) = tokio::join!(lander.events(&page), fetch);
        landed?;
        crash_point!("backfill_page_landed");
        job.change(&mut self.slice, |slice| slice.take(&taken));
        if self.slice.position() > before {
            self.patience.succeeded();
        }
        if circle {
            let remedy = self.patience.after_circle();
            self.apply(remedy, None).await?;
        }
        job.note().await?;
        crash_point!("backfill_page_noted");
        let answer = fetched?;
        Ok(answer.zip(place).map(|(answer, target)| Asked { from: None, target, answer }))
    }

    async fn meet(&mut self, fault: &ApiFault) -> Result<(), Trouble> {
        let remedy = self.patience.after(fault, self.size, self.slice.can_halve());
        tracing::debug!(%fault, ?remedy, "a page cannot be read");
        self.apply(remedy, Some(fault)).await
    }

    async fn apply(&mut self, remedy: Remedy, fault: Option<&ApiFault>) -> Result<(), Trouble> {
        match (remedy, fault) {
            (Remedy::After(pause), Some(fault)) => self.work.log.pause(pause, fault).await?,
            (Remedy::Again | Remedy::After(_), _) => {}
            (Remedy::Smaller(size), _) => self.size = size,
            (Remedy::Seek, _) => self.work.job.change(&mut self.slice, Slice::seek),
            (Remedy::Halve, _) => {
                if self.work.job.halve(&mut self.slice) {
                    self.work.job.save().await?;
                }
            }
            (Remedy::GiveUp(fatal), _) => return Err(fatal.into()),
        }
        Ok(())
    }
}
