//! The ways into an org, and what is said when there is none.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::bench::{BY_SECRET, BY_TOKEN, BY_WRONG_TOKEN, Bench, FAST, only, org};
use crate::support::org::Org;

/// Nothing listens on the port for discarding.
const NOBODY: &str = "http://127.0.0.1:9";

const FACTORS: &str = "GET /api/v1/users/{}/factors";
const TOKEN: &str = "POST /oauth2/v1/token";

/// The way in of a client with the secret that all have.
fn by_secret_of(client: &str) -> String {
    BY_SECRET.replace("sim-client", client)
}

/// Registers a service app with a new key; gives its way in.
fn service_app(bench: &Bench, org: &Org, more: &Value) -> String {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let der = STANDARD.encode(pair.to_pkcs8v1().unwrap());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n");
    let file = bench.folder().join("okta.pem");
    std::fs::write(&file, pem).unwrap();
    // An uncompressed point: a byte that says so, and 32 for each coordinate.
    let point = pair.public_key().as_ref();
    let [x, y] = [&point[1..33], &point[33..65]].map(|half| URL_SAFE_NO_PAD.encode(half));
    let key = json!({"kty": "EC", "crv": "P-256", "kid": "worker-1", "alg": "ES256", "use": "sig", "x": x, "y": y});
    let mut principal = json!({"id": "0oaApp", "jwks": {"keys": [key]}});
    principal.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    org.principal(&principal);
    format!("client_id = \"0oaApp\"\n[[org.api.key]]\nid = \"worker-1\"\nfile = {file:?}")
}

#[test]
fn every_way_in_reads_the_org() {
    let org = org(30, &[]);
    Bench::of(&org, BY_TOKEN).collect(&[]).assert_complete();
    assert_eq!(org.answered(TOKEN, 0), 0, "an API token needs no other");
    Bench::of(&org, BY_SECRET).collect(&[]).assert_complete();
    let bench = Bench::new();
    let by_key = service_app(&bench, &org, &json!({}));
    bench.org("acme", &org.url, &by_key, &only(&["users", "zones"])).collect(&[]).assert_complete();
}

#[test]
fn a_client_that_must_prove_its_key_reads_the_org() {
    let org = org(30, &[]);
    let bench = Bench::new();
    let way_in = service_app(&bench, &org, &json!({"dpop": true}));
    bench.org("acme", &org.url, &way_in, &only(&["users", "user_factors", "zones"])).collect(&[]).assert_complete();
}

#[test]
fn an_org_that_nobody_answers_for_is_told_and_ends() {
    let bench = Bench::new().org("acme", NOBODY, BY_TOKEN, &only(&["users", "user_factors", "zones"]));
    let collected = bench.collect_fast();
    for collection in ["users", "zones"] {
        collected.assert_told(collection, "failed", "the org cannot be reached: no connection can be made");
    }
    assert_eq!(collected.verdict("user_factors"), "failed", "what is within users is not known either");
    assert_eq!(collected.status, Some(1));
}

#[test]
fn a_name_that_does_not_resolve_is_told_as_such() {
    let bench = Bench::new().org("acme", "https://acme.okta.invalid", BY_SECRET, &only(&["zones"]));
    let collected = bench.collect_fast();
    collected.assert_told("zones", "failed", "the org cannot be reached: its name cannot be resolved");
    assert_eq!(collected.status, Some(1));
}

#[test]
fn a_wrong_token_gives_the_snapshot_up_with_what_to_do() {
    let org = org(30, &[]);
    let collected = Bench::of(&org, BY_WRONG_TOKEN).collect(&[]);
    collected.assert_given_up("Okta refuses the API token");
    collected.assert_given_up("make a new one");
    for collection in ["users", "user_factors", "zones"] {
        collected.assert_told(collection, "failed", "Okta refuses the API token");
    }
    assert!(!collected.said.contains("of-another-org"), "the token itself is told to nobody");
}

#[test]
fn a_wrong_secret_gives_the_snapshot_up_with_what_to_check() {
    let org = org(30, &[]);
    let wrong = BY_SECRET.replace("SIM_SECRET", "WRONG_TOKEN");
    let collected = Bench::of(&org, &wrong).collect(&[]);
    collected.assert_given_up("the token endpoint answers invalid_client");
    collected.assert_given_up("check client_id and client_secret");
    assert_eq!(collected.verdict("zones"), "failed");
}

