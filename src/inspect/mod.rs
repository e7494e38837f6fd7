//! What people ask of the state. A question is answered by whoever has the state: a running worker, over the socket in its
//! data directory, or the command itself where none runs. Pure but for reading the state.

mod show;
mod status;

use serde::{Deserialize, Serialize};

pub use show::{ShownFacet, ShownGroup, ShownThing, ShownVersion, Then, Thing};
pub use status::{CollectionStatus, LogStatus, OrgStatus, Running};

use crate::config::Config;
use crate::kafka::partition_of;
use crate::merge::StateReader;
use crate::okta::OrgId;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Question {
    /// How every org stands, or one.
    Status {
        /// Which; all if none.
        org: Option<String>,
    },
    /// What is known of one thing.
    Show {
        /// Of which org; it may be left out where there is only one.
        org: Option<String>,
        /// Its type, such as `user`, or its collection.
        kind: String,
        /// Its id, or its login or name.
        name: String,
        /// As of when, ms since the Unix epoch; now if none.
        at: Option<i64>,
    },
    /// The completeness ledger of the System Log, minute by minute.
    Ledger {
        /// Which org; all if none.
        org: Option<String>,
        /// From when, ms since the Unix epoch.
        from: i64,
        /// Until when.
        until: i64,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// To [`Question::Status`].
    Status {
        /// The orgs.
        orgs: Vec<OrgStatus>,
    },
    /// To [`Question::Show`].
    Show(Thing),
    /// To [`Question::Ledger`].
    Ledger {
        /// The orgs, each with its minutes.
        orgs: Vec<LedgerOf>,
    },
    /// The question cannot be answered.
    Refused {
        /// Why.
        why: String,
    },
}

/// The ledger of one org.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerOf {
    /// Which.
    pub org: String,
    /// Its minutes, from the first one asked for.
    pub minutes: Vec<Minute>,
}

/// One minute of an org's log, by `published`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minute {
    /// Its beginning, ms since the Unix epoch.
    pub at: i64,
    /// Events in all.
    pub events: u64,
    /// Of those, how many came by the stream …
    pub stream: u64,
    /// … by the poll …
    pub poll: u64,
    /// … and by readings of the past.
    pub history: u64,
    /// Whether it is proven that these are all there are.
    pub complete: bool,
}

/// The states that somebody has, by partition.
pub trait States {
    /// How many partitions the log has.
    fn partitions(&self) -> i32;

    /// The state of a partition, if it is here.
    fn state(&self, partition: i32) -> Option<&dyn StateReader>;
}

/// Answers; `now` is ms since the Unix epoch.
pub fn answer(question: &Question, config: &Config, states: &dyn States, now: i64) -> Answer {
    let answered = match question {
        Question::Status { org } => orgs(config, org.as_deref()).and_then(|orgs| {
            let orgs = orgs.into_iter().map(|org| status::status(org, states, now)).collect::<Result<_, _>>();
            orgs.map(|orgs| Answer::Status { orgs }).map_err(|error| error.to_string())
        }),
        Question::Show { org, kind, name, at } => one(config, org.as_deref()).and_then(|org| {
            let id = OrgId::new(org);
            let here = here(states, org).ok_or_else(|| elsewhere(org))?;
            show::thing(here, &id, kind, name, *at, now).map(Answer::Show)
        }),
        Question::Ledger { org, from, until } => orgs(config, org.as_deref()).and_then(|orgs| {
            let ledgers = orgs.into_iter().map(|org| {
                let here = here(states, org).ok_or_else(|| elsewhere(org))?;
                ledger(here, org, *from, *until)
            });
            Ok(Answer::Ledger { orgs: ledgers.collect::<Result<_, String>>()? })
        }),
    };
    answered.unwrap_or_else(|why| Answer::Refused { why })
}

fn ledger(state: &dyn StateReader, org: &str, from: i64, until: i64) -> Result<LedgerOf, String> {
    let minutes = crate::merge::system_log::ledger(state, &OrgId::new(org), from, until);
    let minutes = minutes.map_err(|error| error.to_string())?.into_iter().map(|minute| Minute {
        at: minute.at,
        events: minute.counts.all,
        stream: minute.counts.stream,
        poll: minute.counts.poll,
        history: minute.counts.history,
        complete: minute.complete,
    });
    Ok(LedgerOf { org: org.to_owned(), minutes: minutes.collect() })
}

/// The state that an org is in, if it is here.
fn here<'s>(states: &'s dyn States, org: &str) -> Option<&'s dyn StateReader> {
    states.state(partition_of(org.as_bytes(), states.partitions()))
}

fn elsewhere(org: &str) -> String {
    format!("the state of {org} is not in this data directory; ask where the worker runs that owns its partition")
}

/// The orgs of the configuration, or the one that is asked for.
fn orgs<'c>(config: &'c Config, wanted: Option<&str>) -> Result<Vec<&'c str>, String> {
    let all = config.orgs.iter().map(|org| org.id.as_str());
    let found: Vec<&str> = all.filter(|org| wanted.is_none_or(|wanted| wanted == *org)).collect();
    match wanted {
        Some(wanted) if found.is_empty() => Err(format!("there is no org {wanted:?} in the configuration")),
        _ => Ok(found),
    }
}

/// The org that is asked for, or the only one.
fn one<'c>(config: &'c Config, wanted: Option<&str>) -> Result<&'c str, String> {
    match orgs(config, wanted)?.as_slice() {
        [one] => Ok(one),
        [] => Err("there is no org in the configuration".into()),
        several => Err(format!("say of which org with --org: {}", several.join(", "))),
    }
}
