//! A document with pseudonyms in the place of personal values. Everything else stays byte for byte.

use std::ops::Range;

use super::places::{Place, place};
use super::scrub::{Ip, Scope};
use super::{Pseudonyms, Values};
use crate::json::{Document, Kind, Value, push_escaped};
use crate::ocsf::writer::saying;

impl Pseudonyms {
    /// Adds the personal values that stand at their places in a document, to be looked for elsewhere.
    pub fn note(&self, document: &Document<'_>, values: &mut Values) {
        for value in scalars(document) {
            if matches!(place(value), Place::Personal(kind) if self.hashes(kind)) {
                values.add(&value.decoded());
            }
        }
    }

    /// Appends the text of a document, rewritten.
    pub fn rewrite(&self, document: &Document<'_>, values: &Values, out: &mut Vec<u8>) {
        let text = document.text().as_bytes();
        let mut from = 0;
        let mut replace = |out: &mut Vec<u8>, range: Range<usize>, with: &str| {
            out.extend_from_slice(text.get(from..range.start).unwrap_or_default());
            out.push(b'"');
            push_escaped(out, with);
            out.push(b'"');
            from = range.end;
        };
        for value in (0..document.len()).filter_map(|place| document.value(place)) {
            if let Some(range) = value.key_range() {
                let key = value.key();
                if self.clean(&key, values, scope_of_key(&key)).is_some() {
                    replace(out, range, &self.key_token(&key));
                }
            }
            if let Some(hidden) = saying(Some(value)).and_then(|value| self.hidden(value, values)) {
                replace(out, value.range(), &hidden);
            }
        }
        out.extend_from_slice(text.get(from..).unwrap_or_default());
    }

    /// What a scalar becomes; `None` if it stays.
    fn hidden(&self, value: Value<'_>, values: &Values) -> Option<String> {
        let scope = match place(value) {
            Place::Fixed => return None,
            Place::Personal(kind) if self.hashes(kind) => return Some(self.token(&value.decoded())),
            Place::Machine => Scope { known: false, ip: Ip::All },
            Place::Agent => Scope { known: true, ip: Ip::Six },
            Place::Personal(_) | Place::Free => Scope::ALL,
        };
        // A number is nobody's address.
        let scope = if value.kind() == Kind::String { scope } else { Scope { ip: Ip::None, ..scope } };
        self.clean(&value.decoded(), values, scope)
    }
}

/// What is looked for in a key. One that is a single word is the name of a field, also if somebody is called so. No field
/// of an event that the mapping reads has anything but letters and underscores in its name.
fn scope_of_key(key: &str) -> Scope {
    let is_word = key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    Scope { known: !is_word, ip: Ip::All }
}

fn scalars<'a>(document: &'a Document<'a>) -> impl Iterator<Item = Value<'a>> {
    (0..document.len()).filter_map(|place| document.value(place)).filter(|value| saying(Some(*value)).is_some())
}
