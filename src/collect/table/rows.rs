use super::{Collection, Grain, Incremental, Managed, Needs, Page, Parent, Role};
use crate::okta::api::Shape;

/// Pages are not made smaller than this: a list that times out with 25 objects a page has another trouble than its size.
const LEAST: u32 = 25;

/// A list in the org, as most are: objects with an `id`, for whoever may read.
const fn list(
    name: &'static str,
    path: &'static str,
    facet: &'static str,
    scopes: &'static [&'static str],
) -> Collection {
    Collection {
        name,
        path,
        parent: Parent::Org,
        shape: Shape::List,
        id_key: "id",
        page: None,
        query: &[],
        without_credentials: false,
        incremental: None,
        scopes,
        role: Role::ReadOnly,
        needs: Needs::Any,
        facet,
        grain: Grain::Object,
        single: false,
        managed: Managed::Yes,
        audit: false,
    }
}

/// A row says by these what is not as in most.
impl Collection {
    const fn of(self, parent: &'static str) -> Self {
        Self { parent: Parent::Of(parent), ..self }
    }

    const fn link(self, of: &'static str, link: &'static str) -> Self {
        Self { parent: Parent::Link { of, link }, ..self }
    }

    const fn each(self, parameter: &'static str, words: &'static [&'static str]) -> Self {
        Self { parent: Parent::Each(parameter, words), ..self }
    }

    const fn named(self, key: &'static str) -> Self {
        Self { shape: Shape::Named(key), ..self }
    }

    const fn one(self) -> Self {
        Self { shape: Shape::One, ..self }
    }

    const fn id(self, key: &'static str) -> Self {
        Self { id_key: key, ..self }
    }

    const fn page(self, size: u32) -> Self {
        Self { page: Some(Page { size, least: LEAST }), ..self }
    }

    const fn query(self, query: &'static [(&'static str, &'static str)]) -> Self {
        Self { query, ..self }
    }

    const fn changes(self, parameter: &'static str, expression: &'static str) -> Self {
        Self { incremental: Some(Incremental { parameter, expression }), ..self }
    }

    const fn role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    const fn identity_engine(self) -> Self {
        Self { needs: Needs::IdentityEngine, ..self }
    }

    const fn grain(self, grain: Grain) -> Self {
        Self { grain, ..self }
    }

    /// `{path}/{id}` gives one object.
    const fn single(self) -> Self {
        Self { single: true, ..self }
    }

    const fn on_request(self, why: &'static str) -> Self {
        Self { managed: Managed::OnRequest(why), ..self }
    }
}

const USERS: &[&str] = &["okta.users.read"];
const GROUPS: &[&str] = &["okta.groups.read"];
const APPS: &[&str] = &["okta.apps.read"];
const DEVICES: &[&str] = &["okta.devices.read"];
const AUTHENTICATORS: &[&str] = &["okta.authenticators.read"];
const ROLES: &[&str] = &["okta.roles.read"];
const IDPS: &[&str] = &["okta.idps.read"];
const POLICIES: &[&str] = &["okta.policies.read"];
const SERVERS: &[&str] = &["okta.authorizationServers.read"];
const BRANDS: &[&str] = &["okta.brands.read"];
const ORGS: &[&str] = &["okta.orgs.read"];
const CAPTCHAS: &[&str] = &["okta.captchas.read"];
const INLINE_HOOKS: &[&str] = &["okta.inlineHooks.read"];

/// Policies are listed by their type only. Those of Classic come first, as every org has them.
const POLICY_TYPES: &[&str] = &[
    "OKTA_SIGN_ON",
    "PASSWORD",
    "MFA_ENROLL",
    "IDP_DISCOVERY",
    "ACCESS_POLICY",
    "PROFILE_ENROLLMENT",
    "ENTITY_RISK",
    "POST_AUTH_SESSION",
    "SESSION_VIOLATION_DETECTION",
    "CLIENT_UPDATE",
    "DEVICE_SIGNAL_COLLECTION",
    "IDENTITY_CLAIM_SOURCING",
];

/// The plain list leaves out who is deprovisioned, a search does not. It is not sorted: by itself it goes by id, so that
/// nobody moves to another page while pages are read, and Okta has cut sorted searches off after 50,000 users.
const ALL_USERS: &[(&str, &str)] = &[("search", "status pr")];

const A_CALL_PER_APP: &str = "one more call for each app, in the scarcest of Okta's rate limits";
const A_CALL_PER_USER: &str = "one more call for each user";

/// Every collection, parents before their children.
#[rustfmt::skip]
pub static COLLECTIONS: &[Collection] = &[
    // People.
    list("user_types", "/api/v1/meta/types/user", "user_type", &["okta.userTypes.read"]).single(),
    list("user_schemas", "/api/v1/meta/schemas/user/{}", "user_type.schema", &["okta.schemas.read"]).link("user_types", "schema").one(),
    list("linked_objects", "/api/v1/meta/schemas/user/linkedObjects", "linked_object", &["okta.linkedObjects.read"]).grain(Grain::Page),
    Collection { without_credentials: true, ..list("users", "/api/v1/users", "user.core", USERS) }.page(200).query(ALL_USERS)
        .changes("search", "lastUpdated ge \"{}\"").single(),
    Collection { audit: true, ..list("user_factors", "/api/v1/users/{}/factors", "user.factors", USERS) }.of("users").grain(Grain::Page).single(),
    Collection { audit: true, ..list("user_authenticator_enrollments", "/api/v1/users/{}/authenticator-enrollments", "user.enrollments", USERS) }
        .of("users").grain(Grain::Page).single().identity_engine().on_request("one more call for each user, beside that for factors"),
    Collection { audit: true, ..list("user_webauthn_enrollments", "/webauthn-registration/api/v1/users/{}/enrollments", "user.webauthn", USERS) }
        .of("users").grain(Grain::Page).identity_engine().on_request("one more call for each user, for keys that are handed out but not in use yet"),
    list("user_groups", "/api/v1/users/{}/groups", "user.groups", USERS).of("users").grain(Grain::Ids)
        .on_request("the members of the groups say the same in fewer calls"),
    list("user_app_links", "/api/v1/users/{}/appLinks", "user.apps", USERS).of("users").grain(Grain::Page)
        .on_request("the users of the apps say the same in fewer calls"),
    list("user_devices", "/api/v1/users/{}/devices", "user.devices", USERS).of("users").id("deviceUserId").grain(Grain::Page).identity_engine()
        .on_request("the devices are listed with their users"),
    list("yubikey_tokens", "/api/v1/org/factors/yubikey_token/tokens", "yubikey_token", USERS).page(200).single(),
    // Groups. Larger pages of them time out; members are one call where they fit into a page.
    list("groups", "/api/v1/groups", "group.core", GROUPS).page(200)
        .changes("filter", "lastUpdated ge \"{}\" or lastMembershipUpdated ge \"{}\"").single(),
    list("group_members", "/api/v1/groups/{}/users", "group.members", GROUPS).of("groups").page(1000).grain(Grain::Ids),
    list("group_owners", "/api/v1/groups/{}/owners", "group.owners", GROUPS).of("groups").page(1000).grain(Grain::Page)
        .on_request("one more call for each group, and only Identity Governance knows owners"),
    list("group_rules", "/api/v1/groups/rules", "group_rule", GROUPS).page(200).single(),
    // Apps. Without the parameter those that are switched off are left out.
    list("apps", "/api/v1/apps", "app.core", APPS).page(200).query(&[("includeNonDeleted", "true")]).single(),
    list("app_users", "/api/v1/apps/{}/users", "app.users", APPS).of("apps").page(500).grain(Grain::Page).single(),
    list("app_groups", "/api/v1/apps/{}/groups", "app.groups", APPS).of("apps").page(200).grain(Grain::Page).single(),
    list("app_features", "/api/v1/apps/{}/features", "app.features", APPS).of("apps").id("name").single().on_request(A_CALL_PER_APP),
    list("app_keys", "/api/v1/apps/{}/credentials/keys", "app.keys", APPS).of("apps").id("kid").single().on_request(A_CALL_PER_APP),
    list("app_jwks", "/api/v1/apps/{}/credentials/jwks", "app.jwks", APPS).of("apps").single().on_request(A_CALL_PER_APP),
    list("app_grants", "/api/v1/apps/{}/grants", "app.grants", &["okta.appGrants.read"]).of("apps").single().on_request(A_CALL_PER_APP),
    list("app_tokens", "/api/v1/apps/{}/tokens", "app.tokens", APPS).of("apps").page(200).single().on_request(A_CALL_PER_APP),
    list("app_federated_claims", "/api/v1/apps/{}/federated-claims", "app.claims", APPS).of("apps").single().on_request(A_CALL_PER_APP),
    list("app_group_push_mappings", "/api/v1/apps/{}/group-push/mappings", "app.push", &["okta.apps.read", "okta.groups.read"])
        .of("apps").page(1000).single().on_request(A_CALL_PER_APP),
    // Devices and authenticators.
    list("devices", "/api/v1/devices", "device", DEVICES).page(200).query(&[("expand", "userSummary")])
        .changes("search", "lastUpdated ge \"{}\"").single().identity_engine(),
    list("device_users", "/api/v1/devices/{}/users", "device.users", DEVICES).of("devices").grain(Grain::Page).identity_engine()
        .on_request("the devices are listed with their users"),
    list("device_assurances", "/api/v1/device-assurances", "device_assurance", &["okta.deviceAssurance.read"]).single().identity_engine(),
    list("device_posture_checks", "/api/v1/device-posture-checks", "device_posture_check", &["okta.devicePostureChecks.read"]).single().identity_engine(),
    list("device_integrations", "/api/v1/device-integrations", "device_integration", &["okta.deviceIntegrations.read"]).single().identity_engine(),
    list("authenticators", "/api/v1/authenticators", "authenticator", AUTHENTICATORS).single().identity_engine(),
    list("authenticator_methods", "/api/v1/authenticators/{}/methods", "authenticator.methods", AUTHENTICATORS).of("authenticators").id("type").single()
        .identity_engine(),
    // Administrators. Only users can be listed by their having a role.
    list("admin_users", "/api/v1/iam/assignees/users", "admin", ROLES).named("value").page(100).role(Role::Iam),
    list("role_assignments", "/api/v1/users/{}/roles", "user.roles", ROLES).of("admin_users").query(&[("expand", "targets/groups")])
        .grain(Grain::Page).single().role(Role::Iam),
    list("role_targets", "/api/v1/users/{}/roles/{}/targets", "user.role_targets", ROLES).of("role_assignments").id("orn").page(200)
        .grain(Grain::Page).role(Role::Iam).on_request("one more call for each role of a user; groups as targets come with the roles"),
    list("group_roles", "/api/v1/groups/{}/roles", "group.roles", ROLES).of("groups").grain(Grain::Page).single().role(Role::Iam)
        .on_request("one more call for each group; the roles of a member say which group they come from"),
    list("oauth_clients", "/oauth2/v1/clients", "client", &["okta.clients.read"]).id("client_id").page(200).single(),
    list("client_roles", "/oauth2/v1/clients/{}/roles", "client.roles", ROLES).of("oauth_clients").grain(Grain::Page).single().role(Role::Iam),
    list("custom_roles", "/api/v1/iam/roles", "role", ROLES).named("roles").single().role(Role::Iam),
    list("custom_role_permissions", "/api/v1/iam/roles/{}/permissions", "role.permissions", ROLES).of("custom_roles").named("permissions").id("label")
        .single().role(Role::Iam),
    list("resource_sets", "/api/v1/iam/resource-sets", "resource_set", ROLES).named("resource-sets").single().role(Role::Iam),
    list("resource_set_resources", "/api/v1/iam/resource-sets/{}/resources", "resource_set.resources", ROLES).of("resource_sets").named("resources")
        .page(100).single().role(Role::Iam),
    list("resource_set_bindings", "/api/v1/iam/resource-sets/{}/bindings", "resource_set.bindings", ROLES).of("resource_sets").named("roles")
        .single().role(Role::Iam),
    list("resource_set_members", "/api/v1/iam/resource-sets/{}/bindings/{}/members", "resource_set.members", ROLES).of("resource_set_bindings")
        .named("members").single().role(Role::Iam),
    list("governance_bundles", "/api/v1/iam/governance/bundles", "governance_bundle", ROLES).named("bundles").page(200).single().role(Role::Iam),
    // Other keys to the org.
    list("api_tokens", "/api/v1/api-tokens", "api_token", &["okta.apiTokens.read"]).single(),
    list("api_services", "/integrations/api/v1/api-services", "api_service", &["okta.oauthIntegrations.read"]).single(),
    list("service_accounts", "/privileged-access/api/v1/service-accounts", "service_account", &["okta.serviceAccounts.read"]).page(200).single(),
    list("okta_service_accounts", "/privileged-access/api/v1/okta-service-accounts", "okta_service_account", &["okta.serviceAccounts.okta.read"])
        .page(200).single(),
    list("principal_rate_limits", "/api/v1/principal-rate-limits", "principal_rate_limit", &["okta.principalRateLimits.read"])
        .each("filter", &["principalType eq \"OAUTH_CLIENT\"", "principalType eq \"SSWS_TOKEN\""]).page(50).single(),
    // How people and apps come in.
    list("idps", "/api/v1/idps", "idp", IDPS).page(200).single(),
    list("idp_keys", "/api/v1/idps/credentials/keys", "idp_key", IDPS).id("kid").page(200).single(),
    list("idp_users", "/api/v1/idps/{}/users", "idp.users", IDPS).of("idps").page(200).grain(Grain::Page).single()
        .on_request("a list as long as that of the users for each identity provider that they come from"),
    list("policies", "/api/v1/policies", "policy", POLICIES).each("type", POLICY_TYPES).single(),
    list("policy_rules", "/api/v1/policies/{}/rules", "policy.rules", POLICIES).of("policies").single(),
    list("policy_mappings", "/api/v1/policies/{}/mappings", "policy.mappings", POLICIES).of("policies").single()
        .on_request("the links of the apps say the same"),
    list("zones", "/api/v1/zones", "zone", &["okta.networkZones.read"]).single(),
    list("behaviors", "/api/v1/behaviors", "behavior", &["okta.behaviors.read"]).single(),
    list("threat_insight", "/api/v1/threats/configuration", "threat_insight", &["okta.threatInsights.read"]).one(),
    list("bot_protection", "/api/v1/bot-protection/configuration", "bot_protection", &["okta.botProtection.read"]).one(),
    list("user_lockout_settings", "/attack-protection/api/v1/user-lockout-settings", "user_lockout", ORGS).one(),
    list("authenticator_settings", "/attack-protection/api/v1/authenticator-settings", "authenticator_settings", ORGS).one().identity_engine(),
    list("captchas", "/api/v1/captchas", "captcha", CAPTCHAS).single().identity_engine(),
    list("captcha_settings", "/api/v1/org/captcha", "captcha_settings", CAPTCHAS).one().identity_engine(),
    list("authorization_servers", "/api/v1/authorizationServers", "authorization_server", SERVERS).page(200).single(),
    list("authorization_server_policies", "/api/v1/authorizationServers/{}/policies", "authorization_server.policies", SERVERS)
        .of("authorization_servers").single(),
    list("authorization_server_policy_rules", "/api/v1/authorizationServers/{}/policies/{}/rules", "authorization_server.rules", SERVERS)
        .of("authorization_server_policies").single(),
    list("authorization_server_scopes", "/api/v1/authorizationServers/{}/scopes", "authorization_server.scopes", SERVERS)
        .of("authorization_servers").page(200).single(),
    list("authorization_server_claims", "/api/v1/authorizationServers/{}/claims", "authorization_server.claims", SERVERS)
        .of("authorization_servers").single(),
    list("authorization_server_clients", "/api/v1/authorizationServers/{}/clients", "authorization_server.clients", SERVERS)
        .of("authorization_servers").id("client_id").grain(Grain::Page),
    list("trusted_origins", "/api/v1/trustedOrigins", "trusted_origin", &["okta.trustedOrigins.read"]).page(200).single(),
    // Where data leaves the org.
    list("event_hooks", "/api/v1/eventHooks", "event_hook", &["okta.eventHooks.read"]).single(),
    list("inline_hooks", "/api/v1/inlineHooks", "inline_hook", INLINE_HOOKS).single(),
    list("hook_keys", "/api/v1/hook-keys", "hook_key", INLINE_HOOKS).single(),
    list("log_streams", "/api/v1/logStreams", "log_stream", &["okta.logStreams.read"]).page(200).single().role(Role::Super),
    // The org itself.
    list("org_settings", "/api/v1/org", "org", ORGS).one(),
    list("org_contacts", "/api/v1/org/contacts", "org.contacts", ORGS).id("contactType"),
    list("org_preferences", "/api/v1/org/preferences", "org.preferences", ORGS).one(),
    list("features", "/api/v1/features", "feature", &["okta.features.read"]).single(),
    list("brands", "/api/v1/brands", "brand", BRANDS).page(200).single(),
    list("themes", "/api/v1/brands/{}/themes", "brand.themes", BRANDS).of("brands").single(),
    list("domains", "/api/v1/domains", "domain", &["okta.domains.read"]).named("domains").single(),
    list("email_domains", "/api/v1/email-domains", "email_domain", &["okta.emailDomains.read"]).single(),
    list("email_servers", "/api/v1/email-servers", "email_server", &["okta.emailServers.read"]).named("email-servers").single().identity_engine(),
    list("sms_templates", "/api/v1/templates/sms", "sms_template", &["okta.templates.read"]).single(),
    list("profile_mappings", "/api/v1/mappings", "profile_mapping", &["okta.profileMappings.read"]).page(200).single(),
    list("realms", "/api/v1/realms", "realm", &["okta.realms.read"]).page(200).single(),
    list("realm_assignments", "/api/v1/realm-assignments", "realm_assignment", &["okta.realmAssignments.read"]).page(200).single(),
    list("agent_pools", "/api/v1/agentPools", "agent_pool", &["okta.agentPools.read"]),
    list("security_events_providers", "/api/v1/security-events-providers", "security_events_provider", &["okta.securityEventsProviders.read"])
        .single().identity_engine(),
    list("push_providers", "/api/v1/push-providers", "push_provider", &["okta.pushProviders.read"]).single(),
];

/// Collections that can be mapped when they are handed in, and that nothing here reads, and why.
pub static NOT_COLLECTED: &[(&str, &str)] = &[
    ("user_linked_idps", A_CALL_PER_USER),
    ("user_clients", A_CALL_PER_USER),
    ("identity_sources", "the API has no list of them; each is an app"),
    ("risk_providers", "the API has them no more; security events providers took their place"),
];
