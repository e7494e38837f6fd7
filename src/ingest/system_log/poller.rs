//! Goes along the log of one org for as long as its partition is ours.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::landing::Landing;
use super::log::Log;
use super::reread::Rereading;
use super::settings::Settings;
use super::stream::{self, StreamLook};
use super::told;
use super::{SCOPE, Trouble, millis, of_log, time};
use crate::ack::NotDelivered;
use crate::collect::{self, Lander};
use crate::error::{Chain, Fatal};
use crate::landing;
use crate::merge::inventory::rereads;
use crate::merge::system_log::marks::LogMark;
use crate::merge::system_log::{self, Standing};
use crate::okta::api::{Client, Request};
use crate::okta::gate::Gate;
use crate::publish::Sink;
use crate::telemetry::Component;

/// The first poll of an org reads from so long ago on: what was persisted while the first worker was being set up. What is
/// older is history, which `okta-ocsf backfill` reads.
const FIRST_WINDOW_MS: i64 = 10 * 60_000;

/// Where the place is lost, reading begins so long before the last moment up to which all was read. Dedupe removes what
/// comes twice; twice the margin of the ledger makes its spans meet.
const OVERLAP_MS: i64 = 2 * system_log::SETTLE_MS;

/// How long Okta keeps its log.
const RETENTION_MS: i64 = 90 * 24 * 3_600_000;

/// From one poll to the next while the log stream does not bring what it should, unless it is less anyway: then the poll is
/// what brings the events.
const ALARMED: Duration = Duration::from_secs(5);

/// Pause after trouble of ours that may pass, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The counts of the last day go into the metrics; as often as metrics are asked for, and no more often, as it is a
/// reading of some 24 rows.
const TOLD_MS: i64 = 24 * 3_600_000;
const MEASURED_MS: i64 = 10_000;

/// Where what is read goes, and where it is remembered.
pub struct Ends {
    /// As for all that read the org.
    pub ends: collect::Ends,
    /// Where goes what can never land.
    pub sink: Arc<dyn Sink>,
}

/// Polls the org until stopped. `gate` is the one that all of this org's calls pass.
///
/// # Errors
/// When the landing log cannot be written until a person acts.
pub async fn run(
    settings: Settings,
    ends: Ends,
    gate: Gate,
    health: Component,
    stop: CancellationToken,
) -> Result<(), Fatal> {
    let mut poller = Poller::new(settings, ends, gate, health)?;
    tokio::select! {
        fatal = poller.go_on() => fatal,
        () = stop.cancelled() => Ok(()),
    }
}

struct Poller {
    settings: Settings,
    ends: collect::Ends,
    log: Log,
    landing: Landing,
    stream: Option<StreamLook>,
    place: Option<Place>,
    rereading: Option<Rereading>,
    /// The window that was read again last: until its mark is folded, the state still asks for it.
    reread: Option<(i64, i64)>,
    /// When the day was counted last, by the steady clock; nothing before the first time.
    measured: Option<i64>,
}

/// Where the log goes on.
struct Place {
    request: Request,
    /// Everything that Okta persisted since then was read.
    from: i64,
}

impl Poller {
    fn new(settings: Settings, Ends { ends, sink }: Ends, gate: Gate, health: Component) -> Result<Self, Fatal> {
        let scopes: Vec<&str> = [SCOPE].into_iter().chain(settings.stream.iter().map(|_| stream::SCOPE)).collect();
        let seed = u64::try_from(landing::now_ms()).unwrap_or_default();
        let client = Client::new(&settings.api, &scopes, seed)?.at_pace(settings.pace);
        let lander = Lander::new(settings.org.clone(), ends.landing.clone(), ends.room.clone());
        let most = lander.max_value_bytes();
        let grace = settings.stream.as_ref().map(|stream| stream.grace);
        Ok(Self {
            log: Log::new(settings.org.clone(), client, gate, health, most),
            landing: Landing::new(settings.org.clone(), lander, sink, grace),
            stream: settings.stream.clone().map(StreamLook::new),
            settings,
            ends,
            place: None,
            rereading: None,
            reread: None,
            measured: None,
        })
    }

