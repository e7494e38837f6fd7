//! Reads a window of the past again, because the inventory saw a change of that time which no event told of. One page at a
//! time, between polls.

use super::landing::Landing;
use super::log::Log;
use super::{PAGE, Trouble, of_log, time};
use crate::merge::system_log::marks::{LogMark, Reread};
use crate::okta::api::Request;

/// A window that ends later than this before now waits: what happened in it may not be persisted yet. A minute is what
/// Okta's own servers take at most, and what agents report later the poll finds.
const YOUNGEST_MS: i64 = 60_000;

/// How often one window is begun again because its cursor expired; then it is left, and asked for again by whoever still
/// misses something.
const RESTARTS: u32 = 3;

/// A window that is being read.
pub(super) struct Rereading {
    window: (i64, i64),
    request: Request,
    /// When the first page was asked for.
    asked: Option<i64>,
    events: u64,
    restarts: u32,
}

impl Rereading {
    /// The oldest window that is old enough to be read.
    pub fn next(windows: &[(i64, i64)], now: i64) -> Option<Self> {
        let ready = windows.iter().filter(|(since, until)| since < until && *until <= now - YOUNGEST_MS);
        ready.min().map(|window| Self::of(*window))
    }

    fn of(window: (i64, i64)) -> Self {
        let (since, until) = window;
        let request = of_log()
            .query("since", &time(since))
            .query("until", &time(until))
            .query("sortOrder", "ASCENDING")
            .query("limit", &PAGE.to_string());
        Self { window, request, asked: None, events: 0, restarts: 0 }
    }

    pub fn window(&self) -> (i64, i64) {
        self.window
    }

    /// Reads and lands the next page, and after the last one the mark that closes the window. True when it is closed.
    pub async fn step(&mut self, log: &mut Log, landing: &Landing) -> Result<bool, Trouble> {
        let mut page = match log.page(&self.request).await {
            Err(Trouble::Stale) if self.restarts < RESTARTS => {
                *self = Self { restarts: self.restarts + 1, ..Self::of(self.window) };
                return Ok(false);
            }
            page => page?,
        };
        let asked = *self.asked.get_or_insert(page.asked);
        self.events += page.count();
        landing.events(&mut page).await?;
        crate::crash_point!("reread.landed");
        // A page that leads to itself would never end.
        if let Some(next) = page.next.filter(|next| next.target() != self.request.target()) {
            self.request = next;
            return Ok(false);
        }
        let (since, until) = self.window;
        landing.mark(&LogMark::Reread(Reread { since, until, events: self.events, asked })).await?;
        tracing::info!(org = %log.org, since, until, events = self.events, "a window of the System Log was read again");
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_window_goes_first_and_a_young_one_waits() {
        let now = 10 * YOUNGEST_MS;
        let next = |windows: &[(i64, i64)]| Rereading::next(windows, now).map(|reading| reading.window);
        assert_eq!(next(&[(5, 9), (1, 3), (7, 8)]), Some((1, 3)));
        assert_eq!(next(&[(5, now), (8, 8)]), None);
        assert_eq!(next(&[]), None);
        let request = Rereading::of((0, 1_500)).request.target();
        assert!(request.contains("since=1970-01-01T00%3A00%3A00.000Z&until=1970-01-01T00%3A00%3A01.500Z"), "{request}");
    }
}
