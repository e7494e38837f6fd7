use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{RequestBuilder, Url};

use super::answer::Answer;
use super::classify::{Refused, Told};
use super::fault::{ApiFault, Verdict};
use super::login::{Login, Pass};
use super::meter::{Meter, Seen};
use super::request::Request;
use super::retry::Tries;
use super::transport::{Reply, Transport};
use crate::config::ApiConfig;
use crate::error::Fatal;
use crate::okta::Pace;

/// Asks for users without what is secret or slow about them.
const WITHOUT_CREDENTIALS: &str =
    "application/json; okta-response=omitCredentials,omitCredentialsLinks,omitTransitioningToStatus";

/// One org's REST API, read only.
///
/// Cheap to share: all methods take `&self`, and dropping a future of them at any point leaves everything in order.
pub struct Client {
    transport: Transport,
    login: Login,
}

impl Client {
    /// A client for a validated configuration; makes no call yet. `scopes` are asked for unless the configuration
    /// names its own; `seed` drives the random part of pauses.
    ///
    /// # Errors
    /// When no configured key can be read, or the HTTP client cannot start.
    pub fn new(config: &ApiConfig, scopes: &[&str], seed: u64) -> Result<Self, Fatal> {
        let transport = Transport::new(config, seed)?;
        let login = Login::new(config, scopes, &transport.origin)?;
        Ok(Self { transport, login })
    }

    /// The same client in another time than the machine's: the times of answers, the pauses between tries and the lives
    /// of tokens go by it. To be called before the first request.
    #[must_use]
    pub fn at_pace(self, pace: Pace) -> Self {
        Self { transport: self.transport.at_pace(pace), ..self }
    }

    /// Gets a page or an object. Troubles that pass by themselves within seconds are waited out; all others, and every
    /// 429, are the caller's.
    ///
    /// # Errors
    /// What is to be done instead of using the answer.
    pub async fn get<M: Meter>(&self, request: &Request, meter: &M) -> Result<Answer, ApiFault> {
        let mut tries = Tries::new(&self.transport.dice, self.transport.clock.pace);
        loop {
            let fault = match self.attempt(request, meter).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let pause = fault.verdict.retry().and_then(|retry| tries.pause(retry.after));
            let Some(pause) = pause else { return Err(fault) };
            tracing::debug!(%fault, pause_ms = pause.as_millis(), "the request is tried again");
            self.transport.clock.pace.sleep(pause).await;
        }
    }

    /// What time it is at Okta, ms since the Unix epoch, as far as its answers have told.
    pub fn now_ms(&self) -> i64 {
        self.transport.clock.now_ms()
    }

    /// The scopes that were asked for and that Okta did not grant, as far as is known.
    pub fn scopes_not_granted(&self) -> Vec<String> {
        self.login.scopes_not_granted()
    }

    /// Who we are to the org, in words: `client 0oa1 with the key worker-1`. Of two keys it is the one that Okta accepted
    /// last.
    pub fn way_in(&self) -> String {
        self.login.way_in()
    }

    async fn attempt<M: Meter>(&self, request: &Request, meter: &M) -> Result<Answer, ApiFault> {
        let (pass, reply) = self.ask(request, meter).await?;
        // A token that ended early, a nonce that the server wants: once, and then it is what it is.
        if !self.login.learns_from(&pass, &reply) {
            return self.conclude(request, reply, false);
        }
        let (_, reply) = self.ask(request, meter).await?;
        self.conclude(request, reply, true)
    }

    async fn ask<M: Meter>(&self, request: &Request, meter: &M) -> Result<(Pass<'_>, Reply), ApiFault> {
        let path = request.path();
        let url = request.url(&self.transport.origin).map_err(|verdict| self.fault(request, verdict))?;
        // First the place in the quota, for which it may wait: a proof is good for a short time only.
        let permit = meter.before(path).await;
        let (pass, sent) = match self.prepare(request, url).await {
            Ok(prepared) => prepared,
            Err(fault) => {
                meter.after(permit, &Seen { path, headers: None, elapsed: Duration::ZERO });
                return Err(fault);
            }
        };
        let seen = |headers, elapsed| meter.after(permit, &Seen { path, headers, elapsed });
        let reply = self.transport.send(sent, seen).await.map_err(|verdict| self.fault(request, verdict))?;
        self.login.note(&reply);
        let (status, bytes) = (reply.status.as_u16(), reply.body.len());
        tracing::debug!(path, status, request_id = reply.request_id(), bytes, "Okta answered");
        Ok((pass, reply))
    }

    async fn prepare(&self, request: &Request, url: Url) -> Result<(Pass<'_>, RequestBuilder), ApiFault> {
        let pass = self.login.pass(&self.transport).await?;
        let headers = pass.headers("GET", &url, &self.transport.clock);
        let mut sent = self.transport.http.get(url).headers(headers.map_err(|verdict| self.fault(request, verdict))?);
        if request.is_without_credentials() {
            sent = sent.header(CONTENT_TYPE, WITHOUT_CREDENTIALS);
        }
        Ok((pass, sent))
    }

    /// A fault without an answer.
    fn fault(&self, request: &Request, verdict: Verdict) -> ApiFault {
        ApiFault { verdict, trace: self.transport.trace("GET", request.path()) }
    }

    /// What a reply comes to; `renewed` says that it was already the second chance.
    fn conclude(&self, request: &Request, reply: Reply, renewed: bool) -> Result<Answer, ApiFault> {
        let mut trace = self.transport.trace("GET", request.path());
        (trace.status, trace.request_id) = (Some(reply.status.as_u16()), reply.request_id());
        if reply.status.is_success() {
            return Answer::new(request, &self.transport.origin, reply).map_err(|verdict| ApiFault { verdict, trace });
        }
        let told = Told::read(&reply.body);
        let verdict = match Refused::new(&reply, &told, request.is_continued()).verdict() {
            Verdict::AuthFailed { why, .. } => self.login.refused(&why, renewed),
            verdict => verdict,
        };
        (trace.code, trace.summary) = (told.code, told.summary);
        Err(ApiFault { verdict, trace })
    }
}

/// Headers that no log of the HTTP client shows.
pub(super) fn secret_headers<const N: usize>(pairs: [(HeaderName, String); N]) -> Result<HeaderMap, Verdict> {
    let mut headers = HeaderMap::with_capacity(N);
    for (name, value) in pairs {
        let mut value = HeaderValue::try_from(value).map_err(|_| Verdict::AuthFailed {
            why: format!("what should go into the header {name} has characters that no header may have"),
            advice: "check the secret for line breaks and the like".into(),
        })?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The header by which a request says who it is from.
pub(super) fn authorization(scheme: &str, token: &str) -> (HeaderName, String) {
    (AUTHORIZATION, format!("{scheme} {token}"))
}
