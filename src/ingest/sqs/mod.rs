//! Reads events from an SQS queue. See `design.md` beside this file.

mod aws;
mod coordinator;
mod inflight;
mod lander;
#[cfg(test)]
mod memory;
mod queue;
mod receiver;
mod room;
mod shared;
mod source;

pub use aws::SqsQueue;
pub use queue::{Answer, Delivered, Handle, Queue, QueueError, Refusal};
pub use shared::Parts;
pub use source::Source;
