//! Asks the collections that can tell what has changed, between one snapshot and the next: changes that no event announces
//! (imports, rules) are then known within minutes, for a call or two.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::access::Access;
use super::errands::list_changes;
use super::org::Trouble;
use super::remedy::ListEnd;
use super::table::Collection;
use crate::error::{Chain, Fatal};
use crate::landing::Origin;
use crate::merge::inventory::Settings;
use crate::okta::quota::Priority;

/// How far the last list of changes of a collection reached.
#[derive(Debug, Serialize, Deserialize)]
struct Reached {
    /// When it was asked for, ms since the Unix epoch by Okta's clock.
    asked: i64,
}

/// Asks again and again, for as long as the partition is ours.
///
/// # Errors
/// None today: what cannot be read now is read the next time.
pub(super) async fn go_on(access: &Access) -> Result<(), Fatal> {
    let interval = Duration::from_secs(u64::from(access.settings.snapshot.relist_minutes) * 60);
    if interval.is_zero() || !access.ends.caught_up().await {
        return std::future::pending().await;
    }
    loop {
        access.settings.pace.sleep(interval).await;
        if let Err(trouble) = round(access).await {
            tracing::debug!(org = %access.settings.org, error = %Chain(&trouble), "changes are listed the next time");
        }
    }
}

async fn round(access: &Access) -> Result<(), Trouble> {
    let plan = access.plan()?;
    let standings = access.standing()?.standings;
    let collections: Vec<(&'static Collection, i64)> = plan
        .collections
        .into_iter()
        .filter(|collection| collection.incremental.is_some() && collection.depth() == 0)
        // Before a first complete reading, there is nothing that could have changed.
        .filter_map(|collection| Some((collection, standings.get(collection.name)?.last_complete?)))
        .collect();
    if collections.is_empty() {
        return Ok(());
    }
    let scopes: Vec<&str> = collections.iter().flat_map(|(collection, _)| collection.scopes).copied().collect();
    let (org, _) = access.org_of(&scopes).await?;
    for (collection, complete) in collections {
        let name = format!("relist:{}", collection.name);
        let asked = org.now_ms();
        let reached = org.place::<Reached>(&name)?.map_or(complete, |reached| reached.asked.max(complete));
        let since = reached - Settings::default().list_lag_ms;
        if list_changes(&org, collection, since, Priority::Snapshot, i64::MIN).await? == ListEnd::Read {
            org.note(Origin::Snapshot, &name, &Reached { asked }).await?;
        }
    }
    Ok(())
}
