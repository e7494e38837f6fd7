//! A job that was killed or stopped goes on where it was.

use crate::bench::{Bench, LOGS, a_day, org, truth};

/// Every point between two steps, at its first, and at a later time.
const POINTS: [&str; 10] = [
    "backfill_page_landed",
    "backfill_page_landed:4",
    "backfill_page_noted",
    "backfill_page_noted:5",
    "job_file_written",
    "job_file_written:4",
    "backfill_slice_marked",
    "backfill_slice_marked:3",
    "backfill_slice_kept",
    "backfill_slice_kept:3",
];

#[test]
fn a_crash_between_any_two_steps_loses_nothing_and_reads_no_finished_slice_again() {
    // Four slices of 1,250 events on average, so that some have several pages.
    let org = org(5_000, &[]);
    let (mut arguments, since, until) = a_day(&org);
    arguments.extend(["--parallel", "2"].map(str::to_owned));
    let events = truth(&org, since, until);
    for point in POINTS {
        let bench = Bench::of(&org);
        let before = org.answered(LOGS, 0);
        let died = bench.start(&arguments, Some(point)).end();
        assert_eq!(died.status, None, "{point} was not reached: {}", died.said);
        let landed = bench.landed();
        let finished = landed.slices();
        drop(landed);
        let told = bench.backfill(&arguments);
        let pages = told.assert_read()["pages"].as_u64().unwrap();
        let calls = org.answered(LOGS, 0) - before;
        // All pages, the samples, two first calls; and of each reader what it was at, all of which is younger than a
        // second: the page that had landed, and the one behind it that was on its way.
        let most = pages + 4 + 2 + 2 * 2 + 1;
        assert!(
            calls <= most,
            "{point}: {calls} calls for {pages} pages, when {} slices were finished",
            finished.len()
        );
        assert_eq!(bench.landed().events(), events, "{point}");
        let marks = bench.landed().assert_marks_cover(since, until);
        assert!(finished.iter().all(|mark| marks.contains(mark)), "{point}: a finished slice counts otherwise now");
        bench.assert_published_once(&events);
    }
}

#[test]
fn kills_at_any_moment_lose_nothing() {
    let org = org(8_000, &["--latency-ms", "80"]);
    let bench = Bench::of(&org);
    let (arguments, since, until) = a_day(&org);
    for pages in [2, 6, 12] {
        let running = bench.start(&arguments, None);
        org.until_answered(LOGS, pages);
        running.kill();
        assert_eq!(running.end().status, None);
    }
    bench.backfill(&arguments).assert_read();
    let events = truth(&org, since, until);
    assert_eq!(bench.landed().events(), events);
    bench.landed().assert_marks_cover(since, until);
    bench.assert_published_once(&events);
}

#[test]
fn ctrl_c_finishes_the_page_and_says_how_to_go_on() {
    let org = org(8_000, &["--latency-ms", "300"]);
    let bench = Bench::of(&org);
    let (arguments, since, until) = a_day(&org);
    let running = bench.start(&arguments, None);
    org.until_answered(LOGS, 6);
    running.interrupt();
    let stopped = running.end();
    stopped.assert_refused(1, &["stopped before all was read", "run the same command again: it goes on"]);
    assert_eq!(stopped.org("acme")["outcome"], "stopped");
    let kept = stopped.org("acme")["pages"].as_u64().unwrap();
    assert!(kept >= 3, "what had come is landed and noted: {kept} pages");
    let before = org.answered(LOGS, 0);
    let told = bench.backfill(&arguments);
    let pages = told.assert_read()["pages"].as_u64().unwrap();
    // One first call and eight samples; what was under way and given up is asked for again.
    assert!(org.answered(LOGS, 0) - before <= pages - kept + 1 + 8, "pages that had landed were read again");
    bench.assert_published_once(&truth(&org, since, until));
}

