//! On what a record rests and why it is written: the enrichments `observation` and `change`.

use uuid::Uuid;

use super::differences::{Elements, Leaves, elements, leaves};
use super::scan::scan_uid;
use crate::ocsf::enums::Observable;
use crate::ocsf::privacy::Pseudonyms;
use crate::ocsf::writer::Writer;
use crate::okta::OrgId;

/// So many changes are said of one record; what else has changed is counted.
const MOST_CHANGES: usize = 8;

/// On what a record rests, and why it is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Basis<'a> {
    /// The key of what it is of: its id behind those of all that it is within.
    pub key: &'a str,
    /// The snapshot that has ended with this state: when it began, ms since the Unix epoch by Okta's clock.
    pub epoch: Option<i64>,
    /// What was read of it, and when.
    pub readings: &'a [FacetReading<'a>],
    /// What has changed.
    pub changes: &'a [Change<'a>],
}

/// When a facet was read. All times are ms since the Unix epoch by Okta's clock.
#[derive(Debug, Clone, Copy)]
pub struct FacetReading<'a> {
    /// Which facet.
    pub facet: &'a str,
    /// Between these times; of a list the first is earlier by what a list may lag.
    pub as_of: (i64, i64),
    /// When it was last seen to be so.
    pub confirmed: i64,
}

/// Something that has changed, and how that came out.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// The facet that changed.
    pub facet: &'a str,
    /// The key of what changed.
    pub key: &'a str,
    /// How it came out.
    pub cause: Cause,
    /// Between which times it was read, ms since the Unix epoch by Okta's clock.
    pub as_of: (i64, i64),
    /// What it was.
    pub said: Said<'a>,
}

/// How something came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A list showed it.
    List,
    /// It was fetched, as something else than an event pointed there.
    Fetch,
    /// A snapshot missed it, and it was asked for.
    Sweep,
    /// A re-read of what should not have changed.
    Audit,
    /// An event hinted at it; Okta's uuid of it.
    Event(Uuid),
}

/// What has changed. `None` before: it was not known; after: it is gone.
#[derive(Debug, Clone, Copy)]
pub enum Said<'a> {
    /// An object, as Okta showed it.
    Object(Option<&'a [u8]>, Option<&'a [u8]>),
    /// A list, as a JSON array, whose elements have their id in this field or are ids themselves.
    List(&'static str, Option<&'a [u8]>, Option<&'a [u8]>),
    /// A user joined the group of the key.
    Joined,
    /// A user left it.
    Left,
}

impl Cause {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Fetch => "fetch",
            Self::Sweep => "sweep",
            Self::Audit => "audit",
            Self::Event(_) => "event",
        }
    }

    /// The event that hinted at it.
    pub fn event(self) -> Option<Uuid> {
        match self {
            Self::Event(uuid) => Some(uuid),
            _ => None,
        }
    }
}

impl Basis<'_> {
    /// `metadata.correlation_uid`: the snapshot, or the event by which a change came out.
    pub(super) fn correlation(&self, org: &OrgId) -> Option<Uuid> {
        let snapshot = self.epoch.map(|epoch| scan_uid(org, epoch));
        snapshot.or_else(|| self.changes.iter().find_map(|change| change.cause.event()))
    }

    /// What tells two records of the same thing at the same time apart.
    pub(super) fn occasion(&self) -> String {
        match (self.epoch, self.changes.first()) {
            (Some(epoch), _) => format!("{}\nsnapshot\n{epoch}", self.key),
            (None, Some(change)) => format!("{}\nchange\n{}\n{}", self.key, change.facet, change.key),
            (None, None) => String::new(),
        }
    }
}

/// What the enrichments are about: an observable that every record of the class has, or the collection where a thing has
/// no id.
#[derive(Debug, Clone, Copy)]
pub enum About<'a> {
    /// The first observable of a kind.
    Observable(Observable),
    /// The collection.
    Collection(&'a str),
}

