use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::lines::Lines;
use crate::config::{OrgConfig, PublishConfig, QueueConfig};
use crate::error::{Chain, ExitStatus};
use crate::ingest::{QueueOrgs, decode};
use crate::ocsf::{Mapper, Options, Source};

/// Lines longer than this are reported, not read: four times what a queue can carry.
pub(super) const MAX_LINE_BYTES: usize = 4 << 20;

/// Turn Okta JSON lines into OCSF JSON lines, without any infrastructure
///
/// Each line is a LogEvent, an EventBridge envelope, an SNS-wrapped envelope or an event-hook batch. A bad line is
/// reported on standard error with its number and reason, the others go on, and the exit status is 1.
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf transform events.ndjson > ocsf.ndjson
  curl -s … | jq -c '.[]' | okta-ocsf transform --org acme | jq .class_name")]
pub struct Transform {
    /// File to read; standard input if absent or -
    file: Option<PathBuf>,
    /// The org that the events are of
    #[arg(long, default_value = "okta")]
    org: String,
    /// Leave out raw_data
    #[arg(long)]
    no_raw_data: bool,
    /// Leave out unmapped
    #[arg(long)]
    no_unmapped: bool,
    /// A file of event types that override the built-in ones, as `publish.event_types` in the configuration
    #[arg(long, value_name = "FILE")]
    event_types: Option<PathBuf>,
}

impl Transform {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        let mut lines = Lines::open(self.file.as_deref(), MAX_LINE_BYTES)?;
        let mut output = BufWriter::new(std::io::stdout().lock());
        let (mut number, mut bad) = (0u64, 0u64);
        let types =
            PublishConfig { event_types: self.event_types.clone(), ..PublishConfig::default() }.event_types()?;
        let mut mapper = Mapper::new(types, self.options());
        while let Some(line) = lines.next().context("the input cannot be read")? {
            number += 1;
            for problem in self.line(line, &mut mapper, &mut output)? {
                bad += 1;
                eprintln!("line {number}: {problem}");
            }
        }
        output.flush().context("the output cannot be written")?;
        if bad > 0 {
            eprintln!("{bad} bad in {number} lines");
            return Ok(ExitStatus::SomeFailed);
        }
        Ok(ExitStatus::Ok)
    }

    /// Writes the records of one line; gives what was wrong in it.
    fn line(&self, line: &[u8], mapper: &mut Mapper, output: &mut impl Write) -> anyhow::Result<Vec<String>> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(Vec::new());
        }
        let mut problems = Vec::new();
        let mut record = Vec::new();
        for decoded in decode(line, &self.orgs()) {
            record.clear();
            let mapped =
                decoded.map_err(|poison| format!("{}: {}", poison.reason, poison.detail)).and_then(|arrived| {
                    let source = Source { org: &arrived.org, landed_at: None, bytes: &arrived.value };
                    mapper.map(source, &mut record).map_err(|error| format!("{}: {}", error.reason(), Chain(&error)))
                });
            match mapped {
                Ok(_) => {
                    record.push(b'\n');
                    output.write_all(&record).context("the output cannot be written")?;
                }
                Err(problem) => problems.push(problem),
            }
        }
        Ok(problems)
    }

    fn orgs(&self) -> QueueOrgs {
        let org = OrgConfig { id: self.org.clone(), event_source: None };
        let limits =
            QueueConfig { orgs: vec![self.org.clone()], max_body_bytes: MAX_LINE_BYTES, ..QueueConfig::default() };
        QueueOrgs::new(&limits, &[org])
    }

    fn options(&self) -> Options {
        Options { raw_data: !self.no_raw_data, unmapped: !self.no_unmapped }
    }
}
