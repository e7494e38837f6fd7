//! The table of collections: where each is, what it takes to read it, how it is paged, where it comes from.

use serde_json::{Value, json};

use crate::inventory::ask::{Answer, Ask};
use crate::inventory::page::{Page, Paging};
use crate::inventory::shapes::{self, CUSTOM_PERMISSIONS, RULES_PER_POLICY};
use crate::problem::Problem;
use crate::world::people::derived_times;
use crate::world::relations::Relation;
use crate::world::seed::Kind;
use crate::world::stamp;

/// What an administrator must be to read it, beyond holding the scope.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Any administrator who may look.
    Look,
    /// Super administrators, and custom roles with `okta.iam.read`.
    Iam,
    /// Super administrators only.
    Super,
}

pub struct Collection {
    /// `{}` stands for one segment.
    pub path: &'static str,
    pub scope: &'static str,
    pub right: Right,
    /// Only Identity Engine has it.
    pub oie: bool,
    pub paging: Paging,
    pub answer: fn(&Ask<'_>) -> Answer,
}

const fn row(path: &'static str, scope: &'static str, paging: Paging, answer: fn(&Ask<'_>) -> Answer) -> Collection {
    Collection { path, scope, right: Right::Look, oie: false, paging, answer }
}

impl Collection {
    const fn iam(self) -> Self {
        Self { right: Right::Iam, ..self }
    }

    const fn super_only(self) -> Self {
        Self { right: Right::Super, ..self }
    }

    const fn oie(self) -> Self {
        Self { oie: true, ..self }
    }

    /// The variable parts, if the path is this collection's.
    pub fn matches<'a>(&self, path: &'a str) -> Option<Vec<&'a str>> {
        let mut ids = Vec::new();
        let mut segments = path.split('/');
        for pattern in self.path.split('/') {
            let segment = segments.next()?;
            if pattern == "{}" && !segment.is_empty() {
                ids.push(segment);
            } else if pattern != segment {
                return None;
            }
        }
        segments.next().is_none().then_some(ids)
    }
}

/// The collection at a path: literal segments win over variable ones because they come first in the table.
pub fn find(path: &str) -> Option<(&'static Collection, Vec<&str>)> {
    COLLECTIONS.iter().find_map(|collection| Some((collection, collection.matches(path)?)))
}

const fn link(default: usize, most: usize) -> Paging {
    Paging::Link { default, most }
}

const fn body(member: &'static str) -> Paging {
    Paging::Body { member, default: 100 }
}

const ALL: Paging = link(10_000, 10_000);

