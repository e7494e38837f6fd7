//! Owners that come and go, crash in the middle of a batch, write late and lose their disks, over a log that is compacted
//! whenever it may be. Whatever happens, what can be restored is what the last owner has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;
use crate::merge::inventory::InventoryStore;
use crate::merge::snapshots::{Requested, Roster, Snapshots};
use crate::merge::{Bucket, Listed, Seen, Ways};
use crate::okta::OrgId;

const DAY_MS: i64 = 86_400_000;

/// A record in its place.
#[derive(Clone)]
struct Stood {
    offset: u64,
    claim: Option<u64>,
    record: Record,
}

#[derive(Default)]
struct MemoryLog(Mutex<Stand>);

#[derive(Default)]
struct Stand {
    records: Vec<Stood>,
    end: u64,
}

impl Log for Arc<MemoryLog> {
    fn reader(&self) -> Result<Box<dyn LogReader>, ChangelogError> {
        Ok(Box::new(Self::clone(self)))
    }

    fn send(&self, record: &Record, claim: Option<u64>, ack: Ack, place: Option<&Place>) -> Result<(), Ack> {
        let mut stand = self.0.lock().unwrap();
        let offset = stand.end;
        stand.end += 1;
        stand.records.push(Stood { offset, claim, record: record.clone() });
        if let Some(place) = place {
            place.set(offset as i64);
        }
        ack.redeem(Ok(()));
        Ok(())
    }
}

impl LogReader for Arc<MemoryLog> {
    fn low(&self) -> Result<u64, ChangelogError> {
        Ok(0)
    }

    fn read(
        &self,
        range: Range<u64>,
        _: &dyn Fn() -> bool,
        each: &mut dyn FnMut(&Logged<'_>) -> Result<(), ChangelogError>,
    ) -> Result<(), ChangelogError> {
        let records = self.0.lock().unwrap().records.clone();
        for Stood { offset, claim, record } in records.iter().filter(|stood| range.contains(&stood.offset)) {
            each(&Logged { offset: *offset, claim: *claim, key: &record.key, value: record.value.as_deref() })?;
        }
        Ok(())
    }
}

impl MemoryLog {
    fn end(&self) -> u64 {
        self.0.lock().unwrap().end
    }

    /// Compacts what is before a place: of each key only the last record stays. What is gone is forgotten when it is
    /// before `forget`.
    fn compact(&self, until: u64, forget: u64) {
        let mut stand = self.0.lock().unwrap();
        let mut last = BTreeMap::new();
        for stood in stand.records.iter().filter(|stood| stood.offset < until) {
            last.insert(stood.record.key.clone(), stood.offset);
        }
        stand.records.retain(|stood| {
            let newest = stood.offset >= until || last.get(&stood.record.key) == Some(&stood.offset);
            newest && !(stood.record.value.is_none() && stood.offset < forget)
        });
    }

