//! What a person sees while orgs are read: moving lines on a terminal, plain ones elsewhere, and a table at the end.

use std::time::{Duration, Instant};

use comfy_table::Table;
use comfy_table::presets::NOTHING;

use super::super::moving::Moving;
use super::super::words::{bar, grouped, span};
use super::follow::{Followed, News};
use crate::collect::{Bucket, Report, Row};
use crate::merge::snapshots::Outcome;
use crate::okta::OrgId;

/// How often a plain line tells how far it is.
const BETWEEN_LINES: Duration = Duration::from_secs(15);

/// The progress of all orgs. Writes to standard error; the tables go to standard output unless JSON does.
pub(super) struct Screen {
    lines: Vec<Line>,
    moving: Moving,
    json: bool,
    by: String,
}

/// What is shown of one org.
struct Line {
    org: OrgId,
    text: String,
    told: Option<Instant>,
}

impl Screen {
    pub fn new(orgs: &[OrgId], by: &str, json: bool) -> Self {
        let line = |org: &OrgId| Line { org: org.clone(), text: format!("{org}: asked for, by {by}"), told: None };
        let lines = orgs.iter().map(line).collect();
        let mut screen = Self { lines, moving: Moving::new(), json, by: by.to_owned() };
        screen.draw();
        screen
    }

    /// Shows the news.
    pub fn tell(&mut self, news: &News) {
        match news {
            News::Unanswered(org) => {
                let advice = "nobody has begun yet: is a worker with the role collect running, or busy with another?";
                self.set(org, format!("{org}: {advice}"), true);
            }
            News::Begun(org, collections) => {
                let by = self.by.clone();
                let of = if *collections > 0 { format!(", {collections} collections") } else { String::new() };
                self.set(org, format!("{org}: begins{of}, read by {by}"), true);
            }
            News::Progress(org, report) => self.set(org, progress(org, report, self.moving.moves()), false),
            News::Collection(org, row) => self.collection(org, row),
            News::Ended(_) => {}
        }
    }

    /// Keeps what moves in its place.
    pub fn tick(&mut self) {
        self.draw();
    }

    /// A snapshot has ended: its table.
    pub fn ended(&mut self, followed: &Followed) {
        self.clear();
        self.lines.retain(|line| line.org != followed.org);
        if !self.json {
            // A reader that has seen enough is no error.
            let _ = super::super::print(&table(followed));
        } else {
            self.say(&summary(followed));
        }
        self.draw();
    }

    /// Nothing moves any more.
    pub fn finish(&mut self) {
        self.clear();
    }

    fn collection(&mut self, org: &OrgId, row: &Row) {
        let verdict = row.verdict.as_deref().unwrap_or_default();
        let bad = matches!(verdict, "partial" | "failed");
        // On a terminal the table will say it; what is wrong is told at once.
        if bad || !self.moving.moves() {
            let detail = row.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            self.clear();
            self.say(&format!("{org}: {} {verdict}, {} objects{detail}", row.name, grouped(row.objects)));
            self.draw();
        }
    }

    fn set(&mut self, org: &OrgId, text: String, now: bool) {
        let moving = self.moving.moves();
        let Some(line) = self.lines.iter_mut().find(|line| line.org == *org) else { return };
        line.text = text;
        if moving {
            return self.draw();
        }
        if now || line.told.is_none_or(|told| told.elapsed() >= BETWEEN_LINES) {
            line.told = Some(Instant::now());
            let text = line.text.clone();
            self.say(&text);
        }
    }

    fn say(&self, text: &str) {
        self.moving.say(text);
    }

    fn draw(&mut self) {
        self.moving.draw(self.lines.iter().map(|line| line.text.as_str()));
    }

    /// Takes the moving lines off the screen.
    fn clear(&mut self) {
        self.moving.clear();
    }
}

/// One line: how far, how fast, and when it will end.
fn progress(org: &OrgId, report: &Report, with_bar: bool) -> String {
    let all = report.calls + report.calls_left;
    let done = if all == 0 { 0.0 } else { report.calls as f64 / all as f64 };
    let about = if report.at_least { "at least " } else { "" };
    let drawn = if with_bar { format!(" [{}]", bar(done)) } else { String::new() };
    let left = match report.calls_left {
        0 => "about to end".to_owned(),
        _ => format!("{about}{} left", span(Duration::from_millis(report.left_ms))),
    };
    let refused =
        if report.refused > 0 { format!(", {} refused by a rate limit", report.refused) } else { String::new() };
    format!(
        "{org}:{drawn} {:.0} %, {} of {about}{} calls, {left}{}{refused}",
        done * 100.0,
        grouped(report.calls),
        grouped(all),
        busiest(report),
    )
}

