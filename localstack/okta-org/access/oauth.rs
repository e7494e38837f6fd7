//! The org authorization server's token endpoint.

use std::collections::{BTreeSet, HashMap};

use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::access::principals::{Grant, Principal, Principals};
use crate::access::proof::{Refusal, Wanted, check_assertion, check_proof, client_of, nonce};
use crate::inventory::table::COLLECTIONS;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A reply of the endpoint.
pub struct Reply {
    pub status: StatusCode,
    pub body: Value,
    /// A nonce for the client's next proof.
    pub nonce: Option<String>,
}

impl Reply {
    fn error(status: StatusCode, error: &str, description: &str) -> Self {
        Self { status, body: json!({ "error": error, "error_description": description }), nonce: None }
    }

    fn invalid_client(description: &str) -> Self {
        Self::error(StatusCode::UNAUTHORIZED, "invalid_client", description)
    }
}

/// Answers a request for a token. `url` is the endpoint's own.
pub fn token(
    principals: &mut Principals,
    seed: u64,
    headers: &HeaderMap,
    form: &HashMap<String, String>,
    url: &str,
    now: Timestamp,
) -> Reply {
    issue(principals, seed, headers, form, url, now).unwrap_or_else(|refusal| refusal)
}

fn issue(
    principals: &mut Principals,
    seed: u64,
    headers: &HeaderMap,
    form: &HashMap<String, String>,
    url: &str,
    now: Timestamp,
) -> Result<Reply, Reply> {
    let client = authenticated(principals, headers, form, url, now)?;
    if form.get("grant_type").map(String::as_str) != Some("client_credentials") {
        let description = "The grant type was invalid.";
        return Err(Reply::error(StatusCode::BAD_REQUEST, "unsupported_grant_type", description));
    }
    let scopes = scopes(&client, form.get("scope").map_or("", String::as_str))?;
    let thumbprint = match headers.get("dpop").and_then(|proof| proof.to_str().ok()) {
        None if client.dpop => {
            let description = "The DPoP proof JWT header is missing.";
            return Err(Reply::error(StatusCode::BAD_REQUEST, "invalid_dpop_proof", description));
        }
        None => None,
        Some(proof) => {
            let wanted = Wanted { method: "POST", url, token: None, nonce: true };
            let checked = check_proof(principals, seed, proof, &wanted, now);
            Some(checked.map_err(|refusal| match refusal {
                Refusal::Nonce => Reply {
                    nonce: Some(nonce(seed, now)),
                    ..Reply::error(
                        StatusCode::BAD_REQUEST,
                        "use_dpop_nonce",
                        "Authorization server requires nonce in DPoP proof.",
                    )
                },
                Refusal::Invalid(why) => Reply::error(StatusCode::BAD_REQUEST, "invalid_dpop_proof", why),
            })?)
        }
    };
    let scope = scopes.iter().cloned().collect::<Vec<_>>().join(" ");
    let token_type = if thumbprint.is_some() { "DPoP" } else { "Bearer" };
    let bound = thumbprint.is_some();
    let expires = now + i64::from(client.expires_in).seconds();
    let token = principals.grant(Grant { principal: client.id.clone(), scopes, expires, thumbprint }, now);
    let body = json!({
        "token_type": token_type, "expires_in": client.expires_in, "access_token": token, "scope": scope,
    });
    Ok(Reply { status: StatusCode::OK, body, nonce: bound.then(|| nonce(seed, now)) })
}

/// The client, by its secret or its assertion.
fn authenticated(
    principals: &mut Principals,
    headers: &HeaderMap,
    form: &HashMap<String, String>,
    url: &str,
    now: Timestamp,
) -> Result<Principal, Reply> {
    let unknown = || Reply::invalid_client("Invalid value for 'client_id' parameter.");
    if let Some(assertion) = form.get("client_assertion") {
        if form.get("client_assertion_type").map(String::as_str) != Some(ASSERTION_TYPE) {
            return Err(Reply::invalid_client("The client_assertion_type is invalid."));
        }
        let client = client_of(assertion).and_then(|id| principals.get(&id).cloned()).ok_or_else(unknown)?;
        check_assertion(principals, &client, assertion, url, now).map_err(Reply::invalid_client)?;
        return Ok(client);
    }
    let basic = headers.get("authorization").and_then(|value| value.to_str().ok());
    let basic = basic.and_then(|value| value.strip_prefix("Basic ")).and_then(|text| STANDARD.decode(text).ok());
    let basic = basic.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(unknown)?;
    let (id, secret) = basic.split_once(':').ok_or_else(unknown)?;
    let client = principals.get(id).cloned().ok_or_else(unknown)?;
    if client.secret.as_deref() != Some(secret) {
        return Err(Reply::invalid_client("The client secret supplied for a confidential client is invalid."));
    }
    Ok(client)
}

/// The scopes asked for, all of which must exist and be the client's.
fn scopes(client: &Principal, asked: &str) -> Result<BTreeSet<String>, Reply> {
    let asked: BTreeSet<String> = asked.split_whitespace().map(ToOwned::to_owned).collect();
    let known = |scope: &str| {
        let read = scope.replace(".manage", ".read");
        read == "okta.logs.read" || COLLECTIONS.iter().any(|collection| collection.scope == read)
    };
    let granted = |scope: &String| client.scopes.as_ref().is_none_or(|scopes| scopes.contains(scope));
    if asked.is_empty() {
        return Err(Reply::error(StatusCode::BAD_REQUEST, "invalid_scope", "The scope parameter must not be empty."));
    }
    if asked.iter().any(|scope| !known(scope) || !granted(scope)) {
        let description = "One or more scopes are not configured for the authorization server resource.";
        return Err(Reply::error(StatusCode::BAD_REQUEST, "invalid_scope", description));
    }
    Ok(asked)
}
