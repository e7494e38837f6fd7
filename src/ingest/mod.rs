//! What brings events in. Looks at an event only as far as org, uuid and time; `sqs/design.md` tells the queue's story.

mod envelope;
pub mod files;
pub mod sqs;

pub use envelope::{Arrived, Poison, QueueOrgs, decode};
