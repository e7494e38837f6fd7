//! Exported System Logs: files of LogEvents, or of the envelopes that they travel in, as JSON.
//!
//! [`Source`] unpacks, [`Elements`] finds the events one by one, [`Loader`] lands them, and [`FileJob`] keeps how far they are. Nothing is kept of a file but the
//! element in hand and the batches under way, so a file may be of any size.

mod elements;
mod job;
mod loader;
mod outline;
mod source;
#[cfg(test)]
mod tests;

pub use elements::{Element, Elements, Place};
pub use job::FileJob;
pub use loader::{Counts, LoadError, Loader, Watch};
pub use source::{Packing, Source};
