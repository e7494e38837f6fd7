use serde::{Deserialize, Serialize};

use super::output::{Cause, Intent};
use super::settings::Settings;
use super::slot::{Slot, by_facet};
use super::state::each_want;
use super::store::InventoryStore;
use crate::collect::Grain;
use crate::merge::StoreError;
use crate::okta::OrgId;

/// A fetch that is open. There is at most one for a slot; when there is none, the slot is at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// How far it is.
    pub stage: Stage,
    /// How to ask.
    pub ask: Ask,
    /// How to ask once what was sent is answered, if something hinted at its slot since.
    pub then: Option<Ask>,
    /// Of a list of changes: `published` of the newest event that it is to show.
    pub newest: Option<i64>,
    /// The newest event that asked for it, or else the newest reason.
    pub cause: Cause,
    /// Not before this time, ms since the Unix epoch by the log's clock.
    pub not_before: i64,
}

/// How far a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It waits to be sent.
    Wanted,
    /// It was sent.
    InFlight {
        /// Not before this time, by Okta's clock.
        sent_as_of: i64,
        /// When that landed, by the log's clock.
        sent_at: i64,
    },
    /// It was sent, and something hinted at its slot since: the answer may be older than that.
    InFlightDirty {
        /// As above.
        sent_as_of: i64,
        /// As above.
        sent_at: i64,
    },
}

/// How to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// For one object by its id.
    Object,
    /// For the whole list with this key.
    List,
    /// For what has changed in the collection since a time, ms since the Unix epoch; for all of it without one.
    Changes {
        /// The time.
        since: Option<i64>,
    },
}

impl Ask {
    /// How a slot is asked for.
    pub(super) fn for_slot(slot: &Slot) -> Self {
        if slot.collection.grain == Grain::Object { Self::Object } else { Self::List }
    }

    /// What covers both.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Changes { since }, Self::Changes { since: other }) => {
                Self::Changes { since: since.zip(other).map(|(one, other)| one.min(other)) }
            }
            _ => self,
        }
    }
}

impl Want {
    /// A fetch that nobody has sent.
    pub(super) fn new(ask: Ask, cause: Cause, not_before: i64) -> Self {
        Self { stage: Stage::Wanted, ask, then: None, newest: None, cause, not_before }
    }

    /// Joins another reason to it: whatever was sent before may be older than that.
    pub(super) fn join(&mut self, ask: Ask, cause: Cause) {
        match self.stage {
            Stage::Wanted => self.ask = self.ask.and(ask),
            Stage::InFlight { sent_as_of, sent_at } | Stage::InFlightDirty { sent_as_of, sent_at } => {
                self.stage = Stage::InFlightDirty { sent_as_of, sent_at };
                self.then = Some(self.then.map_or(ask, |then| then.and(ask)));
            }
        }
        // An event says more than that something was missing or odd.
        if matches!(cause, Cause::Event(_)) || !matches!(self.cause, Cause::Event(_)) {
            self.cause = cause;
        }
    }

    /// It is about to be sent, or sent again: everything that hinted at it came before.
    pub(super) fn send(&mut self, sent_as_of: i64, sent_at: i64) {
        self.ask = self.then.take().map_or(self.ask, |then| self.ask.and(then));
        self.stage = Stage::InFlight { sent_as_of, sent_at };
    }

    /// It was answered, but something hinted at its slot since: that is to be asked.
    pub(super) fn ask_rest(&mut self, not_before: i64) {
        self.ask = self.then.take().unwrap_or(self.ask);
        (self.stage, self.not_before) = (Stage::Wanted, not_before);
    }

    /// It has no answer: all of it is to be asked.
    pub(super) fn ask_again(&mut self, not_before: i64) {
        self.ask = self.then.take().map_or(self.ask, |then| self.ask.and(then));
        (self.stage, self.not_before) = (Stage::Wanted, not_before);
    }

    /// Whether what was asked at a time answers what was sent.
    pub(super) fn is_answered_by(&self, as_of: i64) -> bool {
        match self.stage {
            Stage::Wanted => false,
            Stage::InFlight { sent_as_of, .. } | Stage::InFlightDirty { sent_as_of, .. } => as_of >= sent_as_of,
        }
    }

