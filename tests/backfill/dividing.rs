//! Readers that would be idle take a part of what others have.

use crate::bench::{BY_TOKEN, Bench, LOGS, a_day, org, truth};
use crate::support::org::Org;

/// Of answers that large at most, so that there are many small pages: 31 events are the most that come through, after
/// five halvings of 1,000.
const MOST_BYTES: &str = "max_body_bytes = 65536";
const PAGE: usize = 31;

/// Some 65 pages in a day, of which one reader alone plans four slices.
fn a_day_of_small_pages() -> (Org, Vec<String>, i64, i64) {
    let org = org(2_000, &["--latency-ms", "30"]);
    let (arguments, since, until) = a_day(&org);
    (org, arguments, since, until)
}

fn bench(org: &Org) -> Bench {
    Bench::new().org("acme", &org.url, &format!("{BY_TOKEN}\n{MOST_BYTES}"))
}

fn side_by_side(arguments: &[String], readers: &str) -> Vec<String> {
    [arguments, &["--parallel".to_owned(), readers.to_owned()]].concat()
}

/// One reader begins and is killed in its first slice.
fn begin(org: &Org, bench: &Bench, arguments: &[String]) {
    let before = org.answered(LOGS, 200);
    let alone = bench.start(&side_by_side(arguments, "1"), None);
    org.until_answered(LOGS, before + 7);
    alone.kill();
    assert_eq!(alone.end().status, None);
}

#[test]
fn a_division_is_exact_wherever_it_dies_and_nothing_finished_lands_again() {
    let (org, arguments, since, until) = a_day_of_small_pages();
    let (events, many) = (truth(&org, since, until), side_by_side(&arguments, "8"));
    let mut largest = 0;
    for point in ["backfill_slice_marked", "backfill_slice_marked:5", "backfill_slice_kept:5", "job_file_written:9"] {
        let bench = bench(&org);
        begin(&org, &bench, &arguments);
        let died = bench.start(&many, Some(point)).end();
        assert_eq!(died.status, None, "{point} was not reached: {}", died.said);
        let landed = bench.landed();
        let finished = landed.slices();
        let before: Vec<_> = finished.iter().map(|mark| landed.landings(mark)).collect();
        drop(landed);
        let told = bench.backfill(&many);
        let acme = told.assert_read();
        assert!(acme["slices"].as_u64().unwrap() > 8, "{point}: eight readers have divided nothing: {acme:#}");
        assert_eq!(acme["events"], events.len(), "{point}");
        let landed = bench.landed();
        assert_eq!(landed.events(), events, "{point}");
        let marks = landed.assert_marks_cover(since, until);
        assert_eq!(acme["slices"], marks.len(), "{point}");
        assert!(finished.iter().all(|mark| marks.contains(mark)), "{point}: a finished slice counts otherwise now");
        // Only edges come again: what an older neighbour's last page has of them, and the last second, with which a
        // younger one begins.
        for (mark, before) in finished.iter().zip(before) {
            let again = landed.landings(mark) - before;
            assert!(again <= 2 * PAGE, "{point}: {again} events of {mark:?} have landed again");
            largest = largest.max(mark.events);
        }
        drop(landed);
        bench.assert_published_once(&events);
    }
    assert!(largest > 3 * PAGE as u64, "of {largest} events none could have landed again");
}

#[test]
fn what_was_divided_and_only_counted_is_exact_too() {
    let (org, arguments, since, until) = a_day_of_small_pages();
    let arguments = [arguments, vec!["--count-only".to_owned()]].concat();
    let bench = bench(&org);
    begin(&org, &bench, &arguments);
    let told = bench.backfill(&side_by_side(&arguments, "8"));
    let acme = told.assert_read();
    assert_eq!(acme["events"], truth(&org, since, until).len());
    assert!(acme["slices"].as_u64().unwrap() > 8, "eight readers have divided nothing: {acme:#}");
}
