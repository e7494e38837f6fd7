//! The org as a peer: what its System Log events look like on the wire.
//!
//! Knows nothing of OCSF, Kafka or AWS.

mod guard;
mod log_event;
mod org;
mod time;

pub use guard::{JsonFault, check as check_json, is_object};
pub use log_event::{
    Actor, AuthenticationContext, Client, GeographicalContext, Geolocation, IpHop, LogEvent, Outcome, Request,
    SecurityContext, Target, Text, Transaction, UserAgent, present,
};
pub use org::OrgId;
pub use time::parse_ms;
