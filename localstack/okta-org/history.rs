//! The log before the org was started: as many events as are wanted, and none of them stored. Each is made anew from its
//! number whenever it is asked for.

use std::fmt::Write;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::events::{Maker, uuid_v1};
use crate::inventory::filter::{Filter, Found};
use crate::rng::Rng;
use crate::world::seed::Seed;

const DAY_MS: i64 = 86_400_000;

/// Different events, but for uuid and time. Their kinds are drawn like those of a day.
const TEMPLATES: usize = 256;

/// How far events are from being spread evenly: in the busiest hour of a day there are five times as many as on average,
/// in the quietest about half.
const RHYTHM: f64 = 0.8;

/// An event in three parts, between which its time and its uuid stand.
struct Template {
    event_type: &'static str,
    parts: [String; 3],
    detail: Value,
}

pub struct History {
    /// When it begins, ms since the Unix epoch.
    start: i64,
    per_day: u64,
    count: u64,
    templates: Vec<Template>,
    node: [u8; 6],
    seed: u64,
}

impl History {
    /// So many days before `end`, with so many events on each.
    pub fn new(seed: &Arc<Seed>, days: u64, per_day: u64, end: Timestamp) -> Self {
        let days = i64::try_from(days).unwrap_or(i64::MAX);
        let mut rng = Rng::at(seed.number, 34, 0);
        let [_, _, node @ ..] = rng.next().to_be_bytes();
        Self {
            start: end.as_millisecond().saturating_sub(days.saturating_mul(DAY_MS)),
            per_day: per_day.max(1),
            count: days.unsigned_abs() * per_day,
            templates: if per_day == 0 { Vec::new() } else { templates(seed) },
            node,
            seed: seed.number,
        }
    }

    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// When the event of that number happened, ms since the Unix epoch. Never decreases.
    pub fn published(&self, number: usize) -> i64 {
        let days = number as f64 / self.per_day as f64;
        // The slope of this is never negative, as RHYTHM is below 1.
        let turn = std::f64::consts::TAU;
        let days = days + RHYTHM * (turn * days).sin() / turn;
        self.start + (days * DAY_MS as f64) as i64
    }

    /// The number of the first event at that time or later.
    pub fn at_or_after(&self, ms: i64) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.published(middle) < ms { low = middle + 1 } else { high = middle }
        }
        low
    }

    pub fn uuid(&self, number: usize) -> Uuid {
        let published = Timestamp::from_millisecond(self.published(number)).unwrap_or_default();
        uuid_v1(published, number as u64, &self.node)
    }

    pub fn event_type(&self, number: usize) -> &'static str {
        self.template(number).event_type
    }

    /// Appends the LogEvent of that number.
    pub fn write(&self, number: usize, out: &mut String) {
        let published = Timestamp::from_millisecond(self.published(number)).unwrap_or_default();
        let uuid = uuid_v1(published, number as u64, &self.node);
        let [first, second, third] = &self.template(number).parts;
        out.push_str(first);
        // Writing to a String cannot fail.
        let _ = write!(out, "{published:.3}");
        out.push_str(second);
        out.push_str(uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
        out.push_str(third);
    }

    /// Which events a filter lets through, by template: uuid and time are not among what it may ask for.
    pub fn choose(&self, filter: &Filter) -> Chosen {
        Chosen(self.templates.iter().map(|template| lets_through(filter, &template.detail)).collect())
    }

    /// Whether the event of that number is among them.
    pub fn is_chosen(&self, number: usize, chosen: &Chosen) -> bool {
        chosen.0[self.place(number)]
    }

    fn template(&self, number: usize) -> &Template {
        &self.templates[self.place(number)]
    }

    fn place(&self, number: usize) -> usize {
        Rng::at(self.seed, 35, number as u64).below(self.templates.len())
    }
}

/// See [`History::choose`].
pub struct Chosen(Vec<bool>);