#[test]
fn words_that_mean_a_time_before_now_go_on_with_what_they_meant() {
    let org = org(8_000, &["--latency-ms", "150"]);
    let bench = Bench::of(&org);
    let arguments = ["--org", "acme", "--since", "26h"];
    let running = bench.start(&arguments, None);
    org.until_answered(LOGS, 5);
    running.kill();
    running.end();
    org.advance(1_800);
    let told = bench.backfill(&arguments);
    let acme = told.assert_read();
    let (since, until) = (acme["since"].as_i64().unwrap(), acme["until"].as_i64().unwrap());
    assert!(until < org.now_ms() - 5_000_000, "the end is that of the first run");
    assert_eq!(bench.landed().events(), truth(&org, since, until));
}

#[test]
fn what_okta_dropped_before_it_was_verified_is_told_and_stays() {
    const HOUR_MS: i64 = 3_600_000;
    let org = org(5_000, &[]);
    let bench = Bench::of(&org);
    let (mut arguments, since, until) = a_day(&org);
    arguments.extend(["--parallel", "1"].map(str::to_owned));
    let events = truth(&org, since, until);
    // All four slices of six hours are read, and none is verified.
    let died = bench.start(&arguments, Some("backfill_slice_kept:4")).end();
    assert_eq!(died.status, None, "{}", died.said);
    let oldest = org.now_ms() - 90 * 24 * HOUR_MS;
    // Two are dropped, and a little of the third, whose sample may be there or not; the fourth is whole.
    let advance = since + 12 * HOUR_MS + HOUR_MS / 60 - oldest;
    org.advance((advance / 1_000).unsigned_abs());
    let told = bench.backfill(&arguments);
    let acme = told.org("acme");
    assert!(told.status == Some(0) && acme["outcome"] == "read", "{:?}: {acme:#}\n{}", told.status, told.said);
    let count = |name: &str| acme[name].as_u64().unwrap();
    assert_eq!((count("slices"), count("read"), count("same") + count("expired")), (4, 4, 4), "{acme:#}");
    assert!((2..4).contains(&count("expired")), "{acme:#}");
    assert_eq!(bench.landed().events(), events);
    bench.landed().assert_marks_cover(since, until);
    bench.assert_published_once(&events);
}

#[test]
fn a_job_file_that_names_another_place_leads_nowhere() {
    let org = org(20_000, &["--latency-ms", "200"]);
    let bench = Bench::of(&org);
    let (mut arguments, since, until) = a_day(&org);
    arguments.extend(["--parallel", "1"].map(str::to_owned));
    let running = bench.start(&arguments, None);
    // A first call, and two pages of a slice of six hours.
    org.until_answered(LOGS, 3);
    running.interrupt();
    running.end();
    let folder = bench.folder().join("data/backfill");
    let file = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|name| name == "json")).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"/api/v1/logs?"), "no slice was in its middle: {text}");
    for place in ["/api/v1/users?", "https://evil.example/api/v1/logs?"] {
        std::fs::write(&file, text.replacen("\"/api/v1/logs?", &format!("\"{place}"), 1)).unwrap();
        let counted = bench.folder().join("other");
        std::fs::create_dir_all(counted.join("counted")).unwrap();
        std::fs::copy(&file, counted.join("counted").join(file.file_name().unwrap())).unwrap();
        let state = ["--count-only".to_owned(), "--state".to_owned(), counted.display().to_string()];
        bench.backfill(&[&arguments[..], &state].concat()).assert_read();
    }
    assert_eq!(org.answered("GET /api/v1/users", 0), 0);
    std::fs::write(&file, &text).unwrap();
    bench.backfill(&arguments).assert_read();
    assert_eq!(bench.landed().events(), truth(&org, since, until));
}

#[test]
fn a_broken_job_file_is_told_and_not_guessed_at() {
    let org = org(300, &[]);
    let bench = Bench::of(&org);
    let (arguments, ..) = a_day(&org);
    bench.backfill(&arguments).assert_read();
    let folder = bench.folder().join("data/backfill");
    for file in std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|name| name == "json") {
            std::fs::write(file, "{\"version\":1").unwrap();
        }
    }
    bench.backfill(&arguments).assert_refused(74, &["cannot be read", "remove it to read everything anew"]);
}
