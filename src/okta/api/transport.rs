use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, StatusCode, Url};
use tokio::time::Instant;

use super::clock::Clock;
use super::fault::{Trace, Verdict, excerpt};
use super::meter::rate_headers;
use super::retry::Dice;
use super::{body, reach};
use crate::config::{ApiConfig, is_loopback};
use crate::error::{ExitStatus, Fatal};
use crate::okta::Pace;
use crate::okta::quota::Headers;

/// A connection that takes longer will not come: Okta's edge answers within a second from anywhere.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// No request is given less of the machine's time, however fast a simulated org's goes: what it does for us still takes
/// as long as it takes.
const LEAST_TIMEOUT: Duration = Duration::from_secs(5);

/// HTTP to one org: bounded in time and size, never redirected.
pub(super) struct Transport {
    pub http: reqwest::Client,
    pub origin: Url,
    pub clock: Clock,
    pub dice: Dice,
    timeout: Duration,
    max_body: usize,
}

/// An answer that was read to its end, of any status.
pub(super) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// By Okta's clock.
    pub asked_ms: i64,
    pub answered_ms: i64,
}

impl Reply {
    /// `X-Okta-Request-Id`.
    pub fn request_id(&self) -> Option<String> {
        self.headers.get("x-okta-request-id").and_then(|id| id.to_str().ok()).map(excerpt)
    }
}

impl Transport {
    pub fn new(config: &ApiConfig, seed: u64) -> Result<Self, Fatal> {
        let wrong = |what: &str| Fatal::new(ExitStatus::Config, format!("org.api.url {what}"));
        let origin = Url::parse(&config.url).map_err(|_| wrong("is not a URL"))?;
        let plain = config.allow_http || is_loopback(&origin);
        if origin.scheme() != "https" && !plain {
            return Err(wrong("must be https"));
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("okta-ocsf/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .https_only(!plain)
            // Decompressed here, so that both sizes are counted.
            .no_gzip()
            .dns_resolver(reach::Resolver)
            .connect_timeout(CONNECT_TIMEOUT);
        if is_loopback(&origin) {
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| Fatal::new(ExitStatus::Software, "the HTTP client cannot start").because(error))?;
        let timeout = Duration::from_secs(config.timeout_seconds);
        let (clock, dice) = (Clock::default(), Dice::new(seed));
        Ok(Self { http, origin, clock, dice, timeout, max_body: config.max_body_bytes })
    }

    /// Sends a request and reads the answer to its end. `headed` is told when the head of the answer is there, or that
    /// none came.
    pub async fn send(
        &self,
        request: RequestBuilder,
        headed: impl FnOnce(Option<Headers>, Duration),
    ) -> Result<Reply, Verdict> {
        let timeout = self.timeout();
        let begun = Instant::now();
        let asked_ms = self.clock.here_ms();
        let head = match tokio::time::timeout(timeout, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_timeout() => Err(Verdict::Timeout(CONNECT_TIMEOUT)),
            Ok(Err(error)) => Err(reach::verdict(&error)),
            Err(_) => Err(Verdict::Timeout(timeout)),
        };
        let rate = head.as_ref().ok().map(|response| rate_headers(response.status(), response.headers()));
        headed(rate, self.clock.pace.since(begun));
        let response = head?;
        if let Some(Headers { date: Some(date), .. }) = rate {
            self.clock.learn(date.saturating_mul(1_000), asked_ms, self.clock.here_ms());
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let left = timeout.saturating_sub(begun.elapsed());
        let body = tokio::time::timeout(left, body::read(response, self.max_body)).await;
        let body = body.unwrap_or(Err(Verdict::Timeout(timeout)))?;
        let (asked_ms, answered_ms) = (self.clock.at_okta(asked_ms), self.clock.at_okta(self.clock.here_ms()));
        Ok(Reply { status, headers, body, asked_ms, answered_ms })
    }

    /// Timeouts are about the network, so they are the machine's time. Beside an org whose time goes faster they are
    /// shorter, as a minute's silence would be an hour there.
    fn timeout(&self) -> Duration {
        self.timeout.min(self.clock.pace.machine_time(self.timeout).max(LEAST_TIMEOUT))
    }

    /// Goes by this time from now on.
    pub fn at_pace(self, pace: Pace) -> Self {
        Self { clock: Clock::new(pace), ..self }
    }

    /// Where a request was going, for a fault of it.
    pub fn trace(&self, method: &'static str, path: &str) -> Box<Trace> {
        Box::new(Trace { method, path: path.to_owned(), clock: self.clock.error(), ..Trace::default() })
    }
}
