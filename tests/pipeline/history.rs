//! History without Okta's API: exported files, and replays of an archive.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::command_line::{run, text};
use crate::support::bridge::{BUS, Bridge};
use crate::support::{Bench, broker, event, events, org_event, until};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Plain events, without an envelope.
fn exported(count: usize) -> (Vec<Value>, BTreeSet<String>) {
    let uuids: Vec<Uuid> = (0..count).map(|_| Uuid::new_v4()).collect();
    (uuids.iter().map(|uuid| event(*uuid)).collect(), uuids.iter().map(Uuid::to_string).collect())
}

fn backfill(config: &Path, arguments: &[&str], input: &[u8]) -> Output {
    run(&[&["backfill", "--config", config.to_str().unwrap()], arguments].concat(), input)
}

#[test]
fn files_of_every_kind_land_beside_a_worker_and_each_event_is_published_once() {
    let _broker = broker();
    let bench = Bench::new("from-file");
    let worker = bench.worker("worker");
    let (events, uuids) = exported(300);
    let page = |events: &[Value]| json!(events).to_string();
    let lines: String = events[200..].iter().map(|event| format!("{event}\n")).collect();
    let (first, second) = (bench.folder.join("first"), bench.folder.join("second"));
    // The same event in both, a line that is none, and a page behind a page.
    std::fs::write(&first, gzip(&format!("{}\n{}", page(&events[..100]), page(&events[100..200])))).unwrap();
    std::fs::write(&second, format!("{}\nno event at all\n{lines}", events[0])).unwrap();
    let config = bench.config("command");
    let arguments = ["--org", "acme", "--json", "--from-file", first.to_str().unwrap(), second.to_str().unwrap()];
    let output = backfill(&config, &arguments, b"");
    assert_eq!(output.status.code(), Some(1), "one line was bad: {}{}", text(&output.stdout), text(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told[0]["packing"], &told[0]["landed"], &told[0]["state"]),
        (&json!("gzip"), &json!(200), &json!("landed"))
    );
    assert_eq!((&told[1]["packing"], &told[1]["landed"]), (&json!("plain"), &json!(101)));
    assert_eq!(told[1]["quarantined"], json!({"not_json": 1}));
    bench.assert_published_once(&uuids);
    let quarantined = bench.tail(&["quarantine"]);
    assert_eq!(quarantined.len(), 1);
    assert_eq!(quarantined[0]["headers"]["source"], format!("file:{}:2:2", second.display()));
    assert!(bench.tail(&["landing"]).iter().all(|record| record["headers"]["origin"] == "backfill"));

    let again = backfill(&config, &arguments, b"");
    let told: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((&told[0]["state"], &told[1]["state"]), (&json!("landed_before"), &json!("landed_before")));
    assert_eq!(bench.tail(&["landing"]).len(), 301, "nothing landed again");
    drop(worker);
}

#[test]
fn standard_input_lands_without_kafka_and_a_running_worker_is_told_of() {
    let bench = Bench::local("from-stdin");
    let (events, uuids) = exported(50);
    let config = bench.config("worker");
    let input = gzip(&json!(events).to_string());
    let output = backfill(&config, &["--org", "acme", "--from-file", "-"], &input);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let published: BTreeSet<String> = bench.in_files().into_iter().collect();
    assert_eq!((published, bench.in_files().len()), (uuids, 50), "published when the command ends");

    let broken_off = json!(events).to_string();
    let output =
        backfill(&config, &["--org", "acme", "--from-file", "-"], &broken_off.as_bytes()[..broken_off.len() - 1]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("an array is not closed"), "{}", text(&output.stdout));
    assert_eq!(bench.in_files().len(), 50);

    let worker = bench.worker("worker");
    let output = backfill(&config, &["--org", "acme", "--from-file", "-"], b"[]");
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("stop it, land the files, and start it again"), "{}", text(&output.stderr));
    drop(worker);
}

#[test]
fn what_cannot_be_meant_is_said_before_anything_lands() {
    let bench = Bench::local("from-nothing");
    let config = bench.config("worker");
    let there = bench.folder.join("there");
    std::fs::write(&there, "[]").unwrap();
    let there = there.to_str().unwrap();
    for (arguments, status, words) in [
        (&["--from-file", there][..], 2, "--org"),
        (&["--from-file", there, "--from-archive", "x"], 2, "cannot be used with"),
        (&["--org", "evil", "--from-file", there], 78, "there is no org \"evil\""),
        (&["--org", "acme", "--from-file", there, "/no/such"], 74, "cannot read /no/such"),
        (&["--org", "acme,globex", "--from-file", there], 78, "one org"),
        (&["--from-archive", "past"], 78, "queue.event_rule"),
        (&["--from-archive", "past", "--replay-name", "a b"], 2, "letters"),
    ] {
        let output = backfill(&config, arguments, b"");
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(words), "{arguments:?}: {}", text(&output.stderr));
    }
    let output = backfill(&config, &["--org", "acme", "--from-file", "-"], "some other log\n".repeat(2_000).as_bytes());
    assert_eq!(output.status.code(), Some(65), "{}", text(&output.stderr));
}

