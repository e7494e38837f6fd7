//! How a pseudonym looks. 128 bits of the hash: two of a billion values share one with a probability below 10⁻²⁰.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::Pseudonyms;
use crate::ocsf::parts::people::is_email;

/// The domain of the address that an address becomes; no address can have it (RFC 2606).
pub const ADDRESS_DOMAIN: &str = "hmac.invalid";

/// What any other value becomes begins with this.
const PREFIX: &str = "hmac:";

const HASH_BYTES: usize = 16;
/// Characters of the hash in Base 64 without padding.
const HASH_CHARACTERS: usize = 22;

impl Pseudonyms {
    /// The pseudonym of a value: `hmac:<hash>`; of an email address `<hash>@hmac.invalid`, so that it can stand where the
    /// schema wants an address. The case of the letters A to Z makes no difference, as in logins.
    pub fn token(&self, text: &str) -> String {
        self.token_of(text, &text.to_ascii_lowercase())
    }

    /// A pseudonym for a key of an object: keys that differ in case only have to stay different.
    pub(super) fn key_token(&self, text: &str) -> String {
        self.token_of("", text)
    }

    fn token_of(&self, text: &str, hashed: &str) -> String {
        let tag = hmac::sign(&self.key, hashed.as_bytes());
        let bytes = tag.as_ref().get(..HASH_BYTES).unwrap_or_default();
        let hash = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        if is_email(text) { format!("{hash}@{ADDRESS_DOMAIN}") } else { format!("{PREFIX}{hash}") }
    }
}

/// Whether a text has the form of a pseudonym that is no address.
pub fn is_token(text: &str) -> bool {
    let is_hash = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.strip_prefix(PREFIX).is_some_and(|hash| hash.len() == HASH_CHARACTERS && hash.bytes().all(is_hash))
}
