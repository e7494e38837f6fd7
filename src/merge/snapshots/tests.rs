use proptest::prelude::*;

use super::*;
use crate::landing::Origin;
use crate::merge::{Fold, MemoryStore, RedbStore, StateReader, StateStore, Verdict};
use crate::okta::OrgId;

fn record(content: Content, value: Vec<u8>, landed_at: i64) -> LandingRecord {
    LandingRecord { org: OrgId::new("acme"), origin: Origin::Snapshot, landed_at, content, value }
}

fn mark(mark: &Mark) -> LandingRecord {
    let (name, value) = mark.write().unwrap();
    record(Content::Mark { name: name.to_owned() }, value, 7_000)
}

fn begun(epoch: i64) -> Mark {
    Mark::Begun(Begun {
        epoch,
        requests: vec!["r1".into()],
        whole: true,
        engine: "identity".into(),
        collections: vec!["users".into(), "user_factors".into()],
        rosters: vec!["users".into()],
    })
}

fn listed(epoch: i64, keys: &[&str]) -> Mark {
    Mark::Listed(Keys { epoch, roster: "users".into(), keys: keys.iter().map(|key| (*key).to_owned()).collect() })
}

fn ended(epoch: i64, outcome: Outcome) -> Mark {
    Mark::CollectionEnded(CollectionEnded { epoch, collection: "users".into(), outcome, objects: 2, calls: 1 })
}

fn cursor(place: &Place) -> LandingRecord {
    record(Content::Cursor { name: "users".into() }, serde_json::to_vec(place).unwrap(), 7_000)
}

/// Folds the records as batches of one each, on a store that goes on.
fn fold(store: &mut impl StateStore, records: &[LandingRecord]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for record in records {
        let mut fold = Fold::new(store, 90);
        verdicts.push(fold.apply(store.next_offset(), record, store).unwrap().verdict);
        let changes = fold.finish(store, Vec::new());
        store.commit(&changes).unwrap();
    }
    verdicts
}

fn standing(store: &impl StateStore) -> Snapshots {
    store.snapshots(&OrgId::new("acme")).cloned().unwrap_or_default()
}

fn roster(epoch: i64) -> Roster {
    Roster { org: OrgId::new("acme"), epoch, name: "users".into() }
}

#[test]
fn a_snapshot_runs_from_its_request_to_its_end() {
    let mut store = MemoryStore::default();
    let request =
        Mark::Requested(Requested { id: "r1".into(), collections: Vec::new(), objects: Vec::new(), since: None });
    fold(&mut store, &[mark(&request), mark(&request)]);
    assert_eq!(standing(&store).requests.len(), 1, "a request that is landed twice is one");
    let place = Place { epoch: 10, next: Some("/x?after=1".into()), objects: 2, ..Place::default() };
    fold(&mut store, &[mark(&begun(10)), mark(&listed(10, &["00u1", "00u2"])), cursor(&place)]);
    let run = standing(&store).running.unwrap();
    assert_eq!((run.epoch, run.rosters["users"], &run.readings["users"].place), (10, 2, &place));
    assert!(standing(&store).requests.is_empty(), "what a snapshot answers waits no longer");
    fold(&mut store, &[mark(&ended(10, Outcome::Complete)), mark(&Mark::Ended(Ended { epoch: 10, aborted: None }))]);
    let now = standing(&store);
    assert_eq!(now.running, None);
    assert_eq!(now.last, Some(Last { epoch: 10, ended_at: 7_000, aborted: None }));
    assert_eq!(now.last_whole, now.last);
    assert_eq!(now.standings["users"].last_complete, Some(10));
    assert!(store.roster(&roster(10), 0, 9).unwrap().is_empty(), "rosters end with their snapshot");
}

#[test]
fn a_bad_reading_does_not_hide_when_the_last_complete_one_was() {
    let mut store = MemoryStore::default();
    fold(&mut store, &[mark(&begun(10)), mark(&ended(10, Outcome::Complete)), mark(&begun(20))]);
    fold(&mut store, &[mark(&ended(20, Outcome::Forbidden { missing: "grant x".into() }))]);
    let standing = &standing(&store).standings["users"];
    assert_eq!((standing.epoch, standing.last_complete), (20, Some(10)));
    assert_eq!(standing.outcome.detail(), Some("grant x"));
}

