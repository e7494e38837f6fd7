//! The state outlives its disk: crashes at every step of the changelog, and a worker that has nothing but the topic.

use std::collections::BTreeSet;
use std::path::Path;

use okta_ocsf::kafka::partition_of;
use okta_ocsf::merge::{Changes, RedbStore, StateStore, StoreError};

use crate::support::{Bench, ORG, Org, Worker, broker, events, until};

/// Partitions of the topics of a bench.
const PARTITIONS: i32 = 3;

/// Those of the uuids that were published, as often as they were. An org of its own has further events.
fn published(bench: &Bench, wanted: &BTreeSet<String>) -> Vec<String> {
    let records = bench.tail(&["authentication"]).into_iter();
    let uuids = records.map(|record| record["value"]["metadata"]["original_event_uid"].as_str().unwrap().to_owned());
    let mut uuids: Vec<_> = uuids.filter(|uuid| wanted.contains(uuid)).collect();
    uuids.sort_unstable();
    uuids
}

fn until_published(bench: &Bench, wanted: &BTreeSet<String>) {
    until("all is published", || (published(bench, wanted).len() >= wanted.len()).then_some(()));
    bench.until_drained();
    assert_eq!(published(bench, wanted), wanted.iter().cloned().collect::<Vec<_>>(), "every event once");
}

fn state(bench: &Bench, worker: &str, partition: i32) -> RedbStore {
    let file = format!("{worker}-data/state/{}.landing-{partition}.redb", bench.name);
    RedbStore::open(&bench.folder.join(file)).unwrap()
}

/// All that a store holds, but for what the changelog keeps of itself.
fn held(store: &RedbStore) -> (u64, i64, Changes) {
    let mut all = Changes::default();
    let each: &mut dyn FnMut(&Changes) -> Result<(), StoreError> = &mut |changes| {
        all.writes.extend(changes.writes.clone());
        all.snapshots.extend(changes.snapshots.clone());
        all.listed.extend(changes.listed.clone());
        for (bucket, events) in &changes.seen {
            all.seen.entry(bucket.clone()).or_default().extend(events.clone());
        }
        Ok(())
    };
    store.dump(each).unwrap();
    (store.next_offset(), store.clock(), all)
}

/// A worker that only folds: what it knows it has from Kafka.
fn folding(bench: &Bench, name: &str, changelog: bool) -> Worker {
    let path = bench.config(name);
    let text = std::fs::read_to_string(&path).unwrap().replace("[worker]\n", "[worker]\nroles = [\"normalize\"]\n");
    let merge = if changelog { "" } else { "[merge]\nchangelog_topic = \"\"\n" };
    std::fs::write(&path, format!("{text}\n{merge}")).unwrap();
    Worker::start(&path, &bench.folder.join(format!("{name}.log")), &[])
}

fn until_folded(worker: &Worker, partition: i32, end: u64) {
    let label = format!("partition=\"{partition}\"");
    until("all that landed is folded", || {
        (worker.metric("okta_ocsf_partition_next_offset", &label) >= end as f64).then_some(())
    });
}

fn landed(bench: &Bench, partition: i32) -> u64 {
    bench.tail(&["landing"]).iter().filter(|record| record["partition"] == partition).count() as u64
}

