//! What reads the inventory of an org: the collections that there are, and the plan made from them.
//!
//! - [`table`] says of each collection where it is, how it is paged, what it takes to see it, and how it lands. Another
//!   collection is another row.
//! - [`plan`] chooses from the table and puts parents before their children.
//!
//! Never changes merged state: what is read goes into the landing log, and only the fold makes something of it.

mod collector;
mod fetch;
mod land;
mod list;
mod lists;
mod observe;
mod org;
pub mod plan;
mod progress;
mod reading;
mod remedy;
mod schedule;
mod snapshot;
pub mod table;
#[cfg(test)]
mod tests;
mod trail;
mod verdict;

pub use collector::{Ends, Settings, run};
pub use fetch::check_object;
pub use land::Room;

pub use plan::{Calls, Counts, Plan, Selection, UnknownCollection};
pub use progress::{Bucket, Report, Row};
pub use table::{COLLECTIONS, Collection, Grain, Incremental, Managed, Needs, Page, Parent, Role};
