//! Reads single objects again, because something says that they have changed.
//!
//! Each is asked for once, however often it is wanted, before everything that is read by plan. Where so many objects of
//! one collection are wanted that a list of what has changed costs less of the quota, that list is read first, and only
//! what it did not tell of is asked for one by one. An object that Okta says it does not have lands as an absent one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::list::{ListKey, ListReader, Purpose, Step};
use super::observe::{single, without_secrets};
use super::org::{Org, Trouble};
use super::remedy::{ListEnd, Patience, Remedy};
use super::table::{Collection, Grain};
use super::verdict::Lists;
use crate::landing::{Content, Origin};
use crate::merge::snapshots::{Outcome, Place};
use crate::okta::quota::{Method, Priority, Route};

/// Objects that are asked for at once: the slots that the quota keeps for what is urgent are fewer.
const AT_ONCE: usize = 8;

/// An index that lists are answered from may lag; a list of changes goes back by so much more.
const INDEX_LAG_MS: i64 = 60_000;

/// What should be read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// By collection and key: since when it may have changed, ms by Okta's clock, if that is known.
    of: BTreeMap<&'static str, BTreeMap<String, Option<i64>>>,
}

/// How the fetches of one collection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fetched {
    pub collection: &'static Collection,
    pub outcome: Outcome,
    pub objects: u64,
    pub calls: u64,
}

impl Wanted {
    /// Adds an object or, of a collection whose lists are within something, the list within the object with this key.
    pub fn add(&mut self, collection: &'static Collection, key: String, since: Option<i64>) {
        // Of several changes the latest must be seen.
        let known = self.of.entry(collection.name).or_default().entry(key).or_insert(since);
        *known = known.zip(since).map(|(one, other)| one.max(other));
    }

    /// The scopes that it takes.
    pub fn scopes(&self) -> Vec<&'static str> {
        let collections = self.of.keys().filter_map(|name| Collection::find(name));
        let scopes: BTreeSet<&str> = collections.flat_map(|collection| collection.scopes).copied().collect();
        scopes.into_iter().collect()
    }

    /// Reads `collection/key`, as in `users/00u1`.
    pub fn parse(text: &str) -> Result<(&'static Collection, String), String> {
        let (name, key) = text.split_once('/').ok_or_else(|| format!("{text:?} must be COLLECTION/ID"))?;
        let collection = Collection::find(name).ok_or_else(|| format!("there is no collection {name:?}"))?;
        let single = collection.single && collection.grain == Grain::Object;
        let parts = collection.depth() + usize::from(single);
        // A login is no id: whoever has it may have another tomorrow.
        let is_id = |part: &str| !part.is_empty() && !part.contains('@');
        if key.split('/').count() != parts || !key.split('/').all(is_id) {
            let wanted = ["ID"; 3].get(..parts).unwrap_or_default().join("/");
            return Err(match parts {
                0 => format!("{name} can be read only as a whole: --collections {name}"),
                _ => format!("{text:?} must be {name}/{wanted}"),
            });
        }
        Ok((collection, key.to_owned()))
    }
}

/// Whether a text names an object that can be read by itself, as `COLLECTION/ID`.
///
/// # Errors
/// What is wrong with it.
pub fn check_object(text: &str) -> Result<(), String> {
    Wanted::parse(text).map(|_| ())
}

/// Reads all that is wanted.
pub(super) async fn fetch(org: &Arc<Org>, wanted: Wanted) -> Result<Vec<Fetched>, Trouble> {
    let mut fetched = Vec::new();
    for (name, mut keys) in wanted.of {
        let Some(collection) = Collection::find(name) else { continue };
        let known: Option<Vec<i64>> = keys.values().copied().collect();
        let since = known.and_then(|times| times.into_iter().min());
        if let Some(since) = since.filter(|_| is_burst(org, collection, keys.len() as u64)) {
            list_changes(org, collection, since, &mut keys).await?;
        }
        fetched.push(fetch_each(org, collection, keys.into_keys().collect()).await?);
    }
    Ok(fetched)
}

/// Whether a list of changes is the cheaper way. A page is full of changes only in a burst, so that many pages are
/// reckoned with and one for the rest.
fn is_burst(org: &Org, collection: &Collection, wanted: u64) -> bool {
    let (Some(path), Some(_), Some(page)) = (collection.single_path(), collection.incremental, collection.page) else {
        return false;
    };
    let pages = wanted.div_ceil(u64::from(page.size)) + 1;
    org.gate.route(wanted, (Method::Get, &path), pages, (Method::Get, collection.path)) == Route::List
}

/// Reads what has changed, and takes from the keys what was in it as new as it must be: the index may lag. What fails is
/// left for single calls.
async fn list_changes(
    org: &Arc<Org>,
    collection: &'static Collection,
    since: i64,
    keys: &mut BTreeMap<String, Option<i64>>,
) -> Result<(), Trouble> {
    let list = ListReader::of_changes(org, purpose(i64::MIN), collection, since - INDEX_LAG_MS);
    let Some(mut list) = list else { return Ok(()) };
    loop {
        let step = list.step().await?;
        for seen in list.take_landed() {
            // Okta writes times to the second, so what changed in that very second may be older than what is wanted.
            let new_enough =
                |since: &Option<i64>| seen.updated.zip(*since).is_some_and(|(updated, since)| updated > since);
            if keys.get(&seen.key).is_some_and(new_enough) {
                keys.remove(&seen.key);
            }
        }
        if let Step::End(_) = step {
            return Ok(());
        }
    }
}

