//! Logs, metrics and health: what the worker says about itself.
//!
//! Levels mean: ERROR, data is lost or a person is needed; WARN, it recovers by itself; INFO, the life of the process;
//! DEBUG, decisions about batches. Nothing is logged for a single event, and never a body.

mod health;
mod http;
mod logging;
pub mod metrics;

pub use health::{Component, Health};
pub use http::{Listening, serve};
pub use logging::init as init_logging;
