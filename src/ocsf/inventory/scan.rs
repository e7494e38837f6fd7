//! Scan Activity (6007): a snapshot of the inventory begins, is complete, or was given up.

use uuid::Uuid;

use super::basis::{About, enrichment};
use super::frame;
use crate::ocsf::Class;
use crate::ocsf::enums::Observable;
use crate::ocsf::writer::Writer;
use crate::okta::OrgId;

/// Namespace of the uids of snapshots; any constant will do, as long as it never changes.
const SCANS: Uuid = Uuid::from_u128(0x21d4_8c7e_95b0_4d1f_8a3e_60f7_1be2_c459);

/// How a snapshot stands.
#[derive(Debug, Clone, Copy)]
pub struct ScanFacts<'a> {
    /// The org that is read.
    pub org: &'a OrgId,
    /// When it began, ms since the Unix epoch by Okta's clock.
    pub epoch: i64,
    /// When this is so, ms since the Unix epoch.
    pub at: i64,
    /// Whether somebody asked for it; otherwise it was due.
    pub requested: bool,
    /// How it stands.
    pub phase: ScanPhase<'a>,
    /// Its collections.
    pub collections: &'a [Scanned<'a>],
}

/// How far a snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanPhase<'a> {
    /// It begins.
    Started,
    /// All of it was read and published.
    Completed,
    /// It was given up, and why.
    Cancelled(&'a str),
}

/// One collection of a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct Scanned<'a> {
    /// Its name.
    pub collection: &'a str,
    /// The verdict on its reading: `complete`, `forbidden`, `feature_off`, `partial` or `failed`.
    pub verdict: Option<&'a str>,
    /// What a person should know beyond that.
    pub detail: Option<&'a str>,
    /// Objects that were observed.
    pub objects: u64,
    /// Records that were published of it when all was read.
    pub published: u64,
}

/// The uid of a snapshot: the `scan.uid` of its marks, and the `metadata.correlation_uid` of its records.
pub fn scan_uid(org: &OrgId, epoch: i64) -> Uuid {
    Uuid::new_v5(&SCANS, format!("{org}\n{epoch}").as_bytes())
}

/// Writes the record.
pub(super) fn write(w: &mut Writer<'_>, facts: &ScanFacts<'_>) {
    let uid = scan_uid(facts.org, facts.epoch);
    let mut buffer = Uuid::encode_buffer();
    let uid_text: &str = uid.hyphenated().encode_lower(&mut buffer);
    let activity = match facts.phase {
        ScanPhase::Started => (1, "Started"),
        ScanPhase::Completed => (2, "Completed"),
        ScanPhase::Cancelled(_) => (3, "Cancelled"),
    };
    frame::head(w, Class::ScanActivity, activity, facts.at, frame::INFORMATIONAL);
    w.number("start_time", facts.epoch);
    if facts.phase != ScanPhase::Started {
        w.number("end_time", facts.at);
    }
    w.object("scan", |w| {
        w.text("name", "Okta inventory snapshot");
        w.observe_text("uid", uid_text, Observable::OtherUid);
        w.fragment(match facts.requested {
            true => r#""type_id":1,"type":"Manual""#,
            false => r#""type_id":2,"type":"Scheduled""#,
        });
    });
    status(w, facts);
    w.observables();
    w.array("enrichments", |w| {
        enrichment(w, About::Observable(Observable::OtherUid), "collections", |w| {
            w.number("epoch", facts.epoch);
            w.array("collections", |w| facts.collections.iter().for_each(|scanned| w.item(|w| collection(w, scanned))));
        });
    });
    let name = format!("scan\n{}\n{}\n{}", facts.org, facts.epoch, activity.1);
    frame::metadata(w, facts.org, "inventory_snapshot", &name, |w| w.text("correlation_uid", uid_text));
}

/// Whether it is all of what there is to be seen.
fn status(w: &mut Writer<'_>, facts: &ScanFacts<'_>) {
    match facts.phase {
        ScanPhase::Started => {}
        ScanPhase::Cancelled(why) => {
            w.fragment(r#""status_id":2,"status":"Failure","status_code":"cancelled""#);
            w.text("status_detail", why);
        }
        ScanPhase::Completed => {
            // What an org does not have is not missing.
            let is_whole = |one: &Scanned<'_>| matches!(one.verdict, Some("complete" | "feature_off") | None);
            let lacking: Vec<&str> =
                facts.collections.iter().filter(|one| !is_whole(one)).map(|one| one.collection).collect();
            let published: u64 = facts.collections.iter().map(|one| one.published).sum();
            w.number("total", i64::try_from(published).unwrap_or(i64::MAX));
            if lacking.is_empty() {
                w.fragment(r#""status_id":1,"status":"Success","status_code":"complete""#);
            } else {
                w.fragment(r#""status_id":99,"status":"Partial","status_code":"partial""#);
                w.text("status_detail", &format!("not complete: {}", lacking.join(", ")));
            }
        }
    }
}

fn collection(w: &mut Writer<'_>, scanned: &Scanned<'_>) {
    w.text("collection", scanned.collection);
    if let Some(verdict) = scanned.verdict {
        w.text("verdict", verdict);
        w.number("objects", i64::try_from(scanned.objects).unwrap_or(i64::MAX));
    }
    if let Some(detail) = scanned.detail {
        w.text("detail", detail);
    }
    if scanned.published > 0 {
        w.number("published", i64::try_from(scanned.published).unwrap_or(i64::MAX));
    }
}
