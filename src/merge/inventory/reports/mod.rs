//! What is to be published after a record: from what came out of the inventory, and from what waits to be said.
//!
//! - [`reporter`] makes reports of outputs: a change of any facet becomes a report of the thing that it is a facet of.
//! - [`thing`] gathers everything that is known of a thing; [`memberships`] says which groups a user is in.
//! - [`backlog`] keeps users whose groups changed with those of many others, and tells a few of them with each record.
//! - [`scan`] tells every live thing again when a snapshot has ended, a few with each record, between two marks.
//! - [`kept`] counts drift and keeps alerts, for those who ask how an org stands.
//!
//! All of it is a part of the fold: the same records give the same reports, wherever batches are cut.

mod backlog;
mod kept;
mod memberships;
mod reporter;
mod scan;
mod thing;

pub use backlog::{Pending, TICK, pending};
pub use kept::{DriftCounts, KeptAlert, alerts, drifts};
pub use scan::{Phase, Scan, ScanReport, Tally, scan};

pub(super) use reporter::Reporter;

use super::output::{Alert, Cause, Drift};
use super::slot::Slot;

/// Something to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A thing, as it is known now.
    Thing(Box<Thing>),
    /// A thing is gone.
    Gone(Gone),
    /// How the reading of a snapshot stands.
    Scan(ScanReport),
    /// A change that no event announced.
    Drift(Drift),
    /// A person should look.
    Alert(Alerted),
}

/// Everything that is known of a thing at one moment of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// Which: the slot of the thing itself. Of an element of a list that stands by itself, the key is its id.
    pub slot: Slot,
    /// Why it is told.
    pub occasion: Occasion,
    /// When the newest of it was read, ms since the Unix epoch by Okta's clock.
    pub at: i64,
    /// The object, as Okta shows it.
    pub body: Vec<u8>,
    /// What else is known.
    pub facts: Facts,
    /// On which readings it rests.
    pub readings: Vec<Reading>,
}

/// Why a thing is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occasion {
    /// Something about it has changed.
    Changed(Vec<Reason>),
    /// A snapshot has ended: this is how it stands, in this epoch.
    Collected(i64),
}

/// What has changed, and how that came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The slot that changed.
    pub slot: Slot,
    /// How.
    pub change: Delta,
    /// How it came out.
    pub cause: Cause,
    /// Between which times it was read, ms since the Unix epoch by Okta's clock.
    pub as_of: (i64, i64),
}

/// How something has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    /// It said the one before, and says the other now. `None` before: it was not known; after: it is gone.
    Content(Option<Vec<u8>>, Option<Vec<u8>>),
    /// A user is in the group of the slot now.
    Joined,
    /// A user was in the group of the slot.
    Left,
}

/// What is known of a thing besides the object. `None` is not known, which is something else than known to be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Facts {
    /// Of a user.
    User {
        /// The groups, each as Okta shows it.
        groups: Option<Vec<Vec<u8>>>,
        /// The factors, a JSON array.
        factors: Option<Vec<u8>>,
        /// The admin roles, a JSON array.
        roles: Option<Vec<u8>>,
    },
    /// Of a device.
    Device,
    /// Of anything else.
    Other {
        /// How many members a group has.
        members: Option<u64>,
    },
}

/// When a facet was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Which facet.
    pub facet: &'static str,
    /// Between which times, as in [`super::Version`].
    pub as_of: (i64, i64),
    /// When it was last seen to be so, as in [`super::Head`].
    pub confirmed_as_of: i64,
}

/// Something is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// What, as in [`Thing::slot`].
    pub slot: Slot,
    /// How it came out.
    pub cause: Cause,
    /// Between which times Okta was asked for it.
    pub as_of: (i64, i64),
}

/// An alert, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alerted {
    /// What.
    pub alert: Alert,
    /// When it came out, ms since the Unix epoch by the log's clock.
    pub at: i64,
}

impl Alerted {
    /// The slot that it is about, and the snapshot.
    pub fn about(&self) -> (&Slot, i64) {
        match &self.alert {
            Alert::Braked { slot, epoch, .. }
            | Alert::NoCanary { slot, epoch }
            | Alert::Unconfirmable { slot, epoch, .. } => (slot, *epoch),
        }
    }

    /// The word for it, as in metrics and records.
    pub fn word(&self) -> &'static str {
        match self.alert {
            Alert::Braked { .. } => "braked",
            Alert::NoCanary { .. } => "no_canary",
            Alert::Unconfirmable { .. } => "unconfirmable",
        }
    }

    /// What it says, for people.
    pub fn says(&self) -> String {
        let (slot, _) = self.about();
        let collection = slot.collection.name;
        match &self.alert {
            Alert::Braked { candidates, live, .. } => format!(
                "a complete reading of {collection} missed {candidates} of {live}: nothing is taken to be gone; see \
                 whether the credentials of the org were narrowed"
            ),
            Alert::NoCanary { .. } => format!(
                "things of {collection} that were listed a moment ago were not found: nothing is taken to be gone; see \
                 whether the credentials of the org were narrowed"
            ),
            Alert::Unconfirmable { candidates, .. } => format!(
                "a complete reading of {collection} missed {candidates}, which cannot be asked for one by one, so they stay"
            ),
        }
    }
}
