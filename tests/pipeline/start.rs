//! What stands in the way at the start: said clearly, with what to do and the right exit status, or waited for.

use crate::support::{Bench, Proxy, broker, events, stack, until};

#[test]
fn kafka_that_is_down_at_the_start_is_waited_for() {
    let cluster = rdkafka::mocking::MockCluster::new(1).unwrap();
    let bench = Bench::mock("late-kafka", &cluster);
    cluster.broker_down(-1).unwrap();
    let (bodies, wanted) = events(20);
    bench.send(&bodies);
    let worker = bench.start("worker", &[]);
    worker.until_logged("Kafka does not answer, trying again");
    let (ready, report) = worker.ready().unwrap();
    assert!(!ready && report.contains("does not answer"), "{report}");
    assert_eq!(bench.queue_depth(), (20, 0), "nothing is received before it can be landed");
    cluster.broker_up(-1).unwrap();
    worker.until_ready();
    bench.assert_published_once(&wanted);
}

#[test]
fn a_missing_queue() {
    let _broker = broker();
    let missing = stack("STACK_QUEUE_URL").replace("okta-ocsf-events", "no-such-queue");
    let mut worker = Bench::new("no-queue").on_queue(missing).start("worker", &[]);
    assert_eq!(worker.exit_status(), 69);
    let log = worker.log();
    assert!(log.contains("no-such-queue does not exist") && log.contains("what to do: deploy infra/"), "{log}");
}

#[test]
fn missing_credentials() {
    let _broker = broker();
    let none = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/nonexistent"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent"),
    ];
    let mut worker = Bench::new("no-credentials").start("worker", &none);
    assert_eq!(worker.exit_status(), 77, "{}", worker.log());
    let log = worker.log();
    assert!(log.contains("no AWS credentials were found") && log.contains("what to do:"), "{log}");
}

#[test]
fn wrong_credentials() {
    let _broker = broker();
    let proxy = Proxy::start(|_, _| Some((403, "InvalidClientTokenId")));
    let mut worker = Bench::new("wrong-credentials").through(&proxy.url).start("worker", &[]);
    assert_eq!(worker.exit_status(), 77, "{}", worker.log());
    let log = worker.log();
    assert!(log.contains("AWS refuses to let us read the queue") && log.contains("InvalidClientTokenId"), "{log}");
}

#[test]
fn a_missing_topic_that_may_not_be_created() {
    let _broker = broker();
    let bench = Bench::new("no-topic");
    let create_off = [("OKTA_OCSF__KAFKA__TOPICS__CREATE", "false")];
    let mut worker = bench.start("worker", &create_off);
    assert_eq!(worker.exit_status(), 69, "{}", worker.log());
    let log = worker.log();
    assert!(log.contains("kafka-topics.sh") && log.contains(&format!("--topic {}.landing", bench.name)), "{log}");
    // Somebody creates them; then the same configuration runs.
    bench.worker("creator").stop();
    let worker = bench.start("worker", &create_off);
    worker.until_ready();
}

#[test]
fn an_address_that_is_taken() {
    let _broker = broker();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut worker = Bench::new("taken").start("worker", &[("OKTA_OCSF__TELEMETRY__LISTEN", &address)]);
    assert_eq!(worker.exit_status(), 78);
    assert!(worker.log().contains("telemetry cannot listen on"), "{}", worker.log());
}

#[test]
fn a_data_directory_that_another_worker_uses() {
    let _broker = broker();
    let bench = Bench::new("shared-data");
    let _first = bench.worker("worker");
    let mut second = bench.start("worker", &[]);
    assert_eq!(second.exit_status(), 78);
    assert!(second.log().contains("another worker uses the data directory"), "{}", second.log());
}

#[test]
fn output_topics_with_fewer_partitions_than_the_landing_topic() {
    let _broker = broker();
    let bench = Bench::new("few-partitions");
    let few = [("OKTA_OCSF__KAFKA__TOPICS__PARTITIONS", "1")];
    bench.start("few", &few).until_ready();
    let other_landing = format!("{}.landing2", bench.name);
    let mut worker = bench.start("worker", &[("OKTA_OCSF__LANDING__TOPIC", other_landing.as_str())]);
    assert_eq!(worker.exit_status(), 69);
    until("it says how to mend it", || worker.log().contains("--alter --topic").then_some(()));
}
