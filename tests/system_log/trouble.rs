//! What goes wrong at the org or on the way to it.

use std::time::Instant;

use serde_json::json;

use crate::bench::{Bench, LOGS, org};
use crate::support::until;

const PATH: &str = "/api/v1/logs$";

#[test]
fn trouble_that_passes_is_waited_out() {
    let passes = |fault: &str, times: u64| {
        let org = org(&[]);
        let bench = Bench::new(&org);
        org.emit("user.session.start", 1_100);
        org.fault(PATH, fault, times);
        let mut worker = bench.run();
        bench.until_all_published(&org);
        org.emit("user.session.start", 10);
        bench.until_all_published(&org);
        assert_eq!(worker.stop(), 0, "{fault}");
    };
    // They wait for the most part, so they do it at once.
    std::thread::scope(|scope| {
        for fault in ["unavailable", "read_only", "html", "truncated", "too_concurrent", "foreign_next"] {
            scope.spawn(move || passes(fault, 2));
        }
        // Each time costs the minute that a window lasts at most.
        scope.spawn(move || passes("too_many_without_reset", 1));
    });
}

#[test]
fn a_page_that_leads_to_itself_or_to_nothing_stops_nobody() {
    for fault in ["self_next", "empty"] {
        let org = org(&[]);
        let bench = Bench::new(&org);
        org.emit("user.session.start", 1_100);
        org.fault(PATH, fault, 4);
        let (mut worker, began) = (bench.run(), Instant::now());
        bench.until_all_published(&org);
        // The cadence is a call a second; a circle would be hundreds.
        let most = 30 + began.elapsed().as_secs();
        assert!(org.answered(LOGS, 200) < most, "{fault} is not asked for again and again");
        assert_eq!(worker.stop(), 0, "{fault}");
    }
}

#[test]
fn heavy_pages_are_made_smaller() {
    let org = org(&[]);
    let bench = Bench::new(&org);
    org.emit("user.session.start", 2_000);
    let mut worker = bench.run();
    bench.until_all_published(&org);
    // Each time with the tries of the client.
    org.fault(PATH, "internal_error", 8);
    org.emit("user.session.start", 600);
    bench.until_all_published(&org);
    assert_eq!(worker.stop(), 0);
    let smaller = bench.cursors().iter().any(|cursor| {
        let next = cursor["next"].as_str().unwrap();
        ["limit=500", "limit=250", "limit=125"].iter().any(|limit| next.contains(limit))
    });
    assert!(smaller, "{:?}", bench.cursors());
}

#[test]
fn a_place_that_okta_forgot_is_read_again_from_before_it() {
    let org = org(&[]);
    let bench = Bench::new(&org);
    org.emit("user.session.start", 300);
    let mut worker = bench.run();
    bench.until_all_published(&org);
    org.fault(PATH, "stale_cursor", 1);
    org.emit("user.session.start", 300);
    worker.until_logged("Okta no longer knows our place in its log");
    bench.until_all_published(&org);
    assert_eq!(worker.stop(), 0);
    let standing = bench.standing();
    assert!(standing.lost.is_empty(), "{:?}", standing.lost);
    // What was read once is read again, and found to be there.
    let events = bench
        .landed()
        .iter()
        .filter(|record| matches!(record.content, okta_ocsf::landing::Content::Event { .. }))
        .count();
    assert!(events > 600, "{events}");
}

#[test]
fn what_a_long_stop_has_cost_for_good_is_told() {
    let org = org(&[]);
    let bench = Bench::new(&org);
    org.emit("user.session.start", 3);
    let mut worker = bench.run();
    bench.until_all_published(&org);
    assert_eq!(worker.stop(), 0);
    let read_to = bench.standing().read_to.unwrap();
    org.advance(100 * 86_400);
    let mut worker = bench.run();
    worker.until_logged("polling the System Log begins");
    org.emit("user.session.start", 3);
    bench.until_all_published(&org);
    worker.until_logged("Okta no longer has a part of its log");
    assert_eq!(worker.stop(), 0);
    let lost = bench.standing().lost;
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(lost[0].0, read_to);
    let ten_days = 10 * 86_400_000;
    assert!((lost[0].1 - lost[0].0 - ten_days).abs() < 600_000, "{lost:?}");
}

#[test]
fn an_org_that_does_not_let_us_read_its_log_is_told_and_the_worker_goes_on() {
    let org = org(&[]);
    org.principal(&json!({
        "id": "reader", "secret": "sim-secret", "role": "READ_ONLY_ADMIN", "scopes": ["okta.users.read"],
    }));
    let way_in = "client_id = \"reader\"\nclient_secret = { env = \"SIM_SECRET\" }\nscopes = [\"okta.users.read\"]";
    let bench = Bench::by(&org, way_in, "every_seconds = 1");
    let mut worker = bench.run();
    worker.until_logged("the System Log cannot be read, so gaps of the log stream stay open");
    worker.until_logged("grant the scope okta.logs.read");
    let told = until("it says so", || worker.ready().filter(|(_, body)| body.contains("okta.logs.read")));
    assert!(told.0, "the worker is ready all the same: {}", told.1);
    assert_eq!(worker.log().matches("the System Log cannot be read").count(), 1, "{}", worker.log());
    assert_eq!(org.answered(LOGS, 403), 1, "it does not knock");
    assert_eq!(worker.stop(), 0);
}

#[test]
fn a_stream_that_is_off_is_told_at_once_and_the_poll_hurries() {
    // An org without a log stream, where one is expected.
    let org = org(&[]);
    let bench = Bench::with(&org, "mode = \"heal\"\nevery_seconds = 3600");
    let mut worker = bench.run();
    worker.until_logged("a super admin must activate it");
    let told = until("it says so", || worker.ready().filter(|(_, body)| body.contains("deactivated")));
    assert!(told.0, "the worker does its work: {}", told.1);
    org.emit("user.session.start", 5);
    bench.until_all_published(&org);
    until("the metrics say so", || (worker.metric("okta_ocsf_log_stream_alarm", "deactivated") == 1.0).then_some(()));
    assert_eq!(worker.stop(), 0);
    let alarm = bench.standing().watch.unwrap().alarm.unwrap();
    assert_eq!(alarm.reason.word(), "deactivated");
    assert!(bench.records().iter().any(|record| record["status_code"] == "log_stream_deactivated"));
    assert_eq!(worker.log().matches("a super admin must activate it").count(), 1);
}
