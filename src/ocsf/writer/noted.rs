//! What was written and is worth finding again: as an observable, or as what an enrichment is about.

use super::{Writer, push_path};
use crate::json::Value;
use crate::ocsf::enums::Observable;

/// Something worth searching for, noted when it was written.
#[derive(Debug)]
pub(super) struct Noted {
    /// As what it can be searched for; `None` for what an enrichment is about and nothing else.
    observable: Option<Observable>,
    /// The value's place in the source; `None` for a text of ours.
    place: Option<usize>,
    /// Where its name is in [`Memory::names`].
    name: (usize, usize),
    /// Where its value is in the output, without quotes.
    value: (usize, usize),
}

/// What an enrichment is about.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'s> {
    /// A value of the source.
    Value(Value<'s>),
    /// The first observable of a kind.
    First(Observable),
}

impl<'s> From<Value<'s>> for Subject<'s> {
    fn from(value: Value<'s>) -> Self {
        Self::Value(value)
    }
}

impl From<Observable> for Subject<'_> {
    fn from(observable: Observable) -> Self {
        Self::First(observable)
    }
}

impl Writer<'_> {
    /// Notes a text of the output.
    pub(super) fn note(
        &mut self,
        value: (usize, usize),
        observable: Option<Observable>,
        place: Option<usize>,
        name: &'static str,
    ) {
        let name_start = self.memory.names.len();
        push_path(&mut self.memory.names, &self.memory.path, name);
        let name = (name_start, self.memory.names.len());
        self.memory.noted.push(Noted { observable, place, name, value });
    }

    /// `observables`: everything that was observed so far, each with the path of its attribute.
    pub fn observables(&mut self) {
        if self.memory.noted.iter().all(|noted| noted.observable.is_none()) {
            return;
        }
        self.comma();
        self.out.extend_from_slice(b"\"observables\":[");
        for noted in &self.memory.noted {
            let Some(observable) = noted.observable else { continue };
            if self.out.last() != Some(&b'[') {
                self.out.push(b',');
            }
            self.out.extend_from_slice(b"{\"name\":\"");
            self.out.extend_from_slice(self.memory.names.get(noted.name.0..noted.name.1).unwrap_or_default());
            self.out.extend_from_slice(observable.fragment().as_bytes());
            self.out.extend_from_within(noted.value.0..noted.value.1);
            self.out.extend_from_slice(b"\"}");
        }
        self.out.push(b']');
    }

    /// `name` and `value` of an enrichment: where its subject stands in the record, and what it is.
    pub fn about<'s>(&mut self, subject: impl Into<Subject<'s>>) {
        let Some(noted) = self.noted(subject) else { return };
        let (name, value) = (noted.name, noted.value);
        self.key("name");
        self.out.push(b'"');
        self.out.extend_from_slice(self.memory.names.get(name.0..name.1).unwrap_or_default());
        self.out.extend_from_slice(b"\",\"value\":\"");
        self.out.extend_from_within(value.0..value.1);
        self.out.push(b'"');
    }

    /// Whether the subject stands somewhere in the record where an enrichment can be about it.
    pub fn has_noted<'s>(&self, subject: impl Into<Subject<'s>>) -> bool {
        self.noted(subject).is_some()
    }

    /// Where a subject was noted first.
    fn noted<'s>(&self, subject: impl Into<Subject<'s>>) -> Option<&Noted> {
        let mut noted = self.memory.noted.iter();
        match subject.into() {
            Subject::Value(value) => noted.find(|noted| noted.place == Some(value.place())),
            Subject::First(observable) => noted.find(|noted| noted.observable == Some(observable)),
        }
    }

    /// Notes that a value is in the record because an equal observable is, where that one was noted first.
    pub fn same_as_noted(&mut self, value: Value<'_>, observable: Observable) {
        let is_equal = |noted: &&Noted| {
            let text = self.out.get(noted.value.0..noted.value.1);
            noted.observable == Some(observable) && text == Some(value.span().as_bytes())
        };
        let Some(name) = self.memory.noted.iter().find(is_equal).map(|noted| noted.name) else { return };
        let path = self.memory.names.get(name.0..name.1).unwrap_or_default();
        let path = String::from_utf8_lossy(path).into_owned();
        self.same_as(value, &path);
    }
}
