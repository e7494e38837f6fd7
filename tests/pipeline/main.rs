//! The worker as a process, on the real outside world: LocalStack's SQS and EventBridge, Apache Kafka, a simulated
//! Okta org. Run by `make test`, which starts them; each test has its own queue, topics and data directory.

#![allow(clippy::unwrap_used)] // where a test cannot go on, it fails

mod bad_input;
mod changelog;
mod command_line;
mod delivery;
mod end_to_end;
mod faults;
mod history;
mod inventory;
mod mapping;
mod past;
mod reprocess;
mod security;
mod start;
mod support;
mod system_log;
