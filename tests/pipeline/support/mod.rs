//! What the tests share: the stack's addresses, a bench of its own for each test, and the worker as a process.

mod bench;
pub mod bridge;
mod proxy;
#[path = "../../support/mod.rs"]
mod shared;

pub use bench::{Bench, ORG, SOURCE, assert_valid_ocsf, event, events, org_event};
pub use proxy::Proxy;
pub use shared::command::Running;
pub use shared::org::{LOGS, Logged, NO_LIMITS, Org};
pub use shared::worker::Worker;
pub use shared::{block_on, serve, until};

use std::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// An address that `localstack/stack.py run` gives to its command.
pub fn stack(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run `make test`, which starts LocalStack and Kafka for these tests")
    })
}

/// Whether the broker is a real one; the mock cluster has no TLS and cannot be stopped alone.
pub fn is_apache() -> bool {
    stack("KAFKA_KIND") == "apache"
}

/// All tests use one broker; the one that stops it waits until it is alone.
static BROKER: RwLock<()> = RwLock::new(());

pub fn broker() -> RwLockReadGuard<'static, ()> {
    BROKER.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub fn broker_alone() -> RwLockWriteGuard<'static, ()> {
    BROKER.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Sends the real broker's process a signal; `-STOP` makes it hang, `-CONT` ends that.
pub fn signal_kafka(signal: &str) {
    let kill = std::process::Command::new("kill").args([signal, &stack("STACK_KAFKA_PID")]).status();
    assert!(kill.unwrap().success());
}

/// There is one event bus with a queue behind it, so one org at a time streams to it.
static STREAM: Mutex<()> = Mutex::new(());

pub fn stream_alone() -> MutexGuard<'static, ()> {
    STREAM.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
