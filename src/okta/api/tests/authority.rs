//! A token endpoint and an API that are as strict as Okta's: assertions, proofs, nonces and clocks are checked.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::org::{Incoming, Org, http_date, reply};
use crate::okta::Pace;

/// What it accepts, and what it has given out.
pub struct Authority {
    /// Public halves by key id.
    pub keys: HashMap<String, DecodingKey>,
    pub secret: Option<String>,
    pub granted: Vec<String>,
    pub requires_dpop: bool,
    /// The nonce that proofs must hold, for the token endpoint and for the API.
    pub token_nonce: Option<String>,
    pub api_nonce: Option<String>,
    /// Its clock against this machine's.
    pub skew_seconds: i64,
    pub lives_seconds: u64,
    /// Tokens that are good, each with the thumbprint of the key that it is bound to.
    pub good: HashMap<String, Option<String>>,
    pub issued: usize,
    /// Each refusal with its reason.
    pub refusals: Vec<String>,
    pub used: HashSet<String>,
}

impl Default for Authority {
    fn default() -> Self {
        Self {
            keys: HashMap::new(),
            secret: None,
            granted: vec!["okta.users.read".into()],
            requires_dpop: false,
            token_nonce: None,
            api_nonce: None,
            skew_seconds: 0,
            lives_seconds: 3_600,
            good: HashMap::new(),
            issued: 0,
            refusals: Vec::new(),
            used: HashSet::new(),
        }
    }
}

