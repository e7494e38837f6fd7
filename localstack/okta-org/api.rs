//! The org over HTTP: Okta's System Log API, and the org's own account of what it did.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Query as Parameters, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, LINK};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::catalogue::KINDS;
use crate::logs::{Page, Query};
use crate::org::Org;
use crate::rng::Rng;

const CALLS_PER_WINDOW: u32 = 120;
const WINDOW: Duration = Duration::from_secs(60);
const MOST_TO_EMIT: usize = 10_000;

struct Api {
    org: Arc<Org>,
    token: String,
    window: Mutex<Window>,
    /// Numbers the requests, for their ids.
    requests: AtomicU64,
}

/// All the routes.
pub fn router(org: Arc<Org>, token: String) -> Router {
    let api = Api { org, token, window: Mutex::new(Window::new()), requests: AtomicU64::new(0) };
    Router::new()
        .route("/api/v1/logs", get(logs))
        .route("/_org/state", get(async |State(api): Shared| Json(api.org.summary())))
        .route("/_org/poison", get(async |State(api): Shared| Json(api.org.poison())))
        .route("/_org/events", get(events))
        .route("/_org/emit", post(emit))
        .fallback(not_found)
        .with_state(Arc::new(api))
}

type Shared = State<Arc<Api>>;

/// `GET /api/v1/logs`: authenticates, counts against the rate limit, answers a page.
async fn logs(
    State(api): Shared,
    uri: Uri,
    Parameters(parameters): Parameters<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let mut response = if !api.admits(&headers) {
        api.error(StatusCode::UNAUTHORIZED, "E0000011", "Invalid token provided", None)
    } else {
        let (used, reset) = api.count_call();
        let mut response = if used > CALLS_PER_WINDOW {
            let summary = "API call exceeded rate limit due to too many requests.";
            api.error(StatusCode::TOO_MANY_REQUESTS, "E0000047", summary, None)
        } else {
            match Query::parse(&parameters, Timestamp::now()) {
                Ok(query) => page_response(&api.org.read_log(|log| query.page(log)), &uri, &headers),
                Err(cause) => {
                    let summary = "Api validation failed: logs";
                    api.error(StatusCode::BAD_REQUEST, "E0000001", summary, Some(&cause))
                }
            }
        };
        let remaining = CALLS_PER_WINDOW.saturating_sub(used);
        for (name, value) in [
            ("x-rate-limit-limit", i64::from(CALLS_PER_WINDOW)),
            ("x-rate-limit-remaining", i64::from(remaining)),
            ("x-rate-limit-reset", reset),
        ] {
            response.headers_mut().insert(HeaderName::from_static(name), value.into());
        }
        response
    };
    if let Ok(id) = HeaderValue::from_str(&api.request_id("req")) {
        response.headers_mut().insert(HeaderName::from_static("x-okta-request-id"), id);
    }
    response
}

/// The events as a JSON array, with the links to this page and to the next.
fn page_response(page: &Page, uri: &Uri, headers: &HeaderMap) -> Response {
    let body = format!("[{}]", page.events.join(","));
    let mut response = ([(CONTENT_TYPE, "application/json")], body).into_response();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let base = format!("http://{host}{}", uri.path());
    let query = uri.query().unwrap_or_default();
    let mut links = vec![format!("<{base}?{query}>; rel=\"self\"")];
    if let Some(cursor) = &page.next {
        links.push(format!("<{base}?{}>; rel=\"next\"", next_query(query, cursor)));
    }
    for link in links {
        if let Ok(link) = HeaderValue::from_str(&link) {
            response.headers_mut().append(LINK, link);
        }
    }
    response
}

/// The same query from the cursor on: `since` and the old cursor have done their work.
fn next_query(query: &str, cursor: &str) -> String {
    let name = |pair: &&str| pair.split('=').next().unwrap_or_default().to_owned();
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !matches!(name(pair).as_str(), "since" | "after"));
    let after = format!("after={cursor}");
    kept.chain([after.as_str()]).collect::<Vec<_>>().join("&")
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

#[derive(Deserialize)]
struct Emit {
    event_type: String,
    #[serde(default = "one")]
    count: usize,
}

fn one() -> usize {
    1
}

/// `POST /_org/emit`: logs events of one type now.
async fn emit(State(api): Shared, Json(wish): Json<Emit>) -> Response {
    let count = wish.count.min(MOST_TO_EMIT);
    match api.org.emit(&wish.event_type, count) {
        Some(uuids) => {
            Json(json!({ "uuids": uuids.iter().map(ToString::to_string).collect::<Vec<_>>() })).into_response()
        }
        None => {
            let known: Vec<_> = KINDS.iter().map(|kind| kind.event_type).collect();
            let body = json!({ "error": "unknown event_type", "known": known });
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
    }
}

async fn not_found(State(api): Shared, uri: Uri) -> Response {
    let summary = format!("Not found: Resource not found: {}", uri.path());
    api.error(StatusCode::NOT_FOUND, "E0000007", &summary, None)
}

impl Api {
    fn admits(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        given.and_then(|value| value.strip_prefix("SSWS ")) == Some(&self.token)
    }

    fn count_call(&self) -> (u32, i64) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.count(Instant::now(), Timestamp::now())
    }

    fn request_id(&self, prefix: &str) -> String {
        Rng::new(self.requests.fetch_add(1, Ordering::Relaxed)).word(prefix, 25)
    }

    /// An error as Okta words it.
    fn error(&self, status: StatusCode, code: &str, summary: &str, cause: Option<&str>) -> Response {
        let causes: Vec<Value> = cause.iter().map(|cause| json!({ "errorSummary": cause })).collect();
        let body = json!({
            "errorCode": code,
            "errorSummary": summary,
            "errorLink": code,
            "errorId": self.request_id("oae"),
            "errorCauses": causes,
        });
        (status, Json(body)).into_response()
    }
}

/// The rate limit's window: it opens with the first call, not with the minute of the clock.
struct Window {
    opened: Option<Instant>,
    /// When it ends, in Unix seconds.
    reset: i64,
    used: u32,
}

impl Window {
    fn new() -> Self {
        Self { opened: None, reset: 0, used: 0 }
    }

    /// Counts one call; returns the calls of this window and when it ends.
    fn count(&mut self, now: Instant, clock: Timestamp) -> (u32, i64) {
        let over = self.opened.is_none_or(|opened| now.duration_since(opened) >= WINDOW);
        if over {
            self.opened = Some(now);
            self.reset = clock.as_second() + WINDOW.as_secs() as i64;
            self.used = 0;
        }
        self.used = self.used.saturating_add(1);
        (self.used, self.reset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_keeps_the_query_but_for_where_it_started() {
        let query = "since=2026-01-01T00%3A00%3A00Z&limit=5&after=old";
        assert_eq!(next_query(query, "new"), "limit=5&after=new");
        assert_eq!(next_query("", "new"), "after=new");
    }

    #[test]
    fn a_window_lasts_a_minute_from_its_first_call() {
        let mut window = Window::new();
        let (start, clock) = (Instant::now(), Timestamp::UNIX_EPOCH);
        assert_eq!(window.count(start, clock), (1, 60));
        assert_eq!(window.count(start + Duration::from_secs(59), clock), (2, 60));
        assert_eq!(window.count(start + WINDOW, clock), (1, 60));
    }
}
