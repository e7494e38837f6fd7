use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::extract::Request as Received;
use axum::http::{Response, Uri};
use rdkafka::mocking::MockCluster;

use super::collections::{Stream, judge, log_stream};
use super::report::{Finding, LimitSeen, OrgReport, Probe, Reason, State};
use super::*;
use crate::collect::Collection;
use crate::config::{ApiConfig, KafkaConfig, OrgConfig};
use crate::okta::api::{ApiFault, Limit, Missing, Verdict};
use crate::okta::quota::Offset;

fn row(name: &str) -> &'static Collection {
    Collection::find(name).unwrap()
}

fn fault(verdict: Verdict) -> ApiFault {
    ApiFault { verdict, trace: Box::default() }
}

fn probe(state: State, reason: Reason) -> Probe {
    Probe { collection: "log_streams", path: "/api/v1/logStreams", state, reason, detail: "detail".into() }
}

#[test]
fn a_report_is_a_table_for_each_part_and_a_sum() {
    let org = OrgReport {
        org: "acme".into(),
        url: "https://acme.okta.com".into(),
        calls: 2,
        scopes_not_granted: vec!["okta.roles.read".into()],
        findings: vec![Finding::ok("way in", "an API token")],
        collections: vec![probe(State::Skip, Reason::Forbidden)],
        limits: vec![LimitSeen { bucket: "other".into(), limit: 600, remaining: 598 }],
    };
    let queues = vec![Finding::fail("queue q", "does not exist")];
    let report = Report { orgs: vec![org], queues, kafka: Vec::new() };
    let expected = "\
org acme at https://acme.okta.com (calls made: 2)
 ok    way in            an API token
 skip  log_streams       detail
       rate limit other  598 of 600 calls a minute left

queues
 FAIL  queue q  does not exist

1 ok, 1 skipped, 0 warned, 1 failed
";
    assert_eq!(report.to_text(), expected);
    let json = report.to_json();
    assert_eq!((&json["ok"], &json["skipped"], &json["failed"]), (&false.into(), &1.into(), &1.into()));
    assert_eq!(json["queues"][0]["state"], "fail");
    let org = &json["orgs"][0];
    assert_eq!((&org["org"], &org["calls"]), (&"acme".into(), &2.into()));
    assert_eq!(org["collections"][0]["reason"], "forbidden");
    assert_eq!(org["limits"][0]["remaining"], 598);
    assert_eq!(org["scopes_not_granted"][0], "okta.roles.read");
    assert!(!report.is_fine() && Report::default().is_fine());
}

#[test]
fn each_verdict_says_what_to_do() {
    let forbidden = |missing| fault(Verdict::Forbidden { missing });
    let feature_off = fault(Verdict::FeatureOff);
    for (name, fault, state, reason, detail) in [
        (
            "users",
            &forbidden(Missing::Scope("okta.users.read".into())),
            State::Skip,
            Reason::Forbidden,
            "scope okta.users",
        ),
        ("users", &forbidden(Missing::Role), State::Skip, Reason::Forbidden, "Read-only Administrator"),
        ("custom_roles", &forbidden(Missing::Role), State::Skip, Reason::Forbidden, "okta.iam.read"),
        ("log_streams", &forbidden(Missing::Role), State::Skip, Reason::Forbidden, "Super Administrator"),
        (
            "zones",
            &forbidden(Missing::ScopeOrRole),
            State::Skip,
            Reason::Forbidden,
            "okta.networkZones.read and the role",
        ),
        ("devices", &feature_off, State::Skip, Reason::FeatureOff, "Identity Engine"),
        ("realms", &feature_off, State::Skip, Reason::FeatureOff, "does not have this feature"),
        ("realms", &fault(Verdict::Gone), State::Skip, Reason::FeatureOff, "does not have this feature"),
        ("app_users", &fault(Verdict::Gone), State::Skip, Reason::NoParent, "deleted"),
        ("policies", &fault(Verdict::BadRequest { stale_cursor: false }), State::Skip, Reason::FeatureOff, "feature"),
        ("users", &fault(Verdict::BadRequest { stale_cursor: false }), State::Fail, Reason::Failed, "not understand"),
        ("users", &fault(Verdict::ReadOnly), State::Fail, Reason::Failed, "read-only mode"),
    ] {
        let judged = judge(row(name), fault, false);
        assert_eq!((judged.0, judged.1), (state, reason), "{name}: {}", judged.2);
        assert!(judged.2.contains(detail), "{name}: {}", judged.2);
    }
    assert_eq!(judge(row("users"), &forbidden(Missing::Role), true).0, State::Fail, "the configuration relies on it");
    assert_eq!(judge(row("devices"), &feature_off, true).0, State::Skip, "nothing can be granted");
}

