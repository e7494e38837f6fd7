//! An HTTP server on this machine that answers as a test says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request as Received, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::super::Client;
use crate::config::{ApiConfig, Secret};

type Handler = dyn Fn(&Incoming) -> Response<Body> + Send + Sync;

/// A running org.
pub struct Org {
    pub url: String,
    seen: Arc<Mutex<Vec<Incoming>>>,
}

/// One request as it came in.
#[derive(Debug, Clone)]
pub struct Incoming {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Incoming {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// A field of the form in the body.
    pub fn field(&self, name: &str) -> Option<String> {
        let url = format!("http://form/?{}", std::str::from_utf8(&self.body).unwrap());
        let url = reqwest::Url::parse(&url).unwrap();
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

impl Org {
    pub async fn start(handler: impl Fn(&Incoming) -> Response<Body> + Send + Sync + 'static) -> Self {
        Self::start_slow(Duration::ZERO, handler).await
    }

    /// An org that thinks before each answer.
    pub async fn start_slow(
        delay: Duration,
        handler: impl Fn(&Incoming) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Vec<Incoming>>>::default();
        let state = (Arc::new(handler) as Arc<Handler>, seen.clone(), delay);
        let app = Router::new().fallback(answer).with_state(state);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, seen }
    }

    pub fn seen(&self) -> Vec<Incoming> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests there were for a path.
    pub fn count(&self, path: &str) -> usize {
        self.seen().iter().filter(|incoming| incoming.path == path).count()
    }

    pub fn config(&self) -> ApiConfig {
        ApiConfig { url: self.url.clone(), ..ApiConfig::default() }
    }

    /// A client with an API token.
    pub fn client(&self) -> Client {
        self.client_with(|_| {})
    }

    pub fn client_with(&self, change: impl FnOnce(&mut ApiConfig)) -> Client {
        let mut config = ApiConfig { token: Some(secret("ssws-hunter2")), ..self.config() };
        change(&mut config);
        Client::new(&config, &[], 1).unwrap()
    }
}

type Shared = (Arc<Handler>, Arc<Mutex<Vec<Incoming>>>, Duration);

async fn answer(State((handler, seen, delay)): State<Shared>, received: Received) -> Response<Body> {
    let (head, body) = received.into_parts();
    let incoming = Incoming {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: axum::body::to_bytes(body, 1 << 20).await.unwrap(),
    };
    seen.lock().unwrap().push(incoming.clone());
    tokio::time::sleep(delay).await;
    handler(&incoming)
}

/// A reply with a JSON body and headers.
pub fn reply(status: u16, headers: &[(&'static str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response.headers_mut().insert("x-okta-request-id", HeaderValue::from_static("req-1"));
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), value.parse().unwrap());
    }
    response
}

/// A secret as a configuration would hold it.
pub fn secret(text: &str) -> Secret {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, text).unwrap();
    #[derive(serde::Deserialize)]
    struct Holder {
        secret: Secret,
    }
    toml::from_str::<Holder>(&format!("secret = {{ file = {path:?} }}")).unwrap().secret
}

/// A time as the `Date` header has it.
pub fn http_date(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
