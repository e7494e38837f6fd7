//! An org as it is in truth, and as Okta shows it.

use std::collections::BTreeMap;

use super::super::tests::object;
use super::Random;

/// What a user is in truth, over time.
#[derive(Debug, Clone, Default)]
pub struct Person {
    /// When each version of the user began; the first is the creation.
    pub versions: Vec<i64>,
    /// When each version of the factors began.
    pub factors: Vec<i64>,
    /// When the user was deleted.
    pub gone: Option<i64>,
}

impl Person {
    pub fn is_there(&self, at: i64) -> bool {
        self.versions.first().is_some_and(|created| *created <= at) && self.gone.is_none_or(|gone| at < gone)
    }

    /// The user as shown at a moment.
    pub fn shown(&self, at: i64) -> Option<String> {
        let version = self.versions.iter().rposition(|began| *began <= at)?;
        self.is_there(at).then(|| object(&version.to_string(), self.versions[version]))
    }

    /// When the user was changed last, before a moment.
    pub fn changed(&self, at: i64) -> Option<i64> {
        self.versions.iter().rfind(|began| **began <= at).copied()
    }

    /// The factors as shown at a moment, in two halves.
    pub fn shown_factors(&self, at: i64) -> Option<[String; 2]> {
        let version = self.factors.iter().rposition(|began| *began <= at)?;
        let halves = [r#"[{"id":"first"}]"#.to_owned(), format!(r#"[{{"says":"{version}"}}]"#)];
        self.is_there(at).then_some(halves)
    }
}

/// What happened to somebody.
pub struct Mutation {
    pub event_type: &'static str,
    pub key: String,
}

#[derive(Debug, Default)]
pub struct Org {
    pub people: BTreeMap<String, Person>,
    /// Half of the people cannot be seen.
    pub narrowed: bool,
}

impl Org {
    pub fn create(&mut self, random: &mut Random, at: i64) -> Mutation {
        // New users come anywhere in the order of the ids.
        let key = format!("00u{:04x}{}", random.below(0x10000), self.people.len());
        let person = Person { versions: vec![at], factors: vec![at], gone: None };
        self.people.insert(key.clone(), person);
        Mutation { event_type: "user.lifecycle.create", key }
    }

    /// Something happens to somebody.
    pub fn mutate(&mut self, random: &mut Random, at: i64) -> Option<Mutation> {
        let choice = random.below(20);
        if choice < 3 {
            return Some(self.create(random, at));
        }
        let there: Vec<&String> = self.people.iter().filter(|(_, one)| one.is_there(at)).map(|(key, _)| key).collect();
        let key = there.get(random.below(there.len().max(1) as u64) as usize).map(|key| (*key).clone())?;
        let person = self.people.get_mut(&key)?;
        let event_type = match choice {
            3 | 4 => {
                person.gone = Some(at);
                "user.lifecycle.delete.completed"
            }
            5..=9 => {
                person.factors.push(at);
                "user.mfa.factor.activate"
            }
            _ => {
                person.versions.push(at);
                "user.account.update_profile"
            }
        };
        Some(Mutation { event_type, key })
    }

    pub fn is_hidden(&self, key: &str) -> bool {
        self.narrowed && key.bytes().map(u64::from).sum::<u64>().is_multiple_of(2)
    }

    /// A page of the users as they were at a moment, and the last key of it if there is another page.
    pub fn page(&self, after: &str, size: usize, at: i64) -> (Vec<(String, String)>, Option<String>) {
        let from = (std::ops::Bound::Excluded(after.to_owned()), std::ops::Bound::Unbounded);
        let there = self.people.range(from).filter(|(key, _)| !self.is_hidden(key));
        let mut rows = there.filter_map(|(key, person)| Some((key.clone(), person.shown(at)?)));
        let page: Vec<_> = rows.by_ref().take(size).collect();
        let more = rows.next().is_some();
        let cursor = page.last().map(|(key, _)| key.clone()).filter(|_| more);
        (page, cursor)
    }
}
