//! What is read of an org, in order.

use std::collections::BTreeSet;

use super::table::{COLLECTIONS, Collection, Managed, Needs};
use crate::okta::Engine;

/// What somebody wants to have read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Selection {
    /// What is read by default.
    #[default]
    Managed,
    /// What is read by default, and these by name.
    ManagedAnd(Vec<String>),
    /// These alone, by name.
    Only(Vec<String>),
}

/// The collections to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In the order of the table: parents before their children.
    pub collections: Vec<&'static Collection>,
    /// Those among them that nobody asked for: others hang on their objects.
    pub added: Vec<&'static str>,
    /// Those that were asked for and that an org of this engine cannot have.
    pub unavailable: Vec<&'static str>,
}

/// There is no collection of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no collection {name:?}{}", did_you_mean(.near))]
pub struct UnknownCollection {
    /// The name.
    pub name: String,
    /// Names that it may have been meant for, best first.
    pub near: Vec<&'static str>,
}

impl Plan {
    /// The plan for a selection, less the collections in `without` and all that hang on these.
    ///
    /// # Errors
    /// When a name is not in the table.
    pub fn new(selection: &Selection, without: &[String], engine: Engine) -> Result<Self, UnknownCollection> {
        let named = |names: &[String]| names.iter().map(|name| known(name)).collect::<Result<BTreeSet<_>, _>>();
        let managed = || COLLECTIONS.iter().filter(|row| row.managed == Managed::Yes).map(|row| row.name);
        let mut wanted: BTreeSet<&str> = match selection {
            Selection::Managed => managed().collect(),
            Selection::ManagedAnd(names) => managed().chain(named(names)?).collect(),
            Selection::Only(names) => named(names)?,
        };
        let without = named(without)?;
        wanted.retain(|name| !lineage(name).any(|row| without.contains(row.name)));
        let possible = |row: &Collection| engine != Engine::Classic || row.needs == Needs::Any;
        let (wanted, lacking): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|name| lineage(name).all(possible));
        let needed: BTreeSet<&str> = wanted.iter().flat_map(|name| lineage(name)).map(|row| row.name).collect();
        let in_order = |chosen: &dyn Fn(&str) -> bool| COLLECTIONS.iter().filter(move |row| chosen(row.name)).collect();
        let collections: Vec<&'static Collection> = in_order(&|name| needed.contains(name));
        let added = collections.iter().map(|row| row.name).filter(|name| !wanted.contains(name)).collect();
        Ok(Self { collections, added, unavailable: lacking })
    }

    /// The scopes that all of it takes, each once.
    pub fn scopes(&self) -> Vec<&'static str> {
        let scopes: BTreeSet<_> = self.collections.iter().flat_map(|row| row.scopes).copied().collect();
        scopes.into_iter().collect()
    }
}

/// The collection with this name and all that it hangs on.
fn lineage(name: &str) -> impl Iterator<Item = &'static Collection> + use<> {
    std::iter::successors(Collection::find(name), |row| row.parent())
}

fn known(name: &str) -> Result<&'static str, UnknownCollection> {
    let unknown = || UnknownCollection { name: name.to_owned(), near: near(name) };
    Collection::find(name).map(|row| row.name).ok_or_else(unknown)
}

/// More than this many names to choose from are no help.
const MOST_SUGGESTIONS: usize = 4;

/// The names in the table that are like this one: a few letters off, or the one within the other.
fn near(name: &str) -> Vec<&'static str> {
    // A third of the letters wrong is still a typing error; more is another word.
    let tolerance = name.chars().count() / 3;
    let mut near: Vec<(usize, &str)> = COLLECTIONS
        .iter()
        .map(|row| (distance(name, row.name), row.name))
        .filter(|(distance, other)| *distance <= tolerance || (name.len() > 2 && other.contains(name)))
        .collect();
    near.sort_unstable();
    near.into_iter().map(|(_, name)| name).take(MOST_SUGGESTIONS).collect()
}

/// How many letters have to be put in, taken out or changed (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut next = vec![at + 1];
        for ((other, above), diagonal) in to.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or_default();
            next.push((diagonal + usize::from(letter != *other)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

fn did_you_mean(near: &[&str]) -> String {
    if near.is_empty() { "; see docs/collections.md".to_owned() } else { format!("; near it: {}", near.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(plan: &Plan) -> Vec<&str> {
        plan.collections.iter().map(|row| row.name).collect()
    }

    fn only(names: &[&str]) -> Selection {
        Selection::Only(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn plan(selection: &Selection) -> Plan {
        Plan::new(selection, &[], Engine::Unknown).unwrap()
    }

    #[test]
    fn what_is_managed_needs_nothing_that_is_not() {
        let plan = plan(&Selection::Managed);
        assert!(plan.added.is_empty() && plan.unavailable.is_empty(), "{:?}", plan.added);
        assert!(names(&plan).contains(&"user_factors") && !names(&plan).contains(&"app_keys"));
    }

    #[test]
    fn missing_parents_are_added_and_said() {
        let plan = plan(&only(&["authorization_server_policy_rules", "zones"]));
        let expected =
            ["zones", "authorization_servers", "authorization_server_policies", "authorization_server_policy_rules"];
        assert_eq!(names(&plan), expected);
        assert_eq!(plan.added, ["authorization_servers", "authorization_server_policies"]);
    }

    #[test]
    fn what_hangs_on_what_is_left_out_is_left_out_too() {
        let plan = Plan::new(&Selection::Managed, &["apps".to_owned()], Engine::Unknown).unwrap();
        assert!(names(&plan).iter().all(|name| !name.starts_with("app")), "{:?}", names(&plan));
        let asked_for = Selection::ManagedAnd(vec!["app_keys".to_owned()]);
        let with_keys = Plan::new(&asked_for, &[], Engine::Unknown).unwrap();
        assert!(names(&with_keys).contains(&"app_keys") && with_keys.added.is_empty());
    }

    #[test]
    fn classic_orgs_are_not_asked_for_what_they_cannot_have() {
        let plan = Plan::new(&only(&["devices", "device_users", "users"]), &[], Engine::Classic).unwrap();
        assert_eq!(names(&plan), ["users"]);
        assert_eq!(plan.unavailable, ["device_users", "devices"]);
        assert!(plan.added.is_empty());
    }

    #[test]
    fn an_unknown_name_is_told_with_its_neighbours() {
        let unknown = |name: &str| Plan::new(&only(&[name]), &[], Engine::Unknown).unwrap_err().to_string();
        let expected = r#"there is no collection "grups"; near it: groups"#;
        assert_eq!(unknown("grups"), expected);
        assert!(unknown("factors").contains("user_factors"), "{}", unknown("factors"));
        assert!(unknown("weather").ends_with("see docs/collections.md"), "{}", unknown("weather"));
        let without = Plan::new(&Selection::Managed, &["Users".to_owned()], Engine::Unknown).unwrap_err();
        assert_eq!((without.name.as_str(), without.near.first()), ("Users", Some(&"users")));
    }
}
