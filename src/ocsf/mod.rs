//! LogEvent in, OCSF 1.8.0 record out. Pure: no clock, no I/O; the same input gives the same bytes.
//!
//! - `event_types` says which class and activity an event type is; `event` reads an event into sections and targets by
//!   role; `classes` has one file a class, made of `parts` that classes share.
//! - `enrich` adds what the inventory [knows](Knowledge) of whom an event names; [`privacy`] hides personal values.
//! - `writer` writes a record straight into the output and marks what it took; `unmapped` keeps the rest.
//! - [`validate`] checks finished records against the schema.
//!
//! `design.md` beside this file says why it is built so and where the time goes.

pub mod inventory;
pub mod privacy;
pub mod validate;

mod class;
mod classes;
mod enrich;
mod enums;
mod event;
mod event_types;
mod explain;
mod knowledge;
mod log_notice;
mod parts;
mod specimen;
mod unmapped;
mod writer;

use std::borrow::Cow;
use std::sync::Arc;

pub use class::Class;
pub use enrich::{Enrichment, Field};
pub use event_types::{Entry, EventTypes, FileError, Known, TableError};
pub use explain::{Destination, Leaf};
pub use knowledge::{
    AppCard, Confidence, DeviceCard, FactorCard, GroupId, Knowledge, Lookup, RoleCard, Sighted, UserCard,
};
pub use log_notice::{LogNotice, log_notice};
pub use specimen::specimen;

use crate::json::{Document, JsonFault, Kind, MAX_DEPTH, Tape, Value, push_escaped};
use crate::okta::{OrgId, parse_ms};
use enrich::Background;
use event::Event;
use parts::base::{self, Stamp};
use privacy::{Privacy, Values, Veil};
use writer::{Memory, TIMES, Writer, saying};

/// The OCSF schema version that every record conforms to.
pub const OCSF_VERSION: &str = "1.8.0";

/// Changes whenever the same event would give another record; stamped on every record.
pub const MAPPING_VERSION: &str = "3";

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

/// What is known around an event.
#[derive(Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// What the inventory knows as of the event; without it nothing is added.
    pub knowledge: Option<&'a dyn Knowledge>,
    /// The event was read from the past, long after it happened. The record says so.
    pub is_historical: bool,
    /// The event's bytes, where somebody has read them already. All marks in it are lost.
    pub document: Option<Document<'a>>,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped {
    /// Decides the topic.
    pub class: Class,
    /// How well its type is known.
    pub known: Known,
}

/// Why an event cannot become a valid record. Always poison: the same bytes fail again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// The bytes are not a LogEvent, not even an object.
    #[error("the event is not a System Log event")]
    NotLogEvent(#[source] Option<JsonFault>),
    /// No `uuid`, so the event has no identity.
    #[error("the event has no uuid")]
    MissingUuid,
    /// No `published`, or not a time; OCSF requires `time`.
    #[error("the event has no published time")]
    MissingPublished,
    /// A time that no event can have happened at.
    #[error("the event was published before 1973 or after 2286")]
    AbsurdPublished,
}

impl MapError {
    /// The reason code under which the event is quarantined.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotLogEvent(_) => "not_log_event",
            Self::MissingUuid => "missing_uuid",
            Self::MissingPublished => "missing_published",
            Self::AbsurdPublished => "absurd_published",
        }
    }
}

/// Maps one event after another, in memory that it keeps.
#[derive(Debug)]
pub struct Mapper {
    types: Arc<EventTypes>,
    options: Options,
    enrichment: Enrichment,
    privacy: Option<Privacy>,
    tape: Tape,
    embedded: Tape,
    /// The event with pseudonyms.
    veiled: Vec<u8>,
    memory: Memory,
    event_type: String,
}

impl Mapper {
    /// A mapper by a table.
    pub fn new(types: Arc<EventTypes>, options: Options) -> Self {
        Self {
            types,
            options,
            enrichment: Enrichment::default(),
            privacy: None,
            tape: Tape::default(),
            embedded: Tape::default(),
            veiled: Vec::new(),
            memory: Memory::default(),
            event_type: String::new(),
        }
    }

