//! The verdict on a collection, from how its lists ended.

use std::collections::BTreeMap;

use super::remedy::ListEnd;
use crate::merge::snapshots::{Outcome, Place};

/// So many lists in a row that are all refused say that the rest will be, too: asking on would cost a call each.
const REFUSED_IN_A_ROW: u64 = 10;

/// Takes account of the lists of one collection.
///
/// Lists are known by their place in the roster and end in any order; what is persisted is the place up to which all of
/// them have ended.
#[derive(Debug)]
pub(super) struct Lists {
    /// What a cursor says.
    place: Place,
    /// Those that ended beyond the first that has not, and whether they could not be read.
    ahead: BTreeMap<u64, bool>,
    read: u64,
    /// Lists of which nothing was there any more.
    gone: u64,
    refused_in_a_row: u64,
    /// The lists are for words of which an org need not have all.
    words: bool,
}

impl Lists {
    /// Goes on at a place. Where the lists are for words, those that the org does not have are no failures as long as
    /// it has another.
    pub fn new(place: Place, words: bool) -> Self {
        let read = place.lists - place.failed.min(place.lists);
        Self { place, ahead: BTreeMap::new(), read, gone: 0, refused_in_a_row: 0, words }
    }

    /// How far all is done.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// So much was read so far.
    pub fn count(&mut self, objects: u64, calls: u64) {
        (self.place.objects, self.place.calls) = (objects, calls);
    }

    /// Where the page after the last landed one is, if there is only one list.
    pub fn go_on_at(&mut self, next: Option<String>, restarts: u32) {
        (self.place.next, self.place.restarts) = (next, restarts);
    }

    /// A list ended.
    pub fn end(&mut self, at: u64, end: ListEnd) {
        let failed = match end {
            ListEnd::Read => {
                self.read += 1;
                false
            }
            ListEnd::Gone => {
                self.gone += 1;
                false
            }
            ListEnd::Refused(missing) => self.refused(missing),
            ListEnd::Off => self.refused(String::new()),
            ListEnd::NotUnderstood(_) if self.words => self.refused(String::new()),
            ListEnd::Failed(why) | ListEnd::NotUnderstood(why) => {
                self.place.failure.get_or_insert(why);
                true
            }
        };
        if !failed {
            self.refused_in_a_row = 0;
        }
        self.ahead.insert(at, failed);
        while let Some(failed) = self.ahead.remove(&self.place.lists) {
            self.place.lists += 1;
            self.place.failed += u64::from(failed);
        }
    }

    fn refused(&mut self, missing: String) -> bool {
        self.place.refusal.get_or_insert(missing);
        self.refused_in_a_row += 1;
        true
    }

    /// Whether asking for further lists is pointless. Of words each is tried: a refusal says nothing of the others.
    pub fn hopeless(&self) -> bool {
        !self.words && self.refused_in_a_row >= REFUSED_IN_A_ROW
    }

    fn failed(&self) -> u64 {
        self.place.failed + self.ahead.values().filter(|failed| **failed).count() as u64
    }

