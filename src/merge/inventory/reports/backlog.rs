//! Users who wait to be told: those whose groups changed together with those of many others.

use serde::{Deserialize, Serialize};

use super::scan::{self, Phase, Scan};
use super::thing::user;
use super::{Delta, Occasion, Reason, Report, Reporter};
use crate::merge::StoreError;
use crate::merge::inventory::output::Cause;
use crate::merge::inventory::slot::{Slot, by_facet};
use crate::merge::inventory::state::{after_all, decode, key};
use crate::merge::inventory::store::InventoryStore;
use crate::okta::OrgId;

/// The mark that lands when nothing else does, so that what waits is told.
pub const TICK: &str = "tick";

/// What the keys of users who wait begin with, and that of how many there are.
const QUEUED: u8 = b'Q';
const BACKLOG: u8 = b'B';

/// So many reasons are kept for each; a user whom an import puts into more groups at once is told with the newest.
const MOST_REASONS: usize = 8;

/// How many wait, and who was told last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Backlog {
    queued: u64,
    /// Who waits behind this one is told next, and round again, so that nobody waits for ever.
    last: String,
}

/// Why a user waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    group: String,
    joined: bool,
    cause: Cause,
    as_of: (i64, i64),
}

/// What of an org waits to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// Users.
    pub users: u64,
    /// The snapshot that is being told, and how far.
    pub snapshot: Option<Scan>,
}

impl Pending {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.users == 0 && self.snapshot.is_none()
    }
}

/// What waits to be told, as last committed.
///
/// # Errors
/// When the disk cannot be read.
pub fn pending(store: &(impl InventoryStore + ?Sized), org: &OrgId) -> Result<Pending, StoreError> {
    let backlog = store.get(&key(BACKLOG, org.as_str(), &[]))?;
    let backlog: Backlog = backlog.map(|value| decode(&value)).transpose()?.unwrap_or_default();
    let snapshot = scan::scan(store, org)?.filter(|scan| matches!(scan.phase, Phase::Telling { .. }));
    Ok(Pending { users: backlog.queued, snapshot })
}

impl<S: InventoryStore> Reporter<'_, S> {
    /// Puts a user behind those who wait, or another reason to one who does.
    pub(super) fn queue(&mut self, id: &str, reason: &Reason) -> Result<(), StoreError> {
        let place = key(QUEUED, self.org.as_str(), &[id]);
        let known: Option<Vec<Waiting>> = self.state.read(&place)?;
        if known.is_none() {
            let mut backlog = self.backlog()?;
            backlog.queued += 1;
            self.put_backlog(&backlog)?;
        }
        let mut waiting = known.unwrap_or_default();
        let overdue = (waiting.len() + 1).saturating_sub(MOST_REASONS);
        waiting.drain(..overdue);
        waiting.push(Waiting {
            group: reason.slot.key.clone(),
            joined: reason.change == Delta::Joined,
            cause: reason.cause,
            as_of: reason.as_of,
        });
        self.idle.remove(self.org);
        self.state.write(place, Some(&waiting))
    }

    /// Takes a user out of those who wait; gives the reasons.
    pub(super) fn unqueue(&mut self, id: &str) -> Result<Vec<Reason>, StoreError> {
        if self.idle.contains(self.org) {
            return Ok(Vec::new());
        }
        let place = key(QUEUED, self.org.as_str(), &[id]);
        let Some(waiting) = self.state.read::<Vec<Waiting>>(&place)? else { return Ok(Vec::new()) };
        let mut backlog = self.backlog()?;
        backlog.queued = backlog.queued.saturating_sub(1);
        self.put_backlog(&backlog)?;
        self.state.write::<Vec<Waiting>>(place, None)?;
        let Some(lists) = by_facet("group.members") else { return Ok(Vec::new()) };
        let reasons = waiting.into_iter().filter_map(|waiting| {
            let slot = Slot::new(self.org, lists, &waiting.group)?;
            let change = if waiting.joined { Delta::Joined } else { Delta::Left };
            Some(Reason { slot, change, cause: waiting.cause, as_of: waiting.as_of })
        });
        Ok(reasons.collect())
    }

    /// Tells some of what waits: first users, then things of a snapshot that has ended.
    pub(super) fn catch_up(&mut self) -> Result<(), StoreError> {
        if self.idle.contains(self.org) {
            return Ok(());
        }
        let room = self.settings.told_in_passing;
        let (users, left) = self.tell_users(room)?;
        let walks = self.walk(room - users)?;
        if left == 0 && !walks {
            self.idle.insert(self.org.clone());
        }
        Ok(())
    }

    /// Tells users who wait, at most so many; gives how many there were, and how many are left.
    fn tell_users(&mut self, room: usize) -> Result<(usize, u64), StoreError> {
        let backlog = self.backlog()?;
        if backlog.queued == 0 {
            return Ok((0, 0));
        }
        let ids = self.next_in_line(&backlog.last, room)?;
        for id in &ids {
            let reasons = self.unqueue(id)?;
            let at = reasons.iter().map(|reason| reason.as_of.1).max();
            let Some(slot) = user(self.org, id) else { continue };
            // One who was never seen is told when they are.
            if let Some(thing) = self.thing(&slot, Occasion::Changed(reasons), at)? {
                self.reports.push(Report::Thing(Box::new(thing)));
            }
        }
        let mut backlog = self.backlog()?;
        backlog.last = ids.last().cloned().unwrap_or_default();
        self.put_backlog(&backlog)?;
        Ok((ids.len(), backlog.queued))
    }

    /// The ids of those behind one, and from the beginning again.
    fn next_in_line(&self, last: &str, room: usize) -> Result<Vec<String>, StoreError> {
        let org = self.org.as_str();
        let first = key(QUEUED, org, &[""]);
        let after = [key(QUEUED, org, &[last]), vec![0]].concat();
        let mut ids = Vec::new();
        for (from, until) in [(after.clone(), after_all(&first)), (first.clone(), after)] {
            let mut next = Some(from);
            while let Some(at) = next.filter(|_| ids.len() < room) {
                let (found, more) = self.state.overlay.stretch(self.state.store, &at, &until, room)?;
                let found = found.iter().take(room - ids.len());
                ids.extend(
                    found.map(|(key, _)| {
                        String::from_utf8_lossy(key.get(first.len()..).unwrap_or_default()).into_owned()
                    }),
                );
                next = more;
            }
        }
        Ok(ids)
    }

    fn backlog(&self) -> Result<Backlog, StoreError> {
        Ok(self.state.read(&key(BACKLOG, self.org.as_str(), &[]))?.unwrap_or_default())
    }

    fn put_backlog(&mut self, backlog: &Backlog) -> Result<(), StoreError> {
        self.state.write(key(BACKLOG, self.org.as_str(), &[]), Some(backlog))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_waits_where_nothing_was_put() {
        let store = crate::merge::inventory::MemoryInventory::default();
        assert!(pending(&store, &OrgId::new("acme")).unwrap().is_empty());
    }
}
