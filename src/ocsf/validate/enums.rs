//! Ids, their closed lists of values, and the names beside them.

use std::borrow::Cow;

use super::path::Path;
use super::rule;
use super::schema::Attribute;
use super::shown;
use super::walk::{Present, Walk};
use crate::json::{Kind, Value};

/// The id that means "see the name".
const OTHER: &str = "99";

/// Ids of the schema itself, whose 99 would be a class or category and not "see the name".
const OF_THE_SCHEMA: [&str; 2] = ["class_uid", "category_uid"];

impl Walk<'_> {
    /// Checks a value against the attribute's closed list, and the names against their ids.
    pub fn enumerated(&mut self, value: Value<'_>, attribute: &Attribute, object: &Present<'_, '_>, path: Path<'_>) {
        if let Some((id, None)) = self.existing(attribute.id, object) {
            let message = format!("set without {}", id.name);
            self.report(rule::ENUM_SIBLING_WITHOUT_ID, path.attribute(&attribute.name), message);
        }
        match (attribute.values.is_empty(), attribute.array) {
            (true, _) => {}
            (false, false) => self.id(value, attribute, object, path),
            (false, true) => self.ids(value, attribute, object, path),
        }
    }

    fn id(&mut self, value: Value<'_>, attribute: &Attribute, object: &Present<'_, '_>, path: Path<'_>) {
        // A wrong type is reported as such.
        let Some(key) = key(value) else { return };
        let place = path.attribute(&attribute.name);
        let Some(caption) = self.caption(value, attribute, place) else { return };
        let Some((sibling, name)) = self.existing(attribute.sibling, object) else { return };
        let place = path.attribute(&sibling.name);
        let is_other = key == OTHER && value.kind() == Kind::Integer && !OF_THE_SCHEMA.contains(&&*attribute.name);
        match name {
            None if is_other => {
                let message = format!("{} is 99, so the source's own word belongs here", attribute.name);
                self.report(rule::ENUM_SIBLING_MISSING_FOR_OTHER, place, message);
            }
            Some(name) if is_other && name.is(caption) => {
                let message = format!("{} is 99, and this is not the source's own word", attribute.name);
                self.report(rule::ENUM_OTHER_SUSPICIOUS, place, message);
            }
            Some(name) if !is_other => self.name(name, caption, value, place),
            _ => {}
        }
    }

    fn ids(&mut self, values: Value<'_>, attribute: &Attribute, object: &Present<'_, '_>, path: Path<'_>) {
        if values.kind() != Kind::Array {
            return;
        }
        let sibling = self.existing(attribute.sibling, object);
        let names = sibling.and_then(|(sibling, names)| Some((path.attribute(&sibling.name), names?)));
        let names = names.filter(|(_, names)| names.kind() == Kind::Array);
        if let Some((place, names)) = names {
            let (names, ids) = (names.children().count(), values.children().count());
            if names != ids {
                self.report(rule::ENUM_SIBLING_INCORRECT, place, format!("{names} names for {ids} ids"));
            }
        }
        let mut of_same_place = names.map(|(_, names)| names.children());
        let place = path.attribute(&attribute.name);
        for (index, value) in values.children().enumerate() {
            let name = of_same_place.as_mut().and_then(Iterator::next);
            let Some(caption) = self.caption(value, attribute, place.element(index)) else { continue };
            let is_other = value.kind() == Kind::Integer && value.span() == OTHER;
            if let (Some((place, _)), Some(name), false) = (names, name, is_other) {
                self.name(name, caption, value, place.element(index));
            }
        }
    }

    /// What a value is called by the schema.
    fn caption<'a>(&mut self, value: Value<'_>, attribute: &'a Attribute, place: Path<'_>) -> Option<&'a str> {
        let Some(known) = key(value).and_then(|key| attribute.meaning(&key)) else {
            let message = format!("{} is no value of {}", shown(value), attribute.name);
            self.report(rule::ATTRIBUTE_ENUM_VALUE_UNKNOWN, place, message);
            return None;
        };
        if known.deprecated {
            let message = format!("{} ({}) is deprecated by the schema", shown(value), known.caption);
            self.report(rule::ENUM_VALUE_DEPRECATED, place, message);
        }
        Some(&known.caption)
    }

    fn name(&mut self, name: Value<'_>, caption: &str, id: Value<'_>, place: Path<'_>) {
        if !name.is(caption) {
            let message = format!("expected {caption:?} for {}, got {}", shown(id), shown(name));
            self.report(rule::ENUM_SIBLING_INCORRECT, place, message);
        }
    }
}

/// How a value is found in a closed list. Only integers and strings can be in one.
fn key(value: Value<'_>) -> Option<Cow<'_, str>> {
    matches!(value.kind(), Kind::Integer | Kind::String).then(|| value.decoded())
}