    /// Whether an answer leaves nothing to ask.
    pub(super) fn is_clean(&self) -> bool {
        matches!(self.stage, Stage::InFlight { .. })
    }

    fn is_due(&self, now: i64, answer_within_ms: i64, abandoned: Option<i64>) -> bool {
        match self.stage {
            Stage::Wanted => self.not_before <= now,
            Stage::InFlight { sent_as_of, sent_at } | Stage::InFlightDirty { sent_as_of, sent_at } => {
                abandoned >= Some(sent_as_of) || now - sent_at > answer_within_ms
            }
        }
    }
}

/// What is to be fetched now in an org, as last committed: at most so many. What was sent and never answered is among it
/// again after [`Settings::answer_within_ms`]; what was sent until `abandoned` at once, as who sent it is gone
/// ([`super::last_sent`] of the moment in which somebody else begins to send). `now` is by the log's clock, `abandoned` by
/// Okta's.
///
/// # Errors
/// When the disk cannot be read.
pub fn due(
    store: &(impl InventoryStore + ?Sized),
    settings: &Settings,
    org: &OrgId,
    now: i64,
    abandoned: Option<i64>,
    most: usize,
) -> Result<Vec<Intent>, StoreError> {
    let mut found = Vec::new();
    each_want(store, org, |(facet, key, want)| {
        let slot = by_facet(&facet).and_then(|collection| Slot::new(org, collection, &key));
        if let Some(slot) = slot.filter(|_| want.is_due(now, settings.answer_within_ms, abandoned)) {
            found.push(Intent { slot, ask: want.ask, cause: want.cause, not_before: want.not_before });
        }
        found.len() < most
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_goes_through_its_stages() {
        let mut want = Want::new(Ask::Object, Cause::List, 5);
        want.join(Ask::Object, Cause::Event([1; 16]));
        assert_eq!((want.stage, want.cause), (Stage::Wanted, Cause::Event([1; 16])), "hints are coalesced");
        assert!(!want.is_answered_by(i64::MAX), "nothing was sent");
        want.send(100, 7);
        assert!(!want.is_answered_by(99) && want.is_answered_by(100) && want.is_clean());
        want.join(Ask::Object, Cause::Event([2; 16]));
        assert!(want.is_answered_by(100) && !want.is_clean());
        want.send(200, 8);
        assert!(want.is_clean() && !want.is_answered_by(150), "a late answer to the first one ends nothing");
    }

    #[test]
    fn what_is_never_answered_is_due_again() {
        let mut want = Want::new(Ask::List, Cause::Sweep, 5);
        assert!(!want.is_due(4, 10, None) && want.is_due(5, 10, None));
        want.send(100, 20);
        assert!(!want.is_due(30, 10, None) && want.is_due(31, 10, None));
    }

    #[test]
    fn what_was_sent_by_one_who_is_gone_is_due_at_once() {
        let mut want = Want::new(Ask::List, Cause::Sweep, 5);
        assert!(!want.is_due(4, 10, Some(100)), "nothing was sent");
        want.send(100, 20);
        assert!(want.is_due(21, 10, Some(100)) && !want.is_due(21, 10, Some(99)));
    }

    #[test]
    fn a_list_of_changes_reaches_back_to_the_oldest_reason() {
        let since = |since| Ask::Changes { since };
        assert_eq!(since(Some(5)).and(since(Some(3))), since(Some(3)));
        assert_eq!(since(Some(5)).and(since(None)), since(None));
        let mut want = Want::new(since(Some(5)), Cause::List, 0);
        want.send(100, 0);
        want.join(since(Some(90)), Cause::List);
        let (mut answered, mut failed) = (want.clone(), want.clone());
        answered.ask_rest(0);
        assert_eq!(answered.ask, since(Some(90)), "but not to what was answered");
        failed.ask_again(0);
        want.send(200, 0);
        assert_eq!((failed.ask, want.ask), (since(Some(5)), since(Some(5))));
    }
}
