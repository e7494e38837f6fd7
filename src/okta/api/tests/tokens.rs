use std::sync::Arc;
use std::time::Duration;

use super::org::secret;
use super::*;
use crate::config::{ApiConfig, ApiKeyConfig, Dpop};
use crate::okta::Pace;

pub const TOKEN: &str = "/oauth2/v1/token";
const SCOPES: &[&str] = &["okta.users.read"];

/// An authority that knows one key, and the configuration of a client that has it.
async fn with_key(change: impl FnOnce(&mut Authority)) -> (Org, Arc<std::sync::Mutex<Authority>>, ApiConfig) {
    let (pem, public) = keys::p256();
    let mut authority = Authority::default();
    authority.keys.insert("k1".into(), public);
    change(&mut authority);
    let (org, authority) = authority.start().await;
    let key = ApiKeyConfig { id: "k1".into(), pem: Some(secret(&pem)), ..ApiKeyConfig::default() };
    let config = ApiConfig { client_id: Some("0oa1".into()), keys: vec![key], ..org.config() };
    (org, authority, config)
}

fn client(config: &ApiConfig) -> Client {
    Client::new(config, SCOPES, 1).unwrap()
}

async fn passes(client: &Client) {
    let answer = client.get(&users().query("limit", "2"), &()).await.unwrap();
    assert_eq!(ids(&answer), ["u1"]);
}

#[tokio::test]
async fn a_key_gets_a_token_once() {
    let (org, _, config) = with_key(|_| {}).await;
    let client = client(&config);
    passes(&client).await;
    passes(&client).await;
    assert_eq!(org.count(TOKEN), 1);
}

#[tokio::test]
async fn a_client_secret_gets_a_token() {
    let authority = Authority { secret: Some("hunter2".into()), ..Authority::default() };
    let (org, authority) = authority.start().await;
    let config = ApiConfig { client_id: Some("0oa1".into()), client_secret: Some(secret("hunter2")), ..org.config() };
    passes(&client(&config)).await;
    authority.lock().unwrap().secret = Some("another".into());
    let fault = client(&config).get(&users(), &()).await.unwrap_err();
    let text = fault.to_string();
    assert!(text.contains("invalid_client") && text.contains("check client_id and client_secret"), "{text}");
    assert!(text.contains("[POST /oauth2/v1/token, status 401") && !text.contains("hunter2"), "{text}");
    assert!(!format!("{fault:?}").contains("hunter2"));
}

#[tokio::test]
async fn dpop_is_switched_on_when_okta_demands_it() {
    for (mode, tries) in [(Dpop::Auto, 3), (Dpop::On, 2)] {
        let (org, authority, mut config) = with_key(|authority| {
            authority.requires_dpop = true;
            authority.token_nonce = Some("n1".into());
        })
        .await;
        config.dpop = mode;
        let client = client(&config);
        passes(&client).await;
        passes(&client).await;
        // Without a proof (auto only), without the nonce, and well.
        assert_eq!((org.count(TOKEN), authority.lock().unwrap().issued), (tries, 1));
    }
}

#[tokio::test]
async fn dpop_with_a_client_secret_too() {
    let authority = Authority {
        secret: Some("hunter2".into()),
        requires_dpop: true,
        token_nonce: Some("n1".into()),
        ..Authority::default()
    };
    let (org, _) = authority.start().await;
    let client_secret = Some(secret("hunter2"));
    passes(&client(&ApiConfig { client_id: Some("0oa1".into()), client_secret, ..org.config() })).await;
}

#[tokio::test]
async fn without_dpop_by_configuration_the_demand_is_reported() {
    let (_org, _, mut config) = with_key(|authority| authority.requires_dpop = true).await;
    config.dpop = Dpop::Off;
    let text = client(&config).get(&users(), &()).await.unwrap_err().to_string();
    assert!(text.contains("invalid_dpop_proof") && text.contains("set org.api.dpop to \"auto\""), "{text}");
}

#[tokio::test]
async fn a_new_nonce_is_taken_from_any_reply() {
    let (org, authority, mut config) = with_key(|authority| {
        authority.requires_dpop = true;
        authority.token_nonce = Some("n1".into());
    })
    .await;
    config.dpop = Dpop::On;
    let client = client(&config);
    passes(&client).await;
    {
        let mut authority = authority.lock().unwrap();
        authority.token_nonce = Some("n2".into());
        authority.api_nonce = Some("a1".into());
        authority.good.clear();
    }
    // The API first wants its nonce, then says that the token is no longer good: one more chance covers either.
    let _ = client.get(&users(), &()).await;
    passes(&client).await;
    let before = org.count("/api/v1/users");
    passes(&client).await;
    assert_eq!(org.count("/api/v1/users"), before + 1);
}

