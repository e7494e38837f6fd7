//! The lists of a collection, in an order that survives a restart.

use std::sync::Arc;

use super::list::ListKey;
use super::observe::Roster;
use super::org::{Org, Trouble, look_again};

use super::table::{Collection, Parent};
use crate::merge::snapshots::{self, Outcome};

/// Where a collection's lists come from.
pub(super) struct Source {
    org: Arc<Org>,
    epoch: i64,
    collection: &'static Collection,
    roster: Option<Roster>,
    /// How many were given out.
    next: u64,
}

/// What comes next.
pub(super) enum Next {
    /// Lists, each with its place.
    Keys(Vec<(u64, ListKey)>),
    /// There are no more. For lists that are within objects: the verdict on these objects.
    End(Option<Outcome>),
}

impl Source {
    /// From the place on that was reached before.
    pub fn new(org: Arc<Org>, epoch: i64, collection: &'static Collection, reached: u64) -> Self {
        Self { org, epoch, collection, roster: Roster::of(collection), next: reached }
    }

    /// The next lists, at most so many; waits until some are known. Nothing is lost when it is dropped.
    pub async fn next(&mut self, most: usize) -> Result<Next, Trouble> {
        match (&self.roster, self.collection.parent) {
            (Some(_), _) => self.of_roster(most).await,
            (None, Parent::Each(_, words)) => Ok(self.known(words.iter().map(|word| Some(*word)))),
            (None, _) => Ok(self.known(std::iter::once(None))),
        }
    }

    fn known(&mut self, words: impl Iterator<Item = Option<&'static str>>) -> Next {
        let lists = (0..).zip(words.map(|word| ListKey { key: None, word }));
        let keys: Vec<_> = lists.filter(|(at, _)| *at >= self.next).collect();
        if keys.is_empty() {
            return Next::End(None);
        }
        self.next += keys.len() as u64;
        Next::Keys(keys)
    }

    async fn of_roster(&mut self, most: usize) -> Result<Next, Trouble> {
        let (Some(roster), Some(parent)) = (&self.roster, self.collection.parent()) else { return Ok(Next::End(None)) };
        let mut committed = self.org.committed.clone();
        loop {
            committed.mark_unchanged();
            let run = self.org.running(self.epoch)?;
            let known = run.rosters.get(&roster.name).copied().unwrap_or_default();
            let ended = run.readings.get(parent.name).and_then(|reading| reading.ended.clone());
            if known > self.next {
                let name = snapshots::Roster { org: self.org.id.clone(), epoch: self.epoch, name: roster.name.clone() };
                let keys = self.org.state.roster(&name, self.next, most)?;
                self.org.progress.of(self.collection.name).expects(known, ended.is_some());
                let keys: Vec<_> = (self.next..).zip(keys.into_iter().map(of_key)).collect();
                self.next += keys.len() as u64;
                return Ok(Next::Keys(keys));
            }
            if let Some(outcome) = ended {
                self.org.progress.of(self.collection.name).expects(known, true);
                return Ok(Next::End(Some(outcome)));
            }
            look_again(&mut committed).await?;
        }
    }
}

fn of_key(key: String) -> ListKey {
    ListKey { key: Some(key), word: None }
}
