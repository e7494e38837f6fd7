//! The verdict on a collection, from how its lists ended.

use std::collections::BTreeSet;

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
    /// Ended ones beyond the first that has not.
    ahead: BTreeSet<u64>,
    read: u64,
    refused_in_a_row: u64,
    /// Okta's word on the first list that was refused, and why the first one failed.
    refusal: Option<ListEnd>,
    failure: Option<String>,
    /// The lists are for words of which an org need not have all.
    words: bool,
}

impl Lists {
    /// Goes on at a place. Where the lists are for words, those that the org does not have are no failures as long as
    /// it has another.
    pub fn new(place: Place, words: bool) -> Self {
        // Of what was read before a restart only the numbers are known.
        let failure = (place.failed > 0).then(|| "before the last start".to_owned());
        let read = place.lists - place.failed.min(place.lists);
        Self { place, ahead: BTreeSet::new(), read, refused_in_a_row: 0, refusal: None, failure, words }
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
        match &end {
            ListEnd::Read | ListEnd::Gone => {
                self.read += 1;
                self.refused_in_a_row = 0;
            }
            ListEnd::Refused(_) | ListEnd::Off => {
                self.place.failed += 1;
                self.refused_in_a_row += 1;
                self.refusal.get_or_insert(end);
            }
            ListEnd::NotUnderstood(_) if self.words => {
                self.place.failed += 1;
                self.refusal.get_or_insert(ListEnd::Off);
            }
            ListEnd::Failed(why) | ListEnd::NotUnderstood(why) => {
                self.place.failed += 1;
                self.failure.get_or_insert_with(|| why.clone());
            }
        }
        self.ahead.insert(at);
        while self.ahead.remove(&self.place.lists) {
            self.place.lists += 1;
        }
    }

    /// Whether asking for further lists is pointless.
    pub fn hopeless(&self) -> bool {
        self.refused_in_a_row >= REFUSED_IN_A_ROW
    }

    /// The verdict, once there are no more lists, or asking on is pointless. `within` is the verdict on the collection
    /// that this one is within: of what is not known to exist nothing could be read.
    pub fn verdict(&self, within: Option<&Outcome>) -> Outcome {
        let lists = self.read + self.place.failed;
        let nothing = self.read == 0 && self.place.objects == 0;
        if let Some(outcome) = within.filter(|outcome| **outcome != Outcome::Complete) {
            return match outcome {
                Outcome::Partial { why } => Outcome::Partial { why: format!("what it is within is incomplete: {why}") },
                outcome if lists == 0 => outcome.clone(),
                outcome => Outcome::Partial { why: format!("what it is within is {}", outcome.word()) },
            };
        }
        let all_else_read = self.words && self.read > 0 && self.failure.is_none();
        if self.place.failed == 0 || all_else_read {
            return Outcome::Complete;
        }
        let refusal = self.refusal.as_ref();
        match (refusal, &self.failure) {
            (Some(ListEnd::Refused(missing)), None) if nothing => Outcome::Forbidden { missing: missing.clone() },
            (Some(ListEnd::Off), None) if nothing => Outcome::FeatureOff,
            (_, Some(why)) if nothing => Outcome::Failed { why: why.clone() },
            (refusal, failure) => {
                let why = match (failure, refusal) {
                    (Some(why), _) | (None, Some(ListEnd::Refused(why))) => why.as_str(),
                    (None, _) => "the org does not have them",
                };
                let of = if self.hopeless() { ", and the rest was not tried" } else { "" };
                Outcome::Partial { why: format!("{} of {lists} lists not read{of}: {why}", self.place.failed) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
        let lists = Lists::new(Place { lists: 5, failed: 1, ..Place::default() }, false);
        assert!(matches!(lists.verdict(None), Outcome::Partial { .. }));
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
