//! One org's API: the way in, the clock, the scopes, the log, the collections, the log stream.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::collections::{Prober, log_stream};
use super::progress::Progress;
use super::report::{Finding, LimitSeen, OrgReport, Probe, Reason, State};
use crate::collect::{Collection, Plan, Selection};
use crate::config::{ApiConfig, OrgConfig};
use crate::error::Chain;
use crate::okta::Engine;
use crate::okta::api::{ApiFault, Client, Meter, Request, Seen, Verdict};
use crate::okta::quota::{Call, Decision, Method, Offset, Permit, Policy, Priority, Quota};

/// What the System Log takes.
const LOG_SCOPE: &str = "okta.logs.read";

/// Clocks that differ by less are both right: Okta forgives a few minutes, and its `Date` has whole seconds.
const TOLERABLE: Duration = Duration::from_secs(60);

/// Nothing, where no API is configured.
pub async fn check(org: &OrgConfig, progress: &Progress) -> Option<OrgReport> {
    let api = org.api.as_ref()?;
    let report = OrgReport { org: org.id.clone(), url: api.url.clone(), ..OrgReport::default() };
    let plan = match Plan::new(&Selection::Managed, &[], Engine::Unknown) {
        Ok(plan) => plan,
        Err(error) => return Some(report.with(Finding::fail("collections", error.to_string()))),
    };
    let scopes: Vec<&str> = std::iter::once(LOG_SCOPE).chain(plan.scopes()).collect();
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let client = match Client::new(api, &scopes, seed) {
        Ok(client) => client,
        Err(error) => return Some(report.with(Finding::fail("way in", Chain(&error).to_string()))),
    };
    let mut visit = Visit { org, api, client, spender: Spender::start(), report };
    visit.go(&plan, scopes.len(), progress).await;
    visit.report.calls = visit.spender.calls.load(Ordering::Relaxed);
    visit.report.limits = visit.spender.limits();
    Some(visit.report)
}

struct Visit<'v> {
    org: &'v OrgConfig,
    api: &'v ApiConfig,
    client: Client,
    spender: Spender,
    report: OrgReport,
}

impl Visit<'_> {
    async fn go(&mut self, plan: &Plan, scopes: usize, progress: &Progress) {
        progress.step(&format!("{}: the way in", self.org.id));
        let log = Request::list("/api/v1/logs").query("limit", "1").id_key("uuid");
        let log = self.client.get(&log, &self.spender).await;
        if let Err(fault) = &log
            && is_shut(&fault.verdict)
        {
            self.find(Finding::fail("way in", fault.to_string()));
            return;
        }
        self.find(Finding::ok("way in", self.client.way_in()));
        self.find(clock(self.spender.offset()));
        self.report.scopes_not_granted = self.client.scopes_not_granted();
        self.find(self.scopes(scopes));
        self.find(system_log(log.err()));
        self.collections(plan, progress).await;
    }

    async fn collections(&mut self, plan: &Plan, progress: &Progress) {
        let mut prober = Prober::new(&self.client, &self.spender, &self.api.scopes);
        let mut rows = plan.collections.iter();
        let mut stopped = None;
        for row in rows.by_ref() {
            let done = self.report.collections.len() + 1;
            progress.step(&format!("{}: {done} of {}, {}", self.org.id, plan.collections.len(), row.name));
            match prober.probe(row).await {
                Ok(probe) => self.report.collections.push(probe),
                Err(fault) => {
                    self.report.collections.push(not_tried(row));
                    stopped = Some(fault);
                    break;
                }
            }
        }
        self.report.collections.extend(rows.map(|row| not_tried(row)));
        let stream = log_stream(&self.report.collections, &prober.streams, self.org.event_source.is_some());
        self.report.findings.extend(stream);
        self.report.findings.extend(stopped.map(|fault| stopped_by(&fault)));
    }

    fn scopes(&self, by_default: usize) -> Finding {
        if self.api.token.is_some() {
            return Finding::ok("scopes", "an API token has no scopes, but all rights of its account");
        }
        let asked = if self.api.scopes.is_empty() { by_default } else { self.api.scopes.len() };
        let refused = self.report.scopes_not_granted.len();
        if refused == 0 {
            return Finding::ok("scopes", format!("all {asked} that were asked for are granted"));
        }
        let granted = asked.saturating_sub(refused);
        let detail = format!("{granted} of {asked} granted; the others are in the app's tab Okta API Scopes");
        Finding::new(State::Skip, "scopes", detail)
    }

    fn find(&mut self, finding: Finding) {
        self.report.findings.push(finding);
    }
}

