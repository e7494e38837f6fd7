//! `actor`, `user`, `session`: who acts, on whom, and in which session.

use crate::json::Value;
use crate::ocsf::enrich::SaidOfUser;
use crate::ocsf::enums::Observable;
use crate::ocsf::event::Event;
use crate::ocsf::writer::{Writer, saying};
use crate::okta::{Issuer, Party};

/// What an actor or a target is, as far as `user.type_id` can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Being {
    /// A person, or an account that people use.
    Person,
    /// Okta itself.
    System,
    /// An OAuth client or an application.
    Service,
    /// An agent, a workload, something new: it has a name, but it is no user.
    Machine,
    /// Only an address.
    Address,
    /// The event does not say.
    Unknown,
}

/// What a party is, by its type.
pub fn being(party: &Party<'_>) -> Being {
    let Some(kind) = saying(party.kind) else { return Being::Unknown };
    match kind.word() {
        Some("User" | "NewUser" | "AppUser") => Being::Person,
        Some("SystemPrincipal") => Being::System,
        Some(
            "PublicClientApp"
            | "PublicClientAppEntity"
            | "ConfidentialClientApp"
            | "ServiceClientApp"
            | "AppInstance"
            | "ServicePrincipal",
        ) => Being::Service,
        Some("IP address" | "IP Address") => Being::Address,
        _ => Being::Machine,
    }
}

/// Whether a party can be a `user`: it has an id or a login, and is not merely an address.
pub fn can_be_user(party: &Party<'_>) -> bool {
    being(party) != Being::Address && saying(party.id).or(saying(party.alternate_id)).is_some()
}

/// `user`, or whatever the class calls it.
pub fn user(w: &mut Writer<'_>, event: &Event<'_>, name: &'static str, party: &Party<'_>) {
    user_with(w, event, name, party, |_| {});
}

/// `user` with more attributes.
pub fn user_with(
    w: &mut Writer<'_>,
    event: &Event<'_>,
    name: &'static str,
    party: &Party<'_>,
    more: impl FnOnce(&mut Writer<'_>),
) {
    if !can_be_user(party) {
        return;
    }
    w.object(name, |w| {
        let said = user_attributes(w, party);
        event.background.complete_user(w, party, said);
        more(w);
    });
}

fn user_attributes(w: &mut Writer<'_>, party: &Party<'_>) -> SaidOfUser {
    w.observe("uid", party.id, Observable::UserUid);
    let mut said = SaidOfUser {
        name: w.observe("name", party.alternate_id, Observable::UserName),
        display_name: w.copy("display_name", party.display_name),
        email_addr: false,
    };
    match being(party) {
        Being::Person => {
            if saying(party.alternate_id).is_some_and(|login| is_email(login.span())) {
                said.email_addr = w.observe("email_addr", party.alternate_id, Observable::EmailAddress);
            }
            w.fragment(r#""type_id":1,"type":"User""#);
            // An account in an application is a user too; that it is one, its type keeps saying in `unmapped`.
            w.implied(party.kind.filter(|kind| kind.is("User")), "type");
        }
        Being::System => {
            w.fragment(r#""type_id":3,"type":"System""#);
            w.implied(party.kind, "type");
        }
        Being::Service => w.fragment(r#""type_id":4,"type":"Service""#),
        Being::Machine => w.other("type_id", "type", party.kind),
        Being::Address | Being::Unknown => w.fragment(r#""type_id":0,"type":"Unknown""#),
    }
    said
}

/// `name` of what is no user: the display name, else the alternate id; Okta often writes the same in both.
pub fn display_name(w: &mut Writer<'_>, party: &Party<'_>) {
    if w.copy("name", party.display_name) {
        w.implied(equal(party.alternate_id, party.display_name), "name");
    } else {
        w.copy("name", party.alternate_id);
    }
}

/// The first value, if the other is equal to it.
fn equal<'a>(value: Option<Value<'a>>, other: Option<Value<'_>>) -> Option<Value<'a>> {
    value.filter(|value| other.is_some_and(|other| other.span() == value.span()))
}

/// `user.account`: the user's account in an application.
pub fn account(w: &mut Writer<'_>, account: &Party<'_>) {
    if saying(account.id).or(saying(account.alternate_id)).is_none() {
        return;
    }
    w.object("account", |w| {
        w.observe("uid", account.id, Observable::AccountUid);
        w.observe("name", account.alternate_id, Observable::AccountName);
        w.other("type_id", "type", account.kind);
    });
}

/// Whether two parties are the same: they have the same id.
pub fn is_same(a: &Party<'_>, b: &Party<'_>) -> bool {
    equal(a.id, b.id).is_some()
}

/// `actor`: a user, or for what is no user an application, and the session. Whether there is one.
pub fn actor(w: &mut Writer<'_>, event: &Event<'_>) -> bool {
    actor_with(w, event, |_| {})
}

/// `actor` with more attributes.
pub fn actor_with(w: &mut Writer<'_>, event: &Event<'_>, more: impl FnOnce(&mut Writer<'_>)) -> bool {
    w.wrote(|w| {
        w.object("actor", |w| {
            let party = &event.actor;
            match being(party) {
                Being::Person | Being::System | Being::Unknown => user(w, event, "user", party),
                Being::Service | Being::Machine => {
                    if !w.copy_subject("app_uid", party.id) {
                        w.copy("app_uid", event.client.id);
                    }
                    // Agents have their host in `alternateId` and no other name.
                    let named = w.copy("app_name", party.display_name);
                    if !named {
                        w.copy("app_name", party.alternate_id);
                    }
                }
                Being::Address => {}
            }
            let is_app = matches!(being(party), Being::Service | Being::Machine);
            if is_app {
                let client = equal(event.client.id, party.id);
                w.implied(client, "app_uid");
            } else {
                // The OAuth client through which a user acts.
                w.copy("app_uid", event.client.id);
            }
            session(w, event);
            more(w);
        });
    })
}

/// Whether [`actor`] would write something.
pub fn has_actor(event: &Event<'_>) -> bool {
    let named = match being(&event.actor) {
        Being::Address => None,
        Being::Service | Being::Machine => {
            saying(event.actor.id).or(saying(event.actor.display_name)).or(saying(event.actor.alternate_id))
        }
        _ => saying(event.actor.id).or(saying(event.actor.alternate_id)),
    };
    named.or(saying(event.client.id)).or(saying(event.authentication.external_session_id)).is_some()
}

/// `session`: Okta's session, its root, who vouches for it, and the API token that stands for it.
pub fn session(w: &mut Writer<'_>, event: &Event<'_>) {
    w.object("session", |w| {
        let authentication = &event.authentication;
        w.copy("uid", authentication.external_session_id);
        w.copy("uid_alt", authentication.root_session_id);
        w.copy("issuer", issuer(authentication.issuer));
        w.copy("credential_uid", event.transaction_detail.request_api_token_id);
    });
}

/// Okta writes the issuer as an object, and in old events as a text.
fn issuer(value: Option<Value<'_>>) -> Option<Value<'_>> {
    Issuer::of(value).id.or(value)
}

/// Whether a text is an address by the schema's rule for `email_t`.
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let Some((first, rest)) = domain.split_once('.') else { return false };
    let is_local = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+,-./=?^_`{|}~".contains(&b);
    let is_label = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    !local.is_empty()
        && local.bytes().all(is_local)
        && !first.is_empty()
        && first.bytes().all(is_label)
        && !rest.is_empty()
        && rest.bytes().all(|b| is_label(b) || b == b'.')
}
