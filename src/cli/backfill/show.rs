//! What a person sees while the past is read: moving lines on a terminal, plain ones elsewhere, and a table at the end.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use super::super::moving::Moving;
use super::super::words::{bar, bytes, grouped, span};
use crate::error::Chain;
use crate::ingest::backfill::{Ended, Estimate, Finish, Phase, Report, Span};
use crate::okta::OrgId;

/// How often a plain line tells how far an org is.
const BETWEEN_LINES: Duration = Duration::from_secs(15);

/// The progress of all orgs, on standard error.
pub(super) struct Screen {
    moving: Moving,
    json: bool,
    /// When each was told in a plain line.
    told: HashMap<String, Instant>,
}

impl Screen {
    pub fn new(json: bool) -> Self {
        Self { moving: Moving::new(), json, told: HashMap::new() }
    }

    /// How far those are that have not ended.
    pub fn show<'o>(&mut self, reports: impl Iterator<Item = (&'o OrgId, Report)>, stopping: bool) {
        let moves = self.moving.moves();
        // That it asks is over in a moment, and would be the only line of the first fifteen seconds.
        let worth_it =
            |(_, report): &(&OrgId, Report)| moves || report.phase != Phase::Asking || report.waits.is_some();
        let lines: Vec<_> = reports
            .filter(worth_it)
            .map(|(org, report)| (org.to_string(), progress(org, &report, moves, stopping)))
            .collect();
        if moves {
            return self.moving.draw(lines.iter().map(|(_, line)| line.as_str()));
        }
        for (org, line) in lines {
            self.tell(org, &line);
        }
    }

    /// So many records are landed and not published yet.
    pub fn folding(&mut self, left: u64) {
        let line = format!("{} records are landed and not published yet", grouped(left));
        if self.moving.moves() {
            return self.moving.draw(std::iter::once(line.as_str()));
        }
        self.tell(String::new(), &line);
    }

    /// One has ended.
    pub fn ended(&mut self, ended: &Ended) {
        self.moving.clear();
        if self.json {
            self.moving.say(&format!("{}: {}", ended.org, outcome(ended)));
        }
    }

    /// Nothing moves any more.
    pub fn finish(&mut self) {
        self.moving.clear();
    }

    fn tell(&mut self, whose: String, line: &str) {
        if self.told.get(&whose).is_none_or(|told| told.elapsed() >= BETWEEN_LINES) {
            self.told.insert(whose, Instant::now());
            self.moving.say(line);
        }
    }
}

/// One line: how far, when it will end, how fast, and how much of the limit is used.
fn progress(org: &OrgId, report: &Report, with_bar: bool, stopping: bool) -> String {
    if stopping {
        return format!("{org}: stops when the pages that are under way have landed");
    }
    if let Some(why) = &report.waits {
        return format!("{org}: waits: {why}");
    }
    let left = span(Duration::from_millis(report.left_ms));
    let (done, what) = match report.phase {
        Phase::Asking => return format!("{org}: asks whether the log may be read"),
        Phase::Reading => (report.done, String::new()),
        Phase::Verifying => (
            report.verified as f64 / report.slices.max(1) as f64,
            format!(", looks at {} of {} slices again", grouped(report.verified), grouped(report.slices)),
        ),
    };
    let drawn = if with_bar { format!(" [{}]", bar(done)) } else { String::new() };
    let quota = report.quota.map(|(used, permitted)| format!(", {used} of {permitted} calls this minute"));
    let refused =
        if report.refused > 0 { format!(", {} refused by a rate limit", report.refused) } else { String::new() };
    let expected = report.expected.map(|expected| format!(" of about {}", grouped(expected)));
    format!(
        "{org}:{drawn} {:.0} %{what}, {left} left, {:.0} events/s{}{refused}, {}{} events",
        done * 100.0,
        report.events_per_second,
        quota.unwrap_or_default(),
        grouped(report.events),
        expected.unwrap_or_default(),
    )
}

/// How one has ended, in words.
fn outcome(ended: &Ended) -> String {
    match &ended.result {
        Ok(Finish::Done) if !ended.summary.lost.is_empty() => "read but for what Okta dropped before".into(),
        Ok(Finish::Done) if !ended.summary.differing.is_empty() => "read, but not the same each time".into(),
        Ok(Finish::Done) => "read".into(),
        Ok(Finish::DoneBefore) => "was read before; --again reads it again".into(),
        Ok(Finish::Stopped) => "stopped".into(),
        Err(fatal) => format!("failed: {}", Chain(fatal)),
    }
}

/// What has come of all, for people.
pub(super) fn table(ended: &[Ended]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["org", "events", "bytes", "slices", "verified", "calls", "took", ""]);
    for one in ended {
        let summary = &one.summary;
        table.add_row([
            one.org.to_string(),
            grouped(summary.events),
            bytes(summary.bytes),
            format!("{} of {}", grouped(summary.read), grouped(summary.slices)),
            grouped(summary.same),
            grouped(one.calls),
            span(Duration::from_millis(u64::try_from(one.elapsed_ms).unwrap_or_default())),
            outcome(one),
        ]);
    }
    for column in 1..=6 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = format!("{table}\n");
    for one in ended {
        for span in &one.summary.lost {
            text.push_str(&format!("{}: Okta dropped {span} before it was read\n", one.org));
        }
        for span in &one.summary.differing {
            text.push_str(&format!("{}: {span} was not the same when it was asked for again\n", one.org));
        }
        if one.summary.expired > 0 {
            let expired = grouped(one.summary.expired);
            text.push_str(&format!("{}: {expired} slices are not verified: Okta keeps them no longer\n", one.org));
        }
        if one.refused > 0 {
            text.push_str(&format!("{}: {} calls were refused by a rate limit\n", one.org, grouped(one.refused)));
        }
    }
    text
}

