//! What records of several classes have in common, one file a subject. Each part writes what the event has of it and
//! nothing where it has nothing.

pub mod base;
pub mod control;
pub mod countries;
pub mod device;
pub mod enrichments;
pub mod factors;
pub mod network;
pub mod people;
pub mod resources;
pub mod risk;
