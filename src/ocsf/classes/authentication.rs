//! Authentication (3002): sign-ins, sign-outs, tickets and the steps before them.

use super::{acting_user, changed_user, user_with_account};
use crate::json::Value;
use crate::ocsf::enums::{Choice, Observable, PROTOCOLS};
use crate::ocsf::event::{Event, Role, is_identified};
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::people::{Being, being, can_be_user, is_same};
use crate::ocsf::parts::{control, device, factors, network, people};
use crate::ocsf::writer::{Writer, saying};
use crate::okta::{AuthenticationContext, DetailEntry, Party};

const LOGOFF: u8 = 2;

/// Who signs in or out: the User among the targets, also when an admin or a machine acts on them; else a person who
/// acts; else an account in an application, whoever acts, or the client.
pub fn user<'a>(event: &Event<'a>, entry: &Entry) -> Option<Party<'a>> {
    let acting = acting_user(event);
    let person = acting.filter(|party| matches!(being(party), Being::Person | Being::Unknown));
    let client = || event.targets_of(Role::Client).find(can_be_user);
    if entry.defaults.client_user && person.is_none() {
        return acting.or_else(client);
    }
    let named = event.targets_of(Role::User).find(can_be_user);
    named.or(person).or_else(|| changed_user(event)).or(acting).or_else(client)
}

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let Some(user) = user(event, entry) else { return };
    user_with_account(w, event, &user);
    people::actor_with(w, event, |w| identity_provider(w, event));
    service(w, event);
    // Somebody else's session is not the one that begins or ends.
    if is_same(&user, &event.actor) || being(&event.actor) != Being::Person {
        people::session(w, event);
    }
    protocol(w, event, entry);
    is_mfa(w, event, entry);
    factors::auth_factors(w, event, entry);
    logon_type(w, event, entry);
    token(w, event, entry);
    network::src_endpoint(w, event);
    network::http_request(w, event);
    device::device(w, event);
    control::control(w, event, entry);
}

/// What is signed in to: the application if the event names one, otherwise Okta itself.
fn service(w: &mut Writer<'_>, event: &Event<'_>) {
    let app = event.target(Role::App).or_else(|| event.target(Role::Client));
    let app = app.filter(|app| saying(app.display_name).or(saying(app.alternate_id)).or(saying(app.id)).is_some());
    let Some(app) = app else { return w.fragment(r#""service":{"name":"Okta"}"#) };
    w.object("service", |w| {
        w.observe("uid", app.id, Observable::OtherUid);
        people::display_name(w, &app);
        w.implied(app.kind.filter(|kind| kind.is("AppInstance")), "");
    });
}

/// `actor.idp`: the identity provider that vouched for the user.
fn identity_provider(w: &mut Writer<'_>, event: &Event<'_>) {
    let provider = event.targets_of(Role::IdentityProvider).find(is_identified);
    if let Some(provider) = provider {
        w.object("idp", |w| {
            w.observe("uid", provider.id, Observable::OtherUid);
            people::display_name(w, &provider);
        });
    }
}

/// `auth_protocol`: what the event says, else what its type says.
fn protocol(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let context = &event.authentication;
    let said = protocol_of_mode(event.debug.sign_on_mode);
    if let Some(choice) = said.or_else(|| protocol_of_context(context)).or(entry.defaults.protocol) {
        w.choice("auth_protocol_id", "auth_protocol", choice);
    }
}

/// The sign-on mode of an application.
fn protocol_of_mode(mode: Option<Value<'_>>) -> Option<Choice> {
    let id = match mode.and_then(Value::word)? {
        "SAML 2.0" | "SAML_2_0" | "SAML 1.1" | "SAML_1_1" => 5,
        "OpenID Connect" | "OPENID_CONNECT" => 4,
        "BASIC_AUTH" => 11,
        _ => return None,
    };
    PROTOCOLS.iter().copied().find(|(known, _)| *known == id)
}

/// What the provider and the kind of credential imply.
fn protocol_of_context(context: &AuthenticationContext<'_>) -> Option<Choice> {
    let provider = context.authentication_provider.and_then(Value::word);
    let id = match (provider, context.credential_type.and_then(Value::word)) {
        (_, Some("ASSERTION")) => 5,
        (_, Some("IWA")) => 2,
        (_, Some("OAUTH2" | "JWT")) => 6,
        (Some("LDAP"), _) => 12,
        _ => return None,
    };
    PROTOCOLS.iter().copied().find(|(known, _)| *known == id)
}

/// Whether a second factor was used: yes if the provider or the type says so, no if the provider is another one. The
/// events of an Identity Engine org often do not say.
fn is_mfa(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let provider = saying(event.authentication.authentication_provider);
    match provider.and_then(Value::word) {
        Some("FACTOR_PROVIDER") => w.flag("is_mfa", true),
        _ if entry.defaults.mfa => w.flag("is_mfa", true),
        Some(_) => w.flag("is_mfa", false),
        None => {}
    }
}

/// On a device people sign in at its console; to everything else over the network.
fn logon_type(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    if entry.activity_id == LOGOFF {
        return;
    }
    let at_device = event.log.event_type.and_then(Value::word).is_some_and(|name| name.starts_with("device."));
    w.fragment(match at_device {
        true => r#""logon_type_id":2,"logon_type":"Interactive","is_remote":false"#,
        false => r#""logon_type_id":3,"logon_type":"Network","is_remote":true"#,
    });
}

/// `authentication_token`: the token among the targets.
fn token(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let target = event.target(Role::Token);
    if target.is_none() && entry.defaults.token.is_none() {
        return;
    }
    w.object("authentication_token", |w| {
        if let Some(target) = target {
            w.copy("uid", target.id);
            w.copy("name", target.display_name);
            w.copy_time("expiration_time", DetailEntry::of(target.detail_entry).expires);
        }
        let said = target.and_then(|target| target.kind).and_then(Value::word);
        match (said, entry.defaults.token) {
            (Some("refresh_token"), _) => w.fragment(r#""type_id":4,"type":"Refresh Token""#),
            (Some("id_token"), _) => w.fragment(r#""type_id":3,"type":"Identity Token""#),
            (_, Some(choice)) => w.choice("type_id", "type", choice),
            _ => w.other("type_id", "type", target.and_then(|target| target.kind)),
        }
    });
}