#[test]
fn what_a_late_owner_writes_changes_nothing_that_runs() {
    let mut store = MemoryStore::default();
    fold(&mut store, &[mark(&begun(10)), mark(&begun(20))]);
    assert_eq!(standing(&store).last.unwrap().aborted.as_deref(), Some("another snapshot began"));
    let before = standing(&store);
    let late = Place { epoch: 10, objects: 99, ..Place::default() };
    let end = Mark::Ended(Ended { epoch: 10, aborted: None });
    fold(&mut store, &[mark(&begun(15)), mark(&begun(20)), cursor(&late), mark(&listed(10, &["00u9"])), mark(&end)]);
    fold(&mut store, &[mark(&ended(10, Outcome::Complete))]);
    assert_eq!(standing(&store), before);
    assert!(store.roster(&roster(20), 0, 9).unwrap().is_empty());
}

#[test]
fn a_cursor_after_the_end_of_its_collection_is_ignored() {
    let mut store = MemoryStore::default();
    let late = Place { epoch: 10, next: Some("/x".into()), ..Place::default() };
    fold(&mut store, &[mark(&begun(10)), mark(&ended(10, Outcome::Complete)), cursor(&late)]);
    assert_eq!(standing(&store).running.unwrap().readings["users"].place.next, None);
}

#[test]
fn what_cannot_be_read_is_set_aside_and_unknown_marks_are_for_others() {
    let mut store = MemoryStore::default();
    let content = |name: &str| Content::Mark { name: name.to_owned() };
    let verdicts = fold(
        &mut store,
        &[
            record(content("snapshot_begun"), b"{}".to_vec(), 1),
            record(Content::Cursor { name: "users".into() }, b"[".to_vec(), 1),
            record(content("snapshot_progress"), b"whatever".to_vec(), 1),
        ],
    );
    assert_eq!(verdicts, [Verdict::Unreadable, Verdict::Unreadable, Verdict::Noted]);
    assert_eq!(store.next_offset(), 3);
}

#[test]
fn orgs_are_apart() {
    let mut store = MemoryStore::default();
    let mut other = mark(&begun(10));
    other.org = OrgId::new("globex");
    fold(&mut store, &[other, mark(&listed(10, &["00u1"]))]);
    assert_eq!(standing(&store).running, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// Keys come in pages that overlap; wherever batches are cut, each key has one place, without gaps.
    #[test]
    fn a_roster_holds_each_key_once_in_the_order_of_its_coming(
        pages in prop::collection::vec(prop::collection::vec(0..30u8, 0..8), 0..10),
        cuts in prop::collection::vec(any::<bool>(), 10),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut redb = RedbStore::open(&folder.path().join("0.redb")).unwrap();
        let mut memory = MemoryStore::default();
        let mut expected: Vec<String> = Vec::new();
        let mut records = vec![mark(&begun(10))];
        for page in &pages {
            let keys: Vec<String> = page.iter().map(|key| format!("00u{key}")).collect();
            for key in &keys {
                if !expected.contains(key) {
                    expected.push(key.clone());
                }
            }
            records.push(mark(&Mark::Listed(Keys { epoch: 10, roster: "users".into(), keys })));
        }
        fold_in_batches(&mut redb, &records, &cuts);
        fold_in_batches(&mut memory, &records, &cuts);
        let reader = redb.reader();
        prop_assert_eq!(&reader.roster(&roster(10), 0, 100).unwrap(), &expected);
        prop_assert_eq!(&StateReader::roster(&memory, &roster(10), 0, 100).unwrap(), &expected);
        let rest: Vec<_> = expected.iter().skip(3).take(4).cloned().collect();
        prop_assert_eq!(reader.roster(&roster(10), 3, 4).unwrap(), rest);
        let org = OrgId::new("acme");
        let read = reader.snapshots(&org).unwrap();
        prop_assert_eq!(read.as_ref(), StateStore::snapshots(&memory, &org));
        drop((redb, reader));
        let reopened = RedbStore::open(&folder.path().join("0.redb")).unwrap();
        prop_assert_eq!(StateStore::snapshots(&reopened, &org), StateStore::snapshots(&memory, &org));
    }
}

fn fold_in_batches(store: &mut impl StateStore, records: &[LandingRecord], cuts: &[bool]) {
    let mut fold = Fold::new(store, 90);
    for (offset, record) in records.iter().enumerate() {
        fold.apply(offset as u64, record, store).unwrap();
        if cuts.get(offset).copied().unwrap_or(true) {
            let changes = fold.finish(store, Vec::new());
            store.commit(&changes).unwrap();
        }
    }
    let changes = fold.finish(store, Vec::new());
    store.commit(&changes).unwrap();
}
