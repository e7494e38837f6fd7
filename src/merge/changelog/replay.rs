use std::collections::BTreeSet;
use std::ops::Range;

use super::chunks::{Row, read_events, read_keys};
use super::counters::Counters;
use super::key::{Key, Space, org_id};
use super::{Found, Logged, Unreadable, VERSION};
use crate::merge::snapshots::{Roster, Snapshots};
use crate::merge::store::{Bucket, Listed};
use crate::okta::OrgId;

/// Makes the state again, in a second reading of the same log.
///
/// Nothing is held back but the parts of one value, so the log may be of any length.
pub struct Replay {
    found: Found,
    claim: Option<u64>,
    counters: Counters,
    /// Keys that somebody wrote in vain, and that nobody has written since.
    dirty: BTreeSet<Vec<u8>>,
    /// The end of what counts, and of what was read.
    torn: Range<u64>,
    parts: Parts,
}

/// What a record does to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A value changes or goes.
    Value(Vec<u8>, Option<Vec<u8>>),
    /// How the reading of an org stands.
    Snapshots(OrgId, Box<Snapshots>),
    /// Events were seen, the last of them on this day.
    Seen {
        /// Where they are remembered.
        bucket: Bucket,
        /// The day, by the fold's clock.
        added: i64,
        /// The events.
        rows: Vec<Row>,
    },
    /// A bucket is dropped.
    Dropped(Bucket),
    /// Keys were put on a roster.
    Listed(Vec<Listed>),
    /// A roster is dropped.
    Unlisted(Roster),
}

/// The parts of the value that is being put together. They follow each other, as one owner wrote them in one go.
#[derive(Default)]
struct Parts {
    space: Option<Space>,
    name: Vec<u8>,
    /// How many there are, and how many of them came.
    of: u16,
    have: u16,
    bytes: Vec<u8>,
}

impl Replay {
    /// Replays what counts of a log on top of a store with these counters.
    pub fn new(found: Found, counters: Counters) -> Self {
        let behind = found.mark.as_ref().map_or(0, |mark| mark.offset + 1);
        let claim = found.claim;
        Self { found, claim, counters, dirty: BTreeSet::new(), torn: behind..behind, parts: Parts::default() }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// When it counts and cannot be read.
    pub fn take(&mut self, record: &Logged<'_>) -> Result<Option<Step>, Unreadable> {
        if record.key.first() == Some(&b'c') {
            self.claim = Some(record.offset);
            return Ok(None);
        }
        let Some(mark) = &self.found.mark else { return Ok(None) };
        if record.offset > mark.offset {
            self.torn.end = record.offset + 1;
            self.dirty.insert(record.key.to_vec());
            return Ok(None);
        }
        if record.offset < mark.marker.from || self.found.is_void(record.offset) {
            return Ok(None);
        }
        if record.claim.is_none() || record.claim != self.claim {
            self.dirty.insert(record.key.to_vec());
            return Ok(None);
        }
        if !self.dirty.is_empty() {
            self.dirty.remove(record.key);
        }
        let key = Key::read(record.key).ok_or(Unreadable::Foreign(record.offset))?;
        let value = match record.value {
            None => None,
            Some([version, ..]) if *version > VERSION && key.is_binary() => {
                return Err(Unreadable::Newer(record.offset));
            }
            Some([_, value @ ..]) => Some(value),
            Some([]) => return Err(Unreadable::Foreign(record.offset)),
        };
        self.step(key, value).ok_or(Unreadable::Foreign(record.offset))
    }

    /// `None` is what cannot be read.
    #[expect(clippy::option_option, reason = "the outer one is turned into an error by the only caller")]
    fn step(&mut self, key: Key, value: Option<&[u8]>) -> Option<Option<Step>> {
        Some(match (key, value) {
            (Key::Claim(_) | Key::Marker | Key::Voids(_), _) => None,
            (Key::Value { space, name, part: 0 }, None) => {
                self.counters.set_parts(space, &name, 1);
                match space {
                    Space::State => Some(Step::Value(name, None)),
                    Space::Snapshots => None,
                }
            }
            // The rest of what had more parts once.
            (Key::Value { .. }, None) => None,
            (Key::Value { space, name, part }, Some(value)) => {
                let (of, piece) = value.split_first_chunk()?;
                let Some(whole) = self.parts.take(space, &name, part, u16::from_be_bytes(*of), piece) else {
                    return Some(None);
                };
                self.counters.set_parts(space, &name, u16::from_be_bytes(*of));
                Some(match space {
                    Space::State => Step::Value(name, Some(whole)),
                    Space::Snapshots => Step::Snapshots(org_id(&name)?, serde_json::from_slice(&whole).ok()?),
                })
            }
            (Key::Events { bucket, chunk }, Some(value)) => {
                let (added, rows) = read_events(value)?;
                self.counters.know_bucket(&bucket, chunk);
                (!rows.is_empty()).then_some(Step::Seen { bucket, added, rows })
            }
            (Key::Events { bucket, .. }, None) => {
                self.counters.buckets.remove(&bucket);
                Some(Step::Dropped(bucket))
            }
            (Key::Roster { roster, chunk }, Some(value)) => {
                let listed = read_keys(&roster, value)?;
                self.counters.know_roster(&roster, chunk);
                (!listed.is_empty()).then_some(Step::Listed(listed))
            }
            (Key::Roster { roster, .. }, None) => {
                self.counters.rosters.remove(&roster);
                Some(Step::Unlisted(roster))
            }
        })
    }

    /// What is to be healed: the keys, and the places that are void because their owner did not come to a marker.
    pub fn finish(self) -> (Counters, BTreeSet<Vec<u8>>, Vec<Range<u64>>) {
        let voids = if self.torn.is_empty() { Vec::new() } else { vec![self.torn] };
        (self.counters, self.dirty, voids)
    }
}

impl Parts {
    /// Takes a part; gives the value when it was the last.
    fn take(&mut self, space: Space, name: &[u8], part: u16, of: u16, piece: &[u8]) -> Option<Vec<u8>> {
        if part == 0 {
            *self = Self { space: Some(space), name: name.to_vec(), of, have: 0, bytes: Vec::new() };
        }
        let expected = self.space == Some(space) && self.name == name && self.of == of && self.have == part;
        if !expected {
            *self = Self::default();
            return None;
        }
        self.bytes.extend_from_slice(piece);
        self.have += 1;
        (self.have == of).then(|| std::mem::take(self).bytes)
    }
}

impl Key {
    /// Whether the value begins with its version; the others are JSON.
    fn is_binary(&self) -> bool {
        matches!(self, Self::Value { .. } | Self::Events { .. } | Self::Roster { .. })
    }
}
