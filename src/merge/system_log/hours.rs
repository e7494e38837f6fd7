//! How many events came by which way, by the minute of their `published`; one row an hour.

use std::ops::AddAssign;

use super::keys::damaged;
use super::{HOUR_MS, MINUTE_MS};
use crate::merge::StoreError;
use crate::merge::store::Ways;

/// Layout of a row; a row of another one is refused, never guessed at.
const FORMAT: u8 = 1;

const MINUTES: usize = 60;

/// Events of some time, each uuid counted once by each way that it came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// By any way: how many there are.
    pub all: u64,
    /// By Okta's log stream.
    pub stream: u64,
    /// By the polled API.
    pub poll: u64,
    /// By a reading of the past: a job, a file, an archive.
    pub history: u64,
}

impl Counts {
    /// Those that the stream never brought.
    pub fn unstreamed(&self) -> u64 {
        self.all.saturating_sub(self.stream)
    }

    /// Counts an event that had come by some ways before, and now came by another.
    fn count(&mut self, before: Ways, way: Ways) {
        self.all += u64::from(before == Ways::NONE);
        self.stream += u64::from(way.has(Ways::STREAM));
        self.poll += u64::from(way.has(Ways::POLL));
        self.history += u64::from(way.has(Ways::HISTORY));
    }

    fn numbers(&self) -> [u64; 4] {
        [self.all, self.stream, self.poll, self.history]
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.stream += other.stream;
        self.poll += other.poll;
        self.history += other.history;
    }
}

/// The minutes of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hour([Counts; MINUTES]);

impl Default for Hour {
    fn default() -> Self {
        Self([Counts::default(); MINUTES])
    }
}

impl Hour {
    /// Counts an event published at this time.
    pub fn count(&mut self, published: i64, before: Ways, way: Ways) {
        let minute = published.rem_euclid(HOUR_MS) / MINUTE_MS;
        if let Some(counts) = usize::try_from(minute).ok().and_then(|minute| self.0.get_mut(minute)) {
            counts.count(before, way);
        }
    }

    pub fn minutes(&self) -> impl Iterator<Item = Counts> {
        self.0.iter().copied()
    }

    /// Which minutes there is something of, and their numbers: some 6 bytes for each.
    pub fn encode(&self) -> Vec<u8> {
        let filled = |counts: &Counts| *counts != Counts::default();
        let map = self.0.iter().rev().fold(0u64, |map, counts| map << 1 | u64::from(filled(counts)));
        let mut row = vec![FORMAT];
        row.extend_from_slice(&map.to_le_bytes());
        for number in self.0.iter().filter(|counts| filled(counts)).flat_map(Counts::numbers) {
            push_number(number, &mut row);
        }
        row
    }

    pub fn decode(row: &[u8]) -> Result<Self, StoreError> {
        Self::read(row).ok_or_else(|| damaged("an hour cannot be read"))
    }

    fn read(row: &[u8]) -> Option<Self> {
        let (format, rest) = row.split_first()?;
        let (map, mut rest) = rest.split_first_chunk::<8>()?;
        let map = u64::from_le_bytes(*map);
        if *format != FORMAT || map >> MINUTES != 0 {
            return None;
        }
        let mut hour = Self::default();
        for (_, counts) in hour.0.iter_mut().enumerate().filter(|(minute, _)| map >> minute & 1 == 1) {
            let mut next = || take_number(&mut rest);
            *counts = Counts { all: next()?, stream: next()?, poll: next()?, history: next()? };
        }
        rest.is_empty().then_some(hour)
    }
}

/// Seven bits a byte, the last one without the eighth (LEB128).
fn push_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some_counts() -> impl Strategy<Value = Counts> {
        let number = || prop_oneof![0..3u64, Just(127), Just(128), any::<u64>()];
        (number(), number(), number(), number()).prop_map(|(all, stream, poll, history)| Counts {
            all,
            stream,
            poll,
            history,
        })
    }

    proptest! {
        #[test]
        fn an_hour_survives_its_row(minutes in prop::collection::vec((0..MINUTES, some_counts()), 0..20)) {
            let mut hour = Hour::default();
            for (minute, counts) in minutes {
                hour.0[minute] = counts;
            }
            prop_assert_eq!(Hour::decode(&hour.encode()).unwrap(), hour);
        }

        #[test]
        fn no_row_stops_the_reader(row in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Hour::decode(&row);
        }
    }

    #[test]
    fn an_event_counts_once_and_each_of_its_ways_once() {
        let mut hour = Hour::default();
        let at = -HOUR_MS + 7 * MINUTE_MS + 59_999;
        hour.count(at, Ways::NONE, Ways::POLL);
        hour.count(at, Ways::POLL, Ways::STREAM);
        hour.count(at, Ways::POLL.and(Ways::STREAM), Ways::HISTORY);
        hour.count(at, Ways::NONE, Ways::STREAM);
        let counts: Vec<_> = hour.minutes().collect();
        assert_eq!(counts[7], Counts { all: 2, stream: 2, poll: 1, history: 1 });
        assert_eq!(counts.iter().map(|counts| counts.all).sum::<u64>(), 2);
        assert_eq!(hour.encode().len(), 1 + 8 + 4, "a quiet hour takes no room");
    }
}
