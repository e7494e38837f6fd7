use std::collections::HashSet;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::landing::{Content, Origin};
use crate::merge::{MemoryStore, RedbStore};
use crate::okta::OrgId;

const WINDOW_DAYS: u32 = 3;

fn event(org: &str, uuid: u128, published_day: i64, landed_day: i64) -> LandingRecord {
    LandingRecord {
        org: OrgId::new(org),
        origin: Origin::Sqs,
        landed_at: landed_day * DAY_MS + 2,
        content: Content::Event { uuid: Uuid::from_u128(uuid), published: published_day * DAY_MS + 1 },
        value: Vec::new(),
    }
}

/// Folds the records in batches that end where `cuts` says; gives every verdict.
fn fold_in_batches(records: &[LandingRecord], cuts: &[bool], store: &mut impl StateStore) -> Vec<Verdict> {
    let mut fold = Fold::new(store, WINDOW_DAYS);
    let mut verdicts = Vec::new();
    for (offset, record) in records.iter().enumerate() {
        verdicts.push(fold.apply(offset as u64, record, store).unwrap().verdict);
        if cuts.get(offset).copied().unwrap_or(false) {
            let changes = fold.finish(store, Vec::new());
            store.commit(&changes).unwrap();
        }
    }
    let changes = fold.finish(store, Vec::new());
    store.commit(&changes).unwrap();
    verdicts
}

#[test]
fn a_duplicate_is_dropped_in_the_same_batch_and_in_a_later_one() {
    let mut store = MemoryStore::default();
    let same = event("acme", 1, 0, 0);
    let verdicts = fold_in_batches(&[same.clone(), same.clone(), same], &[false, true, false], &mut store);
    assert_eq!(verdicts, [Verdict::Fresh, Verdict::Duplicate, Verdict::Duplicate]);
    assert_eq!(store.next_offset(), 3);
}

#[test]
fn orgs_never_meet_even_with_the_same_uuid() {
    let records = [event("acme", 1, 0, 0), event("globex", 1, 0, 0)];
    let verdicts = fold_in_batches(&records, &[true], &mut MemoryStore::default());
    assert_eq!(verdicts, [Verdict::Fresh, Verdict::Fresh]);
}

#[test]
fn a_bucket_is_dropped_whole_after_the_window_and_not_before() {
    let mut store = MemoryStore::default();
    let first = [event("acme", 1, 0, 0), event("acme", 2, 0, 1)];
    fold_in_batches(&first, &[true, true], &mut store);
    let bucket = Bucket { org: OrgId::new("acme"), day: 0 };
    // Something was last added on day 1, so day 4 is still within three days and day 5 is not.
    for (day, kept) in [(4, true), (5, false)] {
        let mut fold = Fold::new(&store, WINDOW_DAYS);
        fold.apply(100, &event("acme", 3, day, day), &store).unwrap();
        let changes = fold.finish(&store, Vec::new());
        assert_eq!(changes.dropped.is_empty(), kept, "on day {day}");
        store.commit(&changes).unwrap();
        assert_eq!(store.buckets().contains_key(&bucket), kept, "on day {day}");
    }
}

#[test]
fn an_event_from_the_far_future_does_not_stay_for_ever() {
    let mut store = MemoryStore::default();
    fold_in_batches(&[event("acme", 1, 3_000_000, 0)], &[true], &mut store);
    fold_in_batches(&[event("acme", 2, 10, 10)], &[true], &mut store);
    let days: Vec<_> = store.buckets().keys().map(|bucket| bucket.day).collect();
    assert_eq!(days, [10]);
}

#[test]
fn a_bucket_that_is_added_to_in_the_batch_that_would_drop_it_stays() {
    let mut store = MemoryStore::default();
    fold_in_batches(&[event("acme", 1, 0, 0)], &[true], &mut store);
    // Late history of day 0 arrives ten days later: it is deduplicated among itself from here on.
    fold_in_batches(&[event("acme", 2, 0, 10)], &[true], &mut store);
    let verdicts = fold_in_batches(&[event("acme", 2, 0, 11)], &[true], &mut store);
    assert_eq!(verdicts, [Verdict::Duplicate]);
}