async fn fetch_each(org: &Arc<Org>, collection: &'static Collection, keys: Vec<String>) -> Result<Fetched, Trouble> {
    let mut lists = Lists::new(Place::default(), false);
    let mut waiting = (0..).zip(keys);
    let mut running: JoinSet<Result<(u64, ListEnd), Trouble>> = JoinSet::new();
    loop {
        while running.len() < AT_ONCE && !lists.hopeless() {
            let Some((at, key)) = waiting.next() else { break };
            let org = Arc::clone(org);
            running.spawn(async move { Ok((at, fetch_one(&org, collection, key, i64::MIN).await?)) });
        }
        let Some(ended) = running.join_next().await else { break };
        let (at, end) = ended.map_err(|error| Trouble::Broken(error.to_string()))??;
        lists.end(at, end);
    }
    let line = org.progress.of(collection.name);
    lists.count(line.objects(), line.calls());
    Ok(Fetched { collection, outcome: lists.verdict(None), objects: line.objects(), calls: line.calls() })
}

/// Reads one object, or the list within one, and lands what Okta says of it. It was certainly asked after `asked_after`.
pub(super) async fn fetch_one(
    org: &Arc<Org>,
    collection: &'static Collection,
    key: String,
    asked_after: i64,
) -> Result<ListEnd, Trouble> {
    let request = collection.single_request(&key).filter(|_| collection.grain == Grain::Object);
    let Some(request) = request else {
        let sent = org.now_ms().max(asked_after);
        let list_key = ListKey { key: Some(key.clone()).filter(|key| !key.is_empty()), word: None };
        let end = ListReader::new(org, purpose(asked_after), collection, list_key).read_to_end().await?;
        if end == ListEnd::Gone {
            let as_of = (sent, org.now_ms().max(sent));
            land(org, collection, key, as_of, Vec::new()).await?;
        }
        return Ok(end);
    };
    let line = org.progress.of(collection.name);
    let mut patience = Patience::new(None, 0);
    let sent = org.now_ms().max(asked_after);
    loop {
        let fault = match org.client.get(&request, &line.counting(org.gate.at(Priority::Fetch))).await {
            Ok(answer) => {
                let asked = answer.asked_ms.max(asked_after);
                let as_of = (asked, answer.answered_ms.max(asked));
                let id = answer.objects().next().and_then(|object| object.id.map(str::to_owned));
                if id.as_deref() != key.rsplit('/').next() {
                    let id = id.unwrap_or_default();
                    return Ok(ListEnd::Failed(format!("Okta answers for {key} with another object: its id is {id}")));
                }
                let Some(value) = without_secrets(answer.body()) else {
                    return Ok(ListEnd::Failed("the object cannot be read".into()));
                };
                return land(org, collection, key, as_of, value).await.map(|()| ListEnd::Read);
            }
            Err(fault) => fault,
        };
        match patience.after(&fault) {
            // Nothing says when Okta read that there is none, but that it was since we asked first.
            Remedy::End(ListEnd::Gone) => {
                let as_of = (sent, org.now_ms().max(sent));
                return land(org, collection, key, as_of, Vec::new()).await.map(|()| ListEnd::Gone);
            }
            Remedy::Again | Remedy::Smaller(_) => {}
            Remedy::After(pause) => org.pace().sleep(pause).await,
            Remedy::Restart => return Ok(ListEnd::Failed(fault.to_string())),
            Remedy::End(end) => return Ok(end),
            Remedy::NoWayIn(why) => return Err(Trouble::NoWayIn(why)),
        }
    }
}

async fn land(
    org: &Org,
    collection: &'static Collection,
    key: String,
    as_of: (i64, i64),
    value: Vec<u8>,
) -> Result<(), Trouble> {
    let present = u64::from(!value.is_empty());
    let record = (Content::Observation(single(collection, key, as_of)), value);
    org.lander.land(Origin::Fetch, vec![record]).await.map_err(Trouble::NotLanded)?;
    org.progress.of(collection.name).read(present);
    Ok(())
}

fn purpose(asked_after: i64) -> Purpose {
    Purpose { priority: Priority::Fetch, origin: Origin::Fetch, epoch: None, rosters: Arc::new([]), asked_after }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_twice_is_fetched_once() {
        let users = Collection::find("users").unwrap();
        let mut wanted = Wanted::default();
        wanted.add(users, "00u1".into(), Some(50));
        wanted.add(users, "00u1".into(), Some(40));
        wanted.add(users, "00u2".into(), Some(60));
        assert_eq!(wanted.of["users"].len(), 2);
        assert_eq!(wanted.of["users"]["00u1"], Some(50), "the later change must be seen");
        wanted.add(users, "00u1".into(), None);
        assert_eq!(
            wanted.of["users"]["00u1"], None,
            "when it may have changed at any time, no list of changes will do"
        );
    }

    #[test]
    fn objects_are_named_by_their_collection_and_all_ids_that_it_takes() {
        for (text, key) in [
            ("users/00u1", "00u1"),
            ("group_members/00g1", "00g1"),
            ("authorization_server_policies/aus1/00p1", "aus1/00p1"),
        ] {
            assert_eq!(Wanted::parse(text).unwrap().1, key);
        }
        for (text, said) in [
            ("users", "must be COLLECTION/ID"),
            ("user/00u1", "no collection"),
            ("users/00u1/x", "must be users/ID"),
            ("policy_rules/00p1", "must be policy_rules/ID/ID"),
            ("users//00u1", "must be users/ID"),
            ("users/ada@acme.com", "must be users/ID"),
            ("org_settings/x", "only as a whole"),
        ] {
            let error = Wanted::parse(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
