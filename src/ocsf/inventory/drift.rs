//! Detection Finding (2004): something changed in the org, and no event announced it.

use uuid::Uuid;

use super::basis::{About, enrichment};
use super::{Collection, frame};
use crate::ocsf::Class;
use crate::ocsf::enums::Observable;
use crate::ocsf::writer::Writer;
use crate::okta::OrgId;

/// Namespace of the uids of findings; any constant will do, as long as it never changes.
const FINDINGS: Uuid = Uuid::from_u128(0xd07f_19a4_3b6c_4e58_9c21_7ad5_e80b_36f1);

/// A change that no event announced.
#[derive(Debug, Clone, Copy)]
pub struct DriftFacts<'a> {
    /// The org.
    pub org: &'a OrgId,
    /// The collection of what has changed.
    pub collection: &'static Collection,
    /// The facet.
    pub facet: &'a str,
    /// The key.
    pub key: &'a str,
    /// Which way: `changed`, `appeared` or `vanished`.
    pub way: &'a str,
    /// It happened between these times, ms since the Unix epoch by Okta's clock. The first is not known if it was never
    /// seen before.
    pub between: (Option<i64>, i64),
}

/// Writes the record.
pub(super) fn write(w: &mut Writer<'_>, facts: &DriftFacts<'_>) {
    let DriftFacts { org, collection, facet, key, way, between } = *facts;
    let name = format!("drift\n{org}\n{facet}\n{key}\n{way}\n{}", between.1);
    frame::head(w, Class::DetectionFinding, (1, "Create"), between.1, frame::INFORMATIONAL);
    w.text("message", &format!("{} {way}, and no event of the System Log announced it", collection.kind));
    w.fragment(r#""status_id":1,"status":"New","is_alert":false"#);
    w.object("finding_info", |w| {
        let uid = Uuid::new_v5(&FINDINGS, name.as_bytes());
        w.text("uid", uid.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
        w.text("title", &format!("Unannounced: {} {way}", collection.kind));
        w.array("types", |w| w.text_item("drift"));
        if let Some(since) = between.0 {
            w.number("first_seen_time", since);
        }
        w.number("last_seen_time", between.1);
        w.fragment(r#""data_sources":["Okta inventory"]"#);
    });
    // Of what stands alone in its list the key says nothing.
    let id = key.rsplit('/').next().filter(|id| !matches!(*id, "" | "-"));
    w.array("resources", |w| {
        w.item(|w| {
            match id {
                Some(id) => w.observe_text("uid", id, Observable::ResourceUid),
                None => w.text("name", collection.kind),
            }
            w.text("type", collection.kind);
            w.fragment(r#""role_id":1,"role":"Target""#);
        });
    });
    w.observables();
    let about = match id {
        Some(_) => About::Observable(Observable::ResourceUid),
        None => About::Collection(collection.name),
    };
    w.array("enrichments", |w| {
        enrichment(w, about, "drift", |w| {
            w.text("facet", facet);
            w.text("key", key);
            w.text("way", way);
            if let Some(since) = between.0 {
                w.number("since", since);
            }
            w.number("until", between.1);
        });
    });
    frame::metadata(w, org, collection.name, &name, |_| {});
}