    /// The ends of batches: a pass of the compaction ends hours behind them.
    fn markers(&self) -> Vec<u64> {
        let stand = self.0.lock().unwrap();
        stand.records.iter().filter(|stood| stood.record.key == b"m").map(|stood| stood.offset + 1).collect()
    }
}

/// What the landing log says at one place, whoever folds it.
#[derive(Debug, Clone)]
struct Change {
    writes: Vec<(u8, Option<(u8, usize)>)>,
    seen: Vec<(u8, u8, u8)>,
    dropped: Option<u8>,
    listed: (u8, u8),
    unlisted: Option<u8>,
    snapshots: bool,
}

#[derive(Debug, Clone)]
enum Op {
    Commit,
    /// A batch of which only so many records get out, and then a crash.
    Torn(usize),
    /// The owner before this one still writes so many records of a batch.
    Late(usize),
    Restart,
    LoseDisk,
    /// Another owner, whose own store is old.
    Switch,
    /// Up to this share of what may be compacted.
    Compact(usize),
}

struct World {
    folder: tempfile::TempDir,
    log: Arc<MemoryLog>,
    stores: [Option<RedbStore>; 2],
    owner: usize,
    pen: Option<Pen>,
    before: Option<Pen>,
    /// The first record that nobody has healed yet.
    unhealed: Option<u64>,
    compacted: u64,
    /// What somebody dropped in vain: it is forgotten a batch early.
    doomed: BTreeSet<u8>,
    doomed_rosters: BTreeSet<u8>,
    files: usize,
}

/// All that a store holds.
#[derive(Debug, Default, PartialEq)]
struct Held {
    next_offset: u64,
    clock: i64,
    buckets: BTreeMap<Bucket, i64>,
    all: Changes,
}

fn bucket(number: u8) -> Bucket {
    Bucket { org: OrgId::new(if number == 0 { "acme" } else { "globex" }), day: i64::from(number) }
}

fn roster(number: u8) -> Roster {
    Roster { org: OrgId::new("acme"), epoch: 7, name: format!("users/{number}") }
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            folder: tempfile::tempdir().unwrap(),
            log: Arc::default(),
            stores: [None, None],
            owner: 0,
            pen: None,
            before: None,
            unhealed: None,
            compacted: 0,
            doomed: BTreeSet::new(),
            doomed_rosters: BTreeSet::new(),
            files: 0,
        };
        world.stores = [Some(world.open()), Some(world.open())];
        world.take_over();
        world
    }

    fn path(&mut self) -> PathBuf {
        self.files += 1;
        self.folder.path().join(format!("{}.redb", self.files))
    }

    fn open(&mut self) -> RedbStore {
        let path = self.path();
        RedbStore::open(&path).unwrap()
    }

    fn store(&mut self) -> &mut RedbStore {
        self.stores[self.owner].as_mut().unwrap()
    }

    fn take_over(&mut self) {
        let changelog = Changelog::new(Arc::new(Arc::clone(&self.log)), 0, "test", &Turn::default());
        self.before = self.pen.take();
        let pen = changelog.take_over(self.store(), &Stop::default()).unwrap();
        self.pen = Some(pen);
        self.unhealed = None;
    }

    /// Whose batch did not come to its end is never heard of again: it has crashed, or takes the partition over anew. Only
    /// an owner whose last batch is whole can be late with the next one.
    fn give_up(&mut self) {
        self.pen = None;
    }

    /// The changes that the record at the owner's place makes of its state.
    fn changes(&mut self, script: &[Change]) -> Option<Changes> {
        let store = self.store();
        let at = store.next_offset();
        let change = script.get(usize::try_from(at).unwrap())?;
        let mut changes = Changes { next_offset: at + 1, clock: at.cast_signed() * DAY_MS / 3, ..Changes::default() };
        for (key, value) in &change.writes {
            changes.writes.insert(vec![b'h', *key], value.map(|(byte, length)| vec![byte; length]));
        }
        for (number, uuid, ways) in change.seen.iter().filter(|(number, ..)| change.dropped != Some(*number)) {
            let seen = Seen { bucket: bucket(*number), uuid: [*uuid; 16] };
            let ways = store.ways(&seen).unwrap().and(Ways(*ways));
            let events = changes.seen.entry(seen.bucket).or_default();
            let known = events.entry(seen.uuid).or_default();
            *known = known.and(ways);
        }
        let dropped = change.dropped.map(bucket);
        changes.dropped.extend(dropped.filter(|bucket| store.buckets().contains_key(bucket)));
        let roster_held =
            held(store).all.listed.iter().filter(|listed| listed.roster == roster(change.listed.0)).count();
        let places = roster_held as u64..roster_held as u64 + u64::from(change.listed.1);
        let listed = places.map(|place| Listed { roster: roster(change.listed.0), place, key: format!("00u{place}") });
        changes.listed.extend(listed);
        changes.unlisted.extend(change.unlisted.map(roster));
        if change.snapshots {
            let id = format!("the request at {at}");
            let request = Requested { id, collections: Vec::new(), objects: Vec::new(), since: None };
            let standing = Snapshots { requests: vec![request], ..Snapshots::default() };
            changes.snapshots.insert(OrgId::new("acme"), standing);
        }
        Some(changes)
    }

    fn doom(&mut self, script: &[Change]) {
        let at = usize::try_from(self.store().next_offset()).unwrap();
        if let Some(change) = script.get(at) {
            self.doomed.extend(change.dropped);
            self.doomed_rosters.extend(change.unlisted);
        }
    }

    fn act(&mut self, op: &Op, script: &[Change]) -> Result<(), TestCaseError> {
        match op {
            Op::Commit => {
                let Some(mut changes) = self.changes(script) else { return Ok(()) };
                let written = self.pen.as_mut().unwrap().write(&mut changes, &Stop::default());
                match (written, self.unhealed) {
                    (Ok(()), None) => self.store().commit(&changes).unwrap(),
                    (Err(ChangelogError::Foreign { .. }), Some(_)) => {
                        self.give_up();
                        self.take_over();
                    }
                    (other, unhealed) => panic!("{other:?} where foreign records begin at {unhealed:?}"),
                }
            }
            Op::Torn(most) => {
                let Some(changes) = self.changes(script) else { return Ok(()) };
                self.doom(script);
                let pen = self.pen.as_mut().unwrap();
                let batch = pen.writer.batch(&changes);
                let out = (*most).min(batch.records.len());
                pen.send_all(&batch.records[..out], &Tally::default(), &Stop::default()).unwrap();
                self.give_up();
                self.take_over();
            }
            Op::Late(most) => {
                let Some(changes) = self.changes(script) else { return Ok(()) };
                self.doom(script);
                let Some(mut pen) = self.before.take() else { return Ok(()) };
                let mut records = pen.writer.batch(&changes).records;
                records.push(pen.writer.marker(changes.next_offset, changes.clock, &[]).record());
                let out = (*most).min(records.len());
                let begin = self.log.end();
                pen.send_all(&records[..out], &Tally::default(), &Stop::default()).unwrap();
                // Its marker does not stand where it is due, so that is the last that it writes.
                if out > 0 {
                    self.unhealed.get_or_insert(begin);
                }
            }
            Op::Restart => self.take_over(),
            Op::LoseDisk => {
                let held_before = held(self.store());
                let store = self.open();
                self.stores[self.owner] = Some(store);
                self.take_over();
                let held_after = held(self.store());
                self.same(held_after, held_before)?;
            }
            Op::Switch => {
                let held_before = held(self.store());
                self.owner = 1 - self.owner;
                self.take_over();
                let held_after = held(self.store());
                self.same(held_after, held_before)?;
            }
            Op::Compact(percent) => {
                // What nobody has healed yet is younger than the lag.
                let most = self.unhealed.unwrap_or(u64::MAX);
                let ends: Vec<_> = self.log.markers().into_iter().filter(|end| *end <= most).collect();
                if let Some(until) = ends.get(ends.len() * percent / 100) {
                    self.log.compact(*until, self.compacted);
                    self.compacted = self.compacted.max(*until);
                }
            }
        }
        Ok(())
    }

    /// Whether two stores hold the same, but for what was dropped in vain.
    fn same(&self, mut one: Held, mut other: Held) -> Result<(), TestCaseError> {
        for held in [&mut one, &mut other] {
            for number in &self.doomed {
                held.buckets.remove(&bucket(*number));
                held.all.seen.remove(&bucket(*number));
            }
            held.all.listed.retain(|listed| self.doomed_rosters.iter().all(|number| listed.roster != roster(*number)));
        }
        prop_assert_eq!(one, other);
        Ok(())
    }
}

