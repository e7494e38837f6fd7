use std::time::Duration;

use crate::config::{ApiConfig, LogMode, OrgConfig};
use crate::okta::{OrgId, Pace};

/// How the log of an org is polled.
#[derive(Clone)]
pub struct Settings {
    /// Which org.
    pub org: OrgId,
    /// The way in.
    pub api: ApiConfig,
    /// From one poll to the next.
    pub every: Duration,
    /// The log stream that should bring every event, too.
    pub stream: Option<StreamSettings>,
    /// How its time goes: as ours, unless it is a simulated one.
    pub pace: Pace,
}

/// The log stream of an org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSettings {
    /// How long it may take to bring an event that the poll has found.
    pub grace: Duration,
    /// The source of its events, if the configuration names it.
    pub source: Option<String>,
}

impl Settings {
    /// As the configuration says; nothing where the org has no API or is not to be polled. `streamed` says whether a
    /// queue brings its events.
    pub fn of(org: &OrgConfig, streamed: bool, pace: Pace) -> Option<Self> {
        let mode = org.log.mode(streamed);
        let every = org.log.every(mode)?;
        let stream = (mode == LogMode::Heal).then(|| StreamSettings {
            grace: Duration::from_secs(org.log.stream_grace_seconds.into()),
            source: org.event_source.clone(),
        });
        Some(Self { org: OrgId::new(&org.id), api: org.api.clone()?, every, stream, pace })
    }
}
