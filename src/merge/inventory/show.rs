//! Everything that is known of one thing, now or as of a time: for people who ask.

use super::head::Standing;
use super::history::{self, Spell};
use super::knowledge::Thing;
use super::memberships;
use super::names;
use super::output::Cause;
use super::slot::{Slot, kind, of_kind};
use super::state;
use super::store::InventoryStore;
use crate::collect::{COLLECTIONS, Collection};
use crate::merge::StoreError;
use crate::okta::OrgId;

/// No more slots of one collection are shown of a thing: a policy has fewer rules.
const MOST_WITHIN: usize = 200;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The type of thing, such as `user`; `None` if there is no such type and no such collection.
    pub kind: Option<&'static str>,
    /// What has this id, or else had this name then. Several if a name is ambiguous; none if nothing is known of it.
    pub things: Vec<ShownThing>,
}

/// One thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownThing {
    /// Okta's id.
    pub id: String,
    /// Each facet of it, and what is within it.
    pub facets: Vec<ShownFacet>,
    /// There is more within it than is shown.
    pub more: bool,
    /// The groups of a user, if they are known.
    pub groups: Option<ShownGroups>,
}

/// What is known of one facet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownFacet {
    /// Which.
    pub slot: Slot,
    /// What it was then.
    pub then: Then,
    /// Since when it was what it was, as far as that is kept, oldest first; the last is what it is now.
    pub kept: Vec<Kept>,
}

/// From when on something was so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// ms since the Unix epoch by Okta's clock.
    pub since: i64,
    /// How it came out.
    pub cause: Cause,
    /// It was gone.
    pub gone: bool,
}

/// What a facet was. All times are ms since the Unix epoch by Okta's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// It was there.
    Known {
        /// What it said: the object, or a JSON array.
        body: Vec<u8>,
        /// It was so from this time on, at the latest …
        since: i64,
        /// … and was seen to be otherwise from this one on.
        until: Option<i64>,
        /// When it was read to be so last.
        as_of: (i64, i64),
        /// When it was seen to be so last, at the earliest.
        confirmed_as_of: i64,
        /// How it came out.
        cause: Cause,
        /// The newest snapshot that listed it.
        epoch: Option<i64>,
        /// How long before the asked time it was seen to be so, ms; `None` if none was asked for.
        staleness_ms: Option<i64>,
    },
    /// It was gone.
    Gone {
        /// From this time on, at the latest.
        since: i64,
        /// It was there again from this one on.
        until: Option<i64>,
        /// When it was asked for last.
        as_of: (i64, i64),
        /// How it came out.
        cause: Cause,
    },
    /// Something was known then, and is not kept any more: it is too old, too large, or one of too many.
    NotKept,
    /// It was not known then.
    NotYet {
        /// It was known first from this time on.
        first: i64,
    },
}

/// The groups of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownGroups {
    /// Id and name of each, in the order of the ids.
    pub groups: Vec<(String, Option<String>)>,
    /// They were these then; if not, they are these now, and nothing that early is kept.
    pub seen_by_then: bool,
}

/// Everything that is known of something at a time (ms since the Unix epoch), or now. It is named by its type or one of
/// its collections, and by its id; users also by their login, groups, apps and devices by their name.
///
/// # Errors
/// When the disk cannot be read.
pub fn show(
    store: &(impl InventoryStore + ?Sized),
    org: &OrgId,
    kind_or_collection: &str,
    id_or_name: &str,
    at: Option<i64>,
) -> Result<Shown, StoreError> {
    let named = |one: &&Collection| [kind(one), one.name, one.facet].contains(&kind_or_collection);
    let Some(kind) = COLLECTIONS.iter().find(named).map(kind) else {
        return Ok(Shown { kind: None, things: Vec::new() });
    };
    let mut things: Vec<ShownThing> = thing(store, org, kind, id_or_name, at)?.into_iter().collect();
    if things.is_empty() {
        for id in names::holders(store, org, kind, id_or_name, at)? {
            things.extend(thing(store, org, kind, &id, at)?);
        }
    }
    Ok(Shown { kind: Some(kind), things })
}

/// `None` if nothing is known of it.
fn thing(
    store: &(impl InventoryStore + ?Sized),
    org: &OrgId,
    kind: &'static str,
    id: &str,
    at: Option<i64>,
) -> Result<Option<ShownThing>, StoreError> {
    let (mut facets, mut more) = (Vec::new(), false);
    for collection in of_kind(kind) {
        let Some(slot) = Slot::new(org, collection, id) else { return Ok(None) };
        facets.extend(facet(store, slot.clone(), at)?);
        let (within, cut) = state::keys_within(store, &slot, MOST_WITHIN)?;
        more |= cut;
        for key in within {
            facets.extend(facet(store, Slot { key, ..slot.clone() }, at)?);
        }
    }
    let groups = if kind == "user" { groups(store, org, id, at)? } else { None };
    Ok((!facets.is_empty()).then(|| ShownThing { id: id.to_owned(), facets, more, groups }))
}

fn facet(
    store: &(impl InventoryStore + ?Sized),
    slot: Slot,
    at: Option<i64>,
) -> Result<Option<ShownFacet>, StoreError> {
    let Some(now) = state::head(store, &slot)? else { return Ok(None) };
    let Some(spell) = history::spell(store, &slot, at.unwrap_or(i64::MAX))? else { return Ok(None) };
    let then = match at {
        Some(at) if at < now.first => Then::NotYet { first: now.first },
        _ => then(spell, at),
    };
    let mut heads: Vec<_> = history::pasts(store, &slot)?.into_iter().map(|past| past.head).collect();
    heads.push(now);
    let kept =
        heads.iter().map(|head| Kept { since: head.since(), cause: head.standing.cause(), gone: head.is_gone() });
    Ok(Some(ShownFacet { slot, then, kept: kept.collect() }))
}

fn then(spell: Spell, at: Option<i64>) -> Then {
    let Spell { head, body, until, seen_by_then, .. } = spell;
    let until = (until != i64::MAX).then_some(until);
    if !seen_by_then {
        return Then::NotKept;
    }
    let confirmed_as_of = head.confirmed_as_of;
    match head.standing {
        Standing::Gone(gone) => Then::Gone { since: gone.since, until, as_of: gone.as_of, cause: gone.cause },
        Standing::Live(version) => {
            let seen = |at: i64| if confirmed_as_of <= at { confirmed_as_of } else { version.since };
            Then::Known {
                body: body.unwrap_or_default(),
                since: version.since,
                until,
                as_of: version.as_of,
                confirmed_as_of,
                cause: version.cause,
                epoch: head.epoch,
                staleness_ms: at.map(|at| at.saturating_sub(seen(at)).max(0)),
            }
        }
    }
}

fn groups(
    store: &(impl InventoryStore + ?Sized),
    org: &OrgId,
    user: &str,
    at: Option<i64>,
) -> Result<Option<ShownGroups>, StoreError> {
    let Some(found) = memberships::groups(store, org, user, at.unwrap_or(i64::MAX))? else { return Ok(None) };
    let mut groups = Vec::new();
    for id in found.ids {
        let core = Thing::Group.slot(org, &id);
        let spell = core.map_or(Ok(None), |slot| history::spell(store, &slot, at.unwrap_or(i64::MAX)))?;
        let name = spell.and_then(|spell| spell.body).and_then(|body| super::knowledge::group_name(&body));
        groups.push((id, name.map(|name| name.to_string())));
    }
    Ok(Some(ShownGroups { groups, seen_by_then: found.seen_by_then }))
}
