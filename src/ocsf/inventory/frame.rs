//! What every record of the inventory has.

use uuid::Uuid;

use super::basis::{self, About};
use super::{Activity, Observed, Related};
use crate::json::{Document, Value, push_escaped};
use crate::ocsf::enums::Observable;
use crate::ocsf::parts::base;
use crate::ocsf::privacy::Pseudonyms;
use crate::ocsf::writer::{Memory, Writer};
use crate::ocsf::{Class, Options, unmapped};
use crate::okta::OrgId;

/// Namespace of `metadata.uid`; any constant will do, as long as it never changes.
const OBSERVATIONS: Uuid = Uuid::from_u128(0x8b0e_6a55_2f0c_4f0e_b7c1_57a9_d3e4_1c96);

/// What the rest of a record stands in.
pub struct Frame<'a> {
    pub class: Class,
    /// The collection that the object is of; the record's `event_code`.
    pub collection: &'static str,
    pub within: Option<Related<'a>>,
    /// Nothing if there is only one such object.
    pub id: Option<Value<'a>>,
    pub status: Option<Value<'a>>,
    /// When it was last changed.
    pub updated: Option<Value<'a>>,
}

/// Where a record is written, and of what.
pub struct Paper<'a, 'o> {
    pub options: Options,
    pub document: &'a Document<'a>,
    pub memory: &'o mut Memory,
    /// How personal values are hidden in what the record was not made of: what the object said before.
    pub pseudonyms: Option<Pseudonyms>,
    pub out: &'o mut Vec<u8>,
}

impl Frame<'_> {
    /// Writes a record. `class` writes the attributes of the class, and returns how its enrichments are written, which
    /// refer to what it has observed.
    pub fn write<E: FnOnce(&mut Writer<'_>)>(
        self,
        observed: &Observed<'_>,
        paper: Paper<'_, '_>,
        class: impl FnOnce(&mut Writer<'_>) -> E,
    ) -> Class {
        // Twice the source for `raw_data` and the attributes, and what every record has: no growing in the middle.
        paper.out.reserve(paper.document.text().len() * 3 + 2048);
        let mut writer = Writer::new(paper.out, paper.memory);
        let w = &mut writer;
        self.head(w, observed);
        let enrichments = class(w);
        w.observables();
        w.array("enrichments", |w| {
            enrichments(w);
            if let Some(basis) = observed.basis {
                basis::write(w, basis, self.about(), paper.pseudonyms.as_ref());
            }
        });
        self.metadata(w, observed);
        if paper.options.unmapped {
            unmapped::judge(paper.document);
            unmapped::write(w.out(), paper.document);
        }
        if paper.options.raw_data {
            w.key("raw_data");
            let out = w.out();
            out.push(b'"');
            push_escaped(out, paper.document.text());
            out.push(b'"');
        }
        writer.finish();
        self.class
    }

    fn head(&self, w: &mut Writer<'_>, observed: &Observed<'_>) {
        let activity = match observed.activity {
            Activity::Log => (1, "Log"),
            Activity::Collect => (2, "Collect"),
        };
        head(w, self.class, activity, observed.at, INFORMATIONAL);
        w.copy("status_code", self.status);
    }

    /// What every record of the class has an observable of.
    fn about(&self) -> About<'_> {
        match self.class {
            Class::UserInventory => About::Observable(Observable::UserUid),
            Class::InventoryInfo => About::Observable(Observable::DeviceUid),
            // The first one would be what it is within.
            _ if self.id.is_none() => About::Collection(self.collection),
            _ => About::Observable(Observable::ResourceUid),
        }
    }

    fn metadata(&self, w: &mut Writer<'_>, observed: &Observed<'_>) {
        metadata(w, observed.org, self.collection, &self.name(observed), |w| {
            if let Some(uid) = observed.basis.and_then(|basis| basis.correlation(observed.org)) {
                w.text("correlation_uid", uid.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
            }
            w.copy("original_time", self.updated);
        });
    }

    /// The same for the same object of the same org at the same time and for the same reason, wherever it is mapped.
    fn name(&self, observed: &Observed<'_>) -> String {
        let within = self.within.map(|within| within.uid).unwrap_or_default();
        let id = self.id.map(Value::decoded).unwrap_or_default();
        // The length tells where one id ends and the other begins.
        let (org, collection, length) = (observed.org, self.collection, within.len());
        let name = format!("{org}\n{collection}\n{}\n{length}\n{within}{id}", observed.at);
        match observed.basis.map(basis::Basis::occasion).filter(|occasion| !occasion.is_empty()) {
            Some(occasion) => format!("{name}\n{occasion}"),
            None => name,
        }
    }
}

/// How severe what a record says is.
pub const INFORMATIONAL: &str = r#""severity_id":1,"severity":"Informational""#;
pub const MEDIUM: &str = r#""severity_id":3,"severity":"Medium""#;

/// The class, the activity, the time and the severity.
pub fn head(w: &mut Writer<'_>, class: Class, (activity, name): (i64, &str), time: i64, severity: &str) {
    let (category, category_name) = class.category();
    let uid = i64::from(class.uid());
    w.number("category_uid", i64::from(category));
    w.text("category_name", category_name);
    w.number("class_uid", uid);
    w.text("class_name", class.caption());
    w.number("activity_id", activity);
    w.text("activity_name", name);
    w.number("type_uid", uid * 100 + activity);
    w.text("type_name", &format!("{}: {name}", class.caption()));
    w.number("time", time);
    w.fragment(severity);
}

/// Where a record comes from. Its uid is made of `name`; `more` writes what belongs to the record alone.
pub fn metadata(w: &mut Writer<'_>, org: &OrgId, code: &str, name: &str, more: impl FnOnce(&mut Writer<'_>)) {
    let uid = Uuid::new_v5(&OBSERVATIONS, name.as_bytes());
    w.object("metadata", |w| {
        w.fragment(r#""version":"1.8.0","product":{"name":"Okta","vendor_name":"Okta"}"#);
        w.fragment(r#""log_name":"Okta inventory","log_provider":"Okta""#);
        w.text("uid", uid.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
        w.text("tenant_uid", org.as_str());
        w.text("event_code", code);
        more(w);
        base::mapping(w);
    });
}
