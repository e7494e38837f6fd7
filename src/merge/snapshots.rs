//! How the reading of an org's inventory stands: which snapshot runs, how far each collection has come, how each
//! reading ended. All of it is folded from marks and cursors in the log, so whoever owns the partition next goes on
//! where the last owner was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::landing::{Content, LandingRecord};

/// Requests that may wait at once: each is a person or a script at a prompt.
const MOST_REQUESTS: usize = 16;

/// What a mark says. Its name is the record's header, its content the record's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// Somebody wants a snapshot now.
    Requested(Requested),
    /// A snapshot begins; one that still ran is over.
    Begun(Begun),
    /// A collection was read to its end, or will not be.
    CollectionEnded(CollectionEnded),
    /// Objects were found that have lists of others within them.
    Listed(Keys),
    /// All collections have ended, or the snapshot was given up.
    Ended(Ended),
    /// A mark for those who watch; it changes nothing.
    Other,
}

/// `snapshot_requested`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requested {
    /// By which the asker knows the marks that answer it.
    pub id: String,
    /// Which collections; none means those that the configuration says.
    #[serde(default)]
    pub collections: Vec<String>,
    /// Single objects instead, each as `collection/key`.
    #[serde(default)]
    pub objects: Vec<String>,
    /// Since when these may have changed, ms since the Unix epoch by Okta's clock, if that is known.
    #[serde(default)]
    pub since: Option<i64>,
}

/// `snapshot_begun`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// When it began, ms since the Unix epoch by Okta's clock: its name, and the as-of of all that it confirms.
    pub epoch: i64,
    /// The requests that it answers.
    pub requests: Vec<String>,
    /// Whether it is of all that is configured, so that the schedule counts from it.
    pub whole: bool,
    /// What the org runs on, as far as is known.
    pub engine: String,
    /// Every collection of it, in the order of the plan.
    pub collections: Vec<String>,
    /// Its rosters: the keys of objects that have lists within them, under the names that the reader gives them.
    pub rosters: Vec<String>,
}

/// `listed`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// Of which snapshot.
    pub epoch: i64,
    /// Which roster.
    pub roster: String,
    /// The keys; one that is there already is not added again.
    pub keys: Vec<String>,
}

/// `collection_ended`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionEnded {
    /// Of which snapshot.
    pub epoch: i64,
    /// Which collection.
    pub collection: String,
    /// How.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Objects that were observed.
    pub objects: u64,
    /// Calls that it took.
    pub calls: u64,
}

/// `snapshot_ended`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Which snapshot.
    pub epoch: i64,
    /// Why it was given up, if it was.
    pub aborted: Option<String>,
}

/// The verdict on one reading of a collection. Only a complete one says anything about what is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Outcome {
    /// Every page of every list was read.
    Complete,
    /// Okta does not let us see it.
    Forbidden {
        /// What to grant.
        missing: String,
    },
    /// The org does not have it.
    FeatureOff,
    /// A part was read.
    Partial {
        /// What kept us from the rest.
        why: String,
    },
    /// Nothing could be read.
    Failed {
        /// Why.
        why: String,
    },
}

/// The value of a cursor: how far the reading of a collection has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Of which snapshot.
    pub epoch: i64,
    /// Where the next page is, for a list that is not within something else.
    pub next: Option<String>,
    /// How many of the roster's (or of the plan's) lists are read to their end.
    pub lists: u64,
    /// Of those, how many lists could not be read.
    pub failed: u64,
    /// What Okta said when it refused the first of these: what to grant, or nothing if the org does not have it.
    #[serde(default)]
    pub refusal: Option<String>,
    /// Why the first of these that was not refused could not be read.
    #[serde(default)]
    pub failure: Option<String>,
    /// Objects observed so far.
    pub objects: u64,
    /// Calls made so far.
    pub calls: u64,
    /// How often the list had to begin again, as its cursor had expired.
    pub restarts: u32,
}

/// How the reading of one org stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshots {
    /// What was asked for and is not begun.
    pub requests: Vec<Requested>,
    /// The snapshot that runs.
    pub running: Option<Run>,
    /// The snapshot that ended last.
    pub last: Option<Last>,
    /// The one of all that is configured that ended last.
    pub last_whole: Option<Last>,
    /// The last reading of each collection.
    pub standings: BTreeMap<String, Standing>,
}

