use std::cell::RefCell;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::guards::{Guard, Guards};
use super::head::Head;
use super::intents::Want;
use super::knowledge::{Cards, Thing};
use super::slot::Slot;
use super::store::{InventoryStore, Layered, Overlay};
use crate::collect::Collection;
use crate::merge::StoreError;
use crate::okta::OrgId;

/// Layout of what is stored; it stands before every value that is not a body. A value of another version is refused,
/// never guessed at: the state can be folded again. Behind it stand the fields in their order as MessagePack: heads are
/// read all the time, and reading their names and numbers as text was a third of the time of a simulated world. A
/// field that comes later must come last and have a default.
const FORMAT: u8 = 3;

/// Keys that are read of the store at once when many are looked through.
pub(super) const STRETCH: usize = 512;

/// What the keys of one kind begin with.
pub(super) const HEAD: u8 = b'h';
const BODY: u8 = b'b';
const WANT: u8 = b'w';
const CHANGES: u8 = b'x';
pub(super) const LEDGER: u8 = b'c';
const READING: u8 = b'o';
pub(super) const PART: u8 = b'p';
pub(super) const ASSEMBLY: u8 = b'a';
pub(super) const PAST: u8 = b'v';
pub(super) const MEMBER: u8 = b'm';
pub(super) const NAME: u8 = b'n';

/// What is kept of one collection of an org.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// Fetches that are open.
    pub open: u64,
    /// The last snapshot that read it completely.
    pub last_complete: Option<i64>,
    /// The snapshot that is to be swept once this key is found.
    pub canary: Option<(i64, String)>,
    /// The last snapshot that missed too much.
    pub braked: Option<i64>,
    /// Canaries of that sweep that were not there, though no event said that they went.
    pub canaries_lost: u64,
    /// When the first snapshot that read it completely had done so, by the log's clock.
    pub known_since: Option<i64>,
}

/// What is kept of an org: which snapshot runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reading {
    /// The newest snapshot.
    pub epoch: Option<i64>,
    /// Whether it still runs.
    pub runs: bool,
    /// The newest errands that are on their way were sent at this time.
    pub sent: Option<i64>,
}

/// The memory, in its own words: a store under what the batch has changed.
pub(super) struct State<'a, S> {
    pub store: &'a S,
    pub overlay: &'a mut Overlay,
    pub guards: Guards,
    /// What was made of the state to be asked often; it is told of what changes.
    pub cards: &'a RefCell<Cards>,
}

