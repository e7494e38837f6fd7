use memchr::memchr3;

/// How deep the kinds of containers are remembered: as deep as any text that is accepted later on.
const KNOWN_DEPTH: u32 = 64;

/// Follows one JSON value piece by piece, only as far as is needed to know where it ends, or where it can be none.
///
/// Promises: it ends a valid value at its last byte, wherever the pieces are cut. What it lets pass need not be valid.
#[derive(Debug)]
pub struct Outline {
    depth: u32,
    /// A bit for each open container, the innermost last: 1 for an array.
    arrays: u64,
    /// There were more containers than bits: what is open is not known any more.
    lost: bool,
    last: Last,
    inside: Inside,
    /// A line end ends the value, finished or not.
    one_line: bool,
}

/// The last thing that was read in the container at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Begin,
    Comma,
    Colon,
    Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    Text,
    Escape,
    /// A number or a word.
    Word,
}

/// What a piece of text was to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// All of it belongs to the value, and there is more to come.
    More,
    /// The value ends after so many bytes.
    End(usize),
    /// The byte at this place cannot follow.
    Broken(usize),
}

impl Outline {
    /// Before the first byte of a text, an object or an array. With `one_line` the value must end in its line.
    pub fn new(one_line: bool) -> Self {
        Self { depth: 0, arrays: 0, lost: false, last: Last::Begin, inside: Inside::Nothing, one_line }
    }

    /// Follows the next piece.
    pub fn follow(&mut self, piece: &[u8]) -> Step {
        let mut at = 0;
        while let Some(byte) = piece.get(at).copied() {
            match self.inside {
                Inside::Escape => {
                    // A line end is no escape, and the rest of the line shall not be taken for text.
                    if byte == b'\n' {
                        return Step::Broken(at);
                    }
                    self.inside = Inside::Text;
                }
                Inside::Text => {
                    let rest = piece.get(at..).unwrap_or_default();
                    let Some(plain) = memchr3(b'"', b'\\', b'\n', rest) else { return Step::More };
                    at += plain;
                    match rest.get(plain) {
                        Some(b'"') => {
                            self.inside = Inside::Nothing;
                            self.last = Last::Value;
                            if self.depth == 0 {
                                return Step::End(at + 1);
                            }
                        }
                        Some(b'\\') => self.inside = Inside::Escape,
                        // No text goes on over a line end.
                        _ => return Step::Broken(at),
                    }
                }
                Inside::Nothing | Inside::Word => match self.between(byte) {
                    Some(true) => return Step::End(at + 1),
                    Some(false) => {}
                    None => return Step::Broken(at),
                },
            }
            at += 1;
        }
        Step::More
    }

    /// A byte outside of texts: whether it is the last one; `None` if it cannot be there.
    fn between(&mut self, byte: u8) -> Option<bool> {
        let word = std::mem::replace(&mut self.inside, Inside::Nothing) == Inside::Word;
        match byte {
            b'\n' if self.one_line => return None,
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'"' => {
                (self.last != Last::Value).then_some(())?;
                self.inside = Inside::Text;
            }
            b'{' | b'[' => {
                self.value_may_begin()?;
                self.depth += 1;
                self.lost |= self.depth > KNOWN_DEPTH;
                self.arrays = self.arrays << 1 | u64::from(byte == b'[');
                self.last = Last::Begin;
            }
            b'}' | b']' => {
                let kind = if byte == b']' { Container::Array } else { Container::Object };
                (self.is_in(kind) && matches!(self.last, Last::Begin | Last::Value)).then_some(())?;
                self.depth -= 1;
                self.arrays >>= 1;
                self.last = Last::Value;
                return Some(self.depth == 0);
            }
            b',' => {
                (self.last == Last::Value).then_some(())?;
                self.last = Last::Comma;
            }
            b':' => {
                (self.last == Last::Value && self.is_in(Container::Object)).then_some(())?;
                self.last = Last::Colon;
            }
            _ if word => self.inside = Inside::Word,
            _ => {
                self.value_may_begin()?;
                (self.inside, self.last) = (Inside::Word, Last::Value);
            }
        }
        Some(false)
    }

    /// A value that is no text: not behind another one, and in an object only behind a colon.
    fn value_may_begin(&self) -> Option<()> {
        let fits = match self.last {
            Last::Value => false,
            Last::Colon => true,
            Last::Begin | Last::Comma => self.depth == 0 || self.is_in(Container::Array),
        };
        fits.then_some(())
    }

    /// Whether that may be the innermost open container.
    fn is_in(&self, kind: Container) -> bool {
        self.depth > 0 && (self.lost || (self.arrays & 1 == 1) == (kind == Container::Array))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Object,
    Array,
}