    /// With another choice of what the inventory adds.
    pub fn with_enrichment(self, enrichment: Enrichment) -> Self {
        Self { enrichment, ..self }
    }

    /// With pseudonyms for personal values. Then no record has `raw_data`, whatever the options say.
    pub fn with_privacy(self, privacy: Option<Privacy>) -> Self {
        Self { privacy, ..self }
    }

    /// Changes what is added besides the event.
    pub fn set_options(&mut self, options: Options) {
        self.options = options;
    }

    /// Appends the record of an event to `out`: one line of JSON without the line end. On an error nothing is appended.
    ///
    /// # Errors
    /// Why the event cannot become a valid record.
    pub fn map(&mut self, source: Source<'_>, out: &mut Vec<u8>) -> Result<Mapped, MapError> {
        self.map_within(source, Surroundings::default(), out)
    }

    /// Like [`Mapper::map`], with what is known around the event.
    ///
    /// # Errors
    /// As [`Mapper::map`].
    pub fn map_within(
        &mut self,
        source: Source<'_>,
        around: Surroundings<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Mapped, MapError> {
        self.run(source, around, out, |_, _| ()).map(|(mapped, ())| mapped)
    }

    /// Where each leaf of an event goes; the record itself is appended to `out` as by [`Mapper::map`].
    ///
    /// # Errors
    /// As [`Mapper::map`].
    pub fn explain(&mut self, source: Source<'_>, out: &mut Vec<u8>) -> Result<(Mapped, Vec<Leaf>), MapError> {
        let unmapped = self.options.unmapped;
        self.memory.trace = Some(Vec::new());
        let explained = self.run(source, Surroundings::default(), out, |document, memory| {
            unmapped::judge(document);
            explain::leaves(document, memory.trace.as_deref().unwrap_or_default(), unmapped)
        });
        self.memory.trace = None;
        explained
    }

    /// The type of the latest event that was mapped although the table does not list it.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The row of the table for an event type.
    pub fn entry(&self, event_type: &str) -> (Known, Cow<'_, Entry>) {
        self.types.find(event_type)
    }

    fn run<R>(
        &mut self,
        source: Source<'_>,
        around: Surroundings<'_>,
        out: &mut Vec<u8>,
        then: impl FnOnce(&Document<'_>, &Memory) -> R,
    ) -> Result<(Mapped, R), MapError> {
        let Self { types, options, enrichment, privacy, tape, embedded, veiled, memory, event_type: unlisted } = self;
        let text = one_line(source.bytes);
        // A text of several lines is another one as soon as it stands on one.
        let as_it_came = around.document.filter(|_| matches!(text, Cow::Borrowed(_)));
        let veil = match privacy {
            Some(privacy) => {
                let document = read(tape, &text, as_it_came)?;
                Some(draw_veil(privacy, source, &document, enrichment, around, veiled)?)
            }
            None => None,
        };
        let document = match veil {
            Some(_) => read(tape, veiled, None)?,
            None => read(tape, &text, as_it_came)?,
        };
        let mut event = Event::of(&document);
        let stamp = Stamp { is_historical: around.is_historical, ..stamp(source, &event)? };
        let embedded_text = event.debug.log_only_security_data.and_then(Value::as_str).unwrap_or_default();
        let embedded = if embedded_text.is_empty() { None } else { embedded.read(embedded_text.as_bytes()).ok() };
        event.embedded = embedded.as_ref().and_then(parts::risk::embedded);
        if let Some(context) = context(enrichment, around, stamp.time, veil.as_ref()) {
            event.background = Background::of(&event, context);
        }

        let event_type = event.log.event_type.and_then(Value::as_str).unwrap_or_default();
        let (known, entry) = types.find(&event_type);
        if known != Known::Listed {
            unlisted.clear();
            unlisted.push_str(&event_type);
        }
        let entry = classes::fitting(&event, entry);

        // Twice the source for `raw_data` and the attributes, and what every record has: no growing in the middle.
        out.reserve(source.bytes.len() * 3 + 2048);
        let mut writer = Writer::new(out, memory);
        base::head(&mut writer, &event, &entry);
        classes::write(&mut writer, &event, &entry);
        base::tail(&mut writer, &event, &entry, &stamp);
        if options.unmapped {
            unmapped::judge(&document);
            unmapped::write(writer.out(), &document);
        }
        // The source has in clear what is hidden elsewhere.
        if options.raw_data && veil.is_none() {
            raw_data(&mut writer, source.bytes, document.text());
        }
        writer.finish();
        Ok((Mapped { class: entry.class, known }, then(&document, memory)))
    }
}

/// Reads an event, unless it was read before.
fn read<'a>(tape: &'a mut Tape, text: &'a [u8], before: Option<Document<'a>>) -> Result<Document<'a>, MapError> {
    let document = match before {
        Some(document) => {
            document.unmark();
            document
        }
        None => tape.read(text).map_err(|fault| MapError::NotLogEvent(Some(fault)))?,
    };
    if document.root().kind() != Kind::Object {
        return Err(MapError::NotLogEvent(None));
    }
    // In a record the event is one deeper, in `unmapped`.
    if document.depth() >= MAX_DEPTH {
        return Err(MapError::NotLogEvent(Some(JsonFault::TooDeep)));
    }
    Ok(document)
}