#[test]
fn a_stream_that_was_cut_off_fails_an_org_that_lives_from_it() {
    let streams = |statuses: &[&str]| -> Vec<Stream> {
        statuses.iter().map(|status| Stream { name: "aws".into(), status: (*status).into() }).collect()
    };
    let readable = [probe(State::Ok, Reason::Readable)];
    let state = |statuses: &[&str], ours| log_stream(&readable, &streams(statuses), ours).unwrap().state;
    assert_eq!(state(&["INACTIVE", "ACTIVE"], true), State::Ok);
    assert_eq!(state(&["INACTIVE"], true), State::Fail);
    assert_eq!(state(&["INACTIVE"], false), State::Warn);
    assert_eq!(state(&[], true), State::Warn);
    let unseen = log_stream(&[probe(State::Skip, Reason::Forbidden)], &[], true).unwrap();
    assert_eq!(unseen.state, State::Skip);
    assert_eq!(log_stream(&[probe(State::Skip, Reason::NotTried)], &[], true), None);
}

#[test]
fn a_clock_is_wrong_only_when_no_answer_allows_it_to_be_right() {
    let clock = |lo, hi| org::clock(Some(Offset { lo, hi }));
    assert_eq!(clock(-900, 1_100), Finding::ok("clock", "it agrees with Okta's"));
    assert_eq!(clock(5_400, 6_000), Finding::ok("clock", "5 s behind Okta's"));
    assert_eq!(
        clock(-3_601_000, -3_600_000),
        Finding::new(State::Warn, "clock", "3600 s ahead of Okta's: set it (NTP)")
    );
    assert_eq!(org::clock(None).state, State::Warn);
}

/// An org on this machine that answers as a test says: status and body by path.
async fn serve(answer: fn(&Uri) -> (u16, &'static str)) -> OrgConfig {
    let handler = move |received: Received| async move {
        let (status, body) = answer(received.uri());
        let headers = [("x-rate-limit-limit", "600"), ("x-rate-limit-remaining", "599"), ("x-rate-limit-reset", "60")];
        let response =
            headers.iter().fold(Response::builder(), |response, (name, value)| response.header(*name, *value));
        response.header("content-type", "application/json").status(status).body(Body::from(body)).unwrap()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await.unwrap() });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "hunter2").unwrap();
    let api: ApiConfig =
        toml::from_str(&format!("url = {url:?}\ntoken = {{ file = {:?} }}", folder.path().join("token"))).unwrap();
    OrgConfig { id: "acme".into(), api: Some(api), ..OrgConfig::default() }
}

