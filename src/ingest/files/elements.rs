use std::io::Read;

use memchr::{memchr, memchr_iter, memchr3};
use serde::{Deserialize, Serialize};

use super::outline::{Outline, Step};

/// Bytes asked for at a time: as large as the buffers of the decoders behind it.
const PIECE: usize = 64 << 10;

/// The byte order mark that some exports begin with.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A place in the decompressed text of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Bytes before it.
    pub offset: u64,
    /// Its line, from 1.
    pub line: u64,
    /// Elements that begin before it.
    pub elements: u64,
    /// Whether it is within an array of elements.
    pub within: bool,
}

impl Default for Place {
    fn default() -> Self {
        Self { offset: 0, line: 1, elements: 0, within: false }
    }
}

/// One element, as it stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'b> {
    /// Where it begins.
    pub place: Place,
    /// Its bytes; only the first ones if it is too long.
    pub bytes: &'b [u8],
    /// Whether it is longer than what is kept of it.
    pub is_cut: bool,
}

/// The elements of a text: of the arrays that stand in it, and what stands outside of them, line by line.
///
/// Promises:
/// - Valid JSON values are found exactly: objects and arrays of objects, however they are laid out and however many
///   follow each other, as exports and concatenated pages have them.
/// - No byte but white space, commas and the brackets of arrays is passed over: what is no JSON is an element too. One
///   that breaks off ends with the line that it began in, so that a damaged line takes no other along.
/// - However long an element is, no more than `longest` bytes of it, and of the text, are in memory.
pub struct Elements<R> {
    input: R,
    longest: usize,
    /// The text from the place on is in `used..filled`; what was given out stands before it until more is read.
    buffer: Vec<u8>,
    used: usize,
    filled: usize,
    /// What was kept of an element that is too long.
    kept: Vec<u8>,
    ended: bool,
    place: Place,
    /// The text ends within a value, which goes back to an earlier line: from here on every line is for itself.
    by_lines: bool,
}

impl<R: Read> Elements<R> {
    /// The elements from a place on, at which the input stands.
    pub fn new(input: R, place: Place, longest: usize) -> Self {
        Self {
            input,
            longest,
            buffer: Vec::new(),
            used: 0,
            filled: 0,
            kept: Vec::new(),
            ended: false,
            place,
            by_lines: false,
        }
    }

    /// Behind what was given out.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Bytes that are held of the text.
    #[cfg(test)]
    pub fn buffer_size(&self) -> usize {
        self.buffer.capacity() + self.kept.capacity()
    }

