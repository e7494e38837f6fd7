//! Lands what is in the messages, and quarantines what cannot land.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::queue::{Delivered, Queue};
use super::room::Permit;
use super::shared::{Action, Hopeless, Outcome, Parts, now};
use crate::ack::{Ack, Delivery, NotDelivered};
use crate::error::ExitStatus;
use crate::ingest::{Arrived, Poison, decode};
use crate::landing::{self, Content, LandingRecord, Origin};
use crate::okta::OrgId;
use crate::publish::{Busy, Rejected, TooMuchIsBad};
use crate::telemetry::metrics;

/// Pause before a busy quarantine is offered the same again. It is free again within a broker round trip.
const REFUSED_PAUSE: Duration = Duration::from_millis(5);

/// One message to land.
pub struct Job {
    /// The message.
    pub message: Delivered,
    /// When it came.
    pub received: Instant,
    /// Its room, kept until the last ack is redeemed: also a message that the tracker forgot meanwhile takes memory.
    pub permit: Arc<Permit>,
}

/// Lands the messages in the order in which they came.
pub async fn lander<Q: Queue>(
    parts: Arc<Parts<Q>>,
    mut jobs: mpsc::Receiver<Job>,
    actions: mpsc::Sender<Action>,
    hopeless: mpsc::Sender<Hopeless>,
) {
    let told = Told { actions, hopeless };
    while let Some(job) = jobs.recv().await {
        if let Err(too_much) = land(&parts, job, &told).await {
            told.hopeless(ExitStatus::BadData, format!("the input is almost entirely bad: {too_much}"));
        }
    }
}

/// Who is told what became of messages.
#[derive(Clone)]
struct Told {
    actions: mpsc::Sender<Action>,
    hopeless: mpsc::Sender<Hopeless>,
}

impl Told {
    fn hopeless(&self, status: ExitStatus, what: String) {
        // When it is full, a reason to end is there already.
        let _ = self.hopeless.try_send(Hopeless(status, what));
    }
}

/// Lands everything in one message; the last ack settles the message.
async fn land<Q: Queue>(parts: &Parts<Q>, job: Job, told: &Told) -> Result<(), TooMuchIsBad> {
    let Job { message, received, permit } = job;
    let decoded = decode(message.body.as_bytes(), &parts.orgs);
    let settlement = Settlement::new(message.message_id.clone(), decoded.len(), permit, told.clone());
    for one in decoded {
        parts.limit.note(one.as_ref().err().map(|poison| poison.reason))?;
        match one.and_then(|arrived| small_enough(arrived, parts.landing.max_value_bytes())) {
            Ok(arrived) => append(parts, arrived, received, settlement.ack()).await,
            Err(poison) => quarantine(parts, &message, poison, settlement.ack()).await,
        }
    }
    Ok(())
}

/// What the log would refuse for its size is poison; without this it would be received again and again.
fn small_enough(arrived: Arrived, most: usize) -> Result<Arrived, Poison> {
    if arrived.value.len() <= most {
        return Ok(arrived);
    }
    let detail = format!("{} bytes, more than the {most} that the landing log takes", arrived.value.len());
    Err(Poison { reason: "too_large", detail, bytes: arrived.value })
}

async fn append<Q: Queue>(parts: &Parts<Q>, arrived: Arrived, received: Instant, ack: Ack) {
    let org = arrived.org.clone();
    let origin = if arrived.replayed { Origin::Archive } else { Origin::Sqs };
    let record = LandingRecord {
        org: arrived.org,
        origin,
        landed_at: landing::now_ms(),
        content: Content::Event { uuid: arrived.uuid, published: arrived.published },
        value: arrived.value,
    };
    landing::append(parts.landing.as_ref(), record, counted(org, origin, received, ack)).await;
}

fn counted(org: OrgId, origin: Origin, received: Instant, ack: Ack) -> Ack {
    ack.once_delivered(move || {
        metrics::landed(org.as_str(), origin.as_str(), now().saturating_duration_since(received));
    })
}

async fn quarantine<Q: Queue>(parts: &Parts<Q>, message: &Delivered, poison: Poison, ack: Ack) {
    let rejected = Rejected {
        org: parts.orgs.only().cloned(),
        source: format!("sqs:{}:{}", parts.name, message.message_id),
        stage: "ingest",
        reason: poison.reason,
        detail: poison.detail,
        attempts: message.attempts,
        rejected_at: landing::now_ms(),
        bytes: poison.bytes,
    };
    let reason = poison.reason;
    let mut ack = ack.once_delivered(move || metrics::quarantined("ingest", reason));
    while let Err(Busy(back)) = parts.sink.quarantine(&rejected, None, ack) {
        ack = back;
        tokio::time::sleep(REFUSED_PAUSE).await;
    }
}

/// Settles a message when all acks of what was in it are redeemed: landed only if all were delivered.
struct Settlement(Arc<Open>);

struct Open {
    message_id: String,
    left: AtomicUsize,
    /// The first failure, if there was any.
    failed: OnceLock<String>,
    told: Told,
    permit: Arc<Permit>,
}

impl Settlement {
    /// A message without content is settled at once.
    fn new(message_id: String, parts: usize, permit: Arc<Permit>, told: Told) -> Self {
        let open = Open { message_id, left: AtomicUsize::new(parts), failed: OnceLock::new(), told, permit };
        if parts == 0 {
            open.settle();
        }
        Self(Arc::new(open))
    }

    fn ack(&self) -> Ack {
        let open = Arc::clone(&self.0);
        Ack::new(move |delivery| open.redeem(delivery))
    }
}

impl Open {
    fn redeem(&self, delivery: Delivery) {
        if let Err(reason) = delivery {
            let _ = self.failed.set(reason.to_string());
            if let NotDelivered::Impossible { what, status } = reason {
                self.told.hopeless(status, format!("nothing can be landed: {what}"));
            }
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.settle();
        }
    }

    fn settle(&self) {
        let outcome = self.failed.get().cloned().map_or(Outcome::Landed, Outcome::Failed);
        // Fails only when the source has ended; the message then comes back by itself.
        let _ = self.told.actions.try_send(Action::Settled(self.message_id.clone(), outcome, Arc::clone(&self.permit)));
    }
}
