//! The ways to a protected Kafka, against the broker's TLS listener.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::support::{Bench, broker, events, is_apache, serve, stack};

/// A bench on the TLS listener; `None` on the mock cluster, which has none.
fn bench(name: &str, security: &str) -> Option<Bench> {
    if !is_apache() {
        eprintln!("skipped: the mock cluster has no TLS");
        return None;
    }
    let ca = stack("KAFKA_CA_FILE");
    let table = format!("[kafka.security]\nprotocol = 'sasl_ssl'\nca_file = {ca:?}\n{security}\n");
    Some(Bench::with_kafka(name, Some(stack("KAFKA_TLS_BROKERS"))).extra(&table))
}

fn carries_events(bench: &Bench, environment: &[(&str, &str)]) {
    let (bodies, wanted) = events(20);
    bench.send(&bodies);
    let mut worker = bench.start("worker", environment);
    worker.until_ready();
    bench.assert_published_once(&wanted);
    assert_eq!(worker.stop(), 0);
}

fn password_login(mechanism: &str) -> String {
    let user = stack("KAFKA_USER");
    // The stack's own variable serves as the secret's source.
    format!("mechanism = '{mechanism}'\nusername = {user:?}\npassword = {{ env = 'KAFKA_PASSWORD' }}")
}

#[test]
fn scram_over_tls() {
    let _broker = broker();
    if let Some(bench) = bench("scram", &password_login("SCRAM-SHA-512")) {
        carries_events(&bench, &[]);
    }
}

#[test]
fn plain_over_tls() {
    let _broker = broker();
    if let Some(bench) = bench("plain", &password_login("PLAIN")) {
        carries_events(&bench, &[]);
    }
}

/// A token that the broker's built-in validator takes: a JWT without a signature (RFC 7519, section 6).
fn unsigned_token() -> String {
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = format!("{{\"sub\":\"worker\",\"iat\":{now},\"exp\":{}}}", now + 3600);
    format!("{}.{}.", part("{\"alg\":\"none\"}"), part(&claims))
}

/// Makes the topics without a login, as somebody must when the worker logs in with tokens; then carries events.
fn carries_events_with_a_token(bench: &Bench, environment: &[(&str, &str)]) {
    let plain = [
        ("OKTA_OCSF__KAFKA__BROKERS", stack("KAFKA_BROKERS")),
        ("OKTA_OCSF__KAFKA__SECURITY", "{ protocol = 'plaintext' }".to_owned()),
    ];
    let plain = plain.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut creator = bench.start("creator", &[&plain, environment].concat());
    creator.until_ready();
    assert_eq!(creator.stop(), 0);
    carries_events(bench, environment);
}

#[test]
fn a_bearer_token_from_a_token_endpoint() {
    let _broker = broker();
    let issue = |headers: axum::http::HeaderMap, body: String| async move {
        // "worker" and "endpoint-secret", as RFC 6749, section 2.3.1, has them sent.
        assert_eq!(headers["authorization"], "Basic d29ya2VyOmVuZHBvaW50LXNlY3JldA==");
        assert_eq!(body, "grant_type=client_credentials&scope=kafka");
        axum::Json(serde_json::json!({ "access_token": unsigned_token(), "expires_in": 3600, "token_type": "Bearer" }))
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "endpoint-secret\n").unwrap();
    let url = serve(axum::Router::new().route("/token", axum::routing::post(issue))) + "/token";
    let oauth = format!(
        "mechanism = 'OAUTHBEARER'\n[kafka.security.oauth]\ntoken_endpoint = {url:?}\nclient_id = 'worker'\n\
         client_secret = {{ file = {file:?} }}\nscope = 'kafka'"
    );
    let Some(bench) = bench("endpoint", &oauth) else { return };
    carries_events_with_a_token(&bench, &[]);
}

#[test]
fn a_bearer_token_from_a_file() {
    let _broker = broker();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, unsigned_token() + "\n").unwrap();
    let Some(bench) = bench("bearer", &format!("mechanism = 'OAUTHBEARER'\noauth.token_file = {file:?}")) else {
        return;
    };
    // With a token login the worker cannot create topics, and says so.
    let mut worker = bench.start("worker", &[]);
    assert_eq!(worker.exit_status(), 69, "{}", worker.log());
    assert!(worker.log().contains("kafka-topics.sh"), "{}", worker.log());
    carries_events_with_a_token(&bench, &[]);
}

#[test]
fn a_wrong_password_is_refused_and_shown_nowhere() {
    let _broker = broker();
    let Some(bench) = bench("wrong-password", &password_login("SCRAM-SHA-512")) else { return };
    let mut worker = bench.start("worker", &[("KAFKA_PASSWORD", "correct-horse-battery")]);
    assert_eq!(worker.exit_status(), 77, "{}", worker.log());
    let log = worker.log();
    assert!(log.contains("refuses our credentials") && log.contains("what to do:"), "{log}");
    assert!(!log.contains("correct-horse-battery"), "the secret is in the log");
}