#[tokio::test]
async fn the_api_may_want_a_nonce_of_its_own() {
    let (org, _, config) = with_key(|authority| {
        authority.requires_dpop = true;
        authority.api_nonce = Some("a1".into());
    })
    .await;
    passes(&client(&config)).await;
    assert_eq!(org.count("/api/v1/users"), 2);
}

#[tokio::test]
async fn a_token_that_okta_forgot_is_renewed_once() {
    let (org, authority, config) = with_key(|_| {}).await;
    let client = client(&config);
    passes(&client).await;
    authority.lock().unwrap().good.clear();
    passes(&client).await;
    assert_eq!((org.count(TOKEN), org.count("/api/v1/users")), (2, 3));
}

#[tokio::test]
async fn a_new_token_that_is_refused_is_the_end() {
    let org = Org::start(|incoming| match incoming.path.as_str() {
        TOKEN => reply(200, &[], r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#),
        _ => reply(401, &[], r#"{"errorCode":"E0000011","errorSummary":"Invalid token provided"}"#),
    })
    .await;
    let client_secret = Some(secret("hunter2"));
    let client = client(&ApiConfig { client_id: Some("0oa1".into()), client_secret, ..org.config() });
    let fault = client.get(&users(), &()).await.unwrap_err();
    assert!(fault.to_string().contains("refuses a token that it has just issued"), "{fault}");
    assert_eq!((org.count(TOKEN), org.count("/api/v1/users")), (2, 2));
}

#[tokio::test]
async fn tokens_are_renewed_ahead_of_their_end_and_a_failure_then_does_no_harm() {
    let (org, authority, config) = with_key(|_| {}).await;
    let client = client(&config);
    passes(&client).await;
    let later = async |seconds| {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
    };
    later(3_200).await;
    passes(&client).await;
    assert_eq!(org.count(TOKEN), 1);
    later(150).await;
    let keys = std::mem::take(&mut authority.lock().unwrap().keys);
    passes(&client).await;
    passes(&client).await;
    assert_eq!((org.count(TOKEN), authority.lock().unwrap().issued), (2, 1), "the token at hand is still good");
    authority.lock().unwrap().keys = keys;
    later(20).await;
    passes(&client).await;
    assert_eq!((org.count(TOKEN), authority.lock().unwrap().issued), (3, 2));
}

#[tokio::test]
async fn of_many_callers_one_asks_for_a_token() {
    let (pem, public) = keys::p256();
    let mut authority = Authority::default();
    authority.keys.insert("k1".into(), public);
    let (org, authority) = authority.start_slow(Duration::from_millis(50)).await;
    let key = ApiKeyConfig { id: "k1".into(), pem: Some(secret(&pem)), ..ApiKeyConfig::default() };
    let config = ApiConfig { client_id: Some("0oa1".into()), keys: vec![key], ..org.config() };
    let client_a = Arc::new(client(&config));
    let all = |client: &Arc<Client>| {
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.get(&users(), &()).await.map(|answer| answer.objects().len()) })
            })
            .collect();
        async move {
            let mut results = Vec::new();
            for task in tasks {
                results.push(task.await.unwrap().is_ok());
            }
            results
        }
    };
    assert_eq!(all(&client_a).await, [true; 8]);
    assert_eq!(org.count(TOKEN), 1);
    // And they share a refusal, too.
    authority.lock().unwrap().keys.clear();
    let client_b = Arc::new(client(&config));
    assert_eq!(all(&client_b).await, [false; 8]);
    assert_eq!(org.count(TOKEN), 2);
}

#[tokio::test]
async fn tokens_end_and_answers_are_as_of_the_time_that_the_org_lives_in() {
    let (org, authority, config) = with_key(|_| {}).await;
    let client = client(&config).at_pace(Pace::times(60.0));
    let later = async |seconds: u64| {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
        authority.lock().unwrap().skew_seconds += 60 * seconds as i64;
    };
    let first = client.get(&users(), &()).await.unwrap();
    later(50).await;
    passes(&client).await;
    assert_eq!(org.count(TOKEN), 1, "50 of its 60 minutes");
    later(11).await;
    let last = client.get(&users(), &()).await.unwrap();
    assert_eq!(org.count(TOKEN), 2, "61 minutes");
    assert!(last.asked_ms - first.answered_ms >= 60 * 60_000, "{} and {}", first.answered_ms, last.asked_ms);
}

