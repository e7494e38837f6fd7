//! Whether a record conforms to the OCSF schema: the rules of `rule`, read from `schemas/ocsf/1.8.0/facts.json`.
//!
//! Promises:
//! - Strict: everything that the schema says about a record's form is checked, at every depth. Unknown attributes,
//!   attributes of a profile that the record does not name, `null`, and names that differ from their id's caption are
//!   errors. What only advises against something (deprecations) is a warning.
//! - Observables lead to a value of the record, and have its type and its text.
//! - Any bytes may come; depth is bounded. Paths and messages are made only for what is found.
//!
//! Not checked: that recommended attributes are there, that ids are unique, what values mean.
//!
//! The facts are compiled once into tables (`schema`). A `walk` goes through a record beside the table of its class and
//! those of its objects; `scalar` and `formats` know the types, `observables` follows their names.

mod enums;
mod facts;
mod formats;
mod observables;
mod path;
mod record;
mod rule;
mod scalar;
mod schema;
mod walk;

use std::sync::LazyLock;

use serde::Serialize;

use crate::json::{Document, JsonFault, Tape, Value};
use facts::Facts;
use rule::Rule;
pub use rule::Severity;
use schema::Tables;
use walk::Walk;

/// An OCSF schema, as far as we emit its classes.
#[derive(Debug)]
pub struct Schema {
    tables: Tables,
}

/// A rule that a record breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which rule.
    pub code: &'static str,
    /// Where, as in `resources[0].owner.name`; empty if it is the record as a whole.
    pub path: String,
    /// In which way, for people.
    pub message: String,
    /// Whether the record is invalid for it.
    pub severity: Severity,
}

/// Why facts are not usable.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// Not the form that `schemas/generate_ocsf.py` writes.
    #[error("the facts of the schema cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// The facts name something that they do not explain.
    #[error("the facts of the schema do not say what the {what} {name:?} is")]
    Unknown {
        /// A class, object, attribute, type or profile.
        what: &'static str,
        /// Its name.
        name: String,
    },
}

static EMBEDDED: LazyLock<Schema> = LazyLock::new(|| {
    let facts = include_str!("../../../schemas/ocsf/1.8.0/facts.json");
    // A property of the binary, not of its input: the tests of this module fail first.
    Schema::from_facts(facts).unwrap_or_else(|error| panic!("{error}"))
});

impl Schema {
    /// The schema that this binary was made for: [`crate::ocsf::OCSF_VERSION`].
    pub fn embedded() -> &'static Schema {
        &EMBEDDED
    }

    /// A schema from the text of a `facts.json`.
    ///
    /// # Errors
    /// When the text has another form, or names what it does not explain.
    pub fn from_facts(facts: &str) -> Result<Self, FactsError> {
        let facts: Facts = serde_json::from_str(facts).map_err(FactsError::Unreadable)?;
        Ok(Self { tables: Tables::new(facts)? })
    }

    /// What is wrong with a record; nothing if it is valid.
    pub fn check(&self, record: &[u8]) -> Vec<Finding> {
        match Tape::default().read(record) {
            Ok(document) => self.check_document(&document),
            Err(fault) => vec![fault.into()],
        }
    }

    /// What is wrong with a record that was read already.
    pub fn check_document(&self, record: &Document<'_>) -> Vec<Finding> {
        let mut walk = Walk::new(&self.tables);
        walk.record(record.root());
        walk.findings
    }

    /// The version of the schema.
    pub fn version(&self) -> &str {
        &self.tables.version
    }

    /// The caption of an enumerated value of a class, such as 1 of `activity_id`.
    pub fn caption(&self, class_uid: i64, attribute: &str, value: &str) -> Option<&str> {
        let table = &self.tables.class(class_uid)?.table;
        let attribute = table.attributes.get(table.find(attribute)?)?;
        attribute.meaning(value).map(|meaning| meaning.caption.as_str())
    }

    /// The name of a class, also of one that we do not emit.
    pub fn class_name(&self, uid: i64) -> Option<&str> {
        let emitted = self.tables.class(uid).map(|class| &class.name);
        emitted.or_else(|| self.tables.not_emitted.get(&uid)).map(String::as_str)
    }
}

impl Finding {
    /// A record that is not even read: it has more bytes than there may be.
    pub fn too_long(longest: usize) -> Self {
        Self::new(rule::JSON_INVALID, String::new(), format!("longer than {longest} bytes"))
    }

    fn new(rule: Rule, path: String, message: String) -> Self {
        Self { code: rule.code, path, message, severity: rule.severity }
    }
}

impl From<JsonFault> for Finding {
    fn from(fault: JsonFault) -> Self {
        let rule = match fault {
            JsonFault::DuplicateKey(_) => rule::JSON_DUPLICATE_KEY,
            _ => rule::JSON_INVALID,
        };
        Self::new(rule, String::new(), fault.to_string())
    }
}

/// A value in a message: as it was written, cut where it gets long.
fn shown(value: Value<'_>) -> String {
    const LONGEST: usize = 60;
    let text = value.written();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
