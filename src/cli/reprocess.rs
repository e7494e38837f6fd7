use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Args;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::moving::Moving;
use super::run::on_signals;
use super::words::{bar, grouped, span};
use super::{ConfigArgument, runtime};
use crate::config::Config;
use crate::error::{ExitStatus, Fatal};
use crate::ingest::backfill::Moment;
use crate::telemetry::init_logging;
use crate::worker::reprocess::{self, Asked, By, Output, Progress, Scope, Summary};

/// How often the progress is shown on a terminal, and in plain lines.
const TICK: Duration = Duration::from_millis(500);
const BETWEEN_LINES: Duration = Duration::from_secs(15);

/// Map what was landed once more, after a change of the mapping
///
/// Reads the landing log and nothing else: neither Okta nor AWS. The log is folded from its beginning, with a state of its
/// own, so that duplicates are dropped as they were; what was asked for is published, with the same metadata.uid as the
/// first time, so that a consumer which upserts by it replaces the record. Each record carries the header `reprocess`.
///
/// Beside running workers it changes nothing but the topics that it is told to write. Without Kafka the log has one user,
/// so no worker may run. It needs space for its state in worker.data_dir, as much as that of the workers.
///
/// Exit status 1 if it was interrupted, or if something went to quarantine.
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf reprocess --dry-run --since 7d                          what would it be?
  okta-ocsf reprocess --since 7d --topic-prefix okta.ocsf-v2        beside the topics there are
  okta-ocsf reprocess --since 2026-11-01 --until 2026-11-03 --org acme --same-topics
  okta-ocsf reprocess --by published --since 30d --directory out    into NDJSON files
  okta-ocsf reprocess --resume 20261128T091500Z-0f3a9c1e            go on with what was interrupted")]
pub struct Reprocess {
    #[command(flatten)]
    config: ConfigArgument,
    /// From when on: 2026-11-01, 2026-11-01T08:00:00Z, or how long ago, 90d, 36h, 30m [default: all there is]
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Before when [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Which time that is: when a record landed, or when Okta published the event
    #[arg(long, value_enum, default_value_t = By::Landed)]
    by: By,
    /// Only these orgs; several by comma or by repeating
    #[arg(long, value_name = "ORG", value_delimiter = ',')]
    org: Vec<String>,
    /// Publish to topics of this prefix, which are made where they are missing
    #[arg(long, value_name = "PREFIX", group = "to")]
    topic_prefix: Option<String>,
    /// Publish to the topics that the workers publish to: consumers must upsert by metadata.uid
    #[arg(long, group = "to")]
    same_topics: bool,
    /// Write NDJSON files into this folder
    #[arg(long, value_name = "DIR", group = "to")]
    directory: Option<PathBuf>,
    /// Publish nothing, and count
    #[arg(long, group = "to")]
    dry_run: bool,
    /// Begin to fold where the time begins: quicker, but without what the state was then, so events are published as they
    /// are, and one that came again within the time is not known for a duplicate
    #[arg(long)]
    without_enrichment: bool,
    /// Go on with the one of this name, as it was asked for
    #[arg(long, value_name = "ID", conflicts_with_all = ["since", "until", "by", "org", "to", "without_enrichment"])]
    resume: Option<String>,
    /// A file of event types that override the built-in ones, instead of `publish.event_types`
    #[arg(long, value_name = "FILE")]
    event_types: Option<PathBuf>,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

impl Reprocess {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        let mut config = self.config.load()?;
        let asked = self.asked(&config)?;
        if let Some(file) = &self.event_types {
            config.publish.event_types = Some(file.clone());
        }
        // What this command prints is for a person; the log would stand between the lines.
        if config.telemetry.log_level == "info" {
            config.telemetry.log_level = "error".into();
        }
        init_logging(&config.telemetry).map_err(|what| Fatal::new(ExitStatus::Config, what))?;
        let runtime = runtime()?;
        let began = Instant::now();
        let result = runtime.block_on(async {
            let stop = CancellationToken::new();
            let signals = tokio::spawn(on_signals(stop.clone()));
            let result = follow(config, asked, began, stop).await;
            signals.abort();
            result
        });
        runtime.shutdown_background();
        Ok(self.conclude(&result?, began.elapsed())?)
    }

    fn asked(&self, config: &Config) -> Result<Asked, Fatal> {
        let wrong = |what: String, hint: &str| Err(Fatal::new(ExitStatus::Config, what).hint(hint));
        if let Some(id) = &self.resume {
            return Ok(Asked::Resume(id.clone()));
        }
        if let Some(name) = self.org.iter().find(|name| config.orgs.iter().all(|org| org.id != **name)) {
            return wrong(format!("there is no org {name:?} in the configuration"), "--org takes an id of an [[org]]");
        }
        let now = crate::landing::now_ms();
        let at = |moment: Option<Moment>| moment.map(|moment| moment.resolve(now));
        let scope = Scope {
            by: self.by,
            since: at(self.since),
            until: at(self.until),
            orgs: self.org.iter().cloned().collect::<BTreeSet<_>>(),
        };
        if let (Some(since), Some(until)) = (scope.since, scope.until)
            && since >= until
        {
            return wrong("there is no time between --since and --until".into(), "--since must be before --until");
        }
        Ok(Asked::New { scope, whole: !self.without_enrichment, output: self.output(config)? })
    }

    fn output(&self, config: &Config) -> Result<Output, Fatal> {
        let wrong = |what: String, hint: &str| Err(Fatal::new(ExitStatus::Config, what).hint(hint));
        let topics = self.same_topics || self.topic_prefix.is_some();
        if topics && config.kafka.is_none() {
            return wrong("there is no [kafka] table, so there are no topics".into(), "give --directory");
        }
        match (&self.topic_prefix, &self.directory) {
            (Some(prefix), _) if *prefix == config.publish.topic_prefix => wrong(
                format!("{prefix} is where the workers publish"),
                "give another prefix; or say --same-topics, if all consumers of these topics upsert by metadata.uid",
            ),
            (Some(prefix), _) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
                // As publish.topic_prefix: Kafka allows 249 characters, and the class name comes behind it.
                if prefix.is_empty() || prefix.len() > 200 || !prefix.chars().all(plain) {
                    return wrong(
                        format!("{prefix:?} cannot be the prefix of topics"),
                        "1 to 200 letters, digits, '.', '_' or '-'",
                    );
                }
                Ok(Output::Topics(prefix.clone()))
            }
            (None, Some(folder)) if self.is_output_of_the_worker(folder, config) => wrong(
                format!("{} is where the worker writes", folder.display()),
                "give another folder: the worker cuts its files back to what it knows of them",
            ),
            (None, Some(folder)) => Ok(Output::Directory(folder.clone())),
            (None, None) if self.same_topics => Ok(Output::SameTopics),
            (None, None) if self.dry_run => Ok(Output::Nowhere),
            (None, None) => wrong(
                "where the records go is not said".into(),
                "give --topic-prefix, --directory or --same-topics; or --dry-run to see what it would be",
            ),
        }
    }

