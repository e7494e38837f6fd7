use std::collections::BTreeMap;

use crate::merge::StoreError;

/// What changed, by key: a value to be written, or nothing where it is to be removed.
pub type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// The memory of the inventory: texts of bytes by keys of bytes, in the order of the keys. One table of an ordered store.
pub trait InventoryStore {
    /// The value at a key, as last committed.
    ///
    /// # Errors
    /// When the disk cannot be read.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keys from one on and before another, with their values, in order, at most so many.
    ///
    /// # Errors
    /// When the disk cannot be read.
    fn range(&self, from: &[u8], until: &[u8], most: usize) -> Result<Vec<Entry>, StoreError>;
}

/// How many keys are read at once when all of a range are looked at.
const STRETCH: usize = 512;

/// Looks at every key from one on and before another, in order, with its value.
///
/// # Errors
/// When the disk cannot be read, or whoever looks has enough of it.
pub(super) fn each(
    store: &(impl InventoryStore + ?Sized),
    from: &[u8],
    until: &[u8],
    mut look: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut next = Some(from.to_vec());
    while let Some(at) = next {
        let found = store.range(&at, until, STRETCH)?;
        for (key, value) in &found {
            look(key, value)?;
        }
        next = found.last().filter(|_| found.len() == STRETCH).map(|(key, _)| [key.as_slice(), &[0]].concat());
    }
    Ok(())
}

/// A store that forgets when the process ends: for tests, and as the plain reading of what a store must do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryInventory(BTreeMap<Vec<u8>, Vec<u8>>);

impl MemoryInventory {
    /// Takes over what a batch changed.
    pub fn commit(&mut self, writes: Writes) {
        for (key, value) in writes {
            match value {
                Some(value) => drop(self.0.insert(key, value)),
                None => drop(self.0.remove(&key)),
            }
        }
    }
}

impl InventoryStore for MemoryInventory {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(key).cloned())
    }

    fn range(&self, from: &[u8], until: &[u8], most: usize) -> Result<Vec<Entry>, StoreError> {
        if from >= until {
            return Ok(Vec::new());
        }
        let found = self.0.range(from.to_vec()..until.to_vec());
        Ok(found.take(most).map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

/// What a batch has changed so far, on top of a store.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    pub writes: Writes,
    /// Of all keys and values in it.
    pub bytes: usize,
}

/// Some keys with their values, and where to go on if there may be more.
pub(super) type Stretch = (Vec<Entry>, Option<Vec<u8>>);

impl Overlay {
    pub fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let length = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        let (of_key, of_value) = (key.len(), length(&value));
        let before = self.writes.insert(key, value).map_or(0, |before| of_key + length(&before));
        self.bytes = self.bytes + of_key + of_value - before;
    }

    pub fn get(&self, store: &impl InventoryStore, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.writes.get(key) {
            Some(value) => Ok(value.clone()),
            None => store.get(key),
        }
    }

    /// A stretch of a range, as if all had been committed. `most` bounds what is read of the store.
    pub fn stretch(
        &self,
        store: &impl InventoryStore,
        from: &[u8],
        until: &[u8],
        most: usize,
    ) -> Result<Stretch, StoreError> {
        if from >= until {
            return Ok((Vec::new(), None));
        }
        let stored = store.range(from, until, most)?;
        let full = stored.len() == most;
        let next = stored.last().filter(|_| full).map(|(key, _)| [key.as_slice(), &[0]].concat());
        let end = next.clone().unwrap_or_else(|| until.to_vec());
        let mut merged: BTreeMap<_, _> = stored.into_iter().collect();
        for (key, value) in self.writes.range(from.to_vec()..end) {
            match value {
                Some(value) => drop(merged.insert(key.clone(), value.clone())),
                None => drop(merged.remove(key)),
            }
        }
        Ok((merged.into_iter().collect(), next))
    }
}

/// A store with what a batch has changed so far, to be read as if that had been committed.
pub(super) struct Layered<'a, S> {
    pub store: &'a S,
    pub overlay: &'a Overlay,
}

impl<S: InventoryStore> InventoryStore for Layered<'_, S> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.overlay.get(self.store, key)
    }

    fn range(&self, from: &[u8], until: &[u8], most: usize) -> Result<Vec<Entry>, StoreError> {
        let (mut read, mut next) = (Vec::new(), Some(from.to_vec()));
        while let Some(at) = next.filter(|_| read.len() < most) {
            let (found, more) = self.overlay.stretch(self.store, &at, until, most)?;
            read.extend(found);
            next = more;
        }
        read.truncate(most);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever was committed and whatever was changed since: reading both in stretches of any size is reading the
        /// store in which all of it was committed.
        #[test]
        fn an_overlay_reads_like_the_store_after_the_commit(
            committed in prop::collection::btree_map(prop::collection::vec(0..3u8, 0..3), any::<u8>(), 0..12),
            changed in prop::collection::btree_map(prop::collection::vec(0..3u8, 0..3), any::<Option<u8>>(), 0..12),
            from in prop::collection::vec(0..3u8, 0..3),
            until in prop::collection::vec(0..3u8, 0..3),
            most in 1..5usize,
        ) {
            let committed = committed.into_iter().map(|(key, value)| (key, vec![value])).collect();
            let writes: Writes = changed.into_iter().map(|(key, value)| (key, value.map(|byte| vec![byte]))).collect();
            let store = MemoryInventory(committed);
            let overlay = Overlay { writes: writes.clone(), bytes: 0 };
            let mut after = store.clone();
            after.commit(writes);
            let (mut read, mut next) = (Vec::new(), Some(from.clone()));
            while let Some(at) = next {
                let (found, more) = overlay.stretch(&store, &at, &until, most).unwrap();
                read.extend(found);
                next = more;
            }
            prop_assert_eq!(read, after.range(&from, &until, usize::MAX).unwrap());
            let layered = Layered { store: &store, overlay: &overlay };
            prop_assert_eq!(layered.range(&from, &until, most).unwrap(), after.range(&from, &until, most).unwrap());
            prop_assert_eq!(layered.get(&from).unwrap(), after.get(&from).unwrap());
        }
    }
}
