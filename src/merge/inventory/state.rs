use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::guards::{Guard, Guards};
use super::head::Head;
use super::intents::Want;
use super::slot::Slot;
use super::store::{InventoryStore, Overlay};
use crate::collect::Collection;
use crate::merge::StoreError;
use crate::okta::OrgId;

/// Layout of what is stored; it stands before every value that is not a body. A value of another version is refused,
/// never guessed at: the state can be folded again.
const FORMAT: u8 = 1;

/// Keys that are read of the store at once when many are looked through.
const STRETCH: usize = 512;

/// What the keys of one kind begin with.
const HEAD: u8 = b'h';
const BODY: u8 = b'b';
const WANT: u8 = b'w';
const CHANGES: u8 = b'x';
const LEDGER: u8 = b'c';
const READING: u8 = b'o';
pub(super) const PART: u8 = b'p';
pub(super) const ASSEMBLY: u8 = b'a';

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
}

/// What is kept of an org: which snapshot runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reading {
    /// The newest snapshot.
    pub epoch: Option<i64>,
    /// Whether it still runs.
    pub runs: bool,
}

/// The memory, in its own words: a store under what the batch has changed.
pub(super) struct State<'a, S> {
    pub store: &'a S,
    pub overlay: &'a mut Overlay,
    pub guards: Guards,
}

impl<S: InventoryStore> State<'_, S> {
    fn read<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.overlay.get(self.store, key)?.map(|value| decode(&value)).transpose()
    }

    fn write<T: Serialize>(&mut self, key: Vec<u8>, value: Option<&T>) -> Result<(), StoreError> {
        let value = value.map(encode).transpose()?;
        self.overlay.writes.insert(key, value);
        Ok(())
    }

    /// What is known of a slot.
    pub fn head(&self, slot: &Slot) -> Result<Option<Head>, StoreError> {
        self.read(&self.key(HEAD, slot))
    }

    pub fn put_head(&mut self, slot: &Slot, head: &Head) -> Result<(), StoreError> {
        self.write(self.key(HEAD, slot), Some(head))
    }

    /// What a slot said last.
    pub fn body(&self, slot: &Slot) -> Result<Option<Vec<u8>>, StoreError> {
        self.overlay.get(self.store, &self.key(BODY, slot))
    }

    pub fn put_body(&mut self, slot: &Slot, body: Option<Vec<u8>>) {
        let key = self.key(BODY, slot);
        self.overlay.writes.insert(key, body);
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
        self.write(self.collection_key(LEDGER, slot), Some(ledger))
    }

    /// What is kept of an org.
    pub fn reading(&self, org: &OrgId) -> Result<Reading, StoreError> {
        Ok(self.read(&key(READING, self.org(org), &[]))?.unwrap_or_default())
    }

    pub fn put_reading(&mut self, org: &OrgId, reading: &Reading) -> Result<(), StoreError> {
        self.write(key(READING, self.org(org), &[]), Some(reading))
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
        self.overlay.writes.insert(key, value);
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

    fn key(&self, kind: u8, slot: &Slot) -> Vec<u8> {
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
fn key(kind: u8, org: &str, names: &[&str]) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend_from_slice(org.as_bytes());
    for name in names {
        key.push(0);
        key.extend_from_slice(name.as_bytes());
    }
    key
}

/// A key after every one that begins like this; no key holds this byte, as it is in no UTF-8.
fn after_all(beginning: &[u8]) -> Vec<u8> {
    [beginning, &[0xFF]].concat()
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![FORMAT];
    serde_json::to_writer(&mut bytes, value).map_err(|error| corrupted("be written", &error.to_string()))?;
    Ok(bytes)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&FORMAT, json)) => serde_json::from_slice(json).map_err(|error| corrupted("be read", &error.to_string())),
        _ => Err(corrupted("be read", "a value of the inventory has another format")),
    }
}

fn corrupted(operation: &'static str, why: &str) -> StoreError {
    StoreError { operation, source: ::redb::Error::Corrupted(format!("the inventory: {why}")) }
}

#[cfg(test)]
mod tests {
    use super::super::content::Hash;
    use super::super::head::{Standing, Tombstone, Version};
    use super::*;

    fn heads() -> Vec<Head> {
        let version = Version {
            lu: Some(-1),
            as_of: (i64::MIN, i64::MAX),
            hash: Hash([7; 16]),
            fetched: true,
            members_changed: Some(3),
        };
        let live = Head { standing: Standing::Live(version), confirmed_as_of: 5, epoch: Some(6), hinted: None };
        let gone = Standing::Gone(Tombstone { as_of: (1, 2) });
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
        bytes[0] = 2;
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
