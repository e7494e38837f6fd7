//! Application Error (6008): the inventory cannot be trusted as it should, and a person should look.

use super::basis::{About, enrichment};
use super::frame;
use crate::ocsf::Class;
use crate::ocsf::writer::Writer;
use crate::okta::OrgId;

/// An alert about the reading of the inventory.
#[derive(Debug, Clone, Copy)]
pub struct AlertFacts<'a> {
    /// The org.
    pub org: &'a OrgId,
    /// The collection that it is about.
    pub collection: &'a str,
    /// What is wrong, in a word.
    pub kind: &'a str,
    /// What is wrong and what to do, for people.
    pub says: &'a str,
    /// What it is about, if it is one thing.
    pub key: &'a str,
    /// The snapshot, ms since the Unix epoch by Okta's clock.
    pub epoch: i64,
    /// When it came out, ms since the Unix epoch.
    pub at: i64,
    /// Numbers that belong to it, by name.
    pub numbers: &'a [(&'static str, u64)],
}

/// Writes the record.
pub(super) fn write(w: &mut Writer<'_>, facts: &AlertFacts<'_>) {
    frame::head(w, Class::ApplicationError, (1, "General Error"), facts.at, frame::MEDIUM);
    w.text("message", facts.says);
    w.fragment(r#""status_id":2,"status":"Failure""#);
    w.text("status_code", facts.kind);
    w.array("enrichments", |w| {
        enrichment(w, About::Collection(facts.collection), "alert", |w| {
            w.text("kind", facts.kind);
            w.number("epoch", facts.epoch);
            if !facts.key.is_empty() {
                w.text("key", facts.key);
            }
            for (name, number) in facts.numbers {
                w.number(name, i64::try_from(*number).unwrap_or(i64::MAX));
            }
        });
    });
    let name = format!("alert\n{}\n{}\n{}\n{}\n{}", facts.org, facts.collection, facts.kind, facts.key, facts.epoch);
    frame::metadata(w, facts.org, facts.collection, &name, |_| {});
}
