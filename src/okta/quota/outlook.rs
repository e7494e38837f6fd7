use std::collections::BTreeMap;

use super::{bucket::Bucket, call::Method, limiter::Quota, window::WINDOW_MS};

/// What a bucket looks like now: for progress bars and for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// Its name: the table's, or method and path of the calls that have it to themselves.
    pub bucket: String,
    /// The Limit that replies tell; none before the first.
    pub limit: Option<u32>,
    /// Our calls in the open window, those without an answer included.
    pub used_by_us: u32,
    /// Calls of others in the open window, at least.
    pub used_by_others: u32,
    /// Our calls per minute at most.
    pub permitted_per_minute: u32,
    /// When a snapshot's call may go next, if a slot is free.
    pub next_free: i64,
}

impl Quota {
    /// All buckets met so far.
    pub fn outlook(&self, now: i64) -> Vec<Outlook> {
        let offset = self.offset(now);
        let look = |bucket: &Bucket| {
            let (used_by_us, used_by_others) = bucket.used(now, offset);
            Outlook {
                bucket: bucket.name.clone(),
                limit: bucket.limit(),
                used_by_us,
                used_by_others,
                permitted_per_minute: bucket.permitted_per_minute(&self.policy),
                next_free: bucket.next_free(now, offset, &self.policy),
            }
        };
        self.registry.buckets().iter().map(look).collect()
    }

    /// How many ms these numbers of calls will take if nothing else is done: the slowest bucket, or the slots if they
    /// are slower. For buckets not met yet it goes by the table.
    pub fn estimate(&self, now: i64, calls: &[(Method, &str, u64)]) -> i64 {
        let mut by_bucket: BTreeMap<String, (Option<&Bucket>, u32, u64)> = BTreeMap::new();
        for (method, path, count) in calls {
            let (name, bucket, guess) = self.registry.look_up(*method, path);
            let sum = &mut by_bucket.entry(name).or_insert((bucket, guess, 0)).2;
            *sum = sum.saturating_add(*count);
        }
        let total = by_bucket.values().fold(0u64, |sum, (.., calls)| sum.saturating_add(*calls));
        by_bucket.into_values().map(|need| self.time_in_bucket(now, need)).fold(self.time_in_slots(total), i64::max)
    }

    fn time_in_bucket(&self, now: i64, (bucket, guess, calls): (Option<&Bucket>, u32, u64)) -> i64 {
        match bucket {
            _ if calls == 0 => 0,
            Some(bucket) => bucket.time_for(calls, now, self.offset(now), &self.policy),
            None => {
                let windows = calls.div_ceil(u64::from(self.policy.permitted(guess))) - 1;
                i64::try_from(windows).unwrap_or(i64::MAX).saturating_mul(WINDOW_MS)
            }
        }
    }

    fn time_in_slots(&self, calls: u64) -> i64 {
        let rounds = i64::try_from(calls.div_ceil(u64::from(self.slots.cap()))).unwrap_or(i64::MAX);
        rounds.saturating_mul(self.latency)
    }
}
