//! Follows one snapshot through the log.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use crate::collect::{Report, Row};
use crate::landing::{Content, LandedRecord, LandingWatch};
use crate::merge::snapshots::{Mark, Outcome};
use crate::okta::OrgId;

/// How long one look at the log may take, and so how late a stop is noticed.
const LOOK: Duration = Duration::from_millis(200);

/// When to say that nobody answers. A worker begins within a second, unless it is in the middle of another snapshot.
const UNANSWERED: Duration = Duration::from_secs(30);

/// What is heard of a snapshot.
pub(super) enum News {
    /// Nobody has begun it yet.
    Unanswered(OrgId),
    /// It begins, with so many collections.
    Begun(OrgId, usize),
    /// How far it is.
    Progress(OrgId, Box<Report>),
    /// One of its collections has ended.
    Collection(OrgId, Row),
    /// It has ended.
    Ended(Box<Followed>),
}

/// A snapshot that was followed to its end.
pub(super) struct Followed {
    pub org: OrgId,
    pub epoch: i64,
    pub engine: String,
    /// Why it was given up, if it was.
    pub aborted: Option<String>,
    /// The last that was told of it.
    pub report: Report,
    /// Its collections, in the order of the plan.
    pub rows: Vec<Row>,
}

/// Follows the snapshot that answers a request, on a thread of its own, until it ends or `stop`.
pub(super) fn start(
    org: OrgId,
    request: String,
    watch: Box<dyn LandingWatch>,
    news: Sender<News>,
    stop: CancellationToken,
) {
    let follower = Follower { org, request, news, asked: Instant::now(), snapshot: None };
    tokio::task::spawn_blocking(move || follower.run(watch, &stop));
}

struct Follower {
    org: OrgId,
    request: String,
    news: Sender<News>,
    asked: Instant,
    snapshot: Option<Followed>,
}

impl Follower {
    fn run(mut self, mut watch: Box<dyn LandingWatch>, stop: &CancellationToken) {
        let mut told = false;
        while !stop.is_cancelled() {
            if self.snapshot.is_none() && !told && self.asked.elapsed() > UNANSWERED {
                told = true;
                self.say(News::Unanswered(self.org.clone()));
            }
            match watch.next(LOOK) {
                Ok(Some(record)) => {
                    if self.hear(record) {
                        return;
                    }
                }
                Ok(None) => {}
                // A log that does not answer for a while comes back; the person sees that nothing moves.
                Err(_) => std::thread::sleep(LOOK),
            }
        }
    }

    /// True when it was the end.
    fn hear(&mut self, record: LandedRecord) -> bool {
        let Ok(record) = record.content else { return false };
        let Content::Mark { name } = &record.content else { return false };
        if record.org != self.org {
            return false;
        }
        if name == "snapshot_progress" {
            if let Ok(report) = serde_json::from_slice::<Report>(&record.value) {
                self.progress(report);
            }
            return false;
        }
        match Mark::read(name, &record.value) {
            Ok(Mark::Begun(begun)) if begun.requests.contains(&self.request) => {
                self.say(News::Begun(self.org.clone(), begun.collections.len()));
                let row = |name: &String| Row { name: name.clone(), ..Row::default() };
                self.snapshot = Some(Followed {
                    org: self.org.clone(),
                    epoch: begun.epoch,
                    engine: begun.engine,
                    aborted: None,
                    report: Report::default(),
                    rows: begun.collections.iter().map(row).collect(),
                });
                false
            }
            // It has no end mark of its own then.
            Ok(Mark::Begun(begun)) => match self.snapshot.take_if(|known| known.epoch < begun.epoch) {
                Some(snapshot) => self.end(snapshot, Some("another snapshot began".into())),
                None => false,
            },
            Ok(Mark::CollectionEnded(ended)) => {
                let Some(snapshot) = self.snapshot.as_mut().filter(|known| known.epoch == ended.epoch) else {
                    return false;
                };
                let at = snapshot.rows.iter().position(|row| row.name == ended.collection);
                let at = at.unwrap_or_else(|| {
                    // Single objects were read: nobody has planned their collection.
                    snapshot.rows.push(Row { name: ended.collection.clone(), ..Row::default() });
                    snapshot.rows.len() - 1
                });
                let Some(row) = snapshot.rows.get_mut(at) else { return false };
                (row.objects, row.calls) = (ended.objects, ended.calls);
                row.verdict = Some(ended.outcome.word().to_owned());
                row.detail = ended.outcome.detail().map(str::to_owned);
                let row = row.clone();
                self.say(News::Collection(self.org.clone(), row));
                false
            }
            Ok(Mark::Ended(ended)) => match self.snapshot.take_if(|known| known.epoch == ended.epoch) {
                Some(snapshot) => self.end(snapshot, ended.aborted),
                None => false,
            },
            _ => false,
        }
    }

    fn end(&self, snapshot: Followed, aborted: Option<String>) -> bool {
        self.say(News::Ended(Box::new(Followed { aborted, ..snapshot })));
        true
    }

    fn progress(&mut self, report: Report) {
        if let Some(snapshot) = self.snapshot.as_mut().filter(|known| known.epoch == report.epoch) {
            snapshot.report = report.clone();
            self.say(News::Progress(self.org.clone(), Box::new(report)));
        }
    }

    fn say(&self, news: News) {
        // Whoever listened has left only if the process ends.
        let _ = self.news.blocking_send(news);
    }
}

impl Followed {
    /// Whether nothing is missing that should be there. `named` are collections that were asked for by name.
    pub fn is_fine(&self, named: &dyn Fn(&str) -> bool) -> bool {
        let fine = |row: &Row| match row.verdict.as_deref() {
            Some("complete") => true,
            Some("forbidden" | "feature_off") => !named(&row.name),
            _ => false,
        };
        self.aborted.is_none() && self.rows.iter().all(fine)
    }

    /// For machines.
    pub fn to_json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            json!({
                "collection": row.name, "verdict": row.verdict, "detail": row.detail,
                "objects": row.objects, "calls": row.calls,
            })
        });
        json!({
            "org": self.org.as_str(), "epoch": self.epoch, "engine": self.engine, "aborted": self.aborted,
            "elapsed_ms": self.report.elapsed_ms, "calls": self.calls(), "refused": self.report.refused,
            "collections": rows.collect::<Vec<_>>(),
        })
    }

    /// Calls in all.
    pub fn calls(&self) -> u64 {
        self.rows.iter().map(|row| row.calls).sum()
    }

    /// How many collections ended so.
    pub fn count(&self, outcome: &str) -> usize {
        debug_assert!(Outcome::WORDS.contains(&outcome));
        self.rows.iter().filter(|row| row.verdict.as_deref() == Some(outcome)).count()
    }
}
