//! What the inventory knows, as the mapping asks for it. Answers never wait for anything.

use std::borrow::Borrow;
use std::ops::Deref;
use std::sync::Arc;

/// Answers what is known of the people and things that one event names, as of that event.
pub trait Knowledge {
    /// The user with this id.
    fn user(&self, id: &str) -> Lookup<UserCard>;
    /// The application with this id.
    fn app(&self, id: &str) -> Lookup<AppCard>;
    /// The device with this id.
    fn device(&self, id: &str) -> Lookup<DeviceCard>;
    /// The name of the group with this id, if it is known.
    fn group_name(&self, id: &str) -> Option<Arc<str>>;
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// Nothing of this kind was ever read in the org, so that it is unknown says nothing.
    Unread,
    /// Such things are read, and this one was never seen.
    Missing,
    /// It is gone, as was seen at this time: ms since the Unix epoch by Okta's clock.
    Gone(i64),
    /// It is known.
    Found(Sighted<T>),
}

/// What is known of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighted<T> {
    /// What.
    pub card: Arc<T>,
    /// The state was read not before this time, ms since the Unix epoch by Okta's clock.
    pub as_of: i64,
    /// How sure it is that it was so when the event happened.
    pub confidence: Confidence,
}

/// How sure it is that something was so when an event happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// The newest that was seen before the event.
    AsOf,
    /// Seen only after the event: it may have been otherwise then.
    CurrentState,
}

/// A user, in what events are enriched with. `None` is not known. There are many of them in memory, so what many have is
/// there once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct UserCard {
    pub login: Option<Arc<str>>,
    pub email: Option<Arc<str>>,
    pub display_name: Option<Arc<str>>,
    pub status: Option<Arc<str>>,
    pub department: Option<Arc<str>>,
    pub division: Option<Arc<str>>,
    pub organization: Option<Arc<str>>,
    pub title: Option<Arc<str>>,
    pub user_type: Option<Arc<str>>,
    pub employee_number: Option<Arc<str>>,
    pub manager: Option<Arc<str>>,
    pub manager_id: Option<Arc<str>>,
    /// Ids of the groups, in their order.
    pub groups: Option<Box<[GroupId]>>,
    /// Admin roles, assigned directly or by a group.
    pub roles: Option<Box<[RoleCard]>>,
    /// Enrolled factors.
    pub factors: Option<Box<[FactorCard]>>,
}

/// The id of a group. A pointer as small as can be, as people are in dozens of groups.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupId(Arc<Box<str>>);

impl From<&str> for GroupId {
    fn from(id: &str) -> Self {
        Self(Arc::new(id.into()))
    }
}

impl Deref for GroupId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for GroupId {
    fn borrow(&self) -> &str {
        self
    }
}

impl GroupId {
    /// Whether nobody else has it.
    pub fn is_unshared(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

/// An admin role of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleCard {
    /// Okta's type, such as `SUPER_ADMIN`.
    pub kind: Option<String>,
    /// Its label for people.
    pub label: Option<String>,
}

/// A factor of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FactorCard {
    /// Okta's type, such as `push` or `token:software:totp`.
    pub kind: Option<String>,
    /// Who provides it.
    pub provider: Option<String>,
    /// Okta's status of it.
    pub status: Option<String>,
}

/// An application, in what events are enriched with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct AppCard {
    pub name: Option<String>,
    pub label: Option<String>,
    pub status: Option<String>,
    pub sign_on_mode: Option<String>,
    pub owner: Option<String>,
}

/// A device, in what events are enriched with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct DeviceCard {
    pub display_name: Option<String>,
    pub status: Option<String>,
    pub platform: Option<String>,
    pub os_version: Option<String>,
    pub serial_number: Option<String>,
    pub management_status: Option<String>,
    pub registered: Option<bool>,
    pub secure_hardware: Option<bool>,
    pub disk_encryption: Option<String>,
    pub jailbroken: Option<bool>,
}
