//! Parts of the poll against a small org of this process, landing in a local log.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};

use super::landing::Landing;
use super::log::Log;
use super::reread::Rereading;
use super::stream::StreamLook;
use super::{StreamSettings, of_log};
use crate::collect::{Lander, Room};
use crate::landing::local::LocalLanding;
use crate::landing::{Content, LandingPartition, LandingRecord, Origin};
use crate::okta::api::tests::org::{Incoming, Org, reply};
use crate::okta::gate::Gate;
use crate::okta::quota::Policy;
use crate::okta::{OrgId, Pace};
use crate::publish::{LinesSink, Target, Topics};
use crate::telemetry::Health;

struct Bench {
    org: Org,
    log: Log,
    landing: Landing,
    landed: Arc<LocalLanding>,
    folder: tempfile::TempDir,
}

async fn bench(answer: impl Fn(&Incoming) -> Response<Body> + Send + Sync + 'static) -> Bench {
    let org = Org::start(answer).await;
    let folder = tempfile::tempdir().unwrap();
    let landed = Arc::new(LocalLanding::open(&folder.path().join("landing.redb"), Duration::MAX).unwrap());
    let sink =
        LinesSink::open(Target::Directory(folder.path().join("output")), Topics::new("o", "quarantine")).unwrap();
    let acme = OrgId::new("acme");
    let lander = Lander::new(acme.clone(), Arc::clone(&landed) as _, Room::default());
    let gate = Gate::new("acme", Policy::default(), Pace::real());
    let log = Log::new(acme.clone(), org.client(), gate, Health::default().component("log"), lander.max_value_bytes());
    Bench { org, log, landing: Landing::new(acme, lander, Arc::new(sink), None), landed, folder }
}

impl Bench {
    fn landed(&self) -> Vec<LandingRecord> {
        let mut partition = self.landed.partition(0);
        std::iter::from_fn(|| partition.next(Duration::ZERO).unwrap()).map(|record| record.content.unwrap()).collect()
    }

    /// The marks, and how many events there are before each.
    fn marks(&self) -> Vec<(usize, Value)> {
        let (mut events, mut marks) = (0, Vec::new());
        for record in self.landed() {
            assert_eq!(record.origin, Origin::Poll);
            match &record.content {
                Content::Event { .. } => events += 1,
                Content::Mark { .. } => marks.push((events, serde_json::from_slice(&record.value).unwrap())),
                other => panic!("{other:?}"),
            }
        }
        marks
    }
}

fn event(number: u32) -> Value {
    json!({ "uuid": format!("00000000-0000-1000-8000-{number:012}"), "published": "2026-11-20T10:00:00.000Z" })
}

/// Pages of two events; the second one is the last.
fn two_pages(incoming: &Incoming) -> Response<Body> {
    if incoming.query.contains("after=2") {
        return reply(200, &[], json!([event(3)]).to_string());
    }
    let link = format!("<http://{}/api/v1/logs?until=x&limit=1000&after=2>; rel=\"next\"", incoming.header("host"));
    reply(200, &[("link", &link)], json!([event(1), event(2)]).to_string())
}

async fn read_again(bench: &mut Bench, window: (i64, i64)) -> usize {
    let mut rereading = Rereading::next(&[window], i64::MAX).unwrap();
    let mut steps = 1;
    while !rereading.step(&mut bench.log, &bench.landing).await.unwrap() {
        steps += 1;
    }
    steps
}

#[tokio::test]
async fn a_window_is_read_page_by_page_and_closed_behind_its_events() {
    let mut bench = bench(two_pages).await;
    assert_eq!(read_again(&mut bench, (1_000, 2_000)).await, 2);
    let marks = bench.marks();
    assert_eq!(marks.len(), 1);
    let (events, mark) = &marks[0];
    assert_eq!(*events, 3, "all of its events are before it");
    assert_eq!((&mark["since"], &mark["until"], &mark["events"]), (&json!(1_000), &json!(2_000), &json!(3)));
    assert!(mark["asked"].is_i64());
    let first = &bench.org.seen()[0].query;
    assert!(first.contains("since=1970-01-01T00%3A00%3A01.000Z&until=1970-01-01T00%3A00%3A02.000Z"), "{first}");
    assert!(first.contains("sortOrder=ASCENDING&limit=1000"), "{first}");
}

