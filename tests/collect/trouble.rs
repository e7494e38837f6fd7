//! What goes wrong at the org or on the way to it: waited out where that helps, and told where it does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use crate::bench::{BY_TOKEN, Bench, FAST, only, org};
use crate::support::command::Ended;
use crate::support::org::Org;
use crate::support::serve;

/// More than any reading makes calls.
const ALWAYS: u64 = 1_000_000;

const USERS: &str = "GET /api/v1/users";
const FACTORS: &str = "GET /api/v1/users/{}/factors";

/// An org of 300 people in fast time, and what comes of reading it after these calls to a path went wrong.
fn after(path: &str, fault: &str, count: u64) -> (Org, Bench, Ended) {
    after_at(FAST, path, fault, count)
}

fn after_at(rate: &str, path: &str, fault: &str, count: u64) -> (Org, Bench, Ended) {
    let org = org(300, &["--clock-rate", rate]);
    org.fault(path, fault, count);
    let bench = Bench::of(&org, BY_TOKEN);
    let collected = bench.collect(&["--clock-rate", rate]);
    (org, bench, collected)
}

#[test]
fn html_instead_of_json_is_told_as_a_proxy_or_sign_in_page() {
    let (_, _, collected) = after("/api/v1/zones$", "html", 1);
    collected.assert_told("zones", "failed", "not an answer of Okta's API");
    collected.assert_told("zones", "failed", "an HTML page");
    collected.assert_complete_but(&["zones"]);
    assert_eq!(collected.status, Some(1));
}

#[test]
fn a_body_that_was_cut_off_is_never_taken_for_a_short_list() {
    let (_, bench, collected) = after("/api/v1/groups$", "truncated", ALWAYS);
    assert_eq!(collected.verdict("groups"), "failed");
    assert_eq!(collected.verdict("group_members"), "failed");
    collected.assert_complete_but(&["groups", "group_members"]);
    assert!(bench.landed().observations("groups").is_empty());
}

#[test]
fn a_next_link_to_another_host_is_not_followed() {
    let (_, _, collected) = after("/api/v1/users$", "foreign_next", ALWAYS);
    collected.assert_told("users", "failed", "the next link does not lead back to the same list of the same org");
    collected.assert_complete_but(&["users", "user_factors"]);
    assert_ne!(collected.verdict("user_factors"), "complete");
}

#[test]
fn the_host_of_a_foreign_next_link_is_never_asked() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let thief = serve(Router::new().fallback(async move || {
        count.fetch_add(1, Ordering::Relaxed);
        "[]"
    }));
    let link = format!("<{thief}/api/v1/zones?after=1>; rel=\"next\"");
    let org = serve(Router::new().fallback(async move |uri: Uri| -> Response {
        match uri.path() {
            "/api/v1/zones" => ([("link", link.clone())], "[{\"id\":\"nzo1\"}]").into_response(),
            _ => "{}".into_response(),
        }
    }));
    let bench = Bench::new().org("acme", &org, BY_TOKEN, &only(&["zones"]));
    let collected = bench.collect(&[]);
    collected.assert_told("zones", "failed", "it leads to http://127.0.0.1");
    assert_eq!(asked.load(Ordering::Relaxed), 0, "our token was carried to another host");
}

#[test]
fn a_page_that_is_its_own_next_page_does_not_go_on_for_ever() {
    let (org, _, collected) = after("/api/v1/users$", "self_next", ALWAYS);
    collected.assert_told("users", "partial", "the pages lead back to one that was read before");
    collected.assert_complete_but(&["users", "user_factors"]);
    assert_ne!(collected.verdict("user_factors"), "complete");
    assert!(org.answered(USERS, 200) <= 3);
}

#[test]
fn a_huge_page_is_asked_for_in_halves() {
    let (org, _, collected) = after("/api/v1/users$", "huge", 1);
    collected.assert_complete();
    assert_eq!((collected.objects("users"), org.answered(USERS, 200)), (300, 1 + 3), "pages of 100");
}

#[test]
fn a_huge_answer_that_has_no_pages_is_told_with_the_limit() {
    let (_, _, collected) = after("/api/v1/zones$", "huge", ALWAYS);
    collected.assert_told("zones", "failed", "the answer is larger than 33554432 bytes");
    collected.assert_complete_but(&["zones"]);
}

