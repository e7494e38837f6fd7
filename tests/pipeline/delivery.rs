//! Exactly once over crashes at every step, hand-over between workers, and stops.

use std::collections::BTreeSet;

use crate::support::{Bench, Worker, broker, event, events, org_event, until};

/// Crashes the worker at a named point, starts it again, and asserts that everything is published once.
fn crash_at(point: &str, bench: &Bench, published: impl Fn(&Bench) -> Vec<String>) {
    let (bodies, wanted) = events(120);
    // The first half is published and committed before the crash, so that there is a tail to look back over.
    bench.send(&bodies[..60]);
    let mut worker = bench.worker("worker");
    until("the first half is published", || (published(bench).len() >= 60).then_some(()));
    assert_eq!(worker.stop(), 0);
    let mut worker = bench.start("worker", &[("OKTA_OCSF_CRASH_AT", point)]);
    worker.until_ready();
    bench.send(&bodies[60..]);
    bench.send(&bodies[60..90]);
    assert_eq!(worker.exit_status(), -1, "the worker dies at {point}");
    let _worker = bench.worker("worker");
    until("everything is published", || (published(bench).len() >= 120).then_some(()));
    bench.until_drained();
    let found = published(bench);
    assert_eq!(found.len(), 120, "crash at {point}: every event once");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), wanted);
}

fn in_topics(bench: &Bench) -> Vec<String> {
    bench.published().into_iter().flat_map(|(uuid, count)| vec![uuid; count]).collect()
}

#[test]
fn a_crash_between_landing_and_delete_loses_and_doubles_nothing() {
    let _broker = broker();
    crash_at("ingest.landed", &Bench::new("crash-landed"), in_topics);
}

#[test]
fn a_crash_between_handing_over_and_acknowledgement_loses_and_doubles_nothing() {
    let _broker = broker();
    crash_at("fold.published", &Bench::new("crash-published"), in_topics);
}

#[test]
fn a_crash_between_acknowledgement_and_commit_loses_and_doubles_nothing() {
    let _broker = broker();
    crash_at("fold.acknowledged", &Bench::new("crash-acknowledged"), in_topics);
}

#[test]
fn a_crash_after_the_commit_loses_and_doubles_nothing() {
    let _broker = broker();
    crash_at("fold.committed", &Bench::new("crash-committed"), in_topics);
}

#[test]
fn the_embedded_log_and_files_keep_the_same_promise() {
    for point in ["ingest.landed", "fold.published", "fold.acknowledged", "fold.committed"] {
        crash_at(point, &Bench::local("local"), Bench::in_files);
    }
}

#[test]
fn standard_output_carries_records_and_nothing_else() {
    let bench = Bench::local("stdout");
    let (bodies, wanted) = events(30);
    bench.send(&bodies);
    let (log, output) = (bench.folder.join("worker.log"), bench.folder.join("output.ndjson"));
    let config = bench.config("worker");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("[publish]\n", "[publish]\ndirectory = \"-\"\n")).unwrap();
    let mut worker = Worker::start_printing(&config, &log, &output);
    let lines = || std::fs::read_to_string(&output).unwrap_or_default();
    until("all lines are printed", || (lines().lines().count() >= 30).then_some(()));
    bench.until_drained();
    assert_eq!(worker.stop(), 0);
    let records = lines();
    let records = records.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let uuids: Vec<_> =
        records.map(|record| record["metadata"]["original_event_uid"].as_str().unwrap().to_owned()).collect();
    assert_eq!(uuids.len(), 30);
    assert_eq!(uuids.into_iter().collect::<BTreeSet<_>>(), wanted);
}

#[test]
fn a_lost_data_directory_is_folded_again_without_publishing_again() {
    let _broker = broker();
    let bench = Bench::new("refold").extra("[merge]\nchangelog_topic = \"\"\n");
    let (bodies, wanted) = events(100);
    bench.send(&bodies[..50]);
    let mut worker = bench.worker("worker");
    bench.assert_published_once(
        &wanted.iter().filter(|uuid| bodies[..50].iter().any(|b| b.contains(*uuid))).cloned().collect(),
    );
    assert_eq!(worker.stop(), 0);
    std::fs::remove_dir_all(bench.folder.join("worker-data")).unwrap();
    // Old duplicates come again beside new events: only folding the whole log again can tell them apart.
    bench.send(&bodies);
    let _worker = bench.worker("worker");
    bench.assert_published_once(&wanted);
}

#[test]
fn a_refold_that_is_interrupted_does_not_take_back_what_the_group_knows() {
    let _broker = broker();
    let bench = Bench::new("refold-cut").extra("[merge]\nbatch_records = 40\nchangelog_topic = \"\"\n");
    let (bodies, wanted) = events(200);
    bench.send(&bodies);
    let mut worker = bench.worker("worker");
    bench.assert_published_once(&wanted);
    until("all is committed", || (bench.committed() >= 200).then_some(()));
    assert_eq!(worker.stop(), 0);
    std::fs::remove_dir_all(bench.folder.join("worker-data")).unwrap();
    let mut worker = bench.start("worker", &[("OKTA_OCSF_CRASH_AT", "fold.committed:2")]);
    assert_eq!(worker.exit_status(), -1);
    // Otherwise the next owner would believe that the rest was never published, and look for it in an output that may
    // have expired.
    assert!(bench.committed() >= 200, "the group's offset went back to {}", bench.committed());
    let worker = bench.worker("worker");
    until("the log is folded", || (worker.metric("okta_ocsf_folded_total", "fresh") >= 120.0).then_some(()));
    bench.assert_published_once(&wanted);
}