#[rustfmt::skip]
pub const COLLECTIONS: &[Collection] = &[
    // People.
    row("/api/v1/users", "okta.users.read", link(200, 200), |a| a.users()),
    row("/api/v1/users/{}", "okta.users.read", Paging::One, |a| a.one(0, Kind::User)),
    row("/api/v1/users/{}/groups", "okta.users.read", ALL, |a| a.lefts(Relation::Members, Kind::Group, a.index(0, Kind::User)?, |group| group)),
    row("/api/v1/users/{}/factors", "okta.users.read", Paging::Whole, |a| a.items(Kind::UserFactors, a.index(0, Kind::User)?)),
    row("/api/v1/users/{}/authenticator-enrollments", "okta.users.read", Paging::Whole, enrollments).oie(),
    row("/webauthn-registration/api/v1/users/{}/enrollments", "okta.users.read", Paging::Whole, |a| a.index(0, Kind::User).map(|_| Page::whole(Vec::new()))).oie(),
    row("/api/v1/users/{}/roles", "okta.roles.read", Paging::Whole, |a| a.items(Kind::UserRoles, a.index(0, Kind::User)?)).iam(),
    row("/api/v1/users/{}/roles/{}/targets", "okta.roles.read", link(20, 200), |a| a.index(0, Kind::User).map(|_| Page::whole(Vec::new()))).iam(),
    row("/api/v1/users/{}/devices", "okta.users.read", Paging::Whole, |a| Ok(Page::whole(a.user_devices(a.index(0, Kind::User)?)))).oie(),
    row("/api/v1/users/{}/appLinks", "okta.users.read", Paging::Whole, app_links),
    row("/api/v1/users/{}/linkedObjects/{}", "okta.users.read", Paging::Whole, linked_objects),
    row("/api/v1/meta/types/user", "okta.userTypes.read", Paging::Whole, |a| a.all(Kind::UserType)),
    row("/api/v1/meta/types/user/{}", "okta.userTypes.read", Paging::One, |a| a.one(0, Kind::UserType)),
    row("/api/v1/meta/schemas/user/linkedObjects", "okta.linkedObjects.read", Paging::Whole, |a| a.all(Kind::LinkedObject)),
    row("/api/v1/meta/schemas/user/default", "okta.schemas.read", Paging::One, |a| a.range(Kind::UserSchema, 0, 1)),
    row("/api/v1/meta/schemas/user/{}", "okta.schemas.read", Paging::One, |a| a.one(0, Kind::UserSchema)),
    // Groups.
    row("/api/v1/groups", "okta.groups.read", ALL, |a| a.groups()),
    row("/api/v1/groups/rules", "okta.groups.read", link(50, 200), |a| a.all(Kind::GroupRule)),
    row("/api/v1/groups/rules/{}", "okta.groups.read", Paging::One, |a| a.one(0, Kind::GroupRule)),
    row("/api/v1/groups/{}", "okta.groups.read", Paging::One, |a| a.one(0, Kind::Group)),
    row("/api/v1/groups/{}/users", "okta.groups.read", link(1000, 1000), |a| a.linked(Relation::Members, a.index(0, Kind::Group)?, |user, _| a.world.text(Kind::User, user, None))),
    row("/api/v1/groups/{}/apps", "okta.groups.read", link(20, 200), |a| a.lefts(Relation::AppGroups, Kind::App, a.index(0, Kind::Group)?, |app| app)),
    row("/api/v1/groups/{}/owners", "okta.groups.read", link(1000, 1000), |a| a.items(Kind::GroupOwners, a.index(0, Kind::Group)?)),
    row("/api/v1/groups/{}/roles", "okta.roles.read", Paging::Whole, |a| a.items(Kind::GroupRoles, a.index(0, Kind::Group)?)).iam(),
    // Applications.
    row("/api/v1/apps", "okta.apps.read", link(20, 200), apps),
    row("/api/v1/apps/{}", "okta.apps.read", Paging::One, |a| a.one(0, Kind::App)),
    row("/api/v1/apps/{}/users", "okta.apps.read", link(50, 500), app_users),
    row("/api/v1/apps/{}/users/{}", "okta.apps.read", Paging::One, one_app_user),
    row("/api/v1/apps/{}/groups", "okta.apps.read", link(20, 200), app_groups),
    row("/api/v1/apps/{}/features", "okta.apps.read", Paging::Whole, |a| a.index(0, Kind::App).map(|_| Page::whole(Vec::new()))),
    row("/api/v1/apps/{}/credentials/keys", "okta.apps.read", Paging::Whole, |a| a.index(0, Kind::App).map(|_| Page::whole(Vec::new()))),
    row("/api/v1/apps/{}/credentials/jwks", "okta.apps.read", Paging::Whole, |a| a.index(0, Kind::App).map(|_| Page::whole(Vec::new()))),
    row("/api/v1/apps/{}/tokens", "okta.apps.read", link(20, 200), |a| a.index(0, Kind::App).map(|_| Page::whole(Vec::new()))),
    row("/api/v1/apps/{}/federated-claims", "okta.apps.read", Paging::Whole, |a| a.index(0, Kind::App).map(|_| Page::whole(Vec::new()))),
    row("/api/v1/apps/{}/grants", "okta.appGrants.read", Paging::Whole, |a| a.index(0, Kind::App).map(|_| Page::whole(Vec::new()))),
    row("/api/v1/apps/{}/group-push/mappings", "okta.apps.read", link(100, 1000), |a| a.range(Kind::PushMapping, a.index(0, Kind::App)?, 1)),
    row("/oauth2/v1/clients/{}/roles", "okta.roles.read", Paging::Whole, |a| a.items(Kind::ClientRoles, a.index(0, Kind::Service)?)).iam(),
    row("/oauth2/v1/clients", "okta.clients.read", link(50, 200), |a| a.all(Kind::Service)),
    // Devices and authenticators.
    row("/api/v1/devices", "okta.devices.read", link(200, 200), |a| a.devices()).oie(),
    row("/api/v1/devices/{}", "okta.devices.read", Paging::One, |a| a.one(0, Kind::Device)).oie(),
    row("/api/v1/devices/{}/users", "okta.devices.read", Paging::Whole, |a| Ok(Page::whole(a.device_users(a.index(0, Kind::Device)?, false)))).oie(),
    row("/api/v1/authenticators", "okta.authenticators.read", Paging::Whole, |a| a.all(Kind::Authenticator)).oie(),
    row("/api/v1/authenticators/{}", "okta.authenticators.read", Paging::One, |a| a.one(0, Kind::Authenticator)).oie(),
    row("/api/v1/authenticators/{}/methods", "okta.authenticators.read", Paging::Whole, methods).oie(),
    row("/api/v1/org/factors/yubikey_token/tokens", "okta.users.read", link(20, 200), |_| Ok(Page::whole(Vec::new()))),
    row("/api/v1/device-assurances", "okta.deviceAssurance.read", Paging::Whole, |a| a.all(Kind::DeviceAssurance)).oie(),
    row("/api/v1/device-assurances/{}", "okta.deviceAssurance.read", Paging::One, |a| a.one(0, Kind::DeviceAssurance)).oie(),
    row("/api/v1/device-posture-checks", "okta.devicePostureChecks.read", Paging::Whole, |_| Ok(Page::whole(Vec::new()))).oie(),
    row("/api/v1/device-integrations", "okta.deviceIntegrations.read", Paging::Whole, |_| Ok(Page::whole(Vec::new()))).oie(),
    // Administrators.
    row("/api/v1/iam/assignees/users", "okta.roles.read", body("value"), |a| a.admins()).iam(),
    row("/api/v1/iam/roles", "okta.roles.read", body("roles"), |a| a.all(Kind::CustomRole)).iam(),
    row("/api/v1/iam/roles/{}", "okta.roles.read", Paging::One, |a| a.one(0, Kind::CustomRole)).iam(),
    row("/api/v1/iam/roles/{}/permissions", "okta.roles.read", Paging::WholeIn("permissions"), permissions).iam(),
    row("/api/v1/iam/resource-sets", "okta.roles.read", body("resource-sets"), |a| a.all(Kind::ResourceSet)).iam(),
    row("/api/v1/iam/resource-sets/{}", "okta.roles.read", Paging::One, |a| a.one(0, Kind::ResourceSet)).iam(),
    row("/api/v1/iam/resource-sets/{}/resources", "okta.roles.read", body("resources"), |a| a.range(Kind::Resource, a.index(0, Kind::ResourceSet)? * 3, 3)).iam(),
    row("/api/v1/iam/resource-sets/{}/bindings", "okta.roles.read", body("roles"), bindings).iam(),
    row("/api/v1/iam/resource-sets/{}/bindings/{}/members", "okta.roles.read", body("members"), binding_members).iam(),
    row("/api/v1/iam/governance/bundles", "okta.roles.read", body("bundles"), |_| Err(Problem::feature_off())).iam(),
    row("/api/v1/api-tokens", "okta.apiTokens.read", Paging::Whole, |a| a.all(Kind::ApiToken)),
    row("/api/v1/api-tokens/{}", "okta.apiTokens.read", Paging::One, |a| a.one(0, Kind::ApiToken)),
    row("/integrations/api/v1/api-services", "okta.oauthIntegrations.read", link(50, 200), |a| a.all(Kind::Integration)),
    row("/api/v1/principal-rate-limits", "okta.principalRateLimits.read", link(20, 50), |a| a.principal_limits()),
    row("/api/v1/principal-rate-limits/{}", "okta.principalRateLimits.read", Paging::One, |a| a.principal_limit()),
    row("/privileged-access/api/v1/service-accounts", "okta.serviceAccounts.read", link(20, 200), |_| Err(Problem::feature_off())),
    row("/privileged-access/api/v1/okta-service-accounts", "okta.serviceAccounts.okta.read", link(20, 200), |_| Err(Problem::feature_off())),
    // The org's guard and its rules.
    row("/api/v1/policies", "okta.policies.read", ALL, |a| a.policies()),
    row("/api/v1/policies/{}", "okta.policies.read", Paging::One, |a| a.one(0, Kind::Policy)),
    row("/api/v1/policies/{}/rules", "okta.policies.read", ALL, policy_rules),
    row("/api/v1/policies/{}/rules/{}", "okta.policies.read", Paging::One, |a| a.one(1, Kind::PolicyRule)),
    row("/api/v1/policies/{}/mappings", "okta.policies.read", Paging::Whole, |a| a.index(0, Kind::Policy).map(|_| Page::whole(Vec::new()))),
    row("/api/v1/zones", "okta.networkZones.read", link(1000, 1000), |a| a.all(Kind::Zone)),
    row("/api/v1/zones/{}", "okta.networkZones.read", Paging::One, |a| a.one(0, Kind::Zone)),
    row("/api/v1/behaviors", "okta.behaviors.read", Paging::Whole, |a| a.all(Kind::Behavior)),
    row("/api/v1/behaviors/{}", "okta.behaviors.read", Paging::One, |a| a.one(0, Kind::Behavior)),
    row("/api/v1/threats/configuration", "okta.threatInsights.read", Paging::One, |a| a.range(Kind::ThreatInsight, 0, 1)),
    row("/api/v1/bot-protection/configuration", "okta.botProtection.read", Paging::One, |_| Err(Problem::feature_off())),
    row("/api/v1/idps", "okta.idps.read", link(20, 200), |a| a.all(Kind::Idp)),
    row("/api/v1/idps/credentials/keys", "okta.idps.read", link(20, 200), |_| Ok(Page::whole(Vec::new()))),
    row("/api/v1/idps/{}", "okta.idps.read", Paging::One, |a| a.one(0, Kind::Idp)),
    row("/api/v1/idps/{}/users", "okta.idps.read", link(20, 200), |a| a.index(0, Kind::Idp).map(|_| Page::whole(Vec::new()))),
    row("/api/v1/authorizationServers", "okta.authorizationServers.read", link(200, 200), |a| a.all(Kind::AuthServer)),
    row("/api/v1/authorizationServers/{}", "okta.authorizationServers.read", Paging::One, |a| a.one(0, Kind::AuthServer)),
    row("/api/v1/authorizationServers/{}/scopes", "okta.authorizationServers.read", link(200, 200), |a| a.range(Kind::AuthScope, a.index(0, Kind::AuthServer)? * 4, 4)),
    row("/api/v1/authorizationServers/{}/claims", "okta.authorizationServers.read", Paging::Whole, |a| a.range(Kind::AuthClaim, a.index(0, Kind::AuthServer)? * 4, 4)),
    row("/api/v1/authorizationServers/{}/policies", "okta.authorizationServers.read", Paging::Whole, |a| a.range(Kind::AuthPolicy, a.index(0, Kind::AuthServer)?, 1)),
    row("/api/v1/authorizationServers/{}/policies/{}/rules", "okta.authorizationServers.read", Paging::Whole, |a| a.range(Kind::AuthPolicyRule, a.index(1, Kind::AuthPolicy)? * 2, 2)),
    row("/api/v1/authorizationServers/{}/clients", "okta.authorizationServers.read", Paging::Whole, |a| a.index(0, Kind::AuthServer).and_then(|_| a.all(Kind::Service))),
    // The org's settings.
    row("/api/v1/eventHooks", "okta.eventHooks.read", Paging::Whole, |a| a.all(Kind::EventHook)),
    row("/api/v1/inlineHooks", "okta.inlineHooks.read", Paging::Whole, |a| a.all(Kind::InlineHook)),
    row("/api/v1/hook-keys", "okta.inlineHooks.read", Paging::Whole, |_| Ok(Page::whole(Vec::new()))),
    row("/api/v1/logStreams", "okta.logStreams.read", link(20, 200), log_streams).super_only(),
    row("/api/v1/trustedOrigins", "okta.trustedOrigins.read", link(20, 200), |a| a.all(Kind::TrustedOrigin)),
    row("/api/v1/trustedOrigins/{}", "okta.trustedOrigins.read", Paging::One, |a| a.one(0, Kind::TrustedOrigin)),
    row("/api/v1/brands", "okta.brands.read", link(20, 200), |a| a.all(Kind::Brand)),
    row("/api/v1/brands/{}/themes", "okta.brands.read", Paging::Whole, |a| a.index(0, Kind::Brand).map(|_| Page::whole(Vec::new()))),
    row("/api/v1/domains", "okta.domains.read", Paging::WholeIn("domains"), |a| a.all(Kind::Domain)),
    row("/api/v1/email-domains", "okta.emailDomains.read", Paging::Whole, |a| a.all(Kind::EmailDomain)),
    row("/api/v1/email-servers", "okta.emailServers.read", Paging::WholeIn("email-servers"), |_| Ok(Page::whole(Vec::new()))),
    row("/api/v1/templates/sms", "okta.templates.read", Paging::Whole, |_| Ok(Page::whole(Vec::new()))),
    row("/api/v1/features", "okta.features.read", Paging::Whole, |a| a.all(Kind::Feature)),
    row("/api/v1/org", "okta.orgs.read", Paging::One, |a| a.range(Kind::Org, 0, 1)),
    row("/api/v1/org/contacts", "okta.orgs.read", Paging::Whole, |_| Ok(Page::whole(vec![json!({ "contactType": "TECHNICAL", "_links": { "technical": { "href": "{base}/api/v1/org/contacts/technical" } } })]))),
    row("/api/v1/org/preferences", "okta.orgs.read", Paging::One, |_| Ok(Page::one(json!({ "showEndUserFooter": true })))),
    row("/api/v1/org/captcha", "okta.captchas.read", Paging::One, |_| Ok(Page::one(json!({ "captchaId": null, "enabledPages": null })))).oie(),
    row("/api/v1/captchas", "okta.captchas.read", Paging::Whole, |_| Ok(Page::whole(Vec::new()))).oie(),
    row("/attack-protection/api/v1/user-lockout-settings", "okta.orgs.read", Paging::One, |_| Ok(Page::one(json!({ "preventBruteForceLockoutFromUnknownDevices": true })))),
    row("/attack-protection/api/v1/authenticator-settings", "okta.orgs.read", Paging::One, |_| Ok(Page::one(json!({ "verifyKnowledgeSecondWhen2faRequired": false })))),
    row("/api/v1/mappings", "okta.profileMappings.read", link(20, 200), |a| a.all(Kind::Mapping)),
    row("/api/v1/mappings/{}", "okta.profileMappings.read", Paging::One, |a| a.one(0, Kind::Mapping)),
    row("/api/v1/realms", "okta.realms.read", link(200, 200), |a| a.all(Kind::Realm)).oie(),
    row("/api/v1/realm-assignments", "okta.realmAssignments.read", link(20, 200), |a| a.all(Kind::RealmAssignment)).oie(),
    row("/api/v1/agentPools", "okta.agentPools.read", link(20, 200), |a| a.all(Kind::Agent)),
    row("/api/v1/security-events-providers", "okta.securityEventsProviders.read", Paging::Whole, |_| Ok(Page::whole(Vec::new()))).oie(),
    row("/api/v1/push-providers", "okta.pushProviders.read", Paging::Whole, |_| Ok(Page::whole(Vec::new()))).oie(),
];

