//! JSON texts: read once into a flat list of spans, checked on the way, and written attribute by attribute.
//!
//! Promises:
//! - [`Tape::read`] accepts exactly RFC 8259 in UTF-8, with numbers in the range of a double, nested at most [`MAX_DEPTH`] deep, without a key twice in one
//!   object: two readers of `{"a":1,"a":2}` may disagree, and a security record must mean one thing.
//! - Its cost is linear in the text, whatever the text holds; it never recurses.
//! - A value knows its span. What is copied from a text to an output is copied as it was written, so a number keeps its
//!   digits and a text its escapes, and nothing is decoded only to be encoded again.
//!
//! Why not a library: the mapping needs the spans (to copy), the order and parents of all values (to say where each
//! went), and no allocation for an event. No reader at hand gives all three; `serde_json` is the oracle of the tests.

mod fault;
mod lazy;
mod scan;
mod tape;
mod value;
mod write;

pub use fault::JsonFault;
pub use lazy::Lazy;
pub use tape::{Document, MAX_DEPTH, Tape};
pub use value::{Kind, Value};
pub use write::{push_escaped, push_f64, push_i64};

/// Accepts what [`Tape::read`] accepts.
///
/// # Errors
/// Why the text is not acceptable.
pub fn check(text: &[u8]) -> Result<(), JsonFault> {
    Tape::default().read(text).map(drop)
}

/// Whether a JSON text is an object. Asked before reading into a struct, which serde would also fill from an array.
pub fn is_object(text: &[u8]) -> bool {
    text.trim_ascii_start().first() == Some(&b'{')
}

#[cfg(test)]
mod tests;
