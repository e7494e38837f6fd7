//! The people: their names, their states, and what is known of each without writing the whole object down.

use jiff::Timestamp;

use crate::world::seed::{Kind, Seed};
use crate::world::{Seen, before_dawn};

#[rustfmt::skip]
const FIRST_NAMES: [&str; 20] = [
    "Aurelie", "Bogdan", "Chiara", "Dmitri", "Esra", "Farid", "Greta", "Hiro", "Imani", "Joaquin", "Kaisa", "Leandro",
    "Mireille", "Nnamdi", "Oksana", "Priya", "Quentin", "Rosalind", "Søren", "Tamsin",
];
#[rustfmt::skip]
const LAST_NAMES: [&str; 20] = [
    "Abernathy", "Brunetti", "Castellane", "Drummond", "Eskola", "Fairweather", "Gundersen", "Halloran", "Ishikawa",
    "Jaworski", "Kowalczyk", "Lindqvist", "Marchetti", "Nakamura", "O'Dowd", "Petrosyan", "Quiroga", "Rasmussen",
    "Szymanski", "Thibault",
];

/// The first few people are the administrators, always there and active.
pub const ADMINS: u64 = 6;
/// Of the others, one in so many has an admin role.
const ADMIN_EVERY: usize = 500;

/// States with their share in a thousand.
const STATUSES: [(&str, usize); 8] = [
    ("DEPROVISIONED", 60),
    ("PROVISIONED", 30),
    ("STAGED", 20),
    ("SUSPENDED", 15),
    ("LOCKED_OUT", 5),
    ("PASSWORD_EXPIRED", 10),
    ("RECOVERY", 3),
    ("ACTIVE", 857),
];

pub fn first_name(seed: &Seed, index: u64) -> &'static str {
    FIRST_NAMES[((index + seed.number % 20) % 20) as usize]
}

pub fn last_name(index: u64) -> &'static str {
    LAST_NAMES[(index / 20 % 20) as usize]
}

/// Unique: from the second of a name on, the number of the namesake is part of it.
pub fn login(seed: &Seed, index: u64) -> String {
    let namesake = match index / 400 {
        0 => String::new(),
        nth => format!(".{nth}"),
    };
    let name = format!("{}.{}{namesake}@{}.example", first_name(seed, index), last_name(index), seed.org);
    name.to_lowercase().replace('ø', "o").replace('\'', "")
}

/// The index behind a login, if the seed made it.
pub fn index_of_login(seed: &Seed, login: &str) -> Option<u64> {
    let name = login.strip_suffix(".example")?.strip_suffix(seed.org.as_str())?.strip_suffix('@')?;
    let mut parts = name.splitn(3, '.');
    let (first, last, nth) = (parts.next()?, parts.next()?, parts.next());
    let nth: u64 = nth.map_or(Some(0), |text| text.parse().ok())?;
    let candidates = (nth * 400)..(nth * 400 + 400);
    let hit = |index: &u64| {
        let spelled = format!("{first}.{last}");
        login_name(seed, *index) == spelled
    };
    candidates.into_iter().find(hit)
}

fn login_name(seed: &Seed, index: u64) -> String {
    let name = format!("{}.{}", first_name(seed, index), last_name(index));
    name.to_lowercase().replace('ø', "o").replace('\'', "")
}

/// The state of a person as seen.
pub fn status<'a>(seed: &Seed, index: u64, seen: &Seen<'a>) -> &'a str {
    let changed = match seen {
        Seen::Changed(revision) => revision.patch.get("status").and_then(|status| status.as_str()),
        _ => None,
    };
    changed.unwrap_or_else(|| derived_status(seed, index))
}

pub fn derived_status(seed: &Seed, index: u64) -> &'static str {
    if index < ADMINS {
        return "ACTIVE";
    }
    let mut ticket = seed.rng(Kind::User, index).below(1_000);
    for (status, share) in STATUSES {
        if ticket < share {
            return status;
        }
        ticket -= share;
    }
    "ACTIVE"
}

/// When the object was made and last touched, before the org's time began.
pub fn derived_times(seed: &Seed, kind: Kind, index: u64) -> (Timestamp, Timestamp) {
    const DAY: u64 = 86_400;
    let mut rng = seed.rng(kind, index);
    rng.next(); // the status was drawn from it
    let age = 30 * DAY + rng.next() % (3_000 * DAY);
    let since_touched = DAY + rng.next() % (age - DAY);
    (before_dawn(age), before_dawn(since_touched))
}

/// The standard role a person has from the start.
pub fn derived_role(seed: &Seed, index: u64) -> Option<&'static str> {
    const ROLES: [&str; 6] =
        ["SUPER_ADMIN", "SUPER_ADMIN", "ORG_ADMIN", "READ_ONLY_ADMIN", "HELP_DESK_ADMIN", "APP_ADMIN"];
    if index < ADMINS {
        return Some(ROLES[index as usize]);
    }
    let mut rng = seed.rng(Kind::UserRoles, index);
    (rng.below(ADMIN_EVERY) == 0).then(|| ROLES[2 + rng.below(ROLES.len() - 2)])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn logins_are_unique_and_lead_back() {
        let seed = Seed::new("acme", 5, 2_000, 10, 10);
        let logins: HashSet<String> = (0..2_000).map(|index| login(&seed, index)).collect();
        assert_eq!(logins.len(), 2_000);
        for index in [0, 19, 399, 400, 1_999] {
            assert_eq!(index_of_login(&seed, &login(&seed, index)), Some(index));
        }
    }

    #[test]
    fn every_status_turns_up() {
        let seed = Seed::new("acme", 5, 5_000, 10, 10);
        let found: HashSet<&str> = (0..5_000).map(|index| derived_status(&seed, index)).collect();
        assert_eq!(found.len(), STATUSES.len());
    }
}
