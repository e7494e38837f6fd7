//! What a JSON text must satisfy before anything else looks at it.
//!
//! Runs once, where bytes enter. It bounds depth before any recursive parser sees the text, and rejects duplicate
//! keys: two readers of `{"a":1,"a":2}` may disagree, and a security record must mean one thing.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Real System Log events nest at most about 8 deep; 64 leaves room for any future one and is half of the depth at
/// which serde_json itself gives up, so its limit is never what decides.
pub const MAX_DEPTH: usize = 64;

/// Why a text is not acceptable as a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not JSON text (RFC 8259), including invalid UTF-8 and lone surrogates.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// An object names one key twice.
    #[error("the key {0:?} appears twice in one object")]
    DuplicateKey(String),
}

/// Accepts UTF-8 JSON of bounded depth without duplicate keys.
pub fn check(bytes: &[u8]) -> Result<(), JsonFault> {
    if depth_exceeds(bytes, MAX_DEPTH) {
        return Err(JsonFault::TooDeep);
    }
    let mut duplicate = None;
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let walked = UniqueKeys(&mut duplicate).deserialize(&mut parser).and_then(|()| parser.end());
    match (walked, duplicate) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(key)) => Err(JsonFault::DuplicateKey(key)),
        (Err(error), None) => Err(JsonFault::NotJson(error.to_string())),
    }
}

/// Whether a JSON text is an object. Asked before reading into a struct, which serde would also fill from an array.
pub fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().first() == Some(&b'{')
}

/// Counts brackets outside strings; iterative, so a hostile text costs no stack.
fn depth_exceeds(bytes: &[u8], limit: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for &byte in bytes {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Walks any JSON value and remembers the first key that an object repeats.
/// Recursion is bounded: [`depth_exceeds`] ran first.
struct UniqueKeys<'a>(&'a mut Option<String>);

impl<'de> DeserializeSeed<'de> for UniqueKeys<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(UniqueKeys(self.0))?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if keys.contains(&key) {
                *self.0 = Some(key.into_owned());
                return Err(A::Error::custom("duplicate key"));
            }
            keys.insert(key);
            map.next_value_seed(UniqueKeys(self.0))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_json_passes() {
        assert_eq!(check(br#"{"a":[1,2.5,null,true,"x{["],"b":{"a":1}}"#), Ok(()));
    }

    #[test]
    fn depth_is_bounded_and_brackets_in_strings_do_not_count() {
        let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(check(deep(MAX_DEPTH).as_bytes()), Ok(()));
        assert_eq!(check(deep(MAX_DEPTH + 1).as_bytes()), Err(JsonFault::TooDeep));
        assert_eq!(check(deep(1_000_000).as_bytes()), Err(JsonFault::TooDeep));
        assert_eq!(check(format!("[\"{}\\\"{}\"]", "[".repeat(90), "{".repeat(90)).as_bytes()), Ok(()));
    }

    #[test]
    fn a_repeated_key_is_found_at_any_depth_also_when_it_is_escaped() {
        assert_eq!(check(br#"[{"k":{"a":1,"b":2,"a":3}}]"#), Err(JsonFault::DuplicateKey("a".into())));
        assert_eq!(check(br#"{"a":1,"\u0061":2}"#), Err(JsonFault::DuplicateKey("a".into())));
    }

    #[test]
    fn what_is_not_json_is_said_so() {
        for bytes in [&b"hello"[..], b"", b"{\"a\":1} x", b"{\"a\":\xff}", b"[1,", br#"["\ud800"]"#, b"[NaN]"] {
            assert!(matches!(check(bytes), Err(JsonFault::NotJson(_))), "{bytes:?}");
        }
    }
}
