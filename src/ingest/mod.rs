//! What brings events in. Looks at an event only as far as org, uuid and time; `sqs/design.md` tells the queue's story,
//! `system_log/design.md` that of the API, `backfill/design.md` that of history.

pub mod archive;
pub mod backfill;
mod envelope;
pub mod files;
pub mod sqs;
pub mod system_log;

pub use envelope::{Arrived, Poison, QueueOrgs, Unfit, decode, identify, log_event};
