//! Risk in the forms in which Okta writes it: `{level=LOW}`, `{reasons=A, B, level=HIGH}` (with commas inside the
//! reasons), the same without braces, an object, and inside `logOnlySecurityData`, which is JSON in a text. What cannot
//! be read is kept as text and never an error.

use crate::json::{Document, Kind, Value};
use crate::ocsf::event::Event;
use crate::ocsf::writer::{Writer, saying};
use crate::okta::Risk;

/// `risk_level` and `risk_details`, from the first source that has a level, else from one that has anything.
pub fn risk(w: &mut Writer<'_>, event: &Event<'_>) {
    let debug = &event.debug;
    let said = saying(debug.risk).map(|value| (value, Text::read(value.span())));
    if let Some((value, text)) = said {
        match text {
            Some(text) => {
                level(w, text.level);
                if let Some(reasons) = text.reasons {
                    w.escaped_text("risk_details", reasons);
                }
                w.implied(Some(value), "risk_level");
            }
            None => {
                w.copy("risk_details", Some(value));
            }
        }
        return;
    }
    let object = [debug.risk, event.security.risk].into_iter().flatten().find(|value| value.kind() == Kind::Object);
    if let Some(object) = object {
        return of_object(w, Risk::of(Some(object)));
    }
    let embedded = event.embedded_risk();
    if let Some(risk) = embedded {
        return of_embedded(w, risk);
    }
    of_object(w, Risk { level: debug.risk_level, reasons: debug.risk_reasons, detection_name: None });
}

fn of_object(w: &mut Writer<'_>, risk: Risk<'_>) {
    if let Some(value) = saying(risk.level) {
        level(w, value.span());
        w.implied(Some(value), "risk_level");
    }
    match risk.reasons {
        Some(list) if list.kind() == Kind::Array => joined(w, list),
        reasons => {
            w.copy("risk_details", reasons);
        }
    }
}

/// A list of reasons as one text, as Okta itself writes them elsewhere.
fn joined(w: &mut Writer<'_>, list: Value<'_>) {
    let reasons: Vec<Value<'_>> = list.children().filter(|reason| saying(Some(*reason)).is_some()).collect();
    if reasons.is_empty() {
        return;
    }
    let text: Vec<&str> = reasons.iter().map(|reason| reason.span()).collect();
    w.escaped_text("risk_details", &text.join(", "));
    for reason in reasons {
        w.implied(Some(reason), "risk_details");
    }
}

/// The risk of an embedded text, whose values have no place in the event.
fn of_embedded(w: &mut Writer<'_>, risk: Risk<'_>) {
    if let Some(value) = saying(risk.level) {
        level(w, value.span());
    }
    if let Some(reasons) = saying(risk.reasons) {
        w.escaped_text("risk_details", reasons.span());
    }
}

/// `risk_level_id` and `risk_level`; a level that OCSF does not list keeps its word.
fn level(w: &mut Writer<'_>, word: &str) {
    let known = match word {
        "LOW" => r#""risk_level_id":1,"risk_level":"Low""#,
        "MEDIUM" => r#""risk_level_id":2,"risk_level":"Medium""#,
        "HIGH" => r#""risk_level_id":3,"risk_level":"High""#,
        "CRITICAL" => r#""risk_level_id":4,"risk_level":"Critical""#,
        "" | "Other" => return,
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

/// The object in `logOnlySecurityData`, read from its text.
pub fn embedded<'a>(document: &'a Document<'a>) -> Option<Value<'a>> {
    let root = document.root();
    // A line end inside would end the record's line.
    let is_one_line = !document.text().contains(['\n', '\r']);
    (root.kind() == Kind::Object && is_one_line).then_some(root)
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
