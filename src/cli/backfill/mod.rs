//! `okta-ocsf backfill`: brings in what happened before.

mod archive;
mod files;

use std::path::PathBuf;

use clap::Args;

use super::ConfigArgument;
use crate::error::{ExitStatus, Fatal};
use crate::ingest::backfill::Moment;

/// Bring in the past of the orgs' System Log
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf backfill --org acme --from-file export-1.json.gz export-2.json.zst
  curl -s … | okta-ocsf backfill --org acme --from-file -
  okta-ocsf backfill --from-archive okta-ocsf --since 2026-11-01 --until 2026-11-08")]
pub struct Backfill {
    #[command(flatten)]
    config: ConfigArgument,
    /// The org whose events these are
    #[arg(long, value_name = "ORG", value_delimiter = ',', required_unless_present = "from_archive")]
    #[arg(conflicts_with = "from_archive")]
    org: Vec<String>,
    /// From when on: 2026-11-01, 2026-11-01T08:00:00Z, or how long ago, 90d, 36h, 30m
    #[arg(long, value_name = "TIME", conflicts_with = "from_file")]
    since: Option<Moment>,
    /// Until when
    #[arg(long, value_name = "TIME", conflicts_with = "from_file")]
    until: Option<Moment>,
    /// Land exported System Logs of one org instead: JSON, lines or arrays; plain, gzip or zstd; - is standard input
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "from_archive")]
    #[arg(required_unless_present = "from_archive")]
    from_file: Vec<PathBuf>,
    /// Folder of the files that say how far each job is [default: backfill in worker.data_dir]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Read again what was read before in the same words
    #[arg(long)]
    again: bool,
    /// JSON at the end instead of a table; progress goes to standard error
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    archive: archive::ByArchive,
}

impl Backfill {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        let config = self.config.load()?;
        if let Some(name) = &self.archive.from_archive {
            let now = crate::landing::now_ms();
            let at = |moment: Option<Moment>| moment.map(|moment| moment.resolve(now));
            let range = archive::Range { since: at(self.since), until: at(self.until) };
            return self.archive.main(name, &config, range, self.json);
        }
        let [org] = self.org.as_slice() else {
            return Err(Fatal::new(ExitStatus::Config, "a file holds the events of one org")
                .hint("give one --org, and run it once for each")
                .into());
        };
        let files = files::FromFiles {
            paths: self.from_file.clone(),
            org: org.clone(),
            state: self.state.clone().unwrap_or_else(|| config.worker.data_dir.join("backfill")),
            again: self.again,
            json: self.json,
            config,
        };
        files.main()
    }
}
