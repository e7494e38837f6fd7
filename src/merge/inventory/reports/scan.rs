//! A snapshot, told: a mark when it begins, everything that is there once it has ended, and a mark behind that.
//!
//! What is there is walked in the order of its keys, a few things with each record. Where the walk is, is a part of the
//! state, so the next owner goes on there.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::reporter::by_id;
use super::thing::is_of_elements;
use super::{Occasion, Report, Reporter};
use crate::collect::{COLLECTIONS, Collection, Grain};
use crate::merge::StoreError;
use crate::merge::inventory::head::Head;
use crate::merge::inventory::slot::Slot;
use crate::merge::inventory::state::{HEAD, after_all, decode, key};
use crate::merge::inventory::store::InventoryStore;
use crate::merge::snapshots::{Begun, CollectionEnded, Ended, Mark, Outcome};
use crate::okta::OrgId;

/// What the keys of these begin with.
const SCAN: u8 = b'K';

/// So many things are looked at with one record: of those that are gone, nothing is told.
const MOST_LOOKED_AT: usize = 1_024;

/// How a snapshot of all that is configured is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// Which: when it began, ms since the Unix epoch by Okta's clock.
    pub epoch: i64,
    /// Whether somebody asked for it.
    pub requested: bool,
    /// How far it is.
    pub phase: Phase,
    /// Its collections, by name.
    pub collections: BTreeMap<String, Tally>,
}

/// How far a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is being read.
    Reading,
    /// It was read, and is told.
    Telling {
        /// The facet that is told.
        facet: String,
        /// What of it was told last.
        after: Option<String>,
    },
    /// All of it was read and told.
    Completed,
    /// It was given up, and why.
    Cancelled(String),
}

/// One collection of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How its reading ended.
    pub outcome: Option<Outcome>,
    /// Objects that were observed.
    pub objects: u64,
    /// Things of it that were told when the snapshot had ended, also such as were known before.
    pub told: u64,
}

/// A mark about a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanReport {
    /// Whose.
    pub org: OrgId,
    /// How it stands; never [`Phase::Telling`]. [`Phase::Reading`] is its beginning.
    pub scan: Scan,
    /// When, ms since the Unix epoch by the log's clock.
    pub at: i64,
}

impl Scan {
    /// How much of it is told.
    pub fn told(&self) -> u64 {
        self.collections.values().map(|tally| tally.told).sum()
    }
}

/// The snapshot that was told last, or is, as last committed.
///
/// # Errors
/// When the disk cannot be read.
pub fn scan(store: &(impl InventoryStore + ?Sized), org: &OrgId) -> Result<Option<Scan>, StoreError> {
    store.get(&key(SCAN, org.as_str(), &[]))?.map(|value| decode(&value)).transpose()
}

/// The collections of which things are told, in the order of their keys. The parts of a thing are told with it.
static WALKED: LazyLock<Vec<&'static Collection>> = LazyLock::new(|| {
    let things = |collection: &&'static Collection| collection.grain == Grain::Object || is_of_elements(collection);
    let mut walked: Vec<&'static Collection> = COLLECTIONS.iter().filter(things).collect();
    walked.sort_by_key(|collection| collection.facet);
    walked
});

/// Room for what is told with one record.
struct Room {
    told: usize,
    looked_at: usize,
}

impl Room {
    fn is_left(&self) -> bool {
        self.told > 0 && self.looked_at > 0
    }
}

