use std::borrow::Cow;

use super::tape::{Document, Node};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Null,
    True,
    False,
    /// A number written without fraction and exponent; of any size.
    Integer,
    /// A number written with a fraction or an exponent.
    Float,
    String,
    Array,
    Object,
}

/// One value of a read text. As cheap to copy as a reference.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) at: u32,
}

impl<'a> Value<'a> {
    #[inline]
    fn node(self) -> &'a Node {
        &self.document.nodes[self.at as usize]
    }

    /// What it is.
    #[inline]
    pub fn kind(self) -> Kind {
        self.node().kind
    }

    /// Its place in the document; the outermost value's is 0.
    #[inline]
    pub fn place(self) -> usize {
        self.at as usize
    }

    /// The place after everything in it.
    #[inline]
    pub fn next_place(self) -> usize {
        self.node().next as usize
    }

    /// The object or array that holds it.
    pub fn parent(self) -> Option<Value<'a>> {
        let parent = self.node().parent;
        (parent != self.at).then_some(Value { document: self.document, at: parent })
    }

    /// The document that it is of.
    pub fn document(self) -> &'a Document<'a> {
        self.document
    }

    /// The bytes between the quotes of a string, escapes as they were written; of any other value its whole text.
    #[inline]
    pub fn span(self) -> &'a str {
        let node = self.node();
        self.document.text.get(node.start as usize..node.end as usize).unwrap_or_default()
    }

    /// The text of the value as it was written, with the quotes of a string.
    pub fn written(self) -> &'a str {
        self.document.text.get(self.range()).unwrap_or_default()
    }

    /// Where [`Value::written`] is in the whole text, in bytes.
    pub fn range(self) -> std::ops::Range<usize> {
        let node = self.node();
        let quote = usize::from(node.kind == Kind::String);
        node.start as usize - quote..node.end as usize + quote
    }

    /// The string; `None` for other values.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        (self.kind() == Kind::String).then(|| self.decoded())
    }

    /// The string if it holds no escape, without looking further: the words of a protocol never do.
    #[inline]
    pub fn word(self) -> Option<&'a str> {
        let node = self.node();
        (node.kind == Kind::String && !node.escaped).then(|| self.span())
    }

    /// The string without its escapes; of any other scalar its text.
    pub fn decoded(self) -> Cow<'a, str> {
        match self.node().escaped {
            true => Cow::Owned(unescape(self.span())),
            false => Cow::Borrowed(self.span()),
        }
    }

    /// Whether it is a string that is exactly this.
    pub fn is(self, text: &str) -> bool {
        match self.node().escaped {
            false => self.kind() == Kind::String && self.span() == text,
            true => self.decoded() == text,
        }
    }

    /// An integer that fits 64 bits.
    pub fn as_i64(self) -> Option<i64> {
        if self.kind() == Kind::Integer { self.span().parse().ok() } else { None }
    }

    /// A finite number.
    pub fn as_f64(self) -> Option<f64> {
        let is_number = matches!(self.kind(), Kind::Integer | Kind::Float);
        if is_number { self.span().parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
    }

    /// A boolean.
    pub fn as_bool(self) -> Option<bool> {
        match self.kind() {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    /// Whether it is a string, number or boolean.
    pub fn is_scalar(self) -> bool {
        !matches!(self.kind(), Kind::Null | Kind::Array | Kind::Object)
    }

    /// The key under which it stands in its object, escapes as they were written; empty in arrays.
    #[inline]
    pub fn key_span(self) -> &'a str {
        let node = self.node();
        self.document.text.get(node.key_start as usize..node.key_end as usize).unwrap_or_default()
    }

    /// Where its key is in the whole text, with the quotes; `None` in arrays.
    pub fn key_range(self) -> Option<std::ops::Range<usize>> {
        let node = self.node();
        let in_object = self.parent().is_some_and(|parent| parent.kind() == Kind::Object);
        in_object.then(|| node.key_start as usize - 1..node.key_end as usize + 1)
    }

    /// The key under which it stands in its object; empty in arrays.
    #[inline]
    pub fn key(self) -> Cow<'a, str> {
        match self.node().key_escaped {
            true => Cow::Owned(unescape(self.key_span())),
            false => Cow::Borrowed(self.key_span()),
        }
    }

    /// Calls `with` with the key; cheaper than [`Value::key`] where keys hold no escapes.
    #[inline]
    pub fn with_key<R>(self, with: impl FnOnce(&str) -> R) -> R {
        if self.node().key_escaped { with(&self.key()) } else { with(self.key_span()) }
    }

    /// What it holds: the values of an object or the elements of an array, in their order. Scalars hold nothing.
    #[inline]
    pub fn children(self) -> Children<'a> {
        Children { document: self.document, at: self.at + 1, end: self.node().next }
    }

    /// The value under a key of an object.
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        if self.kind() != Kind::Object {
            return None;
        }
        self.children().find(|child| child.key() == key)
    }

    /// The mark that [`Value::set_mark`] left; 0 before.
    #[inline]
    pub fn mark(self) -> u8 {
        self.node().mark.get()
    }

    /// Leaves a mark.
    #[inline]
    pub fn set_mark(self, mark: u8) {
        self.node().mark.set(mark);
    }
}

/// See [`Value::children`].
#[derive(Debug, Clone)]
pub struct Children<'a> {
    document: &'a Document<'a>,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Value<'a>> {
        if self.at >= self.end {
            return None;
        }
        let value = Value { document: self.document, at: self.at };
        self.at = value.node().next;
        Some(value)
    }
}

/// Removes the escapes of a string that was read; they are known to be right.
pub(super) fn unescape(span: &str) -> String {
    let mut text = String::with_capacity(span.len());
    let mut rest = span;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let (character, length) = match escape.as_bytes().first() {
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            Some(b'u') => unicode(escape),
            Some(byte) => (char::from(*byte), 1),
            None => break,
        };
        text.push(character);
        rest = escape.get(length..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}

/// The character of `uXXXX` or `uXXXX\uXXXX`, and how many bytes it takes.
fn unicode(escape: &str) -> (char, usize) {
    let unit = |at: usize| escape.get(at..at + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let high = unit(1).unwrap_or(0xFFFD);
    if let Some(character) = char::from_u32(high) {
        return (character, 5);
    }
    let low = unit(7).unwrap_or(0xDC00);
    let point = 0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF);
    (char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER), 11)
}
