//! What people are told of an org's log: each alarm, healed gap and loss once, and the rest as numbers.

use super::StreamSettings;
use crate::merge::system_log::{Alarm, Counts, Gap, Minute, Reason, Standing};
use crate::okta::OrgId;
use crate::telemetry::metrics;

/// What was told already.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The alarm that is open: when it was raised, and why.
    alarm: Option<(i64, Reason)>,
    /// When the newest gap was healed, and how many losses there were; nothing before the first look, as what was
    /// before this process began was told by another.
    before: Option<(Option<i64>, usize)>,
}

impl Told {
    /// Tells what is new.
    pub fn tell(&mut self, org: &OrgId, standing: &Standing) {
        let alarm = standing.watch.as_ref().and_then(|watch| watch.alarm.as_ref());
        let open = alarm.map(|alarm| (alarm.raised_at, alarm.reason));
        // That a silent stream brings some events again is no news before it brings all.
        let worse = open.filter(|(at, reason)| {
            self.alarm.is_none_or(|(known, was)| known != *at || *reason == Reason::Deactivated && was != *reason)
        });
        if let Some(alarm) = alarm.filter(|_| worse.is_some()) {
            raise(org, alarm);
        }
        self.alarm = open;
        let healed_at = standing.gaps.last().map(|gap| gap.healed_at);
        if let Some((known, lost)) = self.before {
            for gap in standing.gaps.iter().filter(|gap| Some(gap.healed_at) > known) {
                healed(org, gap);
            }
            for (from, until) in standing.lost.iter().skip(lost) {
                tracing::error!(
                    %org, from, until, "Okta no longer had this part of its System Log: events of it may be missing for good"
                );
            }
        }
        self.before = Some((healed_at, standing.lost.len()));
    }
}

fn raise(org: &OrgId, alarm: &Alarm) {
    let (reason, since, missing) = (alarm.reason.word(), alarm.since, alarm.missing);
    let what = match alarm.reason {
        Reason::Deactivated => {
            "the log stream was deactivated: nothing comes by it until a super admin activates it (Reports > Log \
             Streaming); the poll brings the events meanwhile"
        }
        Reason::Silent => "the log stream brings nothing, though there are events; the poll brings them meanwhile",
        Reason::Losing => "the log stream does not bring every event; the poll brings the others",
    };
    tracing::error!(%org, reason, since, missing, "{what}");
}

fn healed(org: &OrgId, gap: &Gap) {
    let (reason, from, until, recovered) = (gap.reason.word(), gap.from, gap.until, gap.recovered);
    tracing::info!(%org, reason, from, until, recovered, "the log stream brings everything again, and the gap is closed");
}

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
