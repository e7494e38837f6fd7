//! How bad a world is.

use okta_ocsf::merge::inventory::Settings;

/// "One in so many" is never, if it is 0.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub name: &'static str,
    /// A change comes every so many ms on average.
    pub pace: i64,
    /// For so many seconds things change; then all is quiet.
    pub busy: i64,
    /// Whether Okta streams its log.
    pub stream: bool,
    /// One event in so many is not delivered.
    pub loses: u64,
    /// One event in so many is delivered twice.
    pub doubles: u64,
    /// One event in so many is late by up to so many ms.
    pub late: (u64, i64),
    /// The stream is cut off for a while.
    pub cut_off: bool,
    /// The System Log is polled every so many ms, if at all.
    pub poll_ms: Option<i64>,
    /// Polls fail for a while; fetches fail now and then.
    pub api_fails: bool,
    /// Pages are skipped, cursors expire, lists are refused, permissions are narrowed.
    pub lists_fail: bool,
    /// A snapshot begins every so many ms while things change.
    pub snapshot_ms: i64,
    /// A worker dies or hands over every so many ms on average.
    pub deaths: Option<i64>,
    /// Then disks are lost, and the dead go on for a moment.
    pub bad_deaths: bool,
    /// History is read again.
    pub backfill: bool,
    /// Things change in bursts and without events.
    pub imports: bool,
    /// What has changed is listed every so many ms.
    pub relist_ms: i64,
    /// Fetches after which changes are listed.
    pub burst: u64,
}

impl Rules {
    /// A good day: nothing that Okta or Kafka would not call normal.
    pub const STEADY: Self = Self {
        name: "steady",
        pace: 5_000,
        busy: 600,
        stream: true,
        loses: 50,
        doubles: 20,
        late: (50, 300_000),
        cut_off: false,
        poll_ms: Some(60_000),
        api_fails: false,
        lists_fail: false,
        snapshot_ms: 300_000,
        relist_ms: 200_000,
        deaths: Some(900_000),
        bad_deaths: false,
        backfill: false,
        imports: false,
        burst: 200,
    };

    /// Everything that can go wrong.
    pub const ROUGH: Self = Self {
        name: "rough",
        loses: 20,
        late: (25, 3_600_000),
        cut_off: true,
        api_fails: true,
        lists_fail: true,
        snapshot_ms: 150_000,
        deaths: Some(150_000),
        bad_deaths: true,
        backfill: true,
        imports: true,
        ..Self::STEADY
    };

    /// Imports, with a small number of fetches at once.
    pub const IMPORTS: Self = Self { name: "imports", imports: true, burst: 6, deaths: Some(300_000), ..Self::STEADY };

    /// Log streaming alone: what it loses must be found in lists.
    pub const STREAM_ONLY: Self = Self { name: "stream only", poll_ms: None, bad_deaths: true, ..Self::STEADY };

    /// An org without log streaming.
    pub const POLL_ONLY: Self = Self {
        name: "poll only",
        stream: false,
        poll_ms: Some(5_000),
        api_fails: true,
        bad_deaths: true,
        ..Self::STEADY
    };

    /// Few things that change all the time, and no events lost: fetches meet changes.
    pub const HOT: Self = Self { name: "hot", pace: 500, busy: 120, loses: 0, snapshot_ms: 1_000_000, ..Self::STEADY };

    /// The rules of the world of a seed.
    pub fn of(seed: u64) -> Self {
        match seed % 10 {
            0..=3 => Self::STEADY,
            4..=6 => Self::ROUGH,
            7 => Self::IMPORTS,
            8 => {
                if seed % 20 < 10 {
                    Self::STREAM_ONLY
                } else {
                    Self::HOT
                }
            }
            _ => Self::POLL_ONLY,
        }
    }

    /// Worlds are small, so that some limits must be, too.
    pub fn settings(&self) -> Settings {
        Settings { burst: self.burst, sweep_at_least: 4, ..Settings::default() }
    }
}
