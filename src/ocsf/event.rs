//! An event as the classes see it: its sections, and its targets by what they are.

use super::enrich::Background;
use super::event_types::Entry;
use super::writer::{MOST_LISTED, saying};
use crate::json::{Document, Kind, Value};
use crate::okta::{
    AuthenticationContext, Client, DebugContext, DebugData, Device, LogEvent, Outcome, Party, Risk, SecurityContext,
    Transaction, TransactionDetail, UserAgent,
};

/// Everything of an event that records are made of.
pub struct Event<'a> {
    pub log: LogEvent<'a>,
    pub actor: Party<'a>,
    pub client: Client<'a>,
    pub user_agent: UserAgent<'a>,
    pub authentication: AuthenticationContext<'a>,
    pub security: SecurityContext<'a>,
    pub outcome: Outcome<'a>,
    pub transaction: Transaction<'a>,
    pub transaction_detail: TransactionDetail<'a>,
    pub debug: DebugData<'a>,
    pub device: Device<'a>,
    pub targets: Vec<Target<'a>>,
    /// The object in `logOnlySecurityData`, where that is a text.
    pub embedded: Option<Value<'a>>,
    /// What the inventory knows of whom and what it names.
    pub background: Background<'a>,
}

/// One target and what it is.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub party: Party<'a>,
    pub role: Role,
}

/// What a target is, by its `type`. Positions in the list mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    User,
    AppUser,
    App,
    Client,
    Group,
    Policy,
    Rule,
    Factor,
    Device,
    Token,
    Zone,
    /// A role of administrators.
    Admin,
    IdentityProvider,
    Email,
    /// Anything else; the record keeps its type.
    Other,
}

impl Role {
    const COUNT: usize = Self::Other as usize + 1;

    fn of(kind: Option<Value<'_>>) -> Self {
        match kind.and_then(Value::word) {
            Some("User" | "NewUser") => Self::User,
            Some("AppUser") => Self::AppUser,
            Some("AppInstance") => Self::App,
            Some("PublicClientApp" | "PublicClientAppEntity" | "ConfidentialClientApp" | "ServiceClientApp") => {
                Self::Client
            }
            Some("UserGroup" | "AppGroup" | "Group") => Self::Group,
            Some("PolicyEntity" | "Policy") => Self::Policy,
            Some("PolicyRule" | "Rule") => Self::Rule,
            Some("AuthenticatorEnrollment" | "Factor Type" | "Factor" | "UserFactor") => Self::Factor,
            Some("UDDevice" | "Device" | "DeviceInstance") => Self::Device,
            Some("access_token" | "id_token" | "refresh_token" | "Token" | "code" | "device_secret") => Self::Token,
            Some("NetworkZone" | "Zone") => Self::Zone,
            Some("ROLE" | "Role" | "CUSTOM_ROLE") => Self::Admin,
            Some("IdentityProvider" | "Identity Provider" | "IDP" | "Idp") => Self::IdentityProvider,
            Some("email" | "Email") => Self::Email,
            _ => Self::Other,
        }
    }

    /// The type under which a kind of entity usually stands among the targets.
    pub fn usual_kind(entity: &str) -> Option<&'static str> {
        Some(match entity {
            "User" => "User",
            "Group" => "UserGroup",
            "Device" => "UDDevice",
            "Policy" => "PolicyEntity",
            "Network Zone" => "NetworkZone",
            "Application" => "AppInstance",
            "OAuth Client" => "PublicClientApp",
            "API Token" => "Token",
            "Role" => "ROLE",
            "Identity Provider" => "IdentityProvider",
            "Authenticator" => "AuthenticatorEnrollment",
            "Email" => "email",
            _ => return None,
        })
    }

    /// The roles that a kind of entity usually has.
    fn of_entity(entity: &str) -> &'static [Self] {
        match entity {
            "User" => &[Self::User, Self::AppUser],
            "Group" => &[Self::Group],
            "Device" => &[Self::Device],
            "Policy" => &[Self::Rule, Self::Policy],
            "Network Zone" => &[Self::Zone],
            "Application" => &[Self::App],
            "OAuth Client" => &[Self::Client, Self::App],
            "API Token" => &[Self::Token],
            "Role" => &[Self::Admin],
            "Identity Provider" => &[Self::IdentityProvider],
            "Authenticator" => &[Self::Factor],
            "Email" => &[Self::Email],
            _ => &[],
        }
    }
}

