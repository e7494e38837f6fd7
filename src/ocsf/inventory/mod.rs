//! Objects of the inventory in, OCSF 1.8.0 records out. Pure: no clock, no I/O; the same input gives the same bytes.
//!
//! - A user with groups, factors and roles becomes a User Inventory Info (5003), a device with its users a Device
//!   Inventory Info (5001), every other object a Cloud Resources Inventory Info (5023). [`Collection`] is the table of
//!   them: another collection is another row.
//! - `source` checks what is handed in and takes the secrets out of it (`okta::secrets`): some objects of the Management API
//!   hold client secrets and keys, which belong in no record. It makes one document of all pieces, so that the writer's
//!   accounting covers them all: what no attribute took is in `unmapped`, in its place, and an element of a list that
//!   has a rest there keeps its id there.
//! - `basis` says on what a record rests and why it is written: what has changed (`differences`), how that came out, when
//!   each facet was read. `scan`, `drift` and `alert` are records of no object.
//! - `frame` writes what every record has; `user`, `device` and `resource` the rest.
//!
//! What is not known is not said: a fact whose call failed is `None` in [`UserFacts`], and gives no attribute, which is
//! something else than `Some` of an empty list. The status that Okta gives an object is the record's `status_code`.

mod alert;
mod basis;
mod collections;
mod device;
mod differences;
mod drift;
mod enrichments;
mod frame;
mod identity_provider;
mod resource;
mod scan;
mod source;
mod user;
mod user_facts;
mod user_schema;

pub use alert::AlertFacts;
pub use basis::{Basis, Cause, Change, FacetReading, Said};
pub use collections::{COLLECTIONS, Collection};
pub use drift::DriftFacts;
pub use scan::{ScanFacts, ScanPhase, Scanned, scan_uid};
pub use user_schema::UserSchema;

use std::fmt;

use super::privacy::{Privacy, Pseudonyms, Values};
use super::writer::{Memory, TIMES, Writer, saying};
use super::{Class, Options};
use crate::json::{JsonFault, Tape};
use crate::okta::OrgId;
use crate::okta::inventory::{Device, User};
use frame::{Frame, Paper};

/// What a record of the inventory reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activity {
    /// A change that was seen between two snapshots.
    Log,
    /// The state in a snapshot.
    Collect,
}

/// Where and when an object was seen.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// The org that it is of; from configuration.
    pub org: &'a OrgId,
    /// When, ms since the Unix epoch; the record's `time`.
    pub at: i64,
    /// What the record reports.
    pub activity: Activity,
    /// On what it rests and why it is written, where that is known.
    pub basis: Option<&'a Basis<'a>>,
}

impl Observed<'_> {
    fn check(&self) -> Result<(), InventoryError> {
        check(self.at)
    }
}

fn check(at: i64) -> Result<(), InventoryError> {
    if TIMES.contains(&at) { Ok(()) } else { Err(InventoryError::AbsurdTime) }
}

/// A user and what else is known of them. `None` is not known, which is something else than known to be empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct UserFacts<'a> {
    /// The user, as `GET /api/v1/users` gives it.
    pub user: &'a [u8],
    /// The groups that the user is in.
    pub groups: Option<&'a [&'a [u8]]>,
    /// The factors, or the enrollments of authenticators.
    pub factors: Option<&'a [&'a [u8]]>,
    /// The admin roles, assigned to the user or to a group of the user.
    pub roles: Option<&'a [&'a [u8]]>,
    /// The schema of the user's type.
    pub schema: Option<&'a UserSchema>,
}

/// An object that is neither a user nor a device, and what else is known of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResourceFacts<'a> {
    /// The object as the Management API gives it.
    pub object: &'a [u8],
    /// The object that it is a part of: the application of an assignment, the policy of a rule, the user of a role. A
    /// part of the record's identity, as the ids of some parts are unique only there.
    pub within: Option<Related<'a>>,
    /// Where it comes from: the application that a group is imported from.
    pub source: Option<Related<'a>>,
    /// How many members a group has.
    pub members: Option<u64>,
}

