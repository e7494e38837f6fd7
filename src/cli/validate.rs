use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::is_broken_pipe;
use super::lines::Lines;
use crate::error::ExitStatus;
use crate::json::{Tape, Value};
use crate::kafka::MAX_MESSAGE_BYTES;
use crate::ocsf::validate::{Finding, Schema, Severity};

/// Lines longer than this are reported, not read: no record on Kafka is longer.
const MAX_LINE_BYTES: usize = MAX_MESSAGE_BYTES;

/// Check OCSF JSON lines against the OCSF schema, without any infrastructure
///
/// Each line is a record. What is wrong in it is reported with the number of the line, the broken rule and the place;
/// a summary follows, and the exit status is 1 if a record is not valid. Warnings do not make a record invalid.
#[derive(Args)]
#[command(after_help = "Examples:
  okta-ocsf transform events.ndjson | okta-ocsf validate
  okta-ocsf tail --from-start --until-end | okta-ocsf validate --json | jq .errors")]
pub struct Validate {
    /// File to read; standard input if absent or -
    file: Option<PathBuf>,
    /// How many errors to print, and how many warnings
    #[arg(long, value_name = "N", default_value_t = 20)]
    show: usize,
    /// Print one report, as JSON, when all is read
    #[arg(long)]
    json: bool,
}

impl Validate {
    pub fn main(&self) -> anyhow::Result<ExitStatus> {
        let mut report = Report { schema: Schema::embedded().version(), ..Report::default() };
        match self.validate(&mut report) {
            // Whoever read us has seen enough, as `head` does.
            Err(error) if is_broken_pipe(&error) => {}
            validated => validated?,
        }
        Ok(if report.invalid > 0 { ExitStatus::SomeFailed } else { ExitStatus::Ok })
    }

    fn validate(&self, report: &mut Report) -> anyhow::Result<()> {
        let mut lines = Lines::open(self.file.as_deref(), MAX_LINE_BYTES)?;
        let mut output = std::io::stdout().lock();
        let mut number = 0;
        while let Some(line) = lines.next().context("the input cannot be read")? {
            number += 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let (class, findings) = check(line);
            report.count_record(class, &findings);
            for finding in findings {
                let shown = report.count(&finding) <= self.show as u64;
                let finding = Placed { line: number, finding };
                match (shown, self.json) {
                    (false, _) => {}
                    (true, false) => writeln!(output, "{finding}")?,
                    (true, true) => report.findings.push(finding),
                }
            }
        }
        if self.json {
            serde_json::to_writer(&mut output, report).map_err(std::io::Error::from)?;
            writeln!(output)?;
        } else {
            write!(output, "{report}")?;
        }
        Ok(())
    }
}

/// The class of a record, as it claims, and what is wrong in the record.
fn check(line: &[u8]) -> (String, Vec<Finding>) {
    let unknown = || "unknown".to_owned();
    if line.len() > MAX_LINE_BYTES {
        return (unknown(), vec![Finding::too_long(MAX_LINE_BYTES)]);
    }
    let mut tape = Tape::default();
    match tape.read(line) {
        Ok(record) => {
            let uid = record.root().get("class_uid").and_then(Value::as_i64);
            let name = uid.and_then(|uid| Schema::embedded().class_name(uid));
            (name.map_or_else(unknown, str::to_owned), Schema::embedded().check_document(&record))
        }
        Err(fault) => (unknown(), vec![fault.into()]),
    }
}

/// A finding with the number of its line.
#[derive(Serialize)]
struct Placed {
    line: u64,
    #[serde(flatten)]
    finding: Finding,
}

impl fmt::Display for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { code, path, message, severity } = &self.finding;
        let warning = if *severity == Severity::Warning { " (warning)" } else { "" };
        let path = if path.is_empty() { "the record" } else { path };
        write!(f, "line {}: {code}{warning} at {path}: {message}", self.line)
    }
}

/// What was found in all lines.
#[derive(Default, Serialize)]
struct Report {
    schema: &'static str,
    records: u64,
    valid: u64,
    invalid: u64,
    with_warnings: u64,
    /// Findings by code.
    errors: BTreeMap<&'static str, u64>,
    warnings: BTreeMap<&'static str, u64>,
    /// Records by name of class.
    classes: BTreeMap<String, u64>,
    /// The first ones.
    findings: Vec<Placed>,
}

impl Report {
    fn count_record(&mut self, class: String, findings: &[Finding]) {
        let any = |severity| u64::from(findings.iter().any(|finding| finding.severity == severity));
        self.records += 1;
        self.invalid += any(Severity::Error);
        self.valid = self.records - self.invalid;
        self.with_warnings += any(Severity::Warning);
        *self.classes.entry(class).or_default() += 1;
    }

    /// Counts a finding; gives how many as severe ones there are now.
    fn count(&mut self, finding: &Finding) -> u64 {
        let of_severity = match finding.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *of_severity.entry(finding.code).or_default() += 1;
        of_severity.values().sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schema, records, valid, invalid, with_warnings, .. } = self;
        writeln!(
            f,
            "OCSF {schema}: {records} records, {valid} valid, {invalid} invalid, {with_warnings} with warnings"
        )?;
        write_counts(f, "classes", &self.classes)?;
        write_counts(f, "errors", &self.errors)?;
        write_counts(f, "warnings", &self.warnings)
    }
}

fn write_counts(f: &mut fmt::Formatter<'_>, title: &str, counts: &BTreeMap<impl fmt::Display, u64>) -> fmt::Result {
    if counts.is_empty() {
        return Ok(());
    }
    let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    writeln!(f, "{title}: {}", counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_records_by_class_and_findings_by_code() {
        let mut report = Report::default();
        for line in [r#"{"class_uid":3002}"#, r#"{"class_uid":1007}"#, "[]", "{"] {
            let (class, findings) = check(line.as_bytes());
            report.count_record(class, &findings);
            for finding in &findings {
                report.count(finding);
            }
        }
        assert_eq!((report.records, report.valid, report.invalid), (4, 0, 4));
        assert_eq!(
            report.classes.into_iter().collect::<Vec<_>>(),
            [("authentication".into(), 1), ("process_activity".into(), 1), ("unknown".into(), 2)]
        );
        assert_eq!(report.errors["json_invalid"], 1);
        assert_eq!(report.errors["class_uid_unknown"], 1);
        assert!(report.errors["attribute_required_missing"] > 5);
    }

    #[test]
    fn a_line_without_end_is_not_read_as_a_record() {
        let (class, findings) = check(&vec![b' '; MAX_LINE_BYTES + 1]);
        assert_eq!((class.as_str(), findings[0].code), ("unknown", "json_invalid"));
    }
}
