mod merge;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::lines::Lines;
use super::transform::MAX_LINE_BYTES;
use crate::error::{ExitStatus, Fatal};
use crate::ocsf::{EventTypes, Mapper, Options, Source};
use crate::okta::OrgId;

/// Measure parts of the pipeline in this process
#[derive(Args)]
#[command(after_help = "Example:
  okta-ocsf bench normalize events.ndjson --seconds 5")]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Normalize(Normalize),
    Merge(merge::Merge),
}

/// Events of a file to records, over and over, on one thread
///
/// The file is held in memory and every record is written into the same buffer, so that only the mapping is measured:
/// reading the JSON, choosing the class, writing the record with observables, unmapped and raw_data. Prints one line:
/// events a second, megabytes of input a second, bytes of input for an event.
#[derive(Args)]
struct Normalize {
    /// One LogEvent a line
    file: PathBuf,
    /// How long to measure
    #[arg(long, default_value_t = 3.0, value_name = "S")]
    seconds: f64,
    /// Leave out raw_data
    #[arg(long)]
    no_raw_data: bool,
    /// Leave out unmapped
    #[arg(long)]
    no_unmapped: bool,
}

impl Bench {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        match &self.what {
            What::Normalize(normalize) => normalize.main(),
            What::Merge(merge) => merge.main(),
        }
    }
}

impl Normalize {
    fn main(&self) -> anyhow::Result<ExitStatus> {
        let options = Options { raw_data: !self.no_raw_data, unmapped: !self.no_unmapped };
        let mut mapper = Mapper::new(EventTypes::embedded(), options);
        let org = OrgId::new("bench");
        let mut record = Vec::new();
        let mut events = self.lines()?;
        let lines = events.len();
        events.retain(|event| mapper.map(Source { org: &org, landed_at: None, bytes: event }, &mut record).is_ok());
        if events.len() < lines {
            eprintln!("{} of {lines} lines are no events and left out", lines - events.len());
        }
        if events.is_empty() {
            let what = format!("{} holds no events", self.file.display());
            return Err(Fatal::new(ExitStatus::SomeFailed, what).hint("give one LogEvent JSON on each line").into());
        }
        let bytes: usize = events.iter().map(Vec::len).sum();
        let limit = Duration::try_from_secs_f64(self.seconds.max(0.01)).context("--seconds is out of range")?;
        let (mut rounds, begin) = (0u64, Instant::now());
        while begin.elapsed() < limit {
            for event in &events {
                record.clear();
                // It was mapped before.
                let _ = mapper.map(Source { org: &org, landed_at: None, bytes: event }, &mut record);
                std::hint::black_box(&record);
            }
            rounds += 1;
        }
        let seconds = begin.elapsed().as_secs_f64();
        let mapped = rounds as f64 * events.len() as f64;
        println!(
            "normalize {:.0} events/s {:.1} MB/s {} B/event",
            mapped / seconds,
            rounds as f64 * bytes as f64 / seconds / 1e6,
            bytes / events.len()
        );
        Ok(ExitStatus::Ok)
    }

    fn lines(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut lines = Lines::open(Some(&self.file), MAX_LINE_BYTES)?;
        let mut all = Vec::new();
        while let Some(line) = lines.next().context("the input cannot be read")? {
            let line = line.trim_ascii();
            if !line.is_empty() {
                all.push(line.to_vec());
            }
        }
        Ok(all)
    }
}
