/// What an operator decides about one org's quota.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The part of each bucket's Limit that may be used, ours and others' calls together: calls stop before Remaining
    /// falls below the rest. 1.0 is right where the headers already show a limit that is ours alone, as Okta's
    /// principal limits do.
    pub share: f64,
    /// The same line for fetches and polls, if it is to be another one: above `share` for an org whose other clients
    /// use more than `share` all the time, where the live poll would otherwise never go. Our own calls stay within
    /// `share` anyway.
    pub urgent_share: Option<f64>,
    /// The part of what we may use that is kept for fetches and polls until their time in the window is over.
    pub reserve: f64,
    /// Calls of each window that are left to another process of ours, such as the worker whose live poll is in the same
    /// bucket: our own stay so far below `share`, and theirs find room up to it.
    pub spare: u32,
    /// Calls in flight at once, to begin with.
    pub concurrency_start: u32,
    /// Calls in flight at once, at most.
    pub concurrency_max: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            share: 0.5,
            urgent_share: None,
            // 6 of the 60 calls that half of /logs gives in a minute: a poll every ten seconds.
            reserve: 0.1,
            spare: 0,
            // 15 in flight at 0.9 s are 1,000 calls a minute: more than half of all but one published bucket.
            concurrency_start: 15,
            // Under the 35 of the smallest kind of org, and less than half of the 75 of the others.
            concurrency_max: 30,
        }
    }
}

impl Policy {
    /// The same with every number where it means something.
    pub(super) fn in_bounds(self) -> Self {
        let concurrency_max = self.concurrency_max.max(1);
        let share = fraction(self.share);
        Self {
            share,
            urgent_share: self.urgent_share.map(|urgent| fraction(urgent).max(share)),
            reserve: fraction(self.reserve).min(0.5),
            spare: self.spare,
            concurrency_start: self.concurrency_start.clamp(1, concurrency_max),
            concurrency_max,
        }
    }

    /// How many calls of `limit` may be used by us: one at least, whatever is to be spared.
    pub(super) fn permitted(&self, limit: u32) -> u32 {
        part_of(limit, self.share).saturating_sub(self.spare).max(1)
    }

    /// How many calls of `limit` may be used by all, as far as we add to them.
    pub(super) fn line(&self, limit: u32, urgent: bool) -> u32 {
        part_of(limit, self.urgent_share.filter(|_| urgent).unwrap_or(self.share))
    }

    /// How many of `permitted` calls a fresh window keeps for fetches and polls: two at least, so that one poll does
    /// not use up what a fetch needs, and half at most.
    pub(super) fn reserve_of(&self, permitted: u32) -> u32 {
        floor(f64::from(permitted) * self.reserve).max(2).min(permitted / 2)
    }
}

/// One call at least: an org whose limit is 1 can still be read.
fn part_of(limit: u32, share: f64) -> u32 {
    floor(f64::from(limit) * share).max(1)
}

/// Floor that forgives the last bit: 0.29 × 100 is 29.
fn floor(value: f64) -> u32 {
    (value + 1e-6) as u32
}

fn fraction(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::Policy;

    #[test]
    fn a_part_is_rounded_down_but_never_to_nothing() {
        let policy = Policy { share: 0.29, ..Policy::default() };
        assert_eq!(policy.permitted(100), 29);
        assert_eq!(policy.permitted(7), 2);
        assert_eq!(policy.permitted(1), 1);
    }

    #[test]
    fn what_is_spared_is_ours_to_leave_and_not_taken_from_the_line() {
        let policy = Policy { spare: 2, ..Policy::default() };
        assert_eq!((policy.permitted(120), policy.line(120, false)), (58, 60));
        assert_eq!(policy.permitted(4), 1, "one call a minute still reads");
    }

    #[test]
    fn a_reserve_is_between_two_calls_and_half() {
        let policy = Policy::default();
        for (permitted, reserve) in [(0, 0), (1, 0), (2, 1), (3, 1), (10, 2), (60, 6), (600, 60)] {
            assert_eq!(policy.reserve_of(permitted), reserve, "of {permitted}");
        }
    }

    #[test]
    fn numbers_out_of_bounds_are_brought_back() {
        let none = Policy { spare: 0, concurrency_start: 0, concurrency_max: 0, ..Policy::default() };
        let wild = Policy { share: 7.0, urgent_share: Some(f64::NAN), reserve: 3.0, ..none };
        let one = Policy { spare: 0, concurrency_start: 1, concurrency_max: 1, ..Policy::default() };
        let tame = Policy { share: 1.0, urgent_share: Some(1.0), reserve: 0.5, ..one };
        assert_eq!(wild.in_bounds(), tame);
    }
}
