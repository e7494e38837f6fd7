use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::ack::Tally;
use crate::config::OrgConfig;
use crate::landing::{Content, Origin};
use crate::okta::OrgId;

/// A data directory with a local log, and a configuration for it.
struct Bench {
    folder: tempfile::TempDir,
    config: Config,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.worker.data_dir = folder.path().join("data");
        config.orgs = ["acme", "globex"].map(|id| OrgConfig { id: id.into(), ..OrgConfig::default() }).into();
        std::fs::create_dir_all(&config.worker.data_dir).unwrap();
        Self { folder, config }
    }

    fn land(&self, records: impl IntoIterator<Item = LandingRecord>) {
        let log = LocalLanding::open(&self.config.worker.data_dir.join("landing.redb"), Duration::MAX).unwrap();
        let tally = Tally::default();
        for mut record in records {
            let mut ack = tally.ack();
            while let Err(refused) = log.append(record, ack) {
                Refused(record, ack) = *refused;
                std::thread::yield_now();
            }
        }
        assert_eq!(tally.wait(Duration::from_secs(60)), Some(Ok(())));
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    async fn run(&self, asked: Asked) -> Result<Summary, Fatal> {
        run(self.config.clone(), asked, Arc::default(), CancellationToken::new()).await
    }

    /// How often each uuid is in the files, with the class names.
    fn published(&self) -> BTreeMap<u128, Vec<String>> {
        let mut found: BTreeMap<u128, Vec<String>> = BTreeMap::new();
        for entry in std::fs::read_dir(self.out()).unwrap() {
            let path = entry.unwrap().path();
            if path.to_str().unwrap().contains("quarantine") {
                continue;
            }
            for line in std::fs::read_to_string(path).unwrap().lines() {
                let record: Value = serde_json::from_str(line).unwrap();
                let uuid = record["metadata"]["original_event_uid"].as_str().unwrap();
                let class = record["class_name"].as_str().unwrap().to_owned();
                found.entry(Uuid::try_parse(uuid).unwrap().as_u128()).or_default().push(class);
            }
        }
        found
    }
}

/// When the time of the tests begins, ms since the Unix epoch.
const BEGIN: i64 = 1_777_000_000_000;

/// An event that landed so many ms after the beginning.
fn event(org: &str, number: u128, after: i64) -> LandingRecord {
    let uuid = Uuid::from_u128(number);
    let published = BEGIN - 1_000 + after;
    let at = jiff::Timestamp::from_millisecond(published).unwrap();
    let value = format!(
        r#"{{"uuid":"{uuid}","published":"{at}","eventType":"user.session.start","severity":"INFO","outcome":{{"result":"SUCCESS"}},"actor":{{"id":"00u1","type":"User","alternateId":"ada@example.com"}}}}"#
    );
    LandingRecord {
        org: OrgId::new(org),
        origin: Origin::Sqs,
        landed_at: BEGIN + after,
        content: Content::Event { uuid, published },
        value: value.into_bytes(),
    }
}

fn scope(since: Option<i64>, until: Option<i64>) -> Scope {
    let at = |after: Option<i64>| after.map(|after| BEGIN + after);
    Scope { by: By::Landed, since: at(since), until: at(until), orgs: BTreeSet::new() }
}

fn asked(scope: Scope, whole: bool, output: Output) -> Asked {
    Asked::New { scope, whole, output }
}

fn numbers(range: std::ops::RangeInclusive<u128>) -> Vec<u128> {
    range.collect()
}

#[tokio::test]
async fn what_was_a_duplicate_is_one_again_and_only_what_was_asked_for_comes_out() {
    let bench = Bench::new();
    let first = (1..=40).map(|number| event("acme", number, i64::try_from(number).unwrap()));
    // Delivered a second time within what is asked for: the first time was before it.
    let again = (1..=20).map(|number| event("acme", number, 25));
    let records: Vec<_> = first.clone().take(25).chain(again).chain(first.skip(25)).collect();
    let other: Vec<_> = (100..=110).map(|number| event("globex", number, 30)).collect();
    bench.land(records.into_iter().chain(other));

    let mut only_acme = scope(Some(21), Some(36));
    only_acme.orgs.insert("acme".into());
    let summary = bench.run(asked(only_acme.clone(), true, Output::Directory(bench.out()))).await.unwrap();
    let published = bench.published();
    assert_eq!(published.keys().copied().collect::<Vec<_>>(), numbers(21..=35));
    assert!(published.values().all(|classes| *classes == ["Authentication"]), "{published:?}");
    assert!(summary.finished);
    assert_eq!((summary.read, summary.chosen), (71, 35), "twenty of those asked for had come before");
    assert_eq!(summary.outputs.published, BTreeMap::from([("authentication", 15)]));
    let left = std::fs::read_dir(bench.config.worker.data_dir.join("reprocess")).unwrap().count();
    assert_eq!(left, 0, "the temporary state goes with the end");

    let summary = bench.run(asked(scope(None, None), true, Output::Nowhere)).await.unwrap();
    assert_eq!(summary.outputs.published, BTreeMap::from([("authentication", 51)]), "a rehearsal counts all");
    assert_eq!(bench.published(), published, "and writes nothing");
}

