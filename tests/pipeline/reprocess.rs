//! The landing log once more through the mapping, beside the worker that did it first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::command_line::{run, text};
use crate::support::{Bench, broker, events, until};

/// `metadata.uid` of every record, with its topic; each must be there once.
fn uids(records: &[Value]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for record in records {
        let uid = record["value"]["metadata"]["uid"].as_str().unwrap().to_owned();
        let topic = record["topic"].as_str().unwrap().to_owned();
        assert!(found.insert(uid, topic).is_none(), "twice: {record}");
    }
    found
}

fn reprocess(bench: &Bench, arguments: &[&str]) -> (i32, String, String) {
    let config = bench.config("reprocess");
    let output = run(&[&["reprocess", "--config", config.to_str().unwrap()], arguments].concat(), b"");
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[test]
fn another_mapping_gives_other_records_of_the_same_events_in_topics_of_their_own() {
    let _broker = broker();
    let bench = Bench::new("reprocess");
    let worker = bench.worker("worker");
    let (bodies, uuids) = events(500);
    bench.send(&bodies);
    // Delivered twice: duplicates the first time, and again now.
    bench.send(&bodies[..200]);
    bench.assert_published_once(&uuids);
    let before = uids(&bench.tail(&[]));

    let own = bench.folder.join("own.csv");
    let header = "event_type,class,activity_id,activity,entity,targets,defaults,why\n";
    std::fs::write(&own, format!("{header}user.session.start,authentication,2,Logoff,,,,\n")).unwrap();
    let own = own.to_str().unwrap();
    let prefix = format!("{}.v2", bench.name);
    let (status, said, error) = reprocess(&bench, &["--dry-run", "--event-types", own, "--json"]);
    assert_eq!(status, 0, "{error}");
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&told["published"]["authentication"], &told["read"]), (&500.into(), &700.into()));

    let (status, said, error) = reprocess(&bench, &["--topic-prefix", &prefix, "--event-types", own]);
    assert_eq!(status, 0, "{said}{error}");
    let signed_out = format!("{prefix}.authentication");
    let records = bench.tail(&[&signed_out]);
    let after = uids(&records);
    assert_eq!(after.keys().collect::<BTreeSet<_>>(), before.keys().collect::<BTreeSet<_>>(), "the same uids");
    for record in &records {
        assert_eq!(record["value"]["type_name"], "Authentication: Logoff");
        assert_eq!(
            record["headers"]["landing"].as_str().unwrap().split(':').next(),
            Some(record["partition"].to_string().as_str())
        );
        assert!(record["headers"]["reprocess"].as_str().is_some_and(|id| said.contains(id)), "{record}");
    }
    assert_eq!(uids(&bench.tail(&[])), before, "what the worker published is as it was");
    drop(worker);
}

#[test]
fn into_the_same_topics_it_goes_only_when_said_and_the_worker_is_not_confused_by_it() {
    let _broker = broker();
    let bench = Bench::new("reprocess-same");
    let mut worker = bench.worker("worker");
    let (bodies, mut uuids) = events(100);
    bench.send(&bodies);
    bench.assert_published_once(&uuids);
    until("the group knows", || (bench.committed() >= 100).then_some(()));

    let own_prefix = format!("{}.ocsf", bench.name);
    let (status, _, error) = reprocess(&bench, &["--topic-prefix", &own_prefix]);
    assert_eq!(status, 78);
    assert!(error.contains("--same-topics"), "{error}");
    let (status, _, error) = reprocess(&bench, &[]);
    assert_eq!(status, 78, "{error}");
    let (status, _, error) = reprocess(&bench, &["--same-topics"]);
    assert_eq!(status, 0, "{error}");
    let twice = bench.published();
    assert!(twice.len() == 100 && twice.values().all(|count| *count == 2), "each once more");

    // The worker dies behind its outputs and before its commit: the outputs must be found behind the reprocessed ones.
    worker.kill();
    let (more, more_uuids) = events(50);
    let mut dying = bench.start("worker", &[("OKTA_OCSF_CRASH_AT", "fold.acknowledged")]);
    bench.send(&more);
    assert_eq!(dying.exit_status(), -1);
    let (status, _, error) = reprocess(&bench, &["--same-topics"]);
    assert_eq!(status, 0, "{error}");
    let worker = bench.worker("worker");
    uuids.extend(more_uuids.clone());
    until("all are there", || (bench.published().len() == 150).then_some(()));
    bench.until_drained();
    let by_owner = bench.tail(&[]).into_iter().filter(|record| record["headers"]["reprocess"].is_null());
    let by_owner = uids(&by_owner.collect::<Vec<_>>());
    assert_eq!(by_owner.len(), 150, "the owner published each once");
    drop(worker);
}
