mod merge;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::lines::Lines;
use super::transform::MAX_LINE_BYTES;
use crate::error::{ExitStatus, Fatal};
use crate::ocsf::privacy::{Personal, Privacy};
use crate::ocsf::{
    AppCard, Confidence, DeviceCard, EventTypes, FactorCard, Knowledge, Lookup, Mapper, Options, Sighted, Source,
    Surroundings, UserCard,
};
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
    /// With an inventory that knows everybody, in 20 groups each
    #[arg(long)]
    enriched: bool,
    /// With pseudonyms for every kind of personal value, and so without raw_data
    #[arg(long)]
    hidden: bool,
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
        let privacy = self.hidden.then(|| Privacy::new(b"no secret: nothing leaves the process", Personal::ALL));
        let mut mapper = Mapper::new(EventTypes::embedded(), options).with_privacy(privacy);
        let everybody = Everybody::default();
        let knowledge = self.enriched.then_some(&everybody as &dyn Knowledge);
        let around = Surroundings { knowledge, ..Surroundings::default() };
        let org = OrgId::new("bench");
        let mut record = Vec::new();
        let mut events = self.lines()?;
        let lines = events.len();
        events.retain(|event| mapper.map_within(source(&org, event), around, &mut record).is_ok());
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
                let _ = mapper.map_within(source(&org, event), around, &mut record);
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

fn source<'a>(org: &'a OrgId, event: &'a [u8]) -> Source<'a> {
    Source { org, landed_at: None, bytes: event }
}

/// An inventory in which every id is known, and the same.
struct Everybody {
    user: Lookup<UserCard>,
    app: Lookup<AppCard>,
    device: Lookup<DeviceCard>,
    group: Arc<str>,
}

impl Default for Everybody {
    fn default() -> Self {
        let text = |text: &str| Some(text.to_owned());
        let shared = |text: &str| Some(Arc::from(text));
        let factor = |kind| FactorCard { kind: text(kind), provider: text("OKTA"), status: text("ACTIVE") };
        let user = UserCard {
            login: shared("ada@example.com"),
            email: shared("ada@example.com"),
            display_name: shared("Ada Arbor"),
            status: shared("ACTIVE"),
            department: shared("Payments"),
            organization: shared("Example"),
            title: shared("Controller"),
            employee_number: shared("100017"),
            manager: shared("Grace Hollow"),
            manager_id: shared("00uYtuIE5aAVB4VBMJ9C"),
            groups: Some((0..20).map(|at| format!("00g{at:017}").as_str().into()).collect()),
            roles: Some(Box::default()),
            factors: Some([factor("push"), factor("password")].into()),
            ..UserCard::default()
        };
        let app = AppCard { label: text("Payroll"), sign_on_mode: text("SAML_2_0"), ..AppCard::default() };
        let device = DeviceCard { platform: text("MACOS"), status: text("ACTIVE"), ..DeviceCard::default() };
        Self { user: sighted(user), app: sighted(app), device: sighted(device), group: "A group of the org".into() }
    }
}

fn sighted<T>(card: T) -> Lookup<T> {
    Lookup::Found(Sighted { card: Arc::new(card), as_of: 1_777_700_000_000, confidence: Confidence::AsOf })
}

impl Knowledge for Everybody {
    fn user(&self, _: &str) -> Lookup<UserCard> {
        self.user.clone()
    }

    fn app(&self, _: &str) -> Lookup<AppCard> {
        self.app.clone()
    }

    fn device(&self, _: &str) -> Lookup<DeviceCard> {
        self.device.clone()
    }

    fn group_name(&self, _: &str) -> Option<Arc<str>> {
        Some(Arc::clone(&self.group))
    }
}
