mod ledger;

use std::fmt::Write;
use std::time::Duration;

use clap::Args;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use jiff::Timestamp;

use super::ask::ask;
use super::words::{grouped, span};
use super::{ConfigArgument, print};
use crate::error::ExitStatus;
use crate::inspect::{Answer, CollectionStatus, OrgStatus, Question};
use crate::landing;

/// The ledger shows so much of the past unless told otherwise: a line of the terminal for each hour of a day.
const LEDGER_HOURS: i64 = 24;

/// Show how fresh and complete everything is
///
/// Asks the worker that runs with this configuration, or reads its data directory where none runs. Per org: the snapshot
/// that runs, the last one, and for each collection its verdict, what is there, how stale it is (half, 99 of 100, all),
/// open fetches, and changes that no event announced; then the System Log: how far it was read, what is wrong with the
/// stream, and what gaps were healed.
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf status
  okta-ocsf status --org acme --json | jq '.orgs[0].collections[] | select(.verdict != \"complete\")'
  okta-ocsf status --ledger --since 2026-11-20T00:00Z --until 2026-11-21T00:00Z

Exit status: 1 if something needs a person: an alarm, an alert, or a collection that is partial, failed or forbidden.")]
pub struct Status {
    #[command(flatten)]
    config: ConfigArgument,
    /// Only this org
    #[arg(long)]
    org: Option<String>,
    /// Show minute by minute which events came by which way, and which minutes are proven complete
    #[arg(long)]
    ledger: bool,
    /// The ledger from this time on (RFC 3339); default: a day ago
    #[arg(long, value_name = "TIME", requires = "ledger", value_parser = super::time)]
    since: Option<Timestamp>,
    /// The ledger until this time; default: now
    #[arg(long, value_name = "TIME", requires = "ledger", value_parser = super::time)]
    until: Option<Timestamp>,
    /// One line of JSON instead of tables
    #[arg(long)]
    json: bool,
}

impl Status {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        let config = self.config.load()?;
        let now = landing::now_ms();
        let question = if self.ledger {
            let until = self.until.map_or(now, Timestamp::as_millisecond);
            let from = self.since.map_or(until - LEDGER_HOURS * 3_600_000, Timestamp::as_millisecond);
            Question::Ledger { org: self.org.clone(), from, until }
        } else {
            Question::Status { org: self.org.clone() }
        };
        let asked = ask(&config, &question)?;
        if self.json {
            print(&format!("{}\n", serde_json::to_string(&asked.answer)?))?;
        }
        match &asked.answer {
            Answer::Status { orgs } => {
                if !self.json {
                    print(&tables(orgs, asked.by_worker, now))?;
                }
                let fine = orgs.iter().all(is_fine);
                Ok(if fine { ExitStatus::Ok } else { ExitStatus::SomeFailed })
            }
            Answer::Ledger { orgs } => {
                if !self.json {
                    print(&orgs.iter().map(ledger::shown).collect::<String>())?;
                }
                Ok(ExitStatus::Ok)
            }
            Answer::Show(_) | Answer::Refused { .. } => Ok(ExitStatus::Ok),
        }
    }
}

/// Whether nothing needs a person.
fn is_fine(org: &OrgStatus) -> bool {
    let read = |row: &CollectionStatus| !matches!(row.verdict.as_deref(), Some("forbidden" | "partial" | "failed"));
    org.log.alarm.is_none() && org.alerts.is_empty() && org.collections.iter().all(read)
}

fn tables(orgs: &[OrgStatus], by_worker: bool, now: i64) -> String {
    let mut text = String::new();
    for org in orgs {
        // Writing into a text cannot fail.
        let _ = org_table(&mut text, org, now);
    }
    if !by_worker {
        text.push_str("No worker runs here: this is how the last one left it.\n");
    }
    text
}

fn org_table(text: &mut String, org: &OrgStatus, now: i64) -> std::fmt::Result {
    writeln!(text, "{} (partition {})", org.org, org.partition)?;
    if !org.here {
        return writeln!(text, "  its state is not here: another worker owns the partition, or none has read it yet\n");
    }
    writeln!(text, "  snapshot    {}", snapshot(org, now))?;
    writeln!(text, "  System Log  {}", log(org, now))?;
    for (from, until, recovered) in org.log.gaps.iter().rev().take(3) {
        let (from, until) = (time(*from), time(*until));
        writeln!(text, "              healed: {from} to {until}, {} events came by other ways", grouped(*recovered))?;
    }
    for (from, until) in &org.log.lost {
        writeln!(text, "              LOST: events of {} to {} may be missing for good", time(*from), time(*until))?;
    }
    for alert in &org.alerts {
        writeln!(text, "  ALERT       {alert}")?;
    }
    if !org.collections.is_empty() {
        let table = collections(&org.collections, now).to_string();
        text.push('\n');
        for line in table.lines() {
            writeln!(text, " {}", line.trim_end())?;
        }
    }
    text.push('\n');
    Ok(())
}

