//! Writes one record, attribute by attribute, straight into the output, and accounts for the source on the way.
//!
//! Where a value of the event is copied, it is marked as taken; what is not marked in the end is `unmapped`. The
//! writer always knows the path of the attribute it is at, so an observable's name cannot fail to resolve, and a trace
//! of where each value went (`okta-ocsf explain`) is a by-product.

mod noted;

use super::enums::Observable;
use crate::json::{Kind, Value, push_escaped, push_f64, push_i64};
use crate::okta::{parse_ms, present};
use noted::Noted;

/// A value whose content is in the record.
pub const TAKEN: u8 = 1;

/// No list of the event is copied further than this into typed attributes; the rest of it stays in `unmapped`. Real
/// events have at most a few dozen targets and addresses.
pub const MOST_LISTED: usize = 100;

/// The times that a record may carry, ms since the Unix epoch: from 1973 to 2286, so that seconds and microseconds are
/// never taken for milliseconds.
pub const TIMES: std::ops::RangeInclusive<i64> = 100_000_000_000..=9_999_999_999_999;

/// One attribute on the way from the record to where the writer is.
#[derive(Debug, Clone, Copy)]
struct Step {
    name: &'static str,
    /// The element, in an array.
    index: Option<u32>,
}

/// Where one value of the event went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The value's place in the document.
    pub place: usize,
    /// The attribute's path in the record.
    pub path: String,
}

/// Memory that one record after another uses.
#[derive(Debug, Default)]
pub struct Memory {
    path: Vec<Step>,
    noted: Vec<Noted>,
    names: Vec<u8>,
    /// Kept only while somebody asks where values go.
    pub trace: Option<Vec<Placed>>,
}

/// See the module.
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    memory: &'o mut Memory,
    host: bool,
    security_control: bool,
}

impl<'o> Writer<'o> {
    /// Begins a record at the end of `out`.
    pub fn new(out: &'o mut Vec<u8>, memory: &'o mut Memory) -> Self {
        memory.path.clear();
        memory.noted.clear();
        memory.names.clear();
        out.push(b'{');
        Self { out, memory, host: false, security_control: false }
    }

    /// Ends the record.
    pub fn finish(self) {
        self.out.push(b'}');
    }