fn held(store: &RedbStore) -> Held {
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
    all.listed.sort_by_key(|listed| (listed.roster.clone(), listed.place));
    Held { next_offset: store.next_offset(), clock: store.clock(), buckets: store.buckets().clone(), all }
}

fn change() -> impl Strategy<Value = Change> {
    // Values of up to four parts, and buckets that grow beyond what is gathered.
    let write = (0..5u8, prop::option::weighted(0.8, (any::<u8>(), 0..60usize)));
    let seen = (0..3u8, 0..40u8, 1..8u8);
    (
        prop::collection::vec(write, 0..5),
        prop::collection::vec(seen, 0..9),
        prop::option::weighted(0.1, 0..3u8),
        (0..2u8, 0..3u8),
        prop::option::weighted(0.1, 0..2u8),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(writes, seen, dropped, listed, unlisted, snapshots)| Change {
            writes,
            seen,
            dropped,
            listed,
            unlisted,
            snapshots,
        })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => Just(Op::Commit),
        2 => (0..12usize).prop_map(Op::Torn),
        2 => (0..12usize).prop_map(Op::Late),
        1 => Just(Op::Restart),
        2 => Just(Op::LoseDisk),
        2 => Just(Op::Switch),
        3 => (0..100usize).prop_map(Op::Compact),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_restored_is_what_was_lost(
        script in prop::collection::vec(change(), 30),
        ops in prop::collection::vec(op(), 5..45),
    ) {
        let mut world = World::new();
        for op in &ops {
            world.act(op, &script)?;
        }
        if world.unhealed.is_some() {
            world.act(&Op::Restart, &script)?;
        }
        world.act(&Op::LoseDisk, &script)?;
    }
}

