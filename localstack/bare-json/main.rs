//! The floor beside which `okta-ocsf bench normalize` is read: what the plainest program does with the same bytes.
//!
//! For each event: a borrowed, typed `serde_json` parse of its text, and the serialisation of one fixed record into a
//! reused buffer. The record is a real one, of the size that the mapping writes on average for the file. Nothing is
//! decided, looked up, kept or checked. Prints one line like the benchmark does.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use okta_ocsf::ocsf::{EventTypes, Mapper, Options, Source};
use okta_ocsf::okta::OrgId;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
#[allow(dead_code)] // reading is the point
struct LogEvent<'a> {
    #[serde(borrow)]
    uuid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    published: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    severity: Option<Cow<'a, str>>,
    #[serde(borrow)]
    display_message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    legacy_event_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    actor: Option<Party<'a>>,
    #[serde(borrow)]
    target: Option<Vec<Party<'a>>>,
    #[serde(borrow)]
    client: Option<Client<'a>>,
    #[serde(borrow)]
    outcome: Option<Outcome<'a>>,
    #[serde(borrow)]
    authentication_context: Option<AuthenticationContext<'a>>,
    #[serde(borrow)]
    security_context: Option<SecurityContext<'a>>,
    #[serde(borrow)]
    transaction: Option<Transaction<'a>>,
    #[serde(borrow)]
    debug_context: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow)]
    request: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow)]
    device: Option<&'a serde_json::value::RawValue>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
#[allow(dead_code)]
struct Party<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    alternate_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    display_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    detail_entry: Option<&'a serde_json::value::RawValue>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
#[allow(dead_code)]
struct Client<'a> {
    #[serde(borrow)]
    zone: Option<Cow<'a, str>>,
    #[serde(borrow)]
    device: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ip_address: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user_agent: Option<UserAgent<'a>>,
    #[serde(borrow)]
    geographical_context: Option<GeographicalContext<'a>>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
#[allow(dead_code)]
struct UserAgent<'a> {
    #[serde(borrow)]
    raw_user_agent: Option<Cow<'a, str>>,
    #[serde(borrow)]
    os: Option<Cow<'a, str>>,
    #[serde(borrow)]
    browser: Option<Cow<'a, str>>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
#[allow(dead_code)]
struct GeographicalContext<'a> {
    #[serde(borrow)]
    city: Option<Cow<'a, str>>,
    #[serde(borrow)]
    state: Option<Cow<'a, str>>,
    #[serde(borrow)]
    country: Option<Cow<'a, str>>,
    #[serde(borrow)]
    postal_code: Option<&'a serde_json::value::RawValue>,
    geolocation: Option<Geolocation>,
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
#[allow(dead_code)]
struct Geolocation {
    lat: Option<f64>,
    lon: Option<f64>,
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
#[allow(dead_code)]
struct Outcome<'a> {
    #[serde(borrow)]
    result: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
#[allow(dead_code)]
struct AuthenticationContext<'a> {
    #[serde(borrow)]
    authentication_provider: Option<Cow<'a, str>>,
    #[serde(borrow)]
    credential_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    external_session_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    root_session_id: Option<Cow<'a, str>>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
#[allow(dead_code)]
struct SecurityContext<'a> {
    as_number: Option<i64>,
    #[serde(borrow)]
    as_org: Option<Cow<'a, str>>,
    #[serde(borrow)]
    isp: Option<Cow<'a, str>>,
    #[serde(borrow)]
    domain: Option<Cow<'a, str>>,
    is_proxy: Option<bool>,
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
#[allow(dead_code)]
struct Transaction<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

/// A record that stands ready to be written.
enum Fixed {
    Scalar(serde_json::Value),
    Array(Vec<Fixed>),
    Object(Vec<(String, Fixed)>),
}

impl Fixed {
    fn of(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Array(items) => Self::Array(items.into_iter().map(Self::of).collect()),
            serde_json::Value::Object(fields) => {
                Self::Object(fields.into_iter().map(|(name, value)| (name, Self::of(value))).collect())
            }
            scalar => Self::Scalar(scalar),
        }
    }
}

impl Serialize for Fixed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Scalar(value) => value.serialize(serializer),
            Self::Array(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| seq.serialize_element(item))?;
                seq.end()
            }
            Self::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
        }
    }
}

/// The record whose size is nearest to the average.
fn fixed_record(events: &[&[u8]]) -> Fixed {
    let mut mapper = Mapper::new(EventTypes::embedded(), Options { raw_data: true, unmapped: true });
    let org = OrgId::new("bench");
    let mapped = events.iter().map(|event| {
        let mut record = Vec::new();
        mapper.map(Source { org: &org, landed_at: None, bytes: event }, &mut record).expect("an event");
        record
    });
    let records: Vec<Vec<u8>> = mapped.collect();
    let average = records.iter().map(Vec::len).sum::<usize>() / records.len();
    let nearest = records.iter().min_by_key(|record| record.len().abs_diff(average)).expect("there are events");
    Fixed::of(serde_json::from_slice(nearest).expect("a record is JSON"))
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().expect("usage: bare-json FILE SECONDS");
    let seconds: f64 = arguments.next().and_then(|text| text.parse().ok()).expect("usage: bare-json FILE SECONDS");
    let text = std::fs::read(file).expect("the file can be read");
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let mut mapper = Mapper::new(EventTypes::embedded(), Options { raw_data: false, unmapped: false });
    let org = OrgId::new("bench");
    // The same events for both: what the mapper refuses, or the plain structs cannot hold, is left out.
    lines.retain(|line| {
        let source = Source { org: &org, landed_at: None, bytes: line };
        mapper.map(source, &mut Vec::new()).is_ok() && serde_json::from_slice::<LogEvent<'_>>(line).is_ok()
    });
    let record = fixed_record(&lines);
    let bytes: usize = lines.iter().map(|line| line.len()).sum();
    let mut out = Vec::new();
    let (mut rounds, begin) = (0u64, Instant::now());
    while begin.elapsed() < Duration::from_secs_f64(seconds) {
        for line in &lines {
            let event: LogEvent<'_> = serde_json::from_slice(line).expect("it was read before");
            std::hint::black_box(&event);
            out.clear();
            serde_json::to_writer(&mut out, &record).expect("a Vec takes everything");
            std::hint::black_box(&out);
        }
        rounds += 1;
    }
    let seconds = begin.elapsed().as_secs_f64();
    let events = rounds as f64 * lines.len() as f64;
    println!(
        "floor {:.0} events/s {:.1} MB/s {} B/event, {} B written",
        events / seconds,
        rounds as f64 * bytes as f64 / seconds / 1e6,
        bytes / lines.len(),
        out.len()
    );
}
