//! What never changes about an org: its size and the number from which everything in it is derived.

use crate::rng::{ALPHABET, Rng};

/// The kinds of objects. The position is part of the identifiers: only append.
#[rustfmt::skip]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    User, UserType, UserSchema, Group, GroupRule, App, Service, Device, Authenticator, Idp, Policy, PolicyRule,
    DeviceAssurance, Zone, Behavior, ApiToken, Integration, AuthServer, AuthScope, AuthClaim, AuthPolicy,
    AuthPolicyRule, EventHook, InlineHook, LogStream, TrustedOrigin, Brand, Domain, EmailDomain, Feature, Mapping,
    Realm, RealmAssignment, RateLimit, CustomRole, ResourceSet, Resource, RoleGrant, Factor, Enrollment, PushMapping,
    AppUser, Org, Agent, ThreatInsight, LinkedObject,
    /// All factors of the user of that index.
    UserFactors,
    /// All admin roles of the user, group or client of that index.
    UserRoles, GroupRoles, ClientRoles,
    /// All owners of the group of that index.
    GroupOwners,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::User | Self::AppUser => "00u",
            Self::UserType => "oty",
            Self::UserSchema => "osc",
            Self::Group => "00g",
            Self::GroupRule | Self::PolicyRule | Self::AuthPolicyRule => "0pr",
            Self::App | Self::Service | Self::Idp | Self::Integration | Self::LogStream => "0oa",
            Self::Device => "guo",
            Self::Authenticator => "aut",
            Self::Policy | Self::AuthPolicy => "00p",
            Self::DeviceAssurance => "dae",
            Self::Zone => "nzo",
            Self::Behavior => "bhv",
            Self::ApiToken => "00T",
            Self::AuthServer => "aus",
            Self::AuthScope => "scp",
            Self::AuthClaim => "ocl",
            Self::EventHook => "who",
            Self::InlineHook => "cal",
            Self::TrustedOrigin => "tos",
            Self::Brand => "bnd",
            Self::Domain => "OcD",
            Self::EmailDomain => "OeD",
            Self::Feature => "ftr",
            Self::Mapping => "prm",
            Self::Realm => "gre",
            Self::RealmAssignment => "rul",
            Self::RateLimit => "prl",
            Self::CustomRole => "cr0",
            Self::ResourceSet => "iam",
            Self::Resource => "ire",
            Self::RoleGrant | Self::UserRoles | Self::GroupRoles | Self::ClientRoles => "ra1",
            Self::Factor | Self::UserFactors => "opf",
            Self::Enrollment => "lae",
            Self::PushMapping => "gPm",
            Self::Org | Self::ThreatInsight | Self::LinkedObject | Self::GroupOwners => "00o",
            Self::Agent => "a53",
        }
    }
}

const DIGITS: usize = 11;
const INDEX_BITS: u32 = 48;

pub struct Seed {
    pub org: String,
    pub number: u64,
    pub users: u64,
    pub groups: u64,
    pub apps: u64,
    pub devices: u64,
    /// The last characters of every identifier, as if all came from one of Okta's cells.
    suffix: String,
}

impl Seed {
    pub fn new(org: &str, number: u64, users: u64, groups: u64, apps: u64) -> Self {
        let suffix = Rng::at(number, 1, 0).word("", 6);
        Self { org: org.to_owned(), number, users, groups, apps, devices: users / 2, suffix }
    }

    /// The source of chance for one object.
    pub fn rng(&self, kind: Kind, index: u64) -> Rng {
        Rng::at(self.number, 100 + kind as u64, index)
    }

    pub fn id(&self, kind: Kind, index: u64) -> String {
        let mut code = self.scramble((kind as u64) << INDEX_BITS | index);
        let mut digits = [0; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = ALPHABET[(code % 62) as usize];
            code /= 62;
        }
        format!("{}{}{}", kind.prefix(), String::from_utf8_lossy(&digits), self.suffix)
    }

    /// The index behind an identifier of that kind.
    pub fn index(&self, kind: Kind, id: &str) -> Option<u64> {
        let digits = id.strip_prefix(kind.prefix())?.strip_suffix(self.suffix.as_str())?;
        if digits.len() != DIGITS {
            return None;
        }
        let code = digits.bytes().try_fold(0_u64, |code, digit| {
            let value = ALPHABET.iter().position(|letter| *letter == digit)?;
            code.checked_mul(62)?.checked_add(value as u64)
        })?;
        let code = self.unscramble(code);
        (code >> INDEX_BITS == kind as u64).then_some(code & ((1 << INDEX_BITS) - 1))
    }

    /// A Feistel network: neighbours get unrelated identifiers, and none is given twice.
    fn scramble(&self, code: u64) -> u64 {
        let (mut left, mut right) = ((code >> 32) as u32, code as u32);
        for round in 0..4 {
            (left, right) = (right, left ^ self.round(round, right));
        }
        u64::from(left) << 32 | u64::from(right)
    }

    fn unscramble(&self, code: u64) -> u64 {
        let (mut left, mut right) = ((code >> 32) as u32, code as u32);
        for round in (0..4).rev() {
            (left, right) = (right ^ self.round(round, left), left);
        }
        u64::from(left) << 32 | u64::from(right)
    }

    fn round(&self, round: u64, half: u32) -> u32 {
        Rng::at(self.number, 2 + round, u64::from(half)).next() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_lead_back_to_their_object_and_to_no_other_kind() {
        let seed = Seed::new("acme", 7, 10, 10, 10);
        for index in [0, 1, 999_999] {
            let id = seed.id(Kind::App, index);
            assert_eq!(id.len(), 20, "{id}");
            assert_eq!(seed.index(Kind::App, &id), Some(index));
            assert_eq!(seed.index(Kind::Idp, &id), None, "the same prefix, another kind");
        }
        assert_eq!(seed.index(Kind::User, "me"), None);
    }
}
