//! Base Event (0): valid, searchable, and complete in `unmapped`, for every event type without a class of its own.

use serde::Serialize;

use super::Class;
use super::objects::Actor;
use super::parts::{self, Base, Captions, Context};
use super::unmapped::Taken;

const CAPTIONS: Captions = Captions { category_uid: 0, category: "Uncategorized", class: "Base Event" };

#[derive(Debug, Serialize)]
pub struct BaseEvent<'a> {
    #[serde(flatten)]
    base: Base<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Actor<'a>>,
}

/// The record; always possible.
pub fn map<'a>(context: &Context<'a>) -> BaseEvent<'a> {
    let event = context.event;
    let mut taken = Taken::default();
    let actor = event.actor.as_ref().and_then(parts::principal).map(|user| {
        parts::take_actor(event, &user, &mut taken);
        Actor { user: Some(user), session: parts::session(event, &mut taken) }
    });
    // In this class `actor` belongs to the host profile.
    let profiles: &[&str] = if actor.is_some() { &["host"] } else { &[] };
    let activity = (99, event.event_type.get().unwrap_or("unclassified"));
    BaseEvent { base: parts::base(context, Class::BaseEvent, &CAPTIONS, activity, profiles, taken), actor }
}
