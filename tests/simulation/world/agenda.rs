//! Virtual time: what happens next.

use std::collections::BTreeMap;

use okta_ocsf::landing::LandingRecord;
use okta_ocsf::merge::inventory::Intent;

use super::snapshot::{Child, Top};

/// Something that happens at a moment. What a worker does carries its generation: one that has died does nothing more.
#[derive(Debug)]
pub enum Action {
    /// Something changes in the org.
    Mutate,
    /// Somebody signs in.
    SignIn,
    /// An event can be read in the System Log.
    Persist(usize),
    /// A message of the queue is received.
    Receive(usize),
    /// Permissions are narrowed, or as they were.
    Narrow(bool),
    /// Records come to the landing log.
    Append(Append),
    /// The owner takes a batch.
    Fold(u64),
    /// The outputs of the batch are acknowledged.
    Commit(u64),
    /// The owner looks whether it has caught up, so that its collector may begin.
    CatchUp(u64),
    /// The System Log is asked for news; again after that, or for the rest of a full page.
    Poll(u64, Round),
    /// The collector looks for fetches.
    Look(u64),
    /// Fetches are sent, once the committed state knows of it.
    Send { generation: u64, intents: Vec<Intent>, sent: i64 },
    /// Okta reads what was asked for.
    Read { generation: u64, intent: Intent, asked: i64 },
    /// Fetches have ended: their answers are landed, or that there are none.
    Ended(u64, usize),
    /// What has changed in the collections that can tell is listed.
    Relist(u64),
    /// A snapshot is due.
    Snapshot(u64),
    /// The next page of a list of the org.
    Page(u64, Top),
    /// The next lists within something.
    Lists(u64, Child),
    /// All collections may have ended.
    Finish(u64, i64),
    /// A worker dies or hands over.
    Trouble,
    /// A machine takes the partition.
    Take(usize),
    /// One that has lost the partition notices it.
    Notice(u64),
    /// History is read, from an event on.
    Backfill(usize),
}

/// Why the System Log is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    Regular,
    Rest,
}

/// Records on their way to the landing log.
#[derive(Debug)]
pub struct Append {
    pub from: Producer,
    pub records: Vec<LandingRecord>,
    /// What the producer does once they are acknowledged, and how long after.
    pub then: Option<(i64, Box<Action>)>,
}

/// Who lands something. What one of them sends stays in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Producer {
    Ingest,
    Collector(u64),
    Backfill,
}

/// Everything that is to happen.
#[derive(Debug, Default)]
pub struct Agenda {
    actions: BTreeMap<(i64, u64), Action>,
    orders: u64,
}

impl Agenda {
    pub fn at(&mut self, at: i64, action: Action) {
        self.orders += 1;
        self.actions.insert((at, self.orders), action);
    }

    /// What happens next, before a moment.
    pub fn next(&mut self, before: i64) -> Option<(i64, Action)> {
        let entry = self.actions.first_entry().filter(|entry| entry.key().0 < before)?;
        let at = entry.key().0;
        Some((at, entry.remove()))
    }
}
