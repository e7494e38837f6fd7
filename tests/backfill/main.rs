//! The past of a simulated org's log, read by the program as a person runs it: what lands and what is published of it,
//! everything that can go wrong, and what is said about it. Needs neither Kafka nor LocalStack: what is read lands in a
//! file.
//!
//! Every test has its own org and its own data directory, so they run beside each other. Where something is waited for,
//! the org's time is faster than ours, and the program is told so.

#![allow(clippy::unwrap_used)] // where a test cannot go on, it fails

mod bench;
mod command_line;
mod dividing;
mod landed;
mod quota;
mod reading;
mod resume;
#[path = "../support/mod.rs"]
mod support;
mod trouble;
