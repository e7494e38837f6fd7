//! Stream and poll together: what the one does not bring the other does, each event comes out once, and the ledger says so.

use okta_ocsf::merge::RedbStore;
use okta_ocsf::merge::system_log::{Counts, Standing, ledger, standing};
use okta_ocsf::okta::OrgId;

use crate::support::{Bench, Org, broker, stack, stream_alone, until};

/// The state of the org's partition, of a worker that has ended.
fn state(bench: &Bench) -> (RedbStore, Standing) {
    let files = std::fs::read_dir(bench.folder.join("worker-data/state")).unwrap();
    let acme = OrgId::new("acme");
    let mut stores = files.map(|file| RedbStore::open(&file.unwrap().path()).unwrap());
    stores
        .find_map(|store| {
            let standing = standing(&store, &acme).unwrap();
            standing.cursor.is_some().then_some((store, standing))
        })
        .unwrap()
}

#[test]
fn what_a_lossy_stream_does_not_bring_the_poll_does_over_two_kills_and_the_ledger_says_so() {
    let _broker = broker();
    let _stream = stream_alone();
    let (queue, bus) = (stack("STACK_QUEUE_URL"), stack("STACK_EVENT_BUS"));
    let org = Org::start(&[
        "--event-bus",
        &bus,
        "--queue-url",
        &queue,
        "--events",
        "900",
        "--events-per-second",
        "30",
        "--seed",
        "11",
        "--duplicates",
        "0.1",
        "--late",
        "0.05",
        "--loss",
        "0.05",
        "--poison",
        "0",
    ]);
    let bench = Bench::new("log").on_queue(queue);
    let token = bench.folder.join("token");
    std::fs::write(&token, "sim-token").unwrap();
    let bench = bench.extra(&format!(
        "[org.api]\nurl = {:?}\ntoken = {{ file = {token:?} }}\n[org.snapshot]\ninterval_hours = 0\n\
         [org.log]\nevery_seconds = 1\nstream_grace_seconds = 10\n",
        org.url
    ));
    let mut worker = bench.worker("worker");
    worker.until_logged("polling the System Log begins");
    until("the poll has read something", || (worker.metric("okta_ocsf_landed_total", "poll") > 1.0).then_some(()));
    // The stream is watched from the next minute on.
    org.advance(60);
    let streamed =
        |wanted: f64| until("the org is on its way", || (org.state()["streamed"].as_f64()? > wanted).then_some(()));
    streamed(150.0);
    worker.kill();
    worker = bench.worker("worker");
    streamed(300.0);
    org.lose(1.0);
    let logged = org.state()["logged"].as_u64().unwrap();
    until("more is logged, and lost", || (org.state()["logged"].as_u64()? > logged + 100).then_some(()));
    worker.kill();
    worker = bench.worker("worker");
    org.lose(0.0);
    until("the day is over", || (org.state()["phase"] == "done").then_some(()));
    bench.assert_published_once(&org.logged());

    // Minutes later the stream is judged, and then it brings everything.
    until("an alarm", || {
        org.advance(61);
        std::thread::sleep(std::time::Duration::from_secs(2));
        worker.log().contains("the log stream does not bring what it should").then_some(())
    });
    until("the gap is closed", || {
        org.emit("zone.update", 2);
        std::thread::sleep(std::time::Duration::from_secs(2));
        org.advance(61);
        worker.log().contains("the log stream brings everything again").then_some(())
    });
    until("all is streamed", || (org.state()["phase"] == "done").then_some(()));
    bench.until_drained();
    bench.assert_published_once(&org.logged());
    org.advance(1_200);
    let calls = org.answered("GET /api/v1/logs", 200);
    until("the poll has passed the last minute", || (org.answered("GET /api/v1/logs", 200) > calls + 1).then_some(()));
    assert_eq!(worker.stop(), 0);

    let (logged, streamed) = (org.state()["logged"].as_u64().unwrap(), org.state()["streamed"].as_u64().unwrap());
    assert!(logged - streamed > 100, "the stream must have lost something: {}", org.state());
    let (store, standing) = state(&bench);
    let read_to = standing.read_to.unwrap();
    let minutes = ledger(&store, &OrgId::new("acme"), read_to - 6 * 3_600_000, read_to).unwrap();
    let mut counts = Counts::default();
    minutes.iter().for_each(|minute| counts += minute.counts);
    assert_eq!((counts.all, counts.stream), (logged, streamed));
    assert_eq!(counts.poll, logged, "the poll overlaps all of it");
    let open: Vec<_> = minutes.iter().filter(|minute| minute.counts.all > 0 && !minute.complete).collect();
    assert!(open.is_empty(), "not complete: {open:?}");
    assert_eq!(standing.watch.unwrap().alarm, None);
    let recovered: u64 = standing.gaps.iter().map(|gap| gap.recovered).sum();
    assert!(recovered > 100 && recovered <= logged - streamed, "{recovered} of {}", logged - streamed);
    assert!(standing.lost.is_empty());
}