    fn is_output_of_the_worker(&self, folder: &std::path::Path, config: &Config) -> bool {
        let of_worker = config.publish.directory.clone().unwrap_or_else(|| config.worker.data_dir.join("output"));
        let same = |one: &std::path::Path| one.canonicalize().unwrap_or_else(|_| one.to_owned());
        config.kafka.is_none() && same(folder) == same(&of_worker)
    }

    fn conclude(&self, summary: &Summary, took: Duration) -> Result<ExitStatus, Fatal> {
        let text = if self.json { as_json(summary, took) } else { as_text(summary, took) };
        super::print(&text).map_err(|error| {
            Fatal::new(ExitStatus::Io, "standard output cannot be written").because(std::io::Error::other(error))
        })?;
        if !summary.finished {
            let fatal = Fatal::new(ExitStatus::SomeFailed, "interrupted before all was reprocessed");
            return Err(if self.dry_run {
                fatal
            } else {
                fatal.hint(format!("go on with: okta-ocsf reprocess --resume {}", summary.id))
            });
        }
        Ok(if summary.outputs.quarantined.is_empty() { ExitStatus::Ok } else { ExitStatus::SomeFailed })
    }
}

async fn follow(config: Config, asked: Asked, began: Instant, stop: CancellationToken) -> Result<Summary, Fatal> {
    let progress = Arc::new(Progress::default());
    let mut running = tokio::spawn(reprocess::run(config, asked, Arc::clone(&progress), stop.clone()));
    let (mut moving, mut told) = (Moving::new(), Instant::now());
    let ended = loop {
        tokio::select! {
            ended = &mut running => break ended,
            () = tokio::time::sleep(TICK) => {
                let line = line(&progress, began.elapsed(), moving.moves(), stop.is_cancelled());
                if moving.moves() {
                    moving.draw(std::iter::once(line.as_str()));
                } else if told.elapsed() >= BETWEEN_LINES {
                    told = Instant::now();
                    moving.say(&line);
                }
            }
        }
    };
    moving.clear();
    ended.map_err(|error| Fatal::new(ExitStatus::Software, error.to_string()))?
}

fn line(progress: &Progress, took: Duration, with_bar: bool, stopping: bool) -> String {
    if stopping {
        return "stops when the batches in hand are published".into();
    }
    let (read, all) = (progress.tallies.read.load(Ordering::Relaxed), progress.records.load(Ordering::Relaxed));
    let (done, of) = (&progress.partitions.0, &progress.partitions.1);
    let part = if all > 0 { read as f64 / all as f64 } else { 0.0 };
    let seconds = took.as_secs_f64().max(0.001);
    let left = Duration::from_secs_f64((seconds * (1.0 - part) / part.max(1e-6)).clamp(0.0, 1e9));
    let drawn = if with_bar { format!("[{}] ", bar(part)) } else { String::new() };
    format!(
        "{drawn}{:.0} %, {} left, {} of {} records read, {:.0}/s, {} of {} partitions done",
        part * 100.0,
        span(left),
        grouped(read),
        grouped(all),
        read as f64 / seconds,
        done.load(Ordering::Relaxed),
        of.load(Ordering::Relaxed),
    )
}

fn as_text(summary: &Summary, took: Duration) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["what", "records"]);
    let mut row = |what: &str, count: u64| {
        table.add_row([what.to_owned(), grouped(count)]);
    };
    for (class, count) in &summary.outputs.published {
        row(class, *count);
    }
    for (reason, count) in &summary.outputs.quarantined {
        row(&format!("quarantine: {reason}"), *count);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let rate = summary.read as f64 / took.as_secs_f64().max(0.001);
    format!(
        "{table}\n{}: {} records read in {}, {rate:.0}/s; {} were asked for, of which {} came out\n",
        summary.id,
        grouped(summary.read),
        span(took),
        grouped(summary.chosen),
        grouped(outputs(summary)),
    )
}

fn outputs(summary: &Summary) -> u64 {
    summary.outputs.published.values().chain(summary.outputs.quarantined.values()).sum()
}

fn as_json(summary: &Summary, took: Duration) -> String {
    let told = json!({
        "id": summary.id, "finished": summary.finished, "read": summary.read, "asked_for": summary.chosen,
        "published": summary.outputs.published, "quarantined": summary.outputs.quarantined,
        "elapsed_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    });
    format!("{told}\n")
}
