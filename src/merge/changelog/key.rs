use crate::merge::snapshots::Roster;
use crate::merge::store::Bucket;
use crate::okta::OrgId;

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// Somebody owns the partition from here on.
    Claim([u8; 16]),
    /// A batch ends.
    Marker,
    /// What the owner with this claim found to be void.
    Voids(u64),
    /// A part of a value.
    Value { space: Space, name: Vec<u8>, part: u16 },
    /// Events that were seen.
    Events { bucket: Bucket, chunk: Chunk },
    /// Keys of a roster.
    Roster { roster: Roster, chunk: Chunk },
}

/// Where a value belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Space {
    /// The table of the inventory and of all else that is known by key.
    State,
    /// How the reading of an org stands.
    Snapshots,
}

/// A number that one owner gave. Two owners never share one, so a late owner replaces nothing of the one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Chunk {
    pub claim: u64,
    pub number: u32,
}

impl Key {
    pub fn write(&self) -> Vec<u8> {
        match self {
            Self::Claim(nonce) => [b"c", nonce.as_slice()].concat(),
            Self::Marker => b"m".to_vec(),
            Self::Voids(claim) => [b"d", claim.to_be_bytes().as_slice()].concat(),
            Self::Value { space, name, part } => [&[space.letter()], part.to_be_bytes().as_slice(), name].concat(),
            Self::Events { bucket, chunk } => {
                [b"e", chunk.write().as_slice(), &bucket.day.to_be_bytes(), bucket.org.as_str().as_bytes()].concat()
            }
            Self::Roster { roster, chunk } => {
                let names = [roster.org.as_str().as_bytes(), roster.name.as_bytes()].join(&0);
                [b"r", chunk.write().as_slice(), &roster.epoch.to_be_bytes(), &names].concat()
            }
        }
    }

    /// `None` is a key that no version of this writes.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        match kind {
            b'c' => rest.try_into().ok().map(Self::Claim),
            b'm' => rest.is_empty().then_some(Self::Marker),
            b'd' => rest.try_into().ok().map(u64::from_be_bytes).map(Self::Voids),
            b'v' | b's' => {
                let (part, name) = rest.split_first_chunk()?;
                let space = if *kind == b'v' { Space::State } else { Space::Snapshots };
                Some(Self::Value { space, name: name.to_vec(), part: u16::from_be_bytes(*part) })
            }
            b'e' => {
                let (chunk, rest) = Chunk::read(rest)?;
                let (day, org) = rest.split_first_chunk()?;
                let bucket = Bucket { org: org_id(org)?, day: i64::from_be_bytes(*day) };
                Some(Self::Events { bucket, chunk })
            }
            b'r' => {
                let (chunk, rest) = Chunk::read(rest)?;
                let (epoch, names) = rest.split_first_chunk()?;
                let (org, name) = std::str::from_utf8(names).ok()?.split_once('\0')?;
                let roster = Roster { org: OrgId::new(org), epoch: i64::from_be_bytes(*epoch), name: name.to_owned() };
                Some(Self::Roster { roster, chunk })
            }
            _ => None,
        }
    }
}

impl Space {
    pub fn letter(self) -> u8 {
        match self {
            Self::State => b'v',
            Self::Snapshots => b's',
        }
    }
}

impl Chunk {
    fn write(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        let (claim, number) = bytes.split_at_mut(8);
        claim.copy_from_slice(&self.claim.to_be_bytes());
        number.copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (claim, rest) = bytes.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        Some((Self { claim: u64::from_be_bytes(*claim), number: u32::from_be_bytes(*number) }, rest))
    }
}

pub(super) fn org_id(bytes: &[u8]) -> Option<OrgId> {
    std::str::from_utf8(bytes).ok().map(OrgId::new)
}
