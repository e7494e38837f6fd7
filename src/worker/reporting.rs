//! What the inventory has to say, as OCSF records with their keys: one partition's.

use uuid::Uuid;

use super::mapping::{MAX_RECORD_BYTES, validate};
use crate::collect::{Grain, Parent};
use crate::config::PublishConfig;
use crate::error::Chain;
use crate::json::Tape;
use crate::merge::inventory::reports::{
    Alerted, Delta, Facts, Gone, Occasion, Phase, Reason, Report, ScanReport, Thing,
};
use crate::merge::inventory::{self, Alert, Drift, DriftKind, Slot};
use crate::merge::snapshots::Outcome;
use crate::merge::{Folded, system_log};
use crate::ocsf::inventory::{
    Activity, AlertFacts, Basis, Cause, Change, Collection, DriftFacts, FacetReading, InventoryError, InventoryMapper,
    Observed, Related, ResourceFacts, Said, ScanFacts, ScanPhase, Scanned, UserFacts,
};
use crate::ocsf::privacy::Privacy;
use crate::ocsf::{Class, LogNotice, Options, log_notice};
use crate::okta::OrgId;
use crate::publish::{Body, OutputRecord, SourceId};
use crate::telemetry::metrics;

/// Makes records of reports.
pub struct Reporting {
    mapper: InventoryMapper,
    options: Options,
    validate_one_in: u64,
}

/// Why a report cannot become a record.
pub struct Refused {
    /// The reason code of the quarantine.
    pub reason: &'static str,
    /// More, for people.
    pub detail: String,
    /// What it was to be made of.
    pub bytes: Vec<u8>,
}

/// What is to be told after a record.
#[derive(Clone, Copy)]
pub enum Told<'a> {
    /// By the inventory.
    Inventory(&'a Report),
    /// Of the System Log.
    Log(&'a system_log::Output),
}

impl<'a> Told<'a> {
    /// All that the fold says, in the order in which it is published.
    pub fn all(folded: &'a Folded) -> impl Iterator<Item = Self> {
        folded.reports.iter().map(Self::Inventory).chain(folded.log.iter().map(Self::Log))
    }

    /// The class of the record; known before the record is made.
    pub fn class(self) -> Class {
        match self {
            Self::Inventory(Report::Thing(thing)) => thing.slot.collection.class(),
            Self::Inventory(Report::Gone(gone)) => gone.slot.collection.class(),
            Self::Inventory(Report::Scan(_)) => Class::ScanActivity,
            Self::Inventory(Report::Drift(_)) => Class::DetectionFinding,
            Self::Inventory(Report::Alert(_)) | Self::Log(_) => Class::ApplicationError,
        }
    }

    /// Tells those who operate the worker, once: what was published before was told before.
    pub fn note(self, org: &OrgId) {
        match self {
            Self::Inventory(report) => note(org, report),
            Self::Log(output) => note_log(org, output),
        }
    }
}

fn note(org: &OrgId, report: &Report) {
    match report {
        Report::Drift(drift) => metrics::drift(org.as_str(), drift.slot.collection.name, way(drift.kind)),
        Report::Alert(alerted) => {
            let (slot, epoch) = alerted.about();
            let (collection, kind) = (slot.collection.name, alerted.word());
            metrics::inventory_alert(org.as_str(), collection, kind);
            tracing::warn!(%org, collection, kind, epoch, key = slot.key, "{}", alerted.says());
        }
        Report::Thing(_) | Report::Gone(_) | Report::Scan(_) => {}
    }
}

fn note_log(org: &OrgId, output: &system_log::Output) {
    match output {
        system_log::Output::Alarm(alarm) => {
            let (reason, since, missing) = (alarm.reason.word(), alarm.since, alarm.missing);
            match alarm.reason {
                system_log::Reason::Deactivated => tracing::error!(
                    %org, reason, since, missing,
                    "the log stream does not bring what it should: a super admin must activate it (Reports > Log Streaming)"
                ),
                _ => tracing::warn!(%org, reason, since, missing, "the log stream does not bring what it should"),
            }
        }
        system_log::Output::Healed(gap) => {
            let (from, until, recovered) = (gap.from, gap.until, gap.recovered);
            tracing::info!(%org, from, until, recovered, "the log stream brings everything again, and its gap is healed");
        }
        system_log::Output::Lost { from, until } => {
            tracing::error!(%org, from, until, "Okta no longer has a part of its log: events of it may be missing");
        }
    }
}

/// The same as a record says it.
fn notice_of(output: &system_log::Output) -> LogNotice<'_> {
    match output {
        system_log::Output::Alarm(alarm) => {
            LogNotice::Alarm { reason: alarm.reason.word(), since: alarm.since, missing: alarm.missing }
        }
        system_log::Output::Healed(gap) => {
            LogNotice::Healed { reason: gap.reason.word(), from: gap.from, until: gap.until, recovered: gap.recovered }
        }
        system_log::Output::Lost { from, until } => LogNotice::Lost { from: *from, until: *until },
    }
}

