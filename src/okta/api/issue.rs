//! Asks the token endpoint, until it is known whether there is a token to be had.
//!
//! Okta's side: <https://developer.okta.com/docs/guides/implement-oauth-for-okta-serviceapp/main/> and
//! <https://developer.okta.com/docs/guides/dpop/oktaresourceserver/main/>.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::header::HeaderName;
use serde_json::json;
use tokio::time::Instant;

use super::classify::{Refused, Told};
use super::client::secret_headers;
use super::dpop::Purpose;
use super::fault::{ApiFault, Verdict, excerpt};
use super::jwt::Signer;
use super::keys::Key;
use super::oauth::{Credential, OauthClient, Token, signing_failed};
use super::transport::{Reply, Transport};
use crate::config::Dpop;

/// RFC 7523, section 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Okta allows an hour at most. Five minutes bear a wrong clock until the first reply has told the right time.
const ASSERTION_SECONDS: i64 = 300;

/// One key may need this many tries: Okta demands DPoP, then a nonce, and the first reply corrects our clock.
const TRIES_PER_KEY: usize = 4;

/// Our clock was this wrong when we signed: Okta may have refused for it.
const WRONG_CLOCK_MS: u64 = 30_000;

/// How we prove to be the client in one request.
enum Proof<'c> {
    Secret(&'c str),
    Key(&'c Key, &'c Signer),
}

/// A token request that failed.
struct Failed {
    fault: ApiFault,
    /// The OAuth error code (RFC 6749, section 5.2).
    error: Option<String>,
}

impl OauthClient {
    /// Asks for a token with the scopes that are wanted, by any key that works. Scopes that the configuration does not
    /// insist on are given up when Okta does not grant them.
    pub(super) async fn issue(&self, transport: &Transport) -> Result<Token, ApiFault> {
        let (wanted, strict) = {
            let scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
            (scopes.wanted.clone(), scopes.strict)
        };
        match self.issue_for(transport, &wanted).await {
            Err(failed) if !strict && failed.refuses_scopes() => {
                self.issue_for_granted(transport, wanted, failed).await
            }
            issued => issued.map_err(|failed| failed.fault),
        }
    }

    /// Okta refuses a request with one ungranted scope as a whole and does not say which: halving finds it. What is
    /// granted later is noticed by the next client.
    async fn issue_for_granted(
        &self,
        transport: &Transport,
        wanted: Vec<String>,
        refusal: Failed,
    ) -> Result<Token, ApiFault> {
        let (mut granted, mut refused) = (Vec::new(), Vec::new());
        let mut open = halves(&wanted);
        while let Some(scopes) = open.pop() {
            match self.issue_for(transport, &scopes).await {
                Ok(_) => granted.extend(scopes),
                Err(failed) if !failed.refuses_scopes() => return Err(failed.fault),
                Err(_) if scopes.len() == 1 => refused.extend(scopes),
                Err(_) => open.extend(halves(&scopes)),
            }
        }
        if granted.is_empty() {
            return Err(refusal.fault);
        }
        tracing::warn!(
            scopes = refused.join(" "),
            "Okta does not grant these scopes; what needs them is not collected"
        );
        let token = self.issue_for(transport, &granted).await.map_err(|failed| failed.fault);
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        (scopes.wanted, scopes.refused) = (granted, refused);
        token
    }

    async fn issue_for(&self, transport: &Transport, scopes: &[String]) -> Result<Token, Failed> {
        let ring = match &self.credential {
            Credential::Secret(secret) => {
                return self.issue_by(transport, scopes, &Proof::Secret(secret.expose())).await;
            }
            Credential::Keys(ring) => ring,
        };
        let mut refusal = None;
        for (at, key) in ring.in_order() {
            let signer = match key.signer() {
                Ok(signer) => signer,
                Err(problem) => {
                    let (why, advice) = (problem.to_string(), "put the private key in its place".to_owned());
                    refusal.get_or_insert(self.failed(transport, Verdict::AuthFailed { why, advice }));
                    continue;
                }
            };
            match self.issue_by(transport, scopes, &Proof::Key(key, &signer)).await {
                Err(failed) if failed.refuses_client() => {
                    tracing::debug!(key = key.id(), "Okta refuses this key");
                    // Of two refusals the later: it is about a key that could be read.
                    refusal = Some(failed);
                }
                Ok(token) => {
                    if let Some(id) = ring.worked(at) {
                        tracing::info!(key = id, "Okta accepts this key; from now on it is the first to be tried");
                    }
                    return Ok(token);
                }
                Err(failed) => return Err(failed),
            }
        }
        Err(refusal.unwrap_or_else(|| self.failed(transport, no_keys())))
    }

