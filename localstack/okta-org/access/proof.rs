//! Signed statements of clients: assertions for the token endpoint and DPoP proofs.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::access::principals::{Principal, Principals};
use crate::rng::Rng;

/// How far a client's clock may be off.
const SKEW: i64 = 300;
const LONGEST_ASSERTION: i64 = 3_600;
const NONCE_LIFE: i64 = 24 * 3_600;
const NONCES_VALID: i64 = 3;

#[rustfmt::skip]
const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::ES256, Algorithm::ES384];

#[derive(Deserialize)]
struct Assertion {
    iss: String,
    sub: String,
    aud: Value,
    exp: i64,
    iat: Option<i64>,
    jti: Option<String>,
}

#[derive(Deserialize)]
struct Proof {
    htm: String,
    htu: String,
    iat: i64,
    jti: String,
    nonce: Option<String>,
    ath: Option<String>,
}

/// Why a proof was not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A nonce is missing or too old; the current one is to be used.
    Nonce,
    Invalid(&'static str),
}

/// The client an assertion names, without looking at its signature.
pub fn client_of(assertion: &str) -> Option<String> {
    let claims = assertion.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    claims["sub"].as_str().map(ToOwned::to_owned)
}

/// Checks a client's assertion as the token endpoint at `audience` does.
pub fn check_assertion(
    principals: &mut Principals,
    client: &Principal,
    assertion: &str,
    audience: &str,
    now: Timestamp,
) -> Result<(), &'static str> {
    let header = decode_header(assertion).map_err(|_| "The client_assertion is not a JWT.")?;
    let keys = client.jwks.as_ref().ok_or("The client has no keys.")?;
    let key = match &header.kid {
        Some(kid) => keys.find(kid),
        None if keys.keys.len() == 1 => keys.keys.first(),
        None => None,
    };
    let key = key.ok_or("The client_assertion's kid names no key of the client.")?;
    let claims: Assertion = verified(assertion, key, header.alg).ok_or("The client_assertion signature is invalid.")?;
    let now_s = now.as_second();
    if claims.iss != client.id || claims.sub != client.id {
        return Err("The iss and sub of the client_assertion must be the client_id.");
    }
    let meant = match &claims.aud {
        Value::String(one) => one == audience,
        Value::Array(many) => many.iter().any(|one| one == audience),
        _ => false,
    };
    if !meant {
        return Err("The audience claim for client_assertion must be the endpoint invoked for the request.");
    }
    if claims.exp <= now_s {
        return Err("The client_assertion token is expired.");
    }
    if claims.exp > now_s + LONGEST_ASSERTION + SKEW {
        return Err("The client_assertion token has an expiration too far into the future.");
    }
    if claims.iat.is_some_and(|iat| iat > now_s + SKEW) {
        return Err("The client_assertion token has an issued time in the future.");
    }
    let until = Timestamp::from_second(claims.exp).unwrap_or(now);
    if claims.jti.is_some_and(|jti| !principals.first_use(&format!("assertion {} {jti}", client.id), until, now)) {
        return Err("The client_assertion token was used before.");
    }
    Ok(())
}

/// What a proof must be about.
pub struct Wanted<'a> {
    pub method: &'a str,
    /// Without query and fragment.
    pub url: &'a str,
    /// The access token it goes with.
    pub token: Option<&'a str>,
    /// Whether a nonce is needed.
    pub nonce: bool,
}

/// Checks a proof and returns the thumbprint of its key.
pub fn check_proof(
    principals: &mut Principals,
    seed: u64,
    proof: &str,
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Result<String, Refusal> {
    let header = decode_header(proof).map_err(|_| Refusal::Invalid("The DPoP proof is not a JWT."))?;
    if header.typ.as_deref() != Some("dpop+jwt") {
        return Err(Refusal::Invalid("The DPoP proof's typ is not dpop+jwt."));
    }
    let key = header.jwk.as_ref().ok_or(Refusal::Invalid("The DPoP proof has no jwk."))?;
    let claims: Proof = verified(proof, key, header.alg).ok_or(Refusal::Invalid("The DPoP proof JWT is invalid."))?;
    if claims.htm != wanted.method || claims.htu != wanted.url {
        return Err(Refusal::Invalid("The DPoP proof is for another request."));
    }
    let second = now.as_second();
    if (claims.iat - second).abs() > SKEW {
        return Err(Refusal::Invalid("The DPoP proof was not issued now."));
    }
    let hash = |token: &str| URL_SAFE_NO_PAD.encode(Sha256::digest(token));
    if wanted.token.is_some_and(|token| claims.ath.as_deref() != Some(hash(token).as_str())) {
        return Err(Refusal::Invalid("The DPoP proof's ath is not that of the access token."));
    }
    if wanted.nonce && !claims.nonce.as_deref().is_some_and(|given| nonce_is_valid(seed, given, now)) {
        return Err(Refusal::Nonce);
    }
    let until = Timestamp::from_second(second + 2 * SKEW).unwrap_or(now);
    let thumbprint = thumbprint(key).ok_or(Refusal::Invalid("The DPoP proof's jwk is not usable."))?;
    if !principals.first_use(&format!("proof {thumbprint} {}", claims.jti), until, now) {
        return Err(Refusal::Invalid("The DPoP proof JWT has already been used."));
    }
    Ok(thumbprint)
}

/// The key's thumbprint of RFC 7638: the hash of its required members, in the order of their names.
fn thumbprint(key: &Jwk) -> Option<String> {
    let key = serde_json::to_value(key).ok()?;
    let names: &[&str] = if key["kty"] == "RSA" { &["e", "kty", "n"] } else { &["crv", "kty", "x", "y"] };
    let member = |name: &&str| Some(format!(r#""{name}":"{}""#, key[*name].as_str()?));
    let members = names.iter().map(member).collect::<Option<Vec<_>>>()?;
    Some(URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{{{}}}", members.join(",")))))
}

/// The nonce of the day.
pub fn nonce(seed: u64, now: Timestamp) -> String {
    Rng::at(seed, 31, (now.as_second() / NONCE_LIFE) as u64).word("", 32)
}

fn nonce_is_valid(seed: u64, given: &str, now: Timestamp) -> bool {
    let day = now.as_second() / NONCE_LIFE;
    (0..NONCES_VALID).any(|ago| Rng::at(seed, 31, (day - ago) as u64).word("", 32) == given)
}

/// The claims, if the signature is right. The times are the caller's to check: they are the org's, not the machine's.
fn verified<T: serde::de::DeserializeOwned>(token: &str, key: &Jwk, algorithm: Algorithm) -> Option<T> {
    if !ALGORITHMS.contains(&algorithm) {
        return None;
    }
    let key = DecodingKey::from_jwk(key).ok()?;
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims = HashSet::new();
    validation.validate_exp = false;
    validation.validate_aud = false;
    decode(token, &key, &validation).ok().map(|data| data.claims)
}
