//! Reads what takes a call for each user round and round, spread evenly over the day, instead of in one burst: a change of
//! factors or roles that no event announces is then found within a round.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::access::Access;
use super::list::{ListKey, ListReader, Purpose};
use super::org::{Org, Trouble, look_again};
use super::plan::Plan;
use super::table::Collection;
use crate::config::SnapshotConfig;
use crate::error::{Chain, Fatal};
use crate::landing::Origin;
use crate::merge::inventory::{self, Slot, heads_after};
use crate::merge::snapshots::Snapshots;
use crate::okta::Engine;
use crate::okta::quota::Priority;

/// Keys that are looked up at a time, after which the place is noted: what a restart reads again.
const KEYS_AT_ONCE: usize = 32;

/// Pause when there is nothing to read yet, or reading has failed.
const PAUSE: Duration = Duration::from_secs(60);

/// Pause between two calls, at most: a small org is not read in seconds and then left alone for a day, and one of a few
/// users still sees each of them read.
const LONGEST_STEP: Duration = Duration::from_secs(300);

/// Where a round is.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The last key that was read; none at the beginning of a round.
    after: Option<String>,
}

/// The collections that are audited by themselves, and so left out of a snapshot by schedule: those that need a call for
/// each object, once a snapshot has read them completely.
pub(super) fn rolling(config: &SnapshotConfig, standing: &Snapshots) -> Vec<&'static Collection> {
    let plan = Plan::new(&config.selection(), &config.without, Engine::Unknown);
    let planned = plan.map(|plan| plan.collections).unwrap_or_default();
    let known = |collection: &&Collection| {
        standing.standings.get(collection.name).is_some_and(|standing| standing.last_complete.is_some())
    };
    let rolls = config.audit_hours > 0;
    planned.into_iter().filter(|collection| rolls && collection.audit).filter(known).collect()
}

/// Reads on for as long as the partition is ours.
///
/// # Errors
/// None today: what cannot be read now is read in the next round.
pub(super) async fn go_on(access: &Access) -> Result<(), Fatal> {
    if access.settings.snapshot.audit_hours == 0 || !access.ends.caught_up().await {
        return std::future::pending().await;
    }
    let mut way_in = None;
    // Whoever has just started has more urgent things to ask.
    access.settings.pace.sleep(PAUSE).await;
    loop {
        match round(access, &mut way_in).await {
            Ok(true) => {}
            Ok(false) => access.settings.pace.sleep(PAUSE).await,
            Err(Trouble::Stopped(_)) => return std::future::pending().await,
            Err(trouble) => {
                tracing::debug!(org = %access.settings.org, error = %Chain(&trouble), "the audit pauses");
                way_in = None;
                access.settings.pace.sleep(PAUSE).await;
            }
        }
    }
}

/// The org by the scopes of these collections.
type WayIn = (Vec<&'static Collection>, Arc<Org>);

/// Some keys of each collection; false if there was none.
async fn round(access: &Access, way_in: &mut Option<WayIn>) -> Result<bool, Trouble> {
    let rolling = rolling(&access.settings.snapshot, &access.standing()?);
    if rolling.is_empty() {
        return Ok(false);
    }
    let org = match way_in.as_ref().filter(|(collections, _)| *collections == rolling) {
        Some((_, org)) => Arc::clone(org),
        None => {
            let scopes: Vec<&str> = rolling.iter().flat_map(|collection| collection.scopes).copied().collect();
            let (org, _) = access.org_of(&scopes).await?;
            *way_in = Some((rolling.clone(), Arc::clone(&org)));
            org
        }
    };
    let mut has_read = false;
    for collection in &rolling {
        has_read |= stretch(access, &org, collection, rolling.len()).await?;
    }
    Ok(has_read)
}

/// The next keys of one collection, at the pace that reads all of them in the hours of the configuration.
async fn stretch(
    access: &Access,
    org: &Arc<Org>,
    collection: &'static Collection,
    rolling: usize,
) -> Result<bool, Trouble> {
    let Some(parent) = collection.parent() else { return Ok(false) };
    let cursor = format!("audit:{}", collection.name);
    let place: Place = org.place(&cursor)?.unwrap_or_default();
    let heads = heads_after(org.state.as_ref(), &org.id, parent, place.after.as_deref(), KEYS_AT_ONCE)?;
    let objects = access.standing()?.standings.get(parent.name).map_or(1, |standing| standing.objects.max(1));
    let round_ms = u64::from(access.settings.snapshot.audit_hours) * 3_600_000;
    let step = Duration::from_millis(round_ms / objects / rolling.max(1) as u64).min(LONGEST_STEP);
    for (key, head) in &heads {
        if !head.is_gone() && !was_read_lately(org, collection, key, round_ms)? {
            access.settings.pace.sleep(step).await;
            let purpose = Purpose {
                priority: Priority::Audit,
                origin: Origin::Audit,
                epoch: None,
                rosters: Arc::new([]),
                asked_after: i64::MIN,
            };
            let list_key = ListKey { key: Some(key.clone()), word: None };
            ListReader::new(org, purpose, collection, list_key).read_to_end().await?;
        }
    }
    // Behind the last key the next round begins.
    let after = heads.last().filter(|_| heads.len() == KEYS_AT_ONCE).map(|(key, _)| key.clone());
    let place = Place { after };
    org.note(Origin::Audit, &cursor, &place).await?;
    until_noted(org, &cursor, &place).await?;
    Ok(!heads.is_empty())
}

/// Waits until the state knows the place, from which the next stretch begins.
async fn until_noted(org: &Org, cursor: &str, place: &Place) -> Result<(), Trouble> {
    let mut committed = org.committed.clone();
    loop {
        committed.mark_unchanged();
        if org.place::<Place>(cursor)?.as_ref() == Some(place) {
            return Ok(());
        }
        look_again(&mut committed).await?;
    }
}

/// Whether an event, or anything else, had it read within the second half of the round: it is read in its turn again.
fn was_read_lately(org: &Org, collection: &'static Collection, key: &str, round_ms: u64) -> Result<bool, Trouble> {
    let Some(slot) = Slot::new(&org.id, collection, key) else { return Ok(true) };
    let since = org.now_ms() - i64::try_from(round_ms / 2).unwrap_or(i64::MAX);
    Ok(inventory::head(org.state.as_ref(), &slot)?.is_some_and(|head| head.confirmed_as_of >= since))
}
