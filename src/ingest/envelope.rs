//! From a message body to the events in it.
//!
//! Four shapes are accepted: the EventBridge envelope that Okta's log streaming makes, the same wrapped by SNS, the
//! batch of an Okta event hook, and a LogEvent alone. Which org an event belongs to is decided by the configuration:
//! by the envelope's `source` where there is one, otherwise by the queue.

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::config::{OrgConfig, QueueConfig};
use crate::json::{self, JsonFault, is_object};
use crate::okta::{OrgId, Text, parse_ms};

/// Namespace for uuids of events whose `uuid` is some other text; Okta's always are UUIDs.
const ODD_UUIDS: Uuid = Uuid::from_u128(0x8d0f_3c62_91b4_4e0a_b3c7_2f6a_55d1_90ce);

/// One event that may be landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// Whose it is.
    pub org: OrgId,
    /// Okta's uuid.
    pub uuid: Uuid,
    /// `published`, ms since the Unix epoch.
    pub published: i64,
    /// The LogEvent JSON, exactly as it stood in the body.
    pub value: Vec<u8>,
    /// Whether the envelope says that a replay of an archive sent it: then it tells of the past.
    pub replayed: bool,
}

/// One thing that can never be landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poison {
    /// Reason code, as in `docs/quarantine.md`.
    pub reason: &'static str,
    /// More, for people.
    pub detail: String,
    /// The whole body, or the one bad event of a batch.
    pub bytes: Vec<u8>,
}

/// The orgs whose events may come by one queue.
#[derive(Debug, Clone)]
pub struct QueueOrgs {
    orgs: Vec<(OrgId, Option<String>)>,
    max_body_bytes: usize,
}

impl QueueOrgs {
    /// The orgs that the queue names; the configuration was validated, so they exist.
    pub fn new(queue: &QueueConfig, orgs: &[OrgConfig]) -> Self {
        let named = orgs.iter().filter(|org| queue.orgs.contains(&org.id));
        let orgs = named.map(|org| (OrgId::new(&org.id), org.event_source.clone())).collect();
        Self { orgs, max_body_bytes: queue.max_body_bytes }
    }

    /// The org to which poison is attributed: known only when there is no choice.
    pub fn only(&self) -> Option<&OrgId> {
        match self.orgs.as_slice() {
            [(org, _)] => Some(org),
            _ => None,
        }
    }

    /// The org of an envelope: its configured source is the envelope's, or a whole-segment prefix of it. An org
    /// without a configured source, alone on its queue, takes any partner source.
    fn by_source(&self, source: &str) -> Option<&OrgId> {
        let matches = |configured: &str| {
            source.strip_prefix(configured).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let found = self.orgs.iter().find(|(_, configured)| match configured {
            Some(configured) => matches(configured),
            None => source.starts_with("aws.partner/okta.com/"),
        });
        found.map(|(org, _)| org)
    }
}

#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(borrow, default)]
    source: Text<'a>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    /// Only there in what a replay sends, whose `id` is another one than the event's first time.
    #[serde(borrow, rename = "replay-name")]
    replay: Option<&'a RawValue>,
    #[serde(borrow, rename = "Type", default)]
    sns_type: Text<'a>,
    #[serde(borrow, rename = "Message", default)]
    sns_message: Text<'a>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    uuid: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct HookData<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Identity<'a> {
    #[serde(borrow, default)]
    uuid: Text<'a>,
    #[serde(borrow, default)]
    published: Text<'a>,
}

/// Everything in a body: events and poison, in their order. An event is poison alone; its neighbours in a batch land.
pub fn decode(body: &[u8], orgs: &QueueOrgs) -> Vec<Result<Arrived, Poison>> {
    let whole = |reason, detail: String| vec![Err(Poison { reason, detail, bytes: body.to_vec() })];
    if body.len() > orgs.max_body_bytes {
        return whole("too_large", format!("{} bytes, more than {}", body.len(), orgs.max_body_bytes));
    }
    let shape = match shape(body) {
        Ok(shape) => shape,
        Err((reason, detail)) => return whole(reason, detail),
    };
    if shape.sns_type.get() != Some("Notification") {
        return decode_shape(body, &shape, orgs);
    }
    let Some(message) = shape.sns_message.get() else {
        return whole("not_log_event", "an SNS notification without a message".into());
    };
    match self::shape(message.as_bytes()) {
        Ok(inner) => decode_shape(message.as_bytes(), &inner, orgs),
        Err((reason, detail)) => whole(reason, format!("in the SNS message: {detail}")),
    }
}

fn shape(body: &[u8]) -> Result<Shape<'_>, (&'static str, String)> {
    json::check(body).map_err(|fault| {
        let reason = match fault {
            JsonFault::NotJson { .. } => "not_json",
            JsonFault::TooDeep => "too_deep",
            JsonFault::DuplicateKey(_) => "duplicate_key",
        };
        (reason, fault.to_string())
    })?;
    let not_ours = || ("not_log_event", "JSON, but not an object that could hold an event".to_owned());
    if !is_object(body) {
        return Err(not_ours());
    }
    serde_json::from_slice(body).map_err(|_| not_ours())
}

