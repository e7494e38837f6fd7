//! Asks for pages of the log until they come.

use super::page::Page;
use super::patience::{Patience, Remedy};
use super::{PAGE, Trouble, of_log};
use crate::okta::OrgId;
use crate::okta::api::{ApiFault, Client, Request};
use crate::okta::gate::Gate;
use crate::okta::quota::Priority;
use crate::telemetry::Component;

/// The System Log API of one org.
pub(super) struct Log {
    pub org: OrgId,
    pub client: Client,
    pub gate: Gate,
    pub health: Component,
    /// The largest value that a record may have.
    pub most: usize,
    patience: Patience,
    /// There is trouble, and it was told.
    troubled: bool,
}

impl Log {
    pub fn new(org: OrgId, client: Client, gate: Gate, health: Component, most: usize) -> Self {
        Self { org, client, gate, health, most, patience: Patience::default(), troubled: false }
    }

    /// What time it is at Okta, ms since the Unix epoch: asked for, as this machine's clock may be wrong.
    pub async fn now_ms(&mut self) -> Result<i64, Trouble> {
        Ok(self.page_of(&of_log(), 1).await?.asked)
    }

    /// Gets a page, however long it takes.
    ///
    /// # Errors
    /// [`Trouble::Stale`] when Okta no longer knows the place.
    pub async fn page(&mut self, request: &Request) -> Result<Page, Trouble> {
        self.page_of(request, PAGE).await
    }

    async fn page_of(&mut self, request: &Request, most: u32) -> Result<Page, Trouble> {
        loop {
            let request = request.with_limit(most.min(self.patience.size()));
            let fault = match self.client.get(&request, &self.gate.at(Priority::Poll)).await {
                Ok(answer) => {
                    self.patience.succeeded();
                    if std::mem::take(&mut self.troubled) {
                        tracing::info!(org = %self.org, "the System Log can be read again");
                    }
                    return Ok(Page::new(&self.org, &request, answer, self.most));
                }
                Err(fault) => fault,
            };
            match self.patience.after(&fault) {
                Remedy::Again => tracing::debug!(org = %self.org, %fault, "a page of the log is asked for again"),
                Remedy::After(pause) => self.rest(&fault, pause).await,
                Remedy::Anew => return Err(Trouble::Stale),
                Remedy::Barred(why, pause) => {
                    if !std::mem::replace(&mut self.troubled, true) {
                        tracing::error!(
                            org = %self.org, why, "the System Log cannot be read, so gaps of the log stream stay open"
                        );
                    }
                    self.health.ready(format!("the System Log cannot be read: {why}"));
                    self.gate.pace().sleep(pause).await;
                }
            }
        }
    }

    async fn rest(&mut self, fault: &ApiFault, pause: std::time::Duration) {
        if !std::mem::replace(&mut self.troubled, true) {
            tracing::warn!(org = %self.org, %fault, "the System Log cannot be read for now, trying again");
        }
        self.health.ready(format!("the System Log cannot be read for now: {fault}"));
        self.gate.pace().sleep(pause).await;
    }
}
