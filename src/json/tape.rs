use std::borrow::Cow;
use std::cell::Cell;

use super::JsonFault;
use super::scan::{self, not_json};
use super::value::{Kind, Value, unescape};

/// Real System Log events nest at most about 8 deep; 64 leaves room for any future one and is half of the depth at
/// which common readers give up, so what passes here is readable everywhere.
pub const MAX_DEPTH: usize = 64;

/// Objects with more keys than this are checked for a repeated key by sorting when they end; up to it each new key is
/// compared with those before it that share a bit of a 64-bit filter. Real objects have fewer than 30 keys.
const FEW_KEYS: u32 = 48;

/// One value of a text. Positions are bytes from the start of the text.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// First byte of the value; of a string, after its quote.
    pub start: u32,
    /// After the last byte of the value; of a string, its closing quote.
    pub end: u32,
    /// The key in the surrounding object, without quotes; empty in arrays.
    pub key_start: u32,
    pub key_end: u32,
    /// The node after this value and everything in it.
    pub next: u32,
    /// The node of the surrounding object or array; its own for the outermost.
    pub parent: u32,
    pub kind: Kind,
    /// The string, respectively the key, holds escapes.
    pub escaped: bool,
    pub key_escaped: bool,
    /// Whoever uses the document may mark its values.
    pub mark: Cell<u8>,
}

/// The memory of a read text, for one text after another.
#[derive(Debug, Default)]
pub struct Tape {
    nodes: Vec<Node>,
    open: Vec<Open>,
}

/// A read text.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) nodes: &'a [Node],
    depth: usize,
}