async fn checked(answer: fn(&Uri) -> (u16, &'static str)) -> OrgReport {
    org::check(&serve(answer).await, &Progress::start()).await.unwrap()
}

fn states(report: &OrgReport) -> BTreeMap<&str, Reason> {
    report.collections.iter().map(|probe| (probe.collection, probe.reason)).collect()
}

#[tokio::test]
async fn every_collection_is_tried_once_with_what_its_parents_gave() {
    let report = checked(|uri| match (uri.path(), uri.query().unwrap_or_default()) {
        ("/api/v1/logs", _) => (200, "[]"),
        ("/api/v1/users", query) if query.ends_with("limit=25") => (200, r#"[{"id":"00u1"},{"id":"00u2"}]"#),
        ("/api/v1/users/00u1/factors", _) => (200, "[]"),
        ("/api/v1/logStreams", _) => (200, r#"[{"id":"0os1","name":"aws","status":"ACTIVE"}]"#),
        ("/api/v1/groups", _) => (200, "[]"),
        ("/api/v1/policies", "type=OKTA_SIGN_ON") => (200, r#"[{"id":"00p1"}]"#),
        ("/api/v1/policies/00p1/rules", _) => (200, "[]"),
        ("/api/v1/apps", _) => (403, r#"{"errorCode":"E0000006","errorSummary":"no"}"#),
        ("/api/v1/zones", _) => (400, r#"{"errorCode":"E0000001","errorSummary":"what?"}"#),
        _ => (401, r#"{"errorCode":"E0000015","errorSummary":"off"}"#),
    })
    .await;
    let found = states(&report);
    for name in ["users", "user_factors", "policies", "policy_rules", "log_streams", "groups"] {
        assert_eq!(found[name], Reason::Readable, "{name}");
    }
    assert_eq!(found["apps"], Reason::Forbidden);
    assert_eq!((found["group_members"], found["app_users"]), (Reason::NoParent, Reason::NoParent));
    assert_eq!((found["zones"], found["devices"]), (Reason::Failed, Reason::FeatureOff));
    let skipped = |reason: &Reason| *reason == Reason::NoParent;
    let without_call = found.values().filter(|reason| skipped(reason)).count();
    assert_eq!(report.calls, (found.len() - without_call + 2) as u64, "one call each, the log and the engine");
    let told: Vec<_> = report.findings.iter().map(|finding| (finding.what.as_str(), finding.state)).collect();
    assert!(told.contains(&("quota", State::Ok)) && told.contains(&("engine", State::Warn)), "{told:?}");
    assert!(told.contains(&("way in", State::Ok)) && told.contains(&("log stream", State::Ok)), "{told:?}");
    assert!(report.limits.iter().any(|seen| seen.bucket == "users" && seen.limit == 600), "{:?}", report.limits);
}

#[tokio::test]
async fn a_used_up_rate_limit_ends_the_calls_and_is_said() {
    let report = checked(|uri| match uri.path() {
        "/api/v1/logs" | "/api/v1/meta/types/user" => (200, "[]"),
        "/.well-known/okta-organization" => (200, r#"{"pipeline":"idx"}"#),
        "/api/v1/meta/schemas/user/linkedObjects" => (429, r#"{"errorCode":"E0000047"}"#),
        path => panic!("{path}"),
    })
    .await;
    assert_eq!(report.calls, 4);
    let found = states(&report);
    assert_eq!((found["user_types"], found["linked_objects"]), (Reason::Readable, Reason::NotTried));
    assert_eq!(found["users"], Reason::NotTried);
    let stopped = report.findings.last().unwrap();
    assert_eq!((stopped.what.as_str(), stopped.state), ("stopped", State::Fail));
    let limit = Verdict::RateLimited(Limit::Org { reset: None }).to_string();
    assert!(stopped.detail.contains(&limit) && stopped.detail.contains("try again"), "{}", stopped.detail);
}

#[tokio::test]
async fn without_a_way_in_nothing_else_is_asked() {
    let report = checked(|_| (401, r#"{"errorCode":"E0000011","errorSummary":"Invalid token provided"}"#)).await;
    assert_eq!((report.calls, report.collections.len()), (1, 0));
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!((finding.what.as_str(), finding.state), ("way in", State::Fail));
    assert!(!finding.detail.contains("hunter2"), "{}", finding.detail);
}

#[tokio::test]
async fn an_org_without_an_api_is_not_asked() {
    assert!(org::check(&OrgConfig::default(), &Progress::start()).await.is_none());
}

#[tokio::test]
async fn of_kafka_is_told_what_is_there_and_what_cannot_be_known() {
    let cluster = MockCluster::new(1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let mut config = Config { kafka: Some(KafkaConfig { brokers, ..KafkaConfig::default() }), ..Config::default() };
    cluster.create_topic(&config.landing.topic, 3, 1).unwrap();
    cluster.create_topic(&format!("{}.authentication", config.publish.topic_prefix), 2, 1).unwrap();
    if let Some(kafka) = &mut config.kafka {
        kafka.topics.create = false;
    }
    let aws = aws_config::SdkConfig::builder().build();
    let findings = kafka::check(&config, &aws).await;
    let of = |what: &str| findings.iter().find(|finding| finding.what.contains(what)).unwrap();
    assert_eq!(of("brokers").state, State::Ok);
    assert_eq!((of("topic okta.landing").detail.as_str(), of("topic okta.landing").state), ("3 partitions", State::Ok));
    assert!(of(".authentication").detail.contains("fewer than the landing topic"), "{:?}", of(".authentication"));
    assert_eq!(of("Read on topic").state, State::Ok, "{:?}", of("Read on topic"));
    assert_eq!(of("Read on group").state, State::Ok, "{:?}", of("Read on group"));
    assert!(of("rights to write").detail.contains("not tried"));
}
