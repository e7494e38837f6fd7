//! What every record has: time, severity, status, message, metadata.

use uuid::Uuid;

use crate::json::Value;
use crate::ocsf::event::Event;
use crate::ocsf::event_types::Entry;
use crate::ocsf::writer::{Writer, saying};
use crate::ocsf::{Class, MAPPING_VERSION, Source};

/// Namespace of `metadata.uid`; any constant will do, as long as it never changes.
const RECORDS: Uuid = Uuid::from_u128(0x4f1c_5a0e_7d33_4b52_9a51_0c5d_6e8f_2b47);

/// What only the pipeline, not the event, decides.
pub struct Stamp<'a> {
    /// Where the event comes from.
    pub source: Source<'a>,
    /// Okta's uuid.
    pub uuid: Value<'a>,
    /// `published` in ms.
    pub time: i64,
    /// It was read from the past.
    pub is_historical: bool,
}

/// The class, category, type and activity.
pub fn head(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    w.fragment(&entry.head);
    // The schema reserves the word "Other" for those who do not know a better one.
    let name = event.log.event_type.filter(|name| !name.is("Other"));
    if entry.activity.is_empty() && !w.copy("activity_name", name) {
        w.text("activity_name", "Unclassified");
    }
}

/// Everything that follows the attributes of the class, except `unmapped` and `raw_data`.
pub fn tail(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry, stamp: &Stamp<'_>) {
    w.number("time", stamp.time);
    severity(w, event.log.severity);
    status(w, event, entry);
    w.copy("message", event.log.display_message);
    w.observables();
    super::enrichments::enrichments(w, event, entry);
    metadata(w, event, stamp);
}

/// Okta has four levels. None of them says that something must be done at once, so nothing is above High.
fn severity(w: &mut Writer<'_>, severity: Option<Value<'_>>) {
    match saying(severity).and_then(Value::word) {
        Some("DEBUG" | "INFO") => w.fragment(r#""severity_id":1,"severity":"Informational""#),
        Some("WARN") => w.fragment(r#""severity_id":3,"severity":"Medium""#),
        Some("ERROR") => w.fragment(r#""severity_id":4,"severity":"High""#),
        _ => {
            if !w.wrote(|w| w.other("severity_id", "severity", severity)) {
                w.fragment(r#""severity_id":0,"severity":"Unknown""#);
            }
        }
    }
}

/// `status`, `status_code` and `status_detail`.
fn status(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let result = event.outcome.result;
    if entry.class == Class::DetectionFinding {
        finding_status(w, entry);
    } else {
        match (result.and_then(Value::word), entry.class) {
            _ if entry.defaults.refusal => w.fragment(r#""status_id":2,"status":"Failure""#),
            (Some("SUCCESS" | "ALLOW"), _) => w.fragment(r#""status_id":1,"status":"Success""#),
            (Some("FAILURE" | "DENY" | "RATE_LIMIT"), _) => w.fragment(r#""status_id":2,"status":"Failure""#),
            // Nobody signed in by a challenge that was left alone.
            (Some("ABANDONED" | "UNANSWERED"), Class::Authentication) => {
                w.fragment(r#""status_id":2,"status":"Failure""#);
            }
            _ => other_status(w, result, entry),
        }
    }
    w.copy("status_code", result);
    if !w.copy("status_detail", event.outcome.reason) {
        w.copy("status_detail", event.debug.error_message);
    }
}

/// The outcome's own word (CHALLENGE, SKIPPED, DEFERRED …); without one, what the type of the event says.
fn other_status(w: &mut Writer<'_>, result: Option<Value<'_>>, entry: &Entry) {
    if w.wrote(|w| w.other("status_id", "status", result)) {
        return;
    }
    match (result, entry.defaults.success) {
        (Some(_), _) => w.fragment(r#""status_id":0,"status":"Unknown""#),
        (None, Some(true)) => w.fragment(r#""status_id":1,"status":"Success""#),
        (None, Some(false)) => w.fragment(r#""status_id":2,"status":"Failure""#),
        (None, None) => {}
    }
}

/// In a finding the status is the finding's own; the outcome of the request is in `status_code`.
fn finding_status(w: &mut Writer<'_>, entry: &Entry) {
    match entry.activity_id {
        1 => w.fragment(r#""status_id":1,"status":"New""#),
        3 => w.fragment(r#""status_id":4,"status":"Resolved""#),
        _ => {}
    }
}

fn metadata(w: &mut Writer<'_>, event: &Event<'_>, stamp: &Stamp<'_>) {
    w.object("metadata", |w| {
        w.fragment(
            r#""version":"1.8.0","product":{"name":"Okta","vendor_name":"Okta"},"log_name":"Okta System Log","log_provider":"Okta""#,
        );
        w.text("uid", record_uid(stamp).hyphenated().encode_lower(&mut Uuid::encode_buffer()));
        w.copy("original_event_uid", Some(stamp.uuid));
        w.text("tenant_uid", stamp.source.org.as_str());
        w.copy("event_code", event.log.event_type);
        w.copy("log_level", event.log.severity);
        w.copy("log_version", event.log.version);
        w.copy("original_time", event.log.published);
        if let Some(landed_at) = stamp.source.landed_at {
            w.number("logged_time", landed_at);
        }
        w.copy("correlation_uid", event.transaction.id);
        mapping(w);
        if stamp.is_historical {
            w.fragment(r#""labels":["historical"]"#);
        }
        w.profiles();
    });
}

/// `transformation_info_list`: which mapping made the record.
pub fn mapping(w: &mut Writer<'_>) {
    w.array("transformation_info_list", |w| {
        w.item(|w| {
            w.fragment(r#""name":"okta-ocsf""#);
            w.text("uid", MAPPING_VERSION);
        });
    });
}

/// The same for the same event of the same org, wherever and whenever it is mapped.
fn record_uid(stamp: &Stamp<'_>) -> Uuid {
    let org = stamp.source.org.as_str();
    let uuid = stamp.uuid.decoded();
    let mut name = Vec::with_capacity(org.len() + 1 + uuid.len());
    name.extend_from_slice(org.as_bytes());
    name.push(b'\n');
    name.extend_from_slice(uuid.as_bytes());
    Uuid::new_v5(&RECORDS, &name)
}