impl Reporting {
    /// As the configuration says.
    pub fn new(publish: &PublishConfig, privacy: Option<Privacy>) -> Self {
        let options = Options { raw_data: publish.raw_data, unmapped: publish.unmapped };
        Self {
            mapper: InventoryMapper::new(options).with_privacy(privacy),
            options,
            validate_one_in: u64::from(publish.validate_one_in),
        }
    }

    /// The record of what is told of an org at a time; without `raw_data` if it would be too large with it.
    pub fn map(&mut self, source: SourceId, (org, at): (&OrgId, i64), told: Told<'_>) -> Result<OutputRecord, Refused> {
        let class = told.class();
        let report = match told {
            Told::Inventory(report) => report,
            Told::Log(output) => {
                let (_, json) = log_notice(org, at, &notice_of(output));
                return Ok(OutputRecord { class, key: org.to_string(), source, body: Body::Record(json) });
            }
        };
        let (key, body) = match report {
            Report::Thing(thing) => (key_of(&thing.slot), Body::Record(self.thing(source, thing)?)),
            Report::Gone(Gone { slot, cause, .. }) => (key_of(slot), Body::Tombstone { cause: word_of(*cause) }),
            Report::Scan(scan) => (org.to_string(), self.note(source, |mapper, out| of_scan(mapper, scan, out))?),
            Report::Drift(drift) => (org.to_string(), self.note(source, |mapper, out| of_drift(mapper, drift, out))?),
            Report::Alert(alerted) => {
                (org.to_string(), self.note(source, |mapper, out| of_alert(mapper, alerted, out))?)
            }
        };
        Ok(OutputRecord { class, key, source, body })
    }

    fn thing(&mut self, source: SourceId, thing: &Thing) -> Result<Vec<u8>, Refused> {
        let without_raw = Options { raw_data: false, ..self.options };
        let refuse = |reason, detail| Refused { reason, detail, bytes: thing.body.clone() };
        for options in [self.options, without_raw] {
            self.mapper.set_options(options);
            let mut json = Vec::new();
            let mapped = of_thing(&mut self.mapper, thing, &mut json);
            mapped.map_err(|error| refuse(error.reason(), Chain(&error).to_string()))?;
            if json.len() <= MAX_RECORD_BYTES {
                self.check(source, &json).map_err(|(reason, detail)| refuse(reason, detail))?;
                return Ok(json);
            }
        }
        Err(refuse("too_large", format!("the record would be larger than {MAX_RECORD_BYTES} bytes")))
    }

