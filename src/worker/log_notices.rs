//! What the fold says of the System Log itself, as records.

use crate::merge::system_log::{Gap, Output};
use crate::ocsf::{Class, LogNotice, log_notice};
use crate::okta::OrgId;
use crate::publish::{Body, OutputRecord, SourceId};

/// The class of all of them.
pub const CLASS: Class = Class::ApplicationError;

/// The record of what came out at a time.
pub fn record(source: SourceId, org: &OrgId, at: i64, output: &Output) -> OutputRecord {
    let notice = match output {
        Output::Alarm(alarm) => {
            LogNotice::Alarm { reason: alarm.reason.word(), since: alarm.since, missing: alarm.missing }
        }
        Output::Healed(Gap { reason, from, until, recovered, .. }) => {
            LogNotice::Healed { reason: reason.word(), from: *from, until: *until, recovered: *recovered }
        }
        Output::Lost { from, until } => LogNotice::Lost { from: *from, until: *until },
    };
    let (class, json) = log_notice(org, at, &notice);
    OutputRecord { class, key: org.to_string(), source, body: Body::Record(json) }
}
