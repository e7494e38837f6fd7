//! The role `ingest`: one source a queue.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::config::{QueueConfig, Role};
use crate::error::{Class, ExitStatus, Fatal};
use crate::ingest::QueueOrgs;
use crate::ingest::sqs::{Parts, QueueError, Source, SqsQueue};
use crate::telemetry::Component;

/// Pause between two tries to reach the queue at the start.
const PROBE_PAUSE: Duration = Duration::from_secs(2);

/// The running sources.
pub struct Ingest(JoinSet<()>);

/// Starts a source for every queue, if this process has the role.
pub fn start(shared: &Shared, aws: &aws_config::SdkConfig, stop: &CancellationToken) -> Ingest {
    let mut sources = JoinSet::new();
    if shared.config.has_role(Role::Ingest) {
        for queue in shared.config.queues.clone() {
            let (shared, aws, stop) = (shared.clone(), aws.clone(), stop.clone());
            sources.spawn(async move {
                if let Err(fatal) = run(&shared, &aws, queue, stop).await {
                    let _ = shared.fatal.try_send(fatal);
                }
            });
        }
    }
    Ingest(sources)
}

impl Ingest {
    /// Waits until all sources have given back what they hold; each bounds its own time.
    pub async fn finish(&mut self) {
        while self.0.join_next().await.is_some() {}
    }
}

async fn run(
    shared: &Shared,
    aws: &aws_config::SdkConfig,
    config: QueueConfig,
    stop: CancellationToken,
) -> Result<(), Fatal> {
    let name = config.url.rsplit('/').next().unwrap_or_default().to_owned();
    let health = shared.health.component(format!("queue {name}"));
    let queue = SqsQueue::new(aws, &config);
    if !probe(&queue, &config, &health, &stop).await? {
        return Ok(());
    }
    let parts = Parts {
        queue,
        name,
        orgs: QueueOrgs::new(&config, &shared.config.orgs),
        config,
        landing: std::sync::Arc::clone(&shared.landing),
        sink: std::sync::Arc::clone(&shared.sink),
        limit: std::sync::Arc::clone(&shared.limit),
        health,
    };
    // The rest is for the partitions' last batch and the producer's last messages.
    let stop_timeout = Duration::from_secs(shared.config.worker.stop_timeout_seconds) * 7 / 10;
    Source::new(parts).run(stop, stop_timeout).await
}

/// Waits until the queue answers. False when `stop` came first.
async fn probe(
    queue: &SqsQueue,
    config: &QueueConfig,
    health: &Component,
    stop: &CancellationToken,
) -> Result<bool, Fatal> {
    let mut warned = false;
    loop {
        match queue.probe().await {
            Ok(arn) => {
                health.ready("the queue answers");
                tracing::info!(queue = arn, receivers = config.receivers, "queue found");
                return Ok(true);
            }
            Err(error) if error.class == Class::Fatal => return Err(hopeless(config, error)),
            Err(error) => {
                health.waiting(error.to_string());
                if !warned {
                    warned = true;
                    tracing::warn!(queue = config.url, %error, "the queue does not answer, trying again");
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(PROBE_PAUSE) => {}
        }
    }
}

fn hopeless(config: &QueueConfig, error: QueueError) -> Fatal {
    let url = &config.url;
    if error.denied {
        return Fatal::new(ExitStatus::NoPermission, format!("AWS refuses to let us read the queue {url}"))
            .hint("give this process credentials with the worker policy of infra/cloudformation/okta-ocsf.yaml")
            .because(error);
    }
    Fatal::new(ExitStatus::Unavailable, format!("the queue {url} does not exist"))
        .hint(
            "deploy infra/cloudformation/okta-ocsf.yaml and set queue.url to its output QueueUrl; check aws.region too",
        )
        .because(error)
}
