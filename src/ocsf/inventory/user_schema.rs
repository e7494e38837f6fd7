//! What an org demands of the profiles of its users.

use super::{InventoryError, Piece, source};
use crate::json::{Kind, Tape, Value};
use crate::okta::inventory::{SchemaDefinition, UserSchema as Source};

/// The attributes that the schema of a type of user requires. Read once, for many users.
///
/// Source: User Schema API (`GET /api/v1/meta/schemas/user/{id}`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserSchema {
    required: Vec<String>,
}

impl UserSchema {
    /// Reads a schema. One of another shape requires nothing.
    ///
    /// # Errors
    /// When it is not JSON or not an object.
    pub fn read(text: &[u8]) -> Result<Self, InventoryError> {
        let mut tape = Tape::default();
        let document = source::read(&mut tape, Piece::UserSchema, text)?;
        if document.root().kind() != Kind::Object {
            return Err(InventoryError::NotObject(Piece::UserSchema));
        }
        let definitions = Source::of(Some(document.root())).definitions;
        let mut required = Vec::new();
        for definition in definitions.into_iter().flat_map(Value::children) {
            let definition = SchemaDefinition::of(Some(definition));
            // Okta says it twice: in a list, and in each attribute.
            let listed = definition.required.into_iter().flat_map(Value::children).filter_map(Value::as_str);
            let attributes = definition.properties.into_iter().flat_map(Value::children);
            let marked =
                attributes.filter(|attribute| attribute.get("required").and_then(Value::as_bool) == Some(true));
            for name in listed.chain(marked.map(Value::key)) {
                if !required.iter().any(|known| *known == name) {
                    required.push(name.into_owned());
                }
            }
        }
        Ok(Self { required })
    }

    /// The required attributes that a profile lacks, or has without a value.
    pub fn missing_in<'s>(&'s self, profile: Option<Value<'_>>) -> impl Iterator<Item = &'s str> {
        let has = move |name: &str| {
            let value = profile.and_then(|profile| profile.get(name));
            value.is_some_and(|value| match value.kind() {
                Kind::Null => false,
                Kind::String => !value.span().is_empty(),
                Kind::Array | Kind::Object => value.children().next().is_some(),
                _ => true,
            })
        };
        self.required.iter().map(String::as_str).filter(move |name| !has(name))
    }
}