/// Another object, by its id.
#[derive(Debug, Clone, Copy)]
pub struct Related<'a> {
    /// What it is.
    pub collection: &'static Collection,
    /// Its id.
    pub uid: &'a str,
}

/// What was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
pub enum Piece {
    User,
    Group,
    Factor,
    Role,
    UserSchema,
    Device,
    Resource,
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Group => "group of the user",
            Self::Factor => "factor of the user",
            Self::Role => "role of the user",
            Self::UserSchema => "user schema",
            Self::Device => "device",
            Self::Resource => "object",
        })
    }
}

/// Why an object cannot become a valid record. The same bytes fail again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    /// Not acceptable as JSON.
    #[error("the {0} is not JSON")]
    NotJson(Piece, #[source] JsonFault),
    /// JSON, but not an object.
    #[error("the {0} is not an object")]
    NotObject(Piece),
    /// An object that has none of the fields by which it can be known.
    #[error("the {0} has no id")]
    MissingId(Piece),
    /// A time that nothing can have been observed at.
    #[error("it was observed before 1973 or after 2286")]
    AbsurdTime,
    /// There is no mapping for the objects of its collection.
    #[error("the objects of its collection have no mapping")]
    UnknownCollection,
}

impl InventoryError {
    /// The reason code under which the object is quarantined.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotJson(..) => "inventory_not_json",
            Self::NotObject(_) => "inventory_not_object",
            Self::MissingId(_) => "inventory_missing_id",
            Self::AbsurdTime => "inventory_absurd_time",
            Self::UnknownCollection => "inventory_unknown_collection",
        }
    }
}

/// Maps one object after another, in memory that it keeps.
#[derive(Debug)]
pub struct InventoryMapper {
    options: Options,
    privacy: Option<Privacy>,
    pieces: Tape,
    text: Vec<u8>,
    tape: Tape,
    memory: Memory,
}