    /// A record of no object.
    fn note(
        &mut self,
        source: SourceId,
        make: impl FnOnce(&mut InventoryMapper, &mut Vec<u8>) -> Result<Class, InventoryError>,
    ) -> Result<Body, Refused> {
        let mut json = Vec::new();
        let made = make(&mut self.mapper, &mut json);
        let refuse = |reason, detail| Refused { reason, detail, bytes: Vec::new() };
        made.map_err(|error| refuse(error.reason(), Chain(&error).to_string()))?;
        self.check(source, &json).map_err(|(reason, detail)| refuse(reason, detail))?;
        Ok(Body::Record(json))
    }

    /// Checks a share of the records; by their places, so that the same log gives the same output.
    fn check(&self, source: SourceId, json: &[u8]) -> Result<(), super::mapping::Refused> {
        let place = source.offset.wrapping_add(u64::from(source.index));
        let is_due = self.validate_one_in > 0 && place.is_multiple_of(self.validate_one_in);
        if is_due { validate(json) } else { Ok(()) }
    }
}

fn of_thing(mapper: &mut InventoryMapper, thing: &Thing, out: &mut Vec<u8>) -> Result<Class, InventoryError> {
    let readings: Vec<_> = thing.readings.iter().map(reading).collect();
    let (epoch, changes, activity) = match &thing.occasion {
        Occasion::Changed(reasons) => (None, reasons.iter().map(change).collect(), Activity::Log),
        Occasion::Collected(epoch) => (Some(*epoch), Vec::new(), Activity::Collect),
    };
    let basis = Basis { key: &thing.slot.key, epoch, readings: &readings, changes: &changes };
    let observed = Observed { org: &thing.slot.org, at: thing.at, activity, basis: Some(&basis) };
    match &thing.facts {
        Facts::User { groups, factors, roles } => {
            let groups: Option<Vec<&[u8]>> = groups.as_ref().map(|groups| groups.iter().map(Vec::as_slice).collect());
            let (factors, roles) = (elements(factors.as_deref()), elements(roles.as_deref()));
            let facts = UserFacts {
                user: &thing.body,
                groups: groups.as_deref(),
                factors: factors.as_deref(),
                roles: roles.as_deref(),
                schema: None,
            };
            mapper.user(&observed, &facts, out)
        }
        Facts::Device => mapper.device(&observed, &thing.body, out),
        Facts::Other { members } => {
            let within = within(&thing.slot);
            let facts = ResourceFacts { object: &thing.body, within, source: None, members: *members };
            mapper.resource(&observed, mapping_of(&thing.slot)?, &facts, out)
        }
    }
}

fn of_scan(mapper: &mut InventoryMapper, report: &ScanReport, out: &mut Vec<u8>) -> Result<Class, InventoryError> {
    let scan = &report.scan;
    let scanned = scan.collections.iter().map(|(name, tally)| Scanned {
        collection: name,
        verdict: tally.outcome.as_ref().map(Outcome::word),
        detail: tally.outcome.as_ref().and_then(Outcome::detail),
        objects: tally.objects,
        published: tally.told,
    });
    let phase = match &scan.phase {
        Phase::Reading | Phase::Telling { .. } => ScanPhase::Started,
        Phase::Completed => ScanPhase::Completed,
        Phase::Cancelled(why) => ScanPhase::Cancelled(why),
    };
    let facts = ScanFacts {
        org: &report.org,
        epoch: scan.epoch,
        at: report.at,
        requested: scan.requested,
        phase,
        collections: &scanned.collect::<Vec<_>>(),
    };
    mapper.scan(&facts, out)
}

fn of_drift(mapper: &mut InventoryMapper, drift: &Drift, out: &mut Vec<u8>) -> Result<Class, InventoryError> {
    let slot = &drift.slot;
    let facts = DriftFacts {
        org: &slot.org,
        collection: mapping_of(slot)?,
        facet: slot.facet(),
        key: &slot.key,
        way: way(drift.kind),
        between: drift.between,
    };
    mapper.drift(&facts, out)
}

