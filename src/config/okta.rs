use std::borrow::Cow;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Secret;

/// `[org.api]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Address of the org, such as `https://acme.okta.com`. Where Okta's links name a custom domain, give that one.
    pub url: String,
    /// API token (SSWS) of a service account. It can do all that the account can; prefer a client with keys.
    pub token: Option<Secret>,
    /// Id of the service app or of the API service integration.
    pub client_id: Option<String>,
    /// Secret of an API service integration.
    pub client_secret: Option<Secret>,
    /// Private keys of the service app. Two while one replaces the other: whichever Okta accepts is used.
    #[serde(rename = "key")]
    pub keys: Vec<ApiKeyConfig>,
    /// Whether tokens are bound to a key of this process (RFC 9449): `true`, `false`, or `"auto"` to do it when Okta
    /// demands it. Only with a client id.
    pub dpop: Dpop,
    /// OAuth scopes to ask for. Default: the read scopes of everything that is collected, of which Okta's refusal
    /// leaves out those that are not granted.
    pub scopes: Vec<String>,
    /// Seconds that one request may take until its body is read, 5 to 600. Okta itself gives up a query after 30.
    pub timeout_seconds: u64,
    /// The most bytes of one answer, compressed and decompressed each. The largest page, 1000 group members, is about
    /// 3 MB.
    pub max_body_bytes: usize,
    /// Allow `http://` to a host that is not this machine. Tokens and personal data then travel in the clear: for
    /// simulated orgs only.
    pub allow_http: bool,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            token: None,
            client_id: None,
            client_secret: None,
            keys: Vec::new(),
            dpop: Dpop::Auto,
            scopes: Vec::new(),
            // Twice what Okta allows a query, so that its own answer "this took too long" arrives.
            timeout_seconds: 60,
            max_body_bytes: 32 << 20,
            allow_http: false,
        }
    }
}

/// `[[org.api.key]]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApiKeyConfig {
    /// The key id (`kid`) that Okta shows for the public half.
    pub id: String,
    /// PEM file of the private half: PKCS#8, PKCS#1 or SEC1, not encrypted. It is read again when it changes.
    pub file: Option<PathBuf>,
    /// The PEM text, where it cannot be a file.
    pub pem: Option<Secret>,
    /// `RS256`, `RS384`, `RS512`, `ES256`, `ES384` or `ES512`. Default: what the key is made for, RS256 for RSA.
    pub algorithm: Option<KeyAlgorithm>,
}

/// How assertions are signed (RFC 7518, section 3.1). Those that Okta accepts from a service app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeyAlgorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA with P-384 and SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// ECDSA with P-521 and SHA-512.
    #[serde(rename = "ES512")]
    Es512,
}

/// Whether tokens are bound to a key of this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "DpopWord")]
pub enum Dpop {
    /// When the token endpoint demands it.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "true, false or \"auto\"")]
enum DpopWord {
    Switch(bool),
    Word(String),
}

impl TryFrom<DpopWord> for Dpop {
    type Error = &'static str;

    fn try_from(word: DpopWord) -> Result<Self, Self::Error> {
        match word {
            DpopWord::Switch(true) => Ok(Self::On),
            DpopWord::Switch(false) => Ok(Self::Off),
            DpopWord::Word(word) if word == "auto" => Ok(Self::Auto),
            DpopWord::Word(_) => Err("expected true, false or \"auto\""),
        }
    }
}

impl Serialize for Dpop {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::On => serializer.serialize_bool(true),
            Self::Off => serializer.serialize_bool(false),
        }
    }
}

impl JsonSchema for Dpop {
    fn schema_name() -> Cow<'static, str> {
        "Dpop".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": [true, false, "auto"]})
    }
}

/// `[org.quota]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaConfig {
    /// The part of Okta's rate limits that may be used, 0.05 to 1.0 of what its answers show; others' calls count, too.
    /// `"auto"`: all of it where Okta gives our client a limit of its own, as the answers then show that one; otherwise
    /// half. Okta tells which it is to a client with the scope `okta.principalRateLimits.read`.
    pub share: Share,
    /// The most calls under way at once, 1 to 75. Okta allows a whole org 75, or 35 where it is a free one.
    pub concurrency: u32,
}

impl Default for QuotaConfig {
    fn default() -> Self {
        // Under the 35 of the smallest kind of org, and less than half of the 75 of the others.
        Self { share: Share::Auto, concurrency: 30 }
    }
}

/// The part of a limit that may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(try_from = "ShareWord")]
pub enum Share {
    /// What Okta gives us.
    #[default]
    Auto,
    /// So much.
    Part(f64),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number or \"auto\"")]
