//! A worker that dies between any two steps: a page may be read again, and none is skipped.

use crate::bench::{Bench, LOGS, org};

fn crash_at(point: &str) {
    let org = org(&[]);
    let bench = Bench::new(&org);
    org.emit("user.session.start", 1_200);
    let mut worker = bench.run_with(&[("OKTA_OCSF_CRASH_AT", point)]);
    assert_eq!(worker.exit_status(), -1, "the worker dies at {point}");
    org.emit("user.session.start", 1_300);
    let mut worker = bench.run();
    bench.until_all_published(&org);
    assert_eq!(worker.stop(), 0);
    let counted: u64 = {
        let read_to = bench.standing().read_to.unwrap();
        bench.ledger(read_to - 3_600_000, read_to + 3_600_000).iter().map(|minute| minute.counts.all).sum()
    };
    assert_eq!(counted, 2_500, "crash at {point}: the ledger counts each event once");
}

#[test]
fn a_crash_between_events_and_place_repeats_a_page() {
    crash_at("poll.landed");
    crash_at("poll.landed:2");
}

#[test]
fn a_crash_behind_the_place_goes_on_there() {
    crash_at("poll.noted");
    crash_at("poll.noted:2");
}

#[test]
fn a_crash_of_the_fold_loses_no_place() {
    crash_at("fold.published");
    crash_at("fold.committed");
}

#[test]
fn a_worker_that_is_killed_again_and_again_goes_on() {
    let org = org(&["--latency-ms", "20"]);
    let bench = Bench::new(&org);
    for round in 0..5 {
        org.emit("user.session.start", 1_500);
        let mut worker = bench.run();
        org.until_answered(LOGS, 1 + 3 * round);
        worker.kill();
    }
    let mut worker = bench.run();
    bench.until_all_published(&org);
    assert_eq!(worker.stop(), 0);
}
