use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::config::{OrgConfig, QueueConfig};
use crate::error::{Chain, ExitStatus, Fatal};
use crate::ingest::{QueueOrgs, decode};
use crate::ocsf;

/// Lines longer than this are reported, not read: four times what a queue can carry.
const MAX_LINE_BYTES: usize = 4 << 20;

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
}

impl Transform {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        let mut input = self.open()?;
        let mut output = BufWriter::new(std::io::stdout().lock());
        let (mut number, mut bad) = (0u64, 0u64);
        let mut line = Vec::new();
        while read_line(&mut input, &mut line).context("the input cannot be read")? {
            number += 1;
            for problem in self.line(&line, &mut output)? {
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

    fn open(&self) -> Result<Box<dyn BufRead>, Fatal> {
        match self.file.as_ref().filter(|path| path.as_os_str() != "-") {
            None => Ok(Box::new(BufReader::new(std::io::stdin()))),
            Some(path) => match File::open(path) {
                Ok(file) => Ok(Box::new(BufReader::new(file))),
                Err(error) => Err(Fatal::new(ExitStatus::Io, format!("cannot read {}", path.display())).because(error)),
            },
        }
    }

    /// Writes the records of one line; gives what was wrong in it.
    fn line(&self, line: &[u8], output: &mut impl Write) -> anyhow::Result<Vec<String>> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(Vec::new());
        }
        let mut problems = Vec::new();
        for decoded in decode(line, &self.orgs()) {
            let mapped =
                decoded.map_err(|poison| format!("{}: {}", poison.reason, poison.detail)).and_then(|arrived| {
                    let source = ocsf::Source { org: &arrived.org, landed_at: None, bytes: &arrived.value };
                    ocsf::map(source, self.options()).map_err(|error| format!("{}: {}", error.reason(), Chain(&error)))
                });
            match mapped {
                Ok(record) => {
                    output.write_all(&record.json).context("the output cannot be written")?;
                    output.write_all(b"\n").context("the output cannot be written")?;
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

    fn options(&self) -> ocsf::Options {
        ocsf::Options { raw_data: !self.no_raw_data, unmapped: !self.no_unmapped }
    }
}

/// The next line without its end, cut just above [`MAX_LINE_BYTES`]; the rest of a longer one is passed over.
fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let limit = MAX_LINE_BYTES as u64 + 2;
    if input.take(limit).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() != Some(&b'\n') && line.len() as u64 == limit {
        skip_line(input)?;
    }
    Ok(true)
}

fn skip_line(input: &mut dyn BufRead) -> std::io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let (used, done) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        input.consume(used);
        if done {
            return Ok(());
        }
    }
}