/// Whether a filter lets a LogEvent through. Of a list the first entry counts.
pub fn lets_through(filter: &Filter, event: &Value) -> bool {
    filter.holds(&mut |path| {
        let found = path.split('.').try_fold(event, |value, key| match value {
            Value::Array(entries) => entries.first()?.get(key),
            value => value.get(key),
        });
        match found {
            None | Some(Value::Null) => Found::Nothing,
            Some(Value::String(text)) => Found::Text(text.clone()),
            Some(other) => Found::Text(other.to_string()),
        }
    })
}

fn templates(seed: &Arc<Seed>) -> Vec<Template> {
    let mut maker = Maker::new(seed.clone());
    // Odd, so that it stands nowhere else in the event.
    let then = Timestamp::from_millisecond(1_234_567_890_123).unwrap_or_default();
    let template = |_| {
        let made = maker.next(then);
        let text = made.detail.to_string();
        let (uuid, published) = (made.uuid.to_string(), format!("{:.3}", made.published));
        // Keys are in the order of the alphabet.
        let (first, rest) = text.split_once(&published).unwrap_or((&text, ""));
        let (second, third) = rest.split_once(&uuid).unwrap_or((rest, ""));
        let parts = [first, second, third].map(str::to_owned);
        Template { event_type: made.event_type, parts, detail: made.detail }
    };
    (0..TEMPLATES).map(template).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn history(days: u64, per_day: u64) -> History {
        let seed = Arc::new(Seed::new("acme", 7, 200, 12, 10));
        History::new(&seed, days, per_day, Timestamp::from_second(1_800_000_000).expect("a time"))
    }

    #[test]
    fn every_event_is_the_same_each_time_and_has_the_time_of_its_uuid() {
        let history = history(3, 5_000);
        let mut seen = HashSet::new();
        let mut last = i64::MIN;
        let mut bytes = 0;
        for number in 0..history.len() {
            let mut text = String::new();
            history.write(number, &mut text);
            let event: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(event["uuid"], history.uuid(number).to_string());
            assert_eq!(event["eventType"], history.event_type(number));
            let published = history.published(number);
            let (seconds, nanos) = history.uuid(number).get_timestamp().expect("version 1").to_unix();
            assert_eq!(published, seconds as i64 * 1_000 + i64::from(nanos) / 1_000_000);
            let written: Timestamp = event["published"].as_str().unwrap_or_default().parse().expect("a time");
            assert_eq!(written.as_millisecond(), published);
            assert!(published >= last && seen.insert(history.uuid(number)));
            last = published;
            bytes += text.len();
        }
        let mean = bytes / history.len();
        assert!((1_200..2_600).contains(&mean), "{mean} bytes, public samples have 1,517");
    }

    #[test]
    fn an_event_is_found_by_its_time() {
        let history = history(2, 3_000);
        for number in [0, 1, 77, 2_999, 3_000, 5_999] {
            let published = history.published(number);
            let found = history.at_or_after(published);
            assert!(found <= number && history.published(found) == published);
            assert!(history.at_or_after(published + 1) > number);
        }
        assert_eq!(history.at_or_after(i64::MAX), history.len());
        let noon = history.at_or_after(history.start + DAY_MS * 13 / 24)
            - history.at_or_after(history.start + DAY_MS * 11 / 24);
        let night = history.at_or_after(history.start + DAY_MS * 2 / 24);
        assert!(noon != night, "a day has a rhythm: {noon} {night}");
    }

    #[test]
    fn a_filter_lets_its_events_through() {
        let history = history(1, 2_000);
        let filter =
            Filter::parse("eventType eq \"user.session.start\" and outcome.result eq \"SUCCESS\"").expect("a filter");
        let chosen = history.choose(&filter);
        let through: Vec<_> = (0..history.len()).filter(|number| history.is_chosen(*number, &chosen)).collect();
        assert!(!through.is_empty() && through.len() < history.len());
        assert!(through.iter().all(|number| history.event_type(*number) == "user.session.start"));
    }
}
