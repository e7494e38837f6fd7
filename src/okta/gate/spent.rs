use std::collections::BTreeMap;
use std::time::Duration;

use crate::okta::quota::{Headers, Refusal};
use crate::telemetry::metrics;

/// What an org's quota was spent on since the start: for progress displays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent {
    /// Calls made, whatever came of them.
    pub calls: u64,
    /// Those without an answer.
    pub lost: u64,
    /// Those refused because a bucket was used up (429), by bucket.
    pub refused: BTreeMap<String, u64>,
    /// Those refused because too many were under way in the whole org (429).
    pub crowded: u64,
    /// Time that calls have waited for their turn, all together, in the time of the org.
    pub waited: Duration,
    /// Calls that wait now.
    pub waiting: usize,
}

/// Buckets that are told apart by name: the table has eleven, and what is collected meets about thirty more. Beyond them
/// they are one, so that odd paths cannot make metrics without end.
const NAMED: usize = 64;

/// The name of all buckets beyond [`NAMED`].
pub(super) const MORE: &str = "more";

/// The bucket of a refusal that is none of a bucket.
const CONCURRENCY: &str = "concurrency";

/// What the `at`th bucket is called in counts and metrics.
pub(super) fn label(at: usize, name: &str) -> &str {
    if at < NAMED { name } else { MORE }
}

impl Spent {
    pub(super) fn count(&mut self, bucket: &str, headers: Option<&Headers>) {
        self.calls += 1;
        match headers.map(Headers::refusal) {
            None => self.lost += 1,
            Some(None) => {}
            Some(Some(Refusal::Concurrency)) => self.crowded += 1,
            Some(Some(Refusal::Bucket)) => *self.refused.entry(bucket.to_owned()).or_default() += 1,
        }
    }
}

/// The same as metrics, and what the answer says of the bucket.
pub(super) fn record(org: &str, bucket: &str, headers: Option<&Headers>) {
    metrics::okta_called(org, bucket);
    let Some(headers) = headers else { return };
    match headers.refusal() {
        // Its zeros tell nothing of the bucket.
        Some(Refusal::Concurrency) => return metrics::okta_refused(org, CONCURRENCY),
        Some(Refusal::Bucket) => metrics::okta_refused(org, bucket),
        None => {}
    }
    if let Some((limit, remaining)) = headers.limit.zip(headers.remaining) {
        metrics::okta_quota(org, bucket, limit, remaining);
    }
}
