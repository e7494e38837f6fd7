//! A worker within a command's own process.

use std::error::Error;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::{ExitStatus, Fatal};
use crate::okta::Pace;
use crate::telemetry::metrics;
use crate::worker::{self, InUse, Opened, Watched};

/// The worker, and how it ends.
pub(super) type Worker = JoinHandle<Result<(), Fatal>>;

/// Starts it; gives the log that it has opened. `beside` says what to do where another worker has the data directory.
pub(super) async fn start(
    config: Config,
    pace: Option<Pace>,
    beside: &str,
    stop: &CancellationToken,
) -> Result<(Opened, Worker), Fatal> {
    let recorder =
        metrics::install().map_err(|error| Fatal::new(ExitStatus::Software, "metrics cannot start").because(error))?;
    let (opened, open) = oneshot::channel();
    let watched = Watched { opened: Some(opened), pace };
    let worker = tokio::spawn(worker::run(config, recorder, watched, stop.clone()));
    match open.await {
        Ok(opened) => Ok((opened, worker)),
        // It ended before it had begun, and knows why.
        Err(_) => match worker.await {
            Ok(Err(fatal)) if fatal.source().is_some_and(|cause| cause.is::<InUse>()) => Err(fatal.hint(beside)),
            Ok(Err(fatal)) => Err(fatal),
            _ => Err(Fatal::new(ExitStatus::Software, "stopped before anything was read")),
        },
    }
}
