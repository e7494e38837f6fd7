use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::Notify;

use crate::okta::quota::{Call, Decision, Kind, Method, Permit, Priority, Quota};

/// Those who wait for their calls, in groups of one priority and one kind of call: what the quota tells one of a group
/// holds for all of it. So an answer costs a question or two for each group, however many wait.
///
/// Higher priorities go first, then whoever has waited longest. A group that must wait holds back no other.
#[derive(Debug)]
pub(super) struct Line {
    pub quota: Quota,
    groups: BTreeMap<(Priority, Kind), Group>,
    /// Permits of those who have been rung for and have not come yet.
    granted: HashMap<u64, Permit>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Group {
    /// The path of the one who came first, which stands for all of the kind.
    path: String,
    /// By ticket, so in the order in which they came.
    waiters: BTreeMap<u64, Arc<Notify>>,
    /// When the quota wants to be asked again, unless an answer comes before.
    until: i64,
    /// Who watches the time for all of the group, and until when.
    watch: Option<(u64, i64)>,
    /// In the present round the quota has said no.
    refused: bool,
}

/// One who waits.
#[derive(Debug)]
pub(super) struct Waiter {
    group: (Priority, Kind),
    ticket: u64,
    /// Rung when there is something new to look at.
    pub bell: Arc<Notify>,
}

/// What there is to do for one who waits.
#[derive(Debug)]
pub(super) enum Turn {
    /// Call.
    Go(Permit),
    /// Look again at this time, for all of the group, or when rung.
    Watch(i64),
    /// Wait to be rung: somebody else watches the time.
    Wait,
}

impl Line {
    pub fn new(quota: Quota) -> Self {
        Self { quota, groups: BTreeMap::new(), granted: HashMap::new(), next_ticket: 0 }
    }

    /// Puts one more at the end of its group.
    pub fn enter(&mut self, now: i64, priority: Priority, path: &str) -> Waiter {
        let group = (priority, self.quota.kind(now, Method::Get, path));
        let (ticket, bell) = (self.next_ticket, Arc::new(Notify::new()));
        self.next_ticket += 1;
        let waiting = self.groups.entry(group).or_insert_with(|| Group {
            path: path.to_owned(),
            waiters: BTreeMap::new(),
            until: i64::MIN,
            watch: None,
            refused: false,
        });
        waiting.waiters.insert(ticket, bell.clone());
        Waiter { group, ticket, bell }
    }

    /// Whether it is this one's turn. The first of a group asks for everybody when its time has come.
    pub fn look(&mut self, now: i64, waiter: &Waiter) -> Turn {
        if self.groups.get(&waiter.group).is_some_and(|group| group.is_first(waiter.ticket) && group.until <= now) {
            self.serve(now);
        }
        if let Some(permit) = self.granted.remove(&waiter.ticket) {
            return Turn::Go(permit);
        }
        match self.groups.get_mut(&waiter.group) {
            Some(group) if group.is_first(waiter.ticket) => {
                group.watch = Some((waiter.ticket, group.until));
                Turn::Watch(group.until)
            }
            _ => Turn::Wait,
        }
    }

    /// Takes out one who may have gone, or has given up.
    pub fn leave(&mut self, now: i64, waiter: &Waiter) {
        if let Some(permit) = self.granted.remove(&waiter.ticket) {
            self.quota.unused(permit);
            self.serve(now);
        } else if let Some(group) = self.groups.get_mut(&waiter.group)
            && group.waiters.remove(&waiter.ticket).is_some()
        {
            if group.waiters.is_empty() {
                self.groups.remove(&waiter.group);
            } else {
                group.keep_watch();
            }
        }
    }

    /// Lets go all who may go now: highest priority first, then in the order in which they came, whatever they call.
    pub fn serve(&mut self, now: i64) {
        self.groups.values_mut().for_each(|group| group.refused = false);
        while let Some(next) = self.next_group()
            && let Some(group) = self.groups.get_mut(&next)
        {
            let call = Call { method: Method::Get, path: &group.path, priority: next.0 };
            match self.quota.ask(now, &call) {
                Decision::WaitUntil(until) => {
                    (group.until, group.refused) = (until, true);
                    group.keep_watch();
                }
                Decision::Go(permit) => {
                    if let Some((ticket, bell)) = group.waiters.pop_first() {
                        self.granted.insert(ticket, permit);
                        bell.notify_one();
                    }
                    if group.waiters.is_empty() {
                        self.groups.remove(&next);
                    }
                }
            }
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.groups.values().map(|group| group.waiters.len()).sum()
    }

    /// The group whose turn it is among those that the quota has not refused yet.
    fn next_group(&self) -> Option<(Priority, Kind)> {
        let open = self.groups.iter().filter(|(_, group)| !group.refused);
        open.min_by_key(|((priority, _), group)| (*priority, group.first())).map(|(key, _)| *key)
    }
}

impl Group {
    fn first(&self) -> Option<u64> {
        self.waiters.first_key_value().map(|(ticket, _)| *ticket)
    }

    fn is_first(&self, ticket: u64) -> bool {
        self.first() == Some(ticket)
    }

    /// Rings for the first of the group unless it watches the time already, and not for too long. One who wakes too
    /// early finds out by itself.
    fn keep_watch(&self) {
        let watched = self.watch.is_some_and(|(ticket, until)| self.is_first(ticket) && until <= self.until);
        if let Some((_, bell)) = self.waiters.first_key_value().filter(|_| !watched) {
            bell.notify_one();
        }
    }
}
