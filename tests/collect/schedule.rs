//! When a snapshot begins, and that orgs do not wait for each other.

use crate::bench::{BY_TOKEN, BY_WRONG_TOKEN, Bench, SOME, only, org};
use crate::support::until;
use crate::support::worker::Worker;

/// Waits until the worker says so of an org.
fn until_told(worker: &Worker, what: &str) {
    until(what, || worker.ready().filter(|(_, report)| report.contains(what)));
}

#[test]
fn without_an_interval_nothing_begins_by_itself() {
    let org = org(30, &[]);
    let bench = Bench::new().org("acme", &org.url, BY_TOKEN, &format!("interval_hours = 0\n{}", only(SOME)));
    let mut worker = bench.run();
    until_told(&worker, "no snapshot yet, the next one on request");
    assert_eq!(worker.stop(), 0);
    assert_eq!(org.calls(), 0);
    bench.collect(&[]).assert_complete();
}

#[test]
fn the_first_snapshot_begins_at_the_start_and_the_next_one_an_interval_later() {
    let org = org(30, &[]);
    let bench = Bench::of(&org, BY_TOKEN);
    let mut worker = bench.run();
    until_told(&worker, "the last snapshot has ended, the next one in");
    assert_eq!(worker.stop(), 0);
    let calls = org.calls();
    assert!(calls > 30);
    let mut worker = bench.run();
    until_told(&worker, "the last snapshot has ended, the next one in");
    assert_eq!(worker.stop(), 0);
    assert_eq!(org.calls(), calls, "a second start within the interval asks for nothing");
    assert_eq!(bench.landed().marks("snapshot_begun").len(), 1);
}

#[test]
fn a_snapshot_of_some_collections_does_not_put_the_next_one_off() {
    let org = org(30, &[]);
    let bench = Bench::of(&org, BY_TOKEN);
    assert_eq!(bench.collect(&["--collections", "zones"]).verdict("zones"), "complete");
    let mut worker = bench.run();
    until_told(&worker, "the last snapshot has ended, the next one in");
    assert_eq!(worker.stop(), 0);
    let whole: Vec<_> = bench.landed().marks("snapshot_begun").iter().map(|mark| mark["whole"].clone()).collect();
    assert_eq!(whole, [false, true]);
}

#[test]
fn an_org_that_does_not_let_us_in_is_tried_again_later_and_not_at_once() {
    let org = org(30, &[]);
    let bench = Bench::of(&org, BY_WRONG_TOKEN);
    let mut worker = bench.run();
    until_told(&worker, "the last snapshot was given up: no way into the org: Okta refuses the API token");
    until_told(&worker, "the next one in 10 minutes");
    let calls = org.calls();
    assert!(calls < 40, "{calls} calls to lock an account with");
    assert_eq!(worker.stop(), 0);
}

#[test]
fn an_org_without_a_way_in_does_not_hold_up_another() {
    let (acme, other) = (org(30, &[]), org(30, &["--org", "other"]));
    let bench = Bench::new().org("acme", &acme.url, BY_TOKEN, &only(SOME));
    let bench = bench.org("other", &other.url, BY_WRONG_TOKEN, &only(SOME));
    let collected = bench.collect(&[]);
    collected.assert_complete_but(&[]);
    assert!(collected.org("acme")["aborted"].is_null());
    let other = collected.org("other");
    assert!(other["aborted"].as_str().unwrap().contains("Okta refuses the API token"), "{other:#}");
    assert_eq!(collected.status, Some(1));
    let landed = bench.landed();
    assert_eq!(landed.objects("users").len(), acme.truth("users").len());
}
