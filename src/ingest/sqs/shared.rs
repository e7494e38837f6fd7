//! What the tasks around one queue share, and what they tell each other.

use std::sync::Arc;
use std::time::Instant;

use super::queue::Delivered;
use super::room::Permit;
use crate::config::QueueConfig;
use crate::error::ExitStatus;
use crate::ingest::QueueOrgs;
use crate::landing::LandingLog;
use crate::publish::{Limit, Sink};
use crate::telemetry::Component;

/// Everything that the tasks of one queue share.
pub struct Parts<Q> {
    /// The queue itself.
    pub queue: Q,
    /// Its name, for metrics and messages: the last part of the URL.
    pub name: String,
    /// Its settings.
    pub config: QueueConfig,
    /// Whose events may come.
    pub orgs: QueueOrgs,
    /// Where events land.
    pub landing: Arc<dyn LandingLog>,
    /// Where poison goes.
    pub sink: Arc<dyn Sink>,
    /// The limit on poison.
    pub limit: Arc<Limit>,
    /// How this queue is doing.
    pub health: Component,
}

/// What the coordinator is told.
pub enum Action {
    /// Messages came.
    Received(Vec<(Delivered, Permit)>),
    /// All acks of the message with this id are redeemed. Its room is kept until this is heard.
    Settled(String, Outcome, Arc<Permit>),
}

/// Why going on makes no sense before a person acts.
pub struct Hopeless(pub ExitStatus, pub String);

/// What became of everything in one message.
pub enum Outcome {
    /// All of it is durable.
    Landed,
    /// Some of it is not, for the reason given.
    Failed(String),
}

/// Tokio's clock, so that a test can hold it.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
