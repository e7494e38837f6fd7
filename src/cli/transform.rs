use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Context as _;
use clap::Args;
use serde_json::value::RawValue;

use super::lines::Lines;
use crate::config::{OrgConfig, PublishConfig, QueueConfig};
use crate::error::{Chain, ExitStatus};
use crate::ingest::{QueueOrgs, decode};
use crate::ocsf::inventory::{Activity, COLLECTIONS, Collection, InventoryMapper, Observed, ResourceFacts, UserFacts};
use crate::ocsf::{Mapper, Options, Source};
use crate::okta::OrgId;

/// Lines longer than this are reported, not read: four times what a queue can carry.
pub(super) const MAX_LINE_BYTES: usize = 4 << 20;

/// Turn Okta JSON lines into OCSF JSON lines, without any infrastructure
///
/// Each line is a LogEvent, an EventBridge envelope, an SNS-wrapped envelope or an event-hook batch; with --collection
/// an object of Okta's Management API; or an array of these, as Okta's APIs answer. A bad line is reported on standard
/// error with its number and reason, the others go on, and the exit status is 1.
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf transform events.ndjson > ocsf.ndjson
  curl -s …/api/v1/logs | okta-ocsf transform --org acme | jq .class_name
  curl -s …/api/v1/groups | okta-ocsf transform --collection groups | okta-ocsf validate")]
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
    /// The lines are objects of this collection, such as users, groups or zones, observed now
    #[arg(long, value_name = "NAME", value_parser = collection, conflicts_with = "event_types")]
    collection: Option<&'static Collection>,
}

/// A collection by its name.
fn collection(name: &str) -> Result<&'static Collection, String> {
    Collection::find(name).ok_or_else(|| {
        let names: Vec<&str> = COLLECTIONS.iter().map(|collection| collection.name).collect();
        format!("there is no such collection; there are {}", names.join(", "))
    })
}

impl Transform {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        let mut lines = Lines::open(self.file.as_deref(), MAX_LINE_BYTES)?;
        let mut output = BufWriter::new(std::io::stdout().lock());
        let (mut number, mut bad) = (0u64, 0u64);
        let types =
            PublishConfig { event_types: self.event_types.clone(), ..PublishConfig::default() }.event_types()?;
        let mut mapper = Mapper::new(types, self.options());
        let mut inventory = InventoryMapper::new(self.options());
        while let Some(line) = lines.next().context("the input cannot be read")? {
            number += 1;
            let problems = match self.collection {
                Some(collection) => self.objects(line, collection, &mut inventory, &mut output)?,
                None => self.line(line, &mut mapper, &mut output)?,
            };
            for problem in problems {
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
        let mut problems = Vec::new();
        let mut record = Vec::new();
        for decoded in elements(line.trim_ascii()).into_iter().flat_map(|element| decode(element, &self.orgs())) {
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

    /// Writes the records of one line of inventory; gives what was wrong in it.
    fn objects(
        &self,
        line: &[u8],
        collection: &'static Collection,
        mapper: &mut InventoryMapper,
        output: &mut impl Write,
    ) -> anyhow::Result<Vec<String>> {
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?;
        let org = OrgId::new(&self.org);
        let observed =
            Observed { org: &org, at: i64::try_from(at.as_millis())?, activity: Activity::Collect, basis: None };
        let mut problems = Vec::new();
        let mut record = Vec::new();
        for object in elements(line.trim_ascii()) {
            record.clear();
            let mapped = match collection.name {
                "users" => mapper.user(&observed, &UserFacts { user: object, ..UserFacts::default() }, &mut record),
                "devices" => mapper.device(&observed, object, &mut record),
                _ => {
                    let facts = ResourceFacts { object, ..ResourceFacts::default() };
                    mapper.resource(&observed, collection, &facts, &mut record)
                }
            };
            match mapped {
                Ok(_) => {
                    record.push(b'\n');
                    output.write_all(&record).context("the output cannot be written")?;
                }
                Err(error) => problems.push(format!("{}: {}", error.reason(), Chain(&error))),
            }
        }
        Ok(problems)
    }

    fn orgs(&self) -> QueueOrgs {
        let org = OrgConfig { id: self.org.clone(), event_source: None, ..OrgConfig::default() };
        let limits =
            QueueConfig { orgs: vec![self.org.clone()], max_body_bytes: MAX_LINE_BYTES, ..QueueConfig::default() };
        QueueOrgs::new(&limits, &[org])
    }

    fn options(&self) -> Options {
        Options { raw_data: !self.no_raw_data, unmapped: !self.no_unmapped }
    }
}

/// The elements of a line that is an array, else the line itself; none of an empty one.
fn elements(line: &[u8]) -> Vec<&[u8]> {
    let array: Option<Vec<&RawValue>> = serde_json::from_slice(line).ok();
    match array {
        Some(elements) => elements.into_iter().map(|element| element.get().as_bytes()).collect(),
        None if line.is_empty() => Vec::new(),
        None => vec![line],
    }
}
