use schemars::JsonSchema;
use serde::Deserialize;

use crate::collect::{Plan, Selection};
use crate::okta::Engine;

/// `[org.snapshot]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SnapshotConfig {
    /// Hours from the beginning of one snapshot to that of the next; 0 for none but those that `okta-ocsf collect` asks
    /// for.
    pub interval_hours: u32,
    /// Up to so many percent are added to the interval, another number each time, so that several orgs or workers do not
    /// all begin at once.
    pub jitter_percent: u32,
    /// Minutes between two questions for what has changed, to the collections that can tell; 0 for none.
    pub relist_minutes: u32,
    /// Hours in which what takes a call for each user (factors, roles) is read once, evenly spread, after the first
    /// snapshot; 0 reads it with every snapshot instead.
    pub audit_hours: u32,
    /// The collections to read, by the names in `docs/collections.md`. Default: all that are read by default, as far as
    /// the org has them and lets us see them.
    pub collections: Vec<String>,
    /// Collections to read in addition to those.
    pub also: Vec<String>,
    /// Collections not to read, nor what is within their objects.
    pub without: Vec<String>,
}

impl Default for SnapshotConfig {
    fn default() -> Self {
        Self {
            // Once a day, at what it costs in quota; what changes in between is for events to tell.
            interval_hours: 24,
            jitter_percent: 10,
            // A call or two a collection: half a percent of the users' limit.
            relist_minutes: 15,
            audit_hours: 24,
            collections: Vec::new(),
            also: Vec::new(),
            without: Vec::new(),
        }
    }
}

impl SnapshotConfig {
    /// What is read by itself.
    pub fn selection(&self) -> Selection {
        match (self.collections.is_empty(), self.also.is_empty()) {
            (false, _) => Selection::Only(self.collections.iter().chain(&self.also).cloned().collect()),
            (true, false) => Selection::ManagedAnd(self.also.clone()),
            (true, true) => Selection::Managed,
        }
    }
}

/// What cannot work in one `[org.snapshot]`, each problem with its key.
pub(super) fn problems(org: &str, snapshot: &SnapshotConfig) -> Vec<String> {
    let unknown = |key: &str, names: &[String]| {
        let plan = Plan::new(&Selection::Only(names.to_vec()), &[], Engine::Unknown);
        plan.err().map(|error| format!("org.snapshot.{key}: {error} (org {org:?})"))
    };
    let mut problems: Vec<String> =
        [("collections", &snapshot.collections), ("also", &snapshot.also), ("without", &snapshot.without)]
            .into_iter()
            .filter_map(|(key, names)| unknown(key, names))
            .collect();
    if snapshot.audit_hours > 24 * 30 {
        problems.push(format!("org.snapshot.audit_hours: 0 to 720 (org {org:?})"));
    }
    if snapshot.relist_minutes > 24 * 60 {
        problems.push(format!("org.snapshot.relist_minutes: 0 to 1440 (org {org:?})"));
    }
    if snapshot.jitter_percent > 100 {
        problems.push(format!("org.snapshot.jitter_percent: 0 to 100 (org {org:?})"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_choose() {
        let read = |text: &str| toml::from_str::<SnapshotConfig>(text).unwrap();
        assert_eq!(read("").selection(), Selection::Managed);
        assert_eq!(read("also = ['app_keys']").selection(), Selection::ManagedAnd(vec!["app_keys".into()]));
        let only = read("collections = ['users']\nalso = ['groups']").selection();
        assert_eq!(only, Selection::Only(vec!["users".into(), "groups".into()]));
        assert!(problems("acme", &read("without = ['devices']")).is_empty());
        let found = problems("acme", &read("also = ['user']\njitter_percent = 101"));
        assert!(found[0].starts_with("org.snapshot.also: there is no collection \"user\""), "{found:?}");
        assert!(found[1].starts_with("org.snapshot.jitter_percent"), "{found:?}");
    }
}
