//! One org's API: the way in, the clock, the scopes, the log, the collections, the log stream.

use std::time::{Duration, SystemTime};

use super::collections::{Prober, log_stream};
use super::progress::Progress;
use super::report::{Finding, LimitSeen, OrgReport, Probe, Reason, State};
use crate::collect::{Collection, Plan};
use crate::config::{ApiConfig, OrgConfig};
use crate::error::Chain;
use crate::ingest::system_log;
use crate::okta::api::{ApiFault, Client, Request, Verdict};
use crate::okta::gate::{Gate, GateAt};
use crate::okta::quota::{Offset, Policy, Priority};
use crate::okta::{Engine, Pace, share};

/// Clocks that differ by less are both right: Okta forgives a few minutes, and its `Date` has whole seconds.
const TOLERABLE: Duration = Duration::from_secs(60);

/// Nothing, where no API is configured.
pub async fn check(org: &OrgConfig, progress: &Progress) -> Option<OrgReport> {
    let api = org.api.as_ref()?;
    let report = OrgReport { org: org.id.clone(), url: api.url.clone(), ..OrgReport::default() };
    let plan = match Plan::new(&org.snapshot.selection(), &org.snapshot.without, Engine::Unknown) {
        Ok(plan) => plan,
        Err(error) => return Some(report.with(Finding::fail("collections", error.to_string()))),
    };
    let mut scopes: Vec<&str> = [system_log::SCOPE, share::SCOPE].into_iter().chain(plan.scopes()).collect();
    scopes.sort_unstable();
    scopes.dedup();
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let client = match Client::new(api, &scopes, seed) {
        Ok(client) => client,
        Err(error) => return Some(report.with(Finding::fail("way in", Chain(&error).to_string()))),
    };
    // All of what the answers show, where the worker would leave others their half: it is a hundred calls, once.
    let gate = Gate::new(&org.id, Policy { share: 1.0, reserve: 0.0, ..Policy::default() }, Pace::real());
    let mut visit = Visit { org, api, client, meter: gate.at(Priority::Snapshot), gate, report };
    visit.go(&plan, scopes.len(), progress).await;
    visit.report.calls = visit.gate.spent().calls;
    visit.report.limits = limits(&visit.gate);
    Some(visit.report)
}

struct Visit<'v> {
    org: &'v OrgConfig,
    api: &'v ApiConfig,
    client: Client,
    gate: Gate,
    meter: GateAt,
    report: OrgReport,
}

impl Visit<'_> {
    async fn go(&mut self, plan: &Plan, scopes: usize, progress: &Progress) {
        progress.step(&format!("{}: the way in", self.org.id));
        let log = Request::list("/api/v1/logs").query("limit", "1").id_key("uuid");
        let log = self.client.get(&log, &self.meter).await;
        if let Err(fault) = &log
            && is_shut(&fault.verdict)
        {
            self.find(Finding::fail("way in", fault.to_string()));
            return;
        }
        self.find(Finding::ok("way in", self.client.way_in()));
        self.find(clock(self.gate.offset()));
        self.report.scopes_not_granted = self.client.scopes_not_granted();
        self.find(self.scopes(scopes));
        self.find(log_finding(log.err()));
        self.quota().await;
        self.engine().await;
        self.collections(plan, progress).await;
    }

    async fn quota(&mut self) {
        let (part, why) = share::share_of(self.api, &self.org.quota, &self.client, &self.meter).await;
        let detail = format!("{:.0} % of what Okta's answers show may be used: {why}", part * 100.0);
        self.find(Finding::ok("quota", detail));
    }

    async fn engine(&mut self) {
        self.find(match Engine::of(&self.client, &self.meter).await {
            Ok(engine) => Finding::ok("engine", engine.name()),
            Err(fault) => Finding::new(State::Warn, "engine", format!("not known: {fault}")),
        });
    }

    async fn collections(&mut self, plan: &Plan, progress: &Progress) {
        let mut prober = Prober::new(&self.client, &self.meter, &self.api.scopes);
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

fn log_finding(fault: Option<ApiFault>) -> Finding {
    let what = "System Log";
    match fault {
        None => Finding::ok(what, "it can be read"),
        Some(fault) => match fault.verdict {
            Verdict::Forbidden { missing } => Finding::new(
                State::Skip,
                what,
                format!("cannot be read, so it is not polled and gaps of the log stream stay open: {missing}"),
            ),
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

fn limits(gate: &Gate) -> Vec<LimitSeen> {
    let seen = gate.outlook().into_iter().filter_map(|bucket| {
        let (limit, used) = (bucket.limit?, bucket.used_by_us + bucket.used_by_others);
        Some(LimitSeen { bucket: bucket.bucket, limit, remaining: limit.saturating_sub(used) })
    });
    seen.collect()
}
