//! The floor beside which `okta-ocsf bench normalize` is read: what the plainest program does with the same bytes.
//!
//! For each event: a borrowed, typed `serde_json` parse of its text, and the serialisation of one fixed record into a
//! reused buffer. The record is a real one, of the size that the mapping writes on average for the file. Nothing is
//! decided, looked up, kept or checked. Prints one line like the benchmark does.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use anyhow::Context as _;
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
fn fixed_record(events: &[&[u8]]) -> anyhow::Result<Fixed> {
    let mut mapper = Mapper::new(EventTypes::embedded(), Options { raw_data: true, unmapped: true });
    let mut records = Vec::new();
    for event in events {
        let mut record = Vec::new();
        mapper.map(Source { org: &OrgId::new("bench"), landed_at: None, bytes: event }, &mut record)?;
        records.push(record);
    }
    let average = records.iter().map(Vec::len).sum::<usize>() / records.len().max(1);
    let nearest = records.iter().min_by_key(|record| record.len().abs_diff(average)).context("no events")?;
    Ok(Fixed::of(serde_json::from_slice(nearest)?))
}

/// The lines that both can read: what the mapper refuses, or the plain structs cannot hold, is left out.
fn events(text: &[u8]) -> Vec<&[u8]> {
    let mut mapper = Mapper::new(EventTypes::embedded(), Options { raw_data: false, unmapped: false });
    let org = OrgId::new("bench");
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    lines.retain(|line| {
        let source = Source { org: &org, landed_at: None, bytes: line };
        mapper.map(source, &mut Vec::new()).is_ok() && serde_json::from_slice::<LogEvent<'_>>(line).is_ok()
    });
    lines
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (file, seconds) = arguments.next().zip(arguments.next()).context("usage: bare-json FILE SECONDS")?;
    let limit = Duration::try_from_secs_f64(seconds.parse()?)?;
    let text = std::fs::read(file)?;
    let events = events(&text);
    let record = fixed_record(&events)?;
    let bytes: usize = events.iter().map(|event| event.len()).sum();
    let mut out = Vec::new();
    let (mut rounds, begin) = (0u64, Instant::now());
    while begin.elapsed() < limit {
        for event in &events {
            let event: LogEvent<'_> = serde_json::from_slice(event)?;
            std::hint::black_box(&event);
            out.clear();
            serde_json::to_writer(&mut out, &record)?;
            std::hint::black_box(&out);
        }
        rounds += 1;
    }
    let seconds = begin.elapsed().as_secs_f64();
    let read = rounds as f64 * events.len() as f64;
    println!(
        "floor {:.0} events/s {:.1} MB/s {} B/event, {} B written",
        read / seconds,
        rounds as f64 * bytes as f64 / seconds / 1e6,
        bytes / events.len(),
        out.len()
    );
    Ok(())
}
