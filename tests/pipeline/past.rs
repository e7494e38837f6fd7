//! The past by the API into Kafka, beside a worker and what the stream brings.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Bench, Org, SOURCE, broker_alone, event, is_apache, org_event, stack, until};

const LOGS: &str = "GET /api/v1/logs";

fn backfill(bench: &Bench, dies_at: Option<&str>) -> std::process::Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_okta-ocsf"));
    command.args(["backfill", "--org", "acme", "--since", "20h", "--json", "--config"]).arg(bench.config("past"));
    command.envs(dies_at.map(|point| ("OKTA_OCSF_CRASH_AT", point)));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_backfill_that_is_killed_and_waits_for_kafka_lands_all_of_the_past_and_each_event_is_published_once() {
    let _alone = broker_alone();
    let past = ["--history-days", "1", "--history-per-day", "3000"];
    let plain = ["--no-stream", "--seconds", "0", "--users", "30", "--limits", "none", "--latency-ms", "200"];
    let org = Org::start(&[plain.as_slice(), &past].concat());
    let bench = Bench::new("past");
    let token = bench.folder.join("token");
    std::fs::write(&token, "sim-token").unwrap();
    let bench = bench.extra(&format!(
        "[org.api]\nurl = {:?}\ntoken = {{ file = {token:?} }}\n[org.snapshot]\ninterval_hours = 0\n[org.log]\nmode = \"off\"\n",
        org.url
    ));
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

    let died = backfill(&bench, Some("backfill_page_landed:2")).wait_with_output().unwrap();
    assert_eq!(died.status.code(), None, "{}", said(&died));
    bench.send(&bodies[bodies.len() / 2..]);
    let calls = org.answered(LOGS, 200);
    let running = backfill(&bench, None);
    org.until_answered(LOGS, calls + 2);
    if is_apache() {
        let signal = |name: &str| {
            assert!(Command::new("kill").args([name, &stack("STACK_KAFKA_PID")]).status().unwrap().success());
        };
        signal("-STOP");
        std::thread::sleep(Duration::from_secs(15));
        signal("-CONT");
    }
    let ended = running.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", said(&ended));
    let told: Value = serde_json::from_slice(&ended.stdout).unwrap();
    let (since, until_ms) = (told[0]["since"].as_i64().unwrap(), told[0]["until"].as_i64().unwrap());
    let within = history.iter().filter(|(_, _, at)| (since..until_ms).contains(at)).map(|(uuid, ..)| uuid.clone());
    let within: std::collections::BTreeSet<_> = within.collect();
    assert_eq!((&told[0]["outcome"], &told[0]["events"]), (&json!("read"), &json!(within.len())), "{}", said(&ended));
    let wanted = within.iter().cloned().chain(streamed.iter().map(|(uuid, ..)| uuid.clone())).collect();
    bench.assert_published_once(&wanted);
    bench.until_drained();
    let landed = bench.tail(&["landing"]);
    let by = |origin: &str| landed.iter().filter(|record| record["headers"]["origin"] == origin).count();
    assert!(by("sqs") >= streamed.len() && by("backfill") >= within.len());
    let marks: Vec<_> = landed.iter().filter(|record| record["headers"]["name"] == "log_slice").collect();
    assert!(marks.len() >= 8 && marks.iter().all(|mark| mark["headers"]["v"] == "3"), "{} marks", marks.len());
    until("the worker is well", || worker.ready().filter(|(ready, _)| *ready));
}