#[test]
fn a_key_that_cannot_be_read_ends_the_program_with_its_path() {
    let org = org(30, &[]);
    let bench = Bench::new();
    let way_in = "client_id = \"0oaApp\"\n[[org.api.key]]\nid = \"worker-1\"\nfile = \"/nowhere/okta.pem\"";
    let collected = bench.org("acme", &org.url, way_in, &only(&["zones"])).collect(&[]);
    assert_eq!(collected.status, Some(78), "{}", collected.said);
    for part in ["/nowhere/okta.pem", "worker-1", "cannot be read"] {
        assert!(collected.said.contains(part), "{}", collected.said);
    }
    assert_eq!(org.calls(), 0);
}

#[test]
fn a_token_is_renewed_before_it_ends() {
    // Tokens live for two of the org's minutes, and the calls take longer than that.
    let org = org(300, &["--clock-rate", "60", "--latency-ms", "12000"]);
    org.principal(&json!({"id": "0oaShort", "secret": "sim-secret", "expires_in": 120}));
    let bench = Bench::of(&org, &by_secret_of("0oaShort"));
    bench.collect(&["--clock-rate", "60"]).assert_complete();
    assert!(org.answered(TOKEN, 200) > 2, "one at the start, one for the reading, and at least one in its middle");
}

#[test]
fn a_token_that_has_ended_is_renewed_once_refused() {
    let org = org(300, &["--latency-ms", "100"]);
    let bench = Bench::of(&org, BY_SECRET);
    let collecting = bench.start_collecting(&[]);
    org.until_answered(FACTORS, 30);
    // More than its life of an hour, of which the program has not seen anything.
    org.advance(4_000);
    collecting.end().assert_complete();
    assert!(org.answered(FACTORS, 401) > 0, "the old token was refused");
}

#[test]
fn a_client_whose_token_is_revoked_goes_on_with_another() {
    let org = org(300, &["--latency-ms", "100"]);
    let bench = Bench::of(&org, BY_SECRET);
    let collecting = bench.start_collecting(&[]);
    org.until_answered(FACTORS, 30);
    assert!(org.revoke("sim-client") > 0);
    collecting.end().assert_complete();
    assert!(org.answered(FACTORS, 401) > 0, "the revoked token was refused");
}

#[test]
fn an_api_token_that_is_revoked_meanwhile_keeps_what_was_read_before() {
    let org = org(300, &["--latency-ms", "100"]);
    let bench = Bench::of(&org, BY_TOKEN);
    let collecting = bench.start_collecting(&[]);
    org.until_answered(FACTORS, 30);
    org.remove_principal("sim-admin");
    let collected = collecting.end();
    collected.assert_given_up("Okta refuses the API token");
    collected.assert_told("user_factors", "failed", "Okta refuses the API token");
    for collection in ["users", "groups", "zones"] {
        assert_eq!(collected.verdict(collection), "complete", "{collection} had ended");
    }
    let refused = org.answered(FACTORS, 401);
    assert!((1..40).contains(&refused), "{refused} calls were made to lock an account with");
}

#[test]
fn a_clock_that_is_an_hour_off_is_told_and_stops_nothing() {
    let org = org(30, &[]);
    org.advance(3_600);
    let bench = Bench::new();
    let way_in = service_app(&bench, &org, &json!({"dpop": true}));
    let bench = bench.org("acme", &org.url, &way_in, &only(&["users", "zones"]));
    let findings = bench.check()["orgs"][0]["findings"].clone();
    let finding = |what: &str| findings.as_array().unwrap().iter().find(|found| found["what"] == what).unwrap().clone();
    assert_eq!(finding("way in")["state"], "ok", "{findings:#}");
    let clock = finding("clock");
    let detail = clock["detail"].as_str().unwrap();
    assert!(clock["state"] == "warn" && detail.contains("behind Okta's: set it (NTP)"), "{clock}");
    bench.collect(&[]).assert_complete();
    let begun = bench.landed().mark("snapshot_begun")["epoch"].as_i64().unwrap();
    let here = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    assert!(i128::from(begun) > here as i128 + 3_500_000, "what lands goes by Okta's clock");
}

#[test]
fn the_clock_is_named_where_it_may_be_the_reason() {
    let org = org(30, &["--clock-rate", FAST]);
    org.advance(36_000);
    org.fault("/api/v1/zones$", "internal_error", 1_000);
    let collected = Bench::of(&org, BY_TOKEN).collect_fast();
    collected.assert_told("zones", "failed", "minutes behind Okta's");
    collected.assert_complete_but(&["zones"]);
}
