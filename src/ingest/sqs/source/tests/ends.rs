//! A landing log and a sink that do as they are told.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::ack::{Ack, Delivery, NotDelivered};
use crate::error::ExitStatus;
use crate::landing::{Content, LandingLog, LandingRecord, Refused};
use crate::publish::{Busy, Found, OutputRecord, PublishError, Rejected, Sink, SourceId};

/// What becomes of what is offered.
#[derive(Clone, Copy)]
pub enum Mode {
    /// Durable after this time.
    After(Duration),
    /// Taken; durable when the test says so.
    Hold,
    /// Not taken.
    Refuse,
    /// Taken, and then it fails; it may be tried again.
    Fail,
    /// Taken, and then it fails for good.
    FailForGood,
    /// A bug.
    Panic,
}

/// One end, as log or as sink. What it took is known by the uuid, or by the raw text of what was rejected.
pub struct End {
    mode: Mutex<Mode>,
    held: Mutex<Vec<(String, Ack)>>,
    durable: std::sync::Arc<Mutex<BTreeMap<String, usize>>>,
    under_way: Mutex<JoinSet<()>>,
}

impl End {
    pub fn new(mode: Mode) -> Self {
        let (mode, held, durable) = (Mutex::new(mode), Mutex::default(), std::sync::Arc::default());
        Self { mode, held, durable, under_way: Mutex::default() }
    }

    pub fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    /// How often something became durable here.
    pub fn times(&self, key: &str) -> usize {
        self.durable.lock().unwrap().get(key).copied().unwrap_or(0)
    }

    /// How many different things are durable.
    pub fn len(&self) -> usize {
        self.durable.lock().unwrap().len()
    }

    /// How many are held back.
    pub fn held(&self) -> usize {
        self.held.lock().unwrap().len()
    }

    /// The oldest that are held back, so many, become durable or fail.
    pub fn release(&self, count: usize, delivery: &Delivery) {
        let held: Vec<_> = self.held.lock().unwrap().drain(..count).collect();
        for (key, ack) in held {
            if delivery.is_ok() {
                *self.durable.lock().unwrap().entry(key).or_default() += 1;
            }
            ack.redeem(delivery.clone());
        }
    }

    /// The process that wrote here died: what was under way gets lost.
    pub fn crash(&self) {
        *self.under_way.lock().unwrap() = JoinSet::new();
        self.held.lock().unwrap().clear();
    }

    fn take(&self, key: String, ack: Ack) -> Result<(), Ack> {
        let mode = *self.mode.lock().unwrap();
        match mode {
            Mode::After(time) => {
                let durable = std::sync::Arc::clone(&self.durable);
                self.under_way.lock().unwrap().spawn(async move {
                    tokio::time::sleep(time).await;
                    *durable.lock().unwrap().entry(key).or_default() += 1;
                    // So that a crash can come between the two.
                    tokio::task::yield_now().await;
                    ack.redeem(Ok(()));
                });
            }
            Mode::Hold => self.held.lock().unwrap().push((key, ack)),
            Mode::Refuse => return Err(ack),
            Mode::Fail => ack.redeem(Err(NotDelivered::Failed("timed out".into()))),
            Mode::FailForGood => {
                let what = "no space left".into();
                ack.redeem(Err(NotDelivered::Impossible { what, status: ExitStatus::Io }));
            }
            Mode::Panic => panic!("a bug, as the test wants it"),
        }
        Ok(())
    }
}

impl LandingLog for End {
    fn append(&self, record: LandingRecord, ack: Ack) -> Result<(), Box<Refused>> {
        let Content::Event { uuid, .. } = &record.content else { unreachable!("a queue brings events only") };
        self.take(uuid.to_string(), ack).map_err(|ack| Box::new(Refused(record, ack)))
    }

    fn max_value_bytes(&self) -> usize {
        usize::MAX
    }
}

impl Sink for End {
    fn publish(&self, _: &OutputRecord, _: Ack) -> Result<(), Busy> {
        unreachable!("ingest publishes nothing")
    }

    fn quarantine(&self, rejected: &Rejected, _: Option<SourceId>, ack: Ack) -> Result<(), Busy> {
        self.take(String::from_utf8_lossy(&rejected.bytes).into_owned(), ack).map_err(Busy)
    }

    fn seal(&self, _: i32) -> Result<Vec<u8>, PublishError> {
        unreachable!("ingest seals nothing")
    }

    fn recover(&self, _: i32, _: u64, _: &[u8], _: &dyn Fn() -> bool) -> Result<Found, PublishError> {
        unreachable!("ingest recovers nothing")
    }
}