impl OrgReport {
    fn with(mut self, finding: Finding) -> Self {
        self.findings.push(finding);
        self
    }
}

/// Whether nothing at all can be asked.
pub fn is_shut(verdict: &Verdict) -> bool {
    matches!(
        verdict,
        Verdict::AuthFailed { .. }
            | Verdict::Unreachable(_)
            | Verdict::Timeout(_)
            | Verdict::Redirected(_)
            | Verdict::NotJson(_)
    )
}

fn system_log(fault: Option<ApiFault>) -> Finding {
    let what = "System Log";
    match fault {
        None => Finding::ok(what, "it can be read"),
        Some(fault) => match fault.verdict {
            Verdict::Forbidden { missing } => Finding::new(State::Skip, what, format!("cannot be read: {missing}")),
            _ => Finding::fail(what, fault.to_string()),
        },
    }
}

/// How this machine's clock differs from Okta's. What is signed goes by Okta's, so a wrong clock alone stops nothing.
pub fn clock(offset: Option<Offset>) -> Finding {
    let what = "clock";
    let Some(Offset { lo, hi }) = offset else {
        return Finding::new(State::Warn, what, "Okta does not say what time it is");
    };
    // The least difference that the answers allow.
    let off = if lo > 0 { lo } else { hi.min(0) };
    let side = if off > 0 { "behind" } else { "ahead of" };
    let apart = Duration::from_millis(off.unsigned_abs());
    if apart < TOLERABLE {
        return Finding::ok(
            what,
            if apart.as_secs() == 0 {
                "it agrees with Okta's".into()
            } else {
                format!("{} s {side} Okta's", apart.as_secs())
            },
        );
    }
    Finding::new(State::Warn, what, format!("{} s {side} Okta's: set it (NTP)", apart.as_secs()))
}

fn stopped_by(fault: &ApiFault) -> Finding {
    let advice = match fault.verdict {
        Verdict::RateLimited(_) => ": others have used up the quota; try again in a few minutes",
        _ => "",
    };
    Finding::fail("stopped", format!("{fault}{advice}"))
}

fn not_tried(row: &Collection) -> Probe {
    let (state, reason) = (State::Skip, Reason::NotTried);
    Probe { collection: row.name, path: row.path, state, reason, detail: "not tried: the check was stopped".into() }
}

/// Spends the org's quota as its answers tell it, and counts.
///
/// All of what the answers show, where the worker would leave others their half: it is a hundred calls, once.
pub struct Spender {
    quota: Mutex<Quota>,
    calls: AtomicU64,
    begun: Instant,
    /// Ms since the epoch.
    begun_ms: i64,
}

impl Spender {
    pub fn start() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            quota: Mutex::new(Quota::new(Policy { share: 1.0, reserve: 0.0, ..Policy::default() })),
            calls: AtomicU64::new(0),
            begun: Instant::now(),
            begun_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        }
    }

    fn now(&self) -> i64 {
        self.begun_ms.saturating_add(i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    fn quota(&self) -> std::sync::MutexGuard<'_, Quota> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offset(&self) -> Option<Offset> {
        self.quota().offset(self.now())
    }

    fn limits(&self) -> Vec<LimitSeen> {
        let seen = self.quota().outlook(self.now()).into_iter().filter_map(|bucket| {
            let (limit, used) = (bucket.limit?, bucket.used_by_us + bucket.used_by_others);
            Some(LimitSeen { bucket: bucket.bucket, limit, remaining: limit.saturating_sub(used) })
        });
        seen.collect()
    }
}

impl Meter for Spender {
    type Permit = Permit;

    async fn before(&self, path: &str) -> Permit {
        let call = Call { method: Method::Get, path, priority: Priority::Snapshot };
        loop {
            let now = self.now();
            // Bound on its own, so that the lock is not held over the sleep.
            let decision = self.quota().ask(now, &call);
            match decision {
                Decision::Go(permit) => {
                    self.calls.fetch_add(1, Ordering::Relaxed);
                    return permit;
                }
                Decision::WaitUntil(time) => {
                    tokio::time::sleep(Duration::from_millis(time.saturating_sub(now).unsigned_abs())).await;
                }
            }
        }
    }

    fn after(&self, permit: Permit, seen: &Seen<'_>) {
        let now = self.now();
        match seen.headers {
            Some(headers) => self.quota().answered(now, permit, &headers),
            None => self.quota().lost(now, permit),
        }
    }
}