impl<S: InventoryStore> Reporter<'_, S> {
    pub(super) fn scan_mark(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        match Mark::read(name, value) {
            Ok(Mark::Begun(begun)) if begun.whole => self.begun(begun),
            Ok(Mark::CollectionEnded(ended)) => self.collection_read(ended),
            Ok(Mark::Ended(ended)) => self.ended(ended),
            // What is no mark was counted as unfit already.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn begun(&mut self, begun: Begun) -> Result<(), StoreError> {
        let before = self.scan()?;
        // Only a snapshot that the inventory takes for the newest: others are of owners that were late.
        let runs = self.state.reading(self.org)?.epoch == Some(begun.epoch);
        if !runs || before.as_ref().is_some_and(|before| before.epoch >= begun.epoch) {
            return Ok(());
        }
        if let Some(unfinished) = before.filter(Scan::is_under_way) {
            self.end(unfinished, Phase::Cancelled("another snapshot began".into()))?;
        }
        let collections = begun.collections.into_iter().map(|name| (name, Tally::default())).collect();
        let requested = !begun.requests.is_empty();
        self.say(Scan { epoch: begun.epoch, requested, phase: Phase::Reading, collections })
    }

    fn collection_read(&mut self, ended: CollectionEnded) -> Result<(), StoreError> {
        let reading = |scan: &Scan| scan.epoch == ended.epoch && scan.phase == Phase::Reading;
        let Some(mut scan) = self.scan()?.filter(reading) else { return Ok(()) };
        let tally = scan.collections.get_mut(&ended.collection).filter(|tally| tally.outcome.is_none());
        let Some(tally) = tally else { return Ok(()) };
        (tally.objects, tally.outcome) = (ended.objects, Some(ended.outcome));
        self.put_scan(&scan)
    }

    /// What was read is told from now on.
    fn ended(&mut self, ended: Ended) -> Result<(), StoreError> {
        let reading = |scan: &Scan| scan.epoch == ended.epoch && scan.phase == Phase::Reading;
        let Some(mut scan) = self.scan()?.filter(reading) else { return Ok(()) };
        if let Some(why) = ended.aborted {
            return self.end(scan, Phase::Cancelled(why));
        }
        scan.phase = Phase::Telling { facet: String::new(), after: None };
        self.idle.remove(self.org);
        self.put_scan(&scan)
    }

    /// Tells some of a snapshot that was read; whether there is more to tell.
    pub(super) fn walk(&mut self, room: usize) -> Result<bool, StoreError> {
        let Some(mut scan) = self.scan()? else { return Ok(false) };
        let Phase::Telling { facet, mut after } = scan.phase.clone() else { return Ok(false) };
        let mut room = Room { told: room, looked_at: MOST_LOOKED_AT };
        for collection in WALKED.iter().copied().skip_while(|collection| *collection.facet < *facet) {
            // Only in the facet where it stopped does the walk begin in the middle.
            let from = after.take().filter(|_| collection.facet == facet);
            let until = self.walk_through(&mut scan, collection, from, &mut room)?;
            if let Some(at) = until {
                scan.phase = Phase::Telling { facet: collection.facet.to_owned(), after: at };
                self.put_scan(&scan)?;
                return Ok(true);
            }
        }
        self.end(scan, Phase::Completed)?;
        Ok(false)
    }

    /// Tells what there is of a collection. Gives where it stopped for want of room: behind which key, if behind any.
    fn walk_through(
        &mut self,
        scan: &mut Scan,
        collection: &'static Collection,
        mut last: Option<String>,
        room: &mut Room,
    ) -> Result<Option<Option<String>>, StoreError> {
        let all = key(HEAD, self.org.as_str(), &[collection.facet, ""]);
        let until = after_all(&all);
        let mut next = Some(match &last {
            Some(last) => [all.as_slice(), last.as_bytes(), &[0]].concat(),
            None => all.clone(),
        });
        while let Some(at) = next {
            if !room.is_left() {
                return Ok(Some(last));
            }
            let (found, more) = self.state.overlay.stretch(self.state.store, &at, &until, room.told)?;
            for (place, head) in found {
                if !room.is_left() {
                    return Ok(Some(last));
                }
                let id = String::from_utf8_lossy(place.get(all.len()..).unwrap_or_default()).into_owned();
                room.looked_at -= 1;
                let head: Head = decode(&head)?;
                if let Some(slot) = Slot::new(self.org, collection, &id).filter(|_| !head.is_gone()) {
                    let told = self.tell_of(scan.epoch, &slot)?;
                    room.told = room.told.saturating_sub(told);
                    scan.collections.entry(collection.name.to_owned()).or_default().told += told as u64;
                }
                last = Some(id);
            }
            next = more;
        }
        // Whether the last of a stretch was the last of all is known only where the batch was cut, so nobody asks.
        Ok((!room.is_left()).then_some(last))
    }

    /// Tells what is in a slot; gives how many things there were.
    fn tell_of(&mut self, epoch: i64, slot: &Slot) -> Result<usize, StoreError> {
        let occasion = Occasion::Collected(epoch);
        if slot.collection.grain == Grain::Object {
            let thing = self.thing(slot, occasion, None)?;
            let told = usize::from(thing.is_some());
            self.reports.extend(thing.map(|thing| Report::Thing(Box::new(thing))));
            return Ok(told);
        }
        let mut told = 0;
        for (id, body) in by_id(self.state.body(slot)?.as_deref()) {
            told += usize::from(self.element(slot, &id, body, occasion.clone())?);
        }
        Ok(told)
    }

    fn end(&mut self, mut scan: Scan, how: Phase) -> Result<(), StoreError> {
        scan.phase = how;
        self.say(scan)
    }

    /// Keeps how a snapshot stands, and publishes it.
    fn say(&mut self, scan: Scan) -> Result<(), StoreError> {
        self.put_scan(&scan)?;
        self.reports.push(Report::Scan(ScanReport { org: self.org.clone(), scan, at: self.clock }));
        Ok(())
    }

    fn scan(&self) -> Result<Option<Scan>, StoreError> {
        self.state.read(&key(SCAN, self.org.as_str(), &[]))
    }

    fn put_scan(&mut self, scan: &Scan) -> Result<(), StoreError> {
        self.state.write(key(SCAN, self.org.as_str(), &[]), Some(scan))
    }
}

impl Scan {
    fn is_under_way(&self) -> bool {
        matches!(self.phase, Phase::Reading | Phase::Telling { .. })
    }
}
