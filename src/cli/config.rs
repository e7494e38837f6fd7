use clap::{Args, Subcommand};

use super::{ConfigArgument, print};
use crate::config::{reference, schema};
use crate::error::ExitStatus;

/// Check the configuration, or print its manual
#[derive(Args)]
pub struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Say everything that is wrong with the configuration (exit status 78), without reaching anything
    Check(ConfigArgument),
    /// Print every key with its meaning and default
    Reference,
    /// Print the JSON Schema of the configuration, for editors
    Schema,
}

impl ConfigCommand {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        match &self.action {
            Action::Check(argument) => {
                let config = argument.load()?;
                println!(
                    "{} is fine: {} org(s), {} queue(s), landing in {}",
                    argument.path().display(),
                    config.orgs.len(),
                    config.queues.len(),
                    match &config.kafka {
                        Some(kafka) => format!("Kafka at {}", kafka.brokers),
                        None => format!("{}", config.worker.data_dir.display()),
                    },
                );
            }
            Action::Reference => print(&reference())?,
            Action::Schema => print(&format!("{:#}\n", schema()))?,
        }
        Ok(ExitStatus::Ok)
    }
}
