use schemars::JsonSchema;
use serde::Deserialize;

use crate::ocsf::privacy::Personal;

/// Something that an event is enriched with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The groups of a user, and how many there are.
    Groups,
    /// The admin roles of a user.
    Roles,
    /// The factors of a user, and whether they are more than a password.
    Factors,
    /// Okta's status of a user.
    Status,
    /// The email address of a user.
    Email,
    /// The login and the display name of a user, where the event lacks them.
    Name,
    /// Department, division and organization of a user.
    Organization,
    /// Job title and type of a user.
    Title,
    /// The employee number of a user.
    EmployeeNumber,
    /// The manager of a user.
    Manager,
    /// Label, status and sign-on mode of an application.
    Application,
    /// Who owns an application.
    ApplicationOwner,
    /// Name, system, status and posture of a device.
    Device,
    /// The serial number of a device.
    DeviceSerial,
}

/// What events are enriched with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrichment {
    /// The most groups of a user that a record lists.
    pub max_groups: usize,
    /// Names and ids of groups that are listed before others, in this order; `*` at the end stands for anything.
    pub groups_first: Vec<String>,
    /// What is left out.
    pub without: Vec<Field>,
}

impl Default for Enrichment {
    fn default() -> Self {
        // Few people are in more groups, and 50 groups are 4 kB.
        Self { max_groups: 50, groups_first: Vec::new(), without: Vec::new() }
    }
}

impl Enrichment {
    /// Whether a field is added.
    pub fn has(&self, field: Field) -> bool {
        !self.without.contains(&field)
    }

    /// The place of a group among those that come first; `None` for any other.
    pub(super) fn rank(&self, id: &str, name: Option<&str>) -> Option<usize> {
        let fits = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
            Some(prefix) => text.starts_with(prefix),
            None => text == pattern,
        };
        self.groups_first.iter().position(|pattern| fits(pattern, id) || name.is_some_and(|name| fits(pattern, name)))
    }
}

/// A personal value of a card, or any other text of it.
pub(super) type Sort = Option<Personal>;
