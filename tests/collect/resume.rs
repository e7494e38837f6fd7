//! A worker that is killed goes on where it was: the same snapshot, the same lists, the same page.

use std::collections::{BTreeMap, BTreeSet};

use crate::bench::{BY_TOKEN, Bench, SOME, only, org};
use crate::support::until;
use crate::support::worker::Worker;

const USERS: &str = "GET /api/v1/users";
const FACTORS: &str = "GET /api/v1/users/{}/factors";

fn until_ended(worker: &Worker) {
    until("the snapshot has ended", || {
        worker.ready().filter(|(_, report)| report.contains("the last snapshot has ended"))
    });
}

#[test]
fn a_snapshot_survives_kills_at_any_moment_and_reads_nothing_anew() {
    let org = org(600, &["--latency-ms", "60"]);
    let bench = Bench::of(&org, BY_TOKEN);
    // Before anything has ended, at the first lists within others, in their middle, and near their end.
    let moments = [(USERS, 1), (FACTORS, 10), (FACTORS, 250), (FACTORS, 480)];
    let lists = ["groups", "apps", "zones", "devices"].map(|name| format!("GET /api/v1/{name}"));
    let mut before = BTreeMap::new();
    for (call, count) in moments {
        let mut worker = bench.run();
        org.until_answered(call, count);
        worker.kill();
        if count > 100 && before.is_empty() {
            // All of them had ended long before.
            before = lists.iter().map(|list| (list.clone(), org.answered(list, 0))).collect();
        }
    }
    let mut worker = bench.run();
    until_ended(&worker);
    assert_eq!(worker.stop(), 0);

    let landed = bench.landed();
    let epoch = landed.mark("snapshot_begun")["epoch"].clone();
    let ended = landed.mark("snapshot_ended");
    assert!(ended["epoch"] == epoch && ended["aborted"].is_null(), "{ended}");
    let collections = landed.marks("collection_ended");
    for name in SOME {
        let marks: Vec<_> = collections.iter().filter(|mark| mark["collection"] == *name).collect();
        assert!(!marks.is_empty() && marks.iter().all(|mark| mark["verdict"] == "complete"), "{name}: {marks:?}");
        assert!(marks.iter().all(|mark| mark["epoch"] == epoch), "{name}: {marks:?}");
    }
    for (list, count) in before {
        assert_eq!(org.answered(&list, 0), count, "{list} had ended and was asked for again");
    }
    let mut read: BTreeMap<String, u64> = BTreeMap::new();
    for (observation, _) in landed.observations("user_factors") {
        *read.entry(observation.key.clone()).or_default() += 1;
    }
    assert_eq!(read.len(), org.truth("users").len(), "the factors of everybody");
    let again: u64 = read.values().map(|times| times - 1).sum();
    // From its beginning, the list would have been read anew by each worker: 250 and 480 times more.
    assert!(again < 450, "{again} lists were read again");
    assert_eq!(landed.objects("users").len(), 600);
}

#[test]
fn a_list_goes_on_at_the_page_that_was_next() {
    // Fifteen pages.
    let org = org(3_000, &["--latency-ms", "300"]);
    let bench = Bench::new().org("acme", &org.url, BY_TOKEN, &only(&["users"]));
    let mut worker = bench.run();
    org.until_answered(USERS, 8);
    worker.kill();
    let mut worker = bench.run();
    until_ended(&worker);
    assert_eq!(worker.stop(), 0);
    let pages = org.answered(USERS, 0);
    // What was on its way, and what was read while the place was being noted.
    assert!((15..=18).contains(&pages), "{pages} pages, from the beginning it would be 23");
    let landed = bench.landed();
    assert_eq!(landed.objects("users").len(), org.truth("users").len());
    assert_eq!(landed.mark("collection_ended")["verdict"], "complete");
}

#[test]
fn a_worker_that_was_stopped_leaves_the_rest_to_whoever_comes_next() {
    let org = org(600, &["--latency-ms", "100"]);
    let bench = Bench::of(&org, BY_TOKEN);
    let mut worker = bench.run();
    org.until_answered(FACTORS, 100);
    assert_eq!(worker.stop(), 0);
    let collected = bench.collect(&["--collections", "zones"]);
    assert_eq!(collected.verdict("zones"), "complete");
    let landed = bench.landed();
    let (begun, ended) = (landed.marks("snapshot_begun"), landed.marks("snapshot_ended"));
    assert_eq!((begun.len(), ended.len()), (2, 2), "what was half read comes before what was asked for");
    assert!(begun[0]["epoch"] == ended[0]["epoch"] && ended[0]["aborted"].is_null(), "{ended:?}");
    let whose: BTreeSet<_> = landed.observations("user_factors").iter().map(|(list, _)| list.key.clone()).collect();
    assert_eq!(whose.len(), org.truth("users").len());
}
