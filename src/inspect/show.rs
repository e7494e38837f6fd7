use serde::{Deserialize, Serialize};

use crate::merge::StateReader;
use crate::merge::inventory::{self, Cause};
use crate::okta::OrgId;

/// What is known of what a person asked for. Times are ms since the Unix epoch by Okta's clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thing {
    /// Of which org.
    pub org: String,
    /// Its type.
    pub kind: String,
    /// As of when; now if none.
    pub at: Option<i64>,
    /// When this was answered.
    pub now: i64,
    /// What has this id or name; several if a name is ambiguous.
    pub things: Vec<ShownThing>,
}

/// One thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownThing {
    /// Okta's id.
    pub id: String,
    /// Each facet of it.
    pub facets: Vec<ShownFacet>,
    /// There is more within it than is shown.
    pub more: bool,
    /// The groups of a user.
    pub groups: Option<Vec<ShownGroup>>,
    /// The groups are those of the asked time; if not, they are those of now.
    pub groups_as_of: bool,
}

/// One facet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownFacet {
    /// Which.
    pub facet: String,
    /// Of what.
    pub key: String,
    /// What it was then.
    pub then: Then,
    /// The versions that are kept, oldest first; the last is that of now.
    pub versions: Vec<ShownVersion>,
}

/// From when on something was so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownVersion {
    /// From when on, at the latest.
    pub since: i64,
    /// How it came out.
    pub cause: String,
    /// It was gone.
    pub gone: bool,
}

/// A group of a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownGroup {
    /// Okta's id.
    pub id: String,
    /// Its name, if it is known.
    pub name: Option<String>,
}

/// What a facet was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "was", rename_all = "snake_case")]
pub enum Then {
    /// It was there.
    Known {
        /// What it said.
        body: serde_json::Value,
        /// From when on, at the latest.
        since: i64,
        /// Seen to be otherwise from this time on.
        until: Option<i64>,
        /// Between which times it was read so last.
        as_of: (i64, i64),
        /// When it was last seen to be so.
        confirmed_as_of: i64,
        /// How it came out: `list`, `fetch`, `sweep`, `audit`, or the uuid of an event.
        cause: String,
        /// The newest snapshot that listed it.
        epoch: Option<i64>,
        /// How long before the asked time it was seen to be so, ms.
        staleness_ms: i64,
    },
    /// It was gone.
    Gone {
        /// From when on, at the latest.
        since: i64,
        /// It was there again from this time on.
        until: Option<i64>,
        /// Between which times Okta was asked for it.
        as_of: (i64, i64),
        /// How it came out.
        cause: String,
    },
    /// Something was known then, and is not kept any more.
    NotKept,
    /// It was not known then.
    NotYet {
        /// It was known first from this time on.
        first: i64,
    },
}

/// Everything that is known of it.
pub(super) fn thing(
    state: &dyn StateReader,
    org: &OrgId,
    kind: &str,
    name: &str,
    at: Option<i64>,
    now: i64,
) -> Result<Thing, String> {
    let shown = inventory::show(state, org, kind, name, at).map_err(|error| error.to_string())?;
    let kind = shown.kind.ok_or_else(|| {
        format!("there is no type {kind:?}; say user, group, app, device or one of docs/collections.md")
    })?;
    let things = shown.things.into_iter().map(|thing| ShownThing {
        id: thing.id,
        facets: thing.facets.into_iter().map(|facet| shown_facet(facet, at.unwrap_or(now))).collect(),
        more: thing.more,
        groups_as_of: thing.groups.as_ref().is_some_and(|groups| groups.seen_by_then),
        groups: thing
            .groups
            .map(|groups| groups.groups.into_iter().map(|(id, name)| ShownGroup { id, name }).collect()),
    });
    Ok(Thing { org: org.to_string(), kind: kind.to_owned(), at, now, things: things.collect() })
}

fn shown_facet(facet: inventory::ShownFacet, at: i64) -> ShownFacet {
    let versions =
        facet.kept.iter().map(|kept| ShownVersion { since: kept.since, cause: why(kept.cause), gone: kept.gone });
    ShownFacet {
        versions: versions.collect(),
        facet: facet.slot.facet().to_owned(),
        key: facet.slot.key.clone(),
        then: then(facet.then, at),
    }
}

fn then(then: inventory::Then, at: i64) -> Then {
    match then {
        inventory::Then::Known { body, since, until, as_of, confirmed_as_of, cause, epoch, staleness_ms } => {
            Then::Known {
                body: serde_json::from_slice(&body).unwrap_or_default(),
                since,
                until,
                as_of,
                confirmed_as_of,
                cause: why(cause),
                epoch,
                staleness_ms: staleness_ms.unwrap_or_else(|| (at - confirmed_as_of).max(0)),
            }
        }
        inventory::Then::Gone { since, until, as_of, cause } => Then::Gone { since, until, as_of, cause: why(cause) },
        inventory::Then::NotKept => Then::NotKept,
        inventory::Then::NotYet { first } => Then::NotYet { first },
    }
}

fn why(cause: Cause) -> String {
    match cause {
        Cause::List => "list".into(),
        Cause::Fetch => "fetch".into(),
        Cause::Sweep => "sweep".into(),
        Cause::Audit => "audit".into(),
        Cause::Event(uuid) => format!("event {}", uuid::Uuid::from_bytes(uuid)),
    }
}
