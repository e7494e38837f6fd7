//! Observables: each names a place of the record, and repeats its type and its text.

use std::borrow::Cow;

use super::path::Path;
use super::rule;
use super::schema::{Attribute, Content, Table};
use super::shown;
use super::walk::Walk;
use crate::json::{Kind, Value};

/// Types that say nothing: Unknown and Other.
const OPEN_TYPES: [i64; 2] = [0, 99];

/// What a name leads to.
struct Target<'v, 's> {
    /// The values of the record; several where the name goes through whole arrays.
    values: Vec<Value<'v>>,
    /// What the schema says about them; nothing below an attribute that may hold anything.
    attribute: Option<&'s Attribute>,
}

/// Where in the schema a name has come to.
#[derive(Clone, Copy)]
enum Place<'s> {
    Table(&'s Table),
    /// Inside something that may hold anything.
    Anything,
    /// At a scalar, where no name goes on.
    Scalar,
}

/// One part of a name: `files`, `files[]` or `files[0]`.
struct Step<'n> {
    key: &'n str,
    index: Option<Index>,
}

#[derive(Clone, Copy)]
enum Index {
    All,
    One(usize),
}

impl<'s> Walk<'s> {
    /// Checks the observables of a record.
    pub fn observables(&mut self, record: Value<'_>, class: &'s Table) {
        let Some(list) = record.get("observables").filter(|list| list.kind() == Kind::Array) else { return };
        let path = Path::Record.attribute("observables");
        for (index, observable) in list.children().enumerate() {
            if observable.kind() == Kind::Object {
                self.observable(record, class, observable, path.element(index));
            }
        }
    }

    fn observable(&mut self, record: Value<'_>, class: &'s Table, observable: Value<'_>, path: Path<'_>) {
        let Some(name) = present(observable, "name") else {
            return self.report(rule::OBSERVABLE_WITHOUT_NAME, path, "points nowhere".to_owned());
        };
        let Some(steps) = name.as_str() else { return };
        let target = match self.follow(record, class, &steps) {
            Ok(target) if !target.values.is_empty() => target,
            unresolved => {
                let why = unresolved.err().unwrap_or_else(|| "there is no such value in this record".to_owned());
                let message = format!("{}: {why}", shown(name));
                return self.report(rule::OBSERVABLE_NAME_UNRESOLVED, path.attribute("name"), message);
            }
        };
        let type_id = present(observable, "type_id").filter(|type_id| type_id.kind() == Kind::Integer);
        if let (Some(type_id), Some(attribute)) = (type_id, target.attribute) {
            let fits = |id: i64| OPEN_TYPES.contains(&id) || attribute.observable.contains(&id);
            if !type_id.as_i64().is_some_and(fits) {
                let message =
                    format!("{} is {:?} in the schema, not {}", shown(name), attribute.observable, shown(type_id));
                self.report(rule::OBSERVABLE_TYPE_MISMATCH, path.attribute("type_id"), message);
            }
        }
        let value = present(observable, "value");
        if let Err(message) = repeats(value, &target.values) {
            self.report(rule::OBSERVABLE_VALUE_MISMATCH, path.attribute("value"), message);
        }
    }

    /// Where a name leads, in the schema and in the record; or why it leads nowhere in the schema.
    fn follow<'v>(&self, record: Value<'v>, class: &'s Table, name: &str) -> Result<Target<'v, 's>, String> {
        let mut target = Target { values: vec![record], attribute: None };
        let mut place = Place::Table(class);
        for part in name.split('.') {
            let step = Step::parse(part).ok_or_else(|| format!("{part:?} is no step"))?;
            (place, target.attribute) = self.enter(place, &step)?;
            target.values = target.values.into_iter().flat_map(|value| step.values(value)).collect();
        }
        Ok(target)
    }

    /// One step further in the schema.
    fn enter(&self, place: Place<'s>, step: &Step<'_>) -> Result<(Place<'s>, Option<&'s Attribute>), String> {
        let table = match place {
            Place::Table(table) => table,
            Place::Anything => return Ok((Place::Anything, None)),
            Place::Scalar => return Err(format!("{:?} is below a scalar", step.key)),
        };
        let attribute = table.find(step.key).map(|number| &table.attributes[number]);
        let attribute = attribute.filter(|attribute| attribute.exists_with(self.active));
        let attribute = attribute.ok_or_else(|| format!("{} has no {:?}", table.label, step.key))?;
        if step.index.is_some() && !attribute.array {
            return Err(format!("{:?} is no array", step.key));
        }
        let place = match attribute.content {
            Content::Object(number) if self.tables.objects[number].is_free_form() => Place::Anything,
            Content::Object(number) => Place::Table(&self.tables.objects[number]),
            Content::Scalar(_) if self.is_any(attribute) => Place::Anything,
            Content::Scalar(_) => Place::Scalar,
        };
        Ok((place, Some(attribute)))
    }
}

impl<'n> Step<'n> {
    fn parse(part: &'n str) -> Option<Self> {
        let (key, index) = match part.strip_suffix(']') {
            None => (part, None),
            Some(open) => {
                let (key, index) = open.split_once('[')?;
                let digits = index.bytes().all(|byte| byte.is_ascii_digit());
                // No array has an element beyond usize.
                let one = || index.parse().map_or(Index::One(usize::MAX), Index::One);
                (key, Some(if index.is_empty() { Index::All } else { digits.then(one)? }))
            }
        };
        (!key.is_empty() && !key.contains(['[', ']'])).then_some(Self { key, index })
    }

    /// One step further in the record. Without an index an array stands for all its elements.
    fn values<'v>(&self, value: Value<'v>) -> Vec<Value<'v>> {
        let Some(value) = present(value, self.key) else { return Vec::new() };
        match (value.kind(), self.index) {
            (Kind::Array, Some(Index::One(index))) => value.children().nth(index).into_iter().collect(),
            (Kind::Array, _) => value.children().collect(),
            _ => vec![value],
        }
    }
}

/// The value of an attribute that is there and not `null`.
fn present<'v>(object: Value<'v>, name: &str) -> Option<Value<'v>> {
    object.get(name).filter(|value| value.kind() != Kind::Null)
}

/// Whether an observable repeats what it points at: the text of a scalar, nothing of an object.
fn repeats(value: Option<Value<'_>>, targets: &[Value<'_>]) -> Result<(), String> {
    let is_scalar = |target: &&Value<'_>| !matches!(target.kind(), Kind::Array | Kind::Object);
    let mut scalars = targets.iter().filter(is_scalar).peekable();
    match (scalars.peek().is_some(), value) {
        (true, None) => Err("it points at a scalar, so its value belongs here".to_owned()),
        (true, Some(value)) => {
            let same = value.as_str().is_some_and(|value| scalars.any(|target| text(*target) == value));
            same.then_some(()).ok_or_else(|| format!("{} is not the value that it points at", shown(value)))
        }
        (false, None) => Ok(()),
        (false, Some(_)) => Err("it points at an object, so there is no value".to_owned()),
    }
}

/// A scalar as text. A fraction in its shortest form, however it was written.
fn text(value: Value<'_>) -> Cow<'_, str> {
    match value.as_f64().filter(|_| value.kind() == Kind::Float) {
        Some(number) => format!("{number:?}").into(),
        None => value.decoded(),
    }
}
