use std::collections::HashSet;
use std::sync::Arc;

use crate::config::Config;
use crate::error::Chain;
use crate::json::Lazy;
use crate::kafka::MAX_MESSAGE_BYTES;
use crate::landing::LandingRecord;
use crate::ocsf::validate::{Finding, Schema, Severity};
use crate::ocsf::{Class, EventTypes, Knowledge, Known, Mapper, Options, Source, Surroundings};
use crate::telemetry::metrics;

/// The largest record that is published; what is left of a message is for key, headers and framing.
pub(super) const MAX_RECORD_BYTES: usize = MAX_MESSAGE_BYTES - (64 << 10);

/// How many unknown event types are told by name; the metric counts further ones together. Okta adds a dozen types in a
/// month, so more than this is an attack on the metric or a wrong input.
const MOST_NAMES: usize = 100;

/// Why a record was not made: the reason code of the quarantine, and more for people.
pub type Refused = (&'static str, String);

/// Landing records to OCSF records, for one partition: maps them, checks a sample, tells of unknown event types.
pub struct Mapping {
    mapper: Mapper,
    options: Options,
    is_enriched: bool,
    validate_one_in: u64,
    told: HashSet<String>,
}

impl Mapping {
    /// As the configuration says; `types` were read from it.
    pub fn new(config: &Config, types: Arc<EventTypes>) -> Self {
        let (publish, enrichment) = (&config.publish, &config.enrichment);
        let options = Options { raw_data: publish.raw_data, unmapped: publish.unmapped };
        let mapper = Mapper::new(types, options).with_enrichment(enrichment.enrichment());
        Self {
            mapper: mapper.with_privacy(config.privacy.privacy()),
            options,
            is_enriched: enrichment.enabled,
            validate_one_in: u64::from(publish.validate_one_in),
            told: HashSet::new(),
        }
    }

    /// The record of the landing record at an offset, whose value is `event`, with what the inventory knows as of the event.
    /// What would make it too large is left out: first `raw_data`, then what the inventory adds.
    pub fn map(
        &mut self,
        offset: u64,
        record: &LandingRecord,
        event: &Lazy<'_>,
        knowledge: Option<&dyn Knowledge>,
    ) -> Result<(Class, Vec<u8>), Refused> {
        let (class, json) = self.fitting(record, event, knowledge)?;
        // By the offset, not by chance: the same log gives the same output.
        if self.validate_one_in > 0 && offset.is_multiple_of(self.validate_one_in) {
            validate(&json)?;
        }
        Ok((class, json))
    }

    fn fitting(
        &mut self,
        record: &LandingRecord,
        event: &Lazy<'_>,
        knowledge: Option<&dyn Knowledge>,
    ) -> Result<(Class, Vec<u8>), Refused> {
        let source = Source { org: &record.org, landed_at: Some(record.landed_at), bytes: &record.value };
        let knowledge = knowledge.filter(|_| self.is_enriched);
        // What cannot be read is read once more, which says why.
        let document = event.document().ok().copied();
        let around = Surroundings { knowledge, is_historical: record.origin.is_history(), document };
        let without_raw = Options { raw_data: false, ..self.options };
        let alone = Surroundings { knowledge: None, ..around };
        for (options, around) in [(self.options, around), (without_raw, around), (without_raw, alone)] {
            let mut json = Vec::new();
            self.mapper.set_options(options);
            let mapped = self.mapper.map_within(source, around, &mut json);
            let mapped = mapped.map_err(|error| (error.reason(), Chain(&error).to_string()))?;
            if json.len() <= MAX_RECORD_BYTES {
                if mapped.known != Known::Listed {
                    self.tell(mapped.known);
                }
                return Ok((mapped.class, json));
            }
        }
        Err(("too_large", format!("the record would be larger than {MAX_RECORD_BYTES} bytes")))
    }

    /// Counts an event of a type that the table does not list, and warns the first time.
    fn tell(&mut self, known: Known) {
        let event_type = self.mapper.event_type();
        if self.told.contains(event_type) {
            return metrics::unlisted_event_type(event_type);
        }
        if self.told.len() >= MOST_NAMES || !is_name(event_type) {
            return metrics::unlisted_event_type("other");
        }
        let mapped_by = if known == Known::Family { "the rule of its family" } else { "Base Event" };
        tracing::warn!(
            event_type,
            mapped_by,
            "an event type that the table does not list; publish.event_types can say what it is"
        );
        metrics::unlisted_event_type(event_type);
        self.told.insert(event_type.to_owned());
    }
}

/// Whether a text looks like the name of an event type; what does not is not repeated in logs and labels.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=128).contains(&text.len()) && text.bytes().all(plain)
}

/// Checks a finished record.
pub(super) fn validate(json: &[u8]) -> Result<(), Refused> {
    let findings = Schema::embedded().check(json);
    metrics::validated();
    let errors: Vec<&Finding> = findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    if errors.is_empty() {
        return Ok(());
    }
    // Codes and paths only: messages quote values.
    let said: Vec<String> = errors.iter().take(5).map(|error| format!("{} at {}", error.code, error.path)).collect();
    Err(("invalid_record", format!("{} errors by the OCSF schema: {}", errors.len(), said.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_record_is_refused_with_codes_and_paths_and_no_values() {
        let (reason, detail) = validate(br#"{"class_uid":3002,"secret":"hunter2"}"#).unwrap_err();
        assert_eq!(reason, "invalid_record");
        assert!(detail.contains("attribute_unknown at secret"), "{detail}");
        assert!(!detail.contains("hunter2"), "{detail}");
    }

    #[test]
    fn only_names_are_told() {
        for (text, told) in [("user.session.start", true), ("", false), ("a b", false), ("x\u{1b}[31m", false)] {
            assert_eq!(is_name(text), told, "{text:?}");
        }
        assert!(!is_name(&"x".repeat(129)));
    }
}
