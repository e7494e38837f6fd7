//! One test a promise, by hand: a reply in, decisions out.

use crate::okta::quota::{Call, Decision, Headers, Method, Permit, Policy, Priority, Quota};

const T: i64 = 1_790_000_000_000;

fn call(path: &str, priority: Priority) -> Call<'_> {
    Call { method: Method::Get, path, priority }
}

fn told(limit: u32, remaining: u32, reset: i64, now: i64) -> Headers {
    let seconds = |ms: i64| Some(ms.div_euclid(1000));
    Headers { status: 200, limit: Some(limit), remaining: Some(remaining), reset: seconds(reset), date: seconds(now) }
}

fn go(quota: &mut Quota, now: i64, priority: Priority) -> Option<Permit> {
    match quota.ask(now, &call("/api/v1/logs", priority)) {
        Decision::Go(permit) => Some(permit),
        Decision::WaitUntil(_) => None,
    }
}

fn wait(quota: &mut Quota, now: i64, priority: Priority) -> i64 {
    match quota.ask(now, &call("/api/v1/logs", priority)) {
        Decision::Go(_) => panic!("told to go"),
        Decision::WaitUntil(time) => time,
    }
}

/// All the permits that one priority gets at once.
fn all(quota: &mut Quota, now: i64, priority: Priority) -> Vec<Permit> {
    std::iter::from_fn(|| go(quota, now, priority)).collect()
}

fn quota(share: f64) -> Quota {
    Quota::new(Policy { share, concurrency_start: 1_000, concurrency_max: 1_000, ..Policy::default() })
}

/// A quota that knows a window of /logs, opened at `T` by one call of ours.
fn opened(share: f64, limit: u32, remaining: u32) -> Quota {
    let mut quota = quota(share);
    let permit = go(&mut quota, T, Priority::Poll).unwrap();
    quota.answered(T + 100, permit, &told(limit, remaining, T + 60_000, T));
    quota
}

#[test]
fn a_window_of_which_nothing_is_known_gets_a_few_probes() {
    assert_eq!(all(&mut quota(0.5), T, Priority::Fetch).len(), 3);
}

#[test]
fn no_more_than_the_share_goes_and_the_rest_waits_for_the_window_to_end() {
    let mut quota = opened(0.5, 100, 99);
    assert_eq!(all(&mut quota, T + 200, Priority::Fetch).len(), 49);
    let end = wait(&mut quota, T + 200, Priority::Fetch);
    assert!((T + 60_000..=T + 60_200).contains(&end), "{}", end - T);
}

#[test]
fn remaining_never_falls_below_what_is_left_to_others() {
    let mut quota = opened(0.5, 100, 58);
    assert_eq!(all(&mut quota, T + 200, Priority::Fetch).len(), 8);
    assert!(all(&mut opened(0.5, 100, 50), T + 200, Priority::Fetch).is_empty());
    assert!(all(&mut opened(0.5, 100, 7), T + 200, Priority::Fetch).is_empty());
}

#[test]
fn an_operator_may_let_polls_go_where_others_use_more() {
    let mut quota = Quota::new(Policy { urgent_share: Some(0.9), ..Policy::default() });
    let permit = go(&mut quota, T, Priority::Poll).unwrap();
    quota.answered(T + 100, permit, &told(100, 30, T + 60_000, T));
    assert!(go(&mut quota, T + 200, Priority::Snapshot).is_none());
    assert!(go(&mut quota, T + 200, Priority::Poll).is_some());
}

#[test]
fn a_call_in_flight_counts_until_its_answer_and_one_that_is_lost_until_the_window_ended() {
    let mut quota = opened(1.0, 10, 9);
    let mut permits = all(&mut quota, T + 200, Priority::Fetch);
    assert_eq!(permits.len(), 9);
    quota.lost(T + 10_000, permits.pop().unwrap());
    for permit in permits {
        quota.answered(T + 10_000, permit, &told(10, 1, T + 60_000, T + 10_000));
    }
    assert!(go(&mut quota, T + 59_000, Priority::Fetch).is_none(), "the lost one may have been the tenth");
    assert!(go(&mut quota, T + 60_200, Priority::Fetch).is_some());
}

