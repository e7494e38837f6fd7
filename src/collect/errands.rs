//! Runs the errands of the fold: what an event, a sweep or a doubt asks for is fetched while snapshots go on.
//!
//! Which errands are due is part of the state. That they are sent is landed first, and they go only when the state knows
//! of it: so the log says of every event whether it was there before, and nothing is sent twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::access::Access;
use super::fetch::fetch_one;
use super::list::{ListReader, Purpose};
use super::observe;
use super::org::{Org, Trouble, look_again};
use super::remedy::ListEnd;
use super::table::Collection;
use crate::error::{Chain, Fatal};
use crate::landing::{self, Content, Origin};
use crate::merge::inventory::{Ask, ChangesRead, Errand, Failed, FetchMark, Intent, Sent, Settings, due, last_sent};
use crate::merge::snapshots::{Mark, Requested};
use crate::okta::quota::Priority;

/// Errands that are out at once: as many slots as the quota keeps for what is urgent, and a few whose answer is landing.
const AT_ONCE: usize = 8;

/// How often the state is looked at when nothing is committed: an errand may become due by time alone.
const LOOK: Duration = Duration::from_millis(500);

/// Pause after the org did not let us in or the log did not answer; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Runs errands for as long as the partition is ours.
///
/// # Errors
/// When the landing log cannot be written until a person acts.
pub(super) async fn go_on(access: &Access) -> Result<(), Fatal> {
    if !access.ends.caught_up().await {
        return Ok(());
    }
    let mut pause = FIRST_PAUSE;
    loop {
        let mut runner = Runner { access, org: None, abandoned: None, sent: i64::MIN, running: JoinSet::new() };
        let trouble = match runner.go_on(&mut pause).await {
            Err(Trouble::Stopped(_)) => return Ok(()),
            Err(trouble) => {
                trouble.unless_hopeless("what was read cannot be landed", "what was asked for is asked for again")?
            }
            Ok(never) => match never {},
        };
        let (org, pause_ms) = (&access.settings.org, pause.as_millis());
        tracing::warn!(%org, error = %Chain(&trouble), pause_ms, "fetching what events ask for pauses");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

enum Never {}

struct Runner<'a> {
    access: &'a Access,
    /// The org with the scopes of all that is planned; made when the first errand is due.
    org: Option<(Arc<Org>, BTreeSet<&'static str>)>,
    /// What was sent until then, by Okta's clock, was sent by a runner that is gone, and is sent again.
    abandoned: Option<i64>,
    /// When the newest errands were sent, by Okta's clock.
    sent: i64,
    running: JoinSet<Result<(), Trouble>>,
}

impl Runner<'_> {
    async fn go_on(&mut self, pause: &mut Duration) -> Result<Never, Trouble> {
        let mut committed = self.access.ends.committed.clone();
        self.abandoned = last_sent(self.access.ends.state.as_ref(), &self.access.settings.org)?;
        loop {
            committed.mark_unchanged();
            let room = AT_ONCE - self.running.len();
            let errands = self.due(room)?;
            if !errands.is_empty() {
                self.send(errands).await?;
                *pause = FIRST_PAUSE;
                continue;
            }
            tokio::select! {
                Some(ended) = self.running.join_next() => {
                    ended.map_err(|error| Trouble::Broken(error.to_string()))??;
                }
                looked = look_again(&mut committed), if room > 0 => looked?,
                () = tokio::time::sleep(LOOK), if room > 0 => {}
            }
        }
    }

    fn due(&self, most: usize) -> Result<Vec<Intent>, Trouble> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let (state, org) = (self.access.ends.state.as_ref(), &self.access.settings.org);
        Ok(due(state, &Settings::default(), org, landing::now_ms(), self.abandoned, most)?)
    }

    /// Says that they are sent, and sends them when the state knows it.
    async fn send(&mut self, intents: Vec<Intent>) -> Result<(), Trouble> {
        let (org, planned) = self.org().await?;
        self.sent = org.now_ms().max(self.sent + 1);
        let sent = self.sent;
        let errands = intents.iter().map(errand).collect();
        tell(&org, &FetchMark::Sent(Sent { as_of: sent, errands })).await?;
        let mut committed = org.committed.clone();
        loop {
            committed.mark_unchanged();
            if last_sent(org.state.as_ref(), &org.id)? >= Some(sent) {
                break;
            }
            look_again(&mut committed).await?;
        }
        for intent in intents {
            let org = Arc::clone(&org);
            let is_planned = planned.contains(intent.slot.collection.name);
            self.running.spawn(async move { run(&org, intent, sent, is_planned).await });
        }
        Ok(())
    }

    async fn org(&mut self) -> Result<(Arc<Org>, BTreeSet<&'static str>), Trouble> {
        if let Some(known) = &self.org {
            return Ok(known.clone());
        }
        let plan = self.access.plan()?;
        let (org, _) = self.access.org_of(&plan.scopes()).await?;
        // Errands of an owner before us were sent before ours are.
        self.sent = self.sent.max(last_sent(org.state.as_ref(), &org.id)?.unwrap_or(i64::MIN));
        let names = plan.collections.iter().map(|collection| collection.name).collect();
        Ok(self.org.insert((org, names)).clone())
    }
}

