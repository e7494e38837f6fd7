//! Plays an Okta org: people sign in, the System Log grows, and log streaming puts it on an Amazon
//! EventBridge bus, with the duplicates, late arrivals and bad messages that real streams have.

#![forbid(unsafe_code)]

mod access;
mod api;
mod cast;
mod catalogue;
mod clock;
mod control;
mod deeds;
mod events;
mod faults;
mod history;
mod inventory;
mod logs;
mod org;
#[cfg(test)]
mod over_http;
mod poison;
mod problem;
mod rng;
mod stream;
mod truth;
mod world;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use clap::{Parser, ValueEnum};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

use crate::access::limits::Profile;
use crate::access::principals::{Principal, Role};
use crate::org::{Org, Settings};
use crate::rng::Rng;
use crate::stream::{Plan, Stream};
use crate::world::seed::Seed;

/// Plays an Okta org: its management API, its System Log, and the log's stream to Amazon EventBridge.
///
/// Prints one line, {"listening":"http://HOST:PORT"}, and serves until it is stopped. Everything under /_org is the
/// org's own account and its levers: /_org/state tells how far it is, /_org/events, /_org/poison and /_org/truth what a
/// collector must have seen, /_org/usage what it asked for; /_org/act, /_org/faults, /_org/clock and /_org/principals
/// change things. The rest is Okta's API. The AWS endpoint, region and credentials come from the usual environment
/// (AWS_ENDPOINT_URL and so on).
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

    /// Share of the events that the stream never sends
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    loss: f64,

    /// How often the bus may refuse a batch, at once, before the stream is deactivated; Okta's own number is 2
    /// [default: for 30 seconds]
    #[arg(long, value_name = "N")]
    stream_attempts: Option<u32>,

    /// How many bad messages to send, spread over the day
    #[arg(long, value_name = "N", default_value_t = 8)]
    poison: usize,

    /// Have no log stream: nothing is put on any bus
    #[arg(long)]
    no_stream: bool,

    /// API token of a super administrator (Authorization: SSWS TOKEN)
    #[arg(long, env = "OKTA_ORG_TOKEN", hide_env_values = true, default_value = "sim-token")]
    token: String,

    /// JSON file with a list of further principals, as POST /_org/principals takes them
    #[arg(long, value_name = "FILE")]
    principals: Option<PathBuf>,

    /// How many people the org has, up to a million
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(10..=1_000_000))]
    users: u64,

    /// How many groups, "Everyone" included
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u64).range(12..=100_000))]
    groups: u64,

    /// How many applications
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(10..=10_000))]
    apps: u64,

    /// The engine: Classic has no devices, authenticators or sign-in policies of apps
    #[arg(long, value_enum, default_value_t = Engine::Oie)]
    engine: Engine,

    /// Rate limits: workforce, integrator, none, or a JSON file
    #[arg(long, value_name = "PROFILE", default_value = "workforce")]
    limits: String,

    /// How fast the org's time goes; with 60, a wall second is one of its minutes
    #[arg(long, value_name = "RATE", default_value = "1", value_parser = rate)]
    clock_rate: f64,

    /// How long every API call takes, in milliseconds of the org's time
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u64,

    /// How far the replicas that answer searches may be behind, in seconds of the org's time
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=900))]
    replica_lag: u64,

    /// How long a page's cursor is valid, in seconds of the org's time
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    cursor_life: u64,

    /// How many days of log there are from before the org was started
    #[arg(long, value_name = "DAYS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=400))]
    history_days: u64,

    /// How many events there are on each of these days
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(..=100_000_000))]
    history_per_day: u64,

    /// The log gives a question about more time than this up, in seconds of the org's time
    #[arg(long, value_name = "SECONDS")]
    widest_log_query: Option<u64>,

    /// How many deeds change the org in a second of its time, each with an event
    #[arg(long, value_name = "RATE", default_value = "0", value_parser = rate_or_none)]
    mutations_per_second: f64,

    /// How long after a deed its event is in the log, in milliseconds of the org's time
    #[arg(long, value_name = "MS", default_value_t = 500)]
    event_delay_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Oie,
    Classic,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let org = Arc::new(Org::new(settings(&arguments)?));
    for principal in principals(&arguments)? {
        org.principals().put(principal);
    }
    let listener =
        TcpListener::bind(arguments.listen).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    announce(listener.local_addr()?)?;

    let rate = arguments.events_per_second;
    let mutations = arguments.mutations_per_second;
    let events = arguments.events.unwrap_or((rate * f64::from(arguments.seconds)).round() as usize);
    let router = api::router(org.clone());

    // The tasks below end with the process: an org that is stopped just stops.
    if !arguments.no_stream {
        org.set_loss(arguments.loss);
        let stream = Stream::new(org.clone(), &aws().await, plan(arguments, events));
        tokio::spawn(stream.run());
    }
    tokio::spawn(live_a_day(org.clone(), events, rate));
    tokio::spawn(change(org, mutations));
    tokio::select! {
        served = axum::serve(listener, router) => served.context("cannot serve HTTP"),
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

fn settings(arguments: &Arguments) -> Result<Settings> {
    Ok(Settings {
        seed: Seed::new(&arguments.org, arguments.seed, arguments.users, arguments.groups, arguments.apps),
        limits: Profile::named(&arguments.limits)?,
        clock_rate: arguments.clock_rate,
        classic: arguments.engine == Engine::Classic,
        latency: Duration::from_millis(arguments.latency_ms),
        replica_lag: Duration::from_secs(arguments.replica_lag),
        cursor_life: Duration::from_secs(arguments.cursor_life),
        event_delay: Duration::from_millis(arguments.event_delay_ms),
        history: (arguments.history_days, if arguments.history_days > 0 { arguments.history_per_day } else { 0 }),
        widest_log_query: arguments.widest_log_query.map(Duration::from_secs),
        poison: if arguments.no_stream { 0 } else { arguments.poison },
        streams: !arguments.no_stream,
    })
}

/// The principals every org has, and those of the file.
fn principals(arguments: &Arguments) -> Result<Vec<Principal>> {
    let plain = |id: &str| Principal {
        id: id.to_owned(),
        token: None,
        secret: None,
        jwks: None,
        scopes: None,
        role: Role::SuperAdmin,
        permissions: BTreeSet::new(),
        dpop: false,
        expires_in: 3_600,
    };
    let mut all = vec![
        Principal { token: Some(arguments.token.clone()), ..plain("sim-admin") },
        Principal { secret: Some(String::from("sim-secret")), ..plain("sim-client") },
    ];
    if let Some(path) = &arguments.principals {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let more: Vec<Principal> =
            serde_json::from_str(&text).with_context(|| format!("{} is not a list of principals", path.display()))?;
        all.extend(more);
    }
    Ok(all)
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
        attempts: arguments.stream_attempts,
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

/// Does deeds at an even pace of the org's time, and lets their events arrive.
async fn change(org: Arc<Org>, rate: f64) {
    const TICK: Duration = Duration::from_millis(20);
    let mut rng = Rng::at(org.seed.number, 33, 0);
    let start = org.clock.now();
    let mut done = 0.0;
    loop {
        sleep(TICK).await;
        let due = org.clock.now().duration_since(start).as_secs_f64() * rate;
        while done < due {
            org.act(&mut rng, None, None, None);
            done += 1.0;
        }
        org.deliver();
    }
}

fn rate_or_none(text: &str) -> Result<f64, String> {
    if text == "0" { Ok(0.0) } else { rate(text) }
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
