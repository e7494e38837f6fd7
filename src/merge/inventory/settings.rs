/// How the inventory is kept. Changing one of these changes what a replay of the log gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How far a list may lag behind the state that a read of one object sees, ms.
    pub list_lag_ms: i64,
    /// How long a fetch waits for more hints of the same kind, ms.
    pub debounce_ms: i64,
    /// With so many fetches open in a collection, its list of changes is asked for instead of further ones.
    pub burst: u64,
    /// A hint this much older than the last confirmation still announces a change that is seen later, ms.
    pub announced_within_ms: i64,
    /// So many candidates are swept however small the collection is.
    pub sweep_at_least: u64,
    /// Beyond that, so many thousandths of the collection.
    pub sweep_permille: u64,
    /// With so many fetches open in a collection, nothing is fetched only because an event names it.
    pub strangers: u64,
    /// A fetch that has no answer for so long, or that failed so long ago, is asked for again, ms by the log's clock.
    pub answer_within_ms: i64,
    /// So many users whose groups change at once are told at once; more are told one after another.
    pub told_at_once: usize,
    /// So many reports that wait are made with each record.
    pub told_in_passing: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // Okta calls its searches eventually consistent and names no bound; older documents say under a second.
            list_lag_ms: 60_000,
            // Okta's own consoles write two or three events for one click, within a second.
            debounce_ms: 2_000,
            // A page of users or groups: beyond it one call of a list reads what takes this many single reads.
            burst: 200,
            // As long as an event of log streaming usually takes at most, and short against a snapshot.
            announced_within_ms: 300_000,
            // From simulations: enough for what page skips hide, far below what a lost permission hides.
            sweep_at_least: 50,
            sweep_permille: 10,
            // A tenth of a minute's calls for users in the smallest org; whoever waits is asked for with a later event, or
            // listed by then.
            strangers: 50,
            // Longer than a minute's quota window several times over, so that waiting for quota is no loss.
            answer_within_ms: 600_000,
            // A person who changes a group by hand changes a few members; an import or a rule changes thousands.
            told_at_once: 32,
            // A batch of 2,000 records then holds at most 130,000 users of 5 kB, one after another; a record that has
            // them in its wake is late by a few milliseconds.
            told_in_passing: 64,
        }
    }
}