/// The buckets that decide how long it takes: those of which most is used.
fn busiest(report: &Report) -> String {
    // A bucket of which less than a tenth is used decides nothing.
    let much = |bucket: &&Bucket| bucket.permitted > 0 && u64::from(bucket.used) * 10 >= u64::from(bucket.permitted);
    let mut buckets: Vec<_> = report.quota.iter().filter(much).collect();
    buckets.sort_by_key(|bucket| std::cmp::Reverse(u64::from(bucket.used) * 1_000 / u64::from(bucket.permitted)));
    let shown: Vec<_> =
        buckets.iter().take(2).map(|bucket| format!("{} {}/{}", bucket.name, bucket.used, bucket.permitted)).collect();
    if shown.is_empty() { String::new() } else { format!(", this minute {}", shown.join(", ")) }
}

fn table(followed: &Followed) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["collection", "verdict", "objects", "calls", ""]);
    for row in &followed.rows {
        table.add_row([
            row.name.clone(),
            row.verdict.as_deref().unwrap_or("not read").replace('_', " "),
            grouped(row.objects),
            grouped(row.calls),
            row.detail.clone().unwrap_or_default(),
        ]);
    }
    for column in [2, 3] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
    format!("{table}\n\n{}\n", summary(followed))
}

fn summary(followed: &Followed) -> String {
    let counts: Vec<_> = Outcome::WORDS
        .iter()
        .map(|word| (followed.count(word), word.replace('_', " ")))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let calls = grouped(followed.calls());
    let took = span(Duration::from_millis(u64::try_from(followed.report.elapsed_ms).unwrap_or_default()));
    let ended = match &followed.aborted {
        Some(why) => format!("given up: {why}"),
        None => counts.join(", "),
    };
    format!("{} ({}): {ended}; {calls} calls in {took}", followed.org, followed.engine)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_line_says_what_is_done_what_is_left_and_what_it_waits_for() {
        let bucket = |name: &str, used, permitted| Bucket { name: name.into(), used, permitted };
        let report = Report {
            calls: 250,
            calls_left: 750,
            at_least: true,
            left_ms: 61_000,
            quota: vec![bucket("users", 31, 300), bucket("apps", 50, 50), bucket("logs", 5, 60)],
            ..Report::default()
        };
        assert_eq!(
            progress(&OrgId::new("acme"), &report, false),
            "acme: 25 %, 250 of at least 1,000 calls, at least 1 min 01 s left, this minute apps 50/50, users 31/300"
        );
        let line = progress(&OrgId::new("acme"), &Report { calls_left: 0, at_least: false, ..report }, true);
        assert!(line.starts_with("acme: [################] 100 %, 250 of 250 calls, about to end"), "{line}");
    }

    #[test]
    fn a_table_shows_every_collection_with_its_verdict() {
        let row = |name: &str, verdict: &str, detail: Option<&str>| Row {
            name: name.into(),
            objects: 1_234,
            calls: 7,
            verdict: Some(verdict.into()),
            detail: detail.map(str::to_owned),
            ..Row::default()
        };
        let followed = Followed {
            org: OrgId::new("acme"),
            epoch: 1,
            engine: "Identity Engine".into(),
            aborted: None,
            report: Report { elapsed_ms: 61_000, ..Report::default() },
            rows: vec![row("users", "complete", None), row("devices", "forbidden", Some("grant okta.devices.read"))],
        };
        let shown = table(&followed);
        assert!(shown.contains("1,234") && shown.contains("grant okta.devices.read"), "{shown}");
        assert!(
            shown.ends_with("acme (Identity Engine): 1 complete, 1 forbidden; 14 calls in 1 min 01 s\n"),
            "{shown}"
        );
        assert!(followed.is_fine(&|_| false) && !followed.is_fine(&|name| name == "devices"));
    }
}