#[tokio::test]
async fn a_clock_that_is_an_hour_off_does_no_harm() {
    for (skew_seconds, dpop) in [(-3_660, Dpop::Off), (3_660, Dpop::Off), (-3_660, Dpop::On), (3_660, Dpop::On)] {
        let (org, authority, mut config) = with_key(|authority| authority.skew_seconds = skew_seconds).await;
        config.dpop = dpop;
        passes(&client(&config)).await;
        assert_eq!((org.count(TOKEN), authority.lock().unwrap().refusals.len()), (2, 1));
    }
}

#[tokio::test]
async fn a_refusal_says_how_wrong_the_clock_is() {
    let (_org, authority, config) = with_key(|authority| authority.skew_seconds = -3_660).await;
    authority.lock().unwrap().keys.clear();
    let text = client(&config).get(&users(), &()).await.unwrap_err().to_string();
    assert!(text.contains("the clock of this machine is 61 minutes ahead of Okta's"), "{text}");
}

#[tokio::test]
async fn scopes_that_are_not_granted_are_found_and_left_out() {
    let wanted: Vec<String> = (0..20).map(|n| format!("okta.thing{n}.read")).collect();
    let missing = ["okta.thing3.read", "okta.thing17.read"];
    let granted = wanted.iter().filter(|scope| !missing.contains(&scope.as_str())).cloned().collect();
    let (org, authority, config) = with_key(|authority| authority.granted = granted).await;
    let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let client = Client::new(&config, &names, 1).unwrap();
    passes(&client).await;
    let mut refused = client.scopes_not_granted();
    refused.sort();
    assert_eq!(refused, ["okta.thing17.read", "okta.thing3.read"]);
    assert!(org.count(TOKEN) <= 25, "{}", org.count(TOKEN));
    // The next token is asked for without them, and they stay known.
    authority.lock().unwrap().good.clear();
    let before = org.count(TOKEN);
    passes(&client).await;
    assert_eq!((org.count(TOKEN), client.scopes_not_granted().len()), (before + 1, 2));
}

#[tokio::test]
async fn configured_scopes_are_insisted_on() {
    let (org, _, mut config) = with_key(|_| {}).await;
    config.scopes = vec!["okta.users.read".into(), "okta.logs.read".into()];
    let text = client(&config).get(&users(), &()).await.unwrap_err().to_string();
    assert!(text.contains("invalid_scope") && text.contains("Okta API Scopes"), "{text}");
    assert_eq!(org.count(TOKEN), 1);
}

/// Keeps all that is logged on this thread, at any level.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let authority = Authority {
        secret: Some("hunter2".into()),
        requires_dpop: true,
        token_nonce: Some("n1".into()),
        ..Authority::default()
    };
    let (org, authority) = authority.start().await;
    let client_secret = Some(secret("hunter2"));
    let client = client(&ApiConfig { client_id: Some("0oa1".into()), client_secret, ..org.config() });
    passes(&client).await;
    authority.lock().unwrap().secret = None;
    authority.lock().unwrap().good.clear();
    let request = users().query("search", "profile.login eq \"bob@acme.com\"");
    let fault = client.get(&request, &()).await.unwrap_err();
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("Okta issued a token") && text.contains("Okta answered"), "{text}");
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "0oa1:hunter2");
    for hidden in ["hunter2", "eyJ", "bob", &basic] {
        let ours: Vec<_> = text.lines().filter(|line| line.contains(hidden)).collect();
        assert!(ours.is_empty(), "{hidden}: {ours:?}");
        assert!(!format!("{fault} {fault:?}").contains(hidden), "{fault:?}");
    }
}

#[tokio::test]
async fn a_token_endpoint_in_trouble_is_tried_again() {
    let times = std::sync::atomic::AtomicUsize::new(0);
    let org = Org::start(move |incoming| match incoming.path.as_str() {
        TOKEN if times.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 => reply(502, &[], "<html>"),
        TOKEN => reply(200, &[], r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#),
        _ => reply(200, &[], r#"[{"id":"u1"}]"#),
    })
    .await;
    let client_secret = Some(secret("hunter2"));
    passes(&client(&ApiConfig { client_id: Some("0oa1".into()), client_secret, ..org.config() })).await;
    assert_eq!(org.count(TOKEN), 2);
}
