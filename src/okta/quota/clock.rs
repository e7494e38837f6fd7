/// Bounds of Okta's clock minus ours, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// It is no less than this.
    pub lo: i64,
    /// It is no more than this.
    pub hi: i64,
}

impl Offset {
    /// The earliest and the latest time, by Okta's clock, of something that happened there between our `from` and our
    /// `to`: of an object read by a call that was sent at `from` and answered at `to`.
    pub fn at_okta(self, from: i64, to: i64) -> (i64, i64) {
        (from + self.lo, to + self.hi)
    }
}

/// Learns Okta's clock from replies, after Cristian: the second that `Date` names overlaps the time between sending
/// and receiving. Each reply gives bounds more than a second wide; the best of many meet within one round trip.
#[derive(Debug, Default)]
pub(super) struct Clock {
    known: Option<Known>,
    contradictions: u32,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    lo: i64,
    lo_at: i64,
    hi: i64,
    hi_at: i64,
}

/// How wide `Date` is: it is written in whole seconds, rounded down.
const DATE_MS: i64 = 1000;

/// How far front ends may differ among themselves, and a cached `Date` lag: several times what NTP keeps within a
/// data centre, and little against the round trip that limits us anyway.
const DATE_SLACK_MS: i64 = 50;

/// How fast two clocks may drift apart, in ms per million: two crystals, 50 each, and as much again for a clock that
/// NTP is bringing back.
const DRIFT_PPM: i64 = 200;

/// How many replies in a row must contradict what is known before it is given up: one odd `Date` from a proxy
/// must not move the clock, and a real step must not take long to be believed.
const CONTRADICTIONS: u32 = 3;

impl Clock {
    /// Takes the `Date` of a reply, in seconds, to a call sent and received at these times.
    pub fn learn(&mut self, date: i64, sent: i64, received: i64) {
        let seen =
            Offset { lo: date * 1000 - DATE_SLACK_MS - received, hi: date * 1000 + DATE_MS + DATE_SLACK_MS - sent };
        let fresh = Known { lo: seen.lo, lo_at: received, hi: seen.hi, hi_at: received };
        self.known = match (self.known, self.offset(received)) {
            (Some(known), Some(now)) if seen.lo <= now.hi && now.lo <= seen.hi => {
                self.contradictions = 0;
                Some(known.tightened(now, fresh))
            }
            (Some(known), _) if self.contradictions + 1 < CONTRADICTIONS => {
                self.contradictions += 1;
                Some(known)
            }
            _ => {
                self.contradictions = 0;
                Some(fresh)
            }
        };
    }

    /// What is known now; it widens as time passes without replies.
    pub fn offset(&self, now: i64) -> Option<Offset> {
        let known = self.known?;
        Some(Offset { lo: known.lo - drift(now - known.lo_at), hi: known.hi + drift(now - known.hi_at) })
    }
}

impl Known {
    fn tightened(mut self, now: Offset, fresh: Known) -> Self {
        if fresh.lo >= now.lo {
            (self.lo, self.lo_at) = (fresh.lo, fresh.lo_at);
        }
        if fresh.hi <= now.hi {
            (self.hi, self.hi_at) = (fresh.hi, fresh.hi_at);
        }
        self
    }
}

fn drift(elapsed: i64) -> i64 {
    (elapsed.max(0) * DRIFT_PPM + 999_999) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::{Clock, DATE_SLACK_MS, Offset};

    const AHEAD: i64 = 7_300;

    /// A reply made by an Okta that is `ahead` of us, 40 ms after sending and 60 ms before receiving.
    fn reply(clock: &mut Clock, sent: i64, ahead: i64) {
        clock.learn((sent + 40 + ahead).div_euclid(1000), sent, sent + 100);
    }

    #[test]
    fn one_reply_bounds_the_offset_and_many_meet_within_a_round_trip() {
        let mut clock = Clock::default();
        assert_eq!(clock.offset(0), None);
        for n in 0..200 {
            reply(&mut clock, n * 137, AHEAD);
            let offset = clock.offset(n * 137 + 100).unwrap();
            assert!((offset.lo..=offset.hi).contains(&AHEAD), "{offset:?}");
        }
        let offset = clock.offset(200 * 137).unwrap();
        assert!(offset.hi - offset.lo <= 100 + 2 * DATE_SLACK_MS + 20, "{offset:?}");
    }

    #[test]
    fn knowledge_widens_with_silence() {
        let mut clock = Clock::default();
        reply(&mut clock, 0, AHEAD);
        let (early, late) = (clock.offset(100).unwrap(), clock.offset(3_600_100).unwrap());
        assert_eq!(late, Offset { lo: early.lo - 720, hi: early.hi + 720 });
    }

    #[test]
    fn one_odd_date_is_ignored_and_a_real_step_believed() {
        let mut clock = Clock::default();
        for n in 0..20 {
            reply(&mut clock, n * 370, AHEAD);
        }
        let before = clock.offset(20 * 370).unwrap();
        reply(&mut clock, 20 * 370, AHEAD + 60_000);
        assert_eq!(clock.offset(20 * 370), Some(before));
        for n in 21..24 {
            reply(&mut clock, n * 370, AHEAD - 60_000);
        }
        let offset = clock.offset(24 * 370).unwrap();
        assert!((offset.lo..=offset.hi).contains(&(AHEAD - 60_000)), "{offset:?}");
    }

    #[test]
    fn what_an_object_is_as_of() {
        assert_eq!(Offset { lo: -20, hi: 30 }.at_okta(1000, 1200), (980, 1230));
    }
}
