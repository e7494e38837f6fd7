//! The org as a peer: what its System Log events and inventory objects look like on the wire, its REST API ([`api`]) and
//! the quota of it ([`quota`]).
//!
//! Knows nothing of OCSF, Kafka or AWS.

pub mod api;
pub mod inventory;
pub mod quota;

mod log_event;
mod org;
mod section;
mod text;
mod time;

pub use log_event::{
    AuthenticationContext, ChangeDetails, Client, DebugContext, DebugData, DetailEntry, Device, GeographicalContext,
    Geolocation, IpAddress, Issuer, LogEvent, Outcome, Party, Request, Risk, SecurityContext, Transaction,
    TransactionDetail, UserAgent,
};
pub use org::OrgId;
pub use text::{Text, present};
pub use time::parse_ms;
