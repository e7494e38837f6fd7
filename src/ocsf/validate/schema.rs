//! The facts, compiled into tables in which a walk finds everything by number.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::FactsError;
use super::facts::{AttributeFacts, ConstraintKind, Facts, TableFacts};
use super::scalar::Scalar;

/// A set of profiles, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Profiles(u32);

impl Profiles {
    /// The profile of a number below 32.
    pub fn one(number: usize) -> Self {
        Self(1 << number)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// A class that we emit.
#[derive(Debug)]
pub struct Class {
    pub uid: i64,
    pub name: String,
    /// The profiles that it takes.
    pub profiles: Profiles,
    pub table: Table,
}

/// The attributes of a class or an object.
#[derive(Debug)]
pub struct Table {
    /// How messages name it: `object "user"`.
    pub label: String,
    pub deprecated: bool,
    /// In the order of [`by_length`]. None at all means that any are allowed.
    pub attributes: Vec<Attribute>,
    pub constraints: Vec<Constraint>,
}

/// How many of some attributes there must be.
#[derive(Debug)]
pub struct Constraint {
    pub kind: ConstraintKind,
    /// Numbers of attributes.
    pub members: Vec<usize>,
}

#[derive(Debug)]
pub struct Attribute {
    pub name: String,
    pub required: bool,
    pub deprecated: bool,
    pub array: bool,
    pub content: Content,
    /// The attribute exists only under one of these; if there are none, always.
    pub only_with: Profiles,
    /// The types of observable that it is.
    pub observable: Vec<i64>,
    /// What values it may have; empty if that is open. In the order of the values.
    pub values: Vec<EnumValue>,
    /// Of an id: the attribute that has its name.
    pub sibling: Option<usize>,
    /// Of a name: the attribute that has its id.
    pub id: Option<usize>,
    /// Of a time as text: the attribute that has it in milliseconds.
    pub timestamp: Option<usize>,
}

/// What an attribute, or each element of it, is. Numbers of [`Tables::objects`] and [`Tables::scalars`].
#[derive(Debug, Clone, Copy)]
pub enum Content {
    Object(usize),
    Scalar(usize),
}

#[derive(Debug)]
pub struct EnumValue {
    pub value: String,
    pub caption: String,
    pub deprecated: bool,
}

/// Everything that is known of the schema.
#[derive(Debug)]
pub struct Tables {
    pub version: String,
    pub profiles: Vec<String>,
    pub scalars: Vec<Scalar>,
    pub objects: Vec<Table>,
    pub classes: Vec<Class>,
    /// Names of the classes that we do not emit.
    pub not_emitted: BTreeMap<i64, String>,
}

impl Tables {
    pub fn new(facts: Facts) -> Result<Self, FactsError> {
        let mut tables = Self {
            scalars: facts.types.iter().map(|(name, of)| Scalar::new(name, of)).collect::<Result<_, _>>()?,
            objects: Vec::new(),
            classes: Vec::new(),
            profiles: facts.profiles.clone(),
            version: facts.version.clone(),
            not_emitted: facts.not_emitted.clone(),
        };
        for (name, of) in &facts.objects {
            tables.objects.push(tables.table(format!("object {name:?}"), of, &facts)?);
        }
        for (name, of) in &facts.classes {
            let table = tables.table(format!("class {name:?}"), &of.table, &facts)?;
            let profiles = tables.profile_set(&of.profiles)?;
            tables.classes.push(Class { uid: of.uid, name: name.clone(), profiles, table });
        }
        Ok(tables)
    }

    /// The emitted class of a uid.
    pub fn class(&self, uid: i64) -> Option<&Class> {
        self.classes.iter().find(|class| class.uid == uid)
    }

    /// The profile of a name.
    pub fn profile(&self, name: &str) -> Option<Profiles> {
        self.profiles.iter().position(|profile| profile == name).map(Profiles::one)
    }

    fn profile_set(&self, names: &[String]) -> Result<Profiles, FactsError> {
        let mut set = Profiles::default();
        for name in names {
            set.add(self.profile(name).ok_or_else(|| unknown("profile", name))?);
        }
        Ok(set)
    }

    fn table(&self, label: String, of: &TableFacts, facts: &Facts) -> Result<Table, FactsError> {
        let mut table = Table { label, deprecated: of.deprecated, attributes: Vec::new(), constraints: Vec::new() };
        let required = of.required.iter().map(|name| (name, true));
        let others = of.recommended.iter().chain(&of.optional).map(|name| (name, false));
        for (name, required) in required.chain(others) {
            let means = of.own.get(name).or_else(|| facts.attributes.get(name));
            let means = means.ok_or_else(|| unknown("attribute", name))?;
            table.attributes.push(Attribute { required, ..self.attribute(name, means, facts)? });
        }
        table.attributes.sort_by(|a, b| by_length(&a.name, &b.name));
        for (profile, names) in &of.only_with {
            let profile = self.profile(profile).ok_or_else(|| unknown("profile", profile))?;
            for name in names {
                let number = table.number(name)?;
                table.attributes[number].only_with.add(profile);
            }
        }
        table.link(of, facts);
        for (kind, names) in &of.constraints {
            let members = names.iter().map(|name| table.number(name)).collect::<Result<_, _>>()?;
            table.constraints.push(Constraint { kind: *kind, members });
        }
        Ok(table)
    }

    fn attribute(&self, name: &str, of: &AttributeFacts, facts: &Facts) -> Result<Attribute, FactsError> {
        let (content, also_observable) = match (&of.object, &of.scalar) {
            (Some(object), None) => {
                let found = facts.objects.iter().enumerate().find(|(_, (name, _))| *name == object);
                let (number, (_, table)) = found.ok_or_else(|| unknown("object", object))?;
                (Content::Object(number), table.observable)
            }
            (None, Some(scalar)) => {
                let number = self.scalars.iter().position(|known| known.name == *scalar);
                let number = number.ok_or_else(|| unknown("type", scalar))?;
                (Content::Scalar(number), self.scalars[number].observable)
            }
            _ => return Err(unknown("type of attribute", name)),
        };
        let values = of.captions.iter().map(|(value, caption)| EnumValue {
            value: value.clone(),
            caption: caption.clone(),
            deprecated: of.deprecated_values.contains(value),
        });
        Ok(Attribute {
            name: name.to_owned(),
            required: false,
            deprecated: of.deprecated,
            array: of.array,
            content,
            only_with: Profiles::default(),
            observable: of.observable.into_iter().chain(also_observable).collect(),
            values: values.collect(),
            sibling: None,
            id: None,
            timestamp: None,
        })
    }
}

impl Table {
    /// The number of the attribute of a name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.attributes.binary_search_by(|attribute| by_length(&attribute.name, name)).ok()
    }

    /// Whether it says nothing about its attributes.
    pub fn is_free_form(&self) -> bool {
        self.attributes.is_empty()
    }

    fn number(&self, name: &str) -> Result<usize, FactsError> {
        self.find(name).ok_or_else(|| unknown("attribute", name))
    }

    /// Lets the attributes know those that say the same in another form.
    fn link(&mut self, of: &TableFacts, facts: &Facts) {
        for number in 0..self.attributes.len() {
            let name = &self.attributes[number].name;
            let Some(means) = of.own.get(name).or_else(|| facts.attributes.get(name)) else { continue };
            let sibling = means.sibling.as_deref().filter(|_| !means.captions.is_empty()).and_then(|s| self.find(s));
            let is_timestamp = means.scalar.as_deref() == Some("timestamp_t") && !means.array;
            let text = is_timestamp.then(|| self.find(&format!("{name}_dt"))).flatten();
            if let Some(sibling) = sibling {
                self.attributes[number].sibling = Some(sibling);
                self.attributes[sibling].id = Some(number);
            }
            if let Some(text) = text {
                self.attributes[text].timestamp = Some(number);
            }
        }
    }
}

impl Attribute {
    /// Whether it exists in a record with these profiles.
    pub fn exists_with(&self, active: Profiles) -> bool {
        self.only_with.is_empty() || self.only_with.intersects(active)
    }

    /// What a value of a closed list means.
    pub fn meaning(&self, value: &str) -> Option<&EnumValue> {
        let found = self.values.binary_search_by(|known| known.value.as_str().cmp(value)).ok()?;
        self.values.get(found)
    }
}

/// Shorter names first: a search looks at few names of the same length, and at no letters of the others.
fn by_length(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn unknown(what: &'static str, name: &str) -> FactsError {
    FactsError::Unknown { what, name: name.to_owned() }
}