/// `backfill --from-archive past` against a simulated EventBridge, and the queue behind it.
fn replay(bench: &Bench, bridge: &Bridge, arguments: &[&str]) -> Output {
    let config = bench.config("command");
    let written = std::fs::read_to_string(&config).unwrap();
    let rule = format!("event_rule = \"{BUS}/to-queue\"\nwait_seconds");
    let endpoint = format!("[aws]\nendpoint_url = {:?}\n", bridge.url);
    std::fs::write(&config, written.replacen("wait_seconds", &rule, 1) + &endpoint).unwrap();
    Command::new(env!("CARGO_BIN_EXE_okta-ocsf"))
        .args(["backfill", "--config", config.to_str().unwrap(), "--from-archive", "past"])
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn a_replayed_event_is_history_and_no_second_event() {
    let _broker = broker();
    let bench = Bench::new("replayed");
    let worker = bench.worker("worker");
    let (live, mut uuids) = events(20);
    bench.send(&live);
    until("the live ones are published", || (bench.published().len() == 20).then_some(()));
    // Through the rule once more: another `id`, and the name of the replay.
    let replayed = |body: &str| {
        let mut envelope: Value = serde_json::from_str(body).unwrap();
        envelope["id"] = json!(Uuid::new_v4().to_string());
        envelope["replay-name"] = json!("last-week");
        envelope.to_string()
    };
    let lost = Uuid::new_v4();
    uuids.insert(lost.to_string());
    let lost = replayed(&org_event(BUS, &event(lost)));
    bench.send(&live.iter().map(|body| replayed(body)).chain([lost]).collect::<Vec<_>>());
    bench.assert_published_once(&uuids);
    let landed = bench.tail(&["landing"]);
    let of = |origin: &str| landed.iter().filter(|record| record["headers"]["origin"] == origin).count();
    assert_eq!((of("sqs"), of("archive")), (20, 21));
    drop(worker);
}

#[test]
fn a_replay_is_started_through_our_rule_followed_and_not_started_twice() {
    let bench = Bench::local("archive");
    let bridge = Bridge::start(&["STARTING", "RUNNING", "COMPLETED"]);
    let arguments = ["--since", "2026-05-01", "--until", "2026-05-02"];
    let output = replay(&bench, &bridge, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("completed"), "{}", text(&output.stdout));
    let started = bridge.asked("StartReplay");
    assert_eq!(started.len(), 1);
    assert_eq!(
        started[0]["Destination"]["FilterArns"][0],
        format!("arn:aws:events:eu-west-1:123456789012:rule/{BUS}/to-queue")
    );
    assert_eq!(
        (started[0]["EventStartTime"].as_f64(), started[0]["EventEndTime"].as_f64()),
        (Some(1_777_593_600.0), Some(1_777_680_000.0))
    );

    let again = replay(&bench, &bridge, &arguments);
    assert_eq!(again.status.code(), Some(0));
    assert!(text(&again.stderr).contains("was completed before"), "{}", text(&again.stderr));
    let named = replay(&bench, &bridge, &["--since", "2026-05-01", "--replay-name", "once-more", "--json"]);
    let told: Value = serde_json::from_slice(&named.stdout).unwrap();
    assert_eq!((&told["replay"], &told["state"]), (&json!("once-more"), &json!("completed")));
    let names: BTreeSet<String> =
        bridge.asked("StartReplay").iter().map(|asked| asked["ReplayName"].as_str().unwrap().to_owned()).collect();
    assert!(names.contains("once-more") && names.len() == 2, "{names:?}");
}

#[test]
fn a_replay_that_runs_is_followed_by_whoever_asks_for_the_same() {
    let bench = Bench::local("archive-runs");
    let bridge = Bridge::start(&["STARTING", "RUNNING", "RUNNING", "COMPLETED"]);
    let begun = replay(&bench, &bridge, &["--since", "2026-05-01", "--no-wait"]);
    assert_eq!(begun.status.code(), Some(0), "{}", text(&begun.stderr));
    // Until "now" is another time each time it is asked.
    let followed = replay(&bench, &bridge, &["--since", "2026-05-01"]);
    assert_eq!(followed.status.code(), Some(0), "{}", text(&followed.stderr));
    assert!(text(&followed.stderr).contains("runs already and is followed"), "{}", text(&followed.stderr));
    assert_eq!(bridge.asked("StartReplay").len(), 1);

    let bridge = Bridge::start(&["RUNNING"]);
    replay(&bench, &bridge, &["--since", "2026-05-01", "--no-wait"]);
    let other = replay(&bench, &bridge, &["--since", "2026-04-01"]);
    assert_eq!(other.status.code(), Some(69));
    assert!(text(&other.stderr).contains("another replay of the archive runs"), "{}", text(&other.stderr));
}

#[test]
fn what_goes_wrong_with_a_replay_is_said_with_what_to_do() {
    let bench = Bench::local("archive-fails");
    let bridge = Bridge::start(&["STARTING", "FAILED"]);
    let failed = replay(&bench, &bridge, &["--since", "2026-05-01", "--until", "2026-05-03"]);
    assert_eq!(failed.status.code(), Some(1));
    let said = text(&failed.stdout) + &text(&failed.stderr);
    assert!(said.contains("failed (the rule was deleted)") && said.contains("--since 2026-05-02T00:00:00Z"), "{said}");

    let wrong_bus = replay(&bench, &bridge, &["--bus", "default", "--rule", "r"]);
    assert_eq!(wrong_bus.status.code(), Some(78));
    assert!(text(&wrong_bus.stderr).contains("is of the event bus"), "{}", text(&wrong_bus.stderr));
    let wrong_rule = replay(&bench, &bridge, &["--since", "2026-05-01", "--rule", "nobody"]);
    assert_eq!(wrong_rule.status.code(), Some(69), "{}", text(&wrong_rule.stderr));
    bridge.deny("StartReplay");
    let denied = replay(&bench, &bridge, &["--since", "2026-05-05", "--until", "2026-05-06"]);
    assert_eq!(denied.status.code(), Some(77));
    let said = text(&denied.stderr);
    assert!(said.contains("events:StartReplay") && said.contains("ReplayPolicyArn"), "{said}");
}