/// What has come of one, for machines.
pub(super) fn as_json(ended: &Ended) -> Value {
    let summary = &ended.summary;
    let spans = |spans: &[Span]| spans.iter().map(|span| json!([span.since, span.until])).collect::<Vec<_>>();
    let word = match &ended.result {
        Ok(Finish::Done) => "read",
        Ok(Finish::DoneBefore) => "read_before",
        Ok(Finish::Stopped) => "stopped",
        Err(_) => "failed",
    };
    json!({
        "org": ended.org.as_str(), "job": summary.job, "outcome": word,
        "error": ended.result.as_ref().err().map(|fatal| Chain(fatal).to_string()),
        "since": summary.span.map(|span| span.since), "until": summary.span.map(|span| span.until),
        "events": summary.events, "bytes": summary.bytes, "pages": summary.pages,
        "slices": summary.slices, "read": summary.read, "same": summary.same, "expired": summary.expired,
        "read_anew": summary.read_anew, "differing": spans(&summary.differing), "lost": spans(&summary.lost),
        "calls": ended.calls, "refused": ended.refused, "elapsed_ms": ended.elapsed_ms,
    })
}

/// What jobs would take, for people.
pub(super) fn estimates(estimates: &[(OrgId, Estimate)]) -> String {
    let mut text = String::new();
    for (org, estimate) in estimates {
        let Estimate { events, slices, calls, permitted, probes, .. } = estimate;
        text.push_str(&format!(
            "{org}: {}\n  about {} events, {} of JSON\n  about {} calls in {} slices, {} at {permitted} calls a minute\n  \
             looked at {probes} pages for this; nothing was landed\n",
            estimate.span,
            grouped(*events),
            bytes(estimate.bytes),
            grouped(*calls),
            grouped(*slices),
            span(Duration::from_millis(estimate.took_ms)),
        ));
    }
    text
}

/// What jobs would take, for machines.
pub(super) fn estimates_as_json(estimates: &[(OrgId, Estimate)]) -> Value {
    let one = |(org, estimate): &(OrgId, Estimate)| {
        json!({
            "org": org.as_str(), "since": estimate.span.since, "until": estimate.span.until,
            "events": estimate.events, "bytes": estimate.bytes, "slices": estimate.slices, "calls": estimate.calls,
            "calls_a_minute": estimate.permitted, "took_ms": estimate.took_ms, "probes": estimate.probes,
        })
    };
    json!(estimates.iter().map(one).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ExitStatus, Fatal};
    use crate::ingest::backfill::Summary;

    fn acme() -> OrgId {
        OrgId::new("acme")
    }

    #[test]
    fn a_line_says_how_far_how_long_and_how_fast() {
        let report = Report {
            phase: Phase::Reading,
            events: 1_250_000,
            expected: Some(5_000_000),
            events_per_second: 949.6,
            done: 0.25,
            left_ms: 3_750_000,
            quota: Some((57, 58)),
            verified: 90,
            slices: 360,
            ..Report::default()
        };
        assert_eq!(
            progress(&acme(), &report, true, false),
            "acme: [####------------] 25 %, 1 h 02 min left, 950 events/s, 57 of 58 calls this minute, 1,250,000 of about \
             5,000,000 events"
        );
        let verifying = Report { phase: Phase::Verifying, ..report.clone() };
        let line = progress(&acme(), &verifying, false, false);
        assert!(line.starts_with("acme: 25 %, looks at 90 of 360 slices again, "), "{line}");
        let waiting = Report { waits: Some("Kafka is away".into()), ..report };
        assert_eq!(progress(&acme(), &waiting, false, false), "acme: waits: Kafka is away");
        assert!(progress(&acme(), &waiting, false, true).contains("stops when"));
    }

    #[test]
    fn the_end_tells_what_is_missing_and_why() {
        let gap = Span { since: 0, until: 3_600_000 };
        let ended = |result, summary| Ended { org: acme(), result, summary, elapsed_ms: 61_000, calls: 7, refused: 0 };
        let lost = ended(Ok(Finish::Done), Summary { lost: vec![gap], ..Summary::default() });
        let shown = table(std::slice::from_ref(&lost));
        assert!(shown.contains("Okta dropped 1970-01-01T00:00:00Z to 1970-01-01T01:00:00Z"), "{shown}");
        assert_eq!(as_json(&lost)["lost"], json!([[0, 3_600_000]]));
        let late = ended(Ok(Finish::Done), Summary { slices: 360, same: 358, expired: 2, ..Summary::default() });
        let shown = table(std::slice::from_ref(&late));
        assert!(shown.contains("acme: 2 slices are not verified: Okta keeps them no longer"), "{shown}");
        assert_eq!(as_json(&late)["expired"], 2);
        let fatal = Fatal::new(ExitStatus::NoPermission, "the System Log is not for us");
        let failed = ended(Err(fatal), Summary::default());
        assert!(table(std::slice::from_ref(&failed)).contains("failed: the System Log is not for us"));
        let told = as_json(&failed);
        assert!(told["outcome"] == "failed" && told["error"] == "the System Log is not for us", "{told}");
    }
}