enum ShareWord {
    Part(f64),
    Word(String),
}

impl TryFrom<ShareWord> for Share {
    type Error = &'static str;

    fn try_from(word: ShareWord) -> Result<Self, Self::Error> {
        match word {
            ShareWord::Part(part) => Ok(Self::Part(part)),
            ShareWord::Word(word) if word == "auto" => Ok(Self::Auto),
            // Every value can come from the environment, where all are text.
            ShareWord::Word(word) => word.parse().map(Self::Part).map_err(|_| "expected a number or \"auto\""),
        }
    }
}

impl Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Part(part) => serializer.serialize_f64(*part),
        }
    }
}

impl JsonSchema for Share {
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"const": "auto"}, {"type": "number", "minimum": LEAST_SHARE, "maximum": 1.0}]})
    }
}

/// Less than this of the smallest published limits, 20 calls a minute, is no whole call.
const LEAST_SHARE: f64 = 0.05;

/// What cannot work in one `[org.quota]`, each problem with its key.
pub(super) fn quota_problems(org: &str, quota: &QuotaConfig) -> Vec<String> {
    let share = match quota.share {
        Share::Auto => true,
        Share::Part(part) => (LEAST_SHARE..=1.0).contains(&part),
    };
    let checks = [
        (share, "share: \"auto\", or 0.05 to 1.0"),
        // What Okta allows a whole org.
        ((1..=75).contains(&quota.concurrency), "concurrency: 1 to 75"),
    ];
    let broken = checks.into_iter().filter(|(fine, _)| !fine);
    broken.map(|(_, problem)| format!("org.quota.{problem} (org {org:?})")).collect()
}

/// What cannot work in one `[org.api]`, each problem with its key.
pub(super) fn problems(org: &str, api: &ApiConfig) -> Vec<String> {
    let mut problems = url_problems(org, api);
    let mut check = |fine: bool, problem: &str| {
        if !fine {
            problems.push(format!("org.api{problem} (org {org:?})"));
        }
    };
    let ways = [api.token.is_some(), api.client_secret.is_some(), !api.keys.is_empty()];
    check(ways.iter().filter(|given| **given).count() == 1, {
        ": give one way in: token, client_secret, or one or two [[org.api.key]]"
    });
    let client = api.client_secret.is_some() || !api.keys.is_empty();
    check(client == api.client_id.is_some(), ".client_id: goes together with client_secret or [[org.api.key]]");
    check(!client || api.client_id.as_deref() != Some(""), ".client_id: is empty");
    check(client || api.dpop != Dpop::On, ".dpop: only with a client_id; a token cannot be bound to a key");
    check(client || api.scopes.is_empty(), ".scopes: only with a client_id; a token has the rights of its account");
    let scope = |scope: &String| !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic());
    check(api.scopes.iter().all(scope), ".scopes: each is one word, such as okta.users.read");
    check(api.keys.len() <= 2, ".key: two at most, the one in use and the one that replaces it");
    for key in &api.keys {
        check(!key.id.is_empty(), ".key.id: the key id that Okta shows is needed");
        check(key.file.is_some() != key.pem.is_some(), ".key: give either file or pem");
    }
    let twice = api.keys.iter().enumerate().any(|(at, key)| api.keys.iter().take(at).any(|other| other.id == key.id));
    check(!twice, ".key.id: two keys have the same id");
    check((5..=600).contains(&api.timeout_seconds), ".timeout_seconds: 5 to 600");
    check((1 << 16..=1 << 30).contains(&api.max_body_bytes), ".max_body_bytes: 65536 to 1073741824");
    problems
}

fn url_problems(org: &str, api: &ApiConfig) -> Vec<String> {
    // The URL is not repeated unless it is one: a secret may stand where it does not belong.
    let problem = |text: &str| vec![format!("org.api.url: {text} (org {org:?})")];
    let Ok(url) = reqwest::Url::parse(&api.url) else { return problem("must be a URL such as https://acme.okta.com") };
    if !url.username().is_empty() || url.password().is_some() {
        return problem("must not hold a user or password");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return problem("must be the address of the org alone, without a path");
    }
    let Some(host) = url.host_str() else { return problem("must name a host") };
    if host.ends_with("-admin.okta.com") || host.ends_with("-admin.oktapreview.com") {
        return problem("is the admin console's; leave out \"-admin\"");
    }
    match url.scheme() {
        "https" => Vec::new(),
        "http" if api.allow_http || is_loopback(&url) => Vec::new(),
        _ => problem("must be https"),
    }
}

