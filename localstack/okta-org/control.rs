//! The org's own account and its levers: `/_org/...`, which Okta does not have.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

use crate::access::principals::Principal;
use crate::api::{Api, Shared};
use crate::catalogue::KINDS;
use crate::deeds::DEEDS;
use crate::faults::Order;
use crate::rng::Rng;
use crate::truth::{self, Truth};

const MOST_AT_ONCE: usize = 10_000;
const PIPE: usize = 1 << 16;

pub fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/state", get(async |State(api): Shared| Json(api.org.summary())))
        .route("/poison", get(async |State(api): Shared| Json(api.org.poison())))
        .route("/events", get(events))
        .route("/history", get(history))
        .route("/history/count", get(count_history))
        .route("/limits", post(set_limit))
        .route("/emit", post(emit))
        .route("/act", post(act))
        .route("/stream", post(switch_stream))
        .route("/clock", get(async |State(api): Shared| Json(clock(&api))).post(set_clock))
        .route("/faults", get(faults).post(order_fault).delete(clear_faults))
        .route("/usage", get(usage).delete(reset_usage))
        .route("/principals", get(principals).post(put_principal))
        .route("/principals/{id}", delete(remove_principal))
        .route("/principals/{id}/revoke", post(revoke))
        .route("/nonce", get(async |State(api): Shared| Json(json!({ "nonce": api.nonce() }))))
        .route("/truth/{collection}", get(truth))
}

/// `GET /_org/events`: every logged event and when it was first sent, one a line.
async fn events(State(api): Shared) -> Response {
    let lines = api.org.read_log(|log| {
        log.iter().fold(String::new(), |mut lines, entry| {
            let line = json!({
                "uuid": entry.uuid.to_string(),
                "event_type": entry.event_type,
                "published": format!("{:.3}", entry.published),
                "first_sent_ms": entry.first_sent.map(Timestamp::as_millisecond),
            });
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{line}");
            lines
        })
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], lines).into_response()
}

/// `GET /_org/history`: the uuids of what happened before the org was started, one a line.
async fn history(State(api): Shared) -> Response {
    let history = &api.org.history;
    let lines = (0..history.len()).fold(String::new(), |mut lines, number| {
        let line = json!({
            "uuid": history.uuid(number).to_string(), "event_type": history.event_type(number),
            "published_ms": history.published(number),
        });
        let _ = writeln!(lines, "{line}");
        lines
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], lines).into_response()
}

#[derive(Deserialize)]
struct Between {
    since: i64,
    until: i64,
}

/// `GET /_org/history/count?since=MS&until=MS`: how many events happened then.
async fn count_history(State(api): Shared, Query(between): Query<Between>) -> Json<Value> {
    let history = &api.org.history;
    Json(json!({ "events": history.at_or_after(between.until) - history.at_or_after(between.since) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetLimit {
    path: String,
    limit: u32,
}

/// `POST /_org/limits`: another limit for a bucket, from the next call on.
async fn set_limit(State(api): Shared, Json(wish): Json<SetLimit>) -> Response {
    match api.org.limits().set_limit(&wish.path, wish.limit) {
        true => StatusCode::NO_CONTENT.into_response(),
        false => refused("no bucket has this path", Vec::new()),
    }
}

#[derive(Deserialize)]
struct Emit {
    event_type: String,
    #[serde(default = "one")]
    count: usize,
    /// How long ago they happened: the log learns of them late.
    #[serde(default)]
    ago_seconds: u64,
}

fn one() -> usize {
    1
}

fn refused(error: &str, known: Vec<&str>) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error, "known": known }))).into_response()
}

