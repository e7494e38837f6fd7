//! What is read, lands and is published.

use std::collections::BTreeSet;

use serde_json::json;

use crate::bench::{BY_TOKEN, Bench, LOGS, a_day, hours_ago, org, truth};

#[test]
fn a_day_lands_whole_with_marks_and_is_published_once() {
    let org = org(6_000, &[]);
    let bench = Bench::of(&org);
    let (arguments, since, until) = a_day(&org);
    let told = bench.backfill(&arguments);
    let acme = told.assert_read();
    let events = truth(&org, since, until);
    assert!(events.len() > 5_000, "{} events are no day", events.len());
    assert_eq!(acme["events"], events.len());
    assert_eq!((&acme["refused"], &acme["lost"], &acme["differing"]), (&json!(0), &json!([]), &json!([])));
    let landed = bench.landed();
    assert_eq!(landed.events(), events);
    landed.assert_history();
    let marks = landed.assert_marks_cover(since, until);
    assert_eq!(marks.iter().map(|mark| mark.events).sum::<u64>(), events.len() as u64);
    let hashes: BTreeSet<_> = marks.iter().map(|mark| &mark.hash).collect();
    assert_eq!(hashes.len(), marks.len(), "of different events");
    bench.assert_published_once(&events);
}

#[test]
fn a_quiet_org_has_marks_too() {
    let org = org(3, &[]);
    let bench = Bench::of(&org);
    let (arguments, since, until) = a_day(&org);
    bench.backfill(&arguments).assert_read();
    let landed = bench.landed();
    assert_eq!(landed.events(), truth(&org, since, until));
    assert_eq!(landed.assert_marks_cover(since, until).len(), 8);
}

#[test]
fn without_an_end_it_is_all_but_the_last_hour() {
    let org = org(1_000, &[]);
    let bench = Bench::of(&org);
    let before = org.now_ms();
    let told = bench.backfill(&["--org", "acme", "--since", "20h"]);
    let acme = told.assert_read();
    let until = acme["until"].as_i64().unwrap();
    let late = org.now_ms() - 3_600_000;
    assert!((before - 3_600_000..=late).contains(&until), "{until} is not an hour ago");
    assert_eq!(bench.landed().events(), truth(&org, acme["since"].as_i64().unwrap(), until));
}

#[test]
fn jobs_that_overlap_publish_nothing_twice() {
    let org = org(1_500, &[]);
    let bench = Bench::of(&org);
    let (arguments, since, until) = a_day(&org);
    bench.backfill(&arguments).assert_read();
    let (earlier, from) = hours_ago(&org, 40);
    let (later, to) = hours_ago(&org, 12);
    bench.backfill(&["--org", "acme", "--since", &earlier, "--until", &later]).assert_read();
    assert!(from < since && to < until);
    bench.assert_published_once(&truth(&org, from, until));
}

#[test]
fn a_filter_is_okta_s_and_proves_nothing_of_what_it_left_out() {
    let org = org(3_000, &[]);
    let bench = Bench::of(&org);
    let (mut arguments, since, until) = a_day(&org);
    arguments.extend(["--filter", "eventType eq \"user.session.start\""].map(str::to_owned));
    let told = bench.backfill(&arguments);
    let through =
        org.history().into_iter().filter(|(_, kind, at)| kind == "user.session.start" && (since..until).contains(at));
    let through: BTreeSet<_> = through.map(|(uuid, ..)| uuid).collect();
    assert!(!through.is_empty());
    assert_eq!(told.assert_read()["events"], through.len());
    let landed = bench.landed();
    assert_eq!(landed.events(), through);
    assert!(landed.slices().is_empty(), "nobody may take these slices for complete");
}

#[test]
fn two_orgs_are_read_at_once() {
    let (one, other) = (org(800, &[]), org(500, &["--seed", "2"]));
    let bench = Bench::new().org("acme", &one.url, BY_TOKEN).org("globex", &other.url, BY_TOKEN);
    let (mut arguments, since, until) = a_day(&one);
    arguments.extend(["--org", "globex"].map(str::to_owned));
    let told = bench.backfill(&arguments);
    let (ours, theirs) = (truth(&one, since, until), truth(&other, since, until));
    assert_eq!((told.status, &told.org("acme")["events"]), (Some(0), &json!(ours.len())), "{}", told.said);
    assert_eq!(told.org("globex")["events"], theirs.len());
    bench.assert_published_once(&ours.union(&theirs).cloned().collect());
}

#[test]
fn a_dry_run_says_what_it_would_take_and_does_nothing() {
    let org = org(20_000, &[]);
    let bench = Bench::of(&org);
    let (mut arguments, since, until) = a_day(&org);
    arguments.push("--dry-run".into());
    let told = bench.backfill(&arguments);
    assert_eq!(told.status, Some(0), "{}", told.said);
    let (acme, events) = (told.org("acme"), truth(&org, since, until).len() as f64);
    let about = acme["events"].as_f64().unwrap();
    assert!((0.5..2.0).contains(&(about / events)), "{about} for {events}");
    let calls = acme["calls"].as_f64().unwrap();
    assert!((about / 1_000.0..about / 1_000.0 + 20.0).contains(&calls), "{acme:#}");
    let each = acme["bytes"].as_f64().unwrap() / about;
    assert!((1_000.0..3_000.0).contains(&each), "{each} bytes an event");
    assert!(org.answered(LOGS, 0) <= 10, "{} calls", org.answered(LOGS, 0));
    assert!(!bench.folder().join("data").exists(), "nothing is written");
}

#[test]
fn what_was_read_before_is_not_asked_for_again_unless_told_to() {
    let org = org(1_000, &[]);
    let bench = Bench::of(&org);
    let (mut arguments, ..) = a_day(&org);
    bench.backfill(&arguments).assert_read();
    let calls = org.answered(LOGS, 0);
    let told = bench.backfill(&arguments);
    assert_eq!((told.status, &told.org("acme")["outcome"]), (Some(0), &json!("read_before")), "{}", told.said);
    assert!(org.answered(LOGS, 0) <= calls + 1, "one to know what time it is there");
    arguments.push("--again".into());
    bench.backfill(&arguments).assert_read();
    assert!(org.answered(LOGS, 0) > calls + 8);
}

#[test]
fn what_came_late_is_found_by_the_second_look_and_read() {
    let org = org(300, &[]);
    let bench = Bench::of(&org);
    let (mut arguments, since, until) = a_day(&org);
    arguments.push("--no-verify".into());
    let told = bench.backfill(&arguments);
    assert_eq!((told.status, &told.org("acme")["same"]), (Some(0), &json!(0)), "{}", told.said);
    let late = org.emit_late("zone.update", 10 * 3_600);
    arguments.pop();
    let told = bench.backfill(&arguments);
    assert_eq!(told.assert_read()["read_anew"], 1);
    let mut events = truth(&org, since, until);
    events.insert(late);
    assert_eq!(bench.landed().events(), events);
    bench.assert_published_once(&events);
}
