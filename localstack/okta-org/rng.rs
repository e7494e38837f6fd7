//! A small seeded source of chance (splitmix64), so that one seed always plays the same org.

/// Base62, the alphabet of Okta's identifiers.
pub const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Okta identifiers are 20 characters long, the first three naming the kind of object.
const ID_LENGTH: usize = 20;

/// The generator. Not for secrets.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The generator of one object: what is drawn for it never depends on what was drawn for others.
    pub fn at(seed: u64, concern: u64, index: u64) -> Self {
        let mut rng =
            Self(seed ^ concern.wrapping_mul(0xd1b5_4a32_d192_ed03) ^ index.wrapping_mul(0x8cb9_2ba7_2f3d_8dd7));
        rng.fork()
    }

    /// A generator of its own for one concern, so that drawing more here does not shift the draws there.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`; the bias of the remainder is far below what anybody here could notice.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// True in `share` of the cases, from 0 (never) to 1 (always).
    pub fn chance(&mut self, share: f64) -> bool {
        ((self.next() >> 11) as f64) < share * (1_u64 << 53) as f64
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// An identifier as Okta makes them: the prefix, filled up to 20 base62 characters.
    pub fn id(&mut self, prefix: &str) -> String {
        self.word(prefix, ID_LENGTH)
    }

    /// The prefix, filled up to `length` base62 characters.
    pub fn word(&mut self, prefix: &str, length: usize) -> String {
        let mut word = String::from(prefix);
        while word.len() < length {
            word.push(char::from(*self.pick(ALPHABET)));
        }
        word
    }

    /// `bytes` random bytes in hexadecimal.
    pub fn hex(&mut self, bytes: usize) -> String {
        (0..bytes).map(|_| format!("{:02x}", self.next() >> 56)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_keeps_to_its_share() {
        let mut rng = Rng::new(7);
        let hits = (0..10_000).filter(|_| rng.chance(0.03)).count();
        assert!((200..400).contains(&hits), "{hits}");
        assert!((0..1_000).all(|_| !rng.chance(0.0) && rng.chance(1.0)));
    }
}
