//! The org over HTTP: every call to Okta's API passes the same gate, and then reaches its collection, the System Log
//! or the token endpoint.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Query as Parameters, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HOST, LINK};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;
use tokio_util::io::ReaderStream;

use crate::access::limits::Verdict;
use crate::access::oauth;
use crate::access::principals::Caller;
use crate::access::proof::{Refusal, Wanted, check_proof, nonce};
use crate::control;
use crate::faults::Fault;
use crate::inventory::ask::Ask;
use crate::inventory::page::{Cursor, Page, Paging};
use crate::inventory::table::{self, Collection, Right};
use crate::logs::{self, Book, Query};
use crate::org::Org;
use crate::problem::Problem;
use crate::rng::Rng;
use crate::world::seed::Kind;

const LONGEST_FORM: usize = 1 << 20;
const HUGE: usize = 64 << 20;
const STALL: Duration = Duration::from_secs(300);
/// How long a query may take, in the org's time.
const QUERY_TIMEOUT: Duration = Duration::from_secs(30);
/// How far off the reset of a refusal for long is: longer than any window.
const FAR_SECONDS: i64 = 3_600;
/// How long a slow body pauses in its middle, in the org's time.
const SLOW_BODY: Duration = Duration::from_secs(20);
/// What everybody may read: which engine runs the org.
const METADATA: &str = "/.well-known/okta-organization";
/// Anonymous calls share one principal.
const NOBODY: &str = "anonymous";

pub struct Api {
    pub org: Arc<Org>,
    /// Numbers the requests, for their ids.
    requests: AtomicU64,
    under_way: AtomicUsize,
}

/// All the routes.
pub fn router(org: Arc<Org>) -> Router {
    let api = Arc::new(Api { org, requests: AtomicU64::new(0), under_way: AtomicUsize::new(0) });
    Router::new().nest("/_org", control::router()).fallback(gate).with_state(api)
}

pub type Shared = State<Arc<Api>>;

/// One call to Okta's API, and what it is about.
struct Call<'a> {
    method: &'a Method,
    path: &'a str,
    query: &'a str,
    parameters: HashMap<String, String>,
    headers: &'a HeaderMap,
    base: String,
    now: Timestamp,
}

/// Counts as under way for as long as it lives.
struct Underway<'a>(&'a AtomicUsize);

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Every call that is not the org's own: faults, limits, rights, then the answer.
async fn gate(State(api): Shared, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LONGEST_FORM).await.unwrap_or_default();
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let parameters = Parameters::<HashMap<String, String>>::try_from_uri(&parts.uri);
    let call = Call {
        method: &parts.method,
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        parameters: parameters.map(|Parameters(parameters)| parameters).unwrap_or_default(),
        headers: &parts.headers,
        base: format!("http://{host}"),
        now: api.org.clock.now(),
    };
    let simultaneous = api.under_way.fetch_add(1, Ordering::Relaxed) + 1;
    let _underway = Underway(&api.under_way);
    // Even a sleep of no time lasts until the timer's next tick.
    if !api.org.latency.is_zero() {
        sleep(api.org.clock.wall(api.org.latency)).await;
    }

    let fault = api.org.faults().next(call.path).or_else(|| api.is_too_heavy(&call).then_some(Fault::TooHeavy));
    let mut response = match fault {
        Some(fault) => api.spoiled(fault, &call, &body).await,
        None if simultaneous > api.org.limits().concurrency() => {
            api.org.limits().too_concurrent += 1;
            api.too_concurrent(&call)
        }
        None => api.answer(&call, &body),
    };
    let what = table::find(call.path).map_or(call.path, |(collection, _)| collection.path);
    api.org.limits().note(&format!("{} {what}", call.method), response.status().as_u16());
    api.sign(&mut response);
    response
}

impl Api {
    /// What every reply has: the org's own time, and the number of the request.
    fn sign(&self, response: &mut Response) {
        let now = self.org.clock.now();
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default();
        for (name, value) in [(DATE, date), (HeaderName::from_static("x-okta-request-id"), self.number("req"))] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
    }

    fn answer(&self, call: &Call<'_>, body: &Bytes) -> Response {
        if call.path == "/oauth2/v1/token" {
            return self.token(call, body);
        }
        let caller = self.caller(call);
        let principal = caller.as_ref().map_or(NOBODY, |caller| caller.principal.as_str());
        let verdict = self.org.limits().count(call.method.as_str(), call.path, principal, call.now);
        let allowed = verdict.as_ref().is_none_or(|verdict| verdict.allowed);
        let answer = match (call.path, allowed) {
            (METADATA, true) => Ok(self.metadata(call)),
            (METADATA, false) => Err(Problem::too_many()),
            _ => caller.and_then(|caller| match allowed {
                true => self.served(call, &caller),
                false => Err(Problem::too_many()),
            }),
        };
        let mut response = answer.unwrap_or_else(|problem| problem.into_response(&self.number("oae")));
        if let Some(verdict) = verdict {
            rate_headers(&mut response, &verdict);
        }
        response
    }

