//! `unmapped`: every value of the event that no attribute took, in its place.

use super::writer::TAKEN;
use crate::json::{Document, Kind, Value};

/// Something in it is kept.
const KEPT: u8 = 2;
/// Something in it is not kept.
const DROPPED: u8 = 4;

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was taken, or says nothing (null, or empty).
    Drop,
    /// Nothing in it was taken, so its text is copied.
    Whole,
    /// A part of it was taken.
    Part,
}

/// What becomes of a value, once everything in the document was judged by [`write`] or [`judge`].
pub fn fate(value: Value<'_>) -> Fate {
    let mark = value.mark();
    match value.kind() {
        _ if mark & TAKEN != 0 => Fate::Drop,
        Kind::Null => Fate::Drop,
        Kind::Object | Kind::Array => match (mark & KEPT != 0, mark & DROPPED != 0) {
            (false, _) => Fate::Drop,
            (true, false) => Fate::Whole,
            (true, true) => Fate::Part,
        },
        _ => Fate::Whole,
    }
}

/// Appends `"unmapped":{…}` with the comma before it; nothing if nothing is left. The document was judged.
pub fn write(out: &mut Vec<u8>, document: &Document<'_>) {
    let root = document.root();
    if matches!(fate(root), Fate::Drop) {
        return;
    }
    out.extend_from_slice(b",\"unmapped\":");
    copy(out, document);
}

/// Tells every container what is in it. What it holds comes after it, so going backwards sees the content first.
pub fn judge(document: &Document<'_>) {
    for place in (1..document.len()).rev() {
        let Some(value) = document.value(place) else { continue };
        let Some(parent) = value.parent() else { continue };
        let told = match fate(value) {
            Fate::Drop => DROPPED,
            Fate::Whole => KEPT,
            Fate::Part => KEPT | DROPPED,
        };
        parent.set_mark(parent.mark() | told);
    }
}

/// Copies what is kept, in the order of the text. The stack is as deep as the text, which is bounded.
fn copy(out: &mut Vec<u8>, document: &Document<'_>) {
    let mut open: Vec<(usize, u8)> = Vec::new();
    let mut place = 0;
    while let Some(value) = document.value(place) {
        close(out, &mut open, place);
        let fate = fate(value);
        if fate == Fate::Drop {
            place = value.next_place();
            continue;
        }
        if !open.is_empty() {
            separate(out, value);
        }
        if fate == Fate::Whole {
            out.extend_from_slice(value.written().as_bytes());
            place = value.next_place();
            continue;
        }
        let (begin, end) = if value.kind() == Kind::Object { (b'{', b'}') } else { (b'[', b']') };
        out.push(begin);
        open.push((value.next_place(), end));
        place += 1;
    }
    close(out, &mut open, usize::MAX);
}

/// Ends the containers that end before a place.
fn close(out: &mut Vec<u8>, open: &mut Vec<(usize, u8)>, place: usize) {
    while open.last().is_some_and(|(end, _)| *end <= place) {
        if let Some((_, end)) = open.pop() {
            out.push(end);
        }
    }
}

fn separate(out: &mut Vec<u8>, value: Value<'_>) {
    if !matches!(out.last(), Some(b'{' | b'[')) {
        out.push(b',');
    }
    let in_object = value.parent().is_some_and(|parent| parent.kind() == Kind::Object);
    if in_object {
        out.push(b'"');
        out.extend_from_slice(value.key_span().as_bytes());
        out.extend_from_slice(b"\":");
    }
}