fn apps(ask: &Ask<'_>) -> Answer {
    let filter =
        ask.param("filter").map(crate::inventory::filter::Filter::parse).transpose().map_err(Problem::filter)?;
    let known = |name: &str, _| ["id", "status", "name"].contains(&name);
    if filter.as_ref().is_some_and(|filter| !filter.uses_only(&known)) {
        return Err(Problem::filter("applications can be filtered by id, status and name only"));
    }
    let text = |app: &Value, name: &str| {
        app[name].as_str().map_or(crate::inventory::filter::Found::Nothing, |text| {
            crate::inventory::filter::Found::Text(text.to_owned())
        })
    };
    ask.some(Kind::App, |app| filter.as_ref().is_none_or(|filter| filter.holds(&mut |name| text(app, name))))
}

fn app_users(ask: &Ask<'_>) -> Answer {
    let app = ask.index(0, Kind::App)?;
    ask.linked(Relation::AppUsers, app, |user, since| {
        ask.app_user(app, user, since).map(|assigned| assigned.to_string())
    })
}

fn one_app_user(ask: &Ask<'_>) -> Answer {
    let (app, user) = (ask.index(0, Kind::App)?, ask.index(1, Kind::User)?);
    let link = ask.world.linked(Relation::AppUsers, app, user, None);
    let found = link.and_then(|link| ask.app_user(app, user, link.since));
    found.map(Page::one).ok_or_else(|| Problem::not_found("AppUser"))
}

