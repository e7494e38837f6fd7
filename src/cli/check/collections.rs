//! One call for each collection, and what its answer means.

use std::collections::{HashMap, HashSet};

use super::org::is_shut;
use super::report::{Finding, Probe, Reason, State};
use crate::collect::{Collection, Needs, Parent, Role};
use crate::json::Tape;
use crate::okta::api::{Answer, ApiFault, Client, Missing, Object, Verdict};
use crate::okta::gate::GateAt;

/// Asks for one collection after the other, parents first, and keeps what the later ones need of the answers.
pub struct Prober<'p> {
    client: &'p Client,
    meter: &'p GateAt,
    /// Those that the configuration names; then nothing else is asked for.
    configured: &'p [String],
    refused: Vec<String>,
    /// The key of a list to try, by the collection it is of.
    keys: HashMap<&'static str, String>,
    /// The collections that could be read.
    read: HashSet<&'static str>,
    /// The log streams that were seen.
    pub streams: Vec<Stream>,
}

/// A log stream as the org describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    pub name: String,
    pub status: String,
}

impl<'p> Prober<'p> {
    /// After the first call, as only then the client knows what is granted.
    pub fn new(client: &'p Client, meter: &'p GateAt, configured: &'p [String]) -> Self {
        let refused = client.scopes_not_granted();
        Self { client, meter, configured, refused, keys: HashMap::new(), read: HashSet::new(), streams: Vec::new() }
    }

    /// Tries a collection with the smallest page of its first list.
    ///
    /// # Errors
    /// What ends the check: a rate limit that is used up, or no way in any more.
    pub async fn probe(&mut self, row: &'static Collection) -> Result<Probe, ApiFault> {
        let told = |(state, reason, detail)| Probe { collection: row.name, path: row.path, state, reason, detail };
        if let Some(missing) = self.missing_scope(row) {
            return Ok(told((State::Skip, Reason::Forbidden, missing)));
        }
        let key = self.keys.get(row.name).cloned();
        if let (Some(parent), None) = (row.parent(), &key) {
            return Ok(told((State::Skip, Reason::NoParent, self.why_no_key(parent))));
        }
        let word = row.words().next().flatten();
        let request = match row.page {
            Some(page) => row.first_request_sized(key.as_deref(), word, page.least),
            None => row.first_request(key.as_deref(), word),
        };
        match self.client.get(&request, self.meter).await {
            Ok(answer) => {
                self.remember(row, key.as_deref(), &answer);
                let empty = if answer.objects().len() == 0 { ", empty" } else { "" };
                Ok(told((State::Ok, Reason::Readable, format!("{}{empty}", row.path))))
            }
            Err(fault) if matches!(fault.verdict, Verdict::RateLimited(_)) || is_gone_dark(&fault) => Err(fault),
            Err(fault) => Ok(told(judge(row, &fault, self.is_demanded(row)))),
        }
    }

    /// What to do about a scope that the token does not have; asking could only be refused.
    fn missing_scope(&self, row: &Collection) -> Option<String> {
        let has = |scopes: &[String], scope: &str| scopes.iter().any(|known| known == scope);
        let unasked = |scope: &&&str| !self.configured.is_empty() && !has(self.configured, scope);
        if let Some(scope) = row.scopes.iter().find(unasked) {
            return Some(format!("org.api.scopes does not ask for {scope}"));
        }
        let refused = row.scopes.iter().find(|scope| has(&self.refused, scope));
        refused.map(|scope| format!("grant the scope {scope}"))
    }

    /// The configuration names its scopes, so somebody relies on it.
    fn is_demanded(&self, row: &Collection) -> bool {
        row.scopes.iter().all(|scope| self.configured.iter().any(|known| known == scope))
    }

    fn why_no_key(&self, parent: &Collection) -> String {
        if self.read.contains(parent.name) {
            format!("there are no {} to try with", parent.name)
        } else {
            format!("needs {}, which cannot be read", parent.name)
        }
    }