fn errand(intent: &Intent) -> Errand {
    let key = match intent.ask {
        Ask::Object | Ask::List => Some(intent.slot.key.clone()),
        Ask::Changes { .. } => None,
    };
    Errand { facet: intent.slot.facet().to_owned(), key }
}

/// Runs one errand to its end, which lands whatever it is.
async fn run(org: &Arc<Org>, intent: Intent, sent: i64, is_planned: bool) -> Result<(), Trouble> {
    let errand = errand(&intent);
    if !is_planned {
        return tell(org, &FetchMark::Failed(Failed { errand, again: false })).await;
    }
    let collection = intent.slot.collection;
    let end = match intent.ask {
        Ask::Object | Ask::List => fetch_one(org, collection, intent.slot.key, sent).await,
        Ask::Changes { since } => read_changes(org, collection, since, sent).await,
    };
    match end {
        Ok(ListEnd::Read | ListEnd::Gone) => Ok(()),
        Ok(ListEnd::Off) => tell(org, &FetchMark::Failed(Failed { errand, again: false })).await,
        Ok(ListEnd::Refused(why) | ListEnd::NotUnderstood(why) | ListEnd::Failed(why)) => {
            let (facet, key) = (&errand.facet, &errand.key);
            tracing::debug!(org = %org.id, facet, key, why, "what was asked for cannot be read now");
            tell(org, &FetchMark::Failed(Failed { errand, again: true })).await
        }
        Err(trouble @ Trouble::NoWayIn(_)) => {
            tell(org, &FetchMark::Failed(Failed { errand, again: true })).await?;
            Err(trouble)
        }
        Err(trouble) => Err(trouble),
    }
}

/// Reads what has changed in a collection, or asks for a snapshot of all of it where nobody knows since when.
async fn read_changes(
    org: &Arc<Org>,
    collection: &'static Collection,
    since: Option<i64>,
    sent: i64,
) -> Result<ListEnd, Trouble> {
    let read = FetchMark::ChangesRead(ChangesRead { facet: collection.facet.to_owned(), as_of: sent });
    let Some(since) = since else {
        let requested = Requested {
            id: format!("doubt-{}-{sent}", collection.name),
            collections: vec![collection.name.to_owned()],
            objects: Vec::new(),
            since: None,
        };
        land(org, observe::record(&Mark::Requested(requested))).await?;
        tell(org, &read).await?;
        return Ok(ListEnd::Read);
    };
    let end = list_changes(org, collection, since, Priority::Fetch, sent).await?;
    if end == ListEnd::Read {
        tell(org, &read).await?;
    }
    Ok(end)
}

/// Lands what has changed in a collection since a time, ms by Okta's clock.
pub(super) async fn list_changes(
    org: &Arc<Org>,
    collection: &'static Collection,
    since: i64,
    priority: Priority,
    asked_after: i64,
) -> Result<ListEnd, Trouble> {
    // It is a list as those of a snapshot are, and lags like them.
    let purpose = Purpose { priority, origin: Origin::Snapshot, epoch: None, rosters: Arc::new([]), asked_after };
    match ListReader::of_changes(org, purpose, collection, since) {
        Some(list) => list.read_to_end().await,
        None => Ok(ListEnd::Off),
    }
}

async fn tell(org: &Org, mark: &FetchMark) -> Result<(), Trouble> {
    // Texts and numbers can always be written as JSON.
    let (name, value) = mark.write().unwrap_or(("other", Vec::new()));
    land(org, (Content::Mark { name: name.to_owned() }, value)).await
}

async fn land(org: &Org, record: (Content, Vec<u8>)) -> Result<(), Trouble> {
    org.lander.land(Origin::Fetch, vec![record]).await.map_err(Trouble::NotLanded)
}
