//! Tokens of an hour from the org's token endpoint, by the client credentials grant (RFC 6749, section 4.4).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::dpop::{Nonce, Prover, Purpose};
use super::fault::{ApiFault, Verdict};
use super::jwt::SigningFailed;
use super::keys::KeyRing;
use super::transport::Transport;
use crate::config::{ApiConfig, Dpop, Secret};
use crate::error::{ExitStatus, Fatal};
use crate::okta::Pace;

/// A token is renewed so long before its end, or in the last fifth of a shorter life. Our measure of its age stands
/// still while the machine sleeps, and Okta's clock may drift against it; five minutes is what common verifiers forgive.
const RENEWAL_MARGIN: Duration = Duration::from_secs(300);

/// After a renewal ahead of time failed, the next is tried so much later: a good token is at hand meanwhile.
const RENEWAL_PAUSE: Duration = Duration::from_secs(15);

/// No token is believed to live longer, whatever the reply says; Okta's live one hour.
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);

/// How we prove to be the client.
pub(super) enum Credential {
    /// Client secret, in a Basic header (RFC 6749, section 2.3.1).
    Secret(Secret),
    /// Private keys that sign assertions (RFC 7523).
    Keys(KeyRing),
}

/// A client of the org's authorization server.
pub(super) struct OauthClient {
    pub(super) id: String,
    pub(super) credential: Credential,
    pub(super) token_url: Url,
    pub(super) dpop: Dpop,
    /// Tokens are bound to our key: by configuration, or since Okta demanded it.
    pub(super) binding: AtomicBool,
    pub(super) token_nonce: Nonce,
    pub(super) api_nonce: Nonce,
    pub(super) scopes: Mutex<Scopes>,
    prover: Prover,
    held: RwLock<Option<Arc<Token>>>,
    /// Held by whoever asks for a token, so that one does; what came of it if that was nothing good.
    renewing: tokio::sync::Mutex<Option<(Instant, ApiFault)>>,
}

/// The scopes to ask for.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    pub wanted: Vec<String>,
    /// Asked for and refused, by the last answer that told.
    pub refused: Vec<String>,
    /// The configuration names them: then all of them are needed.
    pub strict: bool,
}

/// An access token.
pub(super) struct Token {
    secret: SecretString,
    bound: bool,
    renew: Instant,
    end: Instant,
}

impl Token {
    /// A token that was asked for at `asked` and lives so long from then at least, by the org's time.
    pub fn new(secret: SecretString, bound: bool, asked: Instant, life: Duration, pace: Pace) -> Self {
        let life = life.min(LONGEST_LIFE);
        let margin = RENEWAL_MARGIN.min(life / 5);
        let after = |span| asked + pace.machine_time(span);
        Self { secret, bound, renew: after(life - margin), end: after(life) }
    }

    /// For the header that it travels in.
    pub fn secret(&self) -> &str {
        self.secret.expose_secret()
    }

    /// It is of use only with a proof.
    pub fn is_bound(&self) -> bool {
        self.bound
    }
}

impl OauthClient {
    /// `None` when the configuration describes no client.
    pub fn new(config: &ApiConfig, scopes: &[&str], origin: &Url) -> Result<Option<Self>, Fatal> {
        let credential = match &config.client_secret {
            Some(secret) => Credential::Secret(secret.clone()),
            None if config.keys.is_empty() => return Ok(None),
            None => Credential::Keys(usable_keys(config)?),
        };
        let wrong = |what| Fatal::new(ExitStatus::Config, what);
        let id = config.client_id.clone().ok_or_else(|| wrong("org.api.client_id is missing"))?;
        let token_url = origin.join("/oauth2/v1/token").map_err(|_| wrong("org.api.url cannot be used"))?;
        let prover = Prover::new()
            .map_err(|error| Fatal::new(ExitStatus::Software, "no key for DPoP can be made").because(error))?;
        let strict = !config.scopes.is_empty();
        let wanted = if strict { config.scopes.clone() } else { scopes.iter().map(|&scope| scope.into()).collect() };
        Ok(Some(Self {
            id,
            credential,
            token_url,
            dpop: config.dpop,
            binding: AtomicBool::new(config.dpop == Dpop::On),
            token_nonce: Nonce::default(),
            api_nonce: Nonce::default(),
            scopes: Mutex::new(Scopes { wanted, refused: Vec::new(), strict }),
            prover,
            held: RwLock::default(),
            renewing: tokio::sync::Mutex::default(),
        }))
    }