impl InventoryMapper {
    /// A mapper. `raw_data` is the text of the object; of a user that of all its pieces, as in `unmapped`:
    /// `{"user":{…},"groups":[…],"factors":[…],"roles":[…]}`, a list that is not known left out. It is as received but
    /// for line ends and secrets.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            privacy: None,
            pieces: Tape::default(),
            text: Vec::new(),
            tape: Tape::default(),
            memory: Memory::default(),
        }
    }

    /// With pseudonyms for personal values, the same ones as in events. Then no record has `raw_data`, whatever the
    /// options say.
    pub fn with_privacy(self, privacy: Option<Privacy>) -> Self {
        let raw_data = self.options.raw_data && privacy.is_none();
        Self { options: Options { raw_data, ..self.options }, privacy, ..self }
    }

    /// Hides the personal values in the text that was handed in; gives how others are hidden.
    fn veil(&mut self, org: &OrgId, piece: Piece) -> Result<Option<Pseudonyms>, InventoryError> {
        let Some(privacy) = &self.privacy else { return Ok(None) };
        let pseudonyms = privacy.of(org);
        let (mut values, mut veiled) = (Values::default(), Vec::with_capacity(self.text.len()));
        let document = source::read(&mut self.tape, piece, &self.text)?;
        pseudonyms.note(&document, &mut values);
        pseudonyms.rewrite(&document, &values, &mut veiled);
        self.text = veiled;
        Ok(Some(pseudonyms))
    }

    /// Changes what is added besides the object.
    pub fn set_options(&mut self, options: Options) {
        let raw_data = options.raw_data && self.privacy.is_none();
        self.options = Options { raw_data, ..options };
    }

    /// Appends the record of a user to `out`: one line of JSON without the line end. On an error nothing is appended.
    ///
    /// # Errors
    /// Why the user cannot become a valid record.
    pub fn user(
        &mut self,
        observed: &Observed<'_>,
        facts: &UserFacts<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Class, InventoryError> {
        observed.check()?;
        source::user(&mut self.pieces, facts, &mut self.text)?;
        let pseudonyms = self.veil(observed.org, Piece::User)?;
        let document = source::read(&mut self.tape, Piece::User, &self.text)?;
        let root = document.root();
        let user = User::of(root.get("user"));
        let frame = Frame {
            class: Class::UserInventory,
            collection: "users",
            within: None,
            id: Some(saying(user.id).ok_or(InventoryError::MissingId(Piece::User))?),
            status: user.status,
            updated: user.last_updated,
        };
        let paper = Paper { options: self.options, pseudonyms, document: &document, memory: &mut self.memory, out };
        Ok(frame.write(observed, paper, |w| user::write(w, root, &user, facts.schema)))
    }

    /// Appends the record of a device, with the users that are embedded in it.
    ///
    /// # Errors
    /// Why the device cannot become a valid record.
    pub fn device(
        &mut self,
        observed: &Observed<'_>,
        device: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Class, InventoryError> {
        observed.check()?;
        source::object(&mut self.pieces, Piece::Device, device, &mut self.text)?;
        let pseudonyms = self.veil(observed.org, Piece::Device)?;
        let document = source::read(&mut self.tape, Piece::Device, &self.text)?;
        let device = Device::of(Some(document.root()));
        let frame = Frame {
            class: Class::InventoryInfo,
            collection: "devices",
            within: None,
            id: Some(saying(device.id).ok_or(InventoryError::MissingId(Piece::Device))?),
            status: device.status,
            updated: device.last_updated,
        };
        let paper = Paper { options: self.options, pseudonyms, document: &document, memory: &mut self.memory, out };
        Ok(frame.write(observed, paper, |w| device::write(w, &device)))
    }

    /// Appends the record of any other object.
    ///
    /// # Errors
    /// Why the object cannot become a valid record.
    pub fn resource(
        &mut self,
        observed: &Observed<'_>,
        collection: &'static Collection,
        facts: &ResourceFacts<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Class, InventoryError> {
        observed.check()?;
        source::object(&mut self.pieces, Piece::Resource, facts.object, &mut self.text)?;
        let pseudonyms = self.veil(observed.org, Piece::Resource)?;
        let document = source::read(&mut self.tape, Piece::Resource, &self.text)?;
        let root = document.root();
        let resource = collection.read(root).ok_or(InventoryError::MissingId(Piece::Resource))?;
        let frame = Frame {
            class: Class::CloudResourcesInventoryInfo,
            collection: collection.name,
            within: facts.within,
            id: resource.id,
            status: resource.status,
            updated: resource.updated,
        };
        let paper = Paper { options: self.options, pseudonyms, document: &document, memory: &mut self.memory, out };
        Ok(frame.write(observed, paper, |w| resource::write(w, root, &resource, facts)))
    }

    /// Appends a mark about a snapshot.
    ///
    /// # Errors
    /// When it has a time that nothing can have been read at.
    pub fn scan(&mut self, facts: &ScanFacts<'_>, out: &mut Vec<u8>) -> Result<Class, InventoryError> {
        check(facts.epoch)?;
        self.note(facts.at, out, |w| scan::write(w, facts))?;
        Ok(Class::ScanActivity)
    }

    /// Appends a finding about a change that no event announced.
    ///
    /// # Errors
    /// As of [`InventoryMapper::scan`].
    pub fn drift(&mut self, facts: &DriftFacts<'_>, out: &mut Vec<u8>) -> Result<Class, InventoryError> {
        facts.between.0.map_or(Ok(()), check)?;
        self.note(facts.between.1, out, |w| drift::write(w, facts))?;
        Ok(Class::DetectionFinding)
    }

    /// Appends an alert about the reading of the inventory.
    ///
    /// # Errors
    /// As of [`InventoryMapper::scan`].
    pub fn alert(&mut self, facts: &AlertFacts<'_>, out: &mut Vec<u8>) -> Result<Class, InventoryError> {
        self.note(facts.at, out, |w| alert::write(w, facts))?;
        Ok(Class::ApplicationError)
    }

    /// Appends a record that is of no object.
    fn note(&mut self, at: i64, out: &mut Vec<u8>, write: impl FnOnce(&mut Writer<'_>)) -> Result<(), InventoryError> {
        check(at)?;
        let mut writer = Writer::new(out, &mut self.memory);
        write(&mut writer);
        writer.finish();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
