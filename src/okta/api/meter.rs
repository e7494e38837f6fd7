//! What a rate limiter learns from each answer.

use std::future::{Future, ready};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use crate::okta::quota::Headers;

/// Who counts the requests: the rate limiter, which stays apart from the client.
///
/// Each try of a request is announced and seen, so retries count as Okta counts them. Requests for tokens are not: they
/// have a bucket of their own, of which an hourly token uses nothing.
pub trait Meter: Sync {
    /// The right to send one request. It is dropped unused when the caller gives up in between.
    type Permit: Send;

    /// Waits until a request may be sent.
    fn before(&self, path: &str) -> impl Future<Output = Self::Permit> + Send;

    /// Takes note of an answer, or that none came.
    fn after(&self, permit: Self::Permit, seen: &Seen<'_>);
}

/// Nobody counts.
impl Meter for () {
    type Permit = ();

    fn before(&self, _: &str) -> impl Future<Output = ()> + Send {
        ready(())
    }

    fn after(&self, (): (), _: &Seen<'_>) {}
}

/// One try of a request.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Path without the query.
    pub path: &'a str,
    /// Status, quota and time; `None` when no answer came.
    pub headers: Option<Headers>,
    /// Time from sending the request until the head of the answer, or until giving up.
    pub elapsed: Duration,
}

/// What an answer says about quota and time.
pub(super) fn rate_headers(status: StatusCode, headers: &HeaderMap) -> Headers {
    Headers::read(status.as_u16(), |name| headers.get(name)?.to_str().ok())
}