    async fn issue_by(&self, transport: &Transport, scopes: &[String], by: &Proof<'_>) -> Result<Token, Failed> {
        let (mut had_nonce, mut had_clock) = (false, false);
        let mut tries_left = TRIES_PER_KEY;
        loop {
            tries_left -= 1;
            let asked = Instant::now();
            let time_before = transport.clock.at_okta(0);
            let (bound, nonce) = (self.is_binding(), self.token_nonce.current());
            let reply = self.ask(transport, scopes, by).await.map_err(|verdict| self.failed(transport, verdict))?;
            self.token_nonce.note(&reply.headers);
            if reply.status.is_success() {
                return self.token_in(transport, &reply, scopes, asked);
            }
            let told = Told::read(&reply.body);
            let clock_was_wrong = time_before.abs_diff(transport.clock.at_okta(0)) >= WRONG_CLOCK_MS;
            let again = match told.code.as_deref() {
                // "The DPoP proof JWT header is missing."
                Some("invalid_dpop_proof" | "use_dpop_nonce") if !bound && self.dpop == Dpop::Auto => {
                    self.binding.store(true, Ordering::Relaxed);
                    true
                }
                Some("use_dpop_nonce") if bound && !had_nonce => {
                    had_nonce = true;
                    self.token_nonce.current() != nonce
                }
                Some("invalid_client" | "invalid_dpop_proof" | "invalid_grant") if clock_was_wrong && !had_clock => {
                    had_clock = true;
                    true
                }
                _ => false,
            };
            if !again || tries_left == 0 {
                return Err(self.refused(transport, &reply, told, by));
            }
        }
    }

