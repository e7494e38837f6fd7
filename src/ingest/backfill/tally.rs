//! The count and the hash of a set of uuids.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How many uuids, and the sum of their hashes: the same for the same set in whatever order it was read, and what was
/// added can be taken off again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub events: u64,
    sum: u128,
}

impl Tally {
    /// Adds one.
    pub fn add(&mut self, uuid: Uuid) {
        let digest = Sha256::digest(uuid.as_bytes());
        let hash = digest.iter().take(16).fold(0u128, |hash, byte| hash << 8 | u128::from(*byte));
        *self = self.plus(Self { events: 1, sum: hash });
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { events: self.events.wrapping_add(other.events), sum: self.sum.wrapping_add(other.sum) }
    }

    /// Without what was added before.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { events: self.events.wrapping_sub(other.events), sum: self.sum.wrapping_sub(other.sum) }
    }

    /// The hash, as 32 hexadecimal digits: of each uuid's 16 bytes the first 16 of SHA-256 as a number, all added
    /// modulo 2^128.
    pub fn hash(&self) -> String {
        format!("{:032x}", self.sum)
    }
}

#[derive(Serialize, Deserialize)]
struct Written {
    events: u64,
    hash: String,
}

impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written { events: self.events, hash: self.hash() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { events, hash } = Written::deserialize(deserializer)?;
        let sum = u128::from_str_radix(&hash, 16).map_err(serde::de::Error::custom)?;
        Ok(Self { events, sum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: &[u128]) -> Tally {
        let mut tally = Tally::default();
        numbers.iter().for_each(|number| tally.add(Uuid::from_u128(*number)));
        tally
    }

    #[test]
    fn the_order_does_not_matter_and_every_uuid_does() {
        assert_eq!(of(&[1, 2, 3]), of(&[3, 1, 2]));
        assert_ne!(of(&[1, 2, 3]), of(&[1, 2, 4]));
        assert_ne!(of(&[1, 2]).hash(), of(&[1, 2, 2]).hash());
        assert_eq!(of(&[1, 2, 3]).minus(of(&[2])).plus(of(&[9])), of(&[1, 3, 9]));
    }

    #[test]
    fn it_survives_being_written() {
        let tally = of(&[1, 2, 3]);
        let text = serde_json::to_string(&tally).unwrap();
        assert_eq!(serde_json::from_str::<Tally>(&text).unwrap(), tally, "{text}");
        assert_eq!(tally.hash().len(), 32);
    }
}
