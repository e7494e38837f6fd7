//! Who may call the API, with what, and how often.

pub mod limits;
pub mod oauth;
pub mod principals;
pub mod proof;
