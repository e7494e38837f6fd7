//! What is known of an org's inventory: observations and hints in; versions, tombstones, fetch intents and drift out.
//! See `design.md` beside this file.
//!
//! - [`fold`] takes one landing record after another. It has no I/O, no clock and no randomness, as the rest of `merge`.
//! - [`slot`] is where something is known, [`head`] what is known of it, [`judge`] which of two sightings is the newer.
//! - [`content`] reads of a body what the fold must know; [`lists`] puts pages together.
//! - [`hints`] says what an event makes stale, [`intents`] what is to be fetched, [`sweep`] what a snapshot missed.
//! - [`state`] and [`store`] are the memory; [`marks`] are the words between the fold and who fetches.
//!
//! [`super::Fold`] gives each record to [`Inventory::apply`], an event with whether it was fresh, and commits
//! [`Inventory::finish`] in the same store transaction as the rest.

mod content;
mod fetches;
mod fold;
mod guards;
mod head;
mod hints;
mod intents;
mod judge;
mod lists;
mod marks;
mod observe;
mod output;
mod settings;
mod slot;
mod state;
mod store;
mod sweep;

pub use content::{Content, Hash};
pub use fold::{Batch, Inventory};
pub use head::{Head, Standing, Tombstone, Version};
pub use hints::{HintError, HintTable};
pub use intents::{Ask, Stage, Want, due};
pub use marks::{ChangesRead, Errand, Failed, FetchMark, Sent};
pub use output::{Alert, Cause, Change, Counts, Deleted, Drift, DriftKind, Intent, Output};
pub use settings::Settings;
pub use slot::Slot;
pub use state::{body, head};
pub use store::{Entry, InventoryStore, MemoryInventory, Writes};

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
