use std::net::SocketAddr;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Health, metrics};

/// The open telemetry port.
pub struct Listening {
    /// Where it listens, with the real port.
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Listening {
    /// Waits until the server has ended, after its token was cancelled.
    pub async fn ended(self) {
        let _ = self.task.await;
    }
}

/// Serves `/livez`, `/readyz` and `/metrics` until `stop`.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(
    address: &str,
    health: Health,
    recorder: metrics::Recorder,
    stop: CancellationToken,
) -> std::io::Result<Listening> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let ready = move || async move {
        let (ready, report) = health.report();
        (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(report))
    };
    let exposition = move || async move {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], recorder.render()).into_response()
    };
    let routes = Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(exposition));
    let task = tokio::spawn(async move {
        let served = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::warn!(%error, "telemetry server ended");
        }
    });
    Ok(Listening { address, task })
}
