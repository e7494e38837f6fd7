use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::content::{Hash, elements, hash_list};
use super::guards::Guard;
use super::slot::Slot;
use super::state::{ASSEMBLY, PART, State};
use super::store::InventoryStore;
use crate::landing::Observation;
use crate::merge::StoreError;

/// Pages of a list that are there, of which the last one is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Assembly {
    /// How many pages, from the first on without gaps.
    parts: u32,
    /// The reading that they are of.
    epoch: Option<i64>,
    /// They were read between these times.
    as_of: (i64, i64),
}

/// A whole list.
pub(super) struct WholeList {
    /// A JSON array of what it holds, each element once, as it was written.
    pub body: Vec<u8>,
    pub hash: Hash,
    /// Its pages were read between these times.
    pub as_of: (i64, i64),
}

/// What a page did.
pub(super) enum Page {
    /// It was the last: this is the list.
    Whole(WholeList),
    /// More are to come.
    More,
    /// A page before it is missing, so the list will never be whole.
    Incomplete,
    /// It is no page.
    Unreadable,
}

impl<S: InventoryStore> State<'_, S> {
    /// Puts a page to those before it. Page 0 begins anew, and a page that is there already is replaced: whoever reads
    /// goes on at the last place that is certain, and may read a page twice. Readings of different origin or of
    /// different snapshots never mix.
    pub fn add_page(
        &mut self,
        slot: &Slot,
        origin: &str,
        seen: &Observation,
        as_of: (i64, i64),
        page: &[u8],
    ) -> Result<Page, StoreError> {
        if elements(slot.collection, page).is_none() {
            return Ok(Page::Unreadable);
        }
        if seen.last && seen.part == 0 || !self.guards.stand(Guard::WholeLists) {
            self.forget_pages(slot, origin)?;
            return Ok(Page::Whole(whole(slot, &[page.to_vec()], as_of)));
        }
        let before = match seen.part {
            0 => {
                self.forget_pages(slot, origin)?;
                Some(Assembly { parts: 0, epoch: seen.epoch, as_of })
            }
            _ => self.note::<Assembly>(ASSEMBLY, slot, origin)?,
        };
        let before = before.filter(|before| seen.part <= before.parts && seen.epoch == before.epoch);
        let Some(before) = before else {
            self.forget_pages(slot, origin)?;
            return Ok(Page::Incomplete);
        };
        let as_of = (before.as_of.0.min(as_of.0), before.as_of.1.max(as_of.1));
        let assembly = Assembly { parts: before.parts.max(seen.part + 1), as_of, ..before };
        self.put_bytes(PART, slot, &name(origin, seen.part), Some(page.to_vec()));
        self.put_note(ASSEMBLY, slot, origin, Some(&assembly))?;
        if !seen.last {
            return Ok(Page::More);
        }
        let mut pages = Vec::new();
        for part in 0..=seen.part {
            pages.extend(self.bytes(PART, slot, &name(origin, part))?);
        }
        self.forget_pages(slot, origin)?;
        Ok(Page::Whole(whole(slot, &pages, as_of)))
    }

    fn forget_pages(&mut self, slot: &Slot, origin: &str) -> Result<(), StoreError> {
        let Some(known) = self.note::<Assembly>(ASSEMBLY, slot, origin)? else { return Ok(()) };
        for part in 0..known.parts {
            self.put_bytes(PART, slot, &name(origin, part), None);
        }
        self.put_note::<Assembly>(ASSEMBLY, slot, origin, None)
    }
}

fn name(origin: &str, part: u32) -> String {
    format!("{origin}/{part}")
}

fn whole(slot: &Slot, pages: &[Vec<u8>], as_of: (i64, i64)) -> WholeList {
    // An element moves to another page when one before it goes, so it may stand on two.
    let mut seen = HashSet::new();
    let all = pages.iter().filter_map(|page| elements(slot.collection, page)).flatten();
    let kept: Vec<_> = all.filter(|(hash, _)| seen.insert(hash.0)).collect();
    let mut body = vec![b'['];
    for (at, (_, written)) in kept.iter().enumerate() {
        body.extend_from_slice(if at == 0 { b"" } else { b"," });
        body.extend_from_slice(written);
    }
    body.push(b']');
    WholeList { body, hash: hash_list(kept.into_iter().map(|(hash, _)| hash)), as_of }
}
