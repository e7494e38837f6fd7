use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::{Value, json};

use super::lines::Lines;
use super::transform::MAX_LINE_BYTES;
use crate::config::PublishConfig;
use crate::error::{ExitStatus, Fatal};
use crate::ocsf::{Destination, Entry, EventTypes, Known, Leaf, Mapped, Mapper, Options, Source, specimen};
use crate::okta::OrgId;

/// Longer values are cut in the table; `--json` has them whole.
const VALUE_WIDTH: usize = 40;

/// Show how an event type, or each value of a given event, is mapped
///
/// With an event type: its class and activity, and the field table of an event of that type in which every field that
/// the mapping knows is filled. With --input: where each value of the events in a file went.
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf explain user.session.start
  okta-ocsf explain --input event.json
  head -1 events.ndjson | okta-ocsf explain --input - --json | jq .fields")]
pub struct Explain {
    /// Okta's event type
    #[arg(required_unless_present = "input", conflicts_with = "input")]
    event_type: Option<String>,
    /// A file with one LogEvent, or one on each line; - is standard input
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// One JSON object for each event instead of tables
    #[arg(long)]
    json: bool,
    /// A file of event types that override the built-in ones, as `publish.event_types` in the configuration
    #[arg(long, value_name = "FILE")]
    event_types: Option<PathBuf>,
}

impl Explain {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        let types =
            PublishConfig { event_types: self.event_types.clone(), ..PublishConfig::default() }.event_types()?;
        let mut mapper = Mapper::new(types, Options { raw_data: true, unmapped: true });
        match &self.event_type {
            Some(event_type) => self.event_type(&mut mapper, event_type),
            None => self.events(&mut mapper),
        }
    }

    fn event_type(&self, mapper: &mut Mapper, event_type: &str) -> anyhow::Result<ExitStatus> {
        let (known, entry) = mapper.entry(event_type);
        if known == Known::Unknown {
            let what = format!("{event_type} is not a known event type; events of it become Base Events");
            return Err(Fatal::new(ExitStatus::SomeFailed, what).hint(similar_or_list(event_type)).into());
        }
        if known == Known::Family && !self.json {
            eprintln!("{event_type} is not in the table; {}", similar_or_list(event_type));
        }
        let entry = entry.into_owned();
        let specimen = specimen(event_type, &entry);
        self.explain(mapper, specimen.as_bytes(), Some((known, &entry)))
    }

    fn events(&self, mapper: &mut Mapper) -> anyhow::Result<ExitStatus> {
        let mut lines = Lines::open(self.input.as_deref(), MAX_LINE_BYTES)?;
        let mut text = Vec::new();
        while let Some(line) = lines.next().context("the input cannot be read")? {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        let mut status = ExitStatus::Ok;
        for event in events_in(&text) {
            if self.explain(mapper, event, None)? != ExitStatus::Ok {
                status = ExitStatus::SomeFailed;
            }
        }
        Ok(status)
    }

    fn explain(&self, mapper: &mut Mapper, event: &[u8], known: Option<(Known, &Entry)>) -> anyhow::Result<ExitStatus> {
        let org = OrgId::new("okta");
        let mut record = Vec::new();
        let explained = mapper.explain(Source { org: &org, landed_at: None, bytes: event }, &mut record);
        let (mapped, leaves) = match explained {
            Ok(explained) => explained,
            Err(error) => {
                eprintln!("{}: {}", error.reason(), crate::error::Chain(&error));
                return Ok(ExitStatus::SomeFailed);
            }
        };
        let record: Value = serde_json::from_slice(&record).context("the record is no JSON")?;
        let text =
            if self.json { as_json(mapped, &leaves, &record)? } else { as_table(mapped, &leaves, &record, known) };
        super::print(&text)?;
        Ok(ExitStatus::Ok)
    }
}

/// One event in the whole text, as a pretty print, or one on each line.
fn events_in(text: &[u8]) -> Vec<&[u8]> {
    if crate::json::check(text).is_ok() {
        return vec![text];
    }
    text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).collect()
}

fn as_json(mapped: Mapped, leaves: &[Leaf], record: &Value) -> anyhow::Result<String> {
    let fields: Vec<Value> = leaves
        .iter()
        .map(|leaf| {
            let value: Value = serde_json::from_str(&leaf.value).unwrap_or_default();
            match &leaf.destination {
                Destination::Attributes(paths) => json!({"field": leaf.path, "value": value, "attributes": paths}),
                Destination::Unmapped(path) => json!({"field": leaf.path, "value": value, "unmapped": path}),
                Destination::RawDataOnly => json!({"field": leaf.path, "value": value, "raw_data_only": true}),
            }
        })
        .collect();
    let explained = json!({
        "class": mapped.class.name(), "class_uid": mapped.class.uid(), "activity_id": record["activity_id"],
        "activity_name": record["activity_name"], "fields": fields,
    });
    Ok(serde_json::to_string(&explained)? + "\n")
}

fn as_table(mapped: Mapped, leaves: &[Leaf], record: &Value, known: Option<(Known, &Entry)>) -> String {
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let mut facts = vec![
        ("event type", record["metadata"]["event_code"].as_str().unwrap_or("-").to_owned()),
        ("class", format!("{} ({})", text("class_name"), mapped.class.uid())),
        ("category", text("category_name")),
        ("activity", format!("{} ({})", text("activity_name"), record["activity_id"])),
        ("topic", format!("<publish.topic_prefix>.{}", mapped.class.name())),
    ];
    if let Some((known, entry)) = known {
        let source = if known == Known::Listed { "its own row of the table" } else { "the rule of its family" };
        facts.push(("known by", source.to_owned()));
        if !entry.entity.is_empty() {
            facts.push(("about", entry.entity.clone()));
        }
    }
    let head: String = facts.iter().map(|(name, value)| format!("{name:<11} {value}\n")).collect();
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["field", "value", "goes to"]);
    for leaf in leaves {
        table.add_row([leaf.path.clone(), cut(&leaf.value), destination(&leaf.destination)]);
    }
    format!("{head}\n{table}\n\n")
}

fn destination(destination: &Destination) -> String {
    match destination {
        Destination::Attributes(paths) => paths.join("\n"),
        Destination::Unmapped(path) => path.clone(),
        Destination::RawDataOnly => "(only in raw_data)".to_owned(),
    }
}

fn cut(value: &str) -> String {
    if value.chars().count() <= VALUE_WIDTH {
        return value.to_owned();
    }
    value.chars().take(VALUE_WIDTH - 1).chain(['…']).collect()
}

/// What a person who mistyped a type may have meant.
fn similar_or_list(event_type: &str) -> String {
    match similar(event_type) {
        names if names.is_empty() => "schemas/event-types.csv lists all types".to_owned(),
        names => format!("similar types: {}", names.join(", ")),
    }
}

/// Known types that share the most words with a name.
fn similar(event_type: &str) -> Vec<String> {
    let types = EventTypes::embedded();
    let words: Vec<&str> = event_type.split(['.', '_']).filter(|word| word.len() > 2).collect();
    let shared = |name: &str| name.split(['.', '_']).filter(|word| words.contains(word)).count();
    let mut names: Vec<(usize, &str)> = types.names().into_iter().map(|name| (shared(name), name)).collect();
    names.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    names.into_iter().filter(|(shared, _)| *shared > 0).take(5).map(|(_, name)| name.to_owned()).collect()
}
