//! The command line: one file a subcommand.

mod ask;
mod backfill;
mod bench;
mod check;
mod collect;
mod config;
mod explain;
mod here;
mod lines;
mod moving;
mod orgs;
mod reprocess;
mod run;
mod show;
mod status;
mod tail;
mod transform;
mod validate;
mod words;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError, load};
use crate::error::{Chain, ExitStatus, Fatal};

const EXIT_STATUSES: &str = "\
Exit status:
  0   done
  1   some input was bad, or a check failed
  2   wrong usage
  65  nearly all input is bad           74  the disk refuses
  69  a queue or topic does not exist   77  credentials or rights
  70  internal                          78  configuration";

/// Turns an Okta org into a trustworthy OCSF stream on Kafka.
#[derive(Parser)]
#[command(name = "okta-ocsf", version, after_help = EXIT_STATUSES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    Transform(transform::Transform),
    Validate(validate::Validate),
    Explain(explain::Explain),
    Check(check::Check),
    Collect(collect::Collect),
    Status(status::Status),
    Show(show::Show),
    Backfill(backfill::Backfill),
    Reprocess(reprocess::Reprocess),
    Tail(tail::Tail),
    Config(config::ConfigCommand),
    Bench(bench::Bench),
}

/// Runs the command of the process's arguments.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(run) => run.main(),
        Command::Transform(transform) => transform.main(),
        Command::Validate(validate) => validate.main(),
        Command::Explain(explain) => explain.main(),
        Command::Check(check) => check.main(),
        Command::Collect(collect) => collect.main(),
        Command::Status(status) => status.main(),
        Command::Show(show) => show.main(),
        Command::Backfill(backfill) => backfill.main(),
        Command::Reprocess(reprocess) => reprocess.main(),
        Command::Tail(tail) => tail.main(),
        Command::Config(config) => config.main(),
        Command::Bench(bench) => bench.main(),
    };
    match result {
        Ok(status) => status.into(),
        Err(error) => report(&error),
    }
}

/// Prints what happened, why, and what to do; gives the exit status.
fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {}", Chain(error.as_ref()));
    if let Some(fatal) = error.downcast_ref::<Fatal>() {
        if let Some(advice) = fatal.advice() {
            eprintln!("  what to do: {advice}");
        }
        return fatal.status().into();
    }
    if error.downcast_ref::<ConfigError>().is_some() {
        eprintln!("  what to do: see `okta-ocsf config reference`");
        return ExitStatus::Config.into();
    }
    ExitStatus::Software.into()
}

/// `--config` of every command that needs one.
#[derive(clap::Args)]
struct ConfigArgument {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", env = "OKTA_OCSF_CONFIG", default_value = "worker.toml")]
    config: PathBuf,
}

impl ConfigArgument {
    fn path(&self) -> &Path {
        &self.config
    }

    fn load(&self) -> Result<Config, ConfigError> {
        load(
            &self.config,
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }
}

/// Reads a time of an option.
fn time(text: &str) -> Result<jiff::Timestamp, String> {
    text.parse().map_err(|_| format!("{text:?} is no time such as 2026-11-20T10:00Z"))
}

/// The runtime of a command that talks to the network.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Fatal::new(ExitStatus::Software, "the runtime cannot start").because(error).into())
}

/// Whether what we print goes nowhere any more.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<std::io::Error>();
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Prints a whole text; a reader that has seen enough is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Resolves at the first SIGINT or SIGTERM.
async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
