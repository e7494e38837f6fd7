//! Acknowledgement as a value.
//!
//! An [`Ack`] travels with a piece of work and is redeemed exactly once, by proof of delivery or by its failure.
//! Dropping it unredeemed reports [`NotDelivered::Abandoned`], so no path can forget it.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::error::ExitStatus;

/// Why work was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDelivered {
    /// The receiver could not be reached or did not take it now; another try may work.
    #[error("{0}")]
    Failed(String),
    /// The receiver will never take this, mostly for its size.
    #[error("{0}")]
    Refused(String),
    /// The receiver takes nothing until a person acts.
    #[error("{what}")]
    Impossible {
        /// What the receiver said.
        what: String,
        /// What the process should end with.
        status: ExitStatus,
    },
    /// The work was dropped on the way, as happens when the process stops.
    #[error("dropped before it was delivered")]
    Abandoned,
}

/// What a redeemed ack says.
pub type Delivery = Result<(), NotDelivered>;

/// The obligation to report what became of one piece of work.
#[must_use = "an ack that is dropped reports the work as abandoned"]
pub struct Ack {
    report: Option<Box<dyn FnOnce(Delivery) + Send + Sync>>,
    batch: Option<Tally>,
}

impl Ack {
    /// `report` runs once, on whatever thread redeems the ack; it must not block.
    pub fn new(report: impl FnOnce(Delivery) + Send + Sync + 'static) -> Self {
        Self { report: Some(Box::new(report)), batch: None }
    }

    /// An ack in place of this one that also tells when the work is delivered.
    pub fn once_delivered(mut self, tell: impl FnOnce() + Send + Sync + 'static) -> Self {
        let batch = self.batch.take();
        let report = move |delivery: Delivery| {
            if delivery.is_ok() {
                tell();
            }
            self.redeem(delivery);
        };
        Self { report: Some(Box::new(report)), batch }
    }

    /// Whether the work may be delivered by this line. All work of a [`Tally`] goes by the line of its first: what a line
    /// loses when it ends would else be missing before what is delivered by the next one, such as a marker which says
    /// that everything before it is there.
    pub fn goes_by(&self, line: u64) -> bool {
        self.batch.as_ref().is_none_or(|tally| *tally.0.line.get_or_init(|| line) == line)
    }

    /// Redeems the ack.
    pub fn redeem(mut self, delivery: Delivery) {
        if let Some(report) = self.report.take() {
            report(delivery);
        }
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if let Some(report) = self.report.take() {
            report(Err(NotDelivered::Abandoned));
        }
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ack")
    }
}

/// Counts the acks of one batch, for a thread or a task that waits until all of them are redeemed.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Batch>);

#[derive(Debug, Default)]
struct Batch {
    /// The line that all of it goes by, once the first of it has gone.
    line: OnceLock<u64>,
    count: Mutex<Count>,
    thread: Condvar,
    task: Notify,
}

#[derive(Debug, Default)]
struct Count {
    open: usize,
    failure: Option<NotDelivered>,
}

impl Tally {
    /// A further ack of this batch.
    pub fn ack(&self) -> Ack {
        self.count().open += 1;
        let tally = self.clone();
        let report = move |delivery| tally.settle(delivery);
        Ack { report: Some(Box::new(report)), batch: Some(self.clone()) }
    }

    /// Waits until every ack is redeemed, at most for `timeout`. `None` means that some are still open.
    pub fn wait(&self, timeout: Duration) -> Option<Delivery> {
        let deadline = Instant::now() + timeout;
        let mut count = self.count();
        while count.open > 0 {
            let left = deadline.checked_duration_since(Instant::now())?;
            count = self.0.thread.wait_timeout(count, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(count.failure.clone().map_or(Ok(()), Err))
    }

    /// Resolves when every ack is redeemed. For one task at a time.
    pub async fn settled(&self) -> Delivery {
        loop {
            {
                let count = self.count();
                if count.open == 0 {
                    return count.failure.clone().map_or(Ok(()), Err);
                }
            }
            // A notification that came in between is kept for us.
            self.0.task.notified().await;
        }
    }

    fn settle(&self, delivery: Delivery) {
        let mut count = self.count();
        count.open -= 1;
        if let Err(failure) = delivery {
            count.failure.get_or_insert(failure);
        }
        if count.open == 0 {
            self.0.thread.notify_all();
            self.0.task.notify_one();
        }
    }

    /// A panic elsewhere cannot leave the two fields inconsistent, so a poisoned lock is still good.
    fn count(&self) -> MutexGuard<'_, Count> {
        self.0.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_ack_says_so_and_a_redeemed_one_says_nothing_more() {
        let tally = Tally::default();
        tally.ack().redeem(Ok(()));
        assert_eq!(tally.wait(Duration::ZERO), Some(Ok(())));
        drop(tally.ack());
        assert_eq!(tally.wait(Duration::ZERO), Some(Err(NotDelivered::Abandoned)));
    }

    #[test]
    fn a_tally_waits_for_every_ack() {
        let tally = Tally::default();
        let (first, second) = (tally.ack(), tally.ack());
        first.redeem(Ok(()));
        assert_eq!(tally.wait(Duration::from_millis(1)), None);
        let waiter = tally.clone();
        let thread = std::thread::spawn(move || waiter.wait(Duration::from_secs(30)));
        second.redeem(Ok(()));
        assert_eq!(thread.join().unwrap(), Some(Ok(())));
    }

    #[test]
    fn all_of_a_tally_go_by_one_line() {
        let (tally, other) = (Tally::default(), Tally::default());
        let told = Arc::new(Mutex::new(0));
        let count = Arc::clone(&told);
        let (first, second) = (tally.ack(), tally.ack().once_delivered(move || *count.lock().unwrap() += 1));
        assert!(first.goes_by(1) && second.goes_by(1));
        assert!(!first.goes_by(2) && !second.goes_by(2));
        assert!(other.ack().goes_by(2));
        let alone = Ack::new(|_| ());
        assert!(alone.goes_by(1) && alone.goes_by(2));
        first.redeem(Ok(()));
        second.redeem(Ok(()));
        assert_eq!((tally.wait(Duration::ZERO), *told.lock().unwrap()), (Some(Ok(())), 1));
        let count = Arc::clone(&told);
        drop(tally.ack().once_delivered(move || *count.lock().unwrap() += 1));
        assert_eq!((tally.wait(Duration::ZERO), *told.lock().unwrap()), (Some(Err(NotDelivered::Abandoned)), 1));
    }

    #[tokio::test]
    async fn a_task_waits_as_a_thread_does() {
        let tally = Tally::default();
        assert_eq!(tally.settled().await, Ok(()));
        let ack = tally.ack();
        let waiter = tokio::spawn({
            let tally = tally.clone();
            async move { tally.settled().await }
        });
        tokio::task::yield_now().await;
        ack.redeem(Err(NotDelivered::Failed("later".into())));
        assert_eq!(waiter.await.unwrap(), Err(NotDelivered::Failed("later".into())));
    }
}