fn app_groups(ask: &Ask<'_>) -> Answer {
    let app = ask.index(0, Kind::App)?;
    let app_id = ask.world.id(Kind::App, app);
    ask.linked(Relation::AppGroups, app, |group, since| {
        let since = since.unwrap_or_else(|| derived_times(&ask.world.seed, Kind::Group, group).0);
        let id = ask.world.id(Kind::Group, group);
        let assigned = json!({
            "id": id, "priority": 0, "lastUpdated": stamp(since), "profile": {},
            "_links": {
                "app": { "href": format!("{{base}}/api/v1/apps/{app_id}") },
                "self": { "href": format!("{{base}}/api/v1/apps/{app_id}/groups/{id}") },
                "group": { "href": format!("{{base}}/api/v1/groups/{id}") },
            },
        });
        Some(assigned.to_string())
    })
}

fn app_links(ask: &Ask<'_>) -> Answer {
    let link = |app: Value| {
        json!({
            "id": app["id"], "label": app["label"], "appName": app["name"], "appInstanceId": app["id"], "hidden": false,
            "linkUrl": format!("{{base}}/home/{}", app["name"].as_str().unwrap_or_default()),
        })
    };
    ask.lefts(Relation::AppUsers, Kind::App, ask.index(0, Kind::User)?, link)
}

