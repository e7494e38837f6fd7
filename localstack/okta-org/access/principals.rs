//! The principals: API tokens and OAuth clients, their scopes and admin roles, and the tokens clients were given.

use std::collections::{BTreeSet, HashMap};

use jiff::{Timestamp, ToSpan};
use jsonwebtoken::jwk::JwkSet;
use serde::{Deserialize, Serialize};

use crate::inventory::table::Right;
use crate::problem::Problem;
use crate::rng::Rng;

/// What a principal may see as an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    SuperAdmin,
    ReadOnlyAdmin,
    /// What its permissions say.
    Custom,
    /// A principal that was granted no role at all.
    None,
}

/// One principal, as the configuration and `POST /_org/principals` write it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Principal {
    pub id: String,
    /// An SSWS token; a principal with one needs no scopes.
    pub token: Option<String>,
    pub secret: Option<String>,
    pub jwks: Option<JwkSet>,
    /// The scopes granted to the client; null for all.
    pub scopes: Option<BTreeSet<String>>,
    #[serde(default = "super_admin")]
    pub role: Role,
    #[serde(default)]
    pub permissions: BTreeSet<String>,
    /// Whether the client must prove that it holds its key.
    #[serde(default)]
    pub dpop: bool,
    #[serde(default = "an_hour")]
    pub expires_in: u32,
}

fn super_admin() -> Role {
    Role::SuperAdmin
}

fn an_hour() -> u32 {
    3_600
}

/// An access token.
pub struct Grant {
    pub principal: String,
    pub scopes: BTreeSet<String>,
    pub expires: Timestamp,
    /// The thumbprint of the key the token is bound to.
    pub thumbprint: Option<String>,
}

/// Who calls, after the credentials were looked at.
pub struct Caller {
    pub principal: String,
    pub scopes: Option<BTreeSet<String>>,
    pub thumbprint: Option<String>,
}

pub struct Principals {
    all: HashMap<String, Principal>,
    grants: HashMap<String, Grant>,
    /// Numbers of assertions and proofs that were seen, until when they could be used again.
    seen: HashMap<String, Timestamp>,
    rng: Rng,
}

impl Principals {
    pub fn new(seed: u64) -> Self {
        Self { all: HashMap::new(), grants: HashMap::new(), seen: HashMap::new(), rng: Rng::at(seed, 30, 0) }
    }

    /// Adds a principal or puts it in the place of the one with its id; its access tokens stay.
    pub fn put(&mut self, principal: Principal) {
        self.all.insert(principal.id.clone(), principal);
    }

    pub fn remove(&mut self, id: &str) -> bool {
        self.revoke(id);
        self.all.remove(id).is_some()
    }

    /// Revokes all access tokens of a principal; returns how many there were.
    pub fn revoke(&mut self, id: &str) -> usize {
        let before = self.grants.len();
        self.grants.retain(|_, grant| grant.principal != id);
        before - self.grants.len()
    }

    pub fn get(&self, id: &str) -> Option<&Principal> {
        self.all.get(id)
    }

    pub fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self.all.keys().map(String::as_str).collect();
        ids.sort_unstable();
        ids
    }

    /// All principals by id, with the type that they have for Okta: one with a token and a key is two.
    pub fn by_type(&self) -> Vec<(&str, &'static str)> {
        let is_client = |id: &str| self.get(id).is_some_and(|found| found.secret.is_some() || found.jwks.is_some());
        let is_token = |id: &str| self.get(id).is_some_and(|found| found.token.is_some());
        let clients = self.ids().into_iter().filter(|id| is_client(id)).map(|id| (id, "OAUTH_CLIENT"));
        let tokens = self.ids().into_iter().filter(|id| is_token(id)).map(|id| (id, "SSWS_TOKEN"));
        clients.chain(tokens).collect()
    }

    /// Hands out an access token; those that have expired are forgotten.
    pub fn grant(&mut self, grant: Grant, now: Timestamp) -> String {
        self.grants.retain(|_, grant| grant.expires > now);
        let token = self.rng.word("eyJraWQi.", 120);
        self.grants.insert(token.clone(), grant);
        token
    }

    /// Whether the number is new; it is remembered for as long as it could be replayed.
    pub fn first_use(&mut self, number: &str, until: Timestamp, now: Timestamp) -> bool {
        self.seen.retain(|_, until| *until > now);
        self.seen.insert(number.to_owned(), until.max(now + 1.minute())).is_none()
    }

    /// The caller behind an Authorization header.
    pub fn caller(&self, authorization: Option<&str>, now: Timestamp) -> Result<Caller, Problem> {
        let authorization = authorization.ok_or_else(Problem::no_session)?;
        // Okta's own SDK for Python leaves out the space.
        if let Some(token) = authorization.strip_prefix("SSWS").map(str::trim_start) {
            let owner = self.all.values().find(|principal| principal.token.as_deref() == Some(token));
            let owner = owner.ok_or_else(Problem::invalid_token)?;
            return Ok(Caller { principal: owner.id.clone(), scopes: None, thumbprint: None });
        }
        let (scheme, token) = authorization.split_once(' ').ok_or_else(Problem::invalid_token)?;
        let grant = self.grants.get(token).filter(|grant| grant.expires > now).ok_or_else(Problem::invalid_token)?;
        // A token bound to a key is no bearer token, and the other way round.
        let bound = grant.thumbprint.is_some();
        if !(scheme == "DPoP" && bound || scheme == "Bearer" && !bound) {
            return Err(Problem::invalid_token());
        }
        let principal = self.get(&grant.principal).ok_or_else(Problem::invalid_token)?;
        // What the client lost since the token was made, the token has lost too.
        let granted = |scope: &&String| principal.scopes.as_ref().is_none_or(|scopes| scopes.contains(*scope));
        let scopes = grant.scopes.iter().filter(granted).cloned().collect();
        Ok(Caller { principal: principal.id.clone(), scopes: Some(scopes), thumbprint: grant.thumbprint.clone() })
    }

    /// Whether the caller holds the scope and the role that a collection takes.
    pub fn admit(&self, caller: &Caller, scope: &str, right: Right, path: &str) -> Result<(), Problem> {
        let manage = scope.replace(".read", ".manage");
        if caller.scopes.as_ref().is_some_and(|scopes| !scopes.contains(scope) && !scopes.contains(&manage)) {
            let challenge = format!(
                r#"Bearer realm="IdpMyAccountAPI", scope="{scope}", error="insufficient_scope", error_description="The access token provided does not contain the required scopes.", resource="{path}""#
            );
            return Err(Problem::forbidden().with_header("www-authenticate", challenge));
        }
        let principal = self.get(&caller.principal).ok_or_else(Problem::invalid_token)?;
        let may = match (principal.role, right) {
            (Role::SuperAdmin, _) | (Role::ReadOnlyAdmin, Right::Look) => true,
            (Role::Custom, Right::Iam) => principal.permissions.contains("okta.iam.read"),
            (Role::Custom, Right::Look) => principal.permissions.contains(scope),
            _ => false,
        };
        if may { Ok(()) } else { Err(Problem::forbidden()) }
    }
}
