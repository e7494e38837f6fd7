//! Everything that can go wrong on the way.

use serde_json::json;

use crate::bench::{Bench, LOGS, a_day, org, truth};
use crate::support::org::Org;

/// How many of the org's minutes pass in one of ours, where pauses are waited for.
const FAST: &str = "600";

/// Reads a day beside a fault, and asserts that nothing is missing or doubled.
fn a_day_in_spite_of(org: &Org, more: &[&str]) -> Bench {
    let bench = Bench::of(org);
    let (arguments, since, until) = a_day(org);
    let more: Vec<_> = more.iter().map(|text| (*text).to_owned()).collect();
    bench.backfill(&[arguments, more].concat()).assert_read();
    assert_eq!(bench.landed().events(), truth(org, since, until));
    bench.landed().assert_marks_cover(since, until);
    bench
}

#[test]
fn trouble_that_passes_is_waited_for() {
    for fault in ["unavailable", "html", "truncated", "read_only", "too_concurrent"] {
        let org = org(3_000, &["--clock-rate", FAST]);
        org.fault("/api/v1/logs", fault, 6);
        a_day_in_spite_of(&org, &["--clock-rate", FAST]);
        assert!(org.answered(LOGS, 200) >= 8, "{fault}");
    }
}

#[test]
fn links_that_lead_elsewhere_or_nowhere_are_not_followed() {
    for fault in ["foreign_next", "self_next"] {
        let org = org(9_000, &["--clock-rate", FAST]);
        org.fault("/api/v1/logs", fault, 3);
        a_day_in_spite_of(&org, &["--clock-rate", FAST]);
    }
}

#[test]
fn a_cursor_that_has_expired_is_found_again_by_time() {
    let org = org(20_000, &["--latency-ms", "200"]);
    let bench = Bench::of(&org);
    let (mut arguments, since, until) = a_day(&org);
    arguments.extend(["--parallel", "1"].map(str::to_owned));
    let running = bench.start(&arguments, None);
    // A first call, and two pages of a slice that has more.
    org.until_answered(LOGS, 3);
    // Longer than a cursor lives.
    org.advance(4_000);
    running.end().assert_read();
    assert!(org.answered(LOGS, 400) > 0, "no cursor had expired");
    assert_eq!(bench.landed().events(), truth(&org, since, until));
    bench.landed().assert_marks_cover(since, until);
    bench.assert_published_once(&truth(&org, since, until));
}

#[test]
fn a_query_that_takes_okta_too_long_is_halved() {
    // Eight slices of three hours, and an org that finds nothing in more than one.
    let org = org(2_000, &["--clock-rate", FAST, "--widest-log-query", "3600"]);
    let bench = a_day_in_spite_of(&org, &["--clock-rate", FAST]);
    let marks = bench.landed().slices();
    assert!(marks.len() >= 24, "{} slices", marks.len());
    assert!(marks.iter().all(|mark| mark.until - mark.since <= 3_600_000), "{marks:?}");
    assert!(org.answered(LOGS, 500) > 0);
}

#[test]
fn what_okta_dropped_meanwhile_is_told_as_lost() {
    let org = org(2_000, &["--latency-ms", "200"]);
    let bench = Bench::of(&org);
    let (arguments, since, _) = a_day(&org);
    let running = bench.start(&arguments, None);
    org.until_answered(LOGS, 3);
    running.kill();
    running.end();
    // All but the last two hours of the day are older than ninety days then.
    org.advance(90 * 86_400 - 4 * 3_600);
    let told = bench.backfill(&arguments);
    assert_eq!(told.status, Some(1), "{}", told.said);
    let acme = told.org("acme");
    let lost = acme["lost"].as_array().unwrap();
    assert!(!lost.is_empty(), "{acme:#}");
    let marks = bench.landed().slices();
    let is_lost = |at: i64| lost.iter().any(|lost| lost[0].as_i64().unwrap() <= at && at < lost[1].as_i64().unwrap());
    assert!(marks.iter().all(|mark| !is_lost(mark.since)), "a mark says that what is lost is complete");
    assert!(marks.iter().all(|mark| mark.since >= since));
}

#[test]
fn an_org_that_is_away_is_told_after_an_hour_of_its_time() {
    let org = org(300, &["--clock-rate", "6000"]);
    org.fault("/api/v1/logs", "unavailable", 100_000);
    let (arguments, ..) = a_day(&org);
    let arguments = [arguments, vec!["--clock-rate".to_owned(), "6000".to_owned()]].concat();
    let told = Bench::of(&org).backfill(&arguments);
    told.assert_refused(69, &["the System Log cannot be read", "status 503"]);
    assert_eq!(told.org("acme")["outcome"], json!("failed"));
}