fn linked_objects(ask: &Ask<'_>) -> Answer {
    let user = ask.index(0, Kind::User)?;
    match ask.ids.get(1).copied() {
        Some("manager") => {
            let manager = format!("{{base}}/api/v1/users/{}", ask.world.id(Kind::User, user / 10));
            Ok(Page::one(json!({ "_links": { "self": { "href": manager } } })))
        }
        Some("subordinate") => Ok(Page::whole(Vec::new())),
        _ => Err(Problem::not_found("linked object")),
    }
}

/// The complete list: the password and the email first, then what factors show.
fn enrollments(ask: &Ask<'_>) -> Answer {
    let user = ask.index(0, Kind::User)?;
    let since = stamp(derived_times(&ask.world.seed, Kind::User, user).0);
    let enrolled = |nth: u64, kind: &str, key: &str, name: &str| {
        json!({
            "type": kind, "id": ask.world.id(Kind::Enrollment, user * 64 + nth), "key": key, "status": "ACTIVE",
            "name": name, "nickname": null, "created": since, "lastUpdated": since,
        })
    };
    let mut all =
        vec![enrolled(0, "password", "okta_password", "Password"), enrolled(1, "email", "okta_email", "Email")];
    for (nth, factor) in (2..).zip(ask.list(Kind::UserFactors, user)) {
        match factor["factorType"].as_str() {
            Some("push") => all.push(enrolled(nth, "app", "okta_verify", "Okta Verify")),
            Some("webauthn") => all.push(enrolled(nth, "security_key", "webauthn", "Security Key or Biometric")),
            Some("sms") => all.push(enrolled(nth, "phone", "phone_number", "Phone")),
            _ => {}
        }
    }
    Ok(Page::whole(all))
}

