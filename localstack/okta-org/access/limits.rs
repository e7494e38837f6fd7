//! Rate limits: buckets of paths, windows that open with their first call, shares of principals, and the account of
//! what was used.

use std::collections::{BTreeMap, HashMap, VecDeque};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

const WINDOW_SECONDS: i64 = 60;
/// How many past windows of a bucket are told in full.
const WINDOWS_KEPT: usize = 120;
/// Paths that are told apart in the account of calls.
const MOST_PATHS: usize = 1_000;

/// One bucket: the calls that share a limit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// `{}` stands for one segment, `*` at the end for whatever follows.
    path: String,
    method: Option<String>,
    /// Calls a window.
    limit: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Calls that may be under way at once.
    pub concurrency: usize,
    /// How much of a bucket one principal may use.
    share: f64,
    buckets: Vec<Bucket>,
}

impl Profile {
    /// One of Okta's own, or a file.
    pub fn named(name: &str) -> Result<Self> {
        let profile = match name {
            "workforce" => Self::of(75, [120, 600, 2_000, 1_000, 500, 500, 100, 100, 100, 1_200]),
            "integrator" => Self::of(35, [20, 100, 100, 100, 100, 100, 20, 100, 25, 100]),
            "none" => Self { concurrency: usize::MAX, share: 1.0, buckets: Vec::new() },
            path => {
                let text = std::fs::read_to_string(path).with_context(|| format!("cannot read limits {path}"))?;
                serde_json::from_str(&text).with_context(|| format!("{path} is not a profile of limits"))?
            }
        };
        ensure!((0.0..=1.0).contains(&profile.share), "share must be between 0 and 1");
        Ok(profile)
    }

    fn of(concurrency: usize, limits: [u32; 10]) -> Self {
        let paths = [
            ("/api/v1/logs", Some("GET")),
            ("/api/v1/users", None),
            ("/api/v1/users/{}", Some("GET")),
            ("/api/v1/groups/{}", None),
            ("/api/v1/groups*", None),
            ("/api/v1/apps/{}", None),
            ("/api/v1/apps*", None),
            ("/api/v1/devices*", None),
            ("/oauth2/v1/clients*", None),
            ("*", None),
        ];
        let bucket = |((path, method), limit): ((&str, Option<&str>), u32)| Bucket {
            path: path.to_owned(),
            method: method.map(ToOwned::to_owned),
            limit,
        };
        Self { concurrency, share: 0.5, buckets: paths.into_iter().zip(limits).map(bucket).collect() }
    }
}

impl Bucket {
    /// How well the bucket fits: exact patterns beat prefixes, longer prefixes beat shorter ones.
    fn fit(&self, method: &str, path: &str) -> Option<usize> {
        if self.method.as_deref().is_some_and(|wanted| wanted != method) {
            return None;
        }
        match self.path.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix).then_some(prefix.len()),
            None => {
                let (pattern, path): (Vec<&str>, Vec<&str>) =
                    (self.path.split('/').collect(), path.split('/').collect());
                let same = pattern.len() == path.len()
                    && pattern.iter().zip(&path).all(|(pattern, segment)| *pattern == "{}" || pattern == segment);
                let literal = pattern.iter().filter(|segment| **segment != "{}").count();
                same.then_some(10_000 + literal)
            }
        }
    }
}

#[derive(Default)]
struct Window {
    opened: i64,
    calls: u32,
    rejected: u32,
    /// Permitted calls, by principal.
    by: HashMap<String, u32>,
}

#[derive(Default)]
struct Account {
    window: Option<Window>,
    past: VecDeque<(i64, u32, u32)>,
    windows: u64,
    calls: u64,
    rejected: u64,
}

/// What a call was told.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    pub allowed: bool,
    pub limit: u32,
    pub remaining: u32,
    /// When the window ends, in Unix seconds.
    pub reset: i64,
}

pub struct Limits {
    profile: Profile,
    accounts: Vec<Account>,
    /// Calls and replies by method and path pattern.
    paths: BTreeMap<String, BTreeMap<u16, u64>>,
    pub too_concurrent: u64,
}

impl Limits {
    pub fn new(profile: Profile) -> Self {
        let accounts = profile.buckets.iter().map(|_| Account::default()).collect();
        Self { profile, accounts, paths: BTreeMap::new(), too_concurrent: 0 }
    }

    pub fn concurrency(&self) -> usize {
        self.profile.concurrency
    }

    /// How much of a bucket one principal may use, in percent.
    pub fn percent(&self) -> u32 {
        (self.profile.share * 100.0).round() as u32
    }

    /// Gives the bucket of that path another limit; false if there is none.
    pub fn set_limit(&mut self, path: &str, limit: u32) -> bool {
        let bucket = self.profile.buckets.iter_mut().find(|bucket| bucket.path == path);
        bucket.map(|bucket| bucket.limit = limit).is_some()
    }

