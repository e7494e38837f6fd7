//! Bearer tokens for OAUTHBEARER, kept fresh in the background.
//!
//! librdkafka asks for a token on its poll thread, which must not wait for a network; so a task renews the token well
//! ahead of its end and the callback only copies it.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rdkafka::client::OAuthToken;
use secrecy::{ExposeSecret, SecretString};

use crate::config::{OauthConfig, SaslMechanism, SecurityConfig};
use crate::error::{Chain, ExitStatus, Fatal};

/// How long a signed IAM token is valid: the most that MSK accepts.
const MSK_TOKEN_LIFETIME: Duration = Duration::from_secs(900);

/// Lifetime assumed for a token that does not say its own: short, so that it is renewed soon.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(300);

/// A token endpoint that does not answer in this time is treated as down; the old token still has a fifth of its life.
const ENDPOINT_TIMEOUT: Duration = Duration::from_secs(15);

/// Pause before an issuer that failed is asked again.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// However long a token says it lives, it is renewed at least daily; this also keeps absurd numbers off the clock.
const LONGEST_LIFETIME: Duration = Duration::from_secs(86_400);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
struct Token {
    secret: SecretString,
    principal: String,
    expires: SystemTime,
}

/// The current token of one cluster.
#[derive(Clone)]
pub struct TokenSource(Arc<RwLock<Token>>);

enum Issuer {
    File(std::path::PathBuf),
    Endpoint(reqwest::Client, OauthConfig),
    MskIam(aws_credential_types::provider::SharedCredentialsProvider, String),
}

impl TokenSource {
    /// Fetches the first token, waiting for an issuer that is down, and starts the renewal; `None` when the mechanism
    /// needs no token.
    pub async fn start(security: &SecurityConfig, aws: &aws_config::SdkConfig) -> Result<Option<Self>, Fatal> {
        let issuer = match security.mechanism {
            Some(SaslMechanism::OauthBearer) => Issuer::oauth(&security.oauth)?,
            Some(SaslMechanism::AwsMskIam) => Issuer::msk(aws)?,
            _ => return Ok(None),
        };
        let first = loop {
            match issuer.issue().await {
                Ok(token) => break token,
                Err(error) if passes(error.as_ref()) => {
                    tracing::warn!(error = %Chain(error.as_ref()), "no token for Kafka yet, trying again");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                Err(error) => {
                    return Err(Fatal::new(ExitStatus::NoPermission, "no token for Kafka can be had")
                        .hint("check [kafka.security.oauth], or for AWS_MSK_IAM the AWS credentials of this process")
                        .because(error));
                }
            }
        };
        let source = Self(Arc::new(RwLock::new(first)));
        tokio::spawn(source.clone().keep_fresh(issuer));
        Ok(Some(source))
    }

    /// The token as librdkafka wants it.
    pub fn current(&self) -> OAuthToken {
        let token = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        OAuthToken {
            token: token.secret.expose_secret().to_owned(),
            principal_name: token.principal,
            lifetime_ms: unix_ms(token.expires),
        }
    }

    /// Renews at four fifths of the token's life; after a failure, more often as the end comes nearer.
    async fn keep_fresh(self, issuer: Issuer) {
        loop {
            let expires = self.0.read().unwrap_or_else(PoisonError::into_inner).expires;
            let left = expires.duration_since(SystemTime::now()).unwrap_or_default();
            tokio::time::sleep((left.min(LONGEST_LIFETIME) / 5 * 4).max(RETRY_PAUSE)).await;
            match issuer.issue().await {
                Ok(token) => *self.0.write().unwrap_or_else(PoisonError::into_inner) = token,
                Err(error) => {
                    tracing::warn!(error = %Chain(error.as_ref()), "the Kafka token cannot be renewed, trying again");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }
}

/// Whether an issuer that failed so may do better later.
fn passes(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<reqwest::Error>().is_some_and(|error| {
        error.is_connect() || error.is_timeout() || error.status().is_some_and(|status| status.is_server_error())
    })
}

impl Issuer {
    fn oauth(config: &OauthConfig) -> Result<Self, Fatal> {
        if let Some(path) = &config.token_file {
            return Ok(Self::File(path.clone()));
        }
        let client = reqwest::Client::builder()
            .timeout(ENDPOINT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Fatal::new(ExitStatus::Software, "the HTTP client cannot start").because(error))?;
        Ok(Self::Endpoint(client, config.clone()))
    }

    fn msk(aws: &aws_config::SdkConfig) -> Result<Self, Fatal> {
        let missing = |what: &str| {
            Fatal::new(ExitStatus::NoPermission, format!("AWS_MSK_IAM needs {what}"))
                .hint("set aws.region and give this process AWS credentials")
        };
        let credentials = aws.credentials_provider().ok_or_else(|| missing("AWS credentials"))?;
        let region = aws.region().ok_or_else(|| missing("an AWS region"))?;
        Ok(Self::MskIam(credentials, region.to_string()))
    }

    async fn issue(&self) -> Result<Token, BoxError> {
        match self {
            Self::File(path) => from_file(path),
            Self::Endpoint(client, config) => from_endpoint(client, config).await,
            Self::MskIam(credentials, region) => {
                let credentials = credentials.provide_credentials().await?;
                msk_token(credentials, region, SystemTime::now())
            }
        }
    }
}

fn from_file(path: &Path) -> Result<Token, BoxError> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(jwt(text.trim(), None))
}

#[derive(serde::Deserialize)]
struct TokenReply {
    access_token: String,
    expires_in: Option<u64>,
}

async fn from_endpoint(client: &reqwest::Client, config: &OauthConfig) -> Result<Token, BoxError> {
    let (Some(url), Some(id), Some(secret)) = (&config.token_endpoint, &config.client_id, &config.client_secret) else {
        return Err("token_endpoint, client_id and client_secret are needed".into());
    };
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend(config.scope.as_deref().map(|scope| ("scope", scope)));
    // Without the URL in errors: some endpoints want a key in it.
    let quiet = reqwest::Error::without_url;
    let reply = client.post(url).basic_auth(id, Some(secret.expose())).form(&form).send().await.map_err(quiet)?;
    let reply: TokenReply = reply.error_for_status().map_err(quiet)?.json().await.map_err(quiet)?;
    Ok(jwt(&reply.access_token, reply.expires_in.map(Duration::from_secs)))
}

/// A token with what it says of itself, where it is a JWT (RFC 7519); the broker is who verifies it.
fn jwt(token: &str, lifetime: Option<Duration>) -> Token {
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok());
    let claims: serde_json::Value = claims.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
    let expires = claims["exp"].as_f64().filter(|seconds| *seconds > 0.0 && *seconds < 1e11);
    let expires = expires.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds));
    let assumed = || SystemTime::now() + lifetime.unwrap_or(UNKNOWN_LIFETIME).min(LONGEST_LIFETIME);
    Token {
        secret: SecretString::from(token),
        principal: claims["sub"].as_str().unwrap_or("okta-ocsf").to_owned(),
        expires: expires.unwrap_or_else(assumed),
    }
}

