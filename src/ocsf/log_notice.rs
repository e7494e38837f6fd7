//! Application Error (6008): what a person should know of how the System Log comes in.

use serde_json::json;
use uuid::Uuid;

use super::{Class, MAPPING_VERSION};
use crate::okta::OrgId;

/// Namespace of `metadata.uid`; any constant will do, as long as it never changes.
const NOTICES: Uuid = Uuid::from_u128(0x3f6d_92c8_41d7_4b6a_9e05_c7d1_8a52_6b1e);

/// What there is to know. Times are ms since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogNotice<'a> {
    /// The log stream does not bring what it should.
    Alarm {
        /// Why, in a word: `deactivated`, `silent` or `losing`.
        reason: &'a str,
        /// Since events of this time.
        since: i64,
        /// Events that it did not bring so far.
        missing: u64,
    },
    /// It does again, and what was missing came by other ways.
    Healed {
        /// Why there was an alarm.
        reason: &'a str,
        /// From events of this time on.
        from: i64,
        /// Up to those of this time.
        until: i64,
        /// How many came by other ways only.
        recovered: u64,
    },
    /// Okta no longer had what it persisted between these times.
    Lost {
        /// From.
        from: i64,
        /// Up to.
        until: i64,
    },
}

impl LogNotice<'_> {
    /// In one word: the record's `status_code`, and part of what makes it unique.
    fn code(&self) -> String {
        match self {
            Self::Alarm { reason, .. } => format!("log_stream_{reason}"),
            Self::Healed { .. } => "log_stream_healed".into(),
            Self::Lost { .. } => "log_lost".into(),
        }
    }

    fn says(&self) -> String {
        match self {
            Self::Alarm { reason: "deactivated", .. } => {
                "The Okta log stream was deactivated: nothing comes by it until a super admin activates it".into()
            }
            Self::Alarm { reason: "silent", missing, .. } => {
                format!("The Okta log stream brings nothing, though there are events: {missing} came by polling only")
            }
            Self::Alarm { missing, .. } => {
                format!("The Okta log stream does not bring every event: {missing} came by polling only")
            }
            Self::Healed { recovered, .. } => {
                format!(
                    "The Okta log stream brings every event again; {recovered} events of the gap came by other ways"
                )
            }
            Self::Lost { .. } => {
                "Okta no longer had a part of its System Log: events of it may be missing for good".into()
            }
        }
    }
}

/// The record of a notice that came out at a time; the same notice always has the same `metadata.uid`.
pub fn log_notice(org: &OrgId, at: i64, notice: &LogNotice<'_>) -> (Class, Vec<u8>) {
    let class = Class::ApplicationError;
    let (from, until, count) = match *notice {
        LogNotice::Alarm { since, missing, .. } => (since, None, missing),
        LogNotice::Healed { from, until, recovered, .. } => (from, Some(until), recovered),
        LogNotice::Lost { from, until } => (from, Some(until), 0),
    };
    let (activity, severity, status) = match notice {
        LogNotice::Alarm { .. } => ((1, "General Error"), (4, "High"), (2, "Failure")),
        LogNotice::Healed { .. } => ((99, "Log Stream Healed"), (1, "Informational"), (1, "Success")),
        LogNotice::Lost { .. } => ((1, "General Error"), (5, "Critical"), (2, "Failure")),
    };
    let code = notice.code();
    let name = format!("{org}\n{code}\n{from}\n{}", until.unwrap_or(at));
    let type_uid = class.uid() * 100 + activity.0;
    let (category, category_name) = class.category();
    let mut record = json!({
        "activity_id": activity.0, "activity_name": activity.1,
        "category_uid": category, "category_name": category_name,
        "class_uid": class.uid(), "class_name": class.caption(),
        "type_uid": type_uid,
        "severity_id": severity.0, "severity": severity.1,
        "status_id": status.0, "status": status.1, "status_code": code,
        "time": at, "start_time": from, "message": notice.says(),
        "metadata": {
            "uid": Uuid::new_v5(&NOTICES, name.as_bytes()).to_string(),
            "version": "1.8.0", "tenant_uid": org.as_str(), "event_code": code,
            "log_name": "Okta System Log", "log_provider": "okta-ocsf",
            "product": { "name": "Okta", "vendor_name": "Okta" },
            "transformation_info_list": [{ "name": "okta-ocsf", "uid": MAPPING_VERSION }],
        },
    });
    if let Some(until) = until {
        record["end_time"] = until.into();
    }
    if count > 0 {
        record["count"] = count.into();
    }
    (class, record.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocsf::validate::Schema;

    #[test]
    fn every_notice_is_a_valid_record_of_its_own() {
        let org = OrgId::new("acme");
        let (from, until) = (1_795_400_400_000, 1_795_400_460_000);
        let alarm = |reason| LogNotice::Alarm { reason, since: from, missing: 3 };
        let notices = [
            alarm("deactivated"),
            alarm("silent"),
            alarm("losing"),
            LogNotice::Healed { reason: "silent", from, until, recovered: 7 },
            LogNotice::Lost { from, until },
        ];
        let mut uids = std::collections::BTreeSet::new();
        for notice in notices {
            let (class, json) = log_notice(&org, until + 5, &notice);
            assert_eq!(class, Class::ApplicationError);
            let findings = Schema::embedded().check(&json);
            assert!(findings.is_empty(), "{notice:?}: {findings:?}");
            let record: serde_json::Value = serde_json::from_slice(&json).unwrap();
            assert_eq!(record["start_time"], from);
            uids.insert(record["metadata"]["uid"].as_str().unwrap().to_owned());
            assert_eq!(log_notice(&org, until + 5, &notice).1, json);
        }
        assert_eq!(uids.len(), 5);
    }
}
