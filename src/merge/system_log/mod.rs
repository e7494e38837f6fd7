//! What is known of an org's System Log itself: how far the poll has come, by which ways the events of each minute came,
//! which minutes are complete, and whether the log stream still brings everything. See `design.md` beside this file.
//!
//! - [`SystemLog`] takes one landing record after another; no I/O, no clock, no randomness, as the rest of `merge`.
//! - `hours` are the counts by minute, `spans` the times that are complete, `standing` all else of an org.
//! - `watch` judges the log stream by what the poll found and the stream did not bring.
//! - [`marks`] are the words between the fold and who reads the log; [`ledger()`] is how others read what came of it.

mod fold;
mod hours;
mod keys;
mod ledger;
pub mod marks;
mod spans;
mod standing;
#[cfg(test)]
mod tests;
mod watch;

pub use fold::{Output, SystemLog, Unreadable};
pub use hours::Counts;
pub use ledger::{Minute, ledger};
pub use marks::{CURSOR, Cursor};
pub use spans::Spans;
pub use standing::{Standing, standing};
pub use watch::{Alarm, Gap, Reason, Told, Watch};

/// How long after a minute it counts as complete, once the poll has passed it. Agents report with delay, so `published`
/// is behind the order in which Okta persists. What comes later still is read all the same, as the poll goes by the order
/// of persistence: the margin only says when a minute may be relied on. Ten minutes is ten times what Okta's own servers
/// and most agents take, and a tenth of what would make the answer old news.
pub const SETTLE_MS: i64 = 10 * MINUTE_MS;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// The beginning of the minute.
fn minute_of(ms: i64) -> i64 {
    ms.div_euclid(MINUTE_MS).saturating_mul(MINUTE_MS)
}
