//! Plays an Okta org: people sign in, the System Log grows, and log streaming puts it on an Amazon
//! EventBridge bus, with the duplicates, late arrivals and bad messages that real streams have.

#![forbid(unsafe_code)]

mod api;
mod cast;
mod catalogue;
mod events;
mod logs;
mod org;
mod poison;
mod rng;
mod stream;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::org::Org;
use crate::stream::{Plan, Stream};

/// Plays an Okta org that streams its System Log to Amazon EventBridge.
///
/// Prints one line, {"listening":"http://HOST:PORT"}, and serves until it is stopped. GET /_org/state tells how
/// far it is, /_org/events and /_org/poison what a collector must have seen, /api/v1/logs is Okta's own API.
/// The AWS endpoint, region and credentials come from the usual environment (AWS_ENDPOINT_URL and so on).
#[derive(Parser)]
#[command(name = "okta-org", version)]
struct Arguments {
    /// Address to serve HTTP on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Subdomain of the org
    #[arg(long, default_value = "acme")]
    org: String,

    /// The same seed plays the same people and the same sequence of event types
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// How many events happen in a second
    #[arg(long, value_name = "RATE", default_value = "50", value_parser = rate)]
    events_per_second: f64,

    /// How long the day lasts; 0 for an org where only /_org/emit makes events
    #[arg(long, default_value_t = 60)]
    seconds: u32,

    /// End the day after this many events instead
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    events: Option<usize>,

    /// Event bus to stream to, and the source of its events [default: aws.partner/okta.com/ORG/logs]
    #[arg(long, value_name = "NAME")]
    event_bus: Option<String>,

    /// Queue behind the bus; bad messages that EventBridge cannot carry are put there directly,
    /// and are left out without it
    #[arg(long, value_name = "URL")]
    queue_url: Option<String>,

    /// Share of the events that are sent twice
    #[arg(long, value_name = "SHARE", default_value = "0.03", value_parser = share)]
    duplicates: f64,

    /// Share of the events that are sent some seconds after their turn
    #[arg(long, value_name = "SHARE", default_value = "0.02", value_parser = share)]
    late: f64,

    /// How many bad messages to send, spread over the day
    #[arg(long, value_name = "N", default_value_t = 8)]
    poison: usize,

    /// API token that /api/v1/logs accepts (Authorization: SSWS TOKEN)
    #[arg(long, env = "OKTA_ORG_TOKEN", hide_env_values = true, default_value = "sim-token")]
    token: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let listener =
        TcpListener::bind(arguments.listen).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    announce(listener.local_addr()?)?;

    let rate = arguments.events_per_second;
    let events = arguments.events.unwrap_or((rate * f64::from(arguments.seconds)).round() as usize);
    let org = Arc::new(Org::new(&arguments.org, arguments.seed, arguments.poison));
    let router = api::router(org.clone(), arguments.token.clone());
    let stream = Stream::new(org.clone(), &aws().await, plan(arguments, events));

    // The tasks below end with the process: an org that is stopped just stops.
    tokio::spawn(stream.run());
    tokio::spawn(live_a_day(org, events, rate));
    tokio::select! {
        served = axum::serve(listener, router) => served.context("cannot serve HTTP"),
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

/// Tells on standard output where the org is to be found.
fn announce(address: SocketAddr) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, r#"{{"listening":"http://{address}"}}"#)?;
    stdout.flush().context("cannot write to standard output")
}

/// The AWS environment, without the SDK's own retries: how long to try is the stream's matter.
async fn aws() -> aws_config::SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_timeout(Duration::from_secs(10))
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .load()
        .await
}

fn plan(arguments: Arguments, events: usize) -> Plan {
    let usual_bus = format!("aws.partner/okta.com/{}/logs", arguments.org);
    Plan {
        bus: arguments.event_bus.unwrap_or(usual_bus),
        queue_url: arguments.queue_url,
        duplicates: arguments.duplicates,
        late: arguments.late,
        poison: arguments.poison,
        events,
        seed: arguments.seed,
    }
}

/// Logs the day's events at an even pace. After a hold-up it catches up, so the rate is kept on the whole.
async fn live_a_day(org: Arc<Org>, events: usize, rate: f64) {
    let start = Instant::now();
    for nth in 0..events {
        sleep_until(start + Duration::from_secs_f64(nth as f64 / rate)).await;
        org.live();
    }
    org.end_day();
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 100_000.0 => Ok(rate),
        _ => Err(String::from("must be above 0 and at most 100000")),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(String::from("must be between 0 and 1")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn shares_and_rates_are_checked() {
        assert_eq!(share("0.5"), Ok(0.5));
        assert!(share("1.1").is_err() && share("NaN").is_err() && rate("0").is_err());
    }
}
