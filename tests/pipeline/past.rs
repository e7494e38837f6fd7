//! The past by the API into Kafka, beside a worker and what the stream brings.

use std::time::Duration;

use serde_json::json;

use crate::support::{Bench, LOGS, Org, SOURCE, broker_alone, event, is_apache, org_event, signal_kafka, until};

#[test]
fn a_backfill_that_is_killed_and_waits_for_kafka_lands_all_of_the_past_and_each_event_is_published_once() {
    let _alone = broker_alone();
    let past = ["--history-days", "1", "--history-per-day", "3000"];
    let plain = ["--no-stream", "--seconds", "0", "--users", "30", "--limits", "none", "--latency-ms", "200"];
    let org = Org::start(&[plain.as_slice(), &past].concat());
    let bench = Bench::new("past").reads(&org, "[org.snapshot]\ninterval_hours = 0\n[org.log]\nmode = \"off\"");
    // Some of it comes by the stream as well, before and during the backfill.
    let history = org.history();
    let streamed: Vec<_> = history.iter().step_by(10).collect();
    let bodies = streamed.iter().map(|(uuid, _, published)| {
        let mut event = event(uuid.parse().unwrap());
        event["published"] = json!(jiff::Timestamp::from_millisecond(*published).unwrap().to_string());
        org_event(SOURCE, &event)
    });
    let bodies: Vec<_> = bodies.collect();
    bench.send(&bodies[..bodies.len() / 2]);
    let worker = bench.worker("worker");

    let died = bench.backfill(&["--since", "20h"], Some("backfill_page_landed:2")).end();
    assert_eq!(died.status, None, "{}", died.said);
    bench.send(&bodies[bodies.len() / 2..]);
    let calls = org.answered(LOGS, 200);
    let running = bench.backfill(&["--since", "20h"], None);
    org.until_answered(LOGS, calls + 2);
    if is_apache() {
        signal_kafka("-STOP");
        std::thread::sleep(Duration::from_secs(15));
        signal_kafka("-CONT");
    }
    let ended = running.end();
    assert_eq!(ended.status, Some(0), "{}", ended.said);
    let told = ended.org("acme");
    let (since, until_ms) = (told["since"].as_i64().unwrap(), told["until"].as_i64().unwrap());
    let within = history.iter().filter(|(_, _, at)| (since..until_ms).contains(at)).map(|(uuid, ..)| uuid.clone());
    let within: std::collections::BTreeSet<_> = within.collect();
    assert_eq!((&told["outcome"], &told["events"]), (&json!("read"), &json!(within.len())), "{}", ended.said);
    let wanted = within.iter().cloned().chain(streamed.iter().map(|(uuid, ..)| uuid.clone())).collect();
    bench.assert_published_once(&wanted);
    let landed = bench.tail(&["landing"]);
    let by = |origin: &str| landed.iter().filter(|record| record["headers"]["origin"] == origin).count();
    assert!(by("sqs") >= streamed.len() && by("backfill") >= within.len());
    let marks: Vec<_> = landed.iter().filter(|record| record["headers"]["name"] == "log_slice").collect();
    assert!(marks.len() >= 8 && marks.iter().all(|mark| mark["headers"]["v"] == "3"), "{} marks", marks.len());
    until("the worker is well", || worker.ready().filter(|(ready, _)| *ready));
}
