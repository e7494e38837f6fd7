//! LogEvent in, OCSF 1.8.0 record out. Pure: no state, no clock, no I/O; the same input gives the same bytes.
//!
//! `event_types` says which class and activity an event type is, one file a class says how its record is made,
//! `objects` holds the narrow OCSF objects that the classes share, and `unmapped` accounts for what no attribute took.

mod authentication;
mod base_event;
mod event_types;
mod objects;
mod parts;
mod unmapped;

use serde::Serialize;

use crate::okta::{LogEvent, OrgId, is_object, parse_ms};

/// The OCSF schema version that every record conforms to.
pub const OCSF_VERSION: &str = "1.8.0";

/// Changes whenever the same event would give another record; stamped on every record.
pub const MAPPING_VERSION: &str = "1";

/// The OCSF classes that records are published as; each has its own topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Base Event (0): the valid home of what has no class of its own.
    BaseEvent,
    /// Authentication (3002).
    Authentication,
}

impl Class {
    /// Every class, in the order of their uids.
    pub const ALL: [Self; 2] = [Self::BaseEvent, Self::Authentication];

    /// The schema's name of the class, as topics use it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BaseEvent => "base_event",
            Self::Authentication => "authentication",
        }
    }

    /// `class_uid` of the schema.
    pub fn uid(self) -> u32 {
        match self {
            Self::BaseEvent => 0,
            Self::Authentication => 3002,
        }
    }
}

/// What the mapping adds besides the event itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Options {
    /// Keep the source text in `raw_data`.
    pub raw_data: bool,
    /// Keep what no attribute took in `unmapped`.
    pub unmapped: bool,
}

/// An event together with what only the pipeline knows of it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The org that it is about; from configuration.
    pub org: &'a OrgId,
    /// When it was landed, ms since the Unix epoch; `None` where nothing was landed (`transform`).
    pub landed_at: Option<i64>,
    /// The LogEvent JSON as received.
    pub bytes: &'a [u8],
}

/// A finished OCSF record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Decides the topic.
    pub class: Class,
    /// One line of JSON without the line end.
    pub json: Vec<u8>,
}

/// Why an event cannot become a valid record. Always poison: the same bytes fail again.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// The bytes are not a LogEvent, not even an object.
    #[error("the event is not a System Log event")]
    NotLogEvent(#[source] Option<serde_json::Error>),
    /// No `uuid`, so the event has no identity.
    #[error("the event has no uuid")]
    MissingUuid,
    /// No `published`, or not a time; OCSF requires `time`.
    #[error("the event has no published time")]
    MissingPublished,
    /// The record could not be written as JSON.
    #[error("the record cannot be written")]
    Unwritable(#[source] serde_json::Error),
}

impl MapError {
    /// The reason code under which the event is quarantined.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotLogEvent(_) => "not_log_event",
            Self::MissingUuid => "missing_uuid",
            Self::MissingPublished => "missing_published",
            Self::Unwritable(_) => "unwritable",
        }
    }
}

/// Maps one event to its record.
pub fn map(source: Source<'_>, options: Options) -> Result<Record, MapError> {
    if !is_object(source.bytes) {
        return Err(MapError::NotLogEvent(None));
    }
    let event: LogEvent<'_> =
        serde_json::from_slice(source.bytes).map_err(|error| MapError::NotLogEvent(Some(error)))?;
    let uuid = event.uuid.get().ok_or(MapError::MissingUuid)?;
    let published = event.published.get().ok_or(MapError::MissingPublished)?;
    let time = parse_ms(published).ok_or(MapError::MissingPublished)?;
    let context = parts::Context { source, options, event: &event, uuid, published, time };
    let authentication = event
        .event_type
        .get()
        .and_then(event_types::lookup)
        .and_then(|entry| authentication::map(&context, entry.activity_id));
    match authentication {
        Some(record) => write(Class::Authentication, &record),
        None => write(Class::BaseEvent, &base_event::map(&context)),
    }
}

fn write(class: Class, record: &impl Serialize) -> Result<Record, MapError> {
    let json = serde_json::to_vec(record).map_err(MapError::Unwritable)?;
    Ok(Record { class, json })
}

#[cfg(test)]
mod tests;
