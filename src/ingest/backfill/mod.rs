//! Reads the history of an org's System Log through its API. See `design.md` beside this file.
//!
//! - [`span`] says which time may be read, and why another may not.
//! - [`plan`] cuts it into slices, and knows of each how far it is read: pure, and what the file of a job holds.
//! - [`tally`] is the count and the hash of a set of uuids.
//! - [`job`] keeps the plan in a file, for one process at a time, so that a killed job goes on where it was.
//! - `read` reads one slice page by page, `remedy` says what to do when a page cannot be read, `land` lands events.
//! - `verify` asks for a small part of each slice once more, and `estimate` for a few pages before anything is read.
//! - `org` does all of it for one org, `progress` is for people.

mod estimate;
mod job;
mod land;
mod org;
mod plan;
mod progress;
mod read;
mod remedy;
mod span;
mod tally;
mod verify;

pub use estimate::Estimate;
pub use job::{Job, JobKey};
pub use land::{Count, Ends};
pub use org::{Backfill, Ended, Finish, Settings, Summary};
pub use progress::{Phase, Report};
pub use span::{Moment, SETTLE_MS, Span, SpanError};