#[test]
fn a_lost_disk_is_made_again_from_the_changelog() {
    let _broker = broker();
    let org = Org::start(&["--no-stream", "--users", "300", "--groups", "30", "--limits", "none"]);
    let bench = Bench::new("changelog").reads(&org, "[org.snapshot]\ninterval_hours = 24");
    let (bodies, wanted) = events(100);
    let mut worker = bench.worker("one");
    bench.send(&bodies[..60]);
    worker.until_logged("snapshot ended");
    until("the first events are published", || (published(&bench, &wanted).len() >= 60).then_some(()));
    // What is queued but not folded yet at the end is part of the test.
    assert_eq!(worker.stop(), 0);
    std::fs::remove_dir_all(bench.folder.join("one-data")).unwrap();

    // Nothing of the past may be published again, nor anything that comes twice, and all that is new once.
    let mut worker = bench.worker("two");
    worker.until_logged("state restored from the changelog");
    bench.send(&bodies);
    until_published(&bench, &wanted);
    assert_eq!(worker.stop(), 0);
    assert!(!worker.log().contains("writing the whole state"), "{}", worker.log());

    let partition = partition_of(ORG.as_bytes(), PARTITIONS);
    let end = landed(&bench, partition);
    let mut worker = folding(&bench, "two", true);
    until_folded(&worker, partition, end);
    assert_eq!(worker.stop(), 0);
    assert!(!worker.log().contains("restoring the state"), "its own disk has it: {}", worker.log());
    // And what came of it is what folding the whole log gives.
    let mut worker = folding(&bench, "three", false);
    until_folded(&worker, partition, end);
    assert_eq!(worker.stop(), 0);
    let (restored, folded) = (held(&state(&bench, "two", partition)), held(&state(&bench, "three", partition)));
    assert_eq!((restored.0, restored.1), (folded.0, folded.1));
    assert!(folded.2.writes.len() > 600, "an inventory of 300 users has heads and bodies");
    assert!(restored.2 == folded.2, "the states differ: {}", difference(&restored.2, &folded.2));
    until_published(&bench, &wanted);
}

/// The first few keys in which two states differ, for whoever has to find out why.
fn difference(one: &Changes, other: &Changes) -> String {
    let keys: BTreeSet<_> = one.writes.keys().chain(other.writes.keys()).collect();
    let differ = keys.into_iter().filter(|key| one.writes.get(*key) != other.writes.get(*key));
    let lines = differ.take(5).map(|key| {
        let text = |changes: &Changes| {
            let value = changes.writes.get(key).cloned().flatten();
            value.map(|value| String::from_utf8_lossy(&value).into_owned())
        };
        format!("\n{}: {:?} {:?}", String::from_utf8_lossy(key), text(one), text(other))
    });
    lines.collect()
}

#[test]
fn a_changelog_that_is_new_is_given_the_whole_state() {
    let _broker = broker();
    let bench = Bench::new("new-changelog");
    let (bodies, wanted) = events(60);
    bench.send(&bodies[..40]);
    let path = bench.config("one");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}\n[merge]\nchangelog_topic = \"\"\n")).unwrap();
    let mut worker = Worker::start(&path, &bench.folder.join("one.log"), &[]);
    worker.until_ready();
    until("the first events are published", || (published(&bench, &wanted).len() >= 40).then_some(()));
    assert_eq!(worker.stop(), 0);
    let mut worker = bench.worker("one");
    worker.until_logged("the changelog has the whole state");
    assert_eq!(worker.stop(), 0);
    std::fs::remove_dir_all(bench.folder.join("one-data")).unwrap();
    let worker = bench.worker("one");
    worker.until_logged("state restored from the changelog");
    bench.send(&bodies);
    until_published(&bench, &wanted);
    assert_eq!(worker.metric("okta_ocsf_folded_total", "fresh"), 20.0, "the first 40 were known, and not folded again");
}

/// Crashes at a point while events come, on a disk that is lost with the process or not.
fn crash_at(point: &str, loses_disk: bool) {
    let bench = Bench::new("changelog-crash");
    let (bodies, wanted) = events(90);
    bench.send(&bodies[..30]);
    let mut worker = bench.worker("worker");
    until("the first events are published", || (published(&bench, &wanted).len() >= 30).then_some(()));
    assert_eq!(worker.stop(), 0);
    let data = bench.folder.join("worker-data");
    let lose = |data: &Path| {
        if loses_disk {
            std::fs::remove_dir_all(data).unwrap()
        }
    };
    if point == "changelog.restoring" {
        lose(&data);
    }
    let mut worker = bench.start("worker", &[("OKTA_OCSF_CRASH_AT", point)]);
    bench.send(&bodies[30..]);
    assert_eq!(worker.exit_status(), -1, "the worker dies at {point}");
    lose(&data);
    let _worker = bench.worker("worker");
    bench.send(&bodies[..45]);
    until_published(&bench, &wanted);
}

#[test]
fn a_crash_at_any_step_of_the_changelog_loses_and_doubles_nothing() {
    let _broker = broker();
    for point in ["changelog.claimed", "changelog.unmarked", "changelog.written"] {
        crash_at(point, false);
        crash_at(point, true);
    }
    crash_at("changelog.restoring", true);
}