#[test]
fn a_state_that_belongs_to_another_log_is_refused() {
    let bench = Bench::local("other-log");
    let (bodies, _) = events(20);
    bench.send(&bodies);
    let mut worker = bench.worker("worker");
    until("all is published", || (bench.in_files().len() == 20).then_some(()));
    bench.until_drained();
    assert_eq!(worker.stop(), 0);
    std::fs::remove_file(bench.folder.join("worker-data/landing.redb")).unwrap();
    let mut worker = bench.start("worker", &[]);
    assert_eq!(worker.exit_status(), 74);
    assert!(worker.log().contains("belongs to another"), "{}", worker.log());
}

#[test]
fn partitions_move_between_workers_and_every_event_stays_single() {
    let _broker = broker();
    let bench =
        Bench::new("handover").extra("[[org]]\nid = 'globex'\nevent_source = 'aws.partner/okta.com/globex/logs'\n");
    // Two orgs on one queue, so that more than one partition carries something.
    let config = |name: &str| {
        let path = bench.config(name);
        let text =
            std::fs::read_to_string(&path).unwrap().replace("orgs = [\"acme\"]", "orgs = [\"acme\", \"globex\"]");
        std::fs::write(&path, text).unwrap();
        path
    };
    let start = |name: &str| {
        let worker = Worker::start(&config(name), &bench.folder.join(format!("{name}.log")), &[]);
        worker.until_ready();
        worker
    };
    let mut wanted = BTreeSet::new();
    let mut send = |count: usize| {
        let uuids: Vec<_> = (0..count).map(|_| uuid::Uuid::new_v4()).collect();
        let bodies = uuids.iter().enumerate().map(|(index, uuid)| {
            let org = if index % 2 == 0 { "acme" } else { "globex" };
            org_event(&format!("aws.partner/okta.com/{org}/logs"), &event(*uuid))
        });
        let bodies: Vec<String> = bodies.collect();
        bench.send(&bodies);
        bench.send(&bodies[..count / 4]);
        wanted.extend(uuids.iter().map(ToString::to_string));
    };
    let mut first = start("first");
    send(80);
    let second = start("second");
    send(80);
    until("the second worker owns something", || (second.metric("okta_ocsf_partitions_owned", "") > 0.0).then_some(()));
    first.kill();
    send(80);
    // The dead member's partitions pass on when its session ends; the new owner folds their log again.
    until("the second worker owns all", || (second.metric("okta_ocsf_partitions_owned", "") >= 3.0).then_some(()));
    let third = start("third");
    send(80);
    bench.assert_published_once(&wanted);
    bench.until_told();
    drop(third);
}

#[test]
fn of_two_workers_with_one_name_one_ends_and_the_other_goes_on() {
    let _broker = broker();
    let bench = Bench::new("twins");
    let mut twins = [bench.worker("first"), {
        let (ours, copied) = (bench.folder.join("second-data"), bench.folder.join("first-data/instance"));
        std::fs::create_dir(&ours).unwrap();
        std::fs::copy(copied, ours.join("instance")).unwrap();
        bench.start("second", &[])
    }];
    let ended = until("one of them has given up", || twins.iter_mut().position(Worker::has_ended));
    assert_eq!(twins[ended].exit_status(), 78, "{}", twins[ended].log());
    assert!(twins[ended].log().contains("another process is the same member"), "{}", twins[ended].log());
    let other = &twins[1 - ended];
    let (bodies, wanted) = events(20);
    bench.send(&bodies);
    bench.assert_published_once(&wanted);
    other.until_ready();
}

#[test]
fn records_carry_their_source_and_stay_in_their_partition() {
    let _broker = broker();
    let bench = Bench::new("headers");
    let (bodies, wanted) = events(20);
    bench.send(&bodies);
    let _worker = bench.worker("worker");
    bench.assert_published_once(&wanted);
    for record in bench.tail(&["authentication"]) {
        assert_eq!(record["key"], "acme");
        let landing = record["headers"]["landing"].as_str().unwrap();
        assert!(
            landing.starts_with(&format!("{}:", record["partition"])),
            "{landing} in partition {}",
            record["partition"]
        );
        assert_eq!(record["value"]["metadata"]["tenant_uid"], "acme");
    }
    let landed = bench.tail(&["landing"]);
    assert_eq!(landed.len(), 20);
    assert_eq!(landed[0]["headers"]["origin"], "sqs");
    assert_eq!(landed[0]["value"]["eventType"], "user.session.start", "the value is the LogEvent itself");
}

#[test]
fn a_stop_ends_soon_and_gives_back_what_could_not_be_landed() {
    // A Kafka that will never answer again: the mock cluster of this process, stopped.
    let cluster = rdkafka::mocking::MockCluster::new(1).unwrap();
    let bench = Bench::mock("give-back", &cluster);
    let mut worker = bench.worker("worker");
    cluster.broker_down(-1).unwrap();
    let (bodies, _) = events(25);
    bench.send(&bodies);
    until("the messages are in hand", || (bench.queue_depth() == (0, 25)).then_some(()));
    let started = std::time::Instant::now();
    assert_eq!(worker.stop(), 0);
    let took = started.elapsed();
    assert_eq!(bench.queue_depth().0, 25, "all are visible again at once; nothing was deleted");
    // The configured 10 s, with much room for a busy machine; a stop that waited for Kafka would not end at all.
    assert!(took.as_secs() <= 30, "the stop took {took:?}");
}
