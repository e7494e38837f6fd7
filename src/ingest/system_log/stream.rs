//! What Okta says of the log stream, where we may ask: only a Super Administrator may by default, so mostly we may not, and
//! then the events about it and what the poll finds must do.

use std::time::Duration;

use super::StreamSettings;
use super::log::Log;
use crate::json::{Tape, Value};
use crate::merge::system_log::marks::StreamSeen;
use crate::okta::api::{Answer, Request, Verdict};
use crate::okta::quota::Priority;

/// What asking takes, beside the right to it.
pub(super) const SCOPE: &str = "okta.logStreams.read";

/// From one look to the next: a stream that was cut off is told in the log within a minute or two, too.
const EVERY: Duration = Duration::from_secs(300);

/// After we were told that we may not.
const BARRED: Duration = Duration::from_secs(3_600);

/// Asks now and then.
pub(super) struct StreamLook {
    settings: StreamSettings,
    /// When to ask again, by the steady clock.
    due: i64,
}

impl StreamLook {
    pub fn new(settings: StreamSettings) -> Self {
        Self { settings, due: i64::MIN }
    }

    /// Asks, if it is time to; `None` where Okta does not say.
    pub async fn look(&mut self, log: &Log) -> Option<StreamSeen> {
        let now = log.gate.pace().steady_ms();
        if now < self.due {
            return None;
        }
        let request = Request::list("/api/v1/logStreams").query("limit", "200");
        let answer = log.client.get(&request, &log.gate.at(Priority::Poll)).await;
        let barred = |verdict: &Verdict| !matches!(verdict, Verdict::RateLimited(_) | Verdict::ServerError { .. });
        let pause = match &answer {
            Err(fault) if barred(&fault.verdict) => BARRED,
            _ => EVERY,
        };
        self.due = now.saturating_add(super::millis(pause));
        match answer {
            Ok(answer) => Some(seen(&answer, self.settings.source.as_deref())),
            Err(fault) => {
                tracing::debug!(org = %log.org, %fault, "Okta does not say how the log stream is");
                None
            }
        }
    }
}

struct Described {
    name: String,
    status: String,
    source: Option<String>,
}

/// The stream that is ours: the one whose event source ends the source of our events, or else any to EventBridge.
fn seen(answer: &Answer, source: Option<&str>) -> StreamSeen {
    let mut streams: Vec<Described> = answer.objects().filter_map(|object| described(object.json)).collect();
    let ours = source.and_then(|source| source.rsplit('/').next());
    let is_ours = |stream: &Described| stream.source.as_deref() == ours && ours.is_some();
    if streams.iter().any(is_ours) {
        streams.retain(is_ours);
    }
    let active = streams.iter().find(|stream| stream.status == "ACTIVE");
    let detail = active.or(streams.first()).map_or_else(
        || "there is no log stream to EventBridge".to_owned(),
        |stream| format!("{}: {}", stream.name, stream.status),
    );
    StreamSeen { at: answer.asked_ms, active: active.is_some(), detail }
}

fn described(json: &[u8]) -> Option<Described> {
    let mut tape = Tape::default();
    let document = tape.read(json).ok()?;
    let text =
        |value: Value<'_>, key: &str| value.get(key).and_then(|found| found.as_str()).map(|text| text.into_owned());
    let root = document.root();
    if text(root, "type").as_deref() != Some("aws_eventbridge") {
        return None;
    }
    Some(Described {
        name: text(root, "name").unwrap_or_default(),
        status: text(root, "status")?,
        source: root.get("settings").and_then(|settings| text(settings, "eventSourceName")),
    })
}
