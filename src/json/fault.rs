use super::MAX_DEPTH;

/// Why a text is not acceptable as a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not JSON text (RFC 8259), including invalid UTF-8 and lone surrogates.
    #[error("not JSON: {what} at byte {at}")]
    NotJson {
        /// What is wrong.
        what: &'static str,
        /// Where, counted from 0.
        at: usize,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// An object names one key twice.
    #[error("the key {0:?} appears twice in one object")]
    DuplicateKey(String),
}
