use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{ConfigArgument, runtime, stop_signal};
use crate::error::{ExitStatus, Fatal};
use crate::telemetry::{init_logging, metrics};
use crate::worker::{self, Watched};

/// Run the worker until SIGINT or SIGTERM
///
/// Logs go to standard error. The first signal stops it within worker.stop_timeout_seconds, giving unfinished messages
/// back to the queue; a second signal ends it at once, which loses nothing either.
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf run --config worker.toml
  OKTA_OCSF__WORKER__ROLES='[\"ingest\"]' okta-ocsf run      only receive and land")]
pub struct Run {
    #[command(flatten)]
    config: ConfigArgument,
}

impl Run {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        // Before anything is bound or reached: a bad configuration has no other effect than its message.
        let config = self.config.load()?;
        init_logging(&config.telemetry).map_err(|what| Fatal::new(ExitStatus::Config, what))?;
        let recorder = metrics::install()
            .map_err(|error| Fatal::new(ExitStatus::Software, "metrics cannot start").because(error))?;
        let stop = CancellationToken::new();
        let runtime = runtime()?;
        let result = runtime.block_on(async {
            let signals = tokio::spawn(on_signals(stop.clone()));
            let result = worker::run(config, recorder, Watched::default(), stop).await;
            signals.abort();
            result
        });
        // What still waits, such as a client that says goodbye to a broker that is away, ends with the process.
        runtime.shutdown_background();
        result?;
        Ok(ExitStatus::Ok)
    }
}

/// Cancels at the first signal, and ends the process at the second.
pub(super) async fn on_signals(stop: CancellationToken) {
    if stop_signal().await.is_ok() {
        stop.cancel();
    }
    if stop_signal().await.is_ok() {
        tracing::warn!("second signal, ending at once");
        std::process::exit(ExitStatus::Software as i32);
    }
}