impl<'a> Document<'a> {
    /// How deep the text is nested: 0 for a scalar, 1 for an object of scalars.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The outermost value.
    pub fn root(&'a self) -> Value<'a> {
        Value { document: self, at: 0 }
    }

    /// The whole text.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Takes all marks away, so that the document is as it was read.
    pub fn unmark(&self) {
        self.nodes.iter().for_each(|node| node.mark.set(0));
    }

    /// How many values there are, at any depth.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: a text without a value is no JSON.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The value at a place between 0 and [`Document::len`], in the order of the text: a container comes before what it
    /// holds.
    pub fn value(&'a self, at: usize) -> Option<Value<'a>> {
        (at < self.nodes.len()).then_some(Value { document: self, at: at as u32 })
    }
}

impl Tape {
    /// Reads a text, forgetting the one before.
    ///
    /// # Errors
    /// Why the text is not acceptable.
    pub fn read<'a>(&'a mut self, text: &'a [u8]) -> Result<Document<'a>, JsonFault> {
        let utf8 = std::str::from_utf8(text).map_err(|error| not_json("invalid UTF-8", error.valid_up_to()))?;
        // Spans are 32-bit; nothing that comes near 4 GiB is ever a message.
        if u32::try_from(text.len()).is_err() {
            return Err(not_json("more than 4 GiB", 0));
        }
        self.nodes.clear();
        self.open.clear();
        let mut reader = Reader { text, nodes: &mut self.nodes, open: &mut self.open, at: 0, depth: 0 };
        reader.read()?;
        let depth = reader.depth;
        Ok(Document { text: utf8, nodes: &self.nodes, depth })
    }
}

/// A container whose end has not been seen.
#[derive(Debug)]
struct Open {
    node: u32,
    is_object: bool,
    /// Bits of the keys so far.
    filter: u64,
    keys: u32,
    any_escaped: bool,
}

struct Reader<'t, 'n> {
    text: &'t [u8],
    nodes: &'n mut Vec<Node>,
    open: &'n mut Vec<Open>,
    at: usize,
    /// The deepest so far.
    depth: usize,
}

/// The key that the next value belongs to.
#[derive(Default, Clone, Copy)]
struct Key {
    start: u32,
    end: u32,
    escaped: bool,
}

impl Reader<'_, '_> {
    fn read(&mut self) -> Result<(), JsonFault> {
        self.skip_space();
        self.value(Key::default())?;
        // Each turn handles what follows a value, or the start of a container, in the innermost open one.
        while let Some(is_object) = self.open.last().map(|open| open.is_object) {
            self.skip_space();
            if self.take(if is_object { b'}' } else { b']' }) {
                self.close()?;
                continue;
            }
            let first = self.open.last().is_some_and(|open| open.node as usize + 1 == self.nodes.len());
            if !first {
                if !self.take(b',') {
                    return Err(not_json("neither a comma nor an end", self.at));
                }
                self.skip_space();
            }
            let key = if is_object { self.key()? } else { Key::default() };
            self.value(key)?;
        }
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { Err(not_json("something after the end", self.at)) }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn key(&mut self) -> Result<Key, JsonFault> {
        if !self.take(b'"') {
            return Err(not_json("no key", self.at));
        }
        let start = self.at;
        let (end, escaped) = scan::string(self.text, start)?;
        self.at = end + 1;
        self.note_key(start, end, escaped)?;
        self.skip_space();
        if !self.take(b':') {
            return Err(not_json("no colon", self.at));
        }
        self.skip_space();
        Ok(Key { start: start as u32, end: end as u32, escaped })
    }

    fn value(&mut self, key: Key) -> Result<(), JsonFault> {
        let start = self.at;
        let (kind, start, end, escaped) = match self.peek() {
            Some(b'"') => {
                let (end, escaped) = scan::string(self.text, start + 1)?;
                self.at = end + 1;
                (Kind::String, start + 1, end, escaped)
            }
            Some(b'{') => return self.begin(Kind::Object, key),
            Some(b'[') => return self.begin(Kind::Array, key),
            Some(b't') => (Kind::True, start, self.word(b"true")?, false),
            Some(b'f') => (Kind::False, start, self.word(b"false")?, false),
            Some(b'n') => (Kind::Null, start, self.word(b"null")?, false),
            Some(b'-' | b'0'..=b'9') => {
                let (end, integer) = scan::number(self.text, start)?;
                self.at = end;
                (if integer { Kind::Integer } else { Kind::Float }, start, end, false)
            }
            _ => return Err(not_json("no value", start)),
        };
        self.push(key, kind, start, end, escaped);
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<usize, JsonFault> {
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        if !found {
            return Err(not_json("no value", self.at));
        }
        self.at += word.len();
        Ok(self.at)
    }

    fn push(&mut self, key: Key, kind: Kind, start: usize, end: usize, escaped: bool) {
        let at = self.nodes.len() as u32;
        self.nodes.push(Node {
            start: start as u32,
            end: end as u32,
            key_start: key.start,
            key_end: key.end,
            next: at + 1,
            parent: self.open.last().map_or(at, |open| open.node),
            kind,
            escaped,
            key_escaped: key.escaped,
            mark: Cell::new(0),
        });
    }

    fn begin(&mut self, kind: Kind, key: Key) -> Result<(), JsonFault> {
        if self.open.len() == MAX_DEPTH {
            return Err(JsonFault::TooDeep);
        }
        let node = self.nodes.len() as u32;
        self.push(key, kind, self.at, self.at + 1, false);
        self.at += 1;
        self.depth = self.depth.max(self.open.len() + 1);
        self.open.push(Open { node, is_object: kind == Kind::Object, filter: 0, keys: 0, any_escaped: false });
        Ok(())
    }

    fn close(&mut self) -> Result<(), JsonFault> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let next = self.nodes.len() as u32;
        if let Some(node) = self.nodes.get_mut(open.node as usize) {
            (node.next, node.end) = (next, self.at as u32);
        }
        if open.keys > FEW_KEYS || open.any_escaped { self.check_all_keys(open.node) } else { Ok(()) }
    }

    /// Compares a key with those before it in its object, if there are few; otherwise the end of the object does.
    fn note_key(&mut self, start: usize, end: usize, escaped: bool) -> Result<(), JsonFault> {
        let text = self.text;
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        let key = text.get(start..end).unwrap_or_default();
        open.keys += 1;
        open.any_escaped |= escaped;
        let bit = 1u64 << (filter_bit(key) % 64);
        let seen = open.filter & bit != 0;
        open.filter |= bit;
        if !seen || open.keys > FEW_KEYS {
            return Ok(());
        }
        let mut at = open.node + 1;
        while let Some(node) = self.nodes.get(at as usize) {
            if text.get(node.key_start as usize..node.key_end as usize) == Some(key) {
                return Err(JsonFault::DuplicateKey(String::from_utf8_lossy(key).into_owned()));
            }
            at = node.next;
        }
        Ok(())
    }

    fn check_all_keys(&self, object: u32) -> Result<(), JsonFault> {
        let mut keys: Vec<Cow<'_, str>> = Vec::new();
        let mut at = object as usize + 1;
        while let Some(node) = self.nodes.get(at) {
            let key = self.text.get(node.key_start as usize..node.key_end as usize).unwrap_or_default();
            let key = std::str::from_utf8(key).unwrap_or_default();
            keys.push(if node.key_escaped { Cow::Owned(unescape(key)) } else { Cow::Borrowed(key) });
            at = node.next as usize;
        }
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair.first() == pair.last()) {
            Some(pair) => Err(JsonFault::DuplicateKey(pair.first().map(|key| key.to_string()).unwrap_or_default())),
            None => Ok(()),
        }
    }
}

/// Spreads the keys of real objects well enough: their lengths and ends differ.
#[inline]
fn filter_bit(key: &[u8]) -> u32 {
    let end = |byte: Option<&u8>| u32::from(byte.copied().unwrap_or_default());
    let middle = end(key.get(key.len() / 2));
    (key.len() as u32).wrapping_mul(7) ^ end(key.first()).wrapping_mul(5) ^ end(key.last()) ^ middle.wrapping_mul(3)
}
