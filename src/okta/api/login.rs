//! The ways into an org. See `docs/okta-access.md`.

use std::sync::Arc;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName};

use super::classify::{Refused, Told};
use super::client::{authorization, secret_headers};
use super::clock::Clock;
use super::dpop::Purpose;
use super::fault::{ApiFault, Verdict};
use super::oauth::{OauthClient, Token};
use super::transport::{Reply, Transport};
use crate::config::{ApiConfig, Secret};
use crate::error::{ExitStatus, Fatal};

/// Who we are to the org.
pub(super) enum Login {
    /// An API token, which never changes.
    Token(Secret),
    /// A client that gets itself tokens of an hour.
    Oauth(Box<OauthClient>),
}

/// What a request is sent with.
pub(super) enum Pass<'l> {
    Token(&'l Secret),
    Oauth(&'l OauthClient, Arc<Token>),
}

impl Login {
    pub fn new(config: &ApiConfig, scopes: &[&str], origin: &Url) -> Result<Self, Fatal> {
        if let Some(token) = &config.token {
            return Ok(Self::Token(token.clone()));
        }
        let client = OauthClient::new(config, scopes, origin)?;
        let client = client.ok_or_else(|| Fatal::new(ExitStatus::Config, "org.api: there is no way in"))?;
        Ok(Self::Oauth(Box::new(client)))
    }

    /// A pass that is good now, from Okta if there is none.
    pub async fn pass(&self, transport: &Transport) -> Result<Pass<'_>, ApiFault> {
        Ok(match self {
            Self::Token(token) => Pass::Token(token),
            Self::Oauth(client) => Pass::Oauth(client, client.token(transport).await?),
        })
    }

    /// Takes what any reply of the API brings for the next request.
    pub fn note(&self, reply: &Reply) {
        if let Self::Oauth(client) = self {
            client.api_nonce.note(&reply.headers);
        }
    }

    /// Whether another try, with another token or proof, has a better chance than the one that brought this reply.
    pub fn learns_from(&self, pass: &Pass<'_>, reply: &Reply) -> bool {
        let (Self::Oauth(client), Pass::Oauth(_, token), false) = (self, pass, reply.status.is_success()) else {
            return false;
        };
        let told = Told::read(&reply.body);
        let refused = Refused::new(reply, &told, false);
        match refused.challenge_error() {
            Some("use_dpop_nonce") => client.api_nonce.current().is_some(),
            // The proof was signed by a clock that this reply has corrected, or its nonce has changed.
            Some("invalid_dpop_proof") => true,
            _ => {
                let refused = matches!(refused.verdict(), Verdict::AuthFailed { .. });
                if refused {
                    client.forget(token);
                }
                refused
            }
        }
    }

    /// The verdict on a pass that Okta does not accept.
    pub fn refused(&self, why: &str, renewed: bool) -> Verdict {
        let (why, advice) = match self {
            Self::Token(_) => (
                format!("Okta refuses the API token ({why})"),
                "it may be revoked, unused for 30 days, of another org or of a deactivated account: make a new one",
            ),
            Self::Oauth(_) if renewed => (
                format!("Okta refuses a token that it has just issued ({why})"),
                "check that org.api.url is the domain that the app lives in, and that the app is active",
            ),
            Self::Oauth(_) => (format!("Okta refuses the request ({why})"), "see docs/okta-access.md"),
        };
        Verdict::AuthFailed { why, advice: advice.into() }
    }

    /// Who we are, in words.
    pub fn way_in(&self) -> String {
        match self {
            Self::Token(_) => "an API token".into(),
            Self::Oauth(client) => client.way_in(),
        }
    }

    pub fn scopes_not_granted(&self) -> Vec<String> {
        match self {
            Self::Token(_) => Vec::new(),
            Self::Oauth(client) => client.scopes_not_granted(),
        }
    }
}

impl Pass<'_> {
    /// The headers of a request that is sent with this pass.
    pub fn headers(&self, method: &'static str, url: &Url, clock: &Clock) -> Result<HeaderMap, Verdict> {
        match self {
            // Okta's own scheme: https://developer.okta.com/docs/reference/core-okta-api/#authentication
            Self::Token(token) => secret_headers([authorization("SSWS", token.expose())]),
            Self::Oauth(_, token) if !token.is_bound() => secret_headers([authorization("Bearer", token.secret())]),
            Self::Oauth(client, token) => {
                let (nonce, now) = (client.api_nonce.current(), clock.now_seconds());
                let proof = client.proof(&Purpose { method, url, token: Some(token.secret()), nonce, now })?;
                secret_headers([authorization("DPoP", token.secret()), (HeaderName::from_static("dpop"), proof)])
            }
        }
    }
}
