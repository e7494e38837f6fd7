//! What all tests of processes share: the simulated org, the worker, commands that end, and how to wait for them.

#![allow(dead_code)] // each test target uses a part of it

pub mod command;
pub mod landed;
pub mod org;
pub mod worker;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

/// Waits for something that must happen; how long it may take says nothing about how long it should.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "this never happened: {what}");
        std::thread::sleep(Duration::from_millis(50));
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