#[test]
fn pages_that_are_too_heavy_are_made_smaller() {
    // Four tries of one page, and then half of it. In this time no try is left out for coming too late.
    let (org, _, collected) = after_at("20", "/api/v1/users$", "internal_error", 4);
    collected.assert_complete();
    assert_eq!((org.answered(USERS, 500), org.answered(USERS, 200)), (4, 3), "pages of 100");
    // Down to the least: 100, 50, 25.
    let (org, _, collected) = after_at("20", "/api/v1/users$", "unavailable", 12);
    collected.assert_complete();
    assert_eq!((org.answered(USERS, 503), org.answered(USERS, 200)), (12, 12), "pages of 25");
    assert_eq!(collected.objects("users"), 300);
}

#[test]
fn pages_that_time_out_are_made_smaller() {
    let (org, bench, collected) = after("/api/v1/users$", "timeout", 1);
    collected.assert_complete();
    assert_eq!(org.answered(USERS, 200), 3, "pages of 100");
    assert_eq!(bench.landed().objects("users").len(), 300);
}

#[test]
fn trouble_that_does_not_end_is_given_up_after_a_while() {
    let (org, _, collected) = after("/api/v1/zones$", "internal_error", ALWAYS);
    collected.assert_told("zones", "failed", "Okta has an internal error (status 500)");
    collected.assert_complete_but(&["zones"]);
    // The first time and after four pauses, up to four tries each.
    assert!((5..=20).contains(&org.answered("GET /api/v1/zones", 500)));
}

#[test]
fn an_org_in_read_only_mode_is_waited_for() {
    let (org, _, collected) = after("/api/v1/", "read_only", 100);
    collected.assert_complete();
    assert!(org.answered(USERS, 503) > 0);
    let (_, _, collected) = after("/api/v1/zones$", "read_only", ALWAYS);
    collected.assert_told("zones", "failed", "the org is in read-only mode");
    collected.assert_complete_but(&["zones"]);
}

#[test]
fn a_rate_limit_is_waited_for_whatever_it_says() {
    for fault in ["too_many_without_reset", "too_concurrent", "too_many_for_long"] {
        let (org, _, collected) = after("/api/v1/groups", fault, 3);
        collected.assert_complete();
        let refused = ["GET /api/v1/groups", "GET /api/v1/groups/{}/users"].map(|call| org.answered(call, 429));
        assert_eq!(refused.iter().sum::<u64>(), 3, "{fault}");
        assert_eq!(collected.org("acme")["refused"], 3, "{fault} is told");
    }
}

#[test]
fn a_cursor_that_expired_begins_its_list_again() {
    // Eight pages, each half a second of both times.
    let org = org(1_600, &["--latency-ms", "500", "--cursor-life", "600"]);
    let bench = Bench::new().org("acme", &org.url, BY_TOKEN, &only(&["users", "zones"]));
    let collecting = bench.start_collecting(&[]);
    org.until_answered(USERS, 2);
    org.advance(700);
    collecting.end().assert_complete();
    assert_eq!(org.answered(USERS, 400), 1, "one cursor was refused");
    assert!(org.answered(USERS, 200) > 8);
    assert_eq!(bench.landed().objects("users").len(), 1_600);
}

#[test]
fn a_list_that_outlives_its_cursors_is_told_and_not_read_for_ever() {
    // A second of the org's time is less than the way to it and back.
    let org = org(1_000, &["--clock-rate", FAST, "--latency-ms", "30000", "--cursor-life", "1"]);
    let bench = Bench::new().org("acme", &org.url, BY_TOKEN, &only(&["users", "zones"]));
    let collected = bench.collect_fast();
    collected.assert_told("users", "partial", "Okta no longer knows this page");
    collected.assert_complete_but(&["users"]);
    assert_eq!(org.answered(USERS, 400), 4, "the first time, and after beginning again three times");
}

#[test]
fn what_is_deleted_between_list_and_reading_makes_nothing_incomplete() {
    let org = org(300, &["--latency-ms", "100"]);
    let bench = Bench::of(&org, BY_TOKEN);
    // In the order of the list: those at its end are read last.
    let users = org.truth("users");
    let active = users.iter().rev().filter(|user| user["status"] == "ACTIVE").take(30);
    let collecting = bench.start_collecting(&[]);
    org.until_answered(FACTORS, 30);
    for user in active {
        let id = user["id"].as_str();
        org.act("user.deactivate", id, 1);
        org.act("user.delete", id, 1);
    }
    let collected = collecting.end();
    collected.assert_complete();
    assert!(org.answered(FACTORS, 404) > 0, "somebody was gone");
    assert_eq!(collected.objects("users"), 300);
    assert!(bench.landed().all_observations().all(|(_, value)| !value.is_empty()));
}
