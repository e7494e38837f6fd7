//! What a person or a script at a prompt sees of `okta-ocsf backfill`.

use serde_json::json;

use crate::bench::{BY_TOKEN, Bench, LOGS, a_day, hours_ago, org, truth};
use crate::support::until;
use crate::support::worker::Worker;

#[test]
fn what_okta_does_not_keep_is_refused_with_how_far_back_it_can_go() {
    let org = org(300, &[]);
    let bench = Bench::of(&org);
    let told = bench.backfill(&["--org", "acme", "--since", "91d"]);
    told.assert_refused(78, &["Okta keeps its log for 90 days", "--since can go back to "]);
    assert_eq!(bench.landed().uuids().len(), 0);
    let far = bench.backfill(&["--org", "acme", "--since", "90d", "--no-verify"]);
    assert_eq!((far.status, &far.org("acme")["outcome"]), (Some(0), &json!("read")), "{}", far.said);
}

#[test]
fn times_that_make_no_sense_are_refused_as_such() {
    let org = org(300, &[]);
    let bench = Bench::of(&org);
    let (earlier, later) = (hours_ago(&org, 20).0, hours_ago(&org, 10).0);
    bench
        .backfill(&["--org", "acme", "--since", &later, "--until", &earlier])
        .assert_refused(78, &["--until must be after --since"]);
    bench
        .backfill(&["--org", "acme", "--since", "30m"])
        .assert_refused(78, &["is not settled", "--since must be before"]);
    bench.backfill(&["--org", "acme", "--since", "yesterday"]).assert_refused(2, &["give a time such as 2026-11-01"]);
    bench.backfill(&["--org", "acme"]).assert_refused(2, &["--since"]);
    bench.backfill(&["--since", "1d"]).assert_refused(2, &["--org"]);
}

#[test]
fn a_filter_that_okta_refuses_is_told_in_its_words() {
    let org = org(300, &[]);
    let bench = Bench::of(&org);
    let (mut arguments, ..) = a_day(&org);
    arguments.extend(["--filter", "eventType is odd"].map(str::to_owned));
    bench
        .backfill(&arguments)
        .assert_refused(78, &["Okta refuses what is asked for", "an operator is missing", "check --filter"]);
    assert_eq!(org.answered(LOGS, 0), 1, "asked once");
}

#[test]
fn an_org_that_does_not_let_us_read_the_log_is_told_with_what_to_grant() {
    let org = org(300, &[]);
    org.principal(&json!({"id": "0oaUsers", "secret": "sim-secret", "scopes": ["okta.users.read"]}));
    let way_in = "client_id = \"0oaUsers\"\nclient_secret = { env = \"SIM_SECRET\" }";
    let bench = Bench::new().org("acme", &org.url, way_in);
    let (arguments, ..) = a_day(&org);
    bench.backfill(&arguments).assert_refused(77, &["the System Log is not for us", "okta.logs.read"]);
    let dry = [arguments, vec!["--dry-run".to_owned()]].concat();
    bench.backfill(&dry).assert_refused(77, &["okta.logs.read"]);
}

#[test]
fn a_wrong_token_is_told_and_the_other_org_is_read() {
    let (one, other) = (org(300, &[]), org(300, &["--seed", "2"]));
    let bench =
        Bench::new().org("acme", &one.url, BY_TOKEN).org("globex", &other.url, "token = { env = \"WRONG_TOKEN\" }");
    let (mut arguments, since, until) = a_day(&one);
    arguments.extend(["--org", "globex"].map(str::to_owned));
    let told = bench.backfill(&arguments);
    told.assert_refused(77, &["Okta refuses the API token"]);
    assert!(!told.said.contains("of-another-org"), "the token itself is told to nobody");
    assert_eq!(told.org("acme")["outcome"], "read");
    assert_eq!(bench.landed().events(), truth(&one, since, until));
}

#[test]
fn an_unknown_org_and_one_without_an_api_are_told_before_anything_is_asked() {
    let org = org(300, &[]);
    let bench = Bench::of(&org);
    bench
        .backfill(&["--org", "acne", "--since", "1d"])
        .assert_refused(78, &["there is no org \"acne\" in the configuration"]);
    assert_eq!(org.calls(), 0);
}

#[test]
fn a_worker_that_holds_the_data_directory_is_told_with_what_to_do() {
    let org = org(300, &[]);
    let bench = Bench::of(&org);
    let worker = Worker::spawn(bench.command("run"), &bench.folder().join("worker.log"));
    until("the worker is at work", || worker.ready());
    let (arguments, ..) = a_day(&org);
    bench
        .backfill(&arguments)
        .assert_refused(78, &["another worker uses the data directory", "stop it, backfill, and start it again"]);
}

#[test]
fn the_same_job_twice_at_once_is_refused() {
    let org = org(6_000, &["--latency-ms", "300"]);
    let bench = Bench::of(&org);
    let (arguments, ..) = a_day(&org);
    // Without a landing log of one user in the way.
    let arguments = [arguments, vec!["--count-only".to_owned()]].concat();
    let first = bench.start(&arguments, None);
    org.until_answered(LOGS, 2);
    let second = bench.backfill(&arguments);
    second.assert_refused(78, &["another process is at this backfill of acme already", "tells how far it is"]);
    first.end().assert_read();
}

#[test]
fn progress_is_told_in_plain_lines_where_there_is_no_terminal() {
    let org = org(6_000, &["--latency-ms", "600"]);
    let (arguments, ..) = a_day(&org);
    let told = Bench::of(&org).backfill(&arguments);
    told.assert_read();
    let line = told.said.lines().find(|line| line.starts_with("acme: ") && line.contains(" events/s, "));
    assert!(line.is_some_and(|line| line.contains(" left, ")), "{}", told.said);
}
