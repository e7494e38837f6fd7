//! `idp`: the identity provider itself, where the object is one.
//!
//! Source: Identity Providers API (`GET /api/v1/idps`).

use crate::json::{Kind, Value};
use crate::ocsf::enums::{PROTOCOLS, by_caption};
use crate::ocsf::writer::{MOST_LISTED, Writer, saying};
use crate::okta::inventory::{
    Endpoint, Endpoints, IdentityProvider, IdentityProviderPolicy, Protocol, ProtocolCredentials, Provisioning,
    ProvisioningGroups, Trust,
};

/// `idp`. Its values are also in the resource, so they are copied without being taken from there.
pub fn write(w: &mut Writer<'_>, object: Value<'_>) {
    let provider = IdentityProvider::of(Some(object));
    let protocol = Protocol::of(provider.protocol);
    w.object("idp", |w| {
        w.copy("uid", provider.id);
        w.copy("name", provider.name);
        repeat(w, "issuer", issuer(&protocol));
        repeat(w, "protocol_name", protocol.kind);
        state(w, provider.status);
        w.object("sso", |w| single_sign_on(w, &provider, &protocol));
        w.object("scim", |w| provisioning(w, &provider));
    });
}

/// The issuer of OpenID Connect, else the one whose certificates SAML and smart cards trust.
fn issuer<'a>(protocol: &Protocol<'a>) -> Option<Value<'a>> {
    let trusted = || Trust::of(ProtocolCredentials::of(protocol.credentials).trust).issuer;
    saying(Endpoint::of(protocol.issuer).url).or_else(trusted)
}

fn state(w: &mut Writer<'_>, status: Option<Value<'_>>) {
    match saying(status).and_then(Value::word) {
        Some("ACTIVE") => w.fragment(r#""state_id":1,"state":"Active""#),
        _ => w.other("state_id", "state", status),
    }
}

fn single_sign_on(w: &mut Writer<'_>, provider: &IdentityProvider<'_>, protocol: &Protocol<'_>) {
    let caption = match protocol.kind.and_then(Value::word) {
        Some("SAML2") => "SAML",
        Some("OIDC") => "OpenID",
        Some("OAUTH2") => "OAUTH 2.0",
        _ => "",
    };
    match (by_caption(PROTOCOLS, caption), saying(protocol.kind)) {
        (Some(choice), _) => w.choice("auth_protocol_id", "auth_protocol", choice),
        (None, Some(kind)) if !kind.is("Other") => {
            w.number("auth_protocol_id", 99);
            w.escaped_text("auth_protocol", kind.span());
        }
        _ => {}
    }
    let endpoints = Endpoints::of(protocol.endpoints);
    let sign_in = saying(Endpoint::of(endpoints.sso).url).or(Endpoint::of(endpoints.authorization).url);
    repeat(w, "login_endpoint", sign_in);
    repeat(w, "logout_endpoint", Endpoint::of(endpoints.slo).url);
    let scopes = protocol.scopes.filter(|scopes| scopes.kind() == Kind::Array);
    w.array("scopes", |w| {
        let scopes = scopes.into_iter().flat_map(Value::children).take(MOST_LISTED);
        for scope in scopes.filter_map(Value::as_str) {
            w.text_item(&scope);
        }
    });
    w.copy_time("created_time", provider.created);
    w.copy_time("modified_time", provider.last_updated);
}

/// `scim`: whether users and groups are created and updated when they come from there. Okta does it at the sign-in and
/// names no protocol, so none is named here.
fn provisioning(w: &mut Writer<'_>, provider: &IdentityProvider<'_>) {
    let provisioning = Provisioning::of(IdentityProviderPolicy::of(provider.policy).provisioning);
    let users = saying(provisioning.action).map(|action| !action.is("DISABLED"));
    let groups = saying(ProvisioningGroups::of(provisioning.groups).action).map(|action| !action.is("NONE"));
    if users.or(groups).is_none() {
        return;
    }
    w.text("name", "Just-in-time provisioning");
    if let Some(users) = users {
        w.flag("is_user_provisioning_enabled", users);
    }
    if let Some(groups) = groups {
        w.flag("is_group_provisioning_enabled", groups);
    }
}

/// A text that stays where it is, too.
fn repeat(w: &mut Writer<'_>, name: &'static str, value: Option<Value<'_>>) {
    if let Some(value) = saying(value) {
        w.escaped_text(name, value.span());
    }
}
