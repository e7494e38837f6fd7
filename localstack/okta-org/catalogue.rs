//! The kinds of events the org knows, how often each comes, and the scene each plays.

use serde_json::{Value, json};

use crate::cast::{PLACES, PROGRAM, Thing};
use crate::events::{Scene, Source, entity};

pub struct Kind {
    /// Its share of the day, in parts of the sum of all weights (about 100).
    pub weight: usize,
    pub event_type: &'static str,
    pub legacy: Option<&'static str>,
    pub message: &'static str,
    /// Changes the ordinary scene into this kind's.
    pub play: fn(&mut Scene<'_>),
}

const fn kind(
    weight: usize,
    event_type: &'static str,
    legacy: Option<&'static str>,
    message: &'static str,
    play: fn(&mut Scene<'_>),
) -> Kind {
    Kind { weight, event_type, legacy, message, play }
}

#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    // Signing in and out: most of any day.
    kind(22, "user.session.start", Some("core.user_auth.login_success"), "User login to Okta", session_start),
    kind(4, "user.session.end", Some("core.user_auth.logout_success"), "User logout from Okta", session_end),
    kind(15, "user.authentication.sso", Some("app.auth.sso"), "User single sign on to app", single_sign_on),
    kind(9, "user.authentication.auth_via_mfa", Some("core.user.factor.attempt_success"), "Authentication of user via MFA", second_factor),
    kind(5, "user.authentication.verify", None, "Verify user identity", verify),
    kind(6, "policy.evaluate_sign_on", None, "Evaluation of sign-on policy", evaluate_sign_on),
    // People come, change and go.
    kind(2, "user.lifecycle.create", Some("core.user.config.user_creation.success"), "Create Okta user", |s| lifecycle(s, "create")),
    kind(1, "user.lifecycle.suspend", Some("core.user.config.user_status.suspended"), "Suspend Okta user", |s| lifecycle(s, "suspend")),
    kind(1, "user.lifecycle.unsuspend", Some("core.user.config.user_status.unsuspended"), "Unsuspend Okta user", |s| lifecycle(s, "unsuspend")),
    kind(1, "user.lifecycle.deactivate", Some("core.user.config.user_deactivated"), "Deactivate Okta user", |s| lifecycle(s, "deactivate")),
    kind(4, "user.account.update_profile", Some("core.user.config.profile_update.success"), "Update user profile for Okta", update_profile),
    kind(2, "user.account.lock", Some("core.user_auth.account_locked"), "Max sign in attempts exceeded", lock),
    kind(2, "user.mfa.factor.activate", Some("core.user.factor.activate"), "Activate factor or authenticator enrollment method for user", activate_factor),
    // What they may reach.
    kind(4, "group.user_membership.add", Some("core.user_group_member.user_add"), "Add user to group membership", group_membership),
    kind(2, "group.user_membership.remove", Some("core.user_group_member.user_remove"), "Remove user from group membership", group_membership),
    kind(4, "application.user_membership.add", Some("app.generic.provision.assign_user_to_app"), "Add user to application membership", app_membership),
    // Machines.
    kind(6, "app.oauth2.as.token.grant.access_token", Some("app.oauth2.as.token.grant.access_token_success"), "OAuth2 access token is granted", access_token),
    kind(1, "system.api_token.create", Some("api.token.create"), "Create API token", api_token),
    kind(3, "system.agent.ad.realtimesync", None, "Perform RealTimeSync by AD agent", agent),
    kind(1, "system.agent.ad.connect", None, "Connect AD agent to Okta", agent),
    kind(1, "system.org.rate_limit.warning", Some("core.framework.ratelimit.warning"), "Rate limit warning", rate_limit),
    // The org's guard and its rules.
    kind(1, "user.risk.detect", None, "User risk detected", risk),
    kind(1, "security.threat.detected", Some("security.threat.detected"), "Request from suspicious actor", threat),
    kind(1, "zone.update", Some("network_zone.updated"), "Network zone update", zone_update),
    kind(1, "policy.lifecycle.update", Some("policy.updated"), "Update policy", policy_update),
    // What only deeds tell of, with what they did: never drawn for the day's talk.
    kind(0, "system.log_stream.lifecycle.activate", None, "Activate Log Stream", log_stream),
    kind(0, "system.log_stream.lifecycle.deactivate", None, "Deactivate Log Stream", log_stream),
    kind(0, "user.lifecycle.activate", Some("core.user.config.user_activated"), "Activate Okta user", |s| lifecycle(s, "activate")),
    kind(0, "user.lifecycle.delete.completed", None, "Delete Okta user", |s| lifecycle(s, "delete")),
    kind(0, "user.account.unlock", Some("core.user_auth.account_unlocked"), "Unlock user account", |s| lifecycle(s, "unlock")),
    kind(0, "user.account.privilege.grant", Some("core.user.admin_privilege.granted"), "Grant user privilege", |s| lifecycle(s, "roles")),
    kind(0, "user.account.privilege.revoke", Some("core.user.admin_privilege.revoked"), "Revoke user privilege", |s| lifecycle(s, "roles")),
    kind(0, "user.mfa.factor.reset_all", Some("core.user.factor.reset_all"), "Reset all factors for user", |s| lifecycle(s, "reset_factors")),
    kind(0, "group.lifecycle.create", Some("core.user_group.create"), "Create Okta group", group_change),
    kind(0, "group.lifecycle.delete", Some("core.user_group.delete"), "Delete Okta group", group_change),
    kind(0, "group.profile.update", None, "Update Okta group", group_change),
    kind(0, "group.application_assignment.add", None, "Add application assignment to group", group_change),
    kind(0, "group.application_assignment.remove", None, "Remove application assignment from group", group_change),
    kind(0, "application.user_membership.remove", Some("app.generic.provision.deprovision_user"), "Remove user's application membership", app_membership),
    kind(0, "application.lifecycle.create", Some("app.generic.config.app_create"), "Create application", app_change),
    kind(0, "application.lifecycle.update", Some("app.generic.config.app_updated"), "Update application", app_change),
    kind(0, "application.lifecycle.delete", Some("app.generic.config.app_deleted"), "Delete application", app_change),
    kind(0, "device.lifecycle.suspend", None, "Suspend device", admin_act),
    kind(0, "device.lifecycle.unsuspend", None, "Unsuspend device", admin_act),
    kind(0, "device.lifecycle.delete", None, "Delete device", admin_act),
    kind(0, "policy.rule.update", Some("policy.rule.updated"), "Update policy rule", policy_update),
];

fn session_start(s: &mut Scene<'_>) {
    s.request_uri = String::from("/idp/idx/challenge/answer");
    s.target = vec![password(s), of_type("AppInstance", &s.cast.apps[0])];
    s.credential = [None, Some("OKTA_CREDENTIAL_PROVIDER"), Some("PASSWORD")];
    assess(s);
    if s.rng.chance(0.12) {
        let reason = *s.rng.pick(&["INVALID_CREDENTIALS", "VERIFICATION_ERROR", "LOCKED_OUT"]);
        s.fails(reason);
        s.legacy = Some("core.user_auth.login_failed");
        s.session = None;
    } else {
        s.renew_session();
    }
}

fn session_end(s: &mut Scene<'_>) {
    s.request_uri = String::from("/login/signout");
    s.target = vec![s.user(s.who)];
}

fn single_sign_on(s: &mut Scene<'_>) {
    let app = of_type("AppInstance", s.rng.pick(&s.cast.apps));
    let app_user = app_user(s, &app);
    s.request_uri = format!("/app/{}/sso/saml", text(&app["id"]));
    s.target = vec![app, app_user];
    s.debug("initiationType", "SP_INITIATED");
    s.debug("signOnMode", "SAML 2.0");
}

fn second_factor(s: &mut Scene<'_>) {
    let (factor, name) = *s.rng.pick(&[
        ("OKTA_VERIFY_PUSH", "Okta Verify"),
        ("FIDO_WEBAUTHN", "Security Key or Biometric"),
        ("OKTA_SOFT_TOKEN", "Okta Verify"),
    ]);
    let enrollment = s.rng.id("opf");
    s.request_uri = String::from("/idp/idx/authenticators/poll");
    s.target = vec![s.user(s.who), entity(&enrollment, "AuthenticatorEnrollment", "unknown", name)];
    s.credential = [Some("FACTOR_PROVIDER"), Some("OKTA_CREDENTIAL_PROVIDER"), None];
    s.debug("factor", factor);
    if s.rng.chance(0.08) {
        s.fails("INVALID_CREDENTIALS");
        s.legacy = Some("core.user.factor.attempt_fail");
    }
}

fn verify(s: &mut Scene<'_>) {
    s.request_uri = String::from("/idp/idx/challenge/answer");
    s.target = vec![s.user(s.who), password(s)];
    assess(s);
}

fn evaluate_sign_on(s: &mut Scene<'_>) {
    let (result, reason, rule) = *s.rng.pick(&[
        ("ALLOW", "Sign-on policy evaluation resulted in ALLOW", "Known network"),
        ("CHALLENGE", "Sign-on policy evaluation resulted in CHALLENGE", "Two factors"),
        ("CHALLENGE", "Sign-on policy evaluation resulted in CHALLENGE", "Catch-all rule"),
        ("DENY", "Sign-on policy evaluation resulted in DENY", "Blocked countries"),
    ]);
    s.result = result;
    s.reason = Some(reason);
    s.request_uri = String::from("/idp/idx/identify");
    let policy = policy(s);
    let rule = entity(&s.rng.id("0pr"), "Rule", "unknown", rule);
    s.target = vec![policy, rule, of_type("AppInstance", s.rng.pick(&s.cast.apps))];
    assess(s);
}

fn lifecycle(s: &mut Scene<'_>, verb: &str) {
    let user = s.user(s.who);
    s.acted_by_admin(format!("/api/v1/users/{}/lifecycle/{verb}", text(&user["id"])));
    s.target = vec![user];
}

fn update_profile(s: &mut Scene<'_>) {
    let mut user = s.user(s.who);
    let (attribute, from, to) = *s.rng.pick(&[
        ("title", "Clerk", "Senior clerk"),
        ("department", "Warehouse", "Field Sales"),
        ("mobilePhone", "+33 1 99 00 00 01", "+33 1 99 00 00 02"),
    ]);
    user["changeDetails"] = json!({ "from": { attribute: from }, "to": { attribute: to } });
    s.acted_by_admin(format!("/api/v1/users/{}", text(&user["id"])));
    s.target = vec![user];
    s.debug("changedAttributes", attribute);
    s.transaction_detail = json!({ "requestApiTokenId": s.rng.id("00T") });
}

fn lock(s: &mut Scene<'_>) {
    s.request_uri = String::from("/idp/idx/challenge/answer");
    s.fails("LOCKED_OUT");
    s.session = None;
    s.target = vec![s.user(s.who)];
    assess(s);
}

fn activate_factor(s: &mut Scene<'_>) {
    let enrollment = s.rng.id("opf");
    s.request_uri = String::from("/idp/idx/challenge/answer");
    s.reason = Some("User set up OKTA_VERIFY_PUSH factor");
    s.target = vec![s.user(s.who), entity(&enrollment, "AuthenticatorEnrollment", "unknown", "Okta Verify")];
    s.debug("factor", "OKTA_VERIFY_PUSH");
}

fn group_membership(s: &mut Scene<'_>) {
    let user = s.user(s.who);
    let group = of_type("UserGroup", s.rng.pick(&s.cast.groups));
    s.acted_by_admin(format!("/api/v1/groups/{}/users/{}", text(&group["id"]), text(&user["id"])));
    s.target = vec![user, group];
}

fn app_membership(s: &mut Scene<'_>) {
    let user = s.user(s.who);
    let app = of_type("AppInstance", s.rng.pick(&s.cast.apps));
    let app_user = app_user(s, &app);
    s.acted_by_admin(format!("/api/v1/apps/{}/users", text(&app["id"])));
    s.target = vec![app_user, app, user];
    s.debug("appname", "saml_2_0");
}

fn group_change(s: &mut Scene<'_>) {
    s.acted_by_admin(String::from("/api/v1/groups"));
    s.target = vec![of_type("UserGroup", s.rng.pick(&s.cast.groups))];
}

fn app_change(s: &mut Scene<'_>) {
    s.acted_by_admin(String::from("/api/v1/apps"));
    s.target = vec![of_type("AppInstance", s.rng.pick(&s.cast.apps))];
}

fn admin_act(s: &mut Scene<'_>) {
    s.acted_by_admin(String::from("/api/v1/devices"));
}

/// A service takes a token for itself: the actor is the client application, the caller a program.
fn access_token(s: &mut Scene<'_>) {
    let service = s.rng.pick(&s.cast.services);
    let actor = entity(&service.id, "PublicClientApp", &service.id, &service.name);
    let mut token = entity(&s.rng.word("AT.", 40), "access_token", "unknown", "Access Token");
    token["detailEntry"] = json!({
        "subject": actor["id"], "hash": s.rng.word("", 22), "expires": "3600",
    });
    s.device = Value::Null;
    s.session = None;
    s.source = Some(Source { address: String::from("198.51.100.9"), place: &PLACES[1], agent: PROGRAM });
    s.request_uri = String::from("/oauth2/default/v1/token");
    s.target = vec![token];
    s.debug("grantType", "client_credentials");
    s.debug("clientAuthType", "private_key_jwt");
    s.debug("requestedScopes", "stock.read,invoices.write");
    s.debug("grantedScopes", "stock.read,invoices.write");
    s.debug("authorizationServer", "default");
    s.actor = actor;
}

fn api_token(s: &mut Scene<'_>) {
    let token = entity(&s.rng.id("00T"), "Token", "unknown", "nightly export");
    s.acted_by_admin(String::from("/api/internal/tokens"));
    s.target = vec![token];
}

/// The agents report over their own connection, a moment after the fact: such events reach the log
/// behind younger ones.
fn agent(s: &mut Scene<'_>) {
    s.acted_by_system();
    s.behind_ms = s.rng.below(2_000) as i64;
    s.target = vec![of_type("Agent", s.rng.pick(&s.cast.agents))];
    s.debug("agentType", "AD");
}

fn log_stream(s: &mut Scene<'_>) {
    s.acted_by_system();
    let id = s.rng.id("0os");
    s.target = vec![entity(&id, "LogStream", "unknown", "System Log to EventBridge")];
}

fn rate_limit(s: &mut Scene<'_>) {
    s.acted_by_system();
    s.severity = "WARN";
    s.target = vec![
        entity("/api/v1/users", "URL Pattern", "unknown", "unknown"),
        entity(&s.rng.word("", 32), "Bucket Uuid", "unknown", "unknown"),
    ];
    s.debug("threshold", "600");
    s.debug("timeSpan", "1");
    s.debug("timeUnit", "MINUTES");
    s.debug("warningPercent", "90");
}

fn risk(s: &mut Scene<'_>) {
    s.acted_by_system();
    s.severity = "WARN";
    s.target = vec![s.user(s.who)];
    s.debug("risk", "{previousLevel=LOW, level=HIGH, reasons=Session used from a second network}");
}

/// Somebody unknown knocks: the actor is only an address.
fn threat(s: &mut Scene<'_>) {
    let address = s.source.as_ref().map_or_else(String::new, |source| source.address.clone());
    s.actor = entity(&address, "User", "unknown", &address);
    s.device = Value::Null;
    s.session = None;
    s.severity = "WARN";
    s.result = "DENY";
    s.reason = Some("Password Spray");
    s.request_uri = String::from("/api/v1/authn");
    s.debug("threatDetections", "{\"Password Spray\":\"MEDIUM\"}");
}

fn zone_update(s: &mut Scene<'_>) {
    let mut zone = of_type("NetworkZone", s.rng.pick(&s.cast.zones));
    zone["changeDetails"] = json!({
        "from": { "gateways": ["192.0.2.0/26"] },
        "to": { "gateways": ["192.0.2.0/25"] },
    });
    s.acted_by_admin(format!("/api/v1/zones/{}", text(&zone["id"])));
    s.target = vec![zone];
}

fn policy_update(s: &mut Scene<'_>) {
    let policy = policy(s);
    s.acted_by_admin(format!("/api/v1/policies/{}", text(&policy["id"])));
    s.target = vec![policy];
    s.debug("changedAttributes", "priority,description");
}

/// Okta's opinion of a sign-in, in the text forms it uses.
fn assess(s: &mut Scene<'_>) {
    let (level, risk) = *s.rng.pick(&[
        ("LOW", "{level=LOW}"),
        ("LOW", "{level=LOW}"),
        ("LOW", "{level=LOW}"),
        ("MEDIUM", "{reasons=Anomalous Device, level=MEDIUM}"),
        ("HIGH", "{reasons=Anomalous Location, Anomalous Device, level=HIGH}"),
    ]);
    let moved = if level == "HIGH" { "POSITIVE" } else { "NEGATIVE" };
    let new_device = if level == "LOW" { "NEGATIVE" } else { "POSITIVE" };
    s.debug("risk", risk);
    s.debug(
        "behaviors",
        format!("{{New Geo-Location={moved}, New Device={new_device}, New IP={new_device}, New Country={moved}, Velocity=NEGATIVE}}"),
    );
    let security = json!({
        "risk": { "level": level },
        "behaviors": { "New Geo-Location": moved, "New Device": new_device, "Velocity": "NEGATIVE" },
    });
    s.debug("logOnlySecurityData", security.to_string());
}

fn password(s: &mut Scene<'_>) -> Value {
    let mut enrollment = entity(&s.rng.id("lae"), "AuthenticatorEnrollment", "unknown", "Password");
    enrollment["detailEntry"] = json!({ "methodTypeUsed": "Password" });
    enrollment
}

fn policy(s: &mut Scene<'_>) -> Value {
    let mut policy = of_type("PolicyEntity", s.rng.pick(&s.cast.policies));
    policy["detailEntry"] = json!({ "policyType": "OktaSignOn" });
    policy
}

fn app_user(s: &mut Scene<'_>, app: &Value) -> Value {
    let id = s.rng.id("0ua");
    let person = s.cast.person(s.who);
    let mut user = entity(&id, "AppUser", &person.login, &person.name);
    user["detailEntry"] = json!({ "app": app["displayName"] });
    user
}

fn of_type(kind: &str, thing: &Thing) -> Value {
    entity(&thing.id, kind, &thing.alternate, &thing.name)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
