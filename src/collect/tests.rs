//! Readers against a small org of this process, landing in a local log.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::fetch::{Wanted, fetch};
use super::land::{Lander, Room};
use super::org::Org;
use super::progress::Progress;
use super::table::Collection;
use crate::landing::local::LocalLanding;
use crate::landing::{Content, LandingPartition, LandingRecord, Observation, Origin};
use crate::merge::MemoryStore;
use crate::merge::snapshots::Outcome;
use crate::okta::api::tests::org::{self, Incoming, reply};
use crate::okta::gate::Gate;
use crate::okta::quota::Policy;
use crate::okta::{OrgId, Pace};

struct Reading {
    peer: org::Org,
    org: Arc<Org>,
    log: Arc<LocalLanding>,
    _folder: tempfile::TempDir,
    _committed: watch::Sender<u64>,
}

async fn reading(
    answer: impl Fn(&Incoming) -> axum::http::Response<axum::body::Body> + Send + Sync + 'static,
) -> Reading {
    let peer = org::Org::start(answer).await;
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(LocalLanding::open(&folder.path().join("landing.redb"), Duration::MAX).unwrap());
    let (committed, watching) = watch::channel(0);
    let id = OrgId::new("acme");
    let org = Org {
        id: id.clone(),
        client: peer.client(),
        gate: Gate::new("acme", Policy::default(), Pace::real()),
        lander: Lander::new(id, Arc::clone(&log) as _, Room::default()),
        state: Arc::new(MemoryStore::default()),
        committed: watching,
        progress: Progress::default(),
    };
    Reading { peer, org: Arc::new(org), log, _folder: folder, _committed: committed }
}

impl Reading {
    fn landed(&self) -> Vec<LandingRecord> {
        let mut partition = self.log.partition(0);
        std::iter::from_fn(|| partition.next(Duration::ZERO).unwrap()).map(|record| record.content.unwrap()).collect()
    }
}

fn observation(record: &LandingRecord) -> &Observation {
    match &record.content {
        Content::Observation(observation) => observation,
        other => panic!("{other:?}"),
    }
}

fn wanted(keys: impl IntoIterator<Item = String>, since: Option<i64>) -> Wanted {
    let users = Collection::find("users").unwrap();
    let mut wanted = Wanted::default();
    keys.into_iter().for_each(|key| wanted.add(users, key, since));
    wanted
}

fn user(id: &str) -> String {
    format!(r#"{{"id":"{id}","status":"ACTIVE","lastUpdated":"2023-11-14T22:15:00.000Z"}}"#)
}

#[tokio::test]
async fn an_object_lands_as_it_is_and_one_that_is_gone_as_absent() {
    let reading = reading(|incoming| match incoming.path.as_str() {
        "/api/v1/users/00u1" => reply(200, &[], user("00u1")),
        _ => reply(404, &[], r#"{"errorCode":"E0000007","errorSummary":"Not found","errorCauses":[]}"#),
    })
    .await;
    let fetched = fetch(&reading.org, wanted(["00u1".into(), "00u2".into()], None)).await.unwrap();
    assert_eq!((&fetched[0].outcome, fetched[0].objects, fetched[0].calls), (&Outcome::Complete, 1, 2));
    let mut landed = reading.landed();
    landed.sort_by_key(|record| observation(record).key.clone());
    assert_eq!(landed[0].value, user("00u1").into_bytes());
    assert_eq!((landed[1].value.len(), observation(&landed[1]).key.as_str()), (0, "00u2"));
    for record in &landed {
        let (lo, hi) = observation(record).as_of;
        assert!(record.origin == Origin::Fetch && lo <= hi && observation(record).epoch.is_none());
    }
}

#[tokio::test]
async fn secrets_that_okta_sends_along_do_not_land() {
    let idp = r#"{"id":"0oa1","protocol":{"credentials":{"client":{"client_id":"c","client_secret":"hunter2"}}}}"#;
    let reading = reading(move |_| reply(200, &[], idp)).await;
    let mut wanted = Wanted::default();
    wanted.add(Collection::find("idps").unwrap(), "0oa1".into(), None);
    fetch(&reading.org, wanted).await.unwrap();
    let landed = String::from_utf8(reading.landed()[0].value.clone()).unwrap();
    assert_eq!(landed, idp.replace("hunter2", "(withheld)"));
}

/// A 404 of a proxy, a refusal and an error say nothing of whether there is such an object.
#[tokio::test]
async fn only_okta_itself_can_say_that_an_object_is_gone() {
    for (status, body) in [
        (404, "<html>no such page</html>"),
        (404, r#"{"error":"not found"}"#),
        (403, r#"{"errorCode":"E0000006","errorSummary":"s","errorCauses":[]}"#),
        (401, r#"{"errorCode":"E0000015","errorSummary":"s","errorCauses":[]}"#),
    ] {
        let reading = reading(move |_| reply(status, &[], body)).await;
        let fetched = fetch(&reading.org, wanted(["00u1".into()], None)).await.unwrap();
        assert_ne!(fetched[0].outcome, Outcome::Complete, "{status} {body}");
        assert!(reading.landed().is_empty(), "{status} {body}");
    }
}

#[tokio::test]
async fn a_burst_is_read_by_a_list_of_changes_and_the_rest_one_by_one() {
    let reading = reading(|incoming| match incoming.path.strip_prefix("/api/v1/users/") {
        None => {
            let mut users: Vec<_> = (0..290).map(|n| user(&format!("00u{n}"))).collect();
            // The index has only what this one was before.
            users[7] = users[7].replace("22:15:00", "22:14:10");
            reply(200, &[], format!("[{}]", users.join(",")))
        }
        Some(id) => reply(200, &[], user(id)),
    })
    .await;
    let since = 1_700_000_060_000;
    let fetched = fetch(&reading.org, wanted((0..300).map(|n| format!("00u{n}")), Some(since))).await.unwrap();
    assert_eq!((&fetched[0].outcome, fetched[0].calls), (&Outcome::Complete, 12));
    let list = reading.peer.seen().into_iter().find(|incoming| incoming.path == "/api/v1/users").unwrap();
    assert!(list.query.contains("lastUpdated%20ge%20%222023-11-14T22%3A13%3A20.000Z%22"), "{}", list.query);
    let mut keys: Vec<_> = reading.landed().iter().map(|record| observation(record).key.clone()).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 300, "each is landed");
}

#[tokio::test]
async fn an_object_that_answers_for_another_id_does_not_land() {
    let reading = reading(|_| reply(200, &[], user("00u9"))).await;
    let fetched = fetch(&reading.org, wanted(["me".into()], None)).await.unwrap();
    assert!(matches!(&fetched[0].outcome, Outcome::Failed { why } if why.contains("00u9")), "{:?}", fetched[0].outcome);
    assert!(reading.landed().is_empty());
}

#[tokio::test]
async fn without_knowing_since_when_each_is_asked_for() {
    let reading = reading(|incoming| reply(200, &[], user(incoming.path.rsplit('/').next().unwrap()))).await;
    let fetched = fetch(&reading.org, wanted((0..40).map(|n| format!("00u{n}")), None)).await.unwrap();
    assert_eq!((fetched[0].calls, fetched[0].objects), (40, 40));
}
