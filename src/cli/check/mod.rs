//! `okta-ocsf check`: one file for each part of the outside world, and [`report`] for how it is told.

mod collections;
mod kafka;
mod org;
mod progress;
mod queue;
mod report;
#[cfg(test)]
mod tests;

use clap::Args;

use super::{ConfigArgument, print, runtime};
use crate::config::Config;
use crate::error::{ExitStatus, Fatal};
use progress::Progress;
use report::Report;

/// Ask every part of the outside world whether the worker could use it
///
/// Reads only. Of each org with an API: the way in, the clock, the scopes, and one call for each collection, within the
/// org's rate limits; then the queues and the event rules that feed them, Kafka, its topics and our rights on them. Exit
/// status 1 when something fails. A collection that is not granted or that the org does not have is skipped, which is no
/// failure unless org.api.scopes names its scope.
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf check --config worker.toml
  okta-ocsf check --org acme
  okta-ocsf check --json | jq '.orgs[].collections[] | select(.state != \"ok\")'")]
pub struct Check {
    #[command(flatten)]
    config: ConfigArgument,
    /// Only the API of this org: neither queues nor Kafka
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
    /// One JSON object instead of tables
    #[arg(long)]
    json: bool,
}

impl Check {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        let config = self.config.load()?;
        let report = match &self.org {
            Some(name) => runtime()?.block_on(only(&config, name))?,
            None => runtime()?.block_on(everything(&config)),
        };
        if self.json {
            print(&format!("{:#}\n", report.to_json()))?;
        } else {
            print(&report.to_text())?;
        }
        Ok(if report.is_fine() { ExitStatus::Ok } else { ExitStatus::SomeFailed })
    }
}

async fn everything(config: &Config) -> Report {
    let mut report = Report::default();
    let progress = Progress::start();
    for org in &config.orgs {
        report.orgs.extend(org::check(org, &progress).await);
    }
    progress.step("queues and Kafka");
    let aws = crate::aws::settings(&config.aws).await;
    for queue in &config.queues {
        report.queues.extend(queue::check(&aws, queue).await);
    }
    report.kafka = kafka::check(config, &aws).await;
    report
}

async fn only(config: &Config, name: &str) -> Result<Report, Fatal> {
    let org = config.orgs.iter().find(|org| org.id == name).ok_or_else(|| {
        let names: Vec<&str> = config.orgs.iter().map(|org| org.id.as_str()).collect();
        Fatal::new(ExitStatus::Config, format!("there is no org {name:?} in the configuration"))
            .hint(format!("the orgs are: {}", names.join(", ")))
    })?;
    let checked = org::check(org, &Progress::start()).await;
    let without =
        || Fatal::new(ExitStatus::Config, format!("the org {name:?} has no [org.api]: nothing is asked of it"));
    Ok(Report { orgs: vec![checked.ok_or_else(without)?], ..Report::default() })
}
