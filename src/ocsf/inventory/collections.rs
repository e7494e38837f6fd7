//! The table of collections: how each is called, what its objects are, and where in them everything is.
//!
//! Most objects of the Management API are alike, so a row says only what is unlike [`usual`].
//!
//! Source: Okta Management API, 2026.06.3, its GET endpoints.

use crate::json::Value;
use crate::ocsf::Class;
use crate::ocsf::writer::saying;

/// Paths of fields, such as `profile.name`; the first one counts at which the object says something.
type Places = &'static [&'static str];

/// One collection of the Management API.
#[derive(Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its name; the record's `event_code`.
    pub name: &'static str,
    /// What its objects are; the resource's `type`.
    pub kind: &'static str,
    /// Where the id is. No place at all: there is only one such object, in the org or in what it is within.
    id: Places,
    /// Another unique name, for `uid_alt`.
    alternate: Places,
    label: Places,
    status: Places,
    created: Places,
    updated: Places,
    /// The id of the user whose it is.
    owner: Places,
    /// What else its objects are.
    pub(super) detail: Detail,
}

/// What OCSF has more than a resource for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Nothing,
    Group,
    /// The assignment of a group, under the id of the group.
    AssignedGroup,
    IdentityProvider,
}

/// An object, read by the row of its collection.
pub(super) struct Resource<'a> {
    pub collection: &'static Collection,
    pub id: Option<Value<'a>>,
    pub alternate: Option<Value<'a>>,
    pub name: Option<Value<'a>>,
    pub status: Option<Value<'a>>,
    pub created: Option<Value<'a>>,
    pub updated: Option<Value<'a>>,
    pub owner: Option<Value<'a>>,
}

impl Collection {
    /// The collection with a name.
    pub fn find(name: &str) -> Option<&'static Self> {
        COLLECTIONS.iter().find(|collection| collection.name == name)
    }

    /// The class of the records that its objects become.
    pub fn class(&self) -> Class {
        match self.name {
            "users" => Class::UserInventory,
            "devices" => Class::InventoryInfo,
            _ => Class::CloudResourcesInventoryInfo,
        }
    }

    /// Reads an object; nothing if it has no id where it should have one.
    pub(super) fn read<'a>(&'static self, object: Value<'a>) -> Option<Resource<'a>> {
        let first = |places: Places| places.iter().find_map(|path| at(object, path));
        let id = first(self.id);
        if id.is_none() && !self.id.is_empty() {
            return None;
        }
        Some(Resource {
            collection: self,
            id,
            alternate: first(self.alternate),
            name: first(self.label),
            status: first(self.status),
            created: first(self.created),
            updated: first(self.updated),
            owner: first(self.owner),
        })
    }
}

/// The scalar at a path, if it says something.
fn at<'a>(object: Value<'a>, path: &str) -> Option<Value<'a>> {
    saying(path.split('.').try_fold(object, |value, key| value.get(key)))
}

/// A collection whose objects are like most.
const fn usual(name: &'static str, kind: &'static str) -> Collection {
    Collection {
        name,
        kind,
        id: &["id"],
        alternate: &["orn"],
        // An application's `name` is its template's, so the label comes first.
        label: &["label", "name", "displayName", "profile.name"],
        status: &["status"],
        created: &["created", "createdAt", "createdDate", "createdUpdate"],
        updated: &["lastUpdated", "lastUpdate", "lastUpdatedDate"],
        owner: &[],
        detail: Detail::Nothing,
    }
}

/// Something of which an org, or whatever it is within, has just one.
const fn single(name: &'static str, kind: &'static str) -> Collection {
    Collection { id: &[], ..usual(name, kind) }
}

