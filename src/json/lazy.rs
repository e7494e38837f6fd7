use std::cell::{Cell, OnceCell};

use super::{Document, JsonFault, Tape};

/// A text that is read when somebody asks for it, and then for all who ask: who needs it is known only on the way.
pub struct Lazy<'a> {
    text: &'a [u8],
    tape: Cell<Option<&'a mut Tape>>,
    document: OnceCell<Result<Document<'a>, JsonFault>>,
}

impl<'a> Lazy<'a> {
    /// The text, to be read into this memory.
    pub fn new(text: &'a [u8], tape: &'a mut Tape) -> Self {
        Self { text, tape: Cell::new(Some(tape)), document: OnceCell::new() }
    }

    /// The document.
    ///
    /// # Errors
    /// As [`Tape::read`].
    pub fn document(&self) -> Result<&Document<'a>, &JsonFault> {
        let read = || match self.tape.take() {
            Some(tape) => tape.read(self.text),
            // The tape is taken once, and what was read is kept.
            None => Err(JsonFault::NotJson { what: "read before", at: 0 }),
        };
        self.document.get_or_init(read).as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_once_and_a_bad_one_is_bad_every_time() {
        let mut tape = Tape::default();
        let good = Lazy::new(br#"{"a":1}"#, &mut tape);
        let first: *const Document<'_> = good.document().unwrap();
        assert_eq!(first, std::ptr::from_ref(good.document().unwrap()), "what was read is kept");
        let mut tape = Tape::default();
        let bad = Lazy::new(b"{", &mut tape);
        assert_eq!(bad.document().unwrap_err(), &bad.document().unwrap_err().clone());
    }
}
