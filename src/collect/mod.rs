//! What reads the inventory of an org: the collections that there are, and the plan made from them.
//!
//! - [`table`] says of each collection where it is, how it is paged, what it takes to see it, and how it lands. Another
//!   collection is another row.
//! - [`plan`] chooses from the table and puts parents before their children.
//!
//! Never changes merged state: what is read goes into the landing log, and only the fold makes something of it.

pub mod plan;
pub mod table;

pub use plan::{Calls, Counts, Engine, Plan, Selection, UnknownCollection};
pub use table::{COLLECTIONS, Collection, Grain, Incremental, Managed, Needs, Page, Parent, Role};
