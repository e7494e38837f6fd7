//! The words between the fold and who reads the System Log. Times are ms since the Unix epoch by Okta's clock.

use serde::{Deserialize, Serialize};

/// The name of the poll's cursor.
pub const CURSOR: &str = "system_log";

/// The value of the poll's cursor: all before its place is in the log before this record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The request for the next page, as [`crate::okta::api::Request::target`] gives it.
    pub next: String,
    /// Everything that Okta persisted since then was read.
    pub from: i64,
    /// When the last page was asked for.
    pub asked: i64,
    /// Whether that page was the last one there was: then everything persisted before it was asked for was read.
    pub end: bool,
    /// Events in the pages since the last cursor.
    pub events: u64,
    /// How long the org's log stream may take to bring an event, ms, if one should bring them all.
    #[serde(default)]
    pub stream_grace: Option<i64>,
}

/// `log_slice`: a part of the past was read to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// From this time of publication on.
    pub since: i64,
    /// Up to before this one.
    pub until: i64,
    /// Events that it had.
    #[serde(default)]
    pub events: u64,
}

/// `log_reread`: a window was read again, because something changed in it that no event told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reread {
    /// From this time of publication on.
    pub since: i64,
    /// Up to before this one.
    pub until: i64,
    /// Events that it had.
    pub events: u64,
    /// When its first page was asked for.
    pub asked: i64,
}

/// `log_stream`: what Okta says of the org's log stream. Lands only when it is another than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSeen {
    /// When it was asked for.
    pub at: i64,
    /// Whether one of them that brings events here is active.
    pub active: bool,
    /// Its name and status, of several the first, for people.
    pub detail: String,
}

/// A mark about the System Log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogMark {
    /// See [`Slice`].
    Slice(Slice),
    /// See [`Reread`].
    Reread(Reread),
    /// See [`StreamSeen`].
    Stream(StreamSeen),
}

impl LogMark {
    /// The name and the value of its record.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which does not happen.
    pub fn write(&self) -> Result<(&'static str, Vec<u8>), serde_json::Error> {
        Ok(match self {
            Self::Slice(slice) => ("log_slice", serde_json::to_vec(slice)?),
            Self::Reread(reread) => ("log_reread", serde_json::to_vec(reread)?),
            Self::Stream(seen) => ("log_stream", serde_json::to_vec(seen)?),
        })
    }

    /// Reads a mark's record; `None` if it is about something else.
    ///
    /// # Errors
    /// When the value is not what the name promises.
    pub fn read(name: &str, value: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        Ok(Some(match name {
            "log_slice" => Self::Slice(serde_json::from_slice(value)?),
            "log_reread" => Self::Reread(serde_json::from_slice(value)?),
            "log_stream" => Self::Stream(serde_json::from_slice(value)?),
            _ => return Ok(None),
        }))
    }
}