fn methods(ask: &Ask<'_>) -> Answer {
    let index = ask.index(0, Kind::Authenticator)?;
    let kinds: &[&str] = match index {
        0 => &["password"],
        1 => &["email"],
        2 => &["sms", "voice"],
        3 => &["push", "signed_nonce", "totp"],
        4 => &["webauthn"],
        _ => &["security_question"],
    };
    Ok(Page::whole(kinds.iter().map(|kind| json!({ "type": kind, "status": "ACTIVE" })).collect()))
}

fn permissions(ask: &Ask<'_>) -> Answer {
    let role = ask.index(0, Kind::CustomRole)?;
    let labels = CUSTOM_PERMISSIONS[(role % 2) as usize].1;
    let since = "2021-02-06T16:20:57.000Z";
    let permission =
        |label: &&str| json!({ "label": label, "conditions": null, "created": since, "lastUpdated": since });
    Ok(Page::whole(labels.iter().map(permission).collect()))
}

/// Every set binds every custom role: to the first user who has it from the seed.
fn bindings(ask: &Ask<'_>) -> Answer {
    ask.index(0, Kind::ResourceSet)?;
    let roles = 0..CUSTOM_PERMISSIONS.len() as u64;
    Ok(Page::whole(roles.map(|role| json!({ "id": ask.world.id(Kind::CustomRole, role) })).collect()))
}

