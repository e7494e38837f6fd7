use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::{serve, stack};

/// Decides about one call by its SQS action: `Some` answers it with an error (status, code), `None` lets it through.
type Fault = dyn Fn(&str, usize) -> Option<(u16, &'static str)> + Send + Sync;

/// Stands between the worker and the real queue: passes calls on, except where a test wants AWS to say no. Answers in
/// the words of AWS's JSON protocol, so that the SDK reads them as it would read AWS.
pub struct Proxy {
    pub url: String,
    calls: Arc<Mutex<BTreeMap<String, usize>>>,
}

struct Shared {
    target: String,
    client: reqwest::Client,
    calls: Arc<Mutex<BTreeMap<String, usize>>>,
    fault: Box<Fault>,
}

impl Proxy {
    /// `fault` gets the action and how often it was called before.
    pub fn start(fault: impl Fn(&str, usize) -> Option<(u16, &'static str)> + Send + Sync + 'static) -> Self {
        let calls: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let shared = Arc::new(Shared {
            target: stack("AWS_ENDPOINT_URL"),
            client: reqwest::Client::new(),
            calls: Arc::clone(&calls),
            fault: Box::new(fault),
        });
        Self { url: serve(Router::new().fallback(handle).with_state(shared)), calls }
    }

    /// How often an action was called.
    pub fn calls(&self, action: &str) -> usize {
        self.calls.lock().unwrap().get(action).copied().unwrap_or(0)
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let action = target.rsplit('.').next().unwrap_or_default().to_owned();
    let before = {
        let mut calls = shared.calls.lock().unwrap();
        let count = calls.entry(action.clone()).or_default();
        *count += 1;
        *count - 1
    };
    if let Some((status, code)) = (shared.fault)(&action, before) {
        let body = format!("{{\"__type\":\"com.amazonaws.sqs#{code}\",\"message\":\"said by the test\"}}");
        let status = StatusCode::from_u16(status).unwrap();
        return (status, [("content-type", "application/x-amz-json-1.0")], body).into_response();
    }
    let mut headers = headers;
    headers.remove("host");
    let request = shared.client.request(method, format!("{}{uri}", shared.target)).headers(headers).body(body);
    let Ok(reply) = request.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let status = reply.status();
    let content_type = reply.headers().get("content-type").cloned();
    let mut response = (status, reply.bytes().await.unwrap_or_default()).into_response();
    if let Some(content_type) = content_type {
        response.headers_mut().insert("content-type", content_type);
    }
    response
}
