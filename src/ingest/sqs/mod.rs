//! Reads events from an SQS queue. See `design.md` beside this file.

mod aws;
mod inflight;
mod queue;
mod source;

pub use aws::SqsQueue;
pub use queue::{Delivered, Handle, Queue, QueueError, Refusal};
pub use source::{Parts, Source};
