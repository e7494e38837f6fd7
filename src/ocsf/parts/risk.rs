//! Risk in the forms in which Okta writes it: `{level=LOW}`, `{reasons=A, B, level=HIGH}` (with commas inside the
//! reasons), the same without braces, an object, and inside `logOnlySecurityData`, which is JSON in a text. What cannot
//! be read is kept as text and never an error.

use crate::json::{Document, Kind, Value};
use crate::ocsf::event::Event;
use crate::ocsf::writer::{Writer, saying};
use crate::okta::Risk;

/// `risk_level` and `risk_details`, from the first source that has a level, else from the first that has anything.
pub fn risk(w: &mut Writer<'_>, event: &Event<'_>) {
    let debug = &event.debug;
    let fields = Risk { level: debug.risk_level, reasons: debug.risk_reasons, detection_name: None };
    let sources = [
        debug.risk.and_then(Source::of),
        event.security.risk.and_then(Source::of),
        event.embedded_risk().map(|risk| Source::Object { risk, is_embedded: event.embedded.is_some() }),
        Some(Source::Object { risk: fields, is_embedded: false }),
    ];
    let sources = || sources.iter().flatten();
    if let Some(source) = sources().find(|source| source.level().is_some()).or_else(|| sources().find(|s| s.says())) {
        source.write(w);
    }
}

/// One place where an event tells of its risk.
enum Source<'a> {
    /// A text, and what it says if it can be read.
    Text(Value<'a>, Option<Text<'a>>),
    /// An object, or two fields that stand for one.
    Object {
        risk: Risk<'a>,
        /// It is in a text, so its values have no place in the event.
        is_embedded: bool,
    },
}

impl<'a> Source<'a> {
    fn of(value: Value<'a>) -> Option<Self> {
        match value.kind() {
            Kind::Object => Some(Self::Object { risk: Risk::of(Some(value)), is_embedded: false }),
            _ => saying(Some(value)).map(|value| Self::Text(value, Text::read(value.span()))),
        }
    }

    /// The level's word, if it is one that can be written.
    fn level(&self) -> Option<&'a str> {
        let word = match self {
            Self::Text(_, text) => text.as_ref()?.level,
            Self::Object { risk, .. } => saying(risk.level)?.span(),
        };
        // The schema reserves the caption "Other" for those who do not know the word.
        (word != "Other").then_some(word)
    }

    fn says(&self) -> bool {
        match self {
            Self::Text(..) => true,
            Self::Object { risk, .. } => saying(risk.reasons).is_some() || !reasons(risk).is_empty(),
        }
    }

    fn write(&self, w: &mut Writer<'_>) {
        match (self, self.level()) {
            (Self::Text(value, Some(text)), Some(word)) => {
                level(w, word);
                if let Some(reasons) = text.reasons {
                    w.escaped_text("risk_details", reasons);
                }
                w.implied(Some(*value), "risk_level");
            }
            (Self::Text(value, _), _) => {
                w.copy("risk_details", Some(*value));
            }
            (Self::Object { risk, is_embedded }, word) => {
                if let Some(word) = word {
                    level(w, word);
                }
                let listed = reasons(risk);
                match saying(risk.reasons) {
                    Some(text) => w.escaped_text("risk_details", text.span()),
                    None if listed.is_empty() => {}
                    None => {
                        let texts: Vec<&str> = listed.iter().map(|reason| reason.span()).collect();
                        w.escaped_text("risk_details", &texts.join(", "));
                    }
                }
                if !is_embedded {
                    w.implied(risk.level.filter(|_| word.is_some()), "risk_level");
                    w.implied(saying(risk.reasons), "risk_details");
                    listed.into_iter().for_each(|reason| w.implied(Some(reason), "risk_details"));
                }
            }
        }
    }
}

/// The reasons where they are a list; written as one text, as Okta itself writes them elsewhere.
fn reasons<'a>(risk: &Risk<'a>) -> Vec<Value<'a>> {
    let list = risk.reasons.filter(|reasons| reasons.kind() == Kind::Array);
    list.into_iter().flat_map(Value::children).filter(|reason| saying(Some(*reason)).is_some()).collect()
}

/// `risk_level_id` and `risk_level`; a level that OCSF does not list keeps its word.
fn level(w: &mut Writer<'_>, word: &str) {
    let known = match word {
        "LOW" => r#""risk_level_id":1,"risk_level":"Low""#,
        "MEDIUM" => r#""risk_level_id":2,"risk_level":"Medium""#,
        "HIGH" => r#""risk_level_id":3,"risk_level":"High""#,
        "CRITICAL" => r#""risk_level_id":4,"risk_level":"Critical""#,
        other => {
            w.number("risk_level_id", 99);
            return w.escaped_text("risk_level", other);
        }
    };
    w.fragment(known);
}

/// The textual form, read.
#[derive(Debug, PartialEq, Eq)]
struct Text<'a> {
    level: &'a str,
    reasons: Option<&'a str>,
}

impl<'a> Text<'a> {
    /// `None` if the text is not of that form to its last character.
    fn read(text: &'a str) -> Option<Self> {
        let inner = match text.trim().strip_prefix('{') {
            Some(rest) => rest.strip_suffix('}')?,
            None => text.trim(),
        };
        let (reasons, level) = match inner.strip_prefix("reasons=") {
            Some(rest) => {
                // The last one: a reason may say anything, also ", level=".
                let (reasons, level) = rest.rsplit_once(", level=")?;
                (Some(reasons), level)
            }
            None => (None, inner.strip_prefix("level=")?),
        };
        let is_word = !level.is_empty() && level.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_word.then_some(Self { level, reasons: reasons.filter(|reasons| !reasons.is_empty()) })
    }
}

/// A text that holds JSON deeper than this stays a text: a record may be as deep as any text, and no deeper. What Okta
/// embeds is three deep.
pub const MOST_EMBEDDED_DEPTH: usize = 32;

/// The object in `logOnlySecurityData`, read from its text.
pub fn embedded<'a>(document: &'a Document<'a>) -> Option<Value<'a>> {
    let root = document.root();
    // A line end inside would end the record's line.
    let is_one_line = !document.text().contains(['\n', '\r']);
    (root.kind() == Kind::Object && is_one_line && document.depth() <= MOST_EMBEDDED_DEPTH).then_some(root)
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn every_textual_form_is_read_and_nothing_else() {
        let read = |text| Text::read(text).map(|text| (text.level, text.reasons));
        assert_eq!(read("{level=LOW}"), Some(("LOW", None)));
        assert_eq!(
            read("{reasons=Anomalous Location, Anomalous Device, level=HIGH}"),
            Some(("HIGH", Some("Anomalous Location, Anomalous Device")))
        );
        assert_eq!(read("reasons=A, B, level=MEDIUM"), Some(("MEDIUM", Some("A, B"))));
        assert_eq!(read("level=LOW"), Some(("LOW", None)));
        assert_eq!(read("{reasons=A, level=x, level=HIGH}"), Some(("HIGH", Some("A, level=x"))));
        for odd in ["", "{", "HIGH", "{level=}", "{level=LOW", "{level=LOW, extra=1}", "{reasons=A}", "level=A B"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