/// `POST /_org/emit`: logs events of one type now.
async fn emit(State(api): Shared, Json(wish): Json<Emit>) -> Response {
    let count = wish.count.min(MOST_AT_ONCE);
    match api.org.emit(&wish.event_type, count, Duration::from_secs(wish.ago_seconds)) {
        Some(uuids) => {
            Json(json!({ "uuids": uuids.iter().map(ToString::to_string).collect::<Vec<_>>() })).into_response()
        }
        None => refused("unknown event_type", KINDS.iter().map(|kind| kind.event_type).collect()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    deed: Option<String>,
    subject: Option<String>,
    other: Option<String>,
    #[serde(default = "one")]
    count: usize,
}

/// `POST /_org/act`: does deeds, chosen ones or random ones.
async fn act(State(api): Shared, Json(wish): Json<Act>) -> Response {
    if wish.deed.as_deref().is_some_and(|name| DEEDS.iter().all(|deed| deed.name != name)) {
        return refused("unknown deed", DEEDS.iter().map(|deed| deed.name).collect());
    }
    let mut rng = Rng::new(api.org.clock.now().as_nanosecond() as u64);
    let (deed, subject, other) = (wish.deed.as_deref(), wish.subject.as_deref(), wish.other.as_deref());
    let done: Vec<Value> =
        (0..wish.count.min(MOST_AT_ONCE)).filter_map(|_| api.org.act(&mut rng, deed, subject, other)).collect();
    Json(json!({ "done": done })).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    active: Option<bool>,
    loss: Option<f64>,
}

/// `POST /_org/stream`: switches the log stream on or off, or lets it lose a share of what it should send.
async fn switch_stream(State(api): Shared, Json(wish): Json<Switch>) -> Response {
    if wish.loss.is_some_and(|loss| !(0.0..=1.0).contains(&loss)) {
        return refused("loss is a share, from 0 to 1", Vec::new());
    }
    if let Some(loss) = wish.loss {
        api.org.set_loss(loss);
    }
    match wish.active {
        Some(true) => api.org.activate_stream(),
        Some(false) => api.org.deactivate_stream(),
        None => {}
    }
    StatusCode::NO_CONTENT.into_response()
}

fn clock(api: &Api) -> Value {
    let now = api.org.clock.now();
    json!({ "now": format!("{now:.3}"), "now_ms": now.as_millisecond(), "rate": api.org.clock.rate() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetClock {
    #[serde(default)]
    advance_seconds: f64,
    rate: Option<f64>,
}

/// `POST /_org/clock`: puts the org's time forward or changes how fast it goes.
async fn set_clock(State(api): Shared, Json(wish): Json<SetClock>) -> Response {
    let advance = Duration::try_from_secs_f64(wish.advance_seconds);
    let sound = wish.rate.is_none_or(|rate| (0.0..=100_000.0).contains(&rate));
    match advance {
        Ok(advance) if sound => {
            api.org.clock.set(advance, wish.rate);
            api.org.deliver();
            Json(clock(&api)).into_response()
        }
        _ => refused("time only goes forward, at a rate of at most 100000", Vec::new()),
    }
}

async fn faults(State(api): Shared) -> Json<Vec<Order>> {
    Json(api.org.faults().pending().to_vec())
}

async fn order_fault(State(api): Shared, Json(order): Json<Order>) -> Response {
    match api.org.faults().order(order) {
        true => StatusCode::NO_CONTENT.into_response(),
        false => refused("too many faults are pending", Vec::new()),
    }
}

async fn clear_faults(State(api): Shared) -> StatusCode {
    api.org.faults().clear();
    StatusCode::NO_CONTENT
}

async fn usage(State(api): Shared) -> Json<Value> {
    Json(api.org.limits().usage(api.org.clock.now()))
}

async fn reset_usage(State(api): Shared) -> StatusCode {
    api.org.limits().reset_usage();
    StatusCode::NO_CONTENT
}

async fn principals(State(api): Shared) -> Json<Value> {
    Json(json!(api.org.principals().ids()))
}

/// `POST /_org/principals`: adds a principal or changes one, whose access tokens stay.
async fn put_principal(State(api): Shared, Json(principal): Json<Principal>) -> StatusCode {
    api.org.principals().put(principal);
    StatusCode::NO_CONTENT
}

async fn remove_principal(State(api): Shared, Path(id): Path<String>) -> StatusCode {
    match api.org.principals().remove(&id) {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::NOT_FOUND,
    }
}

async fn revoke(State(api): Shared, Path(id): Path<String>) -> Json<Value> {
    Json(json!({ "revoked": api.org.principals().revoke(&id) }))
}

/// `GET /_org/truth/COLLECTION`: everything there is, one object a line, written as it is read.
async fn truth(State(api): Shared, Path(collection): Path<String>) -> Response {
    let Some(mut truth) = Truth::of(&collection) else {
        return refused("unknown collection", truth::COLLECTIONS.iter().map(|(name, _)| *name).collect());
    };
    let (reader, mut writer) = tokio::io::duplex(PIPE);
    tokio::spawn(async move {
        while let Some(lines) = truth.next_lines(&api.org) {
            if writer.write_all(lines.as_bytes()).await.is_err() {
                break;
            }
        }
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(ReaderStream::new(reader))).into_response()
}
