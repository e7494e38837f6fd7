//! What becomes of an observation: a version, a confirmation, a tombstone, or nothing.

use super::content::Content;
use super::fetches::Answer;
use super::fold::Step;
use super::guards::Guard;
use super::head::{Head, Standing, Tombstone, Version, since};
use super::intents::Want;
use super::judge::{Judgement, Sighting, Way, judge};
use super::lists::Page;
use super::memberships::{MEMBERS, Members};
use super::output::{Cause, Change, Deleted, Drift, DriftKind, Output};
use super::slot::Slot;
use super::store::InventoryStore;
use crate::collect::{Collection, Grain, Managed};
use crate::landing::{self, LandingRecord, Observation, Origin};
use crate::merge::StoreError;

/// What Okta cuts times to.
const SECOND_MS: i64 = 1_000;

impl<S: InventoryStore> Step<'_, S> {
    pub fn observe(&mut self, record: &LandingRecord, seen: &Observation) -> Result<(), StoreError> {
        let collection = Collection::find(&seen.collection).filter(|one| one.facet == seen.facet);
        let slot = collection.and_then(|collection| Slot::new(self.org, collection, &seen.key));
        let (Some(slot), Some(way)) = (slot, way(record.origin)) else {
            self.counts.unfit += 1;
            return Ok(());
        };
        let as_of = self.as_of(record, seen, way);
        if record.value.is_empty() {
            return self.absent(&slot, as_of, way);
        }
        match (slot.collection.grain, seen.grain) {
            (Grain::Object, landing::Grain::Object) => self.object(&slot, as_of, way, seen.epoch, &record.value),
            (Grain::Page, landing::Grain::Page) | (Grain::Ids, landing::Grain::Ids) => {
                self.page(&slot, as_of, way, seen, record)
            }
            _ => {
                self.counts.unfit += 1;
                Ok(())
            }
        }
    }

    /// Between which times the state was read. What a list shows may be older than the reading.
    fn as_of(&self, record: &LandingRecord, seen: &Observation, way: Way) -> (i64, i64) {
        let (lo, hi) = if self.stands(Guard::OktaClock) { seen.as_of } else { (record.landed_at, record.landed_at) };
        let lags = way != Way::Fetch && self.stands(Guard::ListLag);
        (if lags { lo - self.settings.list_lag_ms } else { lo }, hi)
    }

    fn object(
        &mut self,
        slot: &Slot,
        as_of: (i64, i64),
        way: Way,
        epoch: Option<i64>,
        body: &[u8],
    ) -> Result<(), StoreError> {
        let Some(content) = Content::of_object(slot.collection, body) else {
            self.counts.unfit += 1;
            return Ok(());
        };
        let Content { hash, lu, members_changed } = content;
        let seen = Sighting { lu, as_of, hash, way, in_turn: false, members_changed };
        self.present(slot, seen, epoch, body)
    }

    fn page(
        &mut self,
        slot: &Slot,
        as_of: (i64, i64),
        way: Way,
        seen: &Observation,
        record: &LandingRecord,
    ) -> Result<(), StoreError> {
        match self.state.add_page(slot, record.origin.as_str(), seen, as_of, &record.value)? {
            Page::Whole(list) => {
                let (hash, as_of) = (list.hash, list.as_of);
                let seen_whole = Sighting { lu: None, as_of, hash, way, in_turn: false, members_changed: None };
                self.present(slot, seen_whole, seen.epoch, &list.body)
            }
            Page::More => Ok(()),
            Page::Incomplete => {
                self.counts.incomplete += 1;
                Ok(())
            }
            Page::Unreadable => {
                self.counts.unfit += 1;
                Ok(())
            }
        }
    }

    /// Something was seen.
    fn present(&mut self, slot: &Slot, mut seen: Sighting, epoch: Option<i64>, body: &[u8]) -> Result<(), StoreError> {
        let head = self.state.head(slot)?;
        let want = self.state.want(slot)?;
        seen.in_turn = seen.way == Way::Fetch && want.as_ref().is_some_and(|want| want.is_answered_by(seen.as_of.0));
        let judgement = self.judge(slot, head.as_ref(), &seen)?;
        match judgement {
            Judgement::Accepted => self.accept(slot, head.as_ref(), &seen, want.as_ref(), epoch, body)?,
            Judgement::Dead => self.counts.dropped += 1,
            Judgement::Revenant => {
                self.counts.dropped += 1;
                self.want(slot, Cause::List, self.clock)?;
            }
            Judgement::Newest | Judgement::Confirmed | Judgement::Stale | Judgement::Unclear => {
                self.keep(slot, head, &seen, judgement, epoch)?;
            }
        }
        if seen.way == Way::Fetch {
            let answer = if judgement == Judgement::Unclear { Answer::Unclear } else { Answer::Found };
            self.answer(slot, seen.as_of.0, answer)?;
        }
        Ok(())
    }

    fn judge(&self, slot: &Slot, head: Option<&Head>, seen: &Sighting) -> Result<Judgement, StoreError> {
        // Nothing is within something that is gone.
        if let Some(core) = slot.core().filter(|_| self.stands(Guard::Tombstones))
            && self.state.head(&core)?.is_some_and(|head| head.is_gone())
        {
            return Ok(Judgement::Dead);
        }
        Ok(match judge(head, seen, self.state.guards) {
            // A list went with what it was within, and that is back.
            Judgement::Revenant if slot.collection.grain != Grain::Object => Judgement::Accepted,
            judgement => judgement,
        })
    }

    fn accept(
        &mut self,
        slot: &Slot,
        head: Option<&Head>,
        seen: &Sighting,
        want: Option<&Want>,
        epoch: Option<i64>,
        body: &[u8],
    ) -> Result<(), StoreError> {
        let live = head.filter(|head| !head.is_gone());
        let before = if live.is_some() { self.state.body(slot)? } else { None };
        let cause = cause(seen, want);
        let since = since(head, seen.as_of.0, seen.lu);
        self.follow(slot, head, before.as_deref(), Some(body), since)?;
        let past = self.remember(slot, head, before.as_deref(), since)?;
        self.counts.accepted += 1;
        self.outputs.push(Output::Change(Change {
            slot: slot.clone(),
            before,
            after: body.to_vec(),
            hash: seen.hash,
            lu: seen.lu,
            cause,
            as_of: seen.as_of,
        }));
        let is_news = head.is_some() || self.state.ledger(slot)?.last_complete.is_some();
        if is_news && self.stands(Guard::Drift) && !self.is_announced(slot, head, cause)? {
            let kind = if live.is_some() { DriftKind::Changed } else { DriftKind::Appeared };
            let between = (head.map(|head| head.confirmed_as_of), seen.as_of.1);
            self.outputs.push(Output::Drift(Drift { slot: slot.clone(), kind, between }));
        }
        let known = live.map_or(i64::MIN, |head| head.confirmed_as_of);
        let now = Head {
            standing: Standing::Live(seen.version(since, cause)),
            confirmed_as_of: seen.as_of.0.max(known),
            epoch: head.and_then(|head| head.epoch).max(epoch),
            hinted: head.and_then(|head| head.hinted),
            first: head.map_or(since, |head| head.first),
            past,
        };
        self.state.put_head(slot, &now)?;
        self.state.put_body(slot, Some(body.to_vec()));
        self.know_core(slot)?;
        let members_changed = live.and_then(Head::version).and_then(|version| version.members_changed);
        self.members(slot, members_changed, seen)
    }

    /// What was known of a slot becomes its past.
    fn remember(
        &mut self,
        slot: &Slot,
        head: Option<&Head>,
        body: Option<&[u8]>,
        until: i64,
    ) -> Result<u32, StoreError> {
        let oldest = self.oldest();
        head.map_or(Ok(0), |head| self.state.remember(slot, head, body, until, oldest))
    }

    /// What is kept by users and by names goes along.
    fn follow(
        &mut self,
        slot: &Slot,
        head: Option<&Head>,
        before: Option<&[u8]>,
        after: Option<&[u8]>,
        since: i64,
    ) -> Result<(), StoreError> {
        if slot.facet() != MEMBERS {
            return self.follow_names(slot, before, after, since);
        }
        let first = head.is_none() && self.members_known_since()?.is_none();
        self.follow_members(Members { group: &slot.key, before, after, since, first })
    }

    /// A part of something that was never seen asks for it: if that is gone already, nothing else would ever say so.
    fn know_core(&mut self, slot: &Slot) -> Result<(), StoreError> {
        let Some(core) = slot.core().filter(|core| core.collection.managed == Managed::Yes) else { return Ok(()) };
        if self.state.head(&core)?.is_none() { self.want(&core, Cause::List, self.clock) } else { Ok(()) }
    }

    /// What is known stays, and is known to be there.
    fn keep(
        &mut self,
        slot: &Slot,
        head: Option<Head>,
        seen: &Sighting,
        judgement: Judgement,
        epoch: Option<i64>,
    ) -> Result<(), StoreError> {
        let Some(mut head) = head else { return Ok(()) };
        let members_changed = head.version().and_then(|version| version.members_changed);
        if judgement == Judgement::Newest
            && let Some(Version { since, cause, .. }) = head.version()
        {
            head.standing = Standing::Live(seen.version(*since, *cause));
        }
        if matches!(judgement, Judgement::Newest | Judgement::Confirmed) {
            self.counts.confirmed += 1;
            head.confirmed_as_of = head.confirmed_as_of.max(seen.as_of.0);
            if head.past > 0 {
                head.past = self.state.forget_past(slot, head.since(), self.oldest())?;
            }
        } else {
            self.counts.stale += 1;
        }
        head.epoch = head.epoch.max(epoch);
        self.state.put_head(slot, &head)?;
        if judgement == Judgement::Newest { self.members(slot, members_changed, seen) } else { Ok(()) }
    }

    /// A group that says that its members have changed since they were read hints at them. Rules change members without
    /// changing any user.
    fn members(&mut self, slot: &Slot, before: Option<i64>, seen: &Sighting) -> Result<(), StoreError> {
        let Some(changed) = seen.members_changed.filter(|changed| before < Some(*changed)) else { return Ok(()) };
        let Some(members) = slot.siblings().find(|sibling| sibling.facet == "group.members") else { return Ok(()) };
        let members = slot.sibling(members);
        let read = self.state.head(&members)?.and_then(|head| head.version().map(|version| version.as_of.0));
        // Okta shows whole seconds, and the change may have come at the end of its second.
        if read.is_some_and(|read| read < changed + SECOND_MS) && self.stands(Guard::MembershipClock) {
            self.want(&members, Cause::List, self.clock + self.settings.debounce_ms)?;
        }
        Ok(())
    }

    /// Okta does not have something.
    fn absent(&mut self, slot: &Slot, as_of: (i64, i64), way: Way) -> Result<(), StoreError> {
        if way != Way::Fetch || slot.collection.grain != Grain::Object {
            // A list that is not there says only that what it is within may be gone.
            let suspect = slot.core().unwrap_or_else(|| slot.clone());
            if self.stands(Guard::MissingList) {
                self.want(&suspect, Cause::List, self.clock)?;
            }
            return if way == Way::Fetch { self.answer(slot, as_of.0, Answer::Missing) } else { Ok(()) };
        }
        let is_canary = self.state.ledger(slot)?.canary.is_some_and(|(_, key)| key == slot.key);
        let announced = is_canary && self.is_announced(slot, self.state.head(slot)?.as_ref(), Cause::Fetch)?;
        if is_canary {
            self.canary_missing(slot, announced)?;
        }
        // It was listed a moment ago: if no event says otherwise, it is not gone, but nobody lets us see it any more.
        if !is_canary || announced {
            let want = self.state.want(slot)?.filter(|want| want.is_answered_by(as_of.0));
            let cause = want.map_or(Cause::Fetch, |want| fetch_cause(&want));
            self.bury(slot, as_of, cause)?;
        }
        self.answer(slot, as_of.0, Answer::Missing)
    }

    /// Something is gone, and with it everything that is a part of it.
    pub fn bury(&mut self, slot: &Slot, as_of: (i64, i64), cause: Cause) -> Result<(), StoreError> {
        let head = self.state.head(slot)?;
        if !self.bury_one(slot, as_of, cause)? {
            return Ok(());
        }
        // Its parts may be known though it never was.
        if let Some(head) = head.filter(|head| !head.is_gone())
            && self.stands(Guard::Drift)
            && !self.is_announced(slot, Some(&head), cause)?
        {
            let between = (Some(head.confirmed_as_of), as_of.1);
            self.outputs.push(Output::Drift(Drift { slot: slot.clone(), kind: DriftKind::Vanished, between }));
        }
        for part in self.parts(slot)? {
            // However late it was read: had it landed after this, it would not be let in any more.
            self.end(&part, self.state.head(&part)?, as_of, cause)?;
            self.state.put_want(&part, None)?;
        }
        Ok(())
    }

    /// Gives whether it is gone now, and was not known to be.
    fn bury_one(&mut self, slot: &Slot, as_of: (i64, i64), cause: Cause) -> Result<bool, StoreError> {
        let head = self.state.head(slot)?;
        let known = head.as_ref().map(|head| match &head.standing {
            Standing::Live(version) => version.as_of.0,
            Standing::Gone(tombstone) => tombstone.as_of.0,
        });
        if known.is_some_and(|known| as_of.0 <= known) {
            self.counts.stale += 1;
            return Ok(false);
        }
        self.end(slot, head, as_of, cause)
    }

    /// The same, as of a time that nothing that is known speaks against.
    fn end(&mut self, slot: &Slot, head: Option<Head>, as_of: (i64, i64), cause: Cause) -> Result<bool, StoreError> {
        if let Some(head) = &head
            && let Standing::Gone(known) = &head.standing
        {
            let as_of = as_of.max(known.as_of);
            let standing = Standing::Gone(Tombstone { as_of, ..known.clone() });
            self.state.put_head(slot, &Head { standing, confirmed_as_of: as_of.0, ..head.clone() })?;
            return Ok(false);
        }
        let since = since(head.as_ref(), as_of.0, None);
        let mut past = 0;
        if head.is_some() {
            let before = self.state.body(slot)?;
            self.follow(slot, head.as_ref(), before.as_deref(), None, since)?;
            past = self.remember(slot, head.as_ref(), before.as_deref(), since)?;
            self.counts.deleted += 1;
            self.outputs.push(Output::Deleted(Deleted { slot: slot.clone(), before, cause, as_of }));
            self.state.put_body(slot, None);
        }
        let first = head.as_ref().map_or(since, |head| head.first);
        let (epoch, hinted) = head.map_or((None, None), |head| (head.epoch, head.hinted));
        let standing = Standing::Gone(Tombstone { as_of, since, cause });
        self.state.put_head(slot, &Head { standing, confirmed_as_of: as_of.0, epoch, hinted, first, past })?;
        Ok(true)
    }

    /// What is known of the parts of a thing.
    fn parts(&self, slot: &Slot) -> Result<Vec<Slot>, StoreError> {
        let mut parts = Vec::new();
        let within = format!("{}/", slot.key);
        for collection in slot.siblings() {
            let same = slot.sibling(collection);
            if slot.is_core() && self.state.head(&same)?.is_some() {
                parts.push(same);
            }
            self.state.each_head(self.org, collection, &within, |key, _| {
                parts.extend(Slot::new(self.org, collection, key));
            })?;
        }
        Ok(parts)
    }

    /// Whether an event hinted at a change since the slot was last confirmed, or shortly before.
    fn is_announced(&self, slot: &Slot, head: Option<&Head>, cause: Cause) -> Result<bool, StoreError> {
        let recent = |head: &Head| {
            let since = head.confirmed_as_of - self.settings.announced_within_ms;
            head.hinted.is_some_and(|hinted| hinted >= since)
        };
        let by_event = |want: Want| matches!(want.cause, Cause::Event(_));
        Ok(matches!(cause, Cause::Event(_))
            || head.is_some_and(recent)
            || self.state.want(slot)?.is_some_and(by_event)
            || self.state.changes(slot)?.is_some_and(by_event))
    }
}

fn way(origin: Origin) -> Option<Way> {
    match origin {
        Origin::Snapshot => Some(Way::List),
        Origin::Fetch => Some(Way::Fetch),
        Origin::Audit => Some(Way::Audit),
        Origin::Sqs | Origin::Poll | Origin::Backfill | Origin::Archive | Origin::Command => None,
    }
}

/// How a sighting came about.
fn cause(seen: &Sighting, want: Option<&Want>) -> Cause {
    match want.filter(|_| seen.in_turn) {
        Some(want) => fetch_cause(want),
        None => seen.way.cause(),
    }
}

fn fetch_cause(want: &Want) -> Cause {
    if want.cause == Cause::List { Cause::Fetch } else { want.cause }
}