    /// The record so far, for what is appended as a whole.
    pub fn out(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Notes that the record uses attributes of the host profile.
    pub fn uses_host(&mut self) {
        self.host = true;
    }

    /// Notes that the record uses attributes of the security control profile.
    pub fn uses_security_control(&mut self) {
        self.security_control = true;
    }

    /// Runs `write`; whether it wrote anything.
    pub fn wrote(&mut self, write: impl FnOnce(&mut Self)) -> bool {
        let before = self.out.len();
        write(self);
        self.out.len() > before
    }

    /// A key, with the comma before it.
    #[inline(always)]
    pub fn key(&mut self, name: &str) {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    #[inline(always)]
    fn comma(&mut self) {
        if !matches!(self.out.last(), Some(b'{' | b'[')) {
            self.out.push(b',');
        }
    }

    /// Attributes that are written out already, such as `"class_uid":3002,"class_name":"Authentication"`.
    #[inline]
    pub fn fragment(&mut self, attributes: &str) {
        self.comma();
        self.out.extend_from_slice(attributes.as_bytes());
    }

    /// An object; nothing at all if nothing is written into it.
    #[inline]
    pub fn object<R>(&mut self, name: &'static str, fill: impl FnOnce(&mut Self) -> R) {
        let before = self.out.len();
        self.key(name);
        self.out.push(b'{');
        self.within(Step { name, index: None }, before, b'}', fill);
    }

    /// An array, filled by the methods whose names end in `item`; nothing at all if it stays empty.
    #[inline]
    pub fn array<R>(&mut self, name: &'static str, fill: impl FnOnce(&mut Self) -> R) {
        let before = self.out.len();
        self.key(name);
        self.out.push(b'[');
        self.within(Step { name, index: Some(0) }, before, b']', fill);
    }

    #[inline]
    fn within<R>(&mut self, step: Step, before: usize, end: u8, fill: impl FnOnce(&mut Self) -> R) {
        let inside = self.out.len();
        self.memory.path.push(step);
        fill(self);
        self.memory.path.pop();
        if self.out.len() == inside { self.out.truncate(before) } else { self.out.push(end) }
    }

    /// An object in an array; nothing at all if nothing is written into it.
    pub fn item<R>(&mut self, fill: impl FnOnce(&mut Self) -> R) {
        let before = self.out.len();
        self.comma();
        self.out.push(b'{');
        let inside = self.out.len();
        fill(self);
        if self.out.len() == inside {
            return self.out.truncate(before);
        }
        self.out.push(b'}');
        self.next_item();
    }

    /// A list in an object, by a writer of each element.
    pub fn items<T>(
        &mut self,
        name: &'static str,
        list: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.array(name, |w| list.into_iter().for_each(|element| w.item(|w| write(w, element))));
    }

    /// A text of ours in an array.
    pub fn text_item(&mut self, text: &str) {
        self.comma();
        self.quoted(text);
        self.next_item();
    }

    /// A text in an array, made of a prefix of ours and a value.
    pub fn copy_item(&mut self, prefix: &'static str, value: Option<Value<'_>>) -> bool {
        let Some(value) = saying(value) else { return false };
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(prefix.as_bytes());
        self.out.extend_from_slice(value.span().as_bytes());
        self.out.push(b'"');
        self.took(value, "");
        self.next_item();
        true
    }

    /// The words of a value, one text each in an array.
    pub fn word_items(&mut self, value: Value<'_>) {
        let mut words = value.span().split([' ', ',']).filter(|word| !word.is_empty());
        self.took(value, "");
        for word in words.by_ref().take(MOST_LISTED) {
            self.comma();
            self.out.push(b'"');
            self.out.extend_from_slice(word.as_bytes());
            self.out.push(b'"');
            self.next_item();
        }
        // What is too long to be listed is left where it was.
        if words.next().is_some() {
            value.set_mark(value.mark() & !TAKEN);
        }
    }

    /// A searchable value in an array.
    pub fn observed_item(&mut self, value: Value<'_>, observable: Observable) {
        self.comma();
        self.observed_text(value, observable, "");
        self.next_item();
    }

    fn next_item(&mut self) {
        if let Some(index) = self.memory.path.last_mut().and_then(|step| step.index.as_mut()) {
            *index += 1;
        }
    }

    /// A text of ours.
    pub fn text(&mut self, name: &'static str, text: &str) {
        self.key(name);
        self.quoted(text);
    }

    fn quoted(&mut self, text: &str) {
        self.out.push(b'"');
        push_escaped(self.out, text);
        self.out.push(b'"');
    }

    /// An integer of ours.
    #[inline]
    pub fn number(&mut self, name: &'static str, number: i64) {
        self.key(name);
        push_i64(self.out, number);
    }

    /// A boolean of ours.
    pub fn flag(&mut self, name: &'static str, flag: bool) {
        self.key(name);
        self.out.extend_from_slice(if flag { b"true" } else { b"false" });
    }

    /// An enumerated attribute and its caption.
    pub fn choice(&mut self, id: &'static str, caption_name: &'static str, (number, caption): (u8, &str)) {
        self.number(id, i64::from(number));
        self.text(caption_name, caption);
    }

    /// An enumerated attribute whose value OCSF does not list: 99, and the source's own word. Nothing without a word.
    pub fn other(&mut self, id: &'static str, caption_name: &'static str, word: Option<Value<'_>>) {
        // The schema reserves the caption itself for those who do not know the word.
        let Some(word) = saying(word).filter(|word| !word.is("Other")) else { return };
        self.number(id, 99);
        self.copy(caption_name, Some(word));
    }

    /// A value of the event as a text. Words that say "absent" are not written. Whether it was written.
    #[inline]
    pub fn copy(&mut self, name: &'static str, value: Option<Value<'_>>) -> bool {
        let Some(value) = saying(value) else { return false };
        self.key(name);
        self.out.push(b'"');
        self.out.extend_from_slice(value.span().as_bytes());
        self.out.push(b'"');
        self.took(value, name);
        true
    }

    /// Like [`Writer::copy`], and searchable.
    #[inline]
    pub fn observe(&mut self, name: &'static str, value: Option<Value<'_>>, observable: Observable) -> bool {
        let Some(value) = saying(value) else { return false };
        self.key(name);
        self.observed_text(value, observable, name);
        true
    }

    /// A searchable text of ours.
    pub fn observe_text(&mut self, name: &'static str, text: &str, observable: Observable) {
        self.key(name);
        self.out.push(b'"');
        let start = self.out.len();
        push_escaped(self.out, text);
        self.note((start, self.out.len()), Some(observable), None, name);
        self.out.push(b'"');
    }

    /// Like [`Writer::copy`], so that an enrichment can be about it.
    pub fn copy_subject(&mut self, name: &'static str, value: Option<Value<'_>>) -> bool {
        let Some(value) = saying(value) else { return false };
        self.key(name);
        self.noted_text(value, None, name);
        true
    }

    fn observed_text(&mut self, value: Value<'_>, observable: Observable, name: &'static str) {
        self.noted_text(value, Some(observable), name);
    }

    fn noted_text(&mut self, value: Value<'_>, observable: Option<Observable>, name: &'static str) {
        self.out.push(b'"');
        let start = self.out.len();
        self.out.extend_from_slice(value.span().as_bytes());
        self.note((start, self.out.len()), observable, Some(value.place()), name);
        self.out.push(b'"');
        self.took(value, name);
    }

    /// An integer of the event; anything else is left where it was.
    pub fn copy_integer(
        &mut self,
        name: &'static str,
        value: Option<Value<'_>>,
        allowed: std::ops::RangeInclusive<i64>,
    ) {
        let number = value.and_then(Value::as_i64).filter(|number| allowed.contains(number));
        if let (Some(value), Some(number)) = (value, number) {
            self.number(name, number);
            self.took(value, name);
        }
    }

    /// A number of the event, no further from 0 than allowed, as a fraction; anything else is left where it was.
    pub fn copy_fraction(&mut self, name: &'static str, value: Option<Value<'_>>, most: f64) {
        let number = value.and_then(Value::as_f64).filter(|number| number.abs() <= most);
        if let (Some(value), Some(number)) = (value, number) {
            self.key(name);
            // As it was written if it reads as a fraction already; digits are never re-computed without need.
            match value.kind() {
                Kind::Float => self.out.extend_from_slice(value.span().as_bytes()),
                _ => push_f64(self.out, number),
            }
            self.took(value, name);
        }
    }

    /// A boolean of the event, also as the texts `true` and `false`; anything else is left where it was.
    pub fn copy_flag(&mut self, name: &'static str, value: Option<Value<'_>>) {
        if let (Some(value), Some(flag)) = (value, value.and_then(truth)) {
            self.flag(name, flag);
            self.took(value, name);
        }
    }

    /// A time of the event in ms; anything else is left where it was.
    pub fn copy_time(&mut self, name: &'static str, value: Option<Value<'_>>) {
        let ms = value.and_then(Value::as_str).and_then(|text| parse_ms(&text)).filter(|ms| TIMES.contains(ms));
        if let (Some(value), Some(ms)) = (value, ms) {
            self.number(name, ms);
            self.took(value, name);
        }
    }

    /// A whole value of the event with everything in it, for the attributes that take any JSON.
    pub fn copy_json(&mut self, name: &str, at: &'static str, value: Option<Value<'_>>) {
        let Some(value) = value.filter(|value| value.kind() != Kind::Null) else { return };
        self.key(name);
        self.out.extend_from_slice(value.written().as_bytes());
        self.took(value, at);
    }

    /// Notes that a value is in the record although it is not copied: the place where something stands says it, or it
    /// was translated without loss.
    #[inline]
    pub fn implied(&mut self, value: Option<Value<'_>>, name: &'static str) {
        if let Some(value) = value {
            self.took(value, name);
        }
    }

    /// Like [`Writer::implied`], for a value that stands at an attribute elsewhere in the record.
    pub fn same_as(&mut self, value: Value<'_>, path: &str) {
        value.set_mark(value.mark() | TAKEN);
        if let Some(trace) = &mut self.memory.trace {
            trace.push(Placed { place: value.place(), path: path.to_owned() });
        }
    }

    /// A text whose escapes are those of JSON already: a part of a value, or a value of an embedded text.
    pub fn escaped_text(&mut self, name: &str, span: &str) {
        self.key(name);
        self.out.push(b'"');
        self.out.extend_from_slice(span.as_bytes());
        self.out.push(b'"');
    }

    #[inline]
    fn took(&mut self, value: Value<'_>, name: &'static str) {
        value.set_mark(value.mark() | TAKEN);
        if let Some(trace) = &mut self.memory.trace {
            let mut path = Vec::new();
            push_path(&mut path, &self.memory.path, name);
            trace.push(Placed { place: value.place(), path: String::from_utf8_lossy(&path).into_owned() });
        }
    }

    /// `profiles` of the metadata, as far as the record uses any.
    pub fn profiles(&mut self) {
        match (self.host, self.security_control) {
            (false, false) => {}
            (true, false) => self.fragment(r#""profiles":["host"]"#),
            (false, true) => self.fragment(r#""profiles":["security_control"]"#),
            (true, true) => self.fragment(r#""profiles":["host","security_control"]"#),
        }
    }
}

/// `a.b[0].c` of the steps and a last name, which is empty for an element itself.
fn push_path(out: &mut Vec<u8>, steps: &[Step], name: &str) {
    let start = out.len();
    for step in steps {
        if out.len() > start {
            out.push(b'.');
        }
        out.extend_from_slice(step.name.as_bytes());
        if let Some(index) = step.index {
            out.push(b'[');
            push_i64(out, i64::from(index));
            out.push(b']');
        }
    }
    if !name.is_empty() {
        if out.len() > start {
            out.push(b'.');
        }
        out.extend_from_slice(name.as_bytes());
    }
}

/// A text or number that says something: not empty, not one of the words with which Okta says "absent".
#[inline]
pub fn saying(value: Option<Value<'_>>) -> Option<Value<'_>> {
    value.filter(|value| match value.kind() {
        Kind::String => present(value.span()).is_some(),
        kind => matches!(kind, Kind::Integer | Kind::Float),
    })
}

/// A boolean, also as the texts that Okta writes in `debugData`.
pub fn truth(value: Value<'_>) -> Option<bool> {
    value.as_bool().or_else(|| match value.word() {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => None,
    })
}
