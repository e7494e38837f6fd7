//! What came of a world, in numbers.

use std::fmt;

/// Staleness is counted in steps of this, ms.
const STEP: i64 = 100;

/// What came of one world, or of many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub worlds: u64,
    pub mutations: u64,
    pub records: u64,
    pub events: u64,
    pub duplicates: u64,
    pub fetches: u64,
    pub snapshots: u64,
    pub deaths: u64,
    /// Outputs that an owner found to be there.
    pub suppressed: u64,
    /// Records that were folded once more.
    pub refolded: u64,
    pub changes: u64,
    pub deleted: u64,
    pub swept: u64,
    pub drifts: u64,
    pub alerts: u64,
    /// Marks around what is told of a snapshot.
    pub scans: u64,
    /// From a change that an event announced to its being known.
    pub staleness: Staleness,
    /// The same of changes of which no event told.
    pub unannounced: Staleness,
    pub faults: Faults,
    /// What was landed and published, in short: two worlds of one seed must not differ in it.
    pub fingerprint: u64,
}

/// What must not be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Slots that do not say the truth in the end.
    pub divergent: u64,
    /// Changes that an event announced and that were not known when it had arrived, before any further list was read.
    pub missed: u64,
    /// Said to be gone while it was there.
    pub false_tombstones: u64,
    /// There again after it was gone.
    pub resurrections: u64,
    /// Not newer than what was said before.
    pub regressions: u64,
    /// Events of Okta's log that are not in the output.
    pub lost: u64,
    /// Outputs that are there twice, of events or of the inventory.
    pub doubled: u64,
    /// Readings called complete that were not.
    pub wrongly_complete: u64,
    /// Records that gave something else when they were folded again.
    pub undetermined: u64,
    /// Things that would be known otherwise if no history had been read.
    pub stirred: u64,
    /// Fetches that are open though all is quiet.
    pub unanswered: u64,
}

impl Faults {
    pub fn none(&self) -> bool {
        *self == Self::default()
    }
}

/// How long it took, in steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Staleness {
    steps: Vec<u64>,
    pub count: u64,
    pub max: i64,
}

impl Staleness {
    pub fn note(&mut self, ms: i64) {
        // What took more than an hour counts as an hour.
        let step = usize::try_from(ms.clamp(0, 3_600_000) / STEP).unwrap_or_default();
        if self.steps.len() <= step {
            self.steps.resize(step + 1, 0);
        }
        self.steps[step] += 1;
        self.count += 1;
        self.max = self.max.max(ms);
    }

    fn add(&mut self, other: &Self) {
        if self.steps.len() < other.steps.len() {
            self.steps.resize(other.steps.len(), 0);
        }
        for (step, count) in other.steps.iter().enumerate() {
            self.steps[step] += count;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// So many thousandths took at most so long, ms.
    pub fn permille(&self, permille: u64) -> i64 {
        let mut left = (self.count * permille).div_ceil(1_000);
        for (step, count) in (1..).zip(&self.steps) {
            left = left.saturating_sub(*count);
            if left == 0 {
                return step * STEP;
            }
        }
        self.max
    }
}

impl fmt::Display for Staleness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ms: i64| format!("{}.{}", ms / 1_000, ms % 1_000 / 100);
        let [p50, p99, max] = [self.permille(500), self.permille(990), self.max].map(seconds);
        write!(f, "p50 {p50} s, p99 {p99} s, max {max} s of {}", self.count)
    }
}

impl Report {
    pub fn add(&mut self, other: &Self) {
        self.worlds += other.worlds;
        self.mutations += other.mutations;
        self.records += other.records;
        self.events += other.events;
        self.duplicates += other.duplicates;
        self.fetches += other.fetches;
        self.snapshots += other.snapshots;
        self.deaths += other.deaths;
        self.suppressed += other.suppressed;
        self.refolded += other.refolded;
        self.changes += other.changes;
        self.deleted += other.deleted;
        self.swept += other.swept;
        self.drifts += other.drifts;
        self.alerts += other.alerts;
        self.scans += other.scans;
        self.staleness.add(&other.staleness);
        self.unannounced.add(&other.unannounced);
        self.fingerprint = self.fingerprint.rotate_left(1) ^ other.fingerprint;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  {} worlds: {} changes at Okta, {} events, {} records landed",
            self.worlds, self.mutations, self.events, self.records
        )?;
        writeln!(
            f,
            "  {} duplicates dropped, {} fetches, {} snapshots, {} deaths and hand-overs",
            self.duplicates, self.fetches, self.snapshots, self.deaths
        )?;
        writeln!(f, "  {} records folded again, {} outputs suppressed", self.refolded, self.suppressed)?;
        writeln!(
            f,
            "  {} versions, {} gone ({} by sweep), {} drifts, {} alerts",
            self.changes, self.deleted, self.swept, self.drifts, self.alerts
        )?;
        writeln!(f, "  staleness of what an event announced: {}", self.staleness)?;
        write!(f, "  staleness of the rest: {}", self.unannounced)
    }
}
