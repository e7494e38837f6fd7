//! Whether the log stream still brings everything, judged by what the poll found.
//!
//! A minute is judged once: when the poll has passed it, and then the stream has had its grace, counted from when the
//! poll's cursor landed. So what waits in the queue after a long stop is not taken for lost.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::hours::Counts;
use super::{MINUTE_MS, minute_of};

/// How far behind the poll minutes are judged: what Okta persists within a minute of its publication is judged.
const BEHIND_MS: i64 = MINUTE_MS;

/// How long nothing must have been missing before the stream is trusted again: longer than a pause between two bursts of
/// failed deliveries, and no longer than an operator waits to see it healed.
const CALM_MS: i64 = 5 * MINUTE_MS;

/// Passes of the poll that wait for their grace, one a minute; more only where the grace is more than an hour, and then
/// some are judged later.
const MOST_PASSES: usize = 64;

/// Why there is an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Okta says that the stream is not active: nothing comes until somebody activates it.
    Deactivated,
    /// There are events, and the stream brings none of them.
    Silent,
    /// The stream brings some, and not all.
    Losing,
}

impl Reason {
    /// In one word, for metrics and records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Silent => "silent",
            Self::Losing => "losing",
        }
    }

    /// All of them.
    pub const ALL: [Self; 3] = [Self::Deactivated, Self::Silent, Self::Losing];
}

/// The stream does not bring what it should. Times are those of publication, by Okta's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Why.
    pub reason: Reason,
    /// Since this minute, or since the stream was deactivated, if it lost nothing before.
    pub since: i64,
    /// The end of the last minute in which something was missing.
    pub missing_until: i64,
    /// Events that it did not bring so far, of the minutes that were judged.
    pub missing: u64,
    /// When it was raised, by the clock of the log.
    pub raised_at: i64,
    /// Whether it has brought something since the last minute in which something was missing.
    brings: bool,
}

/// A time in which the stream did not bring everything, and that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Why there was an alarm.
    pub reason: Reason,
    /// Its beginning, ms since the Unix epoch, by `published`.
    pub from: i64,
    /// Its end.
    pub until: i64,
    /// Events of this time that came by other ways only.
    pub recovered: u64,
    /// When the alarm was raised, by the clock of the log.
    pub raised_at: i64,
    /// When it was over.
    pub healed_at: i64,
}

/// What Okta said last of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Whether it is active.
    pub active: bool,
    /// As of when, by Okta's clock.
    pub at: i64,
}

/// The watch over the log stream of one org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// How long the stream may take to bring an event, ms.
    pub(super) grace: i64,
    /// What Okta said last.
    pub told: Option<Told>,
    /// Minutes before this time are judged.
    judged_to: i64,
    /// When the poll's cursor landed, and up to where it then had passed.
    passes: VecDeque<(i64, i64)>,
    /// Whether a person should look.
    pub alarm: Option<Alarm>,
}

/// What has changed for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// It is raised, or its reason is a worse one.
    Raised(Alarm),
    /// It is over.
    Over(Alarm),
}

impl Watch {
    /// Watches from the next minute on: what was before may have come when there was no queue yet.
    pub(super) fn new(grace: i64, asked: i64) -> Self {
        let judged_to = minute_of(asked.saturating_add(MINUTE_MS));
        Self { grace, told: None, judged_to, passes: VecDeque::new(), alarm: None }
    }

    /// The poll has read all that there was when it asked.
    pub(super) fn passed(&mut self, now: i64, asked: i64) {
        let to = minute_of(asked.saturating_sub(BEHIND_MS));
        let before = self.passes.back().map_or(self.judged_to, |(_, to)| *to);
        if to <= before {
            return;
        }
        if self.passes.len() >= MOST_PASSES {
            self.passes.pop_back();
        }
        self.passes.push_back((now, to));
    }

    /// The minutes whose time has come to be judged, from and up to; they will not be judged again.
    pub(super) fn due(&mut self, now: i64) -> Option<(i64, i64)> {
        let from = self.judged_to;
        while let Some((_, to)) = self.passes.pop_front_if(|(at, _)| at.saturating_add(self.grace) <= now) {
            self.judged_to = self.judged_to.max(to);
        }
        (self.judged_to > from).then_some((from, self.judged_to))
    }

    /// Judges minutes, in order; those without events say nothing.
    pub(super) fn judge(&mut self, now: i64, minutes: &[(i64, Counts)]) -> Option<News> {
        let mut raised = false;
        for (at, counts) in minutes {
            if counts.unstreamed() > 0 {
                let alarm = self.alarm.get_or_insert_with(|| {
                    raised = true;
                    let reason = Reason::Silent;
                    Alarm { reason, since: *at, missing_until: *at, missing: 0, raised_at: now, brings: false }
                });
                alarm.missing += counts.unstreamed();
                // Okta's word that the stream is off comes before the minutes are judged in which it already failed.
                alarm.since = alarm.since.min(*at);
                alarm.missing_until = alarm.missing_until.max(at.saturating_add(MINUTE_MS));
                alarm.brings = false;
            }
            if let Some(alarm) = self.alarm.as_mut().filter(|_| counts.stream > 0) {
                alarm.brings |= *at >= alarm.missing_until;
                if alarm.reason == Reason::Silent {
                    alarm.reason = Reason::Losing;
                }
            }
        }
        match raised {
            true => self.alarm.clone().map(News::Raised),
            false => self.end_if_over(),
        }
    }

    fn end_if_over(&mut self) -> Option<News> {
        let calm = self.judged_to;
        let active = self.told.is_none_or(|told| told.active);
        let over = |alarm: &mut Alarm| active && alarm.brings && calm.saturating_sub(alarm.missing_until) >= CALM_MS;
        self.alarm.take_if(over).map(News::Over)
    }

    /// Okta says whether the stream is active; what is older than what it said before counts no more.
    pub(super) fn tell(&mut self, now: i64, told: Told) -> Option<News> {
        if self.told.is_some_and(|known| known.at > told.at) {
            return None;
        }
        self.told = Some(told);
        if told.active {
            return None;
        }
        match &mut self.alarm {
            Some(alarm) if alarm.reason == Reason::Deactivated => return None,
            Some(alarm) => alarm.reason = Reason::Deactivated,
            none => {
                let since = minute_of(told.at);
                *none = Some(Alarm {
                    reason: Reason::Deactivated,
                    since,
                    missing_until: since,
                    missing: 0,
                    raised_at: now,
                    brings: false,
                });
            }
        }
        self.alarm.clone().map(News::Raised)
    }

    /// The stream brought an event. One that is published after the stream was deactivated says that it is active.
    pub(super) fn brought(&mut self, published: i64) {
        if let Some(told) = self.told.as_mut().filter(|told| !told.active && told.at < published) {
            *told = Told { active: true, at: published };
        }
    }
}