impl<S: InventoryStore> State<'_, S> {
    /// The state with what the batch has changed, to be read like a store.
    pub fn layered(&self) -> Layered<'_, S> {
        Layered { store: self.store, overlay: self.overlay }
    }

    pub fn read<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.overlay.get(self.store, key)?.map(|value| decode(&value)).transpose()
    }

    pub fn write<T: Serialize>(&mut self, key: Vec<u8>, value: Option<&T>) -> Result<(), StoreError> {
        let value = value.map(encode).transpose()?;
        self.overlay.put(key, value);
        Ok(())
    }

    /// What is known of a slot.
    pub fn head(&self, slot: &Slot) -> Result<Option<Head>, StoreError> {
        self.read(&self.key(HEAD, slot))
    }

    pub fn put_head(&mut self, slot: &Slot, head: &Head) -> Result<(), StoreError> {
        if let Some((thing, id)) = Thing::told_by(slot) {
            self.cards.borrow_mut().forget(&slot.org, thing, id);
        }
        self.put_hinted(slot, head)
    }

    /// Notes in the head of a slot when an event spoke of it. No card says anything of that.
    pub fn put_hinted(&mut self, slot: &Slot, head: &Head) -> Result<(), StoreError> {
        self.write(self.key(HEAD, slot), Some(head))
    }

    /// What a slot said last.
    pub fn body(&self, slot: &Slot) -> Result<Option<Vec<u8>>, StoreError> {
        self.overlay.get(self.store, &self.key(BODY, slot))
    }

    pub fn put_body(&mut self, slot: &Slot, body: Option<Vec<u8>>) {
        let key = self.key(BODY, slot);
        self.overlay.put(key, body);
    }

    /// The fetch that is open for a slot.
    pub fn want(&self, slot: &Slot) -> Result<Option<Want>, StoreError> {
        self.read(&self.key(WANT, slot))
    }

    /// Keeps a fetch, or forgets it; the ledger counts along.
    pub fn put_want(&mut self, slot: &Slot, want: Option<&Want>) -> Result<(), StoreError> {
        let was_open = self.want(slot)?.is_some();
        if was_open != want.is_some() {
            let mut ledger = self.ledger(slot)?;
            ledger.open = if want.is_some() { ledger.open + 1 } else { ledger.open.saturating_sub(1) };
            self.put_ledger(slot, &ledger)?;
        }
        self.write(self.key(WANT, slot), want)
    }

    /// The list of changes that is open for the collection of a slot.
    pub fn changes(&self, slot: &Slot) -> Result<Option<Want>, StoreError> {
        self.read(&self.collection_key(CHANGES, slot))
    }

    pub fn put_changes(&mut self, slot: &Slot, want: Option<&Want>) -> Result<(), StoreError> {
        self.write(self.collection_key(CHANGES, slot), want)
    }

    /// What is kept of the collection of a slot.
    pub fn ledger(&self, slot: &Slot) -> Result<Ledger, StoreError> {
        Ok(self.read(&self.collection_key(LEDGER, slot))?.unwrap_or_default())
    }

    pub fn put_ledger(&mut self, slot: &Slot, ledger: &Ledger) -> Result<(), StoreError> {
        self.cards.borrow_mut().forget_what_is_read(&slot.org);
        self.write(self.collection_key(LEDGER, slot), Some(ledger))
    }

    /// What is kept of an org.
    pub fn reading(&self, org: &OrgId) -> Result<Reading, StoreError> {
        Ok(self.read(&key(READING, self.org(org), &[]))?.unwrap_or_default())
    }

    pub fn put_reading(&mut self, org: &OrgId, reading: &Reading) -> Result<(), StoreError> {
        self.cards.borrow_mut().forget_what_is_read(org);
        self.write(key(READING, self.org(org), &[]), Some(reading))
    }

    /// What is kept of something by the names that it has in this order.
    pub fn row<T: DeserializeOwned>(&self, kind: u8, org: &OrgId, names: &[&str]) -> Result<Option<T>, StoreError> {
        self.read(&key(kind, self.org(org), names))
    }

    pub fn put_row<T: Serialize>(
        &mut self,
        kind: u8,
        org: &OrgId,
        names: &[&str],
        value: Option<&T>,
    ) -> Result<(), StoreError> {
        self.write(key(kind, self.org(org), names), value)
    }

    /// Something small that belongs to a slot and a reading of it.
    pub fn note<T: DeserializeOwned>(&self, kind: u8, slot: &Slot, of: &str) -> Result<Option<T>, StoreError> {
        self.read(&self.note_key(kind, slot, of))
    }

    pub fn put_note<T: Serialize>(
        &mut self,
        kind: u8,
        slot: &Slot,
        of: &str,
        value: Option<&T>,
    ) -> Result<(), StoreError> {
        self.write(self.note_key(kind, slot, of), value)
    }

    /// Bytes that belong to a slot and a reading of it.
    pub fn bytes(&self, kind: u8, slot: &Slot, of: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.overlay.get(self.store, &self.note_key(kind, slot, of))
    }

    pub fn put_bytes(&mut self, kind: u8, slot: &Slot, of: &str, value: Option<Vec<u8>>) {
        let key = self.note_key(kind, slot, of);
        self.overlay.put(key, value);
    }

    /// Looks at the heads of a collection whose keys begin so, in the order of their keys.
    pub fn each_head(
        &self,
        org: &OrgId,
        collection: &'static Collection,
        beginning: &str,
        mut look: impl FnMut(&str, Head),
    ) -> Result<(), StoreError> {
        let from = key(HEAD, self.org(org), &[collection.facet, beginning]);
        let skip = from.len() - beginning.len();
        let until = after_all(&from);
        let mut next = Some(from);
        while let Some(at) = next {
            let (found, more) = self.overlay.stretch(self.store, &at, &until, STRETCH)?;
            for (key, value) in found {
                let name = key.get(skip..).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default();
                look(name, decode(&value)?);
            }
            next = more;
        }
        Ok(())
    }

    fn org<'o>(&self, org: &'o OrgId) -> &'o str {
        if self.guards.stand(Guard::OrgInKey) { org.as_str() } else { "" }
    }

    pub fn key(&self, kind: u8, slot: &Slot) -> Vec<u8> {
        key(kind, self.org(&slot.org), &[slot.facet(), &slot.key])
    }

    fn collection_key(&self, kind: u8, slot: &Slot) -> Vec<u8> {
        key(kind, self.org(&slot.org), &[slot.facet()])
    }

    fn note_key(&self, kind: u8, slot: &Slot, of: &str) -> Vec<u8> {
        key(kind, self.org(&slot.org), &[slot.facet(), &slot.key, of])
    }
}

