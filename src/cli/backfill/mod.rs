//! `okta-ocsf backfill`: brings in what happened before.

mod api;
mod show;

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::ConfigArgument;
use crate::error::ExitStatus;
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
/// Exit status 1 if it was stopped, or if something of the time is not what it should be.
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf backfill --org acme --since 90d --dry-run            what would it take?
  okta-ocsf backfill --org acme --since 90d
  okta-ocsf backfill --org acme --org globex --since 2026-11-01 --until 2026-11-08T12:00:00Z
  okta-ocsf backfill --org acme --since 7d --filter 'eventType eq \"user.session.start\"'")]
pub struct Backfill {
    #[command(flatten)]
    config: ConfigArgument,
    /// These orgs, at once, each within its own limits; several by comma or by repeating
    #[arg(long, value_name = "ORG", value_delimiter = ',', required = true)]
    org: Vec<String>,
    /// From when on: 2026-11-01, 2026-11-01T08:00:00Z, or how long ago, 90d, 36h, 30m; Okta keeps 90 days
    #[arg(long, value_name = "TIME", required = true)]
    since: Option<Typed>,
    /// Until when; all that is older than an hour, if not given, as what is younger may still change
    #[arg(long, value_name = "TIME")]
    until: Option<Typed>,
    /// Folder of the files that say how far each job is [default: backfill in worker.data_dir]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// A JSON array with one object for each org, when all have ended; progress goes to standard error
    #[arg(long)]
    json: bool,
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
        self.api.main(self)
    }
}
