//! The bad messages, in the order in which they take their turns.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::events::Made;
use crate::org::{Bad, Org};

const TOO_DEEP: usize = 200;

/// By which way a bad message reaches the queue, and its text.
pub enum Body {
    /// The detail of an entry put on the bus.
    Bus(String),
    /// What EventBridge would never carry, dropped on the queue itself.
    Queue(String),
}

/// One way of being bad.
struct Kind {
    name: &'static str,
    reason: &'static str,
    make: fn(Made, &Envelope) -> Body,
}

#[rustfmt::skip]
const BUS_KINDS: &[Kind] = &[
    Kind { name: "detail_without_uuid", reason: "missing_uuid", make: |made, _| Body::Bus(without(made, "uuid")) },
    Kind { name: "detail_without_published", reason: "missing_published", make: |made, _| Body::Bus(without(made, "published")) },
    Kind { name: "detail_too_deep", reason: "too_deep", make: |made, _| Body::Bus(too_deep(made)) },
    Kind { name: "hello_world", reason: "missing_uuid", make: |_, _| Body::Bus(json!({ "hello": "world" }).to_string()) },
];
#[rustfmt::skip]
const QUEUE_KINDS: &[Kind] = &[
    Kind { name: "not_json", reason: "not_json", make: |made, _| Body::Queue(format!("event {} could not be rendered", made.uuid)) },
    Kind { name: "json_array", reason: "not_log_event", make: |made, _| Body::Queue(json!([made.detail]).to_string()) },
    Kind { name: "foreign_source", reason: "foreign_source", make: |made, envelope| Body::Queue(envelope.around("aws.partner/okta.com/evil/logs", &made, &made.detail.to_string())) },
    Kind { name: "duplicate_key", reason: "duplicate_key", make: |made, envelope| Body::Queue(envelope.around(&envelope.source, &made, &uuid_twice(&made))) },
];

/// What EventBridge would write around a detail.
pub struct Envelope {
    pub source: String,
    pub detail_type: &'static str,
}

impl Envelope {
    fn around(&self, source: &str, made: &Made, detail: &str) -> String {
        // Written as text: a `Value` could not hold a key twice.
        format!(
            r#"{{"version":"0","id":"{}","detail-type":"{}","source":"{source}","account":"000000000000","time":"{:.0}","region":"us-east-1","resources":[],"detail":{detail}}}"#,
            made.uuid, self.detail_type, made.published,
        )
    }
}

/// Deals the bad messages out one by one.
pub struct Poisoner {
    envelope: Envelope,
    kinds: Vec<&'static Kind>,
    planned: usize,
    dealt: usize,
    /// How many log entries lie between two bad ones.
    spacing: usize,
}

impl Poisoner {
    /// Spreads `planned` bad messages over a day of `events`; without a queue, only those the bus carries.
    pub fn new(envelope: Envelope, planned: usize, events: usize, with_queue: bool) -> Self {
        let queue_kinds = if with_queue { QUEUE_KINDS } else { &[] };
        Self {
            envelope,
            kinds: BUS_KINDS.iter().chain(queue_kinds).collect(),
            planned,
            dealt: 0,
            spacing: events / (planned + 1),
        }
    }

    /// The next bad message, if the log has come to its turn or has come to its end.
    pub fn next_at(&mut self, place: usize, org: &Org) -> Option<(Bad, Body)> {
        let turn = (self.dealt + 1) * self.spacing;
        if self.dealt == self.planned || (place < turn && !org.is_over_at(place)) {
            return None;
        }
        let kind = self.kinds[self.dealt % self.kinds.len()];
        self.dealt += 1;
        let body = (kind.make)(org.unlogged(), &self.envelope);
        let sha256 = match &body {
            Body::Bus(_) => None,
            Body::Queue(text) => Some(hex_digest(text)),
        };
        let bad = Bad { kind: kind.name, reason: kind.reason, sha256 };
        Some((bad, body))
    }
}

fn without(mut made: Made, field: &str) -> String {
    if let Some(fields) = made.detail.as_object_mut() {
        fields.remove(field);
    }
    made.detail.to_string()
}

fn too_deep(mut made: Made) -> String {
    made.detail["nest"] = (0..TOO_DEEP).fold(Value::Bool(true), |inner, _| json!({ "nest": inner }));
    made.detail.to_string()
}

/// The event with a second, different `uuid` before its own.
fn uuid_twice(made: &Made) -> String {
    let detail = made.detail.to_string();
    let rest = detail.strip_prefix('{').unwrap_or(&detail);
    format!(r#"{{"uuid":"00000000-0000-1000-8000-000000000000",{rest}"#)
}

fn hex_digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::Settings;

    fn poisoner(planned: usize, events: usize) -> Poisoner {
        let envelope = Envelope { source: String::from("aws.partner/okta.com/acme/logs"), detail_type: "SystemLog" };
        Poisoner::new(envelope, planned, events, true)
    }

    #[test]
    fn bad_messages_are_spread_over_the_day_and_the_rest_comes_at_its_end() {
        let org = Org::new(Settings::plain("acme", 1, 3));
        let mut poisoner = poisoner(3, 8);
        assert!(poisoner.next_at(1, &org).is_none());
        assert!(poisoner.next_at(2, &org).is_some());
        assert!(poisoner.next_at(3, &org).is_none());
        org.end_day();
        assert!(poisoner.next_at(0, &org).is_some());
        assert!(poisoner.next_at(0, &org).is_some());
        assert!(poisoner.next_at(0, &org).is_none(), "no more than planned");
    }

    #[test]
    fn each_kind_is_bad_in_its_own_way() {
        let org = Org::new(Settings::plain("acme", 1, 8));
        org.end_day();
        let mut poisoner = poisoner(8, 0);
        let texts: Vec<String> = std::iter::from_fn(|| poisoner.next_at(0, &org))
            .map(|(_, Body::Bus(text) | Body::Queue(text))| text)
            .collect();
        let parsed = |nth: usize| serde_json::from_str::<Value>(&texts[nth]);

        assert!(parsed(0).is_ok_and(|v| v.get("uuid").is_none() && v["published"].is_string()));
        assert!(parsed(1).is_ok_and(|v| v.get("published").is_none() && v["uuid"].is_string()));
        assert!(parsed(2).is_err(), "deeper than serde_json reads");
        assert!(parsed(3).is_ok_and(|v| v == json!({ "hello": "world" })));
        assert!(parsed(4).is_err());
        assert!(parsed(5).is_ok_and(|v| v.is_array()));
        assert!(parsed(6).is_ok_and(|v| v["source"] == "aws.partner/okta.com/evil/logs"));
        assert_eq!(texts[7].matches(r#""uuid":"#).count(), 2);
        assert!(parsed(7).is_ok_and(|v| v["detail"]["uuid"].is_string()));
    }
}
