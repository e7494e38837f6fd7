//! Asks for a small part of each slice once more. What is there now must be what was there then.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::job::Job;
use super::land::Trouble;
use super::plan::{Check, Sample, Slice, Stage};
use super::read::Work;
use super::remedy::{PAGE, Patience, Remedy};
use super::tally::Tally;
use crate::ingest::identify;

/// How often a slice is read anew because its sample was another. Once is what a late event takes; a slice that is
/// another each time cannot be believed.
const AGAIN: u32 = 1;

/// Slices that are still to be looked at.
pub(super) struct Open(Mutex<VecDeque<Slice>>);

impl Open {
    pub fn of(job: &Job) -> Self {
        let open = |slice: &Slice| slice.stage == Stage::Read && slice.check == Check::Open && slice.sample.is_some();
        Self(Mutex::new(job.slices().into_iter().filter(open).collect()))
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn next(&self) -> Option<Slice> {
        self.lock().pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Slice>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at slices for as long as there are any that nobody else looks at. One that is another now is to be read again.
pub(super) async fn verify_slices(work: Arc<Work>, open: Arc<Open>) -> Result<(), Trouble> {
    while let Some(mut slice) = open.next() {
        let Some(sample) = slice.sample else { continue };
        let check = if sample.since < work.log.oldest() {
            Some(Check::Gone)
        } else if look(&work, &sample).await? == Some(sample.tally) {
            Some(Check::Same)
        } else {
            (slice.again >= AGAIN).then_some(Check::Differs)
        };
        work.job.change(&mut slice, |slice| match check {
            Some(check) => slice.check = check,
            None => slice.read_again(),
        });
        work.job.note().await?;
    }
    Ok(())
}

/// What is in a sample now; `None` if it is more than a page.
async fn look(work: &Work, sample: &Sample) -> Result<Option<Tally>, Trouble> {
    let mut patience = Patience::default();
    let mut size = PAGE;
    loop {
        let request = work.log.between(sample.since, sample.until, size)?;
        let fault = match work.log.ask(&request).await? {
            Ok(answer) if answer.next.is_some() => return Ok(None),
            Ok(answer) => {
                let mut tally = Tally::default();
                let identities = answer.objects().filter_map(|object| identify(object.json).ok());
                // As it was counted before, however Okta rounds times at the edges.
                let within = identities.filter(|(_, published)| (sample.since..sample.until).contains(published));
                within.for_each(|(uuid, _)| tally.add(uuid));
                return Ok(Some(tally));
            }
            Err(fault) => fault,
        };
        match patience.after(&fault, size, false) {
            Remedy::After(pause) => work.log.pause(pause, &fault).await?,
            // What is too large in one page cannot be compared: it counts as another.
            Remedy::Smaller(smaller) => size = smaller,
            Remedy::Again | Remedy::Seek | Remedy::Halve => {}
            Remedy::GiveUp(fatal) => return Err(fatal.into()),
        }
    }
}
