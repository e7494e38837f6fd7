//! What a job would take, from a few pages of the time that it would read.

use super::land::Trouble;
use super::read::{Log, PATH};
use super::remedy::{PAGE, no_right};
use super::span::Span;
use crate::error::{ExitStatus, Fatal};
use crate::ingest::identify;
use crate::okta::api::Verdict;
use crate::okta::quota::Method;

/// Pages that are looked at. An org's nights and weekends differ from its days by a factor of ten, and eight places
/// spread over them come within about a third of the truth.
const PROBES: i64 = 8;

/// How much of the time one probe may ask for: enough to see a quiet org's events, and no heavy query.
const PROBE_MS: i64 = 2 * 3_600_000;

/// What a job would take.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The time that would be read.
    pub span: Span,
    /// Calls that the estimate itself took.
    pub probes: u64,
    /// Events, about.
    pub events: u64,
    /// Bytes of them as Okta sends them, about.
    pub bytes: u64,
    /// Slices, at least.
    pub slices: u64,
    /// Calls, about, with those of the verification.
    pub calls: u64,
    /// Calls a minute that Okta's limit and the configuration permit now.
    pub permitted: u32,
    /// How long that takes, ms of the org's time.
    pub took_ms: u64,
}

/// What one probe saw.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    ms: i64,
    events: u64,
    bytes: u64,
}

impl Seen {
    fn events_per_ms(&self) -> f64 {
        self.events as f64 / self.ms.max(1) as f64
    }
}

/// Looks at a few pages.
pub(super) async fn estimate(log: &Log, span: Span, slices: u64, verify: bool) -> Result<Estimate, Trouble> {
    let mut seen = Vec::new();
    for nth in 0..PROBES {
        // In the middle of equal parts: the first and the last are as good as any other.
        let since = span.since + span.length_ms() / PROBES * nth + span.length_ms() / (2 * PROBES);
        seen.push(probe(log, since, since.saturating_add(PROBE_MS).min(span.until)).await?);
    }
    let bytes: u64 = seen.iter().map(|seen| seen.bytes).sum();
    let found: u64 = seen.iter().map(|seen| seen.events).sum();
    let density = seen.iter().map(Seen::events_per_ms).sum::<f64>() / seen.len().max(1) as f64;
    let events = (density * span.length_ms() as f64).round() as u64;
    // The last page of a slice is half empty.
    let reading = events.div_ceil(u64::from(PAGE)) + slices / 2;
    let calls = reading.max(slices) + if verify { slices } else { 0 };
    let took = log.gate.estimate(&[(Method::Get, PATH, calls)]);
    let permitted =
        log.gate.outlook().iter().find(|bucket| bucket.bucket == "logs").map(|bucket| bucket.permitted_per_minute);
    Ok(Estimate {
        span,
        probes: seen.len() as u64,
        events,
        bytes: if found == 0 { 0 } else { (events as f64 * (bytes as f64 / found as f64)) as u64 },
        slices,
        calls,
        permitted: permitted.unwrap_or(0),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    })
}

async fn probe(log: &Log, since: i64, until: i64) -> Result<Seen, Trouble> {
    let request = log.between(since, until, PAGE)?;
    let answer = loop {
        match log.ask(&request).await? {
            Ok(answer) => break answer,
            Err(fault) => match fault.verdict {
                Verdict::RateLimited(_) => {}
                Verdict::Forbidden { .. } | Verdict::AuthFailed { .. } => return Err(no_right(&fault).into()),
                _ => {
                    let what = "the System Log cannot be read for an estimate";
                    return Err(Fatal::new(ExitStatus::Unavailable, what).because(fault).into());
                }
            },
        }
    };
    let last = answer.objects().last().and_then(|object| identify(object.json).ok());
    // A page that is full ends with its last event, another one with the time that was asked for.
    let end = match (&answer.next, last) {
        (Some(_), Some((_, published))) => published.max(since + 1),
        _ => until,
    };
    Ok(Seen { ms: end - since, events: answer.objects().len() as u64, bytes: answer.body().len() as u64 })
}
