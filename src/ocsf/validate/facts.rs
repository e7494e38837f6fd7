//! `facts.json` as it is written: see `schemas/ocsf/1.8.0/README.md`.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    pub version: String,
    pub profiles: Vec<String>,
    pub types: BTreeMap<String, TypeFacts>,
    /// What most tables mean by an attribute of this name.
    pub attributes: BTreeMap<String, AttributeFacts>,
    pub classes: BTreeMap<String, ClassFacts>,
    pub objects: BTreeMap<String, TableFacts>,
    /// Classes of the schema that we do not emit, by uid.
    pub not_emitted: BTreeMap<i64, String>,
}

/// Not `regex`: [`super::formats`] does by hand what it says, and a test holds the two together.
#[derive(Debug, Deserialize)]
pub struct TypeFacts {
    pub base: String,
    pub observable: Option<i64>,
    pub max_len: Option<usize>,
    pub range: Option<(i64, i64)>,
}

#[derive(Debug, Deserialize)]
pub struct ClassFacts {
    pub uid: i64,
    /// The profiles that the class takes.
    #[serde(default)]
    pub profiles: Vec<String>,
    #[serde(flatten)]
    pub table: TableFacts,
}

/// What classes and objects have in common.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TableFacts {
    pub deprecated: bool,
    pub observable: Option<i64>,
    pub constraints: BTreeMap<ConstraintKind, Vec<String>>,
    /// Attributes that exist only under a profile, by profile.
    pub only_with: BTreeMap<String, Vec<String>>,
    pub required: Vec<String>,
    pub recommended: Vec<String>,
    pub optional: Vec<String>,
    /// Attributes that mean something else here than in most tables.
    pub own: BTreeMap<String, AttributeFacts>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConstraintKind {
    AtLeastOne,
    JustOne,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttributeFacts {
    /// The name of a type; absent for objects.
    #[serde(rename = "type")]
    pub scalar: Option<String>,
    pub object: Option<String>,
    pub array: bool,
    pub sibling: Option<String>,
    pub observable: Option<i64>,
    pub deprecated: bool,
    /// Captions by value.
    #[serde(rename = "enum")]
    pub captions: BTreeMap<String, String>,
    pub deprecated_values: Vec<String>,
}
