//! What people are told of an org's log beside what the fold says once, which the owner of the partition logs and publishes.

use super::StreamSettings;
use crate::merge::system_log::{Counts, Minute, Reason, Standing};
use crate::okta::OrgId;
use crate::telemetry::metrics;

/// How it stands, for the health report.
pub(super) fn summary(standing: &Standing, stream: Option<&StreamSettings>, every: std::time::Duration) -> String {
    let polls = format!("the System Log is polled each {} s", every.as_secs());
    let alarm = standing.watch.as_ref().and_then(|watch| watch.alarm.as_ref());
    match (stream, alarm) {
        (None, _) => polls,
        (Some(_), None) => format!("{polls}, and the log stream brings everything"),
        (Some(_), Some(alarm)) => {
            format!("{polls}; the log stream is {} since {}", alarm.reason.word(), super::time(alarm.since))
        }
    }
}

/// How it stands, as metrics; `day` are the minutes of the last day.
pub(super) fn measure(org: &OrgId, standing: &Standing, day: &[Minute]) {
    let org = org.as_str();
    let mut counts = Counts::default();
    day.iter().for_each(|minute| counts += minute.counts);
    metrics::log_day(
        org,
        [("all", counts.all), ("stream", counts.stream), ("poll", counts.poll), ("history", counts.history)],
    );
    if let Some(read_to) = standing.read_to {
        metrics::log_read_to(org, read_to);
    }
    if let Some(complete_to) = standing.complete.end() {
        metrics::log_complete_to(org, complete_to);
    }
    if let Some(newest) = standing.newest_by_stream {
        metrics::log_stream_newest(org, newest);
    }
    if let Some(watch) = &standing.watch {
        metrics::log_stream(org, watch.alarm.as_ref().map(|alarm| alarm.reason.word()), &Reason::ALL.map(Reason::word));
    }
    if let Some(gap) = standing.gaps.last() {
        metrics::log_gap(org, gap.recovered, gap.healed_at);
    }
}
