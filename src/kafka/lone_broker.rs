//! A broker for tests, which says that it is not there.
//!
//! It speaks as much of Kafka's protocol, in its oldest form, as tells a client of brokers and topics.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rdkafka::client::{Client, ClientContext};

use super::QUESTION_TIMEOUT;

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const INIT_PRODUCER_ID: i16 = 22;
const UNSUPPORTED_VERSION: i16 = 35;

/// So many that reading them takes the client longer than ending its one broker, which is what strands it. Their names
/// are long because librdkafka takes memory for what it reads by the length of the answer.
const TOPICS: i32 = 10_000;

/// The only broker of a cluster. It has one topic, `events`, of one partition, and stores nothing.
pub struct LoneBroker {
    port: u16,
    is_fenced: Arc<AtomicBool>,
}

impl LoneBroker {
    /// Answers until the process ends.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, is_fenced) = (listener.local_addr().unwrap().port(), Arc::<AtomicBool>::default());
        let fenced = Arc::clone(&is_fenced);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let fenced = Arc::clone(&fenced);
                std::thread::spawn(move || answer(stream, port, &fenced));
            }
        });
        Self { port, is_fenced }
    }

    /// For `bootstrap.servers`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Does something while the broker is being let in again, when the cluster has no broker.
    pub fn while_fenced(&self, work: impl FnOnce()) {
        self.is_fenced.store(true, Ordering::Relaxed);
        work();
        self.is_fenced.store(false, Ordering::Relaxed);
    }
}

/// How many brokers the client is told of. While it goes from the bootstrap server to the broker that this names, its
/// questions may be broken off.
pub fn brokers_told<C: ClientContext>(client: &Client<C>) -> usize {
    let begin = Instant::now();
    loop {
        match client.fetch_metadata(None, QUESTION_TIMEOUT) {
            Ok(metadata) => return metadata.brokers().len(),
            Err(error) => assert!(begin.elapsed() < 2 * QUESTION_TIMEOUT, "{error}"),
        }
    }
}

/// Until the client hangs up.
fn answer(mut stream: TcpStream, port: u16, is_fenced: &AtomicBool) -> Option<()> {
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size).ok()?;
        let mut request = vec![0; usize::try_from(i32::from_be_bytes(size)).ok()?];
        stream.read_exact(&mut request).ok()?;
        let number = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
        let mut body = request[4..8].to_vec();
        match (number(0), number(2)) {
            (API_VERSIONS, 0) => api_versions(&mut body),
            (API_VERSIONS, _) => {
                body.extend(UNSUPPORTED_VERSION.to_be_bytes());
                body.extend(0_i32.to_be_bytes());
            }
            (METADATA, 0) => metadata(&mut body, port, is_fenced.load(Ordering::Relaxed)),
            (INIT_PRODUCER_ID, 0) => {
                // The time to wait, no error, the id and its epoch.
                body.extend([0; 4 + 2]);
                body.extend(1_i64.to_be_bytes());
                body.extend(0_i16.to_be_bytes());
            }
            // It never gets round to that.
            (PRODUCE, _) => continue,
            request => panic!("not spoken here: {request:?}"),
        }
        stream.write_all(&i32::try_from(body.len()).ok()?.to_be_bytes()).ok()?;
        stream.write_all(&body).ok()?;
    }
}

fn api_versions(body: &mut Vec<u8>) {
    let spoken: [(i16, i16); 5] = [(PRODUCE, 3), (FETCH, 4), (METADATA, 0), (API_VERSIONS, 0), (INIT_PRODUCER_ID, 0)];
    body.extend(0_i16.to_be_bytes());
    body.extend((spoken.len() as i32).to_be_bytes());
    for (api, newest) in spoken {
        [api, 0, newest].iter().for_each(|number| body.extend(number.to_be_bytes()));
    }
}

fn metadata(body: &mut Vec<u8>, port: u16, is_fenced: bool) {
    let text = |body: &mut Vec<u8>, text: &str| {
        body.extend((text.len() as i16).to_be_bytes());
        body.extend(text.as_bytes());
    };
    if is_fenced {
        body.extend(0_i32.to_be_bytes());
        body.extend(TOPICS.to_be_bytes());
        for number in 0..TOPICS {
            body.extend(0_i16.to_be_bytes());
            text(body, &format!("{number:0200}"));
            body.extend(0_i32.to_be_bytes());
        }
        return;
    }
    // One broker, 1.
    [1, 1_i32].iter().for_each(|number| body.extend(number.to_be_bytes()));
    text(body, "127.0.0.1");
    body.extend(i32::from(port).to_be_bytes());
    // One topic without an error.
    body.extend(1_i32.to_be_bytes());
    body.extend(0_i16.to_be_bytes());
    text(body, "events");
    // One partition without an error: 0, led by 1, which is its only replica and in sync.
    body.extend(1_i32.to_be_bytes());
    body.extend(0_i16.to_be_bytes());
    [0, 1, 1, 1, 1, 1_i32].iter().for_each(|number| body.extend(number.to_be_bytes()));
}
