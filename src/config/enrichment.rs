use schemars::JsonSchema;
use serde::Deserialize;

use super::Secret;
use crate::ocsf::privacy::{Personal, Privacy};
use crate::ocsf::{Enrichment, Field};

/// A key shorter than this is guessed too easily: 16 random bytes, written as 32 hexadecimal digits.
const SHORTEST_KEY: usize = 32;

/// The most groups that a record may list: 1,000 are 80 kB, twice in a record in which a user acts on themselves.
const MOST_GROUPS: usize = 1_000;

/// `[enrichment]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnrichmentConfig {
    /// Add to events what the inventory knows of the users, applications and devices that they name
    /// (`docs/enrichment.md`).
    pub enabled: bool,
    /// The most groups of a user that a record lists, 0 to 1000; how many there are is always said.
    pub max_groups: usize,
    /// Groups that are listed before others, in this order: names or ids, with `*` at the end for all that begin so.
    pub groups_first: Vec<String>,
    /// What is not added: `groups`, `roles`, `factors`, `status`, `email`, `name`, `organization`, `title`,
    /// `employee_number`, `manager`, `application`, `application_owner`, `device`, `device_serial`.
    pub without: Vec<Field>,
}

impl Default for EnrichmentConfig {
    fn default() -> Self {
        let Enrichment { max_groups, groups_first, without } = Enrichment::default();
        Self { enabled: true, max_groups, groups_first, without }
    }
}

impl EnrichmentConfig {
    /// As the mapping takes it.
    pub fn enrichment(&self) -> Enrichment {
        Enrichment {
            max_groups: self.max_groups,
            groups_first: self.groups_first.clone(),
            without: self.without.clone(),
        }
    }
}

/// `[privacy]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PrivacyConfig {
    /// Personal values that records have only as pseudonyms: `login` (logins and email addresses), `name`,
    /// `employee_number`, `manager`, `phone`, `ip`, `device` (names and serial numbers). The landing topic and the
    /// quarantine keep what was received. Needs `publish.raw_data = false`.
    pub hash: Vec<Personal>,
    /// The secret that the pseudonyms are made with, at least 32 characters. Each org has pseudonyms of its own. Never
    /// change it: with another one, every value has another pseudonym.
    pub key: Option<Secret>,
}

impl PrivacyConfig {
    /// As the mapping takes it; `None` if nothing is hidden.
    pub fn privacy(&self) -> Option<Privacy> {
        let key = self.key.as_ref().filter(|_| !self.hash.is_empty())?;
        Some(Privacy::new(key.expose().as_bytes(), &self.hash))
    }
}

/// What cannot work, each problem with its key.
pub(super) fn problems(enrichment: &EnrichmentConfig, privacy: &PrivacyConfig, raw_data: bool) -> Vec<String> {
    let mut problems = Vec::new();
    if enrichment.max_groups > MOST_GROUPS {
        problems.push(format!("enrichment.max_groups: 0 to {MOST_GROUPS}"));
    }
    if enrichment.groups_first.iter().any(String::is_empty) {
        problems.push("enrichment.groups_first: a name or an id of a group, not an empty text".to_owned());
    }
    match (&privacy.key, privacy.hash.is_empty()) {
        (None, false) => problems.push("privacy.key: is needed to hash anything".to_owned()),
        (Some(key), _) if key.expose().len() < SHORTEST_KEY => {
            problems
                .push(format!("privacy.key: at least {SHORTEST_KEY} characters, such as `openssl rand -hex 32` makes"));
        }
        _ => {}
    }
    if raw_data && !privacy.hash.is_empty() {
        problems
            .push("publish.raw_data: must be false where privacy.hash hides something that it has in clear".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> PrivacyConfig {
        toml::from_str(text).unwrap()
    }

    fn secret(text: &str) -> (tempfile::NamedTempFile, String) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let key = format!("key = {{ file = '{}' }}\n", file.path().display());
        (file, key)
    }

    #[test]
    fn what_is_hidden_needs_a_key_and_no_copy_of_the_source() {
        let none = EnrichmentConfig::default();
        let (_file, key) = secret(&"k".repeat(32));
        assert!(problems(&none, &read(""), true).is_empty());
        assert!(problems(&none, &read(&format!("{key}hash = ['login']")), false).is_empty());
        assert!(problems(&none, &read("hash = ['login']"), false)[0].starts_with("privacy.key: is needed"));
        assert!(problems(&none, &read(&format!("{key}hash = ['ip']")), true)[0].starts_with("publish.raw_data"));
        let (_file, short) = secret("hunter2");
        let found = problems(&none, &read(&short), true);
        assert!(found[0].starts_with("privacy.key: at least 32") && !found[0].contains("hunter2"), "{found:?}");
    }

    #[test]
    fn nothing_is_hidden_unless_something_is_named() {
        let (_file, key) = secret(&"k".repeat(32));
        assert!(read(&key).privacy().is_none());
        assert!(read(&format!("{key}hash = ['manager']")).privacy().is_some());
    }

    #[test]
    fn fields_are_read_by_their_names_and_bounds_are_checked() {
        let config: EnrichmentConfig =
            toml::from_str("without = ['groups', 'application_owner']\nmax_groups = 1001").unwrap();
        assert_eq!(config.enrichment().without, [Field::Groups, Field::ApplicationOwner]);
        let found = problems(&config, &PrivacyConfig::default(), true);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("enrichment.max_groups"), "{found:?}");
        assert!(toml::from_str::<EnrichmentConfig>("without = ['group']").is_err());
    }
}
