//! What the tests share: the stack's addresses, a bench of its own for each test, and the worker as a process.

mod bench;
mod org;
mod proxy;
mod worker;

pub use bench::{Bench, assert_valid_ocsf, event, events, org_event};
pub use org::Org;
pub use proxy::Proxy;
pub use worker::Worker;

use std::sync::{LazyLock, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

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

/// Waits for something that must happen; how long it may take says nothing about how long it should.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "this never happened: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// One runtime for the AWS and HTTP calls of all tests.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Serves until the test process ends; gives the URL.
pub fn serve(routes: axum::Router) -> String {
    let listener = block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    RUNTIME.spawn(axum::serve(listener, routes).into_future());
    url
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}
