//! Polls the System Log of an org, and watches whether its log stream still brings everything. See `design.md` beside
//! this file.
//!
//! - `poller` is one for each org: it goes along the log, page by page, and in between looks at what else is to be read.
//! - `log` asks for pages, and knows what to do when one cannot be had (`patience`); `page` is what came of one.
//! - `landing` lands a page and then the place behind it.
//! - `stream` asks what Okta says of the log stream; `reread` reads windows of the past again; `told` is for people.
//!
//! What it must remember it lands, and reads back from the state (`merge::system_log`), so whoever owns the org next goes
//! on at the same place.

mod landing;
mod log;
mod page;
mod patience;
mod poller;
mod reread;
mod settings;
mod stream;
#[cfg(test)]
mod tests;
mod told;

pub use poller::{Ends, run};
pub use settings::{Settings, StreamSettings};

/// What reading the log takes.
pub const SCOPE: &str = "okta.logs.read";

use std::time::Duration;

use jiff::Timestamp;

use crate::ack::NotDelivered;
use crate::merge::StoreError;
use crate::okta::api::Request;

/// The most events of a page that Okta gives.
const PAGE: u32 = 1_000;

/// Why a round of the poll ended early.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// The log did not take a record.
    #[error("the landing log did not take what was read")]
    NotLanded(#[source] NotDelivered),
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StoreError),
    /// Okta no longer knows the place.
    #[error("Okta no longer knows this place of its log")]
    Stale,
}

/// A request for the log, without its bounds.
fn of_log() -> Request {
    Request::list("/api/v1/logs").id_key("uuid")
}

/// A time as Okta reads it.
fn time(ms: i64) -> String {
    format!("{:.3}", Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH))
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
