use std::collections::BTreeMap;

use super::key::{Chunk, Space, org_id};
use crate::merge::inventory::Writes;
use crate::merge::snapshots::Roster;
use crate::merge::store::Bucket;
use crate::okta::OrgId;

/// How many numbers each owner has given to chunks.
type Given = BTreeMap<u64, u32>;

/// Which records of the changelog there are beyond those that the state tells by itself, so that all of a thing can be
/// removed. Kept in the store beside the state, as notes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    pub(super) buckets: BTreeMap<Bucket, Given>,
    pub(super) rosters: BTreeMap<Roster, Given>,
    /// Values in more than one part, which are few.
    pub(super) parts: BTreeMap<(Space, Vec<u8>), u16>,
}

impl Counters {
    /// Reads the notes; what is no note of ours is passed over.
    pub fn read<'n>(notes: impl IntoIterator<Item = (&'n [u8], &'n [u8])>) -> Self {
        let mut counters = Self::default();
        for (key, value) in notes {
            let _ = counters.read_one(key, value);
        }
        counters
    }

    fn read_one(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (kind, rest) = key.split_first()?;
        match kind {
            b'e' => {
                let (day, org) = rest.split_first_chunk()?;
                let bucket = Bucket { org: org_id(org)?, day: i64::from_be_bytes(*day) };
                self.buckets.insert(bucket, read_given(value)?);
            }
            b'r' => {
                let (epoch, names) = rest.split_first_chunk()?;
                let (org, name) = std::str::from_utf8(names).ok()?.split_once('\0')?;
                let epoch = i64::from_be_bytes(*epoch);
                self.rosters.insert(Roster { org: OrgId::new(org), epoch, name: name.to_owned() }, read_given(value)?);
            }
            b'p' => {
                let (space, name) = rest.split_first()?;
                let space = if *space == Space::State.letter() { Space::State } else { Space::Snapshots };
                self.parts.insert((space, name.to_vec()), u16::from_be_bytes(value.try_into().ok()?));
            }
            _ => {}
        }
        Some(())
    }

    /// All of them as notes.
    pub fn notes(&self) -> Writes {
        let mut notes = Writes::new();
        self.buckets.keys().for_each(|bucket| self.note_bucket(bucket, &mut notes));
        self.rosters.keys().for_each(|roster| self.note_roster(roster, &mut notes));
        self.parts.keys().for_each(|(space, name)| self.note_parts(*space, name, &mut notes));
        notes
    }

    pub(super) fn note_bucket(&self, bucket: &Bucket, notes: &mut Writes) {
        let key = [b"e", bucket.day.to_be_bytes().as_slice(), bucket.org.as_str().as_bytes()].concat();
        notes.insert(key, self.buckets.get(bucket).map(write_given));
    }

    pub(super) fn note_roster(&self, roster: &Roster, notes: &mut Writes) {
        let names = [roster.org.as_str().as_bytes(), roster.name.as_bytes()].join(&0);
        let key = [b"r", roster.epoch.to_be_bytes().as_slice(), &names].concat();
        notes.insert(key, self.rosters.get(roster).map(write_given));
    }

    pub(super) fn note_parts(&self, space: Space, name: &[u8], notes: &mut Writes) {
        let key = [b"p", [space.letter()].as_slice(), name].concat();
        let parts = self.parts.get(&(space, name.to_vec()));
        notes.insert(key, parts.map(|parts| parts.to_be_bytes().to_vec()));
    }

    /// Counts a chunk that there is; gives whether it was not known.
    pub(super) fn know_bucket(&mut self, bucket: &Bucket, chunk: Chunk) -> bool {
        know(self.buckets.entry(bucket.clone()).or_default(), chunk)
    }

    pub(super) fn know_roster(&mut self, roster: &Roster, chunk: Chunk) -> bool {
        know(self.rosters.entry(roster.clone()).or_default(), chunk)
    }

    /// Keeps in how many parts a value goes; gives in how many it went.
    pub(super) fn set_parts(&mut self, space: Space, name: &[u8], parts: u16) -> u16 {
        // Nearly all go in one, and then nothing is kept.
        if parts <= 1 && self.parts.is_empty() {
            return 1;
        }
        let key = (space, name.to_vec());
        let before = if parts > 1 { self.parts.insert(key, parts) } else { self.parts.remove(&key) };
        before.unwrap_or(1)
    }
}

fn know(given: &mut Given, chunk: Chunk) -> bool {
    let count = given.entry(chunk.claim).or_default();
    let new = chunk.number >= *count;
    *count = (*count).max(chunk.number.saturating_add(1));
    new
}

/// Every chunk whose number was given.
pub(super) fn chunks(given: &Given) -> impl Iterator<Item = Chunk> {
    given.iter().flat_map(|(claim, count)| (0..*count).map(|number| Chunk { claim: *claim, number }))
}

fn write_given(given: &Given) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(given.len() * 12);
    for (claim, count) in given {
        bytes.extend_from_slice(&claim.to_be_bytes());
        bytes.extend_from_slice(&count.to_be_bytes());
    }
    bytes
}

fn read_given(bytes: &[u8]) -> Option<Given> {
    let (pairs, rest) = bytes.as_chunks::<12>();
    let pair = |pair: &[u8; 12]| {
        let (claim, count) = pair.split_first_chunk()?;
        Some((u64::from_be_bytes(*claim), u32::from_be_bytes(count.try_into().ok()?)))
    };
    if rest.is_empty() { pairs.iter().map(pair).collect() } else { None }
}
