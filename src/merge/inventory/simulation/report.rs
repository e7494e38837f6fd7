/// How bad a world is.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// One event in so many is lost, if any.
    pub loses: Option<u64>,
    /// A change comes every so many ms on average.
    pub pace: i64,
    /// Fetches after which changes are listed.
    pub burst: u64,
    /// Lists and audits are read, also in the end.
    pub lists: bool,
}

impl Rules {
    pub const TROUBLED: Self = Self { loses: Some(30), pace: 6_000, burst: 200, lists: true };
    pub const LOSSLESS: Self = Self { loses: None, pace: 3_000, burst: 200, lists: false };
    pub const HOT: Self = Self { loses: None, pace: 400, burst: 200, lists: false };
    pub const BURST: Self = Self { loses: None, pace: 150, burst: 5, lists: false };
}

/// What came of a world.
#[derive(Debug, Default, Clone, Copy)]
pub struct Report {
    pub mutations: u64,
    pub records: u64,
    pub fetches: u64,
    pub changes: u64,
    pub deleted: u64,
    pub swept: u64,
    pub drifts: u64,
    pub alerts: u64,
    /// Slots that do not say the truth in the end.
    pub divergent: u64,
    /// Said to be gone while it was there.
    pub false_tombstones: u64,
    /// There again after it was gone.
    pub resurrections: u64,
    /// Older than what was said before.
    pub regressions: u64,
}

impl Report {
    pub fn add(&mut self, other: Self) {
        self.mutations += other.mutations;
        self.records += other.records;
        self.fetches += other.fetches;
        self.changes += other.changes;
        self.deleted += other.deleted;
        self.swept += other.swept;
        self.drifts += other.drifts;
        self.alerts += other.alerts;
        self.divergent += other.divergent;
        self.false_tombstones += other.false_tombstones;
        self.resurrections += other.resurrections;
        self.regressions += other.regressions;
    }
}
