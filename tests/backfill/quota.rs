//! Within the rate limit, and never beyond.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::{Bench, a_day, limited_org};
use crate::support::block_on;
use crate::support::org::Org;

/// A minute of the org's is a second of ours.
const RATE: &str = "60";

const PATH: &str = "/api/v1/logs";

/// An org that allows so many calls a minute, with 27 pages in a day.
fn org(folder: &std::path::Path, limit: u32) -> Org {
    let limits = folder.join("limits.json");
    let buckets = json!([{"path": PATH, "limit": limit}]);
    std::fs::write(&limits, json!({"concurrency": 75, "share": 1.0, "buckets": buckets}).to_string()).unwrap();
    limited_org(27_000, limits.to_str().unwrap(), &["--clock-rate", RATE, "--latency-ms", "500"])
}

fn arguments(org: &Org) -> Vec<String> {
    let (arguments, ..) = a_day(org);
    [arguments, ["--clock-rate", RATE, "--count-only", "--keep-free", "2"].map(str::to_owned).to_vec()].concat()
}

/// What was used and refused in each window.
fn windows(org: &Org) -> Vec<(u64, u64)> {
    let bucket = org.bucket(PATH);
    let window = |window: &Value| (window["calls"].as_u64().unwrap(), window["rejected"].as_u64().unwrap());
    bucket["recent"].as_array().unwrap().iter().map(window).collect()
}

#[test]
fn two_calls_of_every_minute_are_left_free_and_no_call_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let org = org(folder.path(), 6);
    let told = Bench::of(&org).backfill(&arguments(&org));
    let acme = told.assert_read();
    assert_eq!(acme["refused"], 0);
    let windows = windows(&org);
    assert!(windows.len() >= 2, "{windows:?}");
    assert!(windows.iter().all(|(calls, refused)| *calls <= 4 && *refused == 0), "{windows:?}");
}

#[test]
fn a_live_poll_of_another_process_is_never_refused() {
    let folder = tempfile::tempdir().unwrap();
    let org = org(folder.path(), 6);
    let ended = Arc::new(AtomicBool::new(false));
    let (url, until) = (format!("{}{PATH}?limit=1", org.url), Arc::clone(&ended));
    let poll = std::thread::spawn(move || {
        let client = reqwest::Client::new();
        let mut statuses = Vec::new();
        while !until.load(Ordering::Relaxed) {
            let call = client.get(&url).header("authorization", "SSWS sim-token");
            statuses.push(block_on(async { call.send().await.unwrap().status().as_u16() }));
            // Two a minute of the org's.
            std::thread::sleep(Duration::from_millis(520));
        }
        statuses
    });
    let told = Bench::of(&org).backfill(&arguments(&org));
    ended.store(true, Ordering::Relaxed);
    let polls = poll.join().unwrap();
    assert!(polls.len() >= 3 && polls.iter().all(|status| *status == 200), "{polls:?}");
    assert_eq!(told.assert_read()["refused"], 0);
}

#[test]
fn a_limit_that_is_cut_in_half_meanwhile_is_kept_to() {
    let folder = tempfile::tempdir().unwrap();
    let org = org(folder.path(), 12);
    let bench = Bench::of(&org);
    let running = bench.start(&arguments(&org), None);
    org.until_answered("GET /api/v1/logs", 5);
    org.set_limit(PATH, 6);
    let cut = windows(&org).len();
    let told = running.end();
    let acme = told.assert_read();
    // At most those that were on their way when it was cut.
    assert!(acme["refused"].as_u64().unwrap() <= 4, "{acme:#}");
    let windows = windows(&org);
    assert!(windows.len() > cut + 1, "cut in window {cut} of {windows:?}");
    assert!(windows[cut..].iter().all(|(calls, _)| *calls <= 6), "cut in window {cut} of {windows:?}");
    assert!(windows[cut + 1..].iter().all(|(_, refused)| *refused == 0), "cut in window {cut} of {windows:?}");
}
