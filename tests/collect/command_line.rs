//! What a person or a script at a prompt sees of `okta-ocsf collect`.

use crate::bench::{BY_TOKEN, Bench, SOME, only, org};
use crate::support::until;

#[test]
fn a_worker_that_holds_the_data_directory_is_told_with_what_to_do() {
    let org = org(30, &[]);
    let bench = Bench::of(&org, BY_TOKEN);
    let worker = bench.run();
    until("the worker is at work", || {
        worker.ready().filter(|(_, report)| report.contains("the last snapshot has ended"))
    });
    let collected = bench.collect(&[]);
    assert_eq!(collected.status, Some(78));
    for part in ["another worker uses the data directory", "its schedule reads the orgs", "stop it"] {
        assert!(collected.said.contains(part), "{part:?} is missing in:\n{}", collected.said);
    }
}

#[test]
fn an_unknown_collection_is_told_with_its_neighbours_before_anything_is_asked() {
    let org = org(30, &[]);
    let collected = Bench::of(&org, BY_TOKEN).collect(&["--collections", "grups"]);
    assert_eq!(collected.status, Some(78));
    assert!(collected.said.contains("there is no collection \"grups\"; near it: groups"), "{}", collected.said);
    assert_eq!(org.calls(), 0);
}

#[test]
fn an_unknown_org_and_one_without_an_api_are_told_apart() {
    let org = org(30, &[]);
    let collected = Bench::of(&org, BY_TOKEN).collect(&["--org", "acne"]);
    assert_eq!(collected.status, Some(78));
    assert!(collected.said.contains("there is no org \"acne\" in the configuration"), "{}", collected.said);
}

#[test]
fn json_has_one_object_for_each_org_with_every_collection_in_it() {
    let org = org(30, &[]);
    let collected = Bench::of(&org, BY_TOKEN).collect(&[]);
    collected.assert_complete();
    let [acme] = collected.orgs.as_slice() else { panic!("{:?}", collected.orgs) };
    assert_eq!((&acme["org"], &acme["engine"]), (&"acme".into(), &"Identity Engine".into()));
    assert!(acme["aborted"].is_null() && acme["refused"] == 0, "{acme:#}");
    for number in ["epoch", "elapsed_ms", "calls"] {
        assert!(acme[number].is_u64(), "{number}: {acme:#}");
    }
    let rows = acme["collections"].as_array().unwrap();
    let mut names: Vec<_> = rows.iter().map(|row| row["collection"].as_str().unwrap()).collect();
    names.sort_unstable();
    let mut expected = SOME.to_vec();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for row in rows {
        assert!(row["verdict"] == "complete" && row["detail"].is_null(), "{row:#}");
        assert!(row["objects"].is_u64() && row["calls"].as_u64() >= Some(1), "{row:#}");
    }
    let sum: u64 = rows.iter().map(|row| row["calls"].as_u64().unwrap()).sum();
    assert_eq!(acme["calls"], sum);
    assert!(collected.said.contains("acme: begins, 9 collections, read by this process"), "{}", collected.said);
}

#[test]
fn what_hangs_on_what_was_asked_for_is_left_out_and_what_it_hangs_on_is_read_too() {
    let org = org(30, &[]);
    let bench = Bench::new().org("acme", &org.url, BY_TOKEN, &only(&["zones"]));
    let collected = bench.collect(&["--collections", "group_members"]);
    collected.assert_complete();
    let rows = collected.org("acme")["collections"].as_array().unwrap();
    let names: Vec<_> = rows.iter().map(|row| row["collection"].as_str().unwrap()).collect();
    assert_eq!(names, ["groups", "group_members"]);
}

#[test]
fn what_was_interrupted_says_that_it_can_go_on_and_does() {
    let org = org(300, &["--latency-ms", "100"]);
    let bench = Bench::of(&org, BY_TOKEN);
    let collecting = bench.start_collecting(&[]);
    org.until_answered("GET /api/v1/users/{}/factors", 30);
    collecting.terminate();
    let collected = collecting.end();
    assert_eq!(collected.status, Some(1));
    for part in ["interrupted before all was read", "it goes on where this stopped"] {
        assert!(collected.said.contains(part), "{part:?} is missing in:\n{}", collected.said);
    }
    bench.collect(&["--collections", "zones"]).assert_complete();
    let ended = bench.landed().marks("snapshot_ended");
    assert!(ended.len() == 2 && ended.iter().all(|mark| mark["aborted"].is_null()), "{ended:?}");
}