    /// The next element, `None` behind the last; [`Place::within`] then says that the end of an array is missing.
    ///
    /// # Errors
    /// When the input cannot be read; nothing can be read after that.
    pub fn next_element(&mut self) -> std::io::Result<Option<Element<'_>>> {
        self.pass_mark()?;
        loop {
            let Some(byte) = self.significant()? else { return Ok(None) };
            match (byte, self.place.within) {
                (b'[', false) if !self.by_lines => {
                    self.place.within = true;
                    self.pass(1);
                }
                (b']', true) => {
                    self.place.within = false;
                    self.pass(1);
                }
                (b',', true) => self.pass(1),
                (b'{', _) | (b'[' | b'"', true) => return self.value().map(Some),
                _ => return self.word().map(Some),
            }
        }
    }

    fn pass_mark(&mut self) -> std::io::Result<()> {
        while self.place.offset == 0 && self.rest().len() < MARK.len() && self.fill()? {}
        if self.place.offset == 0 && self.rest().starts_with(MARK) {
            self.pass(MARK.len());
        }
        Ok(())
    }

    /// The next byte that is no white space.
    fn significant(&mut self) -> std::io::Result<Option<u8>> {
        loop {
            let blank = self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.pass(blank);
            if let Some(byte) = self.rest().first() {
                return Ok(Some(*byte));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// A text, an object or an array that begins here.
    fn value(&mut self) -> std::io::Result<Element<'_>> {
        let mut outline = Outline::new(self.by_lines);
        let mut seen = 0;
        loop {
            match outline.follow(self.rest().get(seen..).unwrap_or_default()) {
                Step::End(length) if seen + length <= self.longest => return Ok(self.give(seen + length)),
                Step::Broken(length) if seen + length <= self.longest => return self.line(seen + length),
                Step::End(_) | Step::Broken(_) => return self.too_long(None),
                Step::More => seen = self.rest().len(),
            }
            if seen > self.longest {
                return self.too_long(Some((outline, seen)));
            }
            if !self.fill()? {
                self.by_lines |= memchr(b'\n', self.rest()).is_some();
                return self.line(seen);
            }
        }
    }

    /// What is no value that could be followed: up to the line's end, or in an array to what may part it from the next.
    fn word(&mut self) -> std::io::Result<Element<'_>> {
        let mut seen = 0;
        loop {
            let rest = self.rest().get(seen..).unwrap_or_default();
            let end = if self.place.within { memchr3(b',', b']', b'\n', rest) } else { memchr(b'\n', rest) };
            match end {
                Some(length) if seen + length <= self.longest => return Ok(self.give(seen + length)),
                Some(_) => return self.too_long(None),
                None => seen = self.rest().len(),
            }
            if seen > self.longest {
                return self.too_long(None);
            }
            if !self.fill()? {
                return Ok(self.give(seen));
            }
        }
    }

    /// A value that breaks off after so many bytes: its first line.
    fn line(&mut self, seen: usize) -> std::io::Result<Element<'_>> {
        match memchr(b'\n', self.rest().get(..seen).unwrap_or_default()) {
            Some(end) => Ok(self.give(end)),
            None => self.rest_of_line(seen),
        }
    }

    fn rest_of_line(&mut self, mut seen: usize) -> std::io::Result<Element<'_>> {
        loop {
            if let Some(end) = memchr(b'\n', self.rest().get(seen..).unwrap_or_default()) {
                return if seen + end <= self.longest { Ok(self.give(seen + end)) } else { self.too_long(None) };
            }
            seen = self.rest().len();
            if seen > self.longest {
                return self.too_long(None);
            }
            if !self.fill()? {
                return Ok(self.give(seen));
            }
        }
    }

    /// The first bytes of an element that is too long; the rest of it is passed over: to its end, where it can be
    /// followed (to which so many bytes were), or to the end of its line.
    fn too_long(&mut self, followed: Option<(Outline, usize)>) -> std::io::Result<Element<'_>> {
        let place = self.begin();
        self.kept.clear();
        self.kept.extend_from_slice(self.buffer.get(self.used..self.used + self.longest).unwrap_or_default());
        let mut outline = match followed {
            Some((outline, seen)) => {
                self.pass(seen);
                Some(outline)
            }
            None => None,
        };
        loop {
            let rest = self.rest();
            match &mut outline {
                Some(following) => match following.follow(rest) {
                    Step::End(length) => {
                        self.pass(length);
                        break;
                    }
                    Step::Broken(length) => {
                        outline = None;
                        self.pass(length);
                        // What cannot follow in a later line is that line's own.
                        if self.place.line > place.line {
                            break;
                        }
                        continue;
                    }
                    Step::More => {}
                },
                None => {
                    if let Some(end) = memchr(b'\n', rest) {
                        self.pass(end);
                        break;
                    }
                }
            }
            self.pass(self.rest().len());
            if !self.fill()? {
                break;
            }
        }
        Ok(Element { place, bytes: &self.kept, is_cut: true })
    }

    /// An element of so many bytes.
    fn give(&mut self, length: usize) -> Element<'_> {
        let place = self.begin();
        let from = self.used;
        self.pass(length);
        Element {
            place,
            bytes: self.buffer.get(from..from + length).unwrap_or_default().trim_ascii_end(),
            is_cut: false,
        }
    }

    fn begin(&mut self) -> Place {
        let place = self.place;
        self.place.elements += 1;
        place
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.used..self.filled).unwrap_or_default()
    }

    fn pass(&mut self, bytes: usize) {
        let passed = self.buffer.get(self.used..self.used + bytes).unwrap_or_default();
        self.place.line += memchr_iter(b'\n', passed).count() as u64;
        self.place.offset += passed.len() as u64;
        self.used += passed.len();
    }

    /// Reads on; false at the end.
    fn fill(&mut self) -> std::io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.buffer.len() < self.filled + PIECE {
            self.buffer.copy_within(self.used..self.filled, 0);
            (self.used, self.filled) = (0, self.filled - self.used);
            self.buffer.resize(self.buffer.len().max(self.filled + PIECE), 0);
        }
        let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let read = loop {
            match self.input.read(room) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.ended = !matches!(read, Ok(1..));
        self.filled += read.as_ref().unwrap_or(&0);
        read.map(|bytes| bytes > 0)
    }
}
