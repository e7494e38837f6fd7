//! What the management API tells of the org: the shapes of its objects and the table of its collections.

pub mod ask;
pub mod filter;
pub mod page;
pub mod shapes;
pub mod table;