/// What is known of a slot, as last committed.
///
/// # Errors
/// When the disk cannot be read.
pub fn head(store: &(impl InventoryStore + ?Sized), slot: &Slot) -> Result<Option<Head>, StoreError> {
    let value = store.get(&key(HEAD, slot.org.as_str(), &[slot.facet(), &slot.key]))?;
    value.map(|value| decode(&value)).transpose()
}

/// What a slot said last, as last committed: the body of an object, or a JSON array of what a list holds.
///
/// # Errors
/// When the disk cannot be read.
pub fn body(store: &(impl InventoryStore + ?Sized), slot: &Slot) -> Result<Option<Vec<u8>>, StoreError> {
    store.get(&key(BODY, slot.org.as_str(), &[slot.facet(), &slot.key]))
}

/// When the newest errands of an org were sent, as last committed: ms since the Unix epoch by Okta's clock.
///
/// # Errors
/// When the disk cannot be read.
pub fn last_sent(store: &(impl InventoryStore + ?Sized), org: &OrgId) -> Result<Option<i64>, StoreError> {
    let value = store.get(&key(READING, org.as_str(), &[]))?;
    Ok(value.map(|value| decode::<Reading>(&value)).transpose()?.and_then(|reading| reading.sent))
}

/// What is known of the slots of a collection whose keys come after one, in their order, as last committed: at most so
/// many.
///
/// # Errors
/// When the disk cannot be read.
pub fn heads_after(
    store: &(impl InventoryStore + ?Sized),
    org: &OrgId,
    collection: &'static Collection,
    after: Option<&str>,
    most: usize,
) -> Result<Vec<(String, Head)>, StoreError> {
    let first = key(HEAD, org.as_str(), &[collection.facet, ""]);
    let from = after.map_or_else(|| first.clone(), |after| [first.as_slice(), after.as_bytes(), &[0]].concat());
    let found = store.range(&from, &after_all(&first), most)?;
    let named = found.iter().filter_map(|(key, value)| {
        let name = std::str::from_utf8(key.get(first.len()..)?).ok()?;
        Some(decode(value).map(|head| (name.to_owned(), head)))
    });
    named.collect()
}

/// The keys of what is known within a slot, at most so many, and whether there are more.
pub(super) fn keys_within(
    store: &(impl InventoryStore + ?Sized),
    slot: &Slot,
    most: usize,
) -> Result<(Vec<String>, bool), StoreError> {
    let from = key(HEAD, slot.org.as_str(), &[slot.facet(), &format!("{}/", slot.key)]);
    let skip = from.len() - slot.key.len() - 1;
    let found = store.range(&from, &after_all(&from), most.saturating_add(1))?;
    let keys = found.iter().filter_map(|(key, _)| std::str::from_utf8(key.get(skip..)?).ok());
    Ok((keys.take(most).map(str::to_owned).collect(), found.len() > most))
}

/// What is kept of the collection of a slot, as last committed.
pub(super) fn ledger(store: &(impl InventoryStore + ?Sized), slot: &Slot) -> Result<Ledger, StoreError> {
    Ok(row(store, LEDGER, &slot.org, &[slot.facet()])?.unwrap_or_default())
}

/// Whether a collection is known to be read: whether a snapshot has read it completely, or one runs.
pub(super) fn is_read(store: &(impl InventoryStore + ?Sized), slot: &Slot) -> Result<bool, StoreError> {
    if ledger(store, slot)?.last_complete.is_some() {
        return Ok(true);
    }
    let reading: Option<Reading> = row(store, READING, &slot.org, &[])?;
    Ok(reading.is_some_and(|reading| reading.runs))
}

/// What is kept of something by its names, as last committed.
pub(super) fn row<T: DeserializeOwned>(
    store: &(impl InventoryStore + ?Sized),
    kind: u8,
    org: &OrgId,
    names: &[&str],
) -> Result<Option<T>, StoreError> {
    store.get(&key(kind, org.as_str(), names))?.map(|value| decode(&value)).transpose()
}

/// Every key that goes on after a zero behind a key, by what stands there, with its value.
pub(super) fn each_below(
    store: &(impl InventoryStore + ?Sized),
    key: &[u8],
    mut look: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (from, until) = ([key, &[0]].concat(), [key, &[1]].concat());
    let mut next = Some(from.clone());
    while let Some(at) = next {
        let found = store.range(&at, &until, STRETCH)?;
        next = found.last().filter(|_| found.len() == STRETCH).map(|(key, _)| [key.as_slice(), &[0]].concat());
        for (key, value) in found {
            look(key.get(from.len()..).unwrap_or_default(), &value)?;
        }
    }
    Ok(())
}

