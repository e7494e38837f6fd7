//! Memberships the other way round: of each user the groups that they are in. Okta lists the members of groups; who
//! asks about a user would have to look through all of them.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::fold::Step;
use super::history;
use super::knowledge::Thing;
use super::slot::{Slot, by_facet};
use super::state::{self, MEMBER};
use super::store::InventoryStore;
use crate::json::{Kind, Tape, Value};
use crate::merge::StoreError;
use crate::okta::OrgId;

/// The facet that tells who is in a group.
pub(super) const MEMBERS: &str = "group.members";

/// The facet that tells the same by the user, where it is read.
const GROUPS: &str = "user.groups";

/// No more changes of a user's groups are kept: more than anybody's in the time that history is kept for, except where
/// a rule flaps; then the older ones are forgotten first.
const MOST_CHANGES: usize = 64;

/// What is kept of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    /// The groups of times from this one on can be told.
    since: i64,
    /// The groups, by their ids, in order.
    groups: Vec<String>,
    /// What was otherwise before, oldest first.
    changes: Vec<Change>,
}

/// From `since` on a user is in a group, or not in it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Change(i64, bool, String);

/// The groups of a user as of a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Groups {
    /// Their ids, in order.
    pub ids: Vec<String>,
    /// The same is the answer for all times from this one on …
    pub from: i64,
    /// … and before this one.
    pub until: i64,
    /// It was seen to be so by that time; if not, it is what is known now.
    pub seen_by_then: bool,
}

/// The ids of the groups that a user is in, in order, as last committed. `None` if nobody has read the members of all
/// groups yet, and this user was in none that was.
///
/// # Errors
/// When the disk cannot be read.
pub fn groups_of(
    store: &(impl InventoryStore + ?Sized),
    org: &OrgId,
    user: &str,
) -> Result<Option<Vec<String>>, StoreError> {
    Ok(groups(store, org, user, i64::MAX)?.map(|groups| groups.ids))
}

/// The groups of a user as of a time.
pub(super) fn groups(
    store: &(impl InventoryStore + ?Sized),
    org: &OrgId,
    user: &str,
    at: i64,
) -> Result<Option<Groups>, StoreError> {
    let by_user = by_facet(GROUPS).and_then(|collection| Slot::new(org, collection, user));
    if let Some(slot) = by_user
        && let Some(spell) = history::spell(store, &slot, at)?
        && let Some(body) = spell.body
    {
        let (from, until, seen_by_then) = (spell.from, spell.until, spell.seen_by_then);
        return Ok(Some(Groups { ids: ids(Some(&body)), from, until, seen_by_then }));
    }
    let row: Option<Row> = state::row(store, MEMBER, org, &[user])?;
    if let Some(row) = row {
        return Ok(Some(row.at(at)));
    }
    let list = by_facet(MEMBERS).and_then(|collection| Slot::new(org, collection, ""));
    let known_since = list.map(|list| state::ledger(store, &list)).transpose()?.and_then(|ledger| ledger.known_since);
    Ok(known_since.map(|since| Row { since, ..Row::default() }.at(at)))
}

impl Row {
    fn at(self, at: i64) -> Groups {
        let Self { since, groups: mut ids, changes } = self;
        if at < since {
            return Groups { ids, from: i64::MIN, until: since, seen_by_then: false };
        }
        let (mut from, mut until) = (since, i64::MAX);
        for Change(changed, joined, group) in changes.into_iter().rev() {
            if changed <= at {
                from = from.max(changed);
                break;
            }
            until = changed;
            put(&mut ids, &group, !joined);
        }
        Groups { ids, from, until, seen_by_then: true }
    }

    /// Gives whether it was otherwise.
    fn change(&mut self, since: i64, joined: bool, group: &str) -> bool {
        let changed = put(&mut self.groups, group, joined);
        if changed {
            let place = self.changes.partition_point(|change| change.0 <= since);
            self.changes.insert(place, Change(since, joined, group.to_owned()));
        }
        changed
    }

    /// Forgets the changes before `oldest`, and those that are too many.
    fn forget(&mut self, oldest: i64) {
        let too_old = self.changes.partition_point(|change| change.0 <= oldest);
        let forgotten = too_old.max(self.changes.len().saturating_sub(MOST_CHANGES));
        if let Some(Change(since, ..)) = self.changes.drain(..forgotten).next_back() {
            self.since = self.since.max(since);
        }
    }

    fn says_nothing(&self) -> bool {
        self.groups.is_empty() && self.changes.is_empty()
    }
}

/// Puts an id to ordered ones, or takes it away; gives whether they are otherwise now.
fn put(ids: &mut Vec<String>, id: &str, is_in: bool) -> bool {
    match (ids.binary_search_by(|known| known.as_str().cmp(id)), is_in) {
        (Err(place), true) => ids.insert(place, id.to_owned()),
        (Ok(place), false) => drop(ids.remove(place)),
        _ => return false,
    }
    true
}

