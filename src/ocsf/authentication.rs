//! Authentication (3002): sign-ins, sign-outs, tickets and the steps before them.

use serde::Serialize;

use super::Class;
use super::objects::{Actor, HttpRequest, NetworkEndpoint, Observable, Service, Session, User};
use super::parts::{self, Base, Captions, Context};
use super::unmapped::Taken;
use crate::okta::LogEvent;

const CAPTIONS: Captions =
    Captions { category_uid: 3, category: "Identity & Access Management", class: "Authentication" };

#[derive(Debug, Serialize)]
pub struct Authentication<'a> {
    #[serde(flatten)]
    base: Base<'a>,
    user: User<'a>,
    actor: Actor<'a>,
    service: Service<'a>,
    is_mfa: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Session<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_endpoint: Option<NetworkEndpoint<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_request: Option<HttpRequest<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    observables: Vec<Observable>,
}

/// The record, or `None` when the event names nobody: the class requires a user, and inventing one would be wrong.
pub fn map<'a>(context: &Context<'a>, activity_id: u8) -> Option<Authentication<'a>> {
    let event = context.event;
    let mut taken = Taken::default();
    let acting = event.actor.as_ref().and_then(parts::principal)?;
    parts::take_actor(event, &acting, &mut taken);
    let session = parts::session(event, &mut taken);
    let src_endpoint = parts::src_endpoint(event, &mut taken);
    let http_request = parts::http_request(event, &mut taken);
    let user = signing_in(event).unwrap_or_else(|| acting.clone());
    let observables = observables(&user, src_endpoint.as_ref(), http_request.as_ref());
    let activity = (activity_id, activity_name(activity_id, event));
    Some(Authentication {
        base: parts::base(context, Class::Authentication, &CAPTIONS, activity, &[], taken),
        actor: Actor { user: Some(acting), session: session.clone() },
        user,
        service: service(event),
        is_mfa: is_mfa(event),
        session,
        src_endpoint,
        http_request,
        observables,
    })
}

/// The person who signs in: a User target when a machine acts on their behalf, otherwise (`None`) the actor.
fn signing_in<'a>(event: &'a LogEvent<'_>) -> Option<User<'a>> {
    let is_user = |kind: &str| kind == "User";
    if event.actor.as_ref()?.kind.get().is_some_and(is_user) {
        return None;
    }
    let mut targets = event.target.as_deref().unwrap_or_default().iter();
    targets.find(|target| target.kind.get().is_some_and(is_user)).and_then(parts::principal)
}

/// What is signed in to: the application if the event names one, otherwise Okta itself.
fn service<'a>(event: &'a LogEvent<'_>) -> Service<'a> {
    let mut targets = event.target.as_deref().unwrap_or_default().iter();
    let app = targets.find(|target| target.kind.get() == Some("AppInstance"));
    let named = app.and_then(|app| Some((app.display_name.get().or_else(|| app.alternate_id.get())?, app.id.get())));
    match named {
        Some((name, uid)) => Service { uid, name },
        None => Service { uid: None, name: "Okta" },
    }
}

fn is_mfa(event: &LogEvent<'_>) -> bool {
    let provider = event.authentication_context.as_ref().and_then(|c| c.authentication_provider.get());
    provider == Some("FACTOR_PROVIDER") || event.event_type.get() == Some("user.authentication.auth_via_mfa")
}

fn activity_name<'a>(activity_id: u8, event: &'a LogEvent<'_>) -> &'a str {
    match activity_id {
        1 => "Logon",
        2 => "Logoff",
        3 => "Authentication Ticket",
        4 => "Service Ticket Request",
        5 => "Service Ticket Renew",
        6 => "Preauth",
        7 => "Account Switch",
        _ => event.event_type.get().unwrap_or("unclassified"),
    }
}

fn observables(user: &User<'_>, from: Option<&NetworkEndpoint<'_>>, http: Option<&HttpRequest<'_>>) -> Vec<Observable> {
    let ip = from.map(|endpoint| ("src_endpoint.ip", 2, "IP Address", endpoint.ip.clone()));
    let name = user.name.map(|name| ("user.name", 4, "User Name", name.to_owned()));
    let agent = http.map(|http| ("http_request.user_agent", 16, "HTTP User-Agent", http.user_agent.to_owned()));
    let named = [ip, name, agent].into_iter().flatten();
    named.map(|(name, type_id, kind, value)| Observable { name, type_id, kind, value }).collect()
}