#[test]
fn a_call_that_was_never_sent_is_given_back() {
    let mut quota = opened(1.0, 10, 9);
    for permit in all(&mut quota, T + 200, Priority::Fetch) {
        assert_eq!(quota.bucket_of(&permit), Some((0, "logs")));
        quota.unused(permit);
    }
    let permits = all(&mut quota, T + 300, Priority::Fetch);
    assert_eq!(permits.len(), 9, "as many as before");
    let slow = Policy { share: 1.0, concurrency_start: 1, concurrency_max: 1, ..Policy::default() };
    let mut quota = Quota::new(slow);
    let only = go(&mut quota, T, Priority::Fetch).unwrap();
    assert!(go(&mut quota, T, Priority::Fetch).is_none());
    quota.unused(only);
    assert!(go(&mut quota, T, Priority::Fetch).is_some(), "the slot, too");
}

#[test]
fn calls_in_flight_over_the_edge_count_in_the_new_window_too() {
    let mut quota = opened(1.0, 10, 9);
    let straddling = all(&mut quota, T + 59_900, Priority::Fetch);
    assert_eq!(straddling.len(), 9);
    let probes = all(&mut quota, T + 60_200, Priority::Fetch);
    assert_eq!(probes.len(), 1, "nine of ten may yet be counted");
}

#[test]
fn an_answer_of_the_last_window_is_no_news_of_this_one() {
    let mut quota = opened(1.0, 10, 9);
    let late = go(&mut quota, T + 59_000, Priority::Fetch).unwrap();
    let probe = go(&mut quota, T + 60_200, Priority::Fetch).unwrap();
    quota.answered(T + 60_300, probe, &told(10, 9, T + 120_250, T + 60_250));
    quota.answered(T + 60_400, late, &told(10, 0, T + 60_000, T + 59_950));
    assert_eq!(all(&mut quota, T + 60_500, Priority::Fetch).len(), 9);
}

#[test]
fn a_refusal_closes_the_bucket_until_reset_or_for_a_minute() {
    let mut quota = opened(0.5, 100, 99);
    let permit = go(&mut quota, T + 200, Priority::Fetch).unwrap();
    let refusal = Headers { status: 429, ..told(100, 0, T + 60_000, T + 300) };
    quota.answered(T + 400, permit, &refusal);
    let until = wait(&mut quota, T + 500, Priority::Fetch);
    assert!((T + 60_000..T + 61_300).contains(&until), "{}", until - T);

    let mut quota = opened(0.5, 100, 99);
    let permit = go(&mut quota, T + 200, Priority::Fetch).unwrap();
    quota.answered(T + 400, permit, &Headers { status: 429, ..Headers::default() });
    assert_eq!(wait(&mut quota, T + 500, Priority::Fetch), T + 60_400);
}

#[test]
fn too_many_in_flight_halves_the_slots_and_leaves_the_bucket_open() {
    let mut quota = Quota::new(Policy::default());
    let permit = go(&mut quota, T, Priority::Fetch).unwrap();
    quota.answered(T + 100, permit, &told(100, 99, T + 60_000, T));
    let permits = all(&mut quota, T + 200, Priority::Fetch);
    assert_eq!(permits.len(), 15);
    let crowded = Headers { status: 429, limit: Some(0), remaining: Some(0), reset: Some(T / 1000 + 60), date: None };
    for permit in permits {
        quota.answered(T + 400, permit, &crowded);
    }
    assert_eq!(wait(&mut quota, T + 500, Priority::Fetch), T + 1_400);
    assert_eq!(all(&mut quota, T + 1_400, Priority::Fetch).len(), 7);
}