    /// A token that is good now. One caller at a time asks for a new one; ahead of the end the others go on with the
    /// one that is there, and after it they wait and share what comes of it, good or bad.
    pub async fn token(&self, transport: &Transport) -> Result<Arc<Token>, ApiFault> {
        let now = Instant::now();
        if let Some(token) = self.held(now) {
            if now < token.renew {
                return Ok(token);
            }
            let Ok(mut last) = self.renewing.try_lock() else { return Ok(token) };
            let just_failed =
                last.as_ref().is_some_and(|(failed, _)| transport.clock.pace.since(*failed) < RENEWAL_PAUSE);
            if just_failed {
                return Ok(token);
            }
            return Ok(self.renew(transport, &mut last).await.unwrap_or_else(|fault| {
                tracing::warn!(%fault, "the token for the org cannot be renewed yet; the one at hand is still good");
                token
            }));
        }
        let mut last = self.renewing.lock().await;
        if let Some(token) = self.held(Instant::now()) {
            return Ok(token);
        }
        match last.as_ref().filter(|(failed, _)| *failed >= now) {
            Some((_, fault)) => Err(fault.clone()),
            None => self.renew(transport, &mut last).await,
        }
    }

    /// Drops a token that Okta no longer accepts, unless there is a newer one already.
    pub fn forget(&self, token: &Arc<Token>) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, token)) {
            *held = None;
        }
    }

    /// A proof that we have the key to which tokens are bound.
    pub fn proof(&self, purpose: &Purpose<'_>) -> Result<String, Verdict> {
        self.prover.proof(purpose).map_err(signing_failed)
    }

    pub fn scopes_not_granted(&self) -> Vec<String> {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner).refused.clone()
    }

    /// Who we are, in words.
    pub fn way_in(&self) -> String {
        let proof = match &self.credential {
            Credential::Secret(_) => "its secret".to_owned(),
            Credential::Keys(ring) => {
                ring.in_order().next().map_or("no key".to_owned(), |(_, key)| format!("the key {}", key.id()))
            }
        };
        let bound = if self.is_binding() { ", tokens bound to this process (DPoP)" } else { "" };
        format!("client {} with {proof}{bound}", self.id)
    }

    pub(super) fn is_binding(&self) -> bool {
        self.binding.load(Ordering::Relaxed)
    }

    fn held(&self, now: Instant) -> Option<Arc<Token>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.clone().filter(|token| now < token.end)
    }

    async fn renew(
        &self,
        transport: &Transport,
        last: &mut Option<(Instant, ApiFault)>,
    ) -> Result<Arc<Token>, ApiFault> {
        match self.issue(transport).await {
            Ok(token) => {
                let token = Arc::new(token);
                *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
                *last = None;
                Ok(token)
            }
            Err(fault) => {
                *last = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }
}

/// The keys, of which at least one must be readable now.
fn usable_keys(config: &ApiConfig) -> Result<KeyRing, Fatal> {
    let ring = KeyRing::new(&config.keys);
    let problems: Vec<_> = ring.in_order().filter_map(|(_, key)| key.signer().err()).collect();
    if let Some(first) = problems.first().filter(|_| problems.len() == config.keys.len()) {
        return Err(Fatal::new(ExitStatus::Config, "no private key of org.api can be used")
            .hint("see docs/okta-access.md")
            .because(first.clone()));
    }
    for problem in problems {
        tracing::warn!(%problem, "one of two keys is not usable yet");
    }
    Ok(ring)
}

pub(super) fn signing_failed(_: SigningFailed) -> Verdict {
    Verdict::AuthFailed { why: "signing failed".into(), advice: "this is a fault of the program or the machine".into() }
}
