//! The inventory of a simulated Okta org, read by the program as a person runs it: every way in, everything that can go
//! wrong, and what is said about it. Needs neither Kafka nor LocalStack: what is read lands in a file.
//!
//! Every test has its own org and its own data directory, so they run beside each other. Where something is waited for,
//! the org's time is faster than ours, and the program is told so.

#![allow(clippy::unwrap_used)] // where a test cannot go on, it fails

mod access;
mod bench;
mod command_line;
mod landed;
mod permissions;
mod published;
mod resume;
mod schedule;
#[path = "../support/mod.rs"]
mod support;
mod trouble;
mod truth;