    /// The caller, with the proof that a bound token takes.
    fn caller(&self, call: &Call<'_>) -> Result<Caller, Problem> {
        let text = |name: &HeaderName| call.headers.get(name).and_then(|value| value.to_str().ok());
        let authorization = text(&AUTHORIZATION);
        let mut principals = self.org.principals();
        let caller = principals.caller(authorization, call.now)?;
        if let Some(bound_to) = &caller.thumbprint {
            let proof = text(&HeaderName::from_static("dpop")).ok_or_else(Problem::invalid_token)?;
            let url = format!("{}{}", call.base, call.path);
            let token = authorization.and_then(|text| text.split_once(' ')).map(|(_, token)| token);
            let wanted = Wanted { method: call.method.as_str(), url: &url, token, nonce: false };
            let checked = check_proof(&mut principals, self.org.seed.number, proof, &wanted, call.now);
            let thumbprint = checked.map_err(|refusal| {
                let why = if let Refusal::Invalid(why) = refusal { why } else { "a nonce is needed" };
                let challenge = format!(r#"DPoP error="invalid_dpop_proof", error_description="{why}""#);
                Problem::new(StatusCode::BAD_REQUEST, "E0000011", "Invalid DPoP proof")
                    .with_header("www-authenticate", challenge)
            })?;
            if thumbprint != *bound_to {
                return Err(Problem::invalid_token());
            }
        }
        Ok(caller)
    }

    fn served(&self, call: &Call<'_>, caller: &Caller) -> Result<Response, Problem> {
        if call.path == "/api/v1/logs" {
            return self.logs(call, caller);
        }
        let not_found = || Problem::not_found(call.path);
        let (collection, ids) = table::find(call.path).ok_or_else(not_found)?;
        if call.method != Method::GET {
            return Err(Problem::method());
        }
        if collection.oie && self.org.classic {
            return Err(Problem::feature_off());
        }
        self.org.principals().admit(caller, collection.scope, collection.right, call.path)?;
        self.page(call, collection, ids)
    }

    fn metadata(&self, call: &Call<'_>) -> Response {
        let body = json!({
            "id": self.org.seed.id(Kind::Org, 0),
            "pipeline": if self.org.classic { "v1" } else { "idx" },
            "_links": { "organization": { "href": call.base } },
        });
        axum::Json(body).into_response()
    }

    fn logs(&self, call: &Call<'_>, caller: &Caller) -> Result<Response, Problem> {
        if call.method != Method::GET {
            return Err(Problem::method());
        }
        self.org.principals().admit(caller, "okta.logs.read", Right::Look, call.path)?;
        self.org.deliver();
        let query = self.query(call).map_err(|cause| Problem::invalid("logs", cause))?;
        let page = self.org.read_log(|log| query.page(&Book { history: &self.org.history, log }));
        let next = page.next.map(|cursor| logs::next_query(call.query, &cursor));
        Ok(listed(call, page.body, next))
    }

    fn query(&self, call: &Call<'_>) -> Result<Query, String> {
        Query::parse(&call.parameters, call.now, self.org.cursor_life)
    }

    /// Whether it asks the log about more time than that can answer for.
    fn is_too_heavy(&self, call: &Call<'_>) -> bool {
        let Some(widest) = self.org.widest_log_query.filter(|_| call.path == "/api/v1/logs") else { return false };
        self.query(call).ok().and_then(|query| query.width()).is_some_and(|width| width > widest)
    }

    /// One page of a collection.
    fn page(&self, call: &Call<'_>, collection: &Collection, ids: Vec<&str>) -> Result<Response, Problem> {
        let limit = collection.paging.limit(call.parameters.get("limit").map(String::as_str))?;
        let list = list_of(call);
        let from = match call.parameters.get("after") {
            None => 0,
            Some(after) => self.position(after, &list, call.now)?,
        };
        let ask = Ask {
            replica: self.replica(call.now),
            ids,
            query: &call.parameters,
            from,
            limit,
            org: &self.org,
            world: &self.org.world(),
        };
        let page = (collection.answer)(&ask)?;
        let next = page.next.map(|position| {
            let cursor = Cursor { position, issued: call.now.as_second() }.seal(&list);
            logs::next_query(call.query, &cursor)
        });
        Ok(written(call, collection.paging, page, next))
    }

    /// The place a cursor stands for; cursors do not live for ever.
    fn position(&self, after: &str, list: &str, now: Timestamp) -> Result<u64, Problem> {
        let refused = |cause: &str| Problem::invalid("after", cause);
        let cursor = Cursor::open(after, list).ok_or_else(|| refused("The cursor is not valid for this request."))?;
        let age = now.as_second().saturating_sub(cursor.issued);
        if age > i64::try_from(self.org.cursor_life.as_secs()).unwrap_or(i64::MAX) {
            return Err(refused("The cursor has expired."));
        }
        Ok(cursor.position)
    }

    /// The moment that this call's search replica has reached: each page may come from another.
    fn replica(&self, now: Timestamp) -> Option<Timestamp> {
        let most = u64::try_from(self.org.replica_lag.as_millis()).unwrap_or_default();
        let mut rng = Rng::at(self.org.seed.number, 32, self.requests.load(Ordering::Relaxed));
        let lag = i64::try_from(rng.next() % (most + 1)).unwrap_or_default();
        (lag > 0).then(|| now - SignedDuration::from_millis(lag))
    }

    fn token(&self, call: &Call<'_>, body: &Bytes) -> Response {
        if call.method != Method::POST {
            return Problem::method().into_response(&self.number("oae"));
        }
        // A form is written like a query, and read by the same reader.
        let form = String::from_utf8_lossy(body);
        let form = format!("/?{form}").parse::<Uri>().ok();
        let form = form.and_then(|uri| Parameters::<HashMap<String, String>>::try_from_uri(&uri).ok());
        let form = form.map(|Parameters(form)| form).unwrap_or_default();
        let url = format!("{}{}", call.base, call.path);
        let mut principals = self.org.principals();
        let reply = oauth::token(&mut principals, self.org.seed.number, call.headers, &form, &url, call.now);
        let mut response = (reply.status, axum::Json(reply.body)).into_response();
        let nonce = reply.nonce.and_then(|nonce| HeaderValue::from_str(&nonce).ok());
        if let Some(nonce) = nonce {
            response.headers_mut().insert(HeaderName::from_static("dpop-nonce"), nonce);
        }
        response
    }

    fn too_concurrent(&self, call: &Call<'_>) -> Response {
        let mut response = Problem::too_many().into_response(&self.number("oae"));
        // Limit and remaining are both 0; the reset is only a suggestion.
        let reset = call.now.as_second() + 1;
        rate_headers(&mut response, &Verdict { allowed: false, limit: 0, remaining: 0, reset });
        response
    }

    /// A reply that goes wrong.
    async fn spoiled(&self, fault: Fault, call: &Call<'_>, body: &Bytes) -> Response {
        let problem = |problem: Problem| problem.into_response(&self.number("oae"));
        let html = |status: StatusCode| {
            (status, [(CONTENT_TYPE, "text/html")], "<html><body><h1>Please try again later</h1></body></html>")
                .into_response()
        };
        let error = |status, code, summary: &str| problem(Problem::new(status, code, summary));
        match fault {
            Fault::InternalError => error(StatusCode::INTERNAL_SERVER_ERROR, "E0000009", "Internal Server Error"),
            Fault::TooHeavy => {
                sleep(self.org.clock.wall(QUERY_TIMEOUT)).await;
                error(StatusCode::INTERNAL_SERVER_ERROR, "E0000009", "Internal Server Error")
            }
            Fault::ReadOnly => error(StatusCode::SERVICE_UNAVAILABLE, "E0000010", "Service is in read only mode"),
            Fault::Unavailable => html(StatusCode::SERVICE_UNAVAILABLE),
            Fault::Html => html(StatusCode::OK),
            Fault::Timeout => {
                sleep(STALL).await;
                html(StatusCode::GATEWAY_TIMEOUT)
            }
            Fault::TooManyWithoutReset => problem(Problem::too_many()),
            Fault::TooManyForLong => {
                let mut response = problem(Problem::too_many());
                let reset = call.now.as_second() + FAR_SECONDS;
                rate_headers(&mut response, &Verdict { allowed: false, limit: 100, remaining: 0, reset });
                response
            }
            Fault::TooConcurrent => self.too_concurrent(call),
            Fault::StaleCursor => problem(Problem::invalid("after", "The cursor has expired.")),
            Fault::Forbidden => problem(Problem::forbidden()),
            Fault::Unauthorized => problem(Problem::invalid_token()),
            Fault::FeatureOff => problem(Problem::feature_off()),
            Fault::NotFound => problem(Problem::not_found(call.path)),
            Fault::Empty => listed(call, String::from("[]"), None),
            Fault::Huge => listed(call, format!("[\"{}\"]", "x".repeat(HUGE)), None),
            Fault::Truncated => {
                let (parts, body) = self.answer(call, body).into_parts();
                let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
                let mut headers = parts.headers;
                headers.remove("content-length");
                (parts.status, headers, whole.slice(..whole.len() / 2)).into_response()
            }
            Fault::SlowBody => {
                let (parts, body) = self.answer(call, body).into_parts();
                let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
                let pause = self.org.clock.wall(SLOW_BODY);
                let (reader, mut writer) = tokio::io::duplex(whole.len().max(1));
                tokio::spawn(async move {
                    let (first, second) = whole.split_at(whole.len() / 2);
                    // A client that does not wait for the rest takes the pipe away; that is its right.
                    let _ = writer.write_all(first).await;
                    sleep(pause).await;
                    let _ = writer.write_all(second).await;
                });
                (parts, Body::from_stream(ReaderStream::new(reader))).into_response()
            }
            Fault::ForeignNext | Fault::SelfNext => {
                let mut response = self.answer(call, body);
                let target = match fault {
                    Fault::ForeignNext => String::from("http://127.0.0.2:9/api/v1/users?after=stolen"),
                    _ => format!("{}{}?{}", call.base, call.path, call.query),
                };
                response.headers_mut().remove(LINK);
                if let Ok(link) = HeaderValue::from_str(&format!("<{target}>; rel=\"next\"")) {
                    response.headers_mut().insert(LINK, link);
                }
                response
            }
        }
    }

    fn number(&self, prefix: &str) -> String {
        Rng::new(self.requests.fetch_add(1, Ordering::Relaxed)).word(prefix, 25)
    }

    /// The nonce of today, for whoever asks the org itself.
    pub fn nonce(&self) -> String {
        nonce(self.org.seed.number, self.org.clock.now())
    }
}

/// What a cursor belongs to: the path and all parameters but those that move along the list.
fn list_of(call: &Call<'_>) -> String {
    let mut kept: Vec<_> =
        call.parameters.iter().filter(|(name, _)| !["after", "limit"].contains(&name.as_str())).collect();
    kept.sort();
    format!("{} {kept:?}", call.path)
}

fn rate_headers(response: &mut Response, verdict: &Verdict) {
    for (name, value) in [
        ("x-rate-limit-limit", i64::from(verdict.limit)),
        ("x-rate-limit-remaining", i64::from(verdict.remaining)),
        ("x-rate-limit-reset", verdict.reset),
    ] {
        response.headers_mut().insert(HeaderName::from_static(name), value.into());
    }
}

/// A page in the form its collection has.
fn written(call: &Call<'_>, paging: Paging, page: Page, next: Option<String>) -> Response {
    let url = |query: &str| format!("{}{}?{query}", call.base, call.path);
    let list = || joined(&page.items, &call.base);
    let body = match paging {
        Paging::One => page.items.first().map_or_else(|| String::from("null"), |one| one.replace("{base}", &call.base)),
        Paging::Link { .. } | Paging::Whole => list(),
        Paging::WholeIn(member) => format!(r#"{{"{member}":{}}}"#, list()),
        Paging::Body { member, .. } => {
            let links = next.as_ref().map_or(json!({}), |next| json!({ "next": { "href": url(next) } }));
            format!(r#"{{"{member}":{},"_links":{links}}}"#, list())
        }
    };
    match paging {
        Paging::Link { .. } => listed(call, body, next),
        _ => ([(CONTENT_TYPE, "application/json")], body).into_response(),
    }
}

/// A JSON array of objects whose links begin with `{base}`. Put together in one go, as a page may have megabytes.
fn joined(items: &[String], base: &str) -> String {
    let bytes = items.iter().map(String::len).sum::<usize>();
    // Room for the links, which are a small part of an object.
    let mut list = String::with_capacity(bytes + bytes / 4 + 2);
    list.push('[');
    for (nth, item) in items.iter().enumerate() {
        if nth > 0 {
            list.push(',');
        }
        for (nth, part) in item.split("{base}").enumerate() {
            list.push_str(if nth > 0 { base } else { "" });
            list.push_str(part);
        }
    }
    list.push(']');
    list
}

/// A list, with the links to this page and to the next.
fn listed(call: &Call<'_>, body: String, next: Option<String>) -> Response {
    let mut response = ([(CONTENT_TYPE, "application/json")], body).into_response();
    let base = format!("{}{}", call.base, call.path);
    let own = if call.query.is_empty() { base.clone() } else { format!("{base}?{}", call.query) };
    let mut links = vec![format!("<{own}>; rel=\"self\"")];
    links.extend(next.map(|query| format!("<{base}?{query}>; rel=\"next\"")));
    for link in links {
        if let Ok(link) = HeaderValue::from_str(&link) {
            response.headers_mut().append(LINK, link);
        }
    }
    response
}
