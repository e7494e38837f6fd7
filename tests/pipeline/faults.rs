//! The outside world fails in the middle; nothing is lost, and the worker says what it waits for.

use std::process::Command;
use std::time::Duration;

use crate::support::{Bench, Proxy, Worker, broker, broker_alone, events, is_apache, signal_kafka, until};

#[test]
fn kafka_down_for_a_minute_in_the_middle() {
    let cluster = rdkafka::mocking::MockCluster::new(1).unwrap();
    let bench = Bench::mock("outage", &cluster);
    let (bodies, wanted) = events(600);
    bench.send(&bodies[..200]);
    let worker = bench.worker("worker");
    until("it runs", || (worker.metric("okta_ocsf_published_total", "") > 0.0).then_some(()));
    cluster.broker_down(-1).unwrap();
    bench.send(&bodies[200..]);
    std::thread::sleep(Duration::from_secs(60));
    let deleted = worker.metric("okta_ocsf_sqs_deleted_total", "");
    let landed = worker.metric("okta_ocsf_landed_total", "");
    assert!(deleted <= landed && landed < 600.0, "nothing is deleted that is not landed: {deleted} of {landed}");
    cluster.broker_up(-1).unwrap();
    bench.assert_published_once(&wanted);
    assert!(!worker.log().contains("\"ERROR\""), "an outage that ends is no error:\n{}", worker.log());
}

#[test]
fn a_broker_that_hangs_is_waited_for() {
    if !is_apache() {
        eprintln!("skipped: the mock cluster cannot be stopped like a process");
        return;
    }
    let _alone = broker_alone();
    let bench = Bench::new("hang");
    let (bodies, wanted) = events(300);
    bench.send(&bodies[..100]);
    let worker = bench.worker("worker");
    until("it runs", || (worker.metric("okta_ocsf_published_total", "") > 0.0).then_some(()));
    signal_kafka("-STOP");
    bench.send(&bodies[100..]);
    // Longer than the group's session timeout, so that the partitions are taken away and given back.
    std::thread::sleep(Duration::from_secs(15));
    signal_kafka("-CONT");
    bench.assert_published_once(&wanted);
}

#[test]
fn tail_waits_for_a_partition_that_nobody_leads_for_a_while() {
    let cluster = rdkafka::mocking::MockCluster::new(1).unwrap();
    let bench = Bench::mock("leaderless", &cluster);
    let topic = format!("{}.ocsf.authentication", bench.name);
    cluster.partition_leader(&topic, 1, None).unwrap();
    std::thread::scope(|scope| {
        let tail = scope.spawn(|| bench.tail(&["authentication"]));
        std::thread::sleep(Duration::from_secs(3));
        assert!(!tail.is_finished(), "it has not asked for the end of every partition");
        cluster.partition_leader(&topic, 1, Some(1)).unwrap();
        assert!(tail.join().unwrap().is_empty());
    });
}

#[test]
fn throttling_by_sqs_is_waited_out() {
    let _broker = broker();
    let proxy = Proxy::start(|action, before| {
        (action == "ReceiveMessage" && (1..6).contains(&before)).then_some((400, "RequestThrottled"))
    });
    let bench = Bench::new("throttled").through(&proxy.url);
    let (bodies, wanted) = events(50);
    let worker = bench.worker("worker");
    worker.until_logged("receive failed, trying again");
    bench.send(&bodies);
    bench.assert_published_once(&wanted);
    assert!(worker.metric("okta_ocsf_sqs_errors_total", "ReceiveMessage") >= 5.0);
    assert!(worker.ready().unwrap().0, "it has recovered");
}

#[test]
fn deletes_that_fail_are_tried_again() {
    let _broker = broker();
    let proxy =
        Proxy::start(|action, before| (action == "DeleteMessageBatch" && before < 3).then_some((500, "InternalError")));
    let bench = Bench::new("deletes").through(&proxy.url);
    let (bodies, wanted) = events(30);
    bench.send(&bodies);
    let _worker = bench.worker("worker");
    bench.until_drained();
    assert!(proxy.calls("DeleteMessageBatch") > 3);
    bench.assert_published_once(&wanted);
}

#[test]
fn credentials_that_stop_working_are_an_error_in_the_log_and_the_health_but_no_end() {
    let _broker = broker();
    let proxy = Proxy::start(|action, before| {
        (action == "ReceiveMessage" && (2..5).contains(&before)).then_some((403, "InvalidClientTokenId"))
    });
    let bench = Bench::new("rotated").through(&proxy.url);
    let worker = bench.worker("worker");
    worker.until_logged("a person is needed");
    let (bodies, wanted) = events(10);
    bench.send(&bodies);
    bench.assert_published_once(&wanted);
}

/// Publishes half of the events, then starts the worker with a limit on the size of files, which the system reports
/// as it reports a full disk, and asserts that it ends and says why.
fn fill_the_disk(bench: &Bench, blocks: u32) -> std::collections::BTreeSet<String> {
    let (bodies, wanted) = events(2_000);
    bench.send(&bodies[..200]);
    let mut worker = bench.worker("worker");
    until("the first events are published", || (worker.metric("okta_ocsf_published_total", "") >= 200.0).then_some(()));
    assert_eq!(worker.stop(), 0);
    bench.send(&bodies[200..]);
    let mut command = Command::new("bash");
    let (program, config) = (env!("CARGO_BIN_EXE_okta-ocsf"), bench.config("worker"));
    let run = format!("trap '' XFSZ; ulimit -f {blocks}; exec {program} run --config {}", config.display());
    command.args(["-c", &run]);
    let mut worker = Worker::spawn(command, &bench.folder.join("worker.log"));
    assert_eq!(worker.exit_status(), 74, "{}", worker.log());
    let log = worker.log();
    assert!(log.contains("what to do:") && log.contains("File too large"), "{log}");
    wanted
}

#[test]
fn a_full_disk_ends_the_worker_with_a_reason_and_loses_nothing() {
    let _broker = broker();
    let bench = Bench::new("disk");
    let wanted = fill_the_disk(&bench, 110);
    let _worker = bench.worker("worker");
    bench.assert_published_once(&wanted);
}

#[test]
fn a_full_disk_under_the_embedded_log_loses_nothing_either() {
    let bench = Bench::local("disk");
    let wanted = fill_the_disk(&bench, 700);
    let _worker = bench.worker("worker");
    until("everything is published", || (bench.in_files().len() >= wanted.len()).then_some(()));
    bench.until_drained();
    let found = bench.in_files();
    assert_eq!(found.len(), wanted.len());
    assert_eq!(found.into_iter().collect::<std::collections::BTreeSet<_>>(), wanted);
}