type Refusal = (u16, &'static str, String);

impl Authority {
    pub async fn start(self) -> (Org, Arc<Mutex<Self>>) {
        self.start_slow(std::time::Duration::ZERO).await
    }

    pub async fn start_slow(self, delay: std::time::Duration) -> (Org, Arc<Mutex<Self>>) {
        let authority = Arc::new(Mutex::new(self));
        let shared = authority.clone();
        let org = Org::start_slow(delay, move |incoming| shared.lock().unwrap().answer(incoming)).await;
        (org, authority)
    }

    fn now(&self) -> i64 {
        Pace::real().wall_ms() / 1_000 + self.skew_seconds
    }

    fn answer(&mut self, incoming: &Incoming) -> Response<Body> {
        let date = http_date(self.now());
        let (answer, nonce) = match incoming.path.as_str() {
            "/oauth2/v1/token" => (self.token(incoming), self.token_nonce.clone()),
            _ => (self.api(incoming), self.api_nonce.clone()),
        };
        let mut headers = vec![("date", date.as_str())];
        // Only those who speak DPoP hear of nonces.
        let nonce = nonce.filter(|_| incoming.headers.contains_key("dpop"));
        headers.extend(nonce.as_deref().map(|nonce| ("dpop-nonce", nonce)));
        match answer {
            Ok(body) => reply(200, &headers, body.to_string()),
            Err((status, error, why)) => {
                self.refusals.push(format!("{error}: {why}"));
                let challenge = format!("DPoP error=\"{error}\"");
                if incoming.path != "/oauth2/v1/token" {
                    headers.push(("www-authenticate", &challenge));
                    let body = json!({"errorCode": "E0000011", "errorSummary": "Invalid token provided"});
                    return reply(status, &headers, body.to_string());
                }
                reply(status, &headers, json!({"error": error, "error_description": why}).to_string())
            }
        }
    }

    fn token(&mut self, incoming: &Incoming) -> Result<Value, Refusal> {
        assert_eq!(
            (incoming.method.as_str(), incoming.field("grant_type").unwrap().as_str()),
            ("POST", "client_credentials")
        );
        // As Okta does: the proof comes first.
        let jkt = match incoming.header("dpop") {
            "" if self.requires_dpop => {
                return Err((400, "invalid_dpop_proof", "The DPoP proof JWT header is missing.".into()));
            }
            "" => None,
            proof => {
                let nonce = self.token_nonce.clone();
                Some(self.proof(incoming, proof, None, nonce)?)
            }
        };
        self.client(incoming).map_err(|why| (401, "invalid_client", why))?;
        let scope = incoming.field("scope").unwrap();
        if !scope.split(' ').all(|scope| self.granted.iter().any(|granted| granted == scope)) {
            return Err((400, "invalid_scope", "One or more scopes are not granted.".into()));
        }
        self.issued += 1;
        let token = format!("token-{}-hunter2", self.issued);
        let token_type = if jkt.is_some() { "DPoP" } else { "Bearer" };
        self.good.insert(token.clone(), jkt);
        Ok(json!({"access_token": token, "token_type": token_type, "expires_in": self.lives_seconds, "scope": scope}))
    }

    fn client(&mut self, incoming: &Incoming) -> Result<(), String> {
        if let Some(basic) = incoming.header("authorization").strip_prefix("Basic ") {
            let expected = self.secret.as_ref().map(|secret| STANDARD.encode(format!("0oa1:{secret}")));
            return if expected.as_deref() == Some(basic) {
                Ok(())
            } else {
                Err("The client secret is invalid.".into())
            };
        }
        let assertion = incoming.field("client_assertion").ok_or("no assertion")?;
        let kind = incoming.field("client_assertion_type").unwrap();
        assert_eq!(kind, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        let header = jsonwebtoken::decode_header(&assertion).map_err(|error| error.to_string())?;
        let key = self.keys.get(&header.kid.unwrap()).ok_or("The key id is unknown.")?;
        let mut validation = Validation::new(header.alg);
        // By the clock of this authority, below.
        validation.validate_exp = false;
        validation.set_audience(&[format!("http://{}/oauth2/v1/token", incoming.header("host"))]);
        let claims =
            jsonwebtoken::decode::<Value>(&assertion, key, &validation).map_err(|error| error.to_string())?.claims;
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("0oa1"), &json!("0oa1")));
        let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        assert!(exp - iat <= 3_600);
        if exp <= self.now() {
            return Err("The client_assertion token is expired.".into());
        }
        if iat > self.now() + 300 {
            return Err("The client_assertion token was issued in the future.".into());
        }
        self.use_once(&claims)
    }

    fn api(&mut self, incoming: &Incoming) -> Result<Value, Refusal> {
        let (scheme, token) = incoming.header("authorization").split_once(' ').unwrap();
        let Some(bound_to) = self.good.get(token).cloned() else {
            return Err((401, "invalid_token", "The token is not good.".into()));
        };
        match bound_to {
            None => assert_eq!(scheme, "Bearer"),
            Some(bound_to) => {
                assert_eq!(scheme, "DPoP");
                let nonce = self.api_nonce.clone();
                let jkt =
                    self.proof(incoming, incoming.header("dpop"), Some(token), nonce).map_err(|mut refusal| {
                        if refusal.1 == "use_dpop_nonce" {
                            refusal.0 = 401;
                        }
                        refusal
                    })?;
                assert_eq!(jkt, bound_to);
            }
        }
        Ok(json!([{"id": "u1"}]))
    }

    /// Verifies a proof (RFC 9449, section 4.3) and gives the thumbprint of its key.
    fn proof(
        &mut self,
        incoming: &Incoming,
        proof: &str,
        token: Option<&str>,
        nonce: Option<String>,
    ) -> Result<String, Refusal> {
        let header = jsonwebtoken::decode_header(proof).unwrap();
        assert_eq!((header.typ.as_deref(), header.alg), (Some("dpop+jwt"), Algorithm::ES256));
        let jwk = header.jwk.unwrap();
        assert!(!serde_json::to_string(&jwk).unwrap().contains("\"d\""));
        let mut validation = Validation::new(Algorithm::ES256);
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        let key = DecodingKey::from_jwk(&jwk).unwrap();
        let claims = jsonwebtoken::decode::<Value>(proof, &key, &validation).unwrap().claims;
        assert_eq!(claims["htm"], incoming.method.as_str());
        assert_eq!(claims["htu"], format!("http://{}{}", incoming.header("host"), incoming.path));
        let ath = token.map(|token| json!(URL_SAFE_NO_PAD.encode(Sha256::digest(token)))).unwrap_or_default();
        assert_eq!(claims["ath"], ath);
        if let Some(nonce) = nonce.filter(|nonce| claims["nonce"] != nonce.as_str()) {
            return Err((400, "use_dpop_nonce", format!("The nonce is {nonce}")));
        }
        if (claims["iat"].as_i64().unwrap() - self.now()).abs() > 300 {
            return Err((400, "invalid_dpop_proof", "The proof is too old or too new.".into()));
        }
        self.use_once(&claims).map_err(|why| (400, "invalid_dpop_proof", why))?;
        Ok(thumbprint(&serde_json::to_value(&jwk).unwrap()))
    }

    /// What is signed may be used once.
    fn use_once(&mut self, claims: &Value) -> Result<(), String> {
        let jti = claims["jti"].as_str().unwrap().to_owned();
        if self.used.insert(jti) { Ok(()) } else { Err("The jti was used before.".into()) }
    }
}

/// RFC 7638, of an EC key.
fn thumbprint(jwk: &Value) -> String {
    let members = ["crv", "kty", "x", "y"].map(|name| format!("\"{name}\":{}", jwk[name]));
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{{{}}}", members.join(","))))
}