#[tokio::test]
async fn the_same_event_has_the_same_uid_as_the_first_time() {
    let bench = Bench::new();
    bench.land((1..=3).map(|number| event("acme", number, 0)));
    let mut uids = Vec::new();
    for _ in 0..2 {
        bench.run(asked(scope(None, None), true, Output::Directory(bench.out()))).await.unwrap();
        let path = bench.out().join("okta.ocsf.authentication.ndjson");
        let text = std::fs::read_to_string(&path).unwrap();
        let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        uids.push(
            records.map(|record| record["metadata"]["uid"].clone()).map(|uid| uid.to_string()).collect::<BTreeSet<_>>(),
        );
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!((uids[0].len(), &uids[0]), (3, &uids[1]));
}

#[tokio::test]
async fn bad_records_of_the_time_go_to_quarantine_and_others_do_not() {
    let bench = Bench::new();
    let bad = |number: u128, at: i64| LandingRecord { value: b"{}".to_vec(), ..event("acme", number, at) };
    bench.land([bad(1, 5), bad(2, 15), event("acme", 3, 16), bad(4, 25)]);
    let summary = bench.run(asked(scope(Some(10), Some(20)), true, Output::Directory(bench.out()))).await.unwrap();
    assert_eq!(summary.outputs.quarantined.values().sum::<u64>(), 1);
    assert_eq!(bench.published().keys().copied().collect::<Vec<_>>(), [3]);
    let quarantine = std::fs::read_to_string(bench.out().join("okta.quarantine.ndjson")).unwrap();
    assert_eq!(quarantine.lines().count(), 1);
    assert!(quarantine.contains("landing:0:1"), "{quarantine}");
}

#[tokio::test]
async fn what_was_interrupted_goes_on_and_comes_out_once() {
    let bench = Bench::new();
    let count = u128::try_from(BATCH_RECORDS).unwrap() + 1_000;
    bench.land((1..=count).map(|number| event("acme", number, 0)));
    let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
    let watching = tokio::spawn({
        let (progress, stop) = (Arc::clone(&progress), stop.clone());
        async move {
            while progress.tallies.read.load(Ordering::Relaxed) < 100 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            stop.cancel();
        }
    });
    let all = asked(scope(None, None), true, Output::Directory(bench.out()));
    let summary = run(bench.config.clone(), all, progress, stop).await.unwrap();
    watching.await.unwrap();
    assert!(!summary.finished, "stopped in its first batch");

    let rest = bench.run(Asked::Resume(summary.id.clone())).await.unwrap();
    assert!(rest.finished && rest.id == summary.id);
    assert_eq!(u128::from(rest.read), count, "progress counts what was read before");
    let published = bench.published();
    assert_eq!(published.len() as u128, count);
    assert!(published.values().all(|classes| classes.len() == 1));
    assert!(bench.run(Asked::Resume(summary.id)).await.is_err(), "nothing is left to go on with");
}

#[tokio::test]
async fn beside_a_worker_without_kafka_it_says_what_to_do() {
    let bench = Bench::new();
    let nothing = bench.run(asked(scope(None, None), true, Output::Nowhere)).await.unwrap_err();
    assert!(nothing.to_string().contains("there is no landing log"), "{nothing}");
    bench.land([event("acme", 1, 0)]);
    let worker = DataDir::take(&bench.config.worker.data_dir).unwrap();
    let refused = bench.run(asked(scope(None, None), true, Output::Nowhere)).await.unwrap_err();
    assert_eq!(refused.status(), ExitStatus::Config);
    assert!(refused.advice().unwrap().contains("stop the worker"), "{refused}");
    drop(worker);
    let topics = asked(scope(None, None), true, Output::Topics("p".into()));
    assert!(bench.run(topics).await.unwrap_err().to_string().contains("no [kafka] table"));
    bench.run(asked(scope(None, None), true, Output::Nowhere)).await.unwrap();
}
