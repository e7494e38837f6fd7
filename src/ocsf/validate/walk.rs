//! One pass through a record beside the tables of its class and its objects.

use super::Finding;
use super::facts::ConstraintKind;
use super::formats::datetime_ms;
use super::path::Path;
use super::rule::{self, Rule};
use super::scalar::kind_name;
use super::schema::{Attribute, Constraint, Content, Profiles, Table, Tables};
use super::shown;
use crate::json::{Kind, Value};

/// A walk, and what it found.
pub struct Walk<'s> {
    pub tables: &'s Tables,
    /// The profiles of the record.
    pub active: Profiles,
    pub findings: Vec<Finding>,
}

/// An object beside its table: the value of each attribute, by the attribute's number. A `null` counts as absent.
pub struct Present<'v, 's> {
    pub table: &'s Table,
    pub values: Vec<Option<Value<'v>>>,
}

impl<'s> Walk<'s> {
    pub fn new(tables: &'s Tables) -> Self {
        Self { tables, active: Profiles::default(), findings: Vec::new() }
    }

    pub fn report(&mut self, rule: Rule, path: Path<'_>, message: String) {
        self.findings.push(Finding::new(rule, path.to_string(), message));
    }

    /// Checks an object and everything in it. Recurses as deep as the JSON, whose depth is bounded.
    pub fn object(&mut self, object: Value<'_>, table: &'s Table, path: Path<'_>) {
        if table.is_free_form() {
            return;
        }
        let mut values = vec![None; table.attributes.len()];
        for value in object.children() {
            let key = value.key();
            let path = path.attribute(&key);
            let Some(number) = table.find(&key) else {
                self.report(rule::ATTRIBUTE_UNKNOWN, path, format!("{} has no such attribute", table.label));
                continue;
            };
            if value.kind() != Kind::Null {
                values[number] = Some(value);
            }
            self.attribute(value, &table.attributes[number], path);
        }
        self.together(&Present { table, values }, path);
    }

    /// Checks a value by itself.
    fn attribute(&mut self, value: Value<'_>, attribute: &'s Attribute, path: Path<'_>) {
        if !attribute.exists_with(self.active) {
            let message = format!("exists only with the profile {}", self.names(attribute.only_with));
            return self.report(rule::ATTRIBUTE_NEEDS_PROFILE, path, message);
        }
        if value.kind() == Kind::Null {
            if !self.is_any(attribute) {
                self.report(rule::ATTRIBUTE_NULL, path, "leave it out instead".to_owned());
            }
            return;
        }
        if attribute.deprecated {
            self.report(rule::ATTRIBUTE_DEPRECATED, path, "deprecated by the schema".to_owned());
        }
        match (attribute.array, value.kind()) {
            (false, _) => self.content(value, attribute.content, path),
            (true, Kind::Array) => {
                for (index, element) in value.children().enumerate() {
                    self.content(element, attribute.content, path.element(index));
                }
            }
            (true, kind) => {
                self.report(rule::ATTRIBUTE_WRONG_TYPE, path, format!("expected an array, got {}", kind_name(kind)));
            }
        }
    }

    fn content(&mut self, value: Value<'_>, content: Content, path: Path<'_>) {
        match content {
            Content::Scalar(number) => {
                if let Err((rule, message)) = self.tables.scalars[number].check(value) {
                    self.report(rule, path, message);
                }
            }
            Content::Object(number) => {
                let table = &self.tables.objects[number];
                if value.kind() != Kind::Object {
                    let message = format!("expected {}, got {}", table.label, kind_name(value.kind()));
                    return self.report(rule::ATTRIBUTE_WRONG_TYPE, path, message);
                }
                if table.deprecated {
                    self.report(rule::OBJECT_DEPRECATED, path, format!("{} is deprecated", table.label));
                }
                self.object(value, table, path);
            }
        }
    }

    /// Checks what an object's attributes must be together.
    fn together(&mut self, object: &Present<'_, 's>, path: Path<'_>) {
        for (attribute, value) in object.table.attributes.iter().zip(&object.values) {
            if !attribute.exists_with(self.active) {
                continue;
            }
            match *value {
                None if attribute.required => {
                    let message = format!("required by {}", object.table.label);
                    self.report(rule::ATTRIBUTE_REQUIRED_MISSING, path.attribute(&attribute.name), message);
                }
                None => {}
                Some(value) => {
                    self.enumerated(value, attribute, object, path);
                    self.same_instant(value, attribute, object, path);
                }
            }
        }
        for constraint in &object.table.constraints {
            self.constraint(constraint, object, path);
        }
    }

    /// `x_dt` and `x` are one instant.
    fn same_instant(&mut self, text: Value<'_>, attribute: &Attribute, object: &Present<'_, '_>, path: Path<'_>) {
        let Some(timestamp) = self.existing(attribute.timestamp, object) else { return };
        let Some(value) = timestamp.1.filter(|value| value.kind() == Kind::Integer) else { return };
        // What is no time is reported as such.
        let Some(ms) = text.as_str().and_then(|text| datetime_ms(&text)) else { return };
        if value.as_i64() != Some(ms) {
            let message = format!("{} is {ms} ms, {} is {}", shown(text), timestamp.0.name, shown(value));
            self.report(rule::DATETIME_MISMATCH, path.attribute(&attribute.name), message);
        }
    }

    fn constraint(&mut self, constraint: &Constraint, object: &Present<'_, '_>, path: Path<'_>) {
        let present = constraint.members.iter().filter(|member| object.values[**member].is_some()).count();
        let (holds, wanted) = match constraint.kind {
            ConstraintKind::AtLeastOne => (present > 0, "at least one"),
            ConstraintKind::JustOne => (present == 1, "just one"),
        };
        if !holds {
            let names = constraint.members.iter().map(|member| object.table.attributes[*member].name.as_str());
            let names = names.collect::<Vec<_>>().join(", ");
            let message = format!("{} wants {wanted} of {names}; there are {present}", object.table.label);
            self.report(rule::CONSTRAINT_FAILED, path, message);
        }
    }

    /// An attribute that another one refers to, with its value, if it exists in this record.
    pub fn existing<'o, 'v>(
        &self,
        number: Option<usize>,
        object: &'o Present<'v, '_>,
    ) -> Option<(&'o Attribute, Option<Value<'v>>)> {
        let number = number?;
        let attribute = &object.table.attributes[number];
        attribute.exists_with(self.active).then_some((attribute, object.values[number]))
    }

    /// Whether an attribute may be any JSON.
    pub fn is_any(&self, attribute: &Attribute) -> bool {
        matches!(attribute.content, Content::Scalar(number) if self.tables.scalars[number].is_any())
    }

    fn names(&self, profiles: Profiles) -> String {
        let names = self.tables.profiles.iter().enumerate();
        let names = names.filter(|(number, _)| profiles.intersects(Profiles::one(*number)));
        names.map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(" or ")
    }
}
