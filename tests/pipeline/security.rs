//! The ways to a protected Kafka, against the broker's TLS listener.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::support::{Bench, broker, events, is_apache, stack};

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

#[test]
fn a_bearer_token_from_a_file() {
    let _broker = broker();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = format!("{{\"sub\":\"worker\",\"iat\":{now},\"exp\":{}}}", now + 3600);
    std::fs::write(&file, format!("{}.{}.\n", part("{\"alg\":\"none\"}"), part(&claims))).unwrap();
    let Some(bench) = bench("bearer", &format!("mechanism = 'OAUTHBEARER'\noauth.token_file = {file:?}")) else {
        return;
    };
    // With a token login the worker cannot create topics, and says so.
    let mut worker = bench.start("worker", &[]);
    assert_eq!(worker.exit_status(), 69, "{}", worker.log());
    assert!(worker.log().contains("kafka-topics.sh"), "{}", worker.log());
    let plain = [
        ("OKTA_OCSF__KAFKA__BROKERS", stack("KAFKA_BROKERS")),
        ("OKTA_OCSF__KAFKA__SECURITY", "{ protocol = 'plaintext' }".to_owned()),
    ];
    let plain = plain.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut creator = bench.start("creator", &plain);
    creator.until_ready();
    assert_eq!(creator.stop(), 0);
    carries_events(&bench, &[]);
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
