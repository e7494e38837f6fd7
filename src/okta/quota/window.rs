use super::clock::Offset;

/// The length of a window; Okta's documentation says a minute, everywhere.
pub(super) const WINDOW_MS: i64 = 60_000;

/// No Reset is believed beyond this: the longest wait that one garbled header can cause.
pub(super) const LONGEST_MS: i64 = 10 * WINDOW_MS;

/// Reset is in whole seconds, and nobody says how it is rounded: it is off by at most this, up or down.
const ROUNDING_MS: i64 = 1000;

/// Two Resets this far apart, in seconds, are still the same window's, computed anew for each reply.
const SAME_RESET_S: i64 = 1;

/// A window of a bucket, as far as replies have told.
#[derive(Debug)]
pub(super) struct Window {
    /// Its Reset.
    pub reset: Option<i64>,
    /// Its Limit, as told by the reply that was made last.
    pub limit: u32,
    /// Limit minus Remaining: calls used by all, the most that any reply told.
    pub used: u32,
    /// Our calls that were answered, and not refused.
    pub answered: u32,
    /// Whether one was refused by a limit that is not told.
    pub refused: bool,
    first_received: i64,
    last_sent: i64,
}

/// When a window ends, by our clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// Not before this.
    pub lo: i64,
    /// Certainly by this.
    pub hi: i64,
}

/// A reply that told a limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub limit: u32,
    pub used: u32,
    pub reset: Option<i64>,
    pub refused: bool,
    pub sent: i64,
    pub received: i64,
}

/// Whose window a reply tells of, seen from one that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    ThisWindow,
    ALaterWindow,
    AnEarlierWindow,
    /// Neither can be: this window had begun and had not ended.
    AnotherBucket,
}

impl Window {
    pub fn new(told: Told) -> Self {
        let mut window = Self {
            reset: told.reset,
            limit: told.limit,
            used: 0,
            answered: 0,
            refused: false,
            first_received: told.received,
            last_sent: told.sent,
        };
        window.take(told);
        window
    }

    /// Adds what a reply of this window tells. Replies come in any order; the one that saw the most use was made last.
    pub fn take(&mut self, told: Told) {
        if told.used >= self.used {
            (self.used, self.limit) = (told.used, told.limit);
        }
        self.last_sent = self.last_sent.max(told.sent);
        self.answered += u32::from(!told.refused);
    }

    /// When it ends, from two sources: a window that has answered was open by then, so it ends within a minute of that
    /// answer, which is tight when our own call has opened it; and Reset, in Okta's clock. Where Reset says that
    /// windows are longer, Reset counts; where it says that the window ended before it answered, it is not believed.
    pub fn end(&self, offset: Option<Offset>) -> End {
        let by_length = End { lo: self.last_sent, hi: self.first_received + WINDOW_MS };
        let Some((reset, offset)) = self.reset.zip(offset) else { return by_length };
        let latest = self.first_received + LONGEST_MS;
        let by_reset = End {
            lo: (reset * 1000 - ROUNDING_MS - offset.hi).min(latest),
            hi: (reset * 1000 + ROUNDING_MS - offset.lo).min(latest),
        };
        if by_reset.hi < by_length.lo {
            by_length
        } else if by_reset.lo > by_length.hi {
            by_reset
        } else {
            End { lo: by_reset.lo.max(by_length.lo), hi: by_reset.hi.min(by_length.hi) }
        }
    }

    /// Whose window a reply tells of, while this one is open.
    pub fn place(&self, told: Told, offset: Option<Offset>) -> Of {
        match self.reset.zip(told.reset) {
            Some((ours, theirs)) if !same_reset(ours, theirs) => {
                if theirs > ours {
                    let alive = told.received < self.end(offset).lo;
                    if alive { Of::AnotherBucket } else { Of::ALaterWindow }
                } else {
                    let begun = told.sent > self.first_received;
                    if begun { Of::AnotherBucket } else { Of::AnEarlierWindow }
                }
            }
            _ => Of::ThisWindow,
        }
    }
}

/// Whether two Resets are of one window.
pub(super) fn same_reset(a: i64, b: i64) -> bool {
    a.abs_diff(b) <= SAME_RESET_S as u64
}

#[cfg(test)]
mod tests {
    use super::{End, Of, Offset, Told, Window};

    const EXACT: Option<Offset> = Some(Offset { lo: 0, hi: 0 });

    fn told(used: u32, reset: i64, sent: i64) -> Told {
        Told { limit: 60, used, reset: Some(reset), refused: false, sent, received: sent + 200 }
    }

    #[test]
    fn our_own_first_call_bounds_the_end_better_than_reset() {
        let window = Window::new(told(1, 61, 1_000));
        assert_eq!(window.end(EXACT), End { lo: 60_000, hi: 61_200 });
        assert_eq!(window.end(None), End { lo: 1_000, hi: 61_200 });
    }

    #[test]
    fn reset_tells_the_end_of_a_window_that_others_opened() {
        let window = Window::new(told(30, 20, 1_000));
        assert_eq!(window.end(Some(Offset { lo: -50, hi: 70 })), End { lo: 18_930, hi: 21_050 });
    }

    #[test]
    fn a_longer_window_is_believed_and_one_that_ended_before_it_answered_is_not() {
        assert_eq!(Window::new(told(1, 121, 1_000)).end(EXACT), End { lo: 120_000, hi: 122_000 });
        assert_eq!(Window::new(told(1, 1_000_000, 1_000)).end(EXACT), End { lo: 601_200, hi: 601_200 });
        assert_eq!(Window::new(told(1, -5, 1_000)).end(EXACT), End { lo: 1_000, hi: 61_200 });
    }

    #[test]
    fn replies_in_any_order_leave_the_most_use_and_the_newest_limit() {
        let mut window = Window::new(told(3, 61, 1_000));
        window.take(Told { limit: 30, ..told(7, 61, 1_000) });
        window.take(told(5, 61, 1_100));
        assert_eq!((window.used, window.limit, window.answered), (7, 30, 3));
    }

    #[test]
    fn a_reply_is_placed_by_its_reset() {
        let window = Window::new(told(3, 61, 1_000));
        let placed = |reset, sent| window.place(told(1, reset, sent), EXACT);
        assert_eq!(placed(61, 5_000), Of::ThisWindow);
        assert_eq!(placed(62, 5_000), Of::ThisWindow);
        assert_eq!(placed(121, 60_900), Of::ALaterWindow);
        assert_eq!(placed(1, 900), Of::AnEarlierWindow);
        assert_eq!(placed(90, 5_000), Of::AnotherBucket);
        assert_eq!(placed(30, 5_000), Of::AnotherBucket);
    }
}
