//! What is read of an org, in order, and the fewest calls that it takes.

use std::collections::{BTreeMap, BTreeSet};

use super::table::{COLLECTIONS, Collection, Managed, Needs};

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

/// What the org runs on. It decides which collections it can have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Engine {
    /// Okta Identity Engine.
    Identity,
    /// Classic Engine.
    Classic,
    /// Not known: all is tried.
    #[default]
    Unknown,
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

    /// The fewest calls that read all of it once: a page for every so many objects, and one for every list. Exact for
    /// collections whose lists were counted one by one ([`Counts::lists`]); for those of which only a sum is known
    /// ([`Counts::objects`]) there is an org for which it is exact, and none that needs fewer. Retries are not in it.
    pub fn least_calls(&self, counts: &Counts) -> Vec<Calls> {
        let calls =
            |row: &&'static Collection| Calls { collection: row.name, path: row.path, calls: counts.calls(row) };
        self.collections.iter().map(calls).collect()
    }
}

/// The calls that one collection takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// The collection.
    pub collection: &'static str,
    /// Path of its lists, with `{}` for ids.
    pub path: &'static str,
    /// How many.
    pub calls: u64,
}

/// How many objects an org has. What was not counted counts as nothing, and a list of nothing takes one call.
#[derive(Debug, Clone, Default)]
pub struct Counts(BTreeMap<&'static str, Count>);

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    objects: u64,
    /// Known when the lists were counted one by one.
    calls: Option<u64>,
}

impl Counts {
    /// Notes how many objects a collection has, in all of its lists together.
    pub fn objects(&mut self, collection: &Collection, objects: u64) {
        self.0.insert(collection.name, Count { objects, calls: None });
    }

    /// Notes how many objects each list of a collection has.
    pub fn lists(&mut self, collection: &Collection, sizes: impl IntoIterator<Item = u64>) {
        let (mut objects, mut calls) = (0u64, 0u64);
        for size in sizes {
            objects = objects.saturating_add(size);
            calls = calls.saturating_add(pages(collection, size).max(1));
        }
        self.0.insert(collection.name, Count { objects, calls: Some(calls) });
    }

    fn calls(&self, collection: &Collection) -> u64 {
        let count = self.0.get(collection.name).copied().unwrap_or_default();
        count.calls.unwrap_or_else(|| self.lists_of(collection).max(self.pages_in_all(collection, count.objects)))
    }

    /// How many lists a collection has: one for each object of its parent, if it has one.
    fn lists_of(&self, collection: &Collection) -> u64 {
        match collection.parent() {
            Some(parent) => self.0.get(parent.name).map_or(0, |count| count.objects),
            None => u64::try_from(collection.words().count()).unwrap_or(u64::MAX),
        }
    }

    fn pages_in_all(&self, collection: &Collection, objects: u64) -> u64 {
        // Without lists there are no objects, whatever was counted.
        if self.lists_of(collection) == 0 { 0 } else { pages(collection, objects) }
    }
}

/// Full pages that so many objects need at least. An endpoint without a limit may give all at once.
fn pages(collection: &Collection, objects: u64) -> u64 {
    collection.page.map_or(objects.min(1), |page| objects.div_ceil(u64::from(page.size.max(1))))
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
    use proptest::prelude::*;

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

    fn row(name: &str) -> &'static Collection {
        Collection::find(name).unwrap()
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

    #[test]
    fn the_fewest_calls_are_pages_and_lists() {
        let plan = plan(&only(&["users", "user_factors", "groups", "group_members", "policies", "org_settings"]));
        let mut counts = Counts::default();
        counts.objects(row("users"), 100_001);
        counts.objects(row("groups"), 3);
        counts.objects(row("group_members"), 5_500);
        let calls = |counts: &Counts, name| {
            plan.least_calls(counts).iter().find(|calls| calls.collection == name).unwrap().calls
        };
        assert_eq!(calls(&counts, "users"), 501);
        assert_eq!(calls(&counts, "user_factors"), 100_001, "one for each user");
        assert_eq!(calls(&counts, "group_members"), 6, "of 1000 in each");
        assert_eq!(calls(&counts, "policies"), 12, "one for each type");
        assert_eq!(calls(&counts, "org_settings"), 1);
        counts.lists(row("group_members"), [5_000, 500, 0]);
        assert_eq!(calls(&counts, "group_members"), 7, "5 pages, 1 and 1");
        assert_eq!(calls(&Counts::default(), "user_factors"), 0, "without users");
        assert_eq!(calls(&Counts::default(), "users"), 1);
    }

    proptest! {
        #[test]
        fn a_sum_gives_a_lower_bound(sizes in prop::collection::vec(0u64..5_000, 0..20)) {
            let plan = plan(&only(&["group_members"]));
            let (mut sum, mut exact) = (Counts::default(), Counts::default());
            for counts in [&mut sum, &mut exact] {
                counts.objects(row("groups"), sizes.len() as u64);
            }
            sum.objects(row("group_members"), sizes.iter().sum());
            exact.lists(row("group_members"), sizes);
            let last = |counts: &Counts| plan.least_calls(counts).last().unwrap().calls;
            prop_assert!(last(&sum) <= last(&exact));
        }
    }
}
