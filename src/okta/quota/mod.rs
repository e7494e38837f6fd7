//! How one Okta org's rate limits are spent: who may call now, and who waits until when.
//!
//! Synchronous and deterministic; time and reply headers come in, decisions come out. The promises and how they are
//! kept are in `design.md` beside this file.
//!
//! ```text
//! ask ──► registry: path → bucket ──► bucket: window, share, turns ──► slots: concurrency ──► Go or WaitUntil
//! answered ──► clock: Date → offset ──► bucket: Limit, Remaining, Reset ──► slots
//! ```

mod bucket;
mod burst;
mod call;
mod clock;
mod headers;
mod limiter;
mod outlook;
mod policy;
mod registry;
mod rules;
mod slots;
#[cfg(test)]
pub(super) mod tests;
mod turns;
mod window;

pub use burst::Route;
pub use call::{Call, Decision, Kind, Method, Permit, Priority};
pub use clock::Offset;
pub use headers::{Headers, Refusal};
pub use limiter::Quota;
pub use outlook::Outlook;
pub use policy::Policy;
