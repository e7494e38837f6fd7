use std::future::Future;
use std::time::Duration;

use crate::error::Class;

/// Proof that we hold a message; changes with each delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle(pub String);

/// A message as the queue gave it to us.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// Stays the same over redeliveries.
    pub message_id: String,
    /// Of this delivery.
    pub handle: Handle,
    /// How often it was delivered, this time included; from 1.
    pub attempts: u32,
    /// The text of the message.
    pub body: String,
}

/// A call failed as a whole.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation}: {what}")]
pub struct QueueError {
    /// SQS action.
    pub operation: &'static str,
    /// What was said.
    pub what: String,
    /// `Retry`, or `Fatal` when only a person can help (credentials, rights, a missing queue).
    pub class: Class,
    /// Fatal because of who we are, not because the queue is missing.
    pub denied: bool,
}

/// What became of one message of a batch call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The handle is no longer ours: the message was redelivered or is gone. There is nothing to retry.
    Gone,
    /// This message was not served, for the reason given; try again.
    Again(String),
}

/// What a batch call says: for each message in order whether it was served, or that the call failed as a whole.
pub type Answer = Result<Vec<Result<(), Refusal>>, QueueError>;

/// The queue: three verbs. How often each is tried, and why, is in `design.md`.
///
/// Batch calls take at most 10 messages and say, for each of them in order, whether it was served: SQS answers 200
/// also when it served only some.
pub trait Queue: Send + Sync + 'static {
    /// Up to 10 messages, waiting for the first as long as the queue was told to. An empty list is normal. Not
    /// retried inside: the caller pauses first. Dropping the future may strand messages until their visibility ends.
    fn receive(&self) -> impl Future<Output = Result<Vec<Delivered>, QueueError>> + Send;

    /// Deletes messages. Not retried inside: the caller sees each refusal, and a redelivery would be harmless.
    fn delete(&self, handles: Vec<Handle>) -> impl Future<Output = Answer> + Send;

    /// Hides messages for `timeout` from now; zero gives them back at once. Retried hard inside: losing a message we
    /// work on is the costly failure.
    fn change_visibility(&self, handles: Vec<Handle>, timeout: Duration) -> impl Future<Output = Answer> + Send;
}
