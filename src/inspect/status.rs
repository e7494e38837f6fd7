use serde::{Deserialize, Serialize};

use super::{States, here};
use crate::collect::Collection;
use crate::merge::StoreError;
use crate::merge::inventory::freshness;
use crate::merge::inventory::reports::{alerts, pending};
use crate::merge::snapshots::Snapshots;
use crate::merge::system_log;
use crate::okta::OrgId;

/// How one org stands. Times are ms since the Unix epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OrgStatus {
    /// Which.
    pub org: String,
    /// Its partition of the landing log.
    pub partition: i32,
    /// Whether its state is here; if not, nothing else is known here.
    pub here: bool,
    /// The snapshot that runs.
    pub running: Option<Running>,
    /// When the last snapshot of all that is configured began, and why it was given up, if it was.
    pub last_snapshot: Option<i64>,
    /// Why it was given up.
    pub last_aborted: Option<String>,
    /// Records of the inventory that wait to be published.
    pub waiting: u64,
    /// The collections that were ever read.
    pub collections: Vec<CollectionStatus>,
    /// The System Log.
    pub log: LogStatus,
    /// What a person should see to.
    pub alerts: Vec<String>,
}

/// A snapshot that runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// When it began.
    pub epoch: i64,
    /// Collections that have ended.
    pub ended: usize,
    /// Collections in all.
    pub collections: usize,
}

/// How one collection stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CollectionStatus {
    /// Its name.
    pub collection: String,
    /// The facet that it tells.
    pub facet: String,
    /// How its last reading ended.
    pub verdict: Option<String>,
    /// What is missing, or why it is not complete.
    pub detail: Option<String>,
    /// The last snapshot that read it completely.
    pub last_complete: Option<i64>,
    /// What is there, and what is known to be gone.
    pub live: u64,
    /// As above.
    pub gone: u64,
    /// How long ago what is there was last seen to be so, ms: half, 99 of 100 and all are no staler.
    pub staleness_ms: Option<[i64; 3]>,
    /// Fetches that are open.
    pub open_intents: u64,
    /// Changes that no event announced.
    pub drift: u64,
}

/// How the System Log of one org stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogStatus {
    /// Everything that Okta had persisted by then was read by the poll.
    pub read_to: Option<i64>,
    /// `published` of the newest event that the stream brought.
    pub newest_by_stream: Option<i64>,
    /// What is wrong with the stream now.
    pub alarm: Option<String>,
    /// Since when.
    pub alarm_since: Option<i64>,
    /// Gaps that are healed: from, until, events that came by other ways.
    pub gaps: Vec<(i64, i64, u64)>,
    /// Times of which events may be missing for good.
    pub lost: Vec<(i64, i64)>,
}

/// How an org stands at a time.
pub(super) fn status(org: &str, states: &dyn States, now: i64) -> Result<OrgStatus, StoreError> {
    let partition = crate::kafka::partition_of(org.as_bytes(), states.partitions());
    let nothing = OrgStatus { org: org.to_owned(), partition, ..OrgStatus::default() };
    let Some(state) = here(states, org) else { return Ok(nothing) };
    let id = OrgId::new(org);
    let snapshots = state.snapshots(&id)?.unwrap_or_default();
    let waiting = pending(state, &id)?;
    let running = snapshots.running.as_ref().map(|run| Running {
        epoch: run.epoch,
        ended: run.readings.values().filter(|reading| reading.ended.is_some()).count(),
        collections: run.readings.len(),
    });
    Ok(OrgStatus {
        here: true,
        running,
        last_snapshot: snapshots.last_whole.as_ref().map(|last| last.epoch),
        last_aborted: snapshots.last_whole.as_ref().and_then(|last| last.aborted.clone()),
        waiting: waiting.users,
        collections: collections(&snapshots, freshness(state, &id, now)?),
        log: log(&system_log::standing(state, &id)?),
        alerts: alerts(state, &id)?.into_iter().map(|alert| alert.says).collect(),
        ..nothing
    })
}

fn collections(snapshots: &Snapshots, fresh: Vec<crate::merge::inventory::Freshness>) -> Vec<CollectionStatus> {
    let mut rows: Vec<CollectionStatus> = fresh
        .into_iter()
        .map(|row| CollectionStatus {
            collection: row.collection.to_owned(),
            facet: row.facet.to_owned(),
            last_complete: row.last_complete,
            live: row.live,
            gone: row.gone,
            staleness_ms: row.staleness.map(|staleness| [staleness.p50, staleness.p99, staleness.max]),
            open_intents: row.open_intents,
            drift: row.drift.all(),
            ..CollectionStatus::default()
        })
        .collect();
    for (name, standing) in &snapshots.standings {
        let known = rows.iter().position(|row| row.collection == *name);
        let at = known.unwrap_or_else(|| {
            let facet = Collection::find(name).map_or("", |collection| collection.facet);
            rows.push(CollectionStatus { collection: name.clone(), facet: facet.into(), ..Default::default() });
            rows.len() - 1
        });
        if let Some(row) = rows.get_mut(at) {
            row.verdict = Some(standing.outcome.word().to_owned());
            row.detail = standing.outcome.detail().map(str::to_owned);
            row.last_complete = standing.last_complete.or(row.last_complete);
        }
    }
    rows.sort_by(|one, other| one.collection.cmp(&other.collection));
    rows
}

fn log(standing: &system_log::Standing) -> LogStatus {
    let alarm = standing.watch.as_ref().and_then(|watch| watch.alarm.as_ref());
    LogStatus {
        read_to: standing.read_to,
        newest_by_stream: standing.newest_by_stream,
        alarm: alarm.map(|alarm| alarm.reason.word().to_owned()),
        alarm_since: alarm.map(|alarm| alarm.since),
        gaps: standing.gaps.iter().map(|gap| (gap.from, gap.until, gap.recovered)).collect(),
        lost: standing.lost.clone(),
    }
}