    async fn go_on(&mut self) -> Result<(), Fatal> {
        self.log.health.ready("waits until the state is as new as the log");
        if !self.ends.caught_up().await {
            return Ok(());
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let Err(trouble) = self.round().await else {
                pause = FIRST_PAUSE;
                continue;
            };
            if let Some(NotDelivered::Impossible { what, status }) = trouble.hopeless() {
                return Err(Fatal::new(*status, format!("what was polled cannot be landed: {what}"))
                    .hint("mend the cause and start again: the poll goes on where it was")
                    .because(trouble));
            }
            let (org, pause_ms) = (&self.settings.org, millis(pause));
            tracing::warn!(%org, error = %Chain(&trouble), pause_ms, "polling the System Log pauses");
            self.log.health.ready(format!("pauses: {}", Chain(&trouble)));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Reads all that there is, and then waits for more.
    async fn round(&mut self) -> Result<(), Trouble> {
        let began = self.settings.pace.steady_ms();
        match self.catch_up().await {
            Err(Trouble::Stale) => return self.begin_anew().await,
            read => read?,
        }
        self.look_at_stream().await?;
        loop {
            let standing = self.standing()?;
            self.tell(&standing)?;
            let waited = self.settings.pace.steady_ms() - began;
            let left = millis(self.cadence(&standing)).saturating_sub(waited);
            if left <= 0 {
                return Ok(());
            }
            if !self.reread().await? {
                // In between it may turn out that there is more hurry.
                let left = Duration::from_millis(u64::try_from(left).unwrap_or_default());
                self.settings.pace.sleep(left.min(ALARMED)).await;
            }
        }
    }

    /// Follows the pages up to the end of the log. A page is landed while the next one is on its way.
    async fn catch_up(&mut self) -> Result<(), Trouble> {
        let mut place = match self.place.take() {
            Some(place) => place,
            None => self.begin().await?,
        };
        let read = follow(&mut self.log, &mut self.landing, &mut place).await;
        self.place = Some(place);
        read
    }

    /// The place that an earlier owner has noted, or the first one.
    async fn begin(&mut self) -> Result<Place, Trouble> {
        let now = self.log.now_ms().await?;
        let standing = self.standing()?;
        let recent = standing.read_to.is_none_or(|read_to| read_to > now - RETENTION_MS);
        let known = standing.cursor.as_ref().filter(|_| recent);
        let resumed = known.and_then(|cursor| Some((of_log().resume(&cursor.next).ok()?, cursor.from)));
        let place = match resumed {
            Some((request, from)) => Place { request, from },
            None => earlier(&standing, now),
        };
        tracing::info!(org = %self.settings.org, resumed = known.is_some(), "polling the System Log begins");
        Ok(place)
    }

    /// Okta does not know the place any more: what was read last is read again, and nothing is skipped.
    async fn begin_anew(&mut self) -> Result<(), Trouble> {
        let now = self.log.now_ms().await?;
        let place = earlier(&self.standing()?, now);
        let since = place.from;
        tracing::warn!(org = %self.settings.org, since, "Okta no longer knows our place in its log: an overlap is read again");
        self.place = Some(place);
        Ok(())
    }

    async fn look_at_stream(&mut self) -> Result<(), Trouble> {
        let Some(look) = &mut self.stream else { return Ok(()) };
        let Some(seen) = look.look(&self.log).await else { return Ok(()) };
        let known = self.standing()?.watch.and_then(|watch| watch.told).map(|told| told.active);
        if known == Some(seen.active) || known.is_none() && seen.active {
            return Ok(());
        }
        tracing::info!(org = %self.settings.org, active = seen.active, detail = seen.detail, "Okta says how the log stream is");
        self.landing.mark(&LogMark::Stream(seen)).await
    }

    /// Reads a page of a window that is to be read again; false when there is none.
    async fn reread(&mut self) -> Result<bool, Trouble> {
        let mut rereading = match self.rereading.take() {
            Some(rereading) => rereading,
            None => {
                let mut windows = rereads::open(&*self.ends.state, &self.settings.org)?;
                windows.retain(|window| Some(*window) != self.reread);
                match Rereading::next(&windows, self.log.client.now_ms()) {
                    Some(rereading) => rereading,
                    None => return Ok(false),
                }
            }
        };
        if rereading.step(&mut self.log, &self.landing).await? {
            self.reread = Some(rereading.window());
        } else {
            self.rereading = Some(rereading);
        }
        Ok(true)
    }

    /// Tells people how it stands.
    fn tell(&mut self, standing: &Standing) -> Result<(), Trouble> {
        let (org, pace) = (&self.settings.org, self.settings.pace);
        let every = self.cadence(standing);
        self.log.health.ready(told::summary(standing, self.settings.stream.as_ref(), every));
        if self.measured.is_none_or(|at| pace.steady_ms() - at >= MEASURED_MS) {
            self.measured = Some(pace.steady_ms());
            let now = self.log.client.now_ms();
            let day = system_log::ledger(&*self.ends.state, org, now - TOLD_MS, now)?;
            told::measure(org, standing, &day);
        }
        Ok(())
    }

    /// From one poll to the next.
    fn cadence(&self, standing: &Standing) -> Duration {
        let alarmed = standing.watch.as_ref().is_some_and(|watch| watch.alarm.is_some());
        if alarmed { self.settings.every.min(ALARMED) } else { self.settings.every }
    }

    fn standing(&self) -> Result<Standing, Trouble> {
        Ok(system_log::standing(&*self.ends.state, &self.settings.org)?)
    }
}

/// Where to read from when there is no place to go on at.
fn earlier(standing: &Standing, now: i64) -> Place {
    let known = standing.read_to.or(standing.cursor.as_ref().map(|cursor| cursor.from));
    let from = known.map_or(now - FIRST_WINDOW_MS, |read_to| read_to - OVERLAP_MS).max(now - RETENTION_MS);
    Place { request: of_log().query("since", &time(from)), from }
}

async fn follow(log: &mut Log, landing: &mut Landing, place: &mut Place) -> Result<(), Trouble> {
    let mut page = log.page(&place.request).await?;
    loop {
        // There always is a next place, even behind the last event. Where Okta gives none, the same is asked again, and
        // nothing is believed of its being the end.
        let linked = page.next.is_some();
        let next = page.next.take().unwrap_or_else(|| place.request.clone());
        let moves = next.target() != place.request.target();
        if !page.full || !moves {
            let end = linked && !page.full;
            landing.page(&mut page, &next, place.from, end).await?;
            place.request = next;
            return Ok(());
        }
        let (landed, following) = tokio::join!(landing.page(&mut page, &next, place.from, false), log.page(&next));
        landed?;
        place.request = next;
        page = following?;
    }
}
