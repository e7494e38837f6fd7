//! `okta-ocsf backfill`: brings in what happened before.

mod api;
mod archive;
mod files;
mod show;

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::ConfigArgument;
use crate::error::{ExitStatus, Fatal};
use crate::ingest::backfill::Moment;

/// Bring in the past of the orgs' System Log
///
/// Reads it through Okta's API, oldest first, as fast as the rate limit allows but for what the live poll needs, and
/// lands it. What was streamed or polled before is not published twice. Goes on where an earlier run of the same words
/// stopped, was stopped or was killed; at the end it asks for a small part of everything once more and compares.
///
/// With Kafka it runs beside the workers, which do the rest. Without, it needs the data directory for itself and does the
/// rest in this process, so no worker may run.
///
/// With --from-file it lands exported logs instead, and with --from-archive it has an EventBridge archive replayed into the
/// queue; neither needs Okta's API.
///
/// Exit status 1 if it was stopped, or if something of the time is not what it should be.
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf backfill --org acme --since 90d --dry-run            what would it take?
  okta-ocsf backfill --org acme --since 90d
  okta-ocsf backfill --org acme --org globex --since 2026-11-01 --until 2026-11-08T12:00:00Z
  okta-ocsf backfill --org acme --since 7d --filter 'eventType eq \"user.session.start\"'
  okta-ocsf backfill --org acme --from-file export-1.json.gz export-2.ndjson.zst
  okta-ocsf backfill --from-archive okta-ocsf --since 2026-11-01 --until 2026-11-08")]
pub struct Backfill {
    #[command(flatten)]
    config: ConfigArgument,
    /// These orgs, at once, each within its own limits; several by comma or by repeating
    #[arg(long, value_name = "ORG", value_delimiter = ',')]
    #[arg(required_unless_present = "from_archive", conflicts_with = "from_archive")]
    org: Vec<String>,
    /// From when on: 2026-11-01, 2026-11-01T08:00:00Z, or how long ago, 90d, 36h, 30m; Okta keeps 90 days
    #[arg(long, value_name = "TIME", conflicts_with = "from_file")]
    #[arg(required_unless_present_any = ["from_file", "from_archive"])]
    since: Option<Typed>,
    /// Until when; all that is older than an hour, if not given, as what is younger may still change
    #[arg(long, value_name = "TIME", conflicts_with = "from_file")]
    until: Option<Typed>,
    /// Land exported logs of one org instead: JSON, lines or arrays; plain, gzip or zstd; - is standard input
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = ["from_archive", "filter", "dry_run"])]
    from_file: Vec<PathBuf>,
    /// Folder of the files that say how far each job is [default: backfill in worker.data_dir]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// A JSON array with one object for each org, when all have ended; progress goes to standard error
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    archive: archive::ByArchive,
    #[command(flatten)]
    api: api::ByApi,
}

/// A time, and the words for it.
#[derive(Debug, Clone)]
struct Typed {
    words: String,
    moment: Moment,
}

impl FromStr for Typed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self { words: text.to_owned(), moment: text.parse()? })
    }
}

impl Backfill {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        if let Some(name) = &self.archive.from_archive {
            let now = crate::landing::now_ms();
            let at = |typed: &Option<Typed>| typed.as_ref().map(|typed| typed.moment.resolve(now));
            let range = archive::Range { since: at(&self.since), until: at(&self.until) };
            return self.archive.main(name, &self.config.load()?, range, self.json);
        }
        if !self.from_file.is_empty() {
            return self.files()?.main();
        }
        self.api.main(self)
    }

    fn files(&self) -> anyhow::Result<files::FromFiles> {
        let config = self.config.load()?;
        let [org] = self.org.as_slice() else {
            return Err(Fatal::new(ExitStatus::Config, "a file holds the events of one org")
                .hint("give one --org, and run it once for each")
                .into());
        };
        Ok(files::FromFiles {
            paths: self.from_file.clone(),
            org: org.clone(),
            state: self.state.clone().unwrap_or_else(|| config.worker.data_dir.join("backfill")),
            again: self.api.again,
            json: self.json,
            config,
        })
    }
}
