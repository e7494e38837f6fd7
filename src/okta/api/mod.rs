//! The org's REST API as a peer: three ways in, one way to ask.
//!
//! - [`Client::get`] sends a [`Request`] and gives an [`Answer`]: the objects of a page as they were received, byte for
//!   byte, and the request for the next page.
//! - Whatever else happens is an [`ApiFault`], whose [`Verdict`] says what is to be done about it.
//! - A [`Meter`] sees every try, so that the rate limiter stays apart.
//!
//! Promises:
//! - A token goes to the configured scheme, host and port and nowhere else: redirects are not followed, and next links
//!   only on the same path of the same org.
//! - Everything is bounded: an answer in bytes, before and after decompression, in depth and in time; tries in number
//!   and time.
//! - No secret and no query is in an error or a log.
//! - Tokens are renewed ahead of their end by one caller at a time. A wrong clock of this machine does no harm: what is
//!   signed goes by Okta's.

mod answer;
mod body;
mod classify;
mod client;
mod clock;
mod dpop;
mod fault;
mod issue;
mod jwt;
mod keys;
mod link;
mod login;
mod meter;
mod oauth;
mod reach;
mod request;
mod retry;
mod transport;

pub use answer::{Answer, Object};
pub use client::Client;
pub use clock::ClockError;
pub use fault::{ApiFault, Limit, Missing, Reach, Trace, Verdict};
pub use meter::{Meter, Seen};
pub use request::{Request, Shape};

#[cfg(test)]
pub(crate) mod tests;