#[test]
fn a_window_keeps_a_reserve_for_fetches_and_polls_and_gives_it_up_before_its_end() {
    let mut quota = opened(0.5, 120, 119);
    assert_eq!(all(&mut quota, T + 200, Priority::Snapshot).len(), 53);
    assert!(go(&mut quota, T + 200, Priority::Fetch).is_some());
    let next = wait(&mut quota, T + 200, Priority::Snapshot);
    assert!((T + 10_000..T + 25_000).contains(&next), "{}", next - T);
    assert_eq!(all(&mut quota, next, Priority::Snapshot).len(), 1);
    assert_eq!(all(&mut quota, T + 57_500, Priority::Audit).len(), 4);
}

#[test]
fn a_higher_priority_that_waits_goes_first_whoever_asks_first() {
    let mut quota = opened(0.5, 100, 99);
    let spent = all(&mut quota, T + 200, Priority::Fetch);
    let end = wait(&mut quota, T + 200, Priority::Fetch);
    for permit in spent {
        quota.answered(T + 300, permit, &told(100, 50, T + 60_000, T + 250));
    }
    assert!(go(&mut quota, end, Priority::Snapshot).is_none());
    assert!(go(&mut quota, end, Priority::Fetch).is_some());
    assert!(go(&mut quota, end, Priority::Snapshot).is_some());
}

#[test]
fn a_permit_that_nobody_reports_counts_as_lost_after_ten_minutes() {
    let mut quota = Quota::new(Policy { concurrency_start: 1, concurrency_max: 1, ..Policy::default() });
    let forgotten = go(&mut quota, T, Priority::Fetch).unwrap();
    assert!(go(&mut quota, T + 599_999, Priority::Fetch).is_none());
    assert!(go(&mut quota, T + 600_000, Priority::Fetch).is_some());
    quota.answered(T + 600_001, forgotten, &told(100, 99, T + 660_000, T + 600_000));
}

#[test]
fn a_clock_that_goes_back_is_not_followed() {
    let mut quota = opened(0.5, 100, 99);
    let spent = all(&mut quota, T + 200, Priority::Fetch);
    assert_eq!(spent.len(), 49);
    assert!(wait(&mut quota, T - 3_600_000, Priority::Fetch) >= T + 60_000);
}

#[test]
fn replies_without_limits_do_not_stop_the_work_and_do_not_let_it_run() {
    let mut quota = quota(0.5);
    let token = Call { method: Method::Post, path: "/oauth2/v1/token", priority: Priority::Fetch };
    let mut made = 0;
    for ms in 0..120_000 {
        if let Decision::Go(permit) = quota.ask(T + ms, &token) {
            made += 1;
            quota.answered(T + ms, permit, &Headers { status: 200, ..Headers::default() });
        }
    }
    assert_eq!(made, 100, "half of the guess, each minute");
}

#[test]
fn the_outlook_tells_ours_from_others_and_estimates_follow_it() {
    let mut quota = opened(0.5, 120, 99);
    let permits = all(&mut quota, T + 200, Priority::Snapshot);
    let outlook = quota.outlook(T + 300);
    let logs = &outlook[0];
    assert_eq!((logs.bucket.as_str(), logs.limit, logs.permitted_per_minute), ("logs", Some(120), 60));
    assert_eq!((logs.used_by_us, logs.used_by_others), (1 + permits.len() as u32, 0));
    for permit in permits {
        quota.answered(T + 400, permit, &told(120, 66, T + 60_000, T + 350));
    }
    let logs = &quota.outlook(T + 500)[0];
    assert_eq!((logs.used_by_us, logs.used_by_others), (34, 20));
    let path = (Method::Get, "/api/v1/logs");
    let minutes = |calls| (quota.estimate(T + 500, &[(path.0, path.1, calls)]) + 500) / 60_000;
    assert_eq!((minutes(6), minutes(7), minutes(66), minutes(67), minutes(6 + 600)), (0, 1, 1, 2, 10));
}

#[test]
fn an_estimate_before_the_first_call_goes_by_the_table() {
    let work = [(Method::Get, "/api/v1/apps/0oa1/users", 8_500), (Method::Get, "/api/v1/users", 500)];
    let minutes = Quota::new(Policy::default()).estimate(T, &work) / 60_000;
    assert_eq!(minutes, 169, "the 170th window is the last");
}
