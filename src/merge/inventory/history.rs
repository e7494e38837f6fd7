//! What slots were before: kept for a while, so that what is said of an event is what was known of its time.

use super::fold::Step;
use super::head::Head;
use super::slot::Slot;
use super::state::{self, PAST, State};
use super::store::InventoryStore;
use crate::collect::Grain;
use crate::merge::StoreError;

/// No slot keeps more of its past. A person's profile changes a few times a month; what changes more often than that is
/// of no use as history.
pub(super) const MOST_KEPT: usize = 20;

/// The past that is kept, ms: the 90 days that Okta's log reaches back, so no event is older.
pub(super) const KEPT_MS: i64 = 90 * 86_400_000;

/// Of an object of more bytes only that it was otherwise is kept. Okta's largest, apps with all their settings, have
/// about 20 KB.
const MOST_OF_OBJECT: usize = 64 << 10;

/// Of a list of more bytes only that it was otherwise is kept: 600 members of a group, or the factors of anybody. What
/// people were members of is kept by themselves, however long the lists.
const MOST_OF_LIST: usize = 16 << 10;

/// What a slot was from some time on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Past {
    pub head: Head,
    /// What it said, if it was there and that is kept.
    pub body: Option<Vec<u8>>,
}

/// What is known of a slot as of a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spell {
    pub head: Head,
    pub body: Option<Vec<u8>>,
    /// The same is the answer for all times from this one on …
    pub from: i64,
    /// … and before this one.
    pub until: i64,
    /// It was seen to be so by that time. If not, it is what is known now: nothing that was seen so early is kept.
    pub seen_by_then: bool,
}

/// What is known of a slot as of a time. `None` if nothing ever was.
pub(super) fn spell(store: &(impl InventoryStore + ?Sized), slot: &Slot, at: i64) -> Result<Option<Spell>, StoreError> {
    let Some(head) = state::head(store, slot)? else { return Ok(None) };
    let since = head.since();
    let current = |head: Head, from, until, seen_by_then| {
        let body = if head.is_gone() { None } else { state::body(store, slot)? };
        Ok(Some(Spell { head, body, from, until, seen_by_then }))
    };
    if since <= at {
        return current(head, since, i64::MAX, true);
    }
    let (mut from, mut until, mut was) = (i64::MIN, since, None);
    if head.past > 0 {
        for past in pasts(store, slot)? {
            if past.head.since() > at {
                until = past.head.since();
                break;
            }
            from = past.head.since();
            was = Some(past);
        }
    }
    match was {
        Some(Past { head, body }) if head.is_gone() || body.is_some() => {
            Ok(Some(Spell { head, body, from, until, seen_by_then: true }))
        }
        _ => current(head, from, until, false),
    }
}

/// What is kept of the past of a slot, oldest first.
pub(super) fn pasts(store: &(impl InventoryStore + ?Sized), slot: &Slot) -> Result<Vec<Past>, StoreError> {
    let mut pasts = Vec::new();
    let key = state::key(PAST, slot.org.as_str(), &[slot.facet(), &slot.key]);
    state::each_below(store, &key, |_, value| {
        pasts.push(read(value)?);
        Ok(())
    })?;
    Ok(pasts)
}

impl<S: InventoryStore> State<'_, S> {
    /// Keeps what a slot was until now, when something else is so from `until` on. Of what is older only what may be
    /// asked for stays. Gives how much that is.
    pub fn remember(
        &mut self,
        slot: &Slot,
        head: &Head,
        body: Option<&[u8]>,
        until: i64,
        oldest: i64,
    ) -> Result<u32, StoreError> {
        let most = if slot.collection.grain == Grain::Object { MOST_OF_OBJECT } else { MOST_OF_LIST };
        let body = body.filter(|body| body.len() <= most);
        let row = write(head, body)?;
        self.overlay.put(self.past_key(slot, head.since()), Some(row));
        self.forget_past(slot, until, oldest)
    }

    /// Forgets what ended before `oldest`, and what is too much. Gives how much is left. Now it is as it is since `since`.
    pub fn forget_past(&mut self, slot: &Slot, since: i64, oldest: i64) -> Result<u32, StoreError> {
        let mut begun = Vec::new();
        state::each_below(&self.layered(), &self.key(PAST, slot), |place, _| {
            begun.extend(moment(place));
            Ok(())
        })?;
        let ends = begun.iter().skip(1).copied().chain([since]);
        let too_old = ends.take_while(|end| *end <= oldest).count();
        let forgotten = too_old.max(begun.len().saturating_sub(MOST_KEPT));
        for begun in begun.iter().take(forgotten) {
            let key = self.past_key(slot, *begun);
            self.overlay.put(key, None);
        }
        Ok(u32::try_from(begun.len() - forgotten).unwrap_or(u32::MAX))
    }

    fn past_key(&self, slot: &Slot, since: i64) -> Vec<u8> {
        let mut key = self.key(PAST, slot);
        key.push(0);
        key.extend_from_slice(&place(since));
        key
    }
}

impl<S: InventoryStore> Step<'_, S> {
    /// No event that is worth an answer is older, by the clock of the record.
    pub fn oldest(&self) -> i64 {
        self.clock.saturating_sub(KEPT_MS)
    }
}

/// A time as bytes that are in the order of the times.
fn place(time: i64) -> [u8; 8] {
    (time ^ i64::MIN).to_be_bytes()
}

fn moment(place: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(place.try_into().ok()?) ^ i64::MIN)
}

/// How many bytes the head takes, the head, and the body, if there is one: no body is empty.
fn write(head: &Head, body: Option<&[u8]>) -> Result<Vec<u8>, StoreError> {
    let head = state::encode(head)?;
    let length = u16::try_from(head.len()).map_err(|_| state::corrupted("be written", "a head is too long"))?;
    Ok([&length.to_be_bytes(), head.as_slice(), body.unwrap_or_default()].concat())
}

fn read(row: &[u8]) -> Result<Past, StoreError> {
    let parts = row.split_first_chunk().and_then(|(length, rest)| {
        let (head, body) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        Some((head, Some(body).filter(|body| !body.is_empty())))
    });
    let Some((head, body)) = parts else { return Err(state::corrupted("be read", "a row of the past is cut off")) };
    Ok(Past { head: state::decode(head)?, body: body.map(<[u8]>::to_vec) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_order_of_the_times() {
        let times = [i64::MIN, -5, -1, 0, 1, 1_700_000_000_000, i64::MAX];
        assert!(times.windows(2).all(|pair| place(pair[0]) < place(pair[1])));
        assert!(times.iter().all(|time| moment(&place(*time)) == Some(*time)));
        assert_eq!(moment(b"short"), None);
    }
}