/// Writes the enrichments, with pseudonyms for personal values where there are any.
pub fn write(w: &mut Writer<'_>, basis: &Basis<'_>, about: About<'_>, pseudonyms: Option<&Pseudonyms>) {
    for change in basis.changes.iter().take(MOST_CHANGES) {
        enrichment(w, about, "change", |w| said(w, change, pseudonyms));
    }
    if let Some(more) = basis.changes.len().checked_sub(MOST_CHANGES).filter(|more| *more > 0) {
        enrichment(w, about, "change", |w| w.number("more_changes", length(more)));
    }
    enrichment(w, about, "observation", |w| {
        if let Some(epoch) = basis.epoch {
            w.number("epoch", epoch);
        }
        w.array("facets", |w| {
            for reading in basis.readings {
                w.item(|w| {
                    w.text("facet", reading.facet);
                    as_of(w, reading.as_of);
                    w.number("confirmed_as_of", reading.confirmed);
                });
            }
        });
    });
}

/// An enrichment by us: what is in it, Okta does not say by itself.
pub fn enrichment(w: &mut Writer<'_>, about: About<'_>, kind: &'static str, data: impl FnOnce(&mut Writer<'_>)) {
    if matches!(about, About::Observable(observable) if !w.has_noted(observable)) {
        return;
    }
    w.item(|w| {
        if !w.wrote(|w| w.object("data", data)) {
            return;
        }
        match about {
            About::Observable(observable) => w.about(observable),
            About::Collection(name) => {
                w.fragment(r#""name":"metadata.event_code""#);
                w.text("value", name);
            }
        }
        w.text("type", kind);
        w.fragment(r#""provider":"okta-ocsf""#);
    });
}

fn said(w: &mut Writer<'_>, change: &Change<'_>, pseudonyms: Option<&Pseudonyms>) {
    w.text("facet", change.facet);
    w.text("key", change.key);
    w.text("what", what(change.said));
    w.text("cause", change.cause.word());
    if let Some(uuid) = change.cause.event() {
        w.text("event_uid", uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    }
    as_of(w, change.as_of);
    match change.said {
        Said::Object(Some(before), Some(after)) => fields(w, &leaves(before, after, pseudonyms)),
        Said::List(id, before, after) => {
            let Elements { added, removed, changed } = elements(id, before, after);
            for (name, ids) in [("added", added), ("removed", removed), ("changed", changed)] {
                listed(w, name, &ids.first, ids.count);
            }
        }
        Said::Object(..) | Said::Joined | Said::Left => {}
    }
}

fn what(said: Said<'_>) -> &'static str {
    match said {
        Said::Object(None, _) | Said::List(_, None, _) => "appeared",
        Said::Object(_, None) | Said::List(_, _, None) => "vanished",
        Said::Object(..) | Said::List(..) => "changed",
        Said::Joined => "joined",
        Said::Left => "left",
    }
}

fn fields(w: &mut Writer<'_>, Leaves { first, count }: &Leaves) {
    w.number("count", length(*count));
    w.array("fields", |w| {
        for leaf in first {
            w.item(|w| {
                w.text("path", &leaf.path);
                for (name, value) in [("before", &leaf.before), ("after", &leaf.after)] {
                    if let Some(value) = value {
                        w.key(name);
                        w.out().extend_from_slice(value.as_bytes());
                    }
                }
            });
        }
    });
}

fn listed(w: &mut Writer<'_>, name: &'static str, ids: &[String], count: usize) {
    w.object(name, |w| {
        if count > 0 {
            w.number("count", length(count));
            w.array("ids", |w| ids.iter().for_each(|id| w.text_item(id)));
        }
    });
}

fn as_of(w: &mut Writer<'_>, as_of: (i64, i64)) {
    w.number("as_of_lo", as_of.0);
    w.number("as_of_hi", as_of.1);
}

fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