    /// One request. Each has an assertion and a proof of its own, as each may be used once.
    async fn ask(&self, transport: &Transport, scopes: &[String], by: &Proof<'_>) -> Result<Reply, Verdict> {
        let now = transport.clock.now_seconds();
        let scope = scopes.join(" ");
        let mut form = vec![("grant_type", "client_credentials"), ("scope", scope.as_str())];
        let mut request = transport.http.post(self.token_url.clone());
        let assertion;
        match by {
            Proof::Secret(secret) => request = request.basic_auth(&self.id, Some(secret)),
            Proof::Key(key, signer) => {
                assertion = self.assertion(key, signer, now)?;
                form.extend([("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str())]);
            }
        }
        if self.is_binding() {
            let (url, nonce) = (&self.token_url, self.token_nonce.current());
            let proof = self.proof(&Purpose { method: "POST", url, token: None, nonce, now })?;
            request = request.headers(secret_headers([(HeaderName::from_static("dpop"), proof)])?);
        }
        transport.send(request.form(&form), |_, _| ()).await
    }

    /// RFC 7523, section 3, as Okta wants it: the audience is the token endpoint.
    fn assertion(&self, key: &Key, signer: &Signer, now: i64) -> Result<String, Verdict> {
        let claims = json!({
            "iss": self.id, "sub": self.id, "aud": self.token_url.as_str(),
            "iat": now, "exp": now + ASSERTION_SECONDS, "jti": uuid::Uuid::new_v4().to_string(),
        });
        signer.sign(json!({"typ": "JWT", "kid": key.id()}), &claims).map_err(signing_failed)
    }

    fn token_in(
        &self,
        transport: &Transport,
        reply: &Reply,
        scopes: &[String],
        asked: Instant,
    ) -> Result<Token, Failed> {
        let failed = |verdict| self.failed(transport, verdict);
        let answer: TokenAnswer = serde_json::from_slice(&reply.body).map_err(|_| {
            // Without the cause: it could repeat a part of the token.
            failed(Verdict::NotJson("the token endpoint's answer has no access_token and expires_in".into()))
        })?;
        let bound = answer.token_type.eq_ignore_ascii_case("DPoP");
        if self.dpop == Dpop::On && !bound {
            return Err(failed(Verdict::AuthFailed {
                why: "Okta issued a token that is not bound to our key, although org.api.dpop is true".into(),
                advice: "switch on \"Require DPoP\" for the app, or set org.api.dpop to \"auto\"".into(),
            }));
        }
        if let Some(granted) = &answer.scope {
            let refused = &mut self.scopes.lock().unwrap_or_else(PoisonError::into_inner).refused;
            let missing = scopes.iter().filter(|scope| !granted.split(' ').any(|granted| granted == *scope));
            refused.extend(missing.filter(|scope| !refused.contains(scope)).cloned().collect::<Vec<_>>());
        }
        tracing::debug!(expires_in = answer.expires_in, bound, "Okta issued a token");
        let life = Duration::from_secs(answer.expires_in);
        Ok(Token::new(answer.access_token.into(), bound, asked, life, transport.clock.pace))
    }

    /// A request that brought no reply, or none that counts.
    fn failed(&self, transport: &Transport, verdict: Verdict) -> Failed {
        let trace = transport.trace("POST", self.token_url.path());
        Failed { fault: ApiFault { verdict, trace }, error: None }
    }

    /// A refusal, with what a person can do about it.
    fn refused(&self, transport: &Transport, reply: &Reply, told: Told, by: &Proof<'_>) -> Failed {
        let verdict = match told.code.as_deref() {
            Some(error) if reply.status.is_client_error() && reply.status.as_u16() != 429 => {
                let why = match &told.summary {
                    Some(summary) => format!("the token endpoint answers {error} ({summary})"),
                    None => format!("the token endpoint answers {error}"),
                };
                Verdict::AuthFailed { why: excerpt(&why), advice: advice(error, by).into() }
            }
            _ => Refused::new(reply, &told, false).verdict(),
        };
        let mut failed = self.failed(transport, verdict);
        let trace = &mut failed.fault.trace;
        (trace.status, trace.request_id) = (Some(reply.status.as_u16()), reply.request_id());
        trace.code.clone_from(&told.code);
        failed.error = told.code;
        failed
    }
}

impl Failed {
    /// Okta does not know the key, or the client.
    fn refuses_client(&self) -> bool {
        self.error.as_deref() == Some("invalid_client")
    }

    fn refuses_scopes(&self) -> bool {
        matches!(self.error.as_deref(), Some("invalid_scope" | "consent_required"))
    }
}

/// The reply of RFC 6749, section 5.1.
#[derive(serde::Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: u64,
    #[serde(default)]
    token_type: String,
    scope: Option<String>,
}

fn halves(scopes: &[String]) -> Vec<Vec<String>> {
    let (front, back) = scopes.split_at(scopes.len() / 2);
    [back, front].into_iter().filter(|half| half.len() < scopes.len()).map(<[String]>::to_vec).collect()
}

fn advice(error: &str, by: &Proof<'_>) -> &'static str {
    match (error, by) {
        ("invalid_client", Proof::Secret(_)) => {
            "check client_id and client_secret; a service app takes keys only, a secret is for API service integrations"
        }
        ("invalid_client", Proof::Key(..)) => {
            "check client_id, and that the public half of the key is registered with the app under this key id and active"
        }
        ("invalid_scope" | "consent_required", _) => "grant the app the scopes in its tab \"Okta API Scopes\"",
        ("invalid_dpop_proof" | "use_dpop_nonce", _) => "set org.api.dpop to \"auto\" or true",
        ("unauthorized_client" | "unsupported_grant_type", _) => {
            "the app must be of the type API Services, with the grant type Client Credentials"
        }
        ("access_denied", _) => "assign the app an admin role and grant its scopes",
        _ => "see docs/okta-access.md",
    }
}

fn no_keys() -> Verdict {
    Verdict::AuthFailed { why: "there is no private key".into(), advice: "configure [[org.api.key]]".into() }
}
