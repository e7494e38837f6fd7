use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::collect::{Collection, Grain};
use crate::json::{Kind, Tape, Value};
use crate::okta::parse_ms;

/// What a body says, in short: SHA-256 cut to 16 bytes, which no two bodies of one slot will ever share by chance.
///
/// Two bodies are the same if their members are, in whatever order they stand at the top; what is in them is compared
/// as written. What Okta adds to an object without its having changed is left out: see `content.rs`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash(pub [u8; 16]);

/// What the fold must know of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// What it says.
    pub hash: Hash,
    /// `lastUpdated`, ms since the Unix epoch.
    pub lu: Option<i64>,
    /// `lastMembershipUpdated` of a group, ms since the Unix epoch.
    pub members_changed: Option<i64>,
}

impl Content {
    /// Reads the body of one object. `None` if it is no JSON.
    pub fn of_object(collection: &Collection, body: &[u8]) -> Option<Self> {
        let mut tape = Tape::default();
        let document = tape.read(body).ok()?;
        let root = document.root();
        let time = |key| root.get(key).and_then(Value::as_str).and_then(|text| parse_ms(&text));
        let is_group = collection.facet == "group.core";
        Some(Self {
            hash: hash_object(collection, root),
            lu: time("lastUpdated"),
            members_changed: if is_group { time("lastMembershipUpdated") } else { None },
        })
    }
}

/// The elements of a page as they were written, each with its hash. `None` if it is no JSON array.
pub(super) fn elements(collection: &Collection, page: &[u8]) -> Option<Vec<(Hash, Vec<u8>)>> {
    let mut tape = Tape::default();
    let document = tape.read(page).ok()?;
    let root = document.root();
    (root.kind() == Kind::Array).then(|| {
        let elements = root.children();
        elements.map(|value| (hash_object(collection, value), value.written().as_bytes().to_vec())).collect()
    })
}

/// What a whole list says, in whatever order Okta gave it.
pub(super) fn hash_list(elements: impl Iterator<Item = Hash>) -> Hash {
    let mut hashes: Vec<Hash> = elements.collect();
    hashes.sort_unstable();
    hashes.dedup();
    let mut digest = Sha256::new();
    for hash in hashes {
        digest.update(hash.0);
    }
    Hash::of(digest)
}

fn hash_object(collection: &Collection, value: Value<'_>) -> Hash {
    let mut digest = Sha256::new();
    if value.kind() != Kind::Object {
        digest.update(value.written());
        return Hash::of(digest);
    }
    let mut members: Vec<_> = value.children().map(|member| (member.key(), member.written())).collect();
    members.retain(|(key, _)| !is_volatile(collection, key));
    members.sort_unstable();
    for (key, written) in members {
        digest.update(key.as_bytes());
        digest.update([0]);
        digest.update(written);
        digest.update([0]);
    }
    Hash::of(digest)
}

/// Members that differ between two readings of the same state, or that another facet tells.
fn is_volatile(collection: &Collection, key: &str) -> bool {
    match key {
        // What may be done with an object depends on who asks and how. Only those of apps say something: their policies.
        "_links" => collection.facet != "app.core",
        // A list may have been asked to expand where a read of one object is not. Lists are always asked for alike.
        "_embedded" => collection.grain == Grain::Object,
        // Every sign-in moves it, and is an event of its own.
        "lastLogin" => collection.facet == "user.core",
        // It tells of the members, who are a facet of their own.
        "lastMembershipUpdated" => collection.facet == "group.core",
        _ => false,
    }
}

impl Hash {
    fn of(digest: Sha256) -> Self {
        let mut hash = [0; 16];
        hash.iter_mut().zip(digest.finalize()).for_each(|(byte, digested)| *byte = digested);
        Self(hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)?;
        Ok(Self(number.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::slot::by_facet;
    use super::*;

    fn content(facet: &str, body: &str) -> Content {
        Content::of_object(by_facet(facet).unwrap(), body.as_bytes()).unwrap()
    }

    #[test]
    fn what_changes_without_a_change_is_no_content() {
        let one =
            content("user.core", r#"{"id":"1","status":"ACTIVE","lastLogin":"2026-01-01T00:00:00Z","_links":{"a":1}}"#);
        let other = content("user.core", r#"{ "status":"ACTIVE" ,"id":"1","lastLogin":null,"_embedded":[]}"#);
        assert_eq!(one, other);
        assert_ne!(one.hash, content("user.core", r#"{"id":"1","status":"SUSPENDED"}"#).hash);
        let app = |policy| format!(r#"{{"id":"1","_links":{{"accessPolicy":"{policy}"}}}}"#);
        assert_ne!(
            content("app.core", &app("a")).hash,
            content("app.core", &app("b")).hash,
            "an app's policy is content"
        );
    }

    #[test]
    fn members_never_run_into_each_other() {
        assert_ne!(content("zone", r#"{"a":"1","b":2}"#).hash, content("zone", r#"{"a":"1\u0000b","c":2}"#).hash);
        assert_ne!(content("zone", r#"{"a":1,"b":2}"#).hash, content("zone", r#"{"a":2,"b":1}"#).hash);
    }

    #[test]
    fn the_clocks_of_a_group_are_two() {
        let body = r#"{"lastUpdated":"2026-01-01T00:00:00.000Z","lastMembershipUpdated":"2026-01-02T00:00:00.000Z"}"#;
        let group = content("group.core", body);
        assert_eq!((group.lu, group.members_changed), (Some(1_767_225_600_000), Some(1_767_312_000_000)));
        assert_eq!(group.hash, content("group.core", &body.replace("01-02", "01-03")).hash);
    }

    #[test]
    fn a_list_is_the_same_in_any_order_and_with_what_two_pages_share() {
        let members = by_facet("group.members").unwrap();
        let hash =
            |page: &str| hash_list(elements(members, page.as_bytes()).unwrap().into_iter().map(|(hash, _)| hash));
        assert_eq!(hash(r#"["a","b"]"#), hash(r#"["b","a","b"]"#));
        assert_ne!(hash(r#"["a","b"]"#), hash(r#"["a"]"#));
        assert_ne!(hash("[]"), hash(r#"[""]"#));
        assert!(elements(members, b"{}").is_none());
    }

    #[test]
    fn a_hash_survives_its_text() {
        let hash = Hash([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(serde_json::from_str::<Hash>(&serde_json::to_string(&hash).unwrap()).unwrap(), hash);
    }
}