#[test]
fn the_redb_store_remembers_over_a_restart_and_refuses_a_second_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0.redb");
    let mut store = RedbStore::open(&path).unwrap();
    fold_in_batches(&[event("acme", 1, 0, 7)], &[true], &mut store);
    assert!(RedbStore::open(&path).is_err(), "the file has an owner");
    drop(store);
    let mut store = RedbStore::open(&path).unwrap();
    assert_eq!((store.next_offset(), store.clock()), (1, 7 * DAY_MS + 2));
    let again = Seen { bucket: Bucket { org: OrgId::new("acme"), day: 0 }, uuid: Uuid::from_u128(1).into_bytes() };
    assert_eq!(store.ways(&again).unwrap(), Ways::STREAM);
    let changes = Fold::new(&store, WINDOW_DAYS).finish(&store, b"sealed".to_vec());
    store.commit(&changes).unwrap();
    drop(store);
    assert_eq!(RedbStore::open(&path).unwrap().sink_position(), b"sealed");
}

fn records() -> impl Strategy<Value = Vec<LandingRecord>> {
    // Few uuids and days, so that duplicates and expiry are common. Landing days grow, as time does.
    let one = (0..2usize, 0..12u128, 0..4i64, 0..3i64);
    prop::collection::vec(one, 0..120).prop_map(|steps| {
        let mut landed_day = 0;
        let orgs = ["acme", "globex"];
        steps
            .into_iter()
            .map(|(org, uuid, published_day, step)| {
                landed_day += i64::from(step == 2);
                event(orgs[org], uuid, published_day, landed_day)
            })
            .collect()
    })
}

/// What the fold promises, said as naively as possible: within the window an event is fresh exactly once. A day of an
/// org is forgotten when a batch ends more than the window after something was last added to it.
fn oracle(records: &[LandingRecord], cuts: &[bool]) -> Vec<Verdict> {
    let mut seen: HashSet<(String, i64, Uuid)> = HashSet::new();
    let mut last_added: std::collections::HashMap<(String, i64), i64> = Default::default();
    let mut touched: HashSet<(String, i64)> = HashSet::new();
    let mut verdicts = Vec::new();
    let mut today = 0;
    for (offset, record) in records.iter().enumerate() {
        let Content::Event { uuid, published } = record.content else { unreachable!("only events are made here") };
        let bucket = (record.org.to_string(), published / DAY_MS);
        today = today.max(record.landed_at / DAY_MS);
        let fresh = seen.insert((bucket.0.clone(), bucket.1, uuid));
        if fresh {
            touched.insert(bucket);
        }
        verdicts.push(if fresh { Verdict::Fresh } else { Verdict::Duplicate });
        if cuts.get(offset).copied().unwrap_or(false) {
            for bucket in touched.drain() {
                last_added.insert(bucket, today);
            }
            let gone: Vec<_> = last_added
                .iter()
                .filter(|(_, last)| **last < today - i64::from(WINDOW_DAYS))
                .map(|(bucket, _)| bucket.clone())
                .collect();
            for bucket in gone {
                last_added.remove(&bucket);
                seen.retain(|(org, day, _)| (org, day) != (&bucket.0, &bucket.1));
            }
        }
    }
    verdicts
}

proptest! {
    #[test]
    fn the_fold_agrees_with_the_oracle_whatever_the_batches(
        records in records(),
        cuts in prop::collection::vec(any::<bool>(), 120),
    ) {
        let verdicts = fold_in_batches(&records, &cuts, &mut MemoryStore::default());
        prop_assert_eq!(verdicts, oracle(&records, &cuts));
    }

    #[test]
    fn within_the_window_any_batching_gives_the_same_output(
        records in records().prop_map(|mut records| {
            records.iter_mut().for_each(|record| record.landed_at = 0);
            records
        }),
        cuts in prop::collection::vec(any::<bool>(), 120),
    ) {
        let batched = fold_in_batches(&records, &cuts, &mut MemoryStore::default());
        let at_once = fold_in_batches(&records, &[], &mut MemoryStore::default());
        prop_assert_eq!(batched, at_once);
    }
}

proptest! {
    // Each case makes a file and syncs it, so there are fewer.
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn both_stores_remember_the_same(records in records(), cuts in prop::collection::vec(any::<bool>(), 120)) {
        let folder = tempfile::tempdir().unwrap();
        let mut redb = RedbStore::open(&folder.path().join("0.redb")).unwrap();
        let mut memory = MemoryStore::default();
        let from_redb = fold_in_batches(&records, &cuts, &mut redb);
        let from_memory = fold_in_batches(&records, &cuts, &mut memory);
        prop_assert_eq!(from_redb, from_memory);
        prop_assert_eq!(redb.buckets(), memory.buckets());
        prop_assert_eq!(redb.next_offset(), memory.next_offset());
        prop_assert_eq!(redb.clock(), memory.clock());
    }
}
