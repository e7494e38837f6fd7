//! The promises of `design.md`, each against a model of Okta's side (`model.rs`) and of a client (`world.rs`).

pub mod model;
mod promises;
mod properties;
mod recovery;
mod steady;
mod world;