/// Whether a URL leads to this machine: its traffic never leaves it.
pub(crate) fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ApiConfig {
        toml::from_str(text).unwrap()
    }

    fn secret_file() -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter2").unwrap();
        let pointer = format!("{{ file = {path:?} }}");
        (folder, pointer)
    }

    #[test]
    fn each_way_in_is_accepted_alone() {
        let (_folder, secret) = secret_file();
        for way in [
            format!("token = {secret}"),
            format!("client_id = '0oa1'\nclient_secret = {secret}\ndpop = true"),
            "client_id = '0oa1'\n[[key]]\nid = 'k1'\nfile = '/a.pem'\n[[key]]\nid = 'k2'\nfile = '/b.pem'".into(),
            format!("client_id = '0oa1'\n[[key]]\nid = 'k1'\npem = {secret}\nalgorithm = 'ES512'"),
        ] {
            let api = read(&format!("url = 'https://acme.okta.com'\n{way}"));
            assert_eq!(problems("acme", &api), Vec::<String>::new(), "{way}");
        }
    }

    #[test]
    fn what_cannot_work_is_said_with_its_key() {
        let (_folder, secret) = secret_file();
        let url = "url = 'https://acme.okta.com'";
        for (text, expected) in [
            (url.to_owned(), "org.api: give one way in"),
            (format!("{url}\ntoken = {secret}\nclient_id = 'x'\nclient_secret = {secret}"), "org.api: give one way in"),
            (format!("{url}\nclient_secret = {secret}"), "org.api.client_id: goes together"),
            (format!("{url}\ntoken = {secret}\ndpop = true"), "org.api.dpop: only with"),
            (format!("{url}\ntoken = {secret}\ntimeout_seconds = 1"), "org.api.timeout_seconds: 5 to 600"),
            (format!("{url}\nclient_id = 'x'\n[[key]]\nid = 'k'"), "org.api.key: give either file or pem"),
            (format!("url = 'http://acme.okta.com'\ntoken = {secret}"), "org.api.url: must be https"),
            (format!("url = 'https://acme.okta.com/x'\ntoken = {secret}"), "org.api.url: must be the address"),
            (format!("url = 'https://u:p@acme.okta.com'\ntoken = {secret}"), "org.api.url: must not hold a user"),
            (format!("url = 'https://acme-admin.okta.com'\ntoken = {secret}"), "org.api.url: is the admin console's"),
        ] {
            let found = problems("acme", &read(&text));
            assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected}: {found:?}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_unless_it_is_allowed() {
        let (_folder, secret) = secret_file();
        for url in ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1"] {
            assert!(problems("acme", &read(&format!("url = '{url}'\ntoken = {secret}"))).is_empty(), "{url}");
        }
        let allowed = read(&format!("url = 'http://okta-org:8080'\ntoken = {secret}\nallow_http = true"));
        assert!(problems("acme", &allowed).is_empty());
        for url in ["http://127.0.0.1.evil.com", "http://localhost.evil.com"] {
            assert!(!problems("acme", &read(&format!("url = '{url}'\ntoken = {secret}"))).is_empty(), "{url}");
        }
    }

    #[test]
    fn a_share_is_auto_or_a_part() {
        let quota = |text: &str| toml::from_str::<QuotaConfig>(text);
        assert_eq!(quota("").unwrap().share, Share::Auto);
        for (text, share) in [("'auto'", Share::Auto), ("0.25", Share::Part(0.25)), ("'0.25'", Share::Part(0.25))] {
            let quota = quota(&format!("share = {text}")).unwrap();
            assert_eq!(quota.share, share);
            assert_eq!(quota_problems("acme", &quota), Vec::<String>::new());
        }
        assert_eq!(quota("share = 1").unwrap().share, Share::Part(1.0));
        assert!(quota("share = 'most'").is_err());
        for (text, expected) in [
            ("share = 0.04", "org.quota.share: \"auto\", or 0.05 to 1.0"),
            ("share = 50", "org.quota.share"),
            ("share = nan", "org.quota.share"),
            ("concurrency = 0", "org.quota.concurrency: 1 to 75"),
            ("concurrency = 76", "org.quota.concurrency: 1 to 75"),
        ] {
            let found = quota_problems("acme", &quota(text).unwrap());
            assert!(found.len() == 1 && found[0].starts_with(expected), "{text}: {found:?}");
        }
    }

    #[test]
    fn dpop_is_a_switch_or_auto() {
        assert_eq!(read("dpop = true").dpop, Dpop::On);
        assert_eq!(read("dpop = false").dpop, Dpop::Off);
        assert_eq!(read("dpop = 'auto'").dpop, Dpop::Auto);
        let error = toml::from_str::<ApiConfig>("dpop = 'hunter2'").unwrap_err();
        assert!(!error.message().contains("hunter2"), "{error}");
    }
}