    fn remember(&mut self, row: &'static Collection, key: Option<&str>, answer: &Answer) {
        self.read.insert(row.name);
        for child in row.children() {
            let found = answer.objects().find_map(|object| child.key_below(key, &object));
            self.keys.extend(found.map(|key| (child.name, key)));
        }
        if row.name == "log_streams" {
            self.streams = answer.objects().filter_map(stream).collect();
        }
    }
}

/// A proxy may refuse one path; what is wrong with the connection or the login is wrong for all.
fn is_gone_dark(fault: &ApiFault) -> bool {
    is_shut(&fault.verdict) && !matches!(fault.verdict, Verdict::NotJson(_) | Verdict::Timeout(_))
}

/// What it means for a collection that it could not be read, and what a person can do.
pub fn judge(row: &Collection, fault: &ApiFault, is_demanded: bool) -> (State, Reason, String) {
    match &fault.verdict {
        Verdict::Forbidden { missing } => {
            let state = if is_demanded { State::Fail } else { State::Skip };
            (state, Reason::Forbidden, what_to_grant(row, missing))
        }
        Verdict::FeatureOff => (State::Skip, Reason::FeatureOff, what_to_have(row)),
        // Without a parent there is nothing that could be gone, but the endpoint itself.
        Verdict::Gone if row.parent().is_none() => (State::Skip, Reason::FeatureOff, what_to_have(row)),
        Verdict::Gone => (State::Skip, Reason::NoParent, "what it was tried with has just been deleted".into()),
        Verdict::BadRequest { .. } if matches!(row.parent, Parent::Each(..)) => {
            (State::Skip, Reason::FeatureOff, what_to_have(row))
        }
        _ => (State::Fail, Reason::Failed, fault.to_string()),
    }
}

fn what_to_grant(row: &Collection, missing: &Missing) -> String {
    let role = match row.role {
        Role::ReadOnly => "the role Read-only Administrator",
        Role::Iam => "a custom role with the permission okta.iam.read (or the role Super Administrator)",
        Role::Super => "the role Super Administrator, which we advise not to give",
    };
    match missing {
        Missing::Scope(scope) => format!("grant the scope {scope}"),
        Missing::Role => format!("grant {role}"),
        Missing::ScopeOrRole => format!("grant the scope {} and {role}", row.scopes.join(" ")),
    }
}

fn what_to_have(row: &Collection) -> String {
    match row.needs {
        Needs::Any => "the org does not have this feature".into(),
        Needs::IdentityEngine => {
            "the org does not have this feature, for which it would have to be on Identity Engine".into()
        }
    }
}

fn stream(object: Object<'_>) -> Option<Stream> {
    let mut tape = Tape::default();
    let document = tape.read(object.json).ok()?;
    let text = |key: &str| document.root().get(key).and_then(|value| value.as_str()).map(|text| text.into_owned());
    Some(Stream { name: text("name").unwrap_or_default(), status: text("status")? })
}

/// Whether events still come by the log stream; nothing, where that was not asked. One that was cut off is a failure
/// for an org whose events come that way.
pub fn log_stream(probes: &[Probe], streams: &[Stream], is_our_source: bool) -> Option<Finding> {
    let what = "log stream";
    let probe = probes.iter().find(|probe| probe.collection == "log_streams")?;
    if probe.reason == Reason::NotTried {
        return None;
    }
    if probe.reason != Reason::Readable {
        return Some(Finding::new(
            State::Skip,
            what,
            "its state cannot be seen; that it ends is told in the System Log",
        ));
    }
    let active: Vec<&str> =
        streams.iter().filter(|stream| stream.status == "ACTIVE").map(|stream| stream.name.as_str()).collect();
    Some(match (active.is_empty(), streams.first()) {
        (false, _) => Finding::ok(what, format!("ACTIVE: {}", active.join(", "))),
        (true, None) => Finding::new(State::Warn, what, "there is none: nothing comes by way of EventBridge"),
        (true, Some(Stream { name, status })) => {
            let state = if is_our_source { State::Fail } else { State::Warn };
            let detail = format!(
                "{status}: {name} was cut off; nothing comes until a super admin activates it (Reports > Log Streaming)"
            );
            Finding::new(state, what, detail)
        }
    })
}