/// A snapshot that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its name: when it began.
    pub epoch: i64,
    /// The requests that it answers.
    pub requests: Vec<String>,
    /// Whether it is of all that is configured.
    pub whole: bool,
    /// What the org runs on.
    pub engine: String,
    /// Its collections.
    pub readings: BTreeMap<String, Reading>,
    /// How many keys each roster holds.
    pub rosters: BTreeMap<String, u64>,
}

/// The reading of one collection in the snapshot that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// How far it has come.
    pub place: Place,
    /// How it ended.
    pub ended: Option<Outcome>,
}

/// A snapshot that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// Which.
    pub epoch: i64,
    /// When, by the clock of the log.
    pub ended_at: i64,
    /// Why it was given up, if it was.
    pub aborted: Option<String>,
}

/// The last reading of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// In which snapshot.
    pub epoch: i64,
    /// When, by the clock of the log.
    pub ended_at: i64,
    /// Objects that were observed.
    pub objects: u64,
    /// The epoch of the last reading that was complete.
    pub last_complete: Option<i64>,
}

/// Keys in the order in which a snapshot came upon them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Roster {
    /// Whose.
    pub org: crate::okta::OrgId,
    /// The snapshot.
    pub epoch: i64,
    /// The roster's name.
    pub name: String,
}

impl Mark {
    /// The name and the value of its record. [`Mark::Other`] is never written this way.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which does not happen.
    pub fn write(&self) -> Result<(&'static str, Vec<u8>), serde_json::Error> {
        Ok(match self {
            Self::Requested(content) => ("snapshot_requested", serde_json::to_vec(content)?),
            Self::Begun(content) => ("snapshot_begun", serde_json::to_vec(content)?),
            Self::CollectionEnded(content) => ("collection_ended", serde_json::to_vec(content)?),
            Self::Listed(content) => ("listed", serde_json::to_vec(content)?),
            Self::Ended(content) => ("snapshot_ended", serde_json::to_vec(content)?),
            Self::Other => ("other", b"null".to_vec()),
        })
    }

    /// Reads a mark's record.
    ///
    /// # Errors
    /// When the value is not what the name promises.
    pub fn read(name: &str, value: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(match name {
            "snapshot_requested" => Self::Requested(serde_json::from_slice(value)?),
            "snapshot_begun" => Self::Begun(serde_json::from_slice(value)?),
            "collection_ended" => Self::CollectionEnded(serde_json::from_slice(value)?),
            "listed" => Self::Listed(serde_json::from_slice(value)?),
            "snapshot_ended" => Self::Ended(serde_json::from_slice(value)?),
            _ => Self::Other,
        })
    }
}

/// What a record did to the rosters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effect {
    /// Keys for a roster of the snapshot that runs.
    pub keys: Option<Keys>,
    /// Rosters that are not needed any more, by snapshot and name.
    pub dropped: Vec<(i64, String)>,
}

/// The record is not what its headers promise.
#[derive(Debug)]
pub(super) struct Unreadable;

impl Snapshots {
    /// Takes a record that is not an event.
    pub(super) fn take(&mut self, record: &LandingRecord) -> Result<Effect, Unreadable> {
        match &record.content {
            Content::Event { .. } | Content::Observation(_) => Ok(Effect::default()),
            Content::Cursor { name } => {
                let place: Place = serde_json::from_slice(&record.value).map_err(|_| Unreadable)?;
                self.advance(name, place);
                Ok(Effect::default())
            }
            Content::Mark { name } => {
                let mark = Mark::read(name, &record.value).map_err(|_| Unreadable)?;
                Ok(self.mark(mark, record.landed_at))
            }
        }
    }

    /// Counts a key that is put on a roster; gives its place there.
    pub(super) fn list(&mut self, roster: &str) -> Option<u64> {
        let count = self.running.as_mut()?.rosters.get_mut(roster)?;
        *count += 1;
        Some(*count - 1)
    }

    /// A reading that is over, or of another snapshot, moves no more.
    fn advance(&mut self, collection: &str, place: Place) {
        let run = self.running.as_mut().filter(|run| run.epoch == place.epoch);
        let reading = run.and_then(|run| run.readings.get_mut(collection));
        if let Some(reading) = reading.filter(|reading| reading.ended.is_none()) {
            reading.place = place;
        }
    }

