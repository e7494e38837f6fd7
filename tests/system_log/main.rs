//! The System Log as it is polled, against the simulated org: no Kafka, no AWS.
//!
//! `bench` is one test's place; `follow` is a log that is followed, `crashes` one whose worker dies at every step, `trouble`
//! what goes wrong at the org.

#![allow(clippy::unwrap_used)] // where a test cannot go on, it fails

mod bench;
mod crashes;
mod follow;
#[path = "../support/mod.rs"]
mod support;
mod trouble;
