//! What all that reads one org goes by: the way in, the log, the state, and one gate before the org's quota.

use std::sync::Arc;

use super::collector::{Ends, Settings};
use super::land::Lander;
use super::org::{Org, Trouble};
use super::plan::Plan;
use super::progress::Progress;
use crate::error::{Chain, Fatal};
use crate::landing;
use crate::merge::snapshots::Snapshots;
use crate::okta::api::Client;
use crate::okta::gate::Gate;
use crate::okta::quota::Priority;
use crate::okta::{Engine, share};

/// The way to one org.
#[derive(Clone)]
pub(super) struct Access {
    pub settings: Settings,
    pub ends: Ends,
    pub gate: Gate,
}

impl Access {
    /// All that is configured to be read, whatever the org runs on.
    pub fn plan(&self) -> Result<Plan, Trouble> {
        let snapshot = &self.settings.snapshot;
        let plan = Plan::new(&snapshot.selection(), &snapshot.without, Engine::Unknown);
        plan.map_err(|error| Trouble::NoWayIn(error.to_string()))
    }

    /// How the reading stands, as last committed.
    pub fn standing(&self) -> Result<Snapshots, Trouble> {
        Ok(self.ends.state.snapshots(&self.settings.org)?.unwrap_or_default())
    }

    /// Appends what is read.
    pub fn lander(&self) -> Lander {
        Lander::new(self.settings.org.clone(), Arc::clone(&self.ends.landing), self.ends.room.clone())
    }

    /// The org, with a client that asks for just these scopes, and what it runs on; sets how much of its limits may be
    /// used.
    pub async fn org_of(&self, scopes: &[&str]) -> Result<(Arc<Org>, Engine), Trouble> {
        let settings = &self.settings;
        let mut scopes = scopes.to_vec();
        if !scopes.contains(&share::SCOPE) {
            scopes.push(share::SCOPE);
        }
        let client = self.client(&scopes).map_err(|fatal| Trouble::NoWayIn(Chain(&fatal).to_string()))?;
        let meter = self.gate.at(Priority::Snapshot);
        let engine = match Engine::of(&client, &meter).await {
            Ok(engine) => engine,
            Err(fault) => {
                tracing::debug!(org = %settings.org, %fault, "the org does not say what it runs on");
                Engine::Unknown
            }
        };
        let (part, why) = share::share_of(&settings.api, &settings.quota, &client, &meter).await;
        tracing::debug!(org = %settings.org, part, %why, "the share of the org's limits that is used");
        self.gate.set_share(part);
        Ok((Arc::new(self.org_by(client)), engine))
    }

    /// The org as read by a client that is there already.
    pub fn org_by(&self, client: Client) -> Org {
        Org {
            id: self.settings.org.clone(),
            client,
            gate: self.gate.clone(),
            lander: self.lander(),
            state: Arc::clone(&self.ends.state),
            committed: self.ends.committed.clone(),
            progress: Progress::default(),
        }
    }

    /// A client that asks for these scopes.
    pub fn client(&self, scopes: &[&str]) -> Result<Client, Fatal> {
        let seed = u64::try_from(landing::now_ms()).unwrap_or_default();
        Ok(Client::new(&self.settings.api, scopes, seed)?.at_pace(self.settings.pace))
    }
}