/// The token that MSK's IAM authentication expects: a presigned `kafka-cluster:Connect` URL, base64url without
/// padding (AWS, "IAM access control for Amazon MSK").
fn msk_token(credentials: aws_credential_types::Credentials, region: &str, now: SystemTime) -> Result<Token, BoxError> {
    let url = format!("https://kafka.{region}.amazonaws.com/?Action=kafka-cluster%3AConnect");
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(MSK_TOKEN_LIFETIME);
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("kafka-cluster")
        .time(now)
        .settings(settings)
        .build()?
        .into();
    let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(request, &parameters)?.into_parts();
    let mut signed = reqwest::Url::parse(&url)?;
    signed.query_pairs_mut().extend_pairs(instructions.params());
    signed.query_pairs_mut().append_pair("User-Agent", "okta-ocsf");
    Ok(Token {
        secret: SecretString::from(URL_SAFE_NO_PAD.encode(signed.as_str())),
        principal: "okta-ocsf".into(),
        expires: now + MSK_TOKEN_LIFETIME,
    })
}

fn unix_ms(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iam_token_is_a_presigned_connect_request() {
        let credentials =
            aws_credential_types::Credentials::new("AKIDEXAMPLE", "secret", Some("session".into()), None, "test");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let token = msk_token(credentials, "eu-west-1", now).unwrap();
        let url = URL_SAFE_NO_PAD.decode(token.secret.expose_secret()).unwrap();
        let url = reqwest::Url::parse(std::str::from_utf8(&url).unwrap()).unwrap();
        assert_eq!(url.host_str(), Some("kafka.eu-west-1.amazonaws.com"));
        let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        assert_eq!(value("Action").as_deref(), Some("kafka-cluster:Connect"));
        assert_eq!(value("X-Amz-Expires").as_deref(), Some("900"));
        assert_eq!(
            value("X-Amz-Credential").as_deref(),
            Some("AKIDEXAMPLE/20231114/eu-west-1/kafka-cluster/aws4_request")
        );
        assert_eq!(value("X-Amz-Security-Token").as_deref(), Some("session"));
        assert_eq!(value("X-Amz-SignedHeaders").as_deref(), Some("host"));
        assert_eq!(value("X-Amz-Signature").unwrap().len(), 64);
        assert_eq!(unix_ms(token.expires), 1_700_000_900_000);
    }

    #[test]
    fn a_jwt_says_its_own_end_and_subject_and_anything_else_gets_a_short_life() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"worker","exp":4000000000}"#);
        let token = jwt(&format!("e30.{claims}."), None);
        assert_eq!((token.principal.as_str(), unix_ms(token.expires)), ("worker", 4_000_000_000_000));
        let opaque = jwt("opaque", None);
        assert!(opaque.expires <= SystemTime::now() + UNKNOWN_LIFETIME);
    }
}