    /// The verdict, once there are no more lists, or asking on is pointless. `within` is the verdict on the collection
    /// that this one is within: of what is not known to exist nothing could be read.
    pub fn verdict(&self, within: Option<&Outcome>) -> Outcome {
        let failed = self.failed();
        let lists = self.read + self.gone + failed;
        let nothing = self.read == 0 && self.place.objects == 0;
        if let Some(outcome) = within.filter(|outcome| **outcome != Outcome::Complete) {
            return match outcome {
                Outcome::Partial { why } => Outcome::Partial { why: format!("what it is within is incomplete: {why}") },
                outcome if lists == 0 => outcome.clone(),
                outcome => Outcome::Partial { why: format!("what it is within is {}", outcome.word()) },
            };
        }
        // One object may be deleted between two calls. Where all are, something else answers than it should.
        if nothing && self.gone > 1 {
            return Outcome::Partial { why: format!("Okta knows none of the {} objects that it listed", self.gone) };
        }
        let all_else_read = self.words && self.read > 0 && self.place.failure.is_none();
        if failed == 0 || all_else_read {
            return Outcome::Complete;
        }
        match (&self.place.refusal, &self.place.failure) {
            (Some(missing), None) if nothing && missing.is_empty() => Outcome::FeatureOff,
            (Some(missing), None) if nothing => Outcome::Forbidden { missing: missing.clone() },
            (_, Some(why)) if nothing => Outcome::Failed { why: why.clone() },
            (refusal, failure) => {
                let why = match (failure, refusal.as_deref()) {
                    (Some(why), _) => why.as_str(),
                    (None, None | Some("")) => "the org does not have them",
                    (None, Some(missing)) => missing,
                };
                let of = if self.hopeless() { ", and the rest was not tried" } else { "" };
                Outcome::Partial { why: format!("{failed} of {lists} lists not read{of}: {why}") }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn lists(ends: impl IntoIterator<Item = ListEnd>) -> Lists {
        let mut lists = Lists::new(Place::default(), false);
        for (at, end) in (0..).zip(ends) {
            lists.end(at, end);
        }
        lists
    }

    fn refused() -> ListEnd {
        ListEnd::Refused("grant x".into())
    }

    #[test]
    fn complete_is_only_what_was_read_to_its_end() {
        assert_eq!(lists([ListEnd::Read, ListEnd::Gone]).verdict(None), Outcome::Complete);
        assert_eq!(lists([]).verdict(None), Outcome::Complete, "no parents, no lists");
        assert_eq!(lists([refused()]).verdict(None), Outcome::Forbidden { missing: "grant x".into() });
        assert_eq!(lists([ListEnd::Off]).verdict(None), Outcome::FeatureOff);
        let failed = ListEnd::Failed("timeout".into());
        assert_eq!(lists([failed.clone()]).verdict(None), Outcome::Failed { why: "timeout".into() });
        let some = lists([ListEnd::Read, refused(), failed]).verdict(None);
        assert_eq!(some, Outcome::Partial { why: "2 of 3 lists not read: timeout".into() });
    }

    #[test]
    fn a_list_that_failed_after_some_pages_is_partial() {
        let mut lists = Lists::new(Place::default(), false);
        lists.count(200, 1);
        lists.end(0, refused());
        assert!(matches!(lists.verdict(None), Outcome::Partial { why } if why.contains("grant x")));
    }

    #[test]
    fn what_is_within_something_unseen_is_never_complete() {
        let forbidden = Outcome::Forbidden { missing: "grant x".into() };
        assert_eq!(lists([]).verdict(Some(&forbidden)), forbidden);
        let partial = Outcome::Partial { why: "timeout".into() };
        assert!(matches!(lists([ListEnd::Read]).verdict(Some(&partial)), Outcome::Partial { .. }));
        assert_eq!(lists([ListEnd::Read]).verdict(Some(&Outcome::Complete)), Outcome::Complete);
    }

    #[test]
    fn refusals_in_a_row_end_the_asking() {
        let mut ends = vec![ListEnd::Read];
        ends.extend(std::iter::repeat_n(refused(), 9));
        assert!(!lists(ends.clone()).hopeless());
        ends.push(refused());
        assert!(lists(ends.clone()).hopeless());
        ends.push(ListEnd::Read);
        assert!(!lists(ends).hopeless());
    }

    #[test]
    fn of_words_an_org_need_not_have_all() {
        let mut lists = Lists::new(Place::default(), true);
        lists.end(0, ListEnd::NotUnderstood("status 400".into()));
        lists.end(1, refused());
        assert!(matches!(lists.verdict(None), Outcome::FeatureOff), "the first word was not there");
        lists.end(2, ListEnd::Read);
        assert_eq!(lists.verdict(None), Outcome::Complete);
        lists.end(3, ListEnd::Failed("timeout".into()));
        assert!(matches!(lists.verdict(None), Outcome::Partial { .. }));
    }

    #[test]
    fn failures_before_a_restart_are_not_forgotten() {
        let refusal = Some("grant x".to_owned());
        let lists = Lists::new(Place { lists: 5, failed: 1, refusal, ..Place::default() }, false);
        assert_eq!(lists.verdict(None), Outcome::Partial { why: "1 of 5 lists not read: grant x".into() });
        let all = Place { lists: 2, failed: 2, refusal: Some("grant x".into()), ..Place::default() };
        assert_eq!(Lists::new(all, false).verdict(None), Outcome::Forbidden { missing: "grant x".into() });
    }

    #[test]
    fn what_ended_ahead_counts_and_is_not_persisted() {
        let mut lists = Lists::new(Place::default(), false);
        lists.end(1, ListEnd::Failed("timeout".into()));
        assert_eq!((lists.place().lists, lists.place().failed), (0, 0));
        lists.end(0, ListEnd::Read);
        assert_eq!((lists.place().lists, lists.place().failed), (2, 1));
        assert!(matches!(lists.verdict(None), Outcome::Partial { .. }));
    }

    #[test]
    fn when_all_that_was_listed_is_gone_something_else_is_wrong() {
        assert_eq!(lists([ListEnd::Gone]).verdict(None), Outcome::Complete);
        assert!(matches!(lists([ListEnd::Gone, ListEnd::Gone]).verdict(None), Outcome::Partial { .. }));
    }

    #[test]
    fn many_words_that_are_refused_leave_the_others_to_be_tried() {
        let mut words = Lists::new(Place::default(), true);
        (1..12).for_each(|at| words.end(at, refused()));
        assert!(!words.hopeless());
    }

    proptest! {
        #[test]
        fn the_place_never_passes_a_list_that_has_not_ended(order in Just((0..40u64).collect::<Vec<_>>()).prop_shuffle()) {
            let mut lists = Lists::new(Place::default(), false);
            let mut ended = BTreeSet::new();
            for at in order {
                lists.end(at, ListEnd::Read);
                ended.insert(at);
                let expected = (0..).take_while(|at| ended.contains(at)).count() as u64;
                prop_assert_eq!(lists.place().lists, expected);
            }
        }
    }
}