fn decode_shape(body: &[u8], shape: &Shape<'_>, orgs: &QueueOrgs) -> Vec<Result<Arrived, Poison>> {
    let whole = |reason, detail: String| vec![Err(Poison { reason, detail, bytes: body.to_vec() })];
    if let (Some(detail), Some(source)) = (shape.detail, shape.source.get()) {
        return match orgs.by_source(source) {
            Some(org) => {
                let arrived = event(detail.get().as_bytes(), org, body);
                vec![arrived.map(|arrived| Arrived { replayed: shape.replay.is_some(), ..arrived })]
            }
            None => whole("foreign_source", format!("no org of this queue has the source {source:?}")),
        };
    }
    let hook = shape.data.filter(|_| shape.uuid.is_none());
    let hook = hook.and_then(|data| serde_json::from_str::<HookData<'_>>(data.get()).ok());
    // Neither a hook nor a bare event names its org in a way that could be trusted on a shared queue.
    let Some(org) = orgs.only() else {
        return whole("org_unknown", "no envelope, and the queue carries several orgs".into());
    };
    match hook {
        Some(hook) => {
            hook.events.iter().map(|one| one.get().as_bytes()).map(|bytes| event(bytes, org, bytes)).collect()
        }
        None => vec![event(body, org, body)],
    }
}

/// A LogEvent as the System Log API gives it. `most` is the largest value that may be landed, bytes.
///
/// # Errors
/// Why it can never be landed.
pub fn log_event(bytes: &[u8], org: &OrgId, most: usize) -> Result<Arrived, Poison> {
    if bytes.len() > most {
        let detail = format!("{} bytes, more than the {most} that the landing log takes", bytes.len());
        return Err(Poison { reason: "too_large", detail, bytes: bytes.to_vec() });
    }
    event(bytes, org, bytes)
}

/// One LogEvent; `received` is what goes to quarantine if it is none.
fn event(bytes: &[u8], org: &OrgId, received: &[u8]) -> Result<Arrived, Poison> {
    let poison = |(reason, detail): Unfit| Poison { reason, detail: detail.into(), bytes: received.to_vec() };
    let (uuid, published) = identify(bytes).map_err(poison)?;
    Ok(Arrived { org: org.clone(), uuid, published, value: bytes.to_vec(), replayed: false })
}

/// Why something is no LogEvent: a reason code and more for people.
pub type Unfit = (&'static str, &'static str);

/// Uuid and `published`, ms since the Unix epoch, of one LogEvent. The JSON itself must have been checked.
///
/// # Errors
/// When it has none, or is no object.
pub fn identify(bytes: &[u8]) -> Result<(Uuid, i64), Unfit> {
    let identity: Option<Identity<'_>> = is_object(bytes).then(|| serde_json::from_slice(bytes).ok()).flatten();
    let identity = identity.ok_or(("not_log_event", "the event is not an object"))?;
    let uuid = identity.uuid.get().ok_or(("missing_uuid", "the event has no uuid"))?;
    let published = identity.published.get().and_then(parse_ms);
    let published = published.ok_or(("missing_published", "the event has no valid published time"))?;
    Ok((Uuid::try_parse(uuid).unwrap_or_else(|_| Uuid::new_v5(&ODD_UUIDS, uuid.as_bytes())), published))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const EVENT: &str = r#"{ "uuid":"dc9fd3c0-598c-11ef-8478-2b7584bf8d5a", "published":"2024-08-13T15:58:20.353Z" }"#;

    fn orgs(sources: &[(&str, Option<&str>)]) -> QueueOrgs {
        let orgs: Vec<_> = sources
            .iter()
            .map(|(id, source)| OrgConfig {
                id: (*id).into(),
                event_source: source.map(Into::into),
                ..OrgConfig::default()
            })
            .collect();
        let queue = QueueConfig { orgs: orgs.iter().map(|org| org.id.clone()).collect(), ..QueueConfig::default() };
        QueueOrgs::new(&queue, &orgs)
    }

    fn acme() -> QueueOrgs {
        orgs(&[("acme", Some("aws.partner/okta.com/acme"))])
    }

    fn envelope(source: &str) -> String {
        format!(r#"{{"version":"0","id":"1","detail-type":"SystemLog","source":"{source}","detail":{EVENT}}}"#)
    }

    fn reason(body: &[u8], orgs: &QueueOrgs) -> &'static str {
        let decoded = decode(body, orgs);
        assert_eq!(decoded.len(), 1);
        decoded[0].as_ref().unwrap_err().reason
    }

    #[test]
    fn every_accepted_shape_gives_the_event_byte_for_byte() {
        let enveloped = envelope("aws.partner/okta.com/acme/logs");
        let sns = json!({"Type": "Notification", "MessageId": "1", "Message": enveloped}).to_string();
        let hook = format!(
            r#"{{"eventType":"com.okta.event_hook","source":"https://acme.okta.com/api/v1/eventHooks/who1","data":{{"events":[{EVENT}]}}}}"#
        );
        for body in [EVENT, &enveloped, &sns, &hook] {
            let decoded = decode(body.as_bytes(), &acme());
            let arrived = decoded[0].as_ref().unwrap_or_else(|poison| panic!("{body}: {poison:?}"));
            assert_eq!(arrived.value, EVENT.as_bytes(), "{body}");
            assert_eq!((arrived.org.as_str(), arrived.published), ("acme", 1_723_564_700_353));
        }
    }

    #[test]
    fn an_event_of_a_replay_is_the_same_event_and_said_to_be_replayed() {
        let live = envelope("aws.partner/okta.com/acme/logs");
        let replayed = live.replace(r#""id":"1","#, r#""id":"2","replay-name":"last-week","#);
        let of = |body: &str| decode(body.as_bytes(), &acme())[0].clone().unwrap();
        assert!(!of(&live).replayed && of(&replayed).replayed);
        assert_eq!(Arrived { replayed: false, ..of(&replayed) }, of(&live), "the envelope's id is nothing to us");
        let sns = json!({"Type": "Notification", "Message": replayed}).to_string();
        assert!(of(&sns).replayed);
    }

    #[test]
    fn the_source_decides_the_org_by_whole_segments() {
        let two = orgs(&[("a", Some("aws.partner/okta.com/acme")), ("b", Some("aws.partner/okta.com/acme2"))]);
        let org = |source: &str| decode(envelope(source).as_bytes(), &two)[0].clone().map(|arrived| arrived.org);
        assert_eq!(org("aws.partner/okta.com/acme/logs"), Ok(OrgId::new("a")));
        assert_eq!(org("aws.partner/okta.com/acme2"), Ok(OrgId::new("b")));
        assert_eq!(org("aws.partner/okta.com/acme22/x").unwrap_err().reason, "foreign_source");
        assert_eq!(reason(EVENT.as_bytes(), &two), "org_unknown");
    }

    #[test]
    fn poison_has_a_reason_and_its_bytes() {
        let deep =
            format!(r#"{{"uuid":"1","published":"2024-08-13T15:58:20Z","x":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
        let large = format!(r#"{{"x":"{}"}}"#, "y".repeat(1 << 20));
        for (body, expected) in [
            (&b"hello"[..], "not_json"),
            (b"{\"uuid\":\"\xff\"}", "not_json"),
            (b"[1]", "not_log_event"),
            (b" []", "not_log_event"),
            (br#"{"source":"aws.partner/okta.com/acme","detail":[]}"#, "not_log_event"),
            (br#"{"hello":"world"}"#, "missing_uuid"),
            (br#"{"uuid":"u"}"#, "missing_published"),
            (br#"{"uuid":"u","published":"soon"}"#, "missing_published"),
            (br#"{"uuid":"u","uuid":"v"}"#, "duplicate_key"),
            (br#"{"Type":"Notification"}"#, "not_log_event"),
            (br#"{"Type":"Notification","Message":"x"}"#, "not_json"),
            (br#"{"source":"aws.partner/okta.com/acme","detail":7}"#, "not_log_event"),
            (deep.as_bytes(), "too_deep"),
            (large.as_bytes(), "too_large"),
        ] {
            assert_eq!(reason(body, &acme()), expected, "{}", String::from_utf8_lossy(&body[..body.len().min(80)]));
        }
        assert_eq!(reason(envelope("aws.partner/okta.com/evil/logs").as_bytes(), &acme()), "foreign_source");
    }

    #[test]
    fn one_bad_event_of_a_batch_does_not_take_the_others_along() {
        let body = format!(r#"{{"data":{{"events":[{EVENT},{{"bad":1}},{EVENT}]}}}}"#);
        let decoded = decode(body.as_bytes(), &acme());
        let fine: Vec<bool> = decoded.iter().map(Result::is_ok).collect();
        assert_eq!(fine, [true, false, true]);
        assert_eq!(decoded[1].as_ref().unwrap_err().bytes, br#"{"bad":1}"#);
    }

    #[test]
    fn a_body_of_one_mebibyte_lands() {
        let frame = EVENT.replace('}', r#","debugContext":"PAD"}"#);
        let body = frame.replace("PAD", &"x".repeat((1 << 20) - frame.len() + 3));
        assert_eq!(body.len(), 1 << 20);
        assert!(decode(body.as_bytes(), &acme())[0].is_ok());
    }
}
