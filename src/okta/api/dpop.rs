//! DPoP (RFC 9449): tokens that are of use only together with a key of this process, so a stolen one opens nothing.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::jwt::{Signer, SigningFailed};

/// A longer nonce is not a nonce; it would be sent back with every request.
const LONGEST_NONCE: usize = 512;

/// Signs the proofs. The key is made at the start and dies with the process.
pub(super) struct Prover {
    signer: Signer,
    jwk: Value,
}

/// What a proof is for.
pub(super) struct Purpose<'a> {
    pub method: &'static str,
    pub url: &'a Url,
    /// The token that is sent along.
    pub token: Option<&'a str>,
    pub nonce: Option<String>,
    /// Seconds since the Unix epoch by the server's clock.
    pub now: i64,
}

impl Prover {
    pub fn new() -> Result<Self, SigningFailed> {
        let signer = Signer::ephemeral()?;
        let jwk = signer.p256_jwk().ok_or(SigningFailed)?;
        Ok(Self { signer, jwk })
    }

    /// A proof (RFC 9449, section 4.2), never the same twice.
    pub fn proof(&self, purpose: &Purpose<'_>) -> Result<String, SigningFailed> {
        let mut url = purpose.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        let mut claims = json!({
            "htm": purpose.method,
            "htu": url.as_str(),
            "iat": purpose.now,
            "jti": uuid::Uuid::new_v4().to_string(),
        });
        if let Some(token) = purpose.token {
            claims["ath"] = json!(URL_SAFE_NO_PAD.encode(Sha256::digest(token)));
        }
        if let Some(nonce) = &purpose.nonce {
            claims["nonce"] = json!(nonce);
        }
        self.signer.sign(json!({"typ": "dpop+jwt", "jwk": self.jwk}), &claims)
    }
}

/// The nonce that a server wants in the next proof. Authorization server and API each give their own (RFC 9449,
/// sections 8 and 9).
#[derive(Default)]
pub(super) struct Nonce(Mutex<Option<String>>);

impl Nonce {
    /// Takes the nonce from any answer that has one.
    pub fn note(&self, headers: &HeaderMap) {
        let nonce = headers.get("dpop-nonce").and_then(|nonce| nonce.to_str().ok());
        if let Some(nonce) = nonce.filter(|nonce| (1..=LONGEST_NONCE).contains(&nonce.len())) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(nonce.to_owned());
        }
    }

    pub fn current(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