impl<'a> Event<'a> {
    /// The event of a document; a document that is none has no sections.
    pub fn of(document: &'a Document<'a>) -> Self {
        let log = LogEvent::of(Some(document.root()));
        let client = Client::of(log.client);
        let transaction = Transaction::of(log.transaction);
        let targets = log.target.filter(|target| target.kind() == Kind::Array);
        let targets = targets.into_iter().flat_map(Value::children).map(|target| {
            let party = Party::of(Some(target));
            Target { party, role: Role::of(party.kind) }
        });
        // Of each role the first ones, wherever they stand.
        let mut of_role = [0; Role::COUNT];
        let targets = targets.filter(|target| {
            let seen = &mut of_role[target.role as usize];
            *seen += 1;
            *seen <= MOST_LISTED
        });
        Self {
            actor: Party::of(log.actor),
            user_agent: UserAgent::of(client.user_agent),
            authentication: AuthenticationContext::of(log.authentication_context),
            security: SecurityContext::of(log.security_context),
            outcome: Outcome::of(log.outcome),
            transaction_detail: TransactionDetail::of(transaction.detail),
            debug: DebugData::of(DebugContext::of(log.debug_context).debug_data),
            device: Device::of(log.device),
            targets: targets.collect(),
            embedded: None,
            background: Background::default(),
            log,
            client,
            transaction,
        }
    }

    /// The risk in `logOnlySecurityData`.
    pub fn embedded_risk(&self) -> Option<Risk<'a>> {
        let object = self.embedded.or(self.debug.log_only_security_data)?;
        object.get("risk").map(|risk| Risk::of(Some(risk)))
    }

    /// The first target with a role.
    pub fn target(&self, role: Role) -> Option<Party<'a>> {
        self.targets_of(role).next()
    }

    /// All targets with a role.
    pub fn targets_of(&self, role: Role) -> impl Iterator<Item = Party<'a>> + '_ {
        self.targets.iter().filter(move |target| target.role == role).map(|target| target.party)
    }

    /// What the activity is about. In this order: a target of a type that the table names; one of the usual types of
    /// the entity; one whose type is the entity's name; and if only one target is neither a person nor an application,
    /// that one.
    pub fn object(&self, entry: &Entry) -> Option<Party<'a>> {
        let is_named = |target: &&Target<'a>| is_identified(&target.party);
        let by_type = |kind: &String| {
            self.targets.iter().filter(is_named).find(|target| target.party.kind.is_some_and(|found| found.is(kind)))
        };
        let by_role = |role: &Role| self.targets.iter().filter(is_named).find(|target| target.role == *role);
        let by_name = || {
            let has_name = |target: &&Target<'a>| {
                target.party.kind.and_then(Value::word).is_some_and(|kind| same_letters(kind, &entry.entity))
            };
            self.targets.iter().filter(is_named).find(has_name)
        };
        let found = entry.targets.iter().find_map(by_type).or_else(by_name);
        let found =
            found.or_else(|| Role::of_entity(&entry.entity).iter().find_map(by_role)).or_else(|| self.only_one());
        found.map(|target| target.party)
    }

    /// The only target whose role is no particular one.
    pub fn only_other(&self) -> Option<Party<'a>> {
        self.only_one().map(|target| target.party)
    }

    /// The only target that is nothing else.
    fn only_one(&self) -> Option<&Target<'a>> {
        let mut objects =
            self.targets.iter().filter(|target| target.role == Role::Other && is_identified(&target.party));
        let only = objects.next()?;
        objects.next().is_none().then_some(only)
    }
}

/// Whether a party has an id or a name.
pub fn is_identified(party: &Party<'_>) -> bool {
    saying(party.id).or(saying(party.display_name)).or(saying(party.alternate_id)).is_some()
}

/// Whether two names differ only in case and punctuation.
fn same_letters(a: &str, b: &str) -> bool {
    let letters = |text: &str| -> Vec<u8> {
        text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()).collect()
    };
    !b.is_empty() && letters(a) == letters(b)
}