#[tokio::test]
async fn a_window_whose_place_expired_is_read_from_its_beginning() {
    let refused = AtomicUsize::new(0);
    let mut bench = bench(move |incoming| {
        if incoming.query.contains("after=2") && refused.fetch_add(1, Ordering::Relaxed) == 0 {
            return reply(400, &[], json!({ "errorCode": "E0000001", "errorSummary": "expired" }).to_string());
        }
        two_pages(incoming)
    })
    .await;
    read_again(&mut bench, (1_000, 2_000)).await;
    let marks = bench.marks();
    assert_eq!((marks[0].0, &marks[0].1["events"]), (5, &json!(3)), "the first page landed twice, and counts once");
}

#[tokio::test]
async fn what_can_never_land_is_set_aside_and_the_page_goes_on() {
    let odd = json!({ "published": "2026-11-20T10:00:00.000Z", "eventType": "odd" });
    let body = json!([event(1), odd, event(2)]).to_string();
    let mut bench = bench(move |_| reply(200, &[], body.clone())).await;
    let mut page = bench.log.page(&of_log()).await.unwrap();
    assert_eq!((page.events.len(), page.poison.len(), page.count()), (2, 1, 3));
    bench.landing.page(&mut page, &of_log(), 7, true).await.unwrap();
    let records = bench.landed();
    assert!(matches!(records.last().unwrap().content, Content::Cursor { .. }), "the place passes it");
    let cursor: Value = serde_json::from_slice(&records.last().unwrap().value).unwrap();
    assert_eq!((&cursor["events"], &cursor["from"], &cursor["end"]), (&json!(3), &json!(7), &json!(true)));
    let quarantine = std::fs::read_to_string(bench.folder.path().join("output/quarantine.ndjson")).unwrap();
    assert!(quarantine.contains("missing_uuid") && quarantine.contains("poll:acme"), "{quarantine}");
}

#[tokio::test]
async fn empty_pages_note_no_place_within_a_minute() {
    let mut bench = bench(|_| reply(200, &[], "[]")).await;
    for _ in 0..3 {
        let mut page = bench.log.page(&of_log()).await.unwrap();
        bench.landing.page(&mut page, &of_log(), 0, true).await.unwrap();
    }
    assert_eq!(bench.landed().len(), 1);
}

#[tokio::test]
async fn the_stream_that_is_ours_is_the_one_that_counts() {
    let stream = |kind: &str, status: &str, source: &str| json!({ "type": kind, "name": source, "status": status, "settings": { "eventSourceName": source } });
    let (aws, splunk) = ("aws_eventbridge", "splunk_cloud_logstreaming");
    let cases = [
        (vec![stream(aws, "ACTIVE", "logs")], Some("aws.partner/okta.com/acme/logs"), true),
        (vec![stream(aws, "INACTIVE", "logs"), stream(splunk, "ACTIVE", "s")], None, false),
        (
            vec![stream(aws, "INACTIVE", "logs"), stream(aws, "ACTIVE", "other")],
            Some("aws.partner/okta.com/acme/logs"),
            false,
        ),
        (
            vec![stream(aws, "INACTIVE", "logs"), stream(aws, "ACTIVE", "other")],
            Some("aws.partner/okta.com/acme"),
            true,
        ),
        (Vec::new(), None, false),
    ];
    for (streams, source, active) in cases {
        let body = json!(streams).to_string();
        let bench = bench(move |_| reply(200, &[], body.clone())).await;
        let settings = StreamSettings { grace: Duration::ZERO, source: source.map(str::to_owned) };
        let mut look = StreamLook::new(settings);
        let seen = look.look(&bench.log).await.unwrap();
        assert_eq!(seen.active, active, "{streams:?} for {source:?}: {}", seen.detail);
        assert_eq!(look.look(&bench.log).await, None, "it is not asked each time");
    }
}

#[tokio::test]
async fn where_we_may_not_ask_for_the_stream_nothing_is_said_of_it() {
    let refused = json!({ "errorCode": "E0000006", "errorSummary": "no" }).to_string();
    let bench = bench(move |_| reply(403, &[], refused.clone())).await;
    let mut look = StreamLook::new(StreamSettings { grace: Duration::ZERO, source: None });
    assert_eq!(look.look(&bench.log).await, None);
    assert_eq!(look.look(&bench.log).await, None);
    assert_eq!(bench.org.count("/api/v1/logStreams"), 1);
}
