//! From the simulated org's log stream to the output topics: every uuid once, none missing.

use std::collections::BTreeSet;

use crate::support::{Bench, Org, assert_valid_ocsf, broker, stack, stream_alone, until};

#[test]
fn what_the_org_logged_is_published_exactly_once_over_duplicates_and_two_kills() {
    let _broker = broker();
    let _stream = stream_alone();
    let queue = stack("STACK_QUEUE_URL");
    let bench = Bench::new("org").on_queue(queue.clone());
    let mut worker = bench.worker("worker");
    let org = Org::start(&[
        "--event-bus",
        &stack("STACK_EVENT_BUS"),
        "--queue-url",
        &queue,
        "--events",
        "900",
        "--events-per-second",
        "60",
        "--seed",
        "7",
        "--duplicates",
        "0.1",
        "--late",
        "0.05",
        "--poison",
        "16",
    ]);
    for published in [150.0, 450.0] {
        until("the worker is in the middle", || {
            (worker.metric("okta_ocsf_published_total", "") > published / 3.0).then_some(())
        });
        until("the org is in the middle", || (org.state()["streamed"].as_f64()? > published).then_some(()));
        worker.kill();
        worker = bench.worker("worker");
    }
    until("the org has streamed everything", || (org.state()["phase"] == "done").then_some(()));
    let state = org.state();
    assert_eq!(state["logged"], 900);
    assert!(state["duplicates"].as_u64().unwrap() > 30, "the run must contain duplicates: {state}");
    bench.assert_published_once(&org.logged());
    assert_valid_ocsf(&bench.tail(&[]));
    // What comes by the poison's own uuids is no event of the org and must not have been published, which the line
    // above asserted. It is in quarantine, at least once each.
    let quarantined = bench.tail(&["quarantine"]);
    let reasons: BTreeSet<&str> =
        quarantined.iter().map(|record| record["headers"]["reason"].as_str().unwrap()).collect();
    let wanted = [
        "duplicate_key",
        "foreign_source",
        "missing_published",
        "missing_uuid",
        "not_json",
        "not_log_event",
        "too_deep",
    ];
    assert_eq!(reasons, BTreeSet::from(wanted));
    let different: BTreeSet<&str> =
        quarantined.iter().map(|record| record["headers"]["sha256"].as_str().unwrap()).collect();
    assert_eq!(different.len(), 16, "every poison message is there with its bytes");
    assert_eq!(worker.stop(), 0);
}
