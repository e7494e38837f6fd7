//! Runs one snapshot: every collection of its plan at once, as far as the quota lets them.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::observe::{Roster, record};
use super::org::{Org, Trouble};
use super::reading::{Snapshot, read};
use super::table::Collection;
use crate::landing::{Content, Origin};
use crate::merge::snapshots::{CollectionEnded, Ended, Mark, Outcome, Place, Run};
use crate::telemetry::metrics;

/// How often those who watch are told how far it is: what a person sees as moving.
const BETWEEN_REPORTS: Duration = Duration::from_secs(2);

/// Reads what is left of a snapshot, and ends it.
pub(super) async fn run(org: &Arc<Org>, run: Run) -> Result<(), Trouble> {
    let before = org.standing()?.standings;
    let collections: Vec<&'static Collection> = run.readings.keys().filter_map(|name| Collection::find(name)).collect();
    org.progress.begin(collections.iter().filter_map(|collection| {
        let reading = run.readings.get(collection.name)?;
        let objects = before.get(collection.name).map_or(0, |standing| standing.objects);
        Some((*collection, &reading.place, reading.ended.clone(), objects))
    }));
    let snapshot =
        Arc::new(Snapshot { org: Arc::clone(org), epoch: run.epoch, rosters: Roster::all(&collections).into() });
    let is_open = |collection: &&'static Collection| {
        run.readings.get(collection.name).is_some_and(|reading| reading.ended.is_none())
    };
    let mut open: Vec<&'static Collection> = collections.into_iter().filter(is_open).collect();
    let read = read_all(&snapshot, &run, &mut open).await;
    let aborted = match read {
        Ok(()) => None,
        Err(Trouble::NoWayIn(why)) => Some(why),
        Err(trouble) => return Err(trouble),
    };
    if let Some(why) = &aborted {
        for collection in open {
            let place = run.readings.get(collection.name).map(|reading| reading.place.clone()).unwrap_or_default();
            end_collection(&snapshot, collection, Outcome::Failed { why: why.clone() }, place).await?;
        }
    }
    let ended = Mark::Ended(Ended { epoch: run.epoch, aborted });
    org.lander.land(Origin::Snapshot, vec![record(&ended)]).await.map_err(Trouble::NotLanded)
}

/// Reads all that are open, and takes each from the list when it has ended.
async fn read_all(snapshot: &Arc<Snapshot>, run: &Run, open: &mut Vec<&'static Collection>) -> Result<(), Trouble> {
    let mut readings: JoinSet<Result<&'static Collection, Trouble>> = JoinSet::new();
    for collection in open.iter().copied() {
        let reading = run.readings.get(collection.name).cloned().unwrap_or_default();
        let snapshot = Arc::clone(snapshot);
        readings.spawn(async move {
            let (outcome, place) = read(&snapshot, collection, reading).await?;
            end_collection(&snapshot, collection, outcome, place).await?;
            Ok(collection)
        });
    }
    let mut report_at = Instant::now();
    loop {
        tokio::select! {
            ended = readings.join_next() => {
                let Some(ended) = ended else { break };
                let ended = ended.map_err(|error| Trouble::Broken(error.to_string()))??;
                open.retain(|collection| collection.name != ended.name);
            }
            () = tokio::time::sleep_until(report_at), if !run.requests.is_empty() => {
                report(&snapshot.org, snapshot.epoch).await;
                report_at = Instant::now() + BETWEEN_REPORTS;
            }
        }
    }
    if !run.requests.is_empty() {
        report(&snapshot.org, snapshot.epoch).await;
    }
    Ok(())
}

/// Tells those who asked how far it is. A report that is lost is followed by another one.
pub(super) async fn report(org: &Org, epoch: i64) {
    let report = org.progress.report(epoch, org.now_ms() - epoch, &org.gate);
    if let Ok(value) = serde_json::to_vec(&report) {
        org.lander.note(Origin::Snapshot, Content::Mark { name: "snapshot_progress".to_owned() }, value).await;
    }
}

async fn end_collection(
    snapshot: &Snapshot,
    collection: &'static Collection,
    outcome: Outcome,
    place: Place,
) -> Result<(), Trouble> {
    let org = &snapshot.org;
    let line = org.progress.of(collection.name);
    let (objects, calls) = (line.objects().max(place.objects), line.calls().max(place.calls));
    let mark = Mark::CollectionEnded(CollectionEnded {
        epoch: snapshot.epoch,
        collection: collection.name.to_owned(),
        outcome: outcome.clone(),
        objects,
        calls,
    });
    org.lander.land(Origin::Snapshot, vec![record(&mark)]).await.map_err(Trouble::NotLanded)?;
    metrics::collection(org.id.as_str(), collection.name, outcome.word(), &Outcome::WORDS, objects);
    if outcome == Outcome::Complete {
        metrics::collection_complete(org.id.as_str(), collection.name, snapshot.epoch);
    }
    let (name, verdict, detail) = (collection.name, outcome.word(), outcome.detail());
    match &outcome {
        Outcome::Complete | Outcome::FeatureOff => {
            tracing::debug!(org = %org.id, collection = name, verdict, objects, calls, "collection read");
        }
        Outcome::Forbidden { .. } | Outcome::Partial { .. } | Outcome::Failed { .. } => {
            tracing::warn!(org = %org.id, collection = name, verdict, detail, objects, "a collection is not complete");
        }
    }
    line.end(outcome);
    Ok(())
}
