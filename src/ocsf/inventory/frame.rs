//! What every record of the inventory has.

use uuid::Uuid;

use super::{Activity, Observed, Related};
use crate::json::{Document, Value, push_escaped};
use crate::ocsf::parts::base;
use crate::ocsf::writer::{Memory, Writer};
use crate::ocsf::{Class, Options, unmapped};

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
        w.array("enrichments", enrichments);
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
        let (activity, name) = match observed.activity {
            Activity::Log => (1, "Log"),
            Activity::Collect => (2, "Collect"),
        };
        let (category, category_name) = self.class.category();
        let class = self.class.uid();
        w.number("category_uid", i64::from(category));
        w.text("category_name", category_name);
        w.number("class_uid", i64::from(class));
        w.text("class_name", self.class.caption());
        w.number("activity_id", activity);
        w.text("activity_name", name);
        w.number("type_uid", i64::from(class) * 100 + activity);
        w.text("type_name", &format!("{}: {name}", self.class.caption()));
        w.number("time", observed.at);
        w.fragment(r#""severity_id":1,"severity":"Informational""#);
        w.copy("status_code", self.status);
    }

    fn metadata(&self, w: &mut Writer<'_>, observed: &Observed<'_>) {
        w.object("metadata", |w| {
            w.fragment(r#""version":"1.8.0","product":{"name":"Okta","vendor_name":"Okta"}"#);
            w.fragment(r#""log_name":"Okta inventory","log_provider":"Okta""#);
            w.text("uid", self.uid(observed).hyphenated().encode_lower(&mut Uuid::encode_buffer()));
            w.text("tenant_uid", observed.org.as_str());
            w.text("event_code", self.collection);
            w.copy("original_time", self.updated);
            base::mapping(w);
        });
    }

    /// The same for the same object of the same org at the same time, wherever it is mapped.
    fn uid(&self, observed: &Observed<'_>) -> Uuid {
        let within = self.within.map(|within| within.uid).unwrap_or_default();
        let id = self.id.map(Value::decoded).unwrap_or_default();
        // The length tells where one id ends and the other begins.
        let (org, collection, length) = (observed.org, self.collection, within.len());
        let name = format!("{org}\n{collection}\n{}\n{length}\n{within}{id}", observed.at);
        Uuid::new_v5(&OBSERVATIONS, name.as_bytes())
    }
}
