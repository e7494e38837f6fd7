//! An application. OCSF has attributes for its name, which the event says, and for nothing else.

use super::{Context, Field};
use crate::ocsf::knowledge::AppCard;
use crate::ocsf::privacy::Personal;
use crate::ocsf::writer::Writer;

/// What the enrichment of an application holds.
pub fn data(w: &mut Writer<'_>, context: &Context<'_>, card: &AppCard) {
    context.text(w, "name", None, card.name.as_deref());
    context.text(w, "label", None, card.label.as_deref());
    context.text(w, "status", None, card.status.as_deref());
    context.text(w, "sign_on_mode", None, card.sign_on_mode.as_deref());
    if context.has(Field::ApplicationOwner) {
        context.text(w, "owner", Some(Personal::Name), card.owner.as_deref());
    }
}

/// The values of a card by which a person can be known.
pub fn personal(card: &AppCard) -> Vec<(Personal, Option<&str>)> {
    vec![(Personal::Name, card.owner.as_deref())]
}
