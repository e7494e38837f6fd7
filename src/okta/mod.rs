//! The org as a peer: what its System Log events and inventory objects look like on the wire; its REST API ([`api`]); the
//! quota of it ([`quota`]), where callers wait for their turn ([`gate`]), and how much of it is ours ([`share`]).
//!
//! Knows nothing of OCSF, Kafka or AWS.

pub mod api;
pub mod gate;
pub mod inventory;
pub mod quota;
pub mod secrets;
pub mod share;

mod engine;
mod log_event;
mod org;
mod pace;
mod section;
mod text;
mod time;

pub use engine::Engine;
pub use log_event::{
    AuthenticationContext, ChangeDetails, Client, DebugContext, DebugData, DetailEntry, Device, GeographicalContext,
    Geolocation, IpAddress, Issuer, LogEvent, Outcome, Party, Request, Risk, SecurityContext, Transaction,
    TransactionDetail, UserAgent,
};
pub use org::OrgId;
pub use pace::Pace;
pub use text::{Text, present};
pub use time::parse_ms;