fn snapshot(org: &OrgStatus, now: i64) -> String {
    let last = match (org.last_snapshot, &org.last_aborted) {
        (None, _) => "none has ended yet".to_owned(),
        (Some(epoch), None) => format!("the last one began {} ago", ago(now - epoch)),
        (Some(epoch), Some(why)) => format!("the last one, {} ago, was given up: {why}", ago(now - epoch)),
    };
    let running = org.running.as_ref().map_or_else(String::new, |run| {
        format!(
            "one runs since {}, {} of {} collections have ended; ",
            ago(now - run.epoch),
            run.ended,
            run.collections
        )
    });
    let waiting = match org.waiting {
        0 => String::new(),
        count => format!("; {} records wait to be published", grouped(count)),
    };
    format!("{running}{last}{waiting}")
}

fn log(org: &OrgStatus, now: i64) -> String {
    let polled = match org.log.read_to {
        Some(time) => format!("read by the poll until {} ago", ago(now - time)),
        None => "not polled".to_owned(),
    };
    let streamed = match org.log.newest_by_stream {
        Some(time) => format!("newest by the stream {} ago", ago(now - time)),
        None => "nothing by a stream".to_owned(),
    };
    let alarm = match (&org.log.alarm, org.log.alarm_since) {
        (Some(alarm), Some(since)) => format!("; ALARM: the stream is {alarm} since {}", time(since)),
        (Some(alarm), None) => format!("; ALARM: the stream is {alarm}"),
        _ => String::new(),
    };
    format!("{polled}, {streamed}{alarm}")
}

fn collections(rows: &[CollectionStatus], now: i64) -> Table {
    let mut table = Table::new();
    let header = ["collection", "verdict", "complete", "live", "gone", "p50", "p99", "max", "open", "drift", ""];
    table.load_style(NOTHING).set_header(header);
    for row in rows {
        let stale = |at: usize| row.staleness_ms.and_then(|ages| ages.get(at).copied()).map_or_else(dash, ago);
        table.add_row([
            row.collection.clone(),
            row.verdict.as_deref().unwrap_or("not read").replace('_', " "),
            row.last_complete.map_or_else(dash, |epoch| format!("{} ago", ago(now - epoch))),
            grouped(row.live),
            grouped(row.gone),
            stale(0),
            stale(1),
            stale(2),
            grouped(row.open_intents),
            grouped(row.drift),
            row.detail.clone().unwrap_or_default(),
        ]);
    }
    for column in 3..10 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn dash() -> String {
    "-".to_owned()
}

/// A span of time in ms as people say it; what lies ahead is no time ago.
fn ago(ms: i64) -> String {
    let days = ms / 86_400_000;
    if days >= 2 { format!("{days} days") } else { span(Duration::from_millis(u64::try_from(ms).unwrap_or(0))) }
}

fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| dash(), |time| format!("{time:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::LogStatus;

    fn org() -> OrgStatus {
        let users = CollectionStatus {
            collection: "users".into(),
            verdict: Some("complete".into()),
            last_complete: Some(1_000_000),
            live: 12_345,
            staleness_ms: Some([1_000, 61_000, 7_300_000]),
            drift: 2,
            ..CollectionStatus::default()
        };
        let log = LogStatus { read_to: Some(1_500_000), ..LogStatus::default() };
        OrgStatus { org: "acme".into(), here: true, collections: vec![users], log, ..OrgStatus::default() }
    }

    #[test]
    fn a_table_says_how_fresh_everything_is() {
        let shown = tables(&[org()], true, 1_560_000);
        for expected in
            ["acme (partition 0)", "until 1 min 00 s ago", "12,345", "1 min 01 s", "2 h 01 min", "9 min 20 s ago"]
        {
            assert!(shown.contains(expected), "{expected}: {shown}");
        }
        assert!(!shown.contains("No worker"));
        assert!(tables(&[org()], false, 0).contains("No worker runs here"));
    }

    #[test]
    fn what_needs_a_person_is_said_and_fails_the_command() {
        assert!(is_fine(&org()));
        let mut alarmed = org();
        (alarmed.log.alarm, alarmed.log.alarm_since) = (Some("silent".into()), Some(1_400_000));
        assert!(!is_fine(&alarmed));
        assert!(tables(&[alarmed], true, 1_560_000).contains("ALARM: the stream is silent since 1970-01-01T00:23:20Z"));
        let mut forbidden = org();
        forbidden.collections[0].verdict = Some("forbidden".into());
        assert!(!is_fine(&forbidden));
        let mut off = org();
        off.collections[0].verdict = Some("feature_off".into());
        assert!(is_fine(&off), "an org need not have everything");
    }
}
