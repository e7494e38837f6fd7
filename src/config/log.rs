use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the System Log API is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogMode {
    /// Beside the log stream: finds what the stream does not bring, and tells.
    Heal,
    /// Instead of a log stream.
    Primary,
    /// Not at all.
    Off,
}

/// `[org.log]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `heal`: poll beside the log stream, and raise an alarm when the stream does not bring what the poll finds;
    /// `primary`: the poll is what brings the events; `off`. Default: `heal` where a queue brings events of the org,
    /// else `primary`. Takes `[org.api]`, and reads nothing without it.
    pub mode: Option<LogMode>,
    /// Seconds from one poll to the next, 1 to 3600; a poll without news is one call. Default: 60 for `heal`, 5 for
    /// `primary`. While the log stream does not bring everything it is 5 at most.
    pub every_seconds: Option<u32>,
    /// Seconds that the log stream may take to bring an event after the poll has found it, 10 to 86400. What it has not
    /// brought by then raises the alarm; longer is for queues that are often behind.
    pub stream_grace_seconds: u32,
}

impl Default for LogConfig {
    fn default() -> Self {
        // A stream takes seconds; five minutes is also what a queue takes to be drained after an hour of rest.
        Self { mode: None, every_seconds: None, stream_grace_seconds: 300 }
    }
}

impl LogConfig {
    /// The mode, after defaults. `streamed` says whether a queue brings events of the org.
    pub fn mode(&self, streamed: bool) -> LogMode {
        self.mode.unwrap_or(if streamed { LogMode::Heal } else { LogMode::Primary })
    }

    /// From one poll to the next in a mode; nothing where there is none.
    pub fn every(&self, mode: LogMode) -> Option<Duration> {
        let usual = match mode {
            // A call a minute of the 60 to 120 that an org has.
            LogMode::Heal => 60,
            // As late as people hardly notice; 12 calls a minute of the 20 that the smallest org has, and what is over
            // our share of them waits for the limiter.
            LogMode::Primary => 5,
            LogMode::Off => return None,
        };
        Some(Duration::from_secs(self.every_seconds.map_or(usual, u64::from)))
    }
}

/// What cannot work in one `[org.log]`, each problem with its key.
pub(super) fn problems(org: &str, log: &LogConfig, has_api: bool) -> Vec<String> {
    let checks = [
        (log.every_seconds.is_none_or(|seconds| (1..=3_600).contains(&seconds)), "every_seconds: 1 to 3600"),
        ((10..=86_400).contains(&log.stream_grace_seconds), "stream_grace_seconds: 10 to 86400"),
        (
            has_api || matches!(log.mode, None | Some(LogMode::Off)),
            "mode: polling takes a way into the org, so give [org.api] too",
        ),
    ];
    let broken = checks.into_iter().filter(|(fine, _)| !fine);
    broken.map(|(_, problem)| format!("org.log.{problem} (org {org:?})")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_decides_the_mode_and_the_mode_the_cadence() {
        let read = |text: &str| toml::from_str::<LogConfig>(text).unwrap();
        let every = |text: &str, streamed| {
            let log = read(text);
            log.every(log.mode(streamed)).map(|every| every.as_secs())
        };
        assert_eq!((every("", true), every("", false)), (Some(60), Some(5)));
        assert_eq!(every("mode = 'primary'", true), Some(5));
        assert_eq!(every("mode = 'off'\nevery_seconds = 7", true), None);
        assert_eq!(every("every_seconds = 7", true), Some(7));
    }

    #[test]
    fn what_cannot_work_is_told_with_its_key() {
        let found = |text: &str, has_api| problems("acme", &toml::from_str(text).unwrap(), has_api);
        assert!(found("", false).is_empty() && found("mode = 'off'", false).is_empty());
        assert!(found("mode = 'heal'", false)[0].starts_with("org.log.mode"));
        assert!(found("every_seconds = 0", true)[0].starts_with("org.log.every_seconds"));
        assert!(found("stream_grace_seconds = 9", true)[0].starts_with("org.log.stream_grace_seconds"));
    }
}