/// What an event is enriched by, if it is.
fn context<'a>(
    enrichment: &'a Enrichment,
    around: Surroundings<'a>,
    time: i64,
    veil: Option<&'a Veil>,
) -> Option<enrich::Context<'a>> {
    let knowledge = around.knowledge?;
    Some(enrich::Context { enrichment, knowledge, veil, is_historical: around.is_historical, time })
}

/// Writes an event with pseudonyms; gives how others that the inventory knows of its people are hidden.
fn draw_veil(
    privacy: &Privacy,
    source: Source<'_>,
    document: &Document<'_>,
    enrichment: &Enrichment,
    around: Surroundings<'_>,
    veiled: &mut Vec<u8>,
) -> Result<Veil, MapError> {
    let event = Event::of(document);
    let stamp = stamp(source, &event)?;
    let pseudonyms = privacy.of(source.org);
    let mut values = Values::default();
    pseudonyms.note(document, &mut values);
    if let Some(context) = context(enrichment, around, stamp.time, None) {
        Background::of(&event, context).note(&pseudonyms, &mut values);
    }
    veiled.clear();
    pseudonyms.rewrite(document, &values, veiled);
    Ok(Veil { pseudonyms, values })
}

fn stamp<'a>(source: Source<'a>, event: &Event<'a>) -> Result<Stamp<'a>, MapError> {
    // A text, or a number that some pipeline made of one; any other kind would make one event of many.
    let is_id = |uuid: &Value<'_>| matches!(uuid.kind(), Kind::String | Kind::Integer);
    let uuid = saying(event.log.uuid).filter(is_id).ok_or(MapError::MissingUuid)?;
    let published = saying(event.log.published).ok_or(MapError::MissingPublished)?;
    let time = published.as_str().and_then(|text| parse_ms(&text)).ok_or(MapError::MissingPublished)?;
    if TIMES.contains(&time) {
        Ok(Stamp { source, uuid, time, is_historical: false })
    } else {
        Err(MapError::AbsurdPublished)
    }
}

/// The text without the line ends and the space of a pretty print, so that spans of it fit on a line. Line ends cannot
/// be in strings.
fn one_line(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\n', b'\r', text).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect())
}

/// `raw_data`: the source exactly as received.
fn raw_data(w: &mut Writer<'_>, bytes: &[u8], one_line: &str) {
    w.key("raw_data");
    let out = w.out();
    out.push(b'"');
    // The document was read, so the bytes are UTF-8; they differ from its text at most in line ends.
    push_escaped(out, std::str::from_utf8(bytes).unwrap_or(one_line));
    out.push(b'"');
}

#[cfg(test)]
mod tests;
