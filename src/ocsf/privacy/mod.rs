//! Pseudonyms instead of personal values: a keyed hash of each, the same for the same value in every record of an org.
//!
//! What an event or an object says is rewritten *before* anything is made of it. So no attribute, observable, enrichment
//! and no part of `unmapped` can hold what the mapping never saw. In the text, values are found
//!
//! - by their **place**: the keys and parties of `places`;
//! - by their **form**: addresses of people and of machines, in every text (`scrub`);
//! - by **being known**: a value that stood at a place, or that the inventory knows of somebody whom the event names, is
//!   looked for in the other texts, also where these are encoded for a URL or in JSON. What can only be recognised is
//!   hidden with the whole text that it is in.
//!
//! The words by which Okta says what happened are left alone even where somebody is called so: whoever chooses the name
//! "HIGH" must not be able to make a risk unreadable.

mod places;
mod rewrite;
mod scrub;
mod token;

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::hmac;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::okta::OrgId;
pub use scrub::Values;
pub use token::{ADDRESS_DOMAIN, is_token};

/// A kind of personal value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Personal {
    /// Logins and email addresses, wherever they stand.
    Login,
    /// Display names, first and last names.
    Name,
    /// Employee numbers.
    EmployeeNumber,
    /// Managers, by name or id.
    Manager,
    /// Phone numbers.
    Phone,
    /// IP addresses, wherever they stand.
    Ip,
    /// Names and serial numbers of devices.
    Device,
}

impl Personal {
    /// Every kind.
    pub const ALL: &[Self] =
        &[Self::Login, Self::Name, Self::EmployeeNumber, Self::Manager, Self::Phone, Self::Ip, Self::Device];
}

/// Which personal values are hashed, and with which key.
#[derive(Clone)]
pub struct Privacy {
    key: hmac::Key,
    hashed: Hashed,
}

impl Privacy {
    /// Hashes the given kinds. The key must be secret and never change: with another key every value has another
    /// pseudonym.
    pub fn new(key: &[u8], kinds: &[Personal]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), hashed: Hashed::of(kinds) }
    }

    /// The pseudonyms of one org. They have a key of their own, so that what is known of one org tells nothing of
    /// another.
    pub fn of(&self, org: &OrgId) -> Pseudonyms {
        let name = format!("okta-ocsf pseudonyms 1\n{org}");
        let derived = hmac::sign(&self.key, name.as_bytes());
        Pseudonyms { key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()), hashed: self.hashed }
    }
}

impl fmt::Debug for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Privacy").field("hashed", &self.hashed).finish_non_exhaustive()
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Hashed(u8);

impl Hashed {
    fn of(kinds: &[Personal]) -> Self {
        Self(kinds.iter().fold(0, |set, kind| set | 1 << *kind as u8))
    }

    fn contains(self, kind: Personal) -> bool {
        self.0 & (1 << kind as u8) != 0
    }
}

/// The pseudonyms of one org.
pub struct Pseudonyms {
    key: hmac::Key,
    hashed: Hashed,
}

impl Pseudonyms {
    /// Whether values of a kind are hashed.
    pub fn hashes(&self, kind: Personal) -> bool {
        self.hashed.contains(kind)
    }

    /// A text as a record may show it: its pseudonym if it is of a hashed kind; else without the personal values that are
    /// in it, `known` ones among them.
    pub fn shown<'t>(&self, kind: Option<Personal>, text: &'t str, known: &Values) -> Cow<'t, str> {
        match kind {
            Some(kind) if self.hashes(kind) => Cow::Owned(self.token(text)),
            _ => self.clean(text, known, scrub::Scope::ALL).map_or(Cow::Borrowed(text), Cow::Owned),
        }
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pseudonyms").field("hashed", &self.hashed).finish_non_exhaustive()
    }
}

/// The pseudonyms of an org together with the personal values that are known in one event.
#[derive(Debug)]
pub struct Veil {
    /// How values are hidden.
    pub pseudonyms: Pseudonyms,
    /// What is looked for.
    pub values: Values,
}
