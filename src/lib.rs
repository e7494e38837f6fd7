//! okta-ocsf turns an Okta org into a trustworthy OCSF stream on Kafka.
//!
//! The dataflow is the tree:
//!
//! ```text
//! ingest ──► landing ──► merge ──► ocsf ──► publish
//! ```
//!
//! - [`ingest`] receives System Log events from SQS and looks at them only as far as org, uuid and time.
//! - [`landing`] is one totally ordered log per org: a Kafka topic, or one local file. A message leaves SQS only when
//!   its record is durable there. This is the line of no return: before it, work is given back at shutdown; after it,
//!   work is finished, by us or by whoever owns the partition next.
//! - [`merge`] folds one partition in order, synchronously and deterministically: each event once.
//! - [`ocsf`] maps an event to an OCSF 1.8.0 record; pure.
//! - [`publish`] writes records to Kafka topics or files, and what can never be a record to quarantine.
//! - [`collect`] is what reads the inventory from the org's API.
//! - [`inspect`] answers what people ask of the state.
//! - [`worker`] wires these together by role; [`okta`], [`kafka`] and [`aws`] are the peers as they are spoken to, and
//!   [`json`] is how every text of them is read.
//!
//! `ARCHITECTURE.md` has the picture and the promises.

// The simulation is one for `tests/simulation` and for unit tests, and calls the library by its name.
#[cfg(test)]
extern crate self as okta_ocsf;

pub mod ack;
pub mod aws;
pub mod cli;
pub mod collect;
pub mod config;
#[doc(hidden)]
pub mod crash;
pub mod error;
pub mod ingest;
pub mod inspect;
pub mod job_file;
pub mod json;
pub mod kafka;
pub mod landing;
pub mod merge;
pub mod ocsf;
pub mod okta;
pub mod publish;
pub mod telemetry;
pub mod worker;
