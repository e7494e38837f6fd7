use std::fmt::Write;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::ask::ask;
use super::words::{grouped, span};
use super::{ConfigArgument, print};
use crate::error::ExitStatus;
use crate::inspect::{Answer, Question, ShownFacet, ShownThing, Then, Thing};

/// Groups that are named; the rest are counted.
const MOST_GROUPS: usize = 20;

/// Show what is known of one thing, now or at a time, and from which observation
///
/// Asks the worker that runs with this configuration, or reads its data directory where none runs. Things are named by
/// their id, users also by their login, groups, applications and devices by their name.
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf show user alice@example.com
  okta-ocsf show user alice@example.com --at 2026-11-20T10:00Z
  okta-ocsf show group 00g1abcd --org acme --json | jq '.things[0].facets[].then'

Exit status: 1 if nothing is known of it.")]
pub struct Show {
    #[command(flatten)]
    config: ConfigArgument,
    /// What it is: user, group, app, device, or the name of a collection
    #[arg(value_name = "TYPE")]
    kind: String,
    /// Its id, login or name
    name: String,
    /// Of which org; needed where there are several
    #[arg(long)]
    org: Option<String>,
    /// As of this time (RFC 3339, such as 2026-11-20T10:00Z)
    #[arg(long, value_name = "TIME", value_parser = super::time)]
    at: Option<Timestamp>,
    /// One line of JSON instead of text
    #[arg(long)]
    json: bool,
}

impl Show {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        let config = self.config.load()?;
        let question = Question::Show {
            org: self.org.clone(),
            kind: self.kind.clone(),
            name: self.name.clone(),
            at: self.at.map(Timestamp::as_millisecond),
        };
        let Answer::Show(thing) = ask(&config, &question)?.answer else { return Ok(ExitStatus::Software) };
        if self.json {
            print(&format!("{}\n", serde_json::to_string(&thing)?))?;
        } else {
            print(&text(&thing, &self.name))?;
        }
        Ok(if thing.things.is_empty() { ExitStatus::SomeFailed } else { ExitStatus::Ok })
    }
}

fn text(thing: &Thing, name: &str) -> String {
    let mut text = String::new();
    if thing.things.is_empty() {
        let at = thing.at.map_or_else(String::new, |at| format!(" as of {}", time(at)));
        return format!("nothing is known in {} of a {} {name:?}{at}\n", thing.org, thing.kind);
    }
    for shown in &thing.things {
        // Writing into a text cannot fail.
        let _ = write_thing(&mut text, thing, shown);
    }
    text
}

fn write_thing(text: &mut String, thing: &Thing, shown: &ShownThing) -> std::fmt::Result {
    let at = thing.at.map_or_else(|| "now".to_owned(), |at| format!("at {}", time(at)));
    writeln!(text, "{} {} of {}, {at}", thing.kind, shown.id, thing.org)?;
    for facet in &shown.facets {
        write_facet(text, facet)?;
    }
    if shown.more {
        writeln!(text, "\n  … and more within it: name its collection instead")?;
    }
    if let Some(groups) = &shown.groups {
        let sure = if shown.groups_as_of { "" } else { " (as they are now: of that time nothing is kept)" };
        writeln!(text, "\n  in {} groups{sure}", grouped(groups.len() as u64))?;
        for group in groups.iter().take(MOST_GROUPS) {
            writeln!(text, "    {}  {}", group.id, group.name.as_deref().unwrap_or(""))?;
        }
        if groups.len() > MOST_GROUPS {
            writeln!(text, "    … and {} more", grouped((groups.len() - MOST_GROUPS) as u64))?;
        }
    }
    text.push('\n');
    Ok(())
}

fn write_facet(text: &mut String, facet: &ShownFacet) -> std::fmt::Result {
    writeln!(text, "\n  {} {}", facet.facet, facet.key)?;
    match &facet.then {
        Then::Known { body, since, until, as_of, confirmed_as_of, cause, epoch, staleness_ms } => {
            let until = until.map_or_else(|| "now".to_owned(), time);
            writeln!(text, "    so from {} until {until}", time(*since))?;
            let epoch = epoch.map_or_else(String::new, |epoch| format!(", in the snapshot of {}", time(epoch)));
            writeln!(text, "    known by {cause}{epoch}; read between {} and {}", time(as_of.0), time(as_of.1))?;
            let stale = span(Duration::from_millis(u64::try_from(*staleness_ms).unwrap_or(0)));
            writeln!(text, "    last seen to be so {}, {stale} before", time(*confirmed_as_of))?;
            let pretty = serde_json::to_string_pretty(body).unwrap_or_default();
            for line in pretty.lines() {
                writeln!(text, "      {line}")?;
            }
        }
        Then::Gone { since, until, as_of, cause } => {
            let until = until.map_or_else(|| "now".to_owned(), time);
            writeln!(text, "    gone from {} until {until}", time(*since))?;
            writeln!(text, "    known by {cause}; asked for between {} and {}", time(as_of.0), time(as_of.1))?;
        }
        Then::NotKept => writeln!(text, "    known then, but not kept any more")?,
        Then::NotYet { first } => writeln!(text, "    not known then; first seen {}", time(*first))?,
    }
    if facet.versions.len() > 1 {
        let versions = facet.versions.iter().map(|version| {
            format!("{}{} ({})", time(version.since), if version.gone { " gone" } else { "" }, version.cause)
        });
        writeln!(text, "    versions kept: {}", versions.collect::<Vec<_>>().join("; "))?;
    }
    Ok(())
}

fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| "-".to_owned(), |time| format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::ShownGroup;

    fn known(then: Then) -> Thing {
        let facet = ShownFacet { facet: "user.core".into(), key: "00u1".into(), then, versions: Vec::new() };
        let groups = Some(vec![ShownGroup { id: "00g1".into(), name: Some("Engineering".into()) }]);
        let thing = ShownThing { id: "00u1".into(), facets: vec![facet], more: false, groups, groups_as_of: true };
        Thing { org: "acme".into(), kind: "user".into(), at: Some(10_000), now: 20_000, things: vec![thing] }
    }

    #[test]
    fn what_was_known_is_shown_with_where_it_comes_from() {
        let shown = text(
            &known(Then::Known {
                body: serde_json::json!({"status": "SUSPENDED"}),
                since: 1_000,
                until: None,
                as_of: (2_000, 3_000),
                confirmed_as_of: 5_000,
                cause: "event 6e64d6e4-5f21-4c4f-9f6e-6a5bb2a1e9d1".into(),
                epoch: None,
                staleness_ms: 5_000,
            }),
            "alice@example.com",
        );
        for expected in [
            "at 1970-01-01T00:00:10.000Z",
            "\"status\": \"SUSPENDED\"",
            "known by event 6e64d6e4",
            "5 s before",
            "Engineering",
        ] {
            assert!(shown.contains(expected), "{expected}: {shown}");
        }
    }

    #[test]
    fn what_was_not_known_is_said() {
        assert!(text(&known(Then::NotYet { first: 15_000 }), "x").contains("first seen 1970-01-01T00:00:15.000Z"));
        let nothing = Thing { things: Vec::new(), ..known(Then::NotKept) };
        assert_eq!(
            text(&nothing, "bob"),
            "nothing is known in acme of a user \"bob\" as of 1970-01-01T00:00:10.000Z\n"
        );
    }
}
