//! The fold: one partition of the landing log in, the truth about its orgs out. See `design.md` beside this file.
//!
//! [`Fold`] is synchronous and deterministic: no I/O, no clock, no randomness. Its time is the landing time of the
//! records, its memory is a [`StateStore`], and what it wants to remember it hands over as [`Changes`], so that
//! outputs, state and offset are committed in an order that someone else decides.

pub mod changelog;
pub mod cursors;
mod fold;
pub mod inventory;
pub mod snapshots;
mod store;
pub mod system_log;

pub use fold::{Fold, Folded, Verdict};
pub use store::{
    Bucket, Changes, Listed, MemoryStore, Rebuild, RedbReader, RedbStore, Seen, StateReader, StateStore, StoreError,
    Ways,
};