fn of_alert(mapper: &mut InventoryMapper, alerted: &Alerted, out: &mut Vec<u8>) -> Result<Class, InventoryError> {
    let (slot, epoch) = alerted.about();
    let facts = AlertFacts {
        org: &slot.org,
        collection: slot.collection.name,
        kind: alerted.word(),
        says: &alerted.says(),
        key: &slot.key,
        epoch,
        at: alerted.at,
        numbers: &numbers(&alerted.alert),
    };
    mapper.alert(&facts, out)
}

fn reading(reading: &inventory::reports::Reading) -> FacetReading<'_> {
    FacetReading { facet: reading.facet, as_of: reading.as_of, confirmed: reading.confirmed_as_of }
}

fn change(reason: &Reason) -> Change<'_> {
    let collection = reason.slot.collection;
    let said = match &reason.change {
        Delta::Joined => Said::Joined,
        Delta::Left => Said::Left,
        Delta::Content(before, after) => {
            let (before, after) = (before.as_deref(), after.as_deref());
            match collection.grain {
                Grain::Object => Said::Object(before, after),
                // An element of a list that stands by itself is told as an object.
                _ if is_object(before.or(after)) => Said::Object(before, after),
                _ => Said::List(collection.id_key, before, after),
            }
        }
    };
    Change { facet: collection.facet, key: &reason.slot.key, cause: cause(reason.cause), as_of: reason.as_of, said }
}

fn is_object(body: Option<&[u8]>) -> bool {
    body.is_some_and(|body| body.trim_ascii_start().first() == Some(&b'{'))
}

fn cause(cause: inventory::Cause) -> Cause {
    match cause {
        inventory::Cause::List => Cause::List,
        inventory::Cause::Fetch => Cause::Fetch,
        inventory::Cause::Sweep => Cause::Sweep,
        inventory::Cause::Audit => Cause::Audit,
        inventory::Cause::Event(uuid) => Cause::Event(Uuid::from_bytes(uuid)),
    }
}

/// How something came out, in a word: the uuid of an event for itself.
fn word_of(of: inventory::Cause) -> String {
    let cause = cause(of);
    cause.event().map_or_else(|| cause.word().to_owned(), |uuid| uuid.to_string())
}

fn way(kind: DriftKind) -> &'static str {
    match kind {
        DriftKind::Changed => "changed",
        DriftKind::Appeared => "appeared",
        DriftKind::Vanished => "vanished",
    }
}

fn numbers(alert: &Alert) -> Vec<(&'static str, u64)> {
    match alert {
        Alert::Braked { candidates, live, .. } => vec![("missing", *candidates), ("live", *live)],
        Alert::Unconfirmable { candidates, .. } => vec![("missing", *candidates)],
        Alert::NoCanary { .. } => Vec::new(),
    }
}

/// The elements of a JSON array, each as it was written.
fn elements(list: Option<&[u8]>) -> Option<Vec<&[u8]>> {
    let list = list?;
    let mut tape = Tape::default();
    let document = tape.read(list).ok()?;
    Some(document.root().children().filter_map(|value| list.get(value.range())).collect())
}

/// `org|collection|id`: what is known of one thing is under one key. No org and no collection has a `|` in its name.
fn key_of(slot: &Slot) -> String {
    format!("{}|{}|{}", slot.org, slot.collection.name, slot.key)
}

/// The mapping of the objects of a collection, which has its name.
fn mapping_of(slot: &Slot) -> Result<&'static Collection, InventoryError> {
    Collection::find(slot.collection.name).ok_or(InventoryError::UnknownCollection)
}

/// The thing that a slot is within: the last of the ids before its own. Those that are known there by another id than their
/// own say nothing.
fn within(slot: &Slot) -> Option<Related<'_>> {
    let Parent::Of(parent) = slot.collection.parent else { return None };
    let (holders, _) = slot.key.rsplit_once('/')?;
    let uid = holders.rsplit('/').next()?;
    Some(Related { collection: Collection::find(parent)?, uid })
}

#[cfg(test)]
mod tests;
