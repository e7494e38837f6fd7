//! librdkafka's mock cluster as a process, for machines without Java.
//!
//! It speaks the real protocol on loopback, but keeps only the newest few megabytes of a partition and forgets all at
//! its end: good enough to see the pipeline run, no store. Prints `brokers=HOST:PORT` and runs until it is killed.

use std::io::Write;

use rdkafka::mocking::MockCluster;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = MockCluster::new(1)?;
    println!("brokers={}", cluster.bootstrap_servers());
    std::io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}
