/// The HTTP method of a call. Okta's limits can differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates, or asks for a token.
    Post,
    /// Replaces.
    Put,
    /// Deletes.
    Delete,
}

/// What a call is for. Earlier ones go first; `Turns` says how later ones still get theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// One object that an event has marked dirty.
    Fetch,
    /// The live System Log.
    Poll,
    /// A full or incremental list, and the backfill of history.
    Snapshot,
    /// The rolling re-read of what should not have changed.
    Audit,
}

impl Priority {
    /// All of them, highest first.
    pub const ALL: [Self; 4] = [Self::Fetch, Self::Poll, Self::Snapshot, Self::Audit];

    /// In one word, for metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Poll => "poll",
            Self::Snapshot => "snapshot",
            Self::Audit => "audit",
        }
    }

    /// Whether the reserve of each window, and of the slots, is kept for it.
    pub(super) fn is_urgent(self) -> bool {
        self <= Self::Poll
    }

    pub(super) fn rank(self) -> usize {
        self as usize
    }
}

/// Calls of one method whose paths differ only in ids. They share a bucket, so what one of them is told holds for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(pub(super) usize);

/// A call that somebody wants to make.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its method.
    pub method: Method,
    /// Its path with the leading slash; a query is ignored.
    pub path: &'a str,
    /// What it is for.
    pub priority: Priority,
}

/// One call that may be made, and must then be reported with `Quota::answered` or `Quota::lost`.
///
/// One that is never reported counts as lost after ten minutes.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit is spent quota: report how the call ended"]
pub struct Permit {
    pub(super) id: u64,
}

/// The answer to `Quota::ask`.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// Make the call now.
    Go(Permit),
    /// Ask again at this time, or after the next answer if that is sooner. Ask for higher priorities first.
    WaitUntil(i64),
}