    fn mark(&mut self, mark: Mark, at: i64) -> Effect {
        let mut effect = Effect::default();
        match mark {
            Mark::Requested(request) => {
                let known = self.requests.iter().any(|known| known.id == request.id);
                if !known {
                    // The oldest has waited longest for an answer that did not come.
                    let overdue = (self.requests.len() + 1).saturating_sub(MOST_REQUESTS);
                    self.requests.drain(..overdue);
                    self.requests.push(request);
                }
            }
            Mark::Begun(begun) => effect.dropped = self.begin(begun, at),
            Mark::CollectionEnded(ended) => self.end_collection(ended, at),
            Mark::Listed(keys) => {
                let run = self.running.as_ref().filter(|run| run.epoch == keys.epoch);
                effect.keys = run.is_some_and(|run| run.rosters.contains_key(&keys.roster)).then_some(keys);
            }
            Mark::Ended(ended) => effect.dropped = self.end(&ended, at),
            Mark::Other => {}
        }
        effect
    }

    fn begin(&mut self, begun: Begun, at: i64) -> Vec<(i64, String)> {
        // Epochs grow. One that does not was written by an owner that was late, and must not undo what runs.
        let newest = self.running.as_ref().map(|run| run.epoch).max(self.last.as_ref().map(|last| last.epoch));
        if newest.is_some_and(|newest| begun.epoch <= newest) {
            return Vec::new();
        }
        let unfinished = self.running.as_ref().map(|run| run.epoch);
        let dropped = unfinished.map_or_else(Vec::new, |epoch| {
            self.end(&Ended { epoch, aborted: Some("another snapshot began".into()) }, at)
        });
        self.requests.retain(|request| !begun.requests.contains(&request.id));
        let place = Place { epoch: begun.epoch, ..Place::default() };
        let reading = |collection| (collection, Reading { place: place.clone(), ended: None });
        self.running = Some(Run {
            epoch: begun.epoch,
            requests: begun.requests,
            whole: begun.whole,
            engine: begun.engine,
            readings: begun.collections.into_iter().map(reading).collect(),
            rosters: begun.rosters.into_iter().map(|name| (name, 0)).collect(),
        });
        dropped
    }

    fn end_collection(&mut self, ended: CollectionEnded, at: i64) {
        let run = self.running.as_mut().filter(|run| run.epoch == ended.epoch);
        let reading = run.and_then(|run| run.readings.get_mut(&ended.collection));
        let Some(reading) = reading.filter(|reading| reading.ended.is_none()) else { return };
        reading.ended = Some(ended.outcome.clone());
        reading.place.next = None;
        (reading.place.objects, reading.place.calls) = (ended.objects, ended.calls);
        let before = self.standings.get(&ended.collection).and_then(|standing| standing.last_complete);
        let complete = ended.outcome == Outcome::Complete;
        let standing = Standing {
            outcome: ended.outcome,
            epoch: ended.epoch,
            ended_at: at,
            objects: ended.objects,
            last_complete: if complete { Some(ended.epoch) } else { before },
        };
        self.standings.insert(ended.collection, standing);
    }

    fn end(&mut self, ended: &Ended, at: i64) -> Vec<(i64, String)> {
        let Some(run) = self.running.take_if(|run| run.epoch == ended.epoch) else { return Vec::new() };
        let last = Last { epoch: run.epoch, ended_at: at, aborted: ended.aborted.clone() };
        if run.whole {
            self.last_whole = Some(last.clone());
        }
        self.last = Some(last);
        run.rosters.into_keys().map(|name| (run.epoch, name)).collect()
    }
}

impl Outcome {
    /// The word for it, as in marks and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Forbidden { .. } => "forbidden",
            Self::FeatureOff => "feature_off",
            Self::Partial { .. } => "partial",
            Self::Failed { .. } => "failed",
        }
    }

    /// What a person should know beyond the word.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Complete | Self::FeatureOff => None,
            Self::Forbidden { missing } => Some(missing),
            Self::Partial { why } | Self::Failed { why } => Some(why),
        }
    }

    /// All words.
    pub const WORDS: [&'static str; 5] = ["complete", "forbidden", "feature_off", "partial", "failed"];
}

#[cfg(test)]
mod tests;
