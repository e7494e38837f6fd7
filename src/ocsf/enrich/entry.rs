//! The enrichment of one person or thing: how old the knowledge is, how sure, and what it is.

use std::io::Write as _;

use jiff::Timestamp;

use super::{Context, Fact, app, device, user};
use crate::json::Value;
use crate::ocsf::knowledge::{Confidence, Lookup};
use crate::ocsf::writer::Writer;

/// Writes the enrichment about a value that stands in the record; nothing if such things are never read.
pub fn write(w: &mut Writer<'_>, context: &Context<'_>, about: Value<'_>, fact: &Fact) {
    match fact {
        Fact::User(lookup) => entry(w, context, about, lookup, user::data),
        Fact::App(lookup) => entry(w, context, about, lookup, app::data),
        Fact::Device(lookup) => entry(w, context, about, lookup, device::data),
    }
}

fn entry<T>(
    w: &mut Writer<'_>,
    context: &Context<'_>,
    about: Value<'_>,
    lookup: &Lookup<T>,
    data: impl FnOnce(&mut Writer<'_>, &Context<'_>, &T),
) {
    let (as_of, confidence) = match lookup {
        Lookup::Unread => return,
        Lookup::Missing => (None, "missing"),
        Lookup::Gone(seen) => (Some(*seen), "gone"),
        Lookup::Found(sighted) => (
            Some(sighted.as_of),
            match sighted.confidence {
                Confidence::AsOf => "as_of",
                Confidence::CurrentState => "current_state",
            },
        ),
    };
    w.item(|w| {
        w.about(about);
        w.fragment(r#""type":"inventory","provider":"okta-ocsf""#);
        w.object("data", |w| {
            w.text("confidence", confidence);
            if let Some(as_of) = as_of {
                age(w, context, as_of);
            }
            if let Some(sighted) = context.usable(lookup) {
                data(w, context, &sighted.card);
            }
        });
    });
}

/// When it was seen, in ms and as RFC 3339, and how long before the event.
fn age(w: &mut Writer<'_>, context: &Context<'_>, as_of: i64) {
    w.number("as_of", as_of);
    if let Ok(moment) = Timestamp::from_millisecond(as_of) {
        w.key("as_of_dt");
        // Writing to a Vec cannot fail.
        let _ = write!(w.out(), "\"{moment:.3}\"");
    }
    w.number("staleness_ms", context.time.saturating_sub(as_of).max(0));
}
