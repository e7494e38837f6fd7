//! What is known of an org's inventory: observations and hints in; versions, tombstones, fetch intents and drift out.
//! See `design.md` beside this file.
//!
//! - [`fold`] takes one landing record after another. It has no I/O, no clock and no randomness, as the rest of `merge`.
//! - [`slot`] is where something is known, [`head`] what is known of it, [`judge`] which of two sightings is the newer.
//! - [`content`] reads of a body what the fold must know; [`lists`] puts pages together.
//! - [`history`] keeps what slots were, [`memberships`] and [`names`] the same things the other way round.
//! - [`knowledge`] answers what is known as of an event, and [`show`] what is known of one thing.
//! - [`hints`] says what an event makes stale, [`intents`] what is to be fetched, [`strangers`] what was named and never seen, [`sweep`]
//!   what a snapshot missed.
//! - [`reports`] says what is to be published; [`rereads`] which times of the System Log are to be read again;
//!   [`freshness`] how fresh all of it is.
//! - [`state`] and [`store`] are the memory; [`marks`] are the words between the fold and who fetches.
//!
//! [`super::Fold`] gives each record to [`Inventory::apply`], an event with whether it was fresh, and commits
//! [`Inventory::finish`] in the same store transaction as the rest.

mod content;
mod fetches;
mod fold;
mod freshness;
mod guards;
mod head;
mod hints;
mod history;
mod intents;
mod judge;
mod knowledge;
mod lists;
mod marks;
mod memberships;
mod names;
mod observe;
mod output;
pub mod reports;
pub mod rereads;
mod settings;
mod show;
mod slot;
mod state;
mod store;
mod strangers;
mod sweep;

pub use content::{Content, Hash};
pub use fold::{Batch, Inventory};
pub use freshness::{Freshness, Staleness, freshness};
pub use head::{Head, Standing, Tombstone, Version};
pub use hints::{HintError, HintTable};
pub use intents::{Ask, Stage, Want, due};
pub use knowledge::View;
pub use marks::{ChangesRead, Errand, Failed, FetchMark, Sent};
pub use memberships::groups_of;
pub use output::{Alert, Cause, Change, Counts, Deleted, Drift, DriftKind, Intent, Output};
pub use settings::Settings;
pub use show::{Kept, Shown, ShownFacet, ShownGroups, ShownThing, Then, show};
pub use slot::Slot;
pub use state::{body, head, heads_after, last_sent};
pub use store::{Entry, InventoryStore, MemoryInventory, Writes};

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