    /// Counts one call of a principal; None where nothing is limited.
    pub fn count(&mut self, method: &str, path: &str, principal: &str, now: Timestamp) -> Option<Verdict> {
        let fits = |(nth, bucket): (usize, &Bucket)| Some((bucket.fit(method, path)?, nth));
        let (_, nth) = self.profile.buckets.iter().enumerate().filter_map(fits).max_by_key(|(fit, _)| *fit)?;
        let limit = self.profile.buckets[nth].limit;
        let share = ((f64::from(limit) * self.profile.share).floor() as u32).max(1);
        let account = &mut self.accounts[nth];
        let now = now.as_second();
        if account.window.as_ref().is_none_or(|window| now >= window.opened + WINDOW_SECONDS) {
            account.open(now);
        }
        let window = account.window.get_or_insert_default();
        let used = window.by.entry(principal.to_owned()).or_default();
        let allowed = *used < share && window.calls < limit;
        if allowed {
            *used += 1;
            window.calls += 1;
            account.calls += 1;
        } else {
            window.rejected += 1;
            account.rejected += 1;
        }
        let remaining = if allowed { (share - *used).min(limit - window.calls) } else { 0 };
        Some(Verdict { allowed, limit: share, remaining, reset: window.opened + WINDOW_SECONDS })
    }

    /// Notes a reply, for the account.
    pub fn note(&mut self, what: &str, status: u16) {
        if self.paths.len() < MOST_PATHS || self.paths.contains_key(what) {
            *self.paths.entry(what.to_owned()).or_default().entry(status).or_default() += 1;
        }
    }

    /// The account behind `/_org/usage`. Calls are the permitted ones.
    pub fn usage(&self, now: Timestamp) -> Value {
        let bucket = |(bucket, account): (&Bucket, &Account)| {
            let current = account.window.as_ref().map(|window| (window.opened, window.calls, window.rejected));
            let windows = account.past.iter().copied().chain(current);
            let windows: Vec<Value> = windows
                .map(|(opened, calls, rejected)| json!({ "opened": opened, "calls": calls, "rejected": rejected }))
                .collect();
            json!({
                "path": bucket.path, "method": bucket.method, "limit": bucket.limit,
                "share": (f64::from(bucket.limit) * self.profile.share).floor(),
                "windows": account.windows, "calls": account.calls, "rejected": account.rejected, "recent": windows,
            })
        };
        let buckets: Vec<Value> = self.profile.buckets.iter().zip(&self.accounts).map(bucket).collect();
        let total = |keep: fn(u16) -> bool| -> u64 {
            let replies = self.paths.values().flatten();
            replies.filter(|(status, _)| keep(**status)).map(|(_, count)| count).sum()
        };
        json!({
            "now": now.as_second(), "calls": total(|_| true), "rejected": total(|status| status == 429),
            "failed": total(|status| status >= 500), "too_concurrent": self.too_concurrent,
            "buckets": buckets, "paths": self.paths,
        })
    }

    /// Forgets the account, not the windows.
    pub fn reset_usage(&mut self) {
        self.paths.clear();
        self.too_concurrent = 0;
        for account in &mut self.accounts {
            (account.windows, account.calls, account.rejected) = (0, 0, 0);
            account.past.clear();
        }
    }
}

impl Account {
    fn open(&mut self, now: i64) {
        if let Some(window) = self.window.take() {
            self.past.push_back((window.opened, window.calls, window.rejected));
            if self.past.len() > WINDOWS_KEPT {
                self.past.pop_front();
            }
        }
        self.windows += 1;
        self.window = Some(Window { opened: now, ..Window::default() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn limits(name: &str) -> Limits {
        Limits::new(Profile::named(name).expect("a profile"))
    }

    #[test]
    fn a_principal_gets_its_share_and_the_bucket_its_limit() {
        let mut limits = limits("integrator");
        let mut call = |who: &str, second| limits.count("GET", "/api/v1/logs", who, at(second)).expect("a limit");
        assert_eq!(call("a", 7), Verdict { allowed: true, limit: 10, remaining: 9, reset: 67 });
        for _ in 1..10 {
            assert!(call("a", 20).allowed);
        }
        assert_eq!(call("a", 66), Verdict { allowed: false, limit: 10, remaining: 0, reset: 67 });
        for _ in 0..10 {
            assert!(call("b", 30).allowed, "another principal has its own share");
        }
        assert!(!call("c", 31).allowed, "the bucket is empty");
        assert!(call("a", 67).allowed, "a new window");
    }

    #[test]
    fn the_best_fit_wins_and_the_method_matters() {
        let mut limits = limits("workforce");
        let mut limit = |method, path| limits.count(method, path, "x", at(0)).expect("a limit").limit;
        assert_eq!(limit("GET", "/api/v1/users"), 300);
        assert_eq!(limit("GET", "/api/v1/users/00u1"), 1_000);
        assert_eq!(limit("POST", "/api/v1/users/00u1"), 600);
        assert_eq!(limit("GET", "/api/v1/users/00u1/factors"), 600);
        assert_eq!(limit("GET", "/api/v1/apps/0oa1/users"), 50);
        assert_eq!(limit("GET", "/api/v1/apps/0oa1"), 250);
        assert_eq!(limit("GET", "/api/v1/groups/00g1/users"), 250);
    }
}
