//! One document of everything that is handed in, checked and without secrets.

use super::{InventoryError, Piece, UserFacts};
use crate::json::{Document, JsonFault, Kind, MAX_DEPTH, Tape};
use crate::okta::secrets;

/// How deep a piece may nest, so that the record in which it stands a few levels deeper is readable like any other.
const DEEPEST: usize = MAX_DEPTH - 4;

/// An object by itself, as the text of a document.
pub fn object(tape: &mut Tape, piece: Piece, text: &[u8], out: &mut Vec<u8>) -> Result<(), InventoryError> {
    out.clear();
    push(tape, piece, text, out)
}

/// A user with what else is known: `{"user":{…},"groups":[…],"factors":[…],"roles":[…]}`.
pub fn user(tape: &mut Tape, facts: &UserFacts<'_>, out: &mut Vec<u8>) -> Result<(), InventoryError> {
    out.clear();
    out.extend_from_slice(b"{\"user\":");
    push(tape, Piece::User, facts.user, out)?;
    let lists = [
        ("groups", Piece::Group, facts.groups),
        ("factors", Piece::Factor, facts.factors),
        ("roles", Piece::Role, facts.roles),
    ];
    for (name, piece, list) in lists {
        let Some(list) = list else { continue };
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":[");
        for (index, text) in list.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            push(tape, piece, text, out)?;
        }
        out.push(b']');
    }
    out.push(b'}');
    Ok(())
}

/// Reads what [`object`] or [`user`] made.
pub fn read<'a>(tape: &'a mut Tape, piece: Piece, text: &'a [u8]) -> Result<Document<'a>, InventoryError> {
    tape.read(text).map_err(|fault| InventoryError::NotJson(piece, fault))
}

/// Appends a piece. Each is read by itself first, so that none can pretend to be another.
fn push(tape: &mut Tape, piece: Piece, text: &[u8], out: &mut Vec<u8>) -> Result<(), InventoryError> {
    let document = read(tape, piece, text)?;
    // An element of a list that is no object has no attributes and is left in `unmapped`.
    let is_element = matches!(piece, Piece::Group | Piece::Factor | Piece::Role);
    if !is_element && document.root().kind() != Kind::Object {
        return Err(InventoryError::NotObject(piece));
    }
    if depth(&document) > DEEPEST {
        return Err(InventoryError::NotJson(piece, JsonFault::TooDeep));
    }
    secrets::copy_without(&document, out);
    Ok(())
}

/// How deep a document nests.
fn depth(document: &Document<'_>) -> usize {
    let mut ends = Vec::new();
    let mut deepest = 0;
    for value in (0..document.len()).filter_map(|place| document.value(place)) {
        while ends.last().is_some_and(|end| *end <= value.place()) {
            ends.pop();
        }
        if matches!(value.kind(), Kind::Object | Kind::Array) {
            ends.push(value.next_place());
            deepest = deepest.max(ends.len());
        }
    }
    deepest
}