fn write(key: u8, value: usize) -> Change {
    let writes = vec![(key, Some((b'v', value)))];
    Change { writes, seen: vec![(0, key, 1)], dropped: None, listed: (0, 1), unlisted: None, snapshots: true }
}

#[test]
fn a_changelog_that_does_not_have_the_state_is_given_it() {
    let script: Vec<_> = (0..4).map(|key| write(key, 40)).collect();
    let mut world = World::new();
    for _ in 0..3 {
        world.act(&Op::Commit, &script).unwrap();
    }
    // As after an update from a version without changelogs, or with a topic that was made anew.
    world.log = Arc::default();
    world.pen = None;
    world.act(&Op::Restart, &script).unwrap();
    world.act(&Op::Commit, &script).unwrap();
    world.act(&Op::LoseDisk, &script).unwrap();
    assert_eq!(world.store().next_offset(), 4);
    assert_eq!(world.store().get(b"h\x03").unwrap(), Some(vec![b'v'; 40]));
}

#[test]
fn a_store_that_went_on_without_its_changelog_is_written_to_it() {
    let script: Vec<_> = (0..4).map(|key| write(key, 40)).collect();
    let mut world = World::new();
    world.act(&Op::Commit, &script).unwrap();
    let changes = world.changes(&script).unwrap();
    world.store().commit(&changes).unwrap();
    world.act(&Op::Restart, &script).unwrap();
    world.act(&Op::Commit, &script).unwrap();
    world.act(&Op::LoseDisk, &script).unwrap();
    assert_eq!(world.store().next_offset(), 3);
}

#[test]
fn an_owner_that_is_late_is_noticed_and_harms_nothing_even_in_compaction() {
    let script: Vec<_> = (0..3).map(|_| write(1, 40)).collect();
    let mut world = World::new();
    world.act(&Op::Commit, &script).unwrap();
    world.act(&Op::Restart, &script).unwrap();
    // What the late one writes is of the next batch, under the same keys, with its marker.
    world.act(&Op::Late(usize::MAX), &script).unwrap();
    let mut changes = world.changes(&script).unwrap();
    let written = world.pen.as_mut().unwrap().write(&mut changes, &Stop::default());
    assert!(matches!(written, Err(ChangelogError::Foreign { .. })), "{written:?}");
    world.act(&Op::Restart, &script).unwrap();
    world.log.compact(u64::MAX, 0);
    world.act(&Op::LoseDisk, &script).unwrap();
}

#[test]
fn a_restore_that_was_cut_off_begins_again() {
    let script: Vec<_> = (0..3).map(|key| write(key, 10)).collect();
    let mut world = World::new();
    for _ in 0..3 {
        world.act(&Op::Commit, &script).unwrap();
    }
    let whole = held(world.store());
    let path = world.path();
    let mut store = RedbStore::open(&path).unwrap();
    let mut rebuild = store.rebuild(true).unwrap();
    rebuild.take(crate::merge::changelog::Step::Value(b"h-half".to_vec(), Some(vec![1]))).unwrap();
    drop(rebuild);
    drop(store);
    let store = RedbStore::open(&path).unwrap();
    assert_eq!((store.next_offset(), store.get(b"h-half").unwrap()), (0, None), "half a state is none");
    world.stores[world.owner] = Some(store);
    world.act(&Op::Restart, &script).unwrap();
    assert_eq!(held(world.store()), whole);
}

#[test]
fn what_a_newer_version_wrote_is_not_guessed_at() {
    let script = [write(1, 10)];
    let mut world = World::new();
    world.act(&Op::Commit, &script).unwrap();
    for stood in &mut world.log.0.lock().unwrap().records {
        if stood.record.key.first() == Some(&b'v') {
            stood.record.value.as_mut().unwrap()[0] += 1;
        }
    }
    let mut store = world.open();
    let changelog = Changelog::new(Arc::new(Arc::clone(&world.log)), 0, "test", &Turn::default());
    let refused = changelog.take_over(&mut store, &Stop::default()).map(|_| ()).unwrap_err();
    assert!(matches!(refused, ChangelogError::Unreadable(Unreadable::Newer(_))), "{refused}");
}