/// Every collection.
pub static COLLECTIONS: &[Collection] = &[
    // Users and devices have classes of their own; here they are what other objects are within.
    Collection { label: &["profile.login"], ..usual("users", "User") },
    Collection { label: &["profile.displayName"], ..usual("devices", "Device") },
    usual("user_types", "User Type"),
    Collection { label: &["title", "name"], ..usual("user_schemas", "User Schema") },
    Collection { id: &["primary.name"], label: &["primary.title"], ..usual("linked_objects", "Linked Object") },
    Collection { label: &["label"], ..usual("user_app_links", "App Link") },
    Collection { label: &["factorType"], ..usual("user_factors", "Factor") },
    usual("user_authenticator_enrollments", "Authenticator Enrollment"),
    Collection { label: &["factorType"], ..usual("user_webauthn_enrollments", "WebAuthn Enrollment") },
    usual("user_groups", "Group of a User"),
    Collection {
        id: &["deviceUserId"],
        label: &["device.profile.displayName"],
        ..usual("user_devices", "Device of a User")
    },
    usual("user_linked_idps", "Linked Identity Provider"),
    Collection { id: &["client_id"], label: &["client_name"], ..usual("user_clients", "User Client") },
    Collection { detail: Detail::Group, ..usual("groups", "Group") },
    Collection { owner: &["id"], label: &["profile.login"], ..usual("group_members", "Group Member") },
    usual("group_rules", "Group Rule"),
    usual("group_owners", "Group Owner"),
    usual("apps", "Application"),
    Collection { owner: &["id"], label: &["credentials.userName"], ..usual("app_users", "Application User") },
    Collection {
        label: &["_embedded.group.profile.name"],
        detail: Detail::AssignedGroup,
        ..usual("app_groups", "Application Group")
    },
    Collection { id: &["name"], ..usual("app_features", "Application Feature") },
    Collection { id: &["kid"], label: &["kid"], ..usual("app_keys", "Application Key") },
    Collection { label: &["kid"], ..usual("app_jwks", "Application JSON Web Key") },
    Collection { label: &["scopeId"], ..usual("app_grants", "Application Grant") },
    Collection { owner: &["userId"], ..usual("app_tokens", "Application Token") },
    usual("app_federated_claims", "Federated Claim"),
    usual("app_group_push_mappings", "Group Push Mapping"),
    Collection {
        id: &["user.id"],
        owner: &["user.id"],
        label: &["user.profile.login"],
        ..usual("device_users", "Device User")
    },
    Collection { label: &["profile.serial"], ..usual("yubikey_tokens", "YubiKey Token") },
    usual("authenticators", "Authenticator"),
    Collection { id: &["type"], label: &["type"], ..usual("authenticator_methods", "Authenticator Method") },
    usual("admin_users", "Administrator"),
    usual("role_assignments", "Role Assignment"),
    usual("group_roles", "Role Assignment of a Group"),
    usual("client_roles", "Role Assignment of a Client"),
    Collection { id: &["id", "orn"], ..usual("role_targets", "Role Target") },
    usual("custom_roles", "Role"),
    Collection { id: &["label"], ..usual("custom_role_permissions", "Permission") },
    usual("resource_sets", "Resource Set"),
    usual("resource_set_resources", "Resource Set Resource"),
    usual("resource_set_bindings", "Resource Set Binding"),
    usual("resource_set_members", "Resource Set Member"),
    usual("governance_bundles", "Governance Bundle"),
    Collection { detail: Detail::IdentityProvider, ..usual("idps", "Identity Provider") },
    Collection { id: &["kid"], label: &["kid"], ..usual("idp_keys", "Identity Provider Key") },
    Collection { owner: &["id"], label: &["externalId"], ..usual("idp_users", "Identity Provider User") },
    usual("policies", "Policy"),
    usual("policy_rules", "Policy Rule"),
    usual("policy_mappings", "Policy Mapping"),
    usual("device_assurances", "Device Assurance Policy"),
    usual("device_posture_checks", "Device Posture Check"),
    Collection { label: &["displayName", "name"], ..usual("device_integrations", "Device Integration") },
    usual("zones", "Network Zone"),
    usual("behaviors", "Behavior"),
    single("threat_insight", "ThreatInsight Configuration"),
    Collection { owner: &["userId"], ..usual("api_tokens", "API Token") },
    usual("api_services", "API Service Integration"),
    Collection { id: &["id", "client_id"], label: &["client_name"], ..usual("oauth_clients", "OAuth Client") },
    usual("authorization_servers", "Authorization Server"),
    usual("authorization_server_policies", "Authorization Server Policy"),
    usual("authorization_server_policy_rules", "Authorization Server Policy Rule"),
    usual("authorization_server_scopes", "Authorization Server Scope"),
    usual("authorization_server_claims", "Authorization Server Claim"),
    Collection {
        id: &["client_id"],
        label: &["client_name"],
        ..usual("authorization_server_clients", "Authorization Server Client")
    },
    usual("event_hooks", "Event Hook"),
    usual("inline_hooks", "Inline Hook"),
    Collection { id: &["id", "keyId"], ..usual("hook_keys", "Hook Key") },
    usual("log_streams", "Log Stream"),
    usual("trusted_origins", "Trusted Origin"),
    usual("brands", "Brand"),
    usual("themes", "Theme"),
    Collection { label: &["domain"], status: &["validationStatus"], ..usual("domains", "Domain") },
    Collection { label: &["domain"], status: &["validationStatus"], ..usual("email_domains", "Email Domain") },
    Collection { label: &["alias"], ..usual("email_servers", "Email Server") },
    usual("sms_templates", "SMS Template"),
    usual("features", "Feature"),
    Collection { label: &["companyName"], ..usual("org_settings", "Org Settings") },
    Collection { id: &["contactType"], label: &["contactType"], ..usual("org_contacts", "Org Contact") },
    single("org_preferences", "Org Preferences"),
    usual("captchas", "CAPTCHA"),
    single("captcha_settings", "CAPTCHA Settings"),
    single("authenticator_settings", "Authenticator Settings"),
    single("user_lockout_settings", "User Lockout Settings"),
    single("bot_protection", "Bot Protection Configuration"),
    usual("profile_mappings", "Profile Mapping"),
    usual("realms", "Realm"),
    usual("realm_assignments", "Realm Assignment"),
    usual("identity_sources", "Identity Source"),
    Collection { status: &["operationalStatus"], ..usual("agent_pools", "Agent Pool") },
    usual("security_events_providers", "Security Events Provider"),
    usual("risk_providers", "Risk Provider"),
    usual("service_accounts", "Service Account"),
    usual("okta_service_accounts", "Okta Service Account"),
    usual("push_providers", "Push Provider"),
    Collection { label: &["principalId"], ..usual("principal_rate_limits", "Principal Rate Limit") },
];