/// A facet and a key of something that is open, and what is wanted.
pub(super) type Open = (String, String, Want);

/// Every fetch that is open in an org, and then every list of changes, as last committed, until `look` has enough.
pub(super) fn each_want(
    store: &(impl InventoryStore + ?Sized),
    org: &OrgId,
    mut look: impl FnMut(Open) -> bool,
) -> Result<(), StoreError> {
    for kind in [WANT, CHANGES] {
        let from = key(kind, org.as_str(), &[""]);
        let until = after_all(&from);
        let mut next = Some(from.clone());
        while let Some(at) = next {
            let found = store.range(&at, &until, STRETCH)?;
            next = found.last().filter(|_| found.len() == STRETCH).map(|(key, _)| [key.as_slice(), &[0]].concat());
            for (key, value) in found {
                let place = String::from_utf8_lossy(key.get(from.len()..).unwrap_or_default()).into_owned();
                let (facet, key) = place.split_once('\0').unwrap_or((&place, ""));
                if !look((facet.to_owned(), key.to_owned(), decode(&value)?)) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Names hold no control characters, so a zero between them keeps the order and parts them for sure.
pub(super) fn key(kind: u8, org: &str, names: &[&str]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + org.len() + names.iter().map(|name| 1 + name.len()).sum::<usize>());
    key.push(kind);
    key.extend_from_slice(org.as_bytes());
    for name in names {
        key.push(0);
        key.extend_from_slice(name.as_bytes());
    }
    key
}

/// A key after every one that begins like this; no key holds this byte, as it is in no UTF-8.
pub(super) fn after_all(beginning: &[u8]) -> Vec<u8> {
    [beginning, &[0xFF]].concat()
}

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![FORMAT];
    rmp_serde::encode::write(&mut bytes, value).map_err(|error| corrupted("be written", &error.to_string()))?;
    Ok(bytes)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&FORMAT, fields)) => {
            rmp_serde::from_slice(fields).map_err(|error| corrupted("be read", &error.to_string()))
        }
        _ => Err(corrupted("be read", "a value of the inventory has another format")),
    }
}

pub(super) fn corrupted(operation: &'static str, why: &str) -> StoreError {
    StoreError { operation, source: ::redb::Error::Corrupted(format!("the inventory: {why}")) }
}

#[cfg(test)]
mod tests {
    use super::super::content::Hash;
    use super::super::head::{Standing, Tombstone, Version};
    use super::super::output::Cause;
    use super::*;

    fn heads() -> Vec<Head> {
        let version = Version {
            lu: Some(-1),
            as_of: (i64::MIN, i64::MAX),
            hash: Hash([7; 16]),
            fetched: true,
            members_changed: Some(3),
            since: -1,
            cause: Cause::Event([9; 16]),
        };
        let standing = Standing::Live(version);
        let live = Head { standing, confirmed_as_of: 5, epoch: Some(6), hinted: None, first: -1, past: 2 };
        let gone = Standing::Gone(Tombstone { as_of: (1, 2), since: 1, cause: Cause::Sweep });
        vec![live.clone(), Head { standing: gone, hinted: Some(9), epoch: None, ..live }]
    }

    #[test]
    fn what_is_stored_survives_it() {
        for head in heads() {
            assert_eq!(decode::<Head>(&encode(&head).unwrap()).unwrap(), head);
        }
    }

    #[test]
    fn what_another_version_stored_is_refused() {
        let mut bytes = encode(&heads()[0]).unwrap();
        bytes[0] = FORMAT + 1;
        assert!(decode::<Head>(&bytes).is_err());
        assert!(decode::<Head>(&[]).is_err());
        assert!(decode::<Head>(&[FORMAT, b'{', b'}']).is_err());
    }

    #[test]
    fn no_two_places_share_a_key_and_no_range_reaches_into_another() {
        assert_ne!(key(HEAD, "a", &["b", "c"]), key(HEAD, "ab", &["c"]));
        let users = key(HEAD, "acme", &["user.core", ""]);
        let inside = key(HEAD, "acme", &["user.core", "~~"]);
        let outside = key(HEAD, "acme", &["user.core2", "00u1"]);
        assert!(users <= inside && inside < after_all(&users));
        assert!(outside < users || outside >= after_all(&users));
    }
}
