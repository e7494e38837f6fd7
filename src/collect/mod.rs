//! What reads the inventory of an org. See `design.md` beside this file.
//!
//! - [`table`] says of each collection where it is, how it is paged, what it takes to see it, and how it lands. Another
//!   collection is another row.
//! - [`plan`] chooses from the table and puts parents before their children.
//! - `collector` is one for each org: it finishes what was begun, and begins what is asked for or due (`schedule`).
//! - `snapshot` reads all collections of a plan at once; `reading` one of them, by its `lists`; `list` one list, page by
//!   page; `fetch` single objects.
//! - `errands` fetches what the fold asks for, while snapshots go on; `relists` asks between them what has changed, and
//!   `audits` reads round and round what takes a call for each user. `access` is what they share with the collector.
//! - `remedy` says what to do when a page cannot be read, `verdict` how a collection has ended, `trail` that a list leads in
//!   a circle.
//! - `clock` lands a tick when what waits to be published is driven by nothing else, and shows how fresh the state is.
//! - `observe` makes records of answers, `land` lands them, `progress` is for people.
//!
//! Never changes merged state: what is read goes into the landing log, and only the fold makes something of it.

mod access;
mod audits;
mod clock;
mod collector;
mod errands;
mod fetch;
mod land;
mod list;
mod lists;
mod observe;
mod org;
pub mod plan;
mod progress;
mod reading;
mod relists;
mod remedy;
mod schedule;
mod snapshot;
pub mod table;
#[cfg(test)]
mod tests;
mod trail;
mod verdict;

pub use clock::{tick, watch};
pub use collector::{Ends, Settings, check_way_in, run};
pub use fetch::check_object;
pub(crate) use land::Lander;
pub use land::Room;

pub use plan::{Plan, Selection, UnknownCollection};
pub use progress::{Bucket, Report, Row};
pub use table::{COLLECTIONS, Collection, Grain, Incremental, Managed, Needs, Page, Parent, Role};