/// A list of members that is otherwise than it was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Members<'a> {
    pub group: &'a str,
    pub before: Option<&'a [u8]>,
    pub after: Option<&'a [u8]>,
    pub since: i64,
    /// Nothing says that whoever is in it was not in it before it was read.
    pub first: bool,
}

impl<S: InventoryStore> Step<'_, S> {
    /// Writes who is in a group now, and who is not any more. Whoever stays in it is not touched.
    pub fn follow_members(&mut self, list: Members<'_>) -> Result<(), StoreError> {
        let (before, after) = (ids(list.before), ids(list.after));
        let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (Some(old), Some(new)) => old.cmp(new),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return Ok(()),
            };
            let left = if order.is_le() { old.next() } else { None };
            let joined = if order.is_ge() { new.next() } else { None };
            match (left, joined) {
                (Some(user), None) => self.member(user, false, list)?,
                (None, Some(user)) => self.member(user, true, list)?,
                _ => {}
            }
        }
    }

    fn member(&mut self, user: &str, joined: bool, list: Members<'_>) -> Result<(), StoreError> {
        if user.is_empty() || user.bytes().any(|byte| byte.is_ascii_control()) {
            return Ok(());
        }
        let row: Option<Row> = self.state.row(MEMBER, self.org, &[user])?;
        let mut row = match row {
            Some(row) => row,
            None => Row { since: self.members_known_since()?.unwrap_or(list.since), ..Row::default() },
        };
        if list.first {
            if !put(&mut row.groups, list.group, joined) {
                return Ok(());
            }
            row.since = row.since.max(list.since);
        } else if !row.change(list.since, joined, list.group) {
            return Ok(());
        }
        row.forget(self.oldest());
        self.state.cards.borrow_mut().forget(self.org, Thing::User, user);
        self.state.put_row(MEMBER, self.org, &[user], Some(&row).filter(|row| !row.says_nothing()))
    }

    /// When the members of all groups had been read for the first time, by the log's clock.
    pub fn members_known_since(&self) -> Result<Option<i64>, StoreError> {
        let list = by_facet(MEMBERS).and_then(|collection| Slot::new(self.org, collection, ""));
        let ledger = list.map(|list| self.state.ledger(&list)).transpose()?;
        Ok(ledger.and_then(|ledger| ledger.known_since))
    }
}

/// The texts in a JSON array of ids, in order, each once.
fn ids(list: Option<&[u8]>) -> Vec<String> {
    let mut tape = Tape::default();
    let Some(Ok(document)) = list.map(|list| tape.read(list)) else { return Vec::new() };
    let elements = Some(document.root()).filter(|root| root.kind() == Kind::Array);
    let texts = elements.into_iter().flat_map(Value::children).filter_map(Value::as_str);
    let mut ids: Vec<String> = texts.map(String::from).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(row: &Row, time: i64) -> Vec<String> {
        row.clone().at(time).ids
    }

    #[test]
    fn what_was_is_told_by_undoing_what_changed() {
        let mut row = Row { since: 10, groups: vec!["a".into(), "b".into()], changes: Vec::new() };
        assert!(row.change(20, false, "a"));
        assert!(row.change(40, true, "a"));
        assert!(row.change(30, true, "c"), "groups are read when they are read");
        assert!(!row.change(50, true, "c"), "that is nothing new");
        assert_eq!(at(&row, 50), ["a", "b", "c"]);
        assert_eq!(at(&row, 35), ["b", "c"]);
        assert_eq!(at(&row, 25), ["b"]);
        assert_eq!(at(&row, 15), ["a", "b"]);
        let then = row.clone().at(25);
        assert_eq!((then.from, then.until, then.seen_by_then), (20, 30, true));
        let too_early = row.at(9);
        assert_eq!((too_early.ids.len(), too_early.until, too_early.seen_by_then), (3, 10, false));
    }

    #[test]
    fn what_is_forgotten_is_not_told_as_if_it_were_known() {
        let mut row = Row::default();
        for time in 0..100 {
            row.change(time, time % 2 == 0, "a");
            row.forget(-1);
        }
        assert_eq!((row.changes.len(), row.since), (MOST_CHANGES, 35));
        assert!(!row.clone().at(34).seen_by_then);
        assert_eq!((at(&row, 35).len(), at(&row, 36).len()), (0, 1));
        row.forget(99);
        assert!(row.says_nothing() && row.since == 99);
    }

    #[test]
    fn what_is_no_list_of_ids_holds_none() {
        assert_eq!(ids(Some(br#"["b","a",7,{"id":"c"},"b"]"#)), ["a", "b"]);
        assert!(ids(None).is_empty() && ids(Some(b"{")).is_empty() && ids(Some(b"{}")).is_empty());
    }
}
