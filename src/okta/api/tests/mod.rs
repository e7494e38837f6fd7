//! The client against a small org in this process: real HTTP, and tokens and proofs verified by another library than
//! the one that signs.

mod asking;
mod authority;
mod keys;
pub mod org;
mod rotation;
mod tokens;

use super::*;
use authority::Authority;
use org::{Org, reply};

/// Users to ask for.
fn users() -> Request {
    Request::list("/api/v1/users")
}

/// The ids in an answer.
fn ids(answer: &Answer) -> Vec<&str> {
    answer.objects().filter_map(|object| object.id).collect()
}