fn binding_members(ask: &Ask<'_>) -> Answer {
    let (set, role) = (ask.index(0, Kind::ResourceSet)?, ask.index(1, Kind::CustomRole)?);
    let user = ask.world.id(Kind::User, 2 + role);
    Ok(Page::one(json!({
        "id": ask.world.id(Kind::RoleGrant, 1 << 42 | set << 8 | role),
        "created": "2024-12-19T00:00:00.000Z", "lastUpdated": "2024-12-19T00:00:00.000Z",
        "_links": { "self": { "href": format!("{{base}}/api/v1/users/{user}") } },
    })))
}

fn policy_rules(ask: &Ask<'_>) -> Answer {
    let policy = ask.index(0, Kind::Policy)?;
    ask.range(Kind::PolicyRule, policy * RULES_PER_POLICY, shapes::rule_count(policy))
}

/// What the org itself thinks of its log stream.
fn log_streams(ask: &Ask<'_>) -> Answer {
    let Some(active) = ask.org.stream() else {
        return Ok(Page::whole(Vec::new()));
    };
    ask.shown(Kind::LogStream, |mut stream| {
        stream["status"] = json!(if active { "ACTIVE" } else { "INACTIVE" });
        Some(stream)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_finds_its_own_row() {
        for collection in COLLECTIONS {
            let path = collection.path.replace("{}", "00uABC");
            let (found, _) = find(&path).expect("a row");
            assert_eq!(found.path, collection.path);
        }
        assert!(find("/api/v1/nothing").is_none());
    }
}
