//! Times that are complete.

use serde::{Deserialize, Serialize};

/// More pieces than this are not kept, and the oldest go. There is one, or a few where there are holes; a job of history
/// fills from its oldest end. What is forgotten is claimed less, never more.
const MOST: usize = 256;

/// Spans of time, from one millisecond (ms since the Unix epoch) up to before another; in order, apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spans(Vec<(i64, i64)>);

impl Spans {
    /// Adds a span, joining it with those that it meets; an empty one is none.
    pub fn add(&mut self, from: i64, until: i64) {
        if from >= until {
            return;
        }
        let first = self.0.partition_point(|(_, end)| *end < from);
        let last = self.0.partition_point(|(begin, _)| *begin <= until);
        let met = self.0.get(first..last).unwrap_or_default();
        let from = met.first().map_or(from, |(begin, _)| from.min(*begin));
        let until = met.last().map_or(until, |(_, end)| until.max(*end));
        self.0.splice(first..last.max(first), [(from, until)]);
        let overdue = self.0.len().saturating_sub(MOST);
        self.0.drain(..overdue);
    }

    /// What ended before is of no interest any more.
    pub fn forget_before(&mut self, time: i64) {
        self.0.retain(|(_, end)| *end > time);
    }

    /// Whether all of this time is in one of them.
    pub fn cover(&self, from: i64, until: i64) -> bool {
        let nth = self.0.partition_point(|(_, end)| *end < until);
        self.0.get(nth).is_some_and(|(begin, end)| *begin <= from && until <= *end)
    }

    /// Where the newest one ends.
    pub fn end(&self) -> Option<i64> {
        self.0.last().map(|(_, end)| *end)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (i64, i64)> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is added: the spans hold just those milliseconds that were in one of them.
        #[test]
        fn spans_are_the_set_of_their_times(
            added in prop::collection::vec((-20..20i64, -20..20i64), 0..12),
            (from, until) in (-25..25i64, -25..25i64),
        ) {
            let mut spans = Spans::default();
            let mut times = BTreeSet::new();
            for (from, until) in added {
                spans.add(from, until);
                times.extend(from..until);
                let held: BTreeSet<i64> = spans.iter().flat_map(|(from, until)| from..until).collect();
                prop_assert_eq!(&held, &times);
                let all: Vec<_> = spans.iter().collect();
                prop_assert!(all.windows(2).all(|pair| pair[0].1 < pair[1].0), "{:?}", all);
            }
            if from < until {
                prop_assert_eq!(spans.cover(from, until), (from..until).all(|time| times.contains(&time)));
            }
            prop_assert_eq!(spans.end(), times.last().map(|last| last + 1));
        }
    }

    #[test]
    fn too_many_pieces_claim_less() {
        let mut spans = Spans::default();
        (0..300).for_each(|nth| spans.add(nth * 10, nth * 10 + 5));
        assert_eq!(spans.iter().count(), MOST);
        assert!(!spans.cover(0, 5) && spans.cover(2_990, 2_995));
        spans.forget_before(2_995);
        assert_eq!(spans, Spans::default());
    }
}
