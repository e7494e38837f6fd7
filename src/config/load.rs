use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::{Config, validate};

/// Variables that start with this override the file: `OKTA_OCSF__KAFKA__BROKERS`, `OKTA_OCSF__QUEUE__0__URL`.
pub const ENV_PREFIX: &str = "OKTA_OCSF__";

/// Why there is no usable configuration. Never repeats a value: a misplaced secret must not reach a log.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML, or has a key or type that is not known.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Rejected {
        /// Which file.
        path: PathBuf,
        /// Line of the offending key, from 1.
        line: usize,
        /// Column of the offending key, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// An overriding variable does not fit.
    #[error("the environment variable {name}: {message}")]
    Override {
        /// Which variable.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// Everything is of the right type, but it cannot work.
    #[error("the configuration cannot work:\n{}", problems.iter().map(|p| format!("  - {p}")).collect::<Vec<_>>().join("\n"))]
    Invalid {
        /// All problems, each with its key.
        problems: Vec<String>,
    },
}

/// Reads the file, lays `environment` over it, and validates the result.
///
/// # Errors
/// The first unreadable thing, or all problems of a readable configuration at once.
pub fn load(path: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Config, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let rejected = |error: &toml::de::Error| locate(path, &text, error);
    // From the text first: only here does an error know its line.
    toml::from_str::<Config>(&text).map_err(|error| rejected(&error))?;
    let mut table: Table = toml::from_str(&text).map_err(|error| rejected(&error))?;
    for (name, value) in overrides(environment) {
        let problem = |message: String| ConfigError::Override { name: name.clone(), message };
        lay_over(&mut table, &name[ENV_PREFIX.len()..], &value).map_err(problem)?;
        // After each one, so that the variable at fault is the one that is named.
        Config::deserialize(table.clone()).map_err(|error| problem(without_values(error.message())))?;
    }
    let config = Config::deserialize(table).map_err(|error| rejected(&error))?;
    let problems = validate::problems(&config);
    if problems.is_empty() { Ok(config) } else { Err(ConfigError::Invalid { problems }) }
}

fn overrides(environment: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut found: Vec<_> = environment.filter(|(name, _)| name.starts_with(ENV_PREFIX)).collect();
    found.sort();
    found
}

fn lay_over(table: &mut Table, path: &str, text: &str) -> Result<(), String> {
    let keys: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
    let Some((last, parents)) = keys.split_last().filter(|_| !keys.iter().any(String::is_empty)) else {
        return Err("the name must be keys joined by two underscores".into());
    };
    let mut place = table;
    let mut parents = parents.iter().peekable();
    while let Some(key) = parents.next() {
        // `[[queue]]` is a list: a number picks its entry, and the number after the last one adds an entry.
        let index = parents.next_if(|next| next.parse::<usize>().is_ok());
        let index = index.and_then(|text| text.parse::<usize>().ok());
        place = match index {
            None => table_at(place, key)?,
            Some(index) => entry_at(place, key, index)?,
        };
    }
    place.insert(last.clone(), parse(text));
    Ok(())
}

fn table_at<'t>(place: &'t mut Table, key: &str) -> Result<&'t mut Table, String> {
    let value = place.entry(key).or_insert_with(|| Value::Table(Table::new()));
    value.as_table_mut().ok_or_else(|| format!("{key} is not a table"))
}

fn entry_at<'t>(place: &'t mut Table, key: &str, index: usize) -> Result<&'t mut Table, String> {
    let list = place.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    let list = list.as_array_mut().ok_or_else(|| format!("{key} is not a list"))?;
    if index == list.len() {
        list.push(Value::Table(Table::new()));
    }
    let entry = list.get_mut(index).ok_or_else(|| format!("{key} has no entry {index}"))?;
    entry.as_table_mut().ok_or_else(|| format!("{key} {index} is not a table"))
}

/// A TOML value where the text is one (numbers, booleans, lists, tables), otherwise the text itself.
fn parse(text: &str) -> Value {
    let wrapped: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    match wrapped.ok().and_then(|mut table| table.remove("value")) {
        Some(value) if !value.is_datetime() => value,
        _ => Value::String(text.to_owned()),
    }
}

fn locate(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let before = text.get(..start).unwrap_or_default();
    ConfigError::Rejected {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1,
        message: without_values(error.message()),
    }
}

/// What is wrong without the value that is: a secret may stand where it does not belong.
fn without_values(message: &str) -> String {
    for (start, mark) in [("invalid type: string ", '"'), ("invalid value: string ", '"'), ("unknown variant ", '`')] {
        let quoted = message.strip_prefix(start).and_then(|rest| rest.strip_prefix(mark));
        // What comes behind the value is ours: the expectation.
        if let Some((_, expectation)) = quoted.and_then(|rest| rest.rsplit_once(&format!("{mark}, expected"))) {
            return format!("{}, expected{expectation}", start.trim_end());
        }
    }
    message.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "[[org]]\nid = 'acme'\n[[queue]]\nurl = 'http://localhost/q'\norgs = ['acme']\n";

    fn load_text(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.toml");
        std::fs::write(&path, text).unwrap();
        load(&path, environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place() {
        let error = load_text("[worker]\nrolls = ['ingest']\n", &[]).unwrap_err();
        let ConfigError::Rejected { line, message, .. } = &error else { panic!("{error}") };
        assert_eq!(*line, 2);
        assert!(message.contains("`rolls`") && message.contains("`roles`"), "{message}");
    }

    #[test]
    fn an_error_never_repeats_a_misplaced_secret() {
        for (key, expected) in [
            ("password = 'hunter2'", "never as text"),
            ("mechanism = 'hunter2'", "unknown variant, expected one of"),
            ("protocol = \"hunter2`, expected\"", "unknown variant, expected one of"),
            ("oauth = 'hunter2'", "invalid type: string, expected"),
        ] {
            let text = format!("{MINIMAL}[kafka]\nbrokers = 'b:1'\n[kafka.security]\n{key}\n");
            let error = load_text(&text, &[]).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
        let error = load_text(MINIMAL, &[("OKTA_OCSF__KAFKA__SECURITY", "hunter2")]).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn the_environment_overrides_tables_lists_and_types() {
        let config = load_text(
            MINIMAL,
            &[
                ("OKTA_OCSF__KAFKA__BROKERS", "broker:9092"),
                ("OKTA_OCSF__QUEUE__0__RECEIVERS", "7"),
                ("OKTA_OCSF__WORKER__ROLES", "['ingest']"),
                ("OKTA_OCSF__ORG__1__ID", "globex"),
                ("OKTA_OCSF_OTHER", "is not ours"),
            ],
        )
        .unwrap();
        assert_eq!(config.kafka.as_ref().unwrap().brokers, "broker:9092");
        assert_eq!(config.queues[0].receivers, 7);
        assert_eq!(config.worker.roles, [super::super::Role::Ingest]);
        assert_eq!(config.orgs[1].id, "globex");
    }

    #[test]
    fn an_override_that_does_not_fit_is_named() {
        for (name, value, expected) in [
            ("OKTA_OCSF__KAFKA__BROKER", "x", "`broker`"),
            ("OKTA_OCSF__QUEUE__5__URL", "x", "no entry 5"),
            ("OKTA_OCSF__QUEUE__0__RECEIVERS", "many", "invalid type"),
            ("OKTA_OCSF__WORKER", "1", "invalid type"),
        ] {
            let error = load_text(MINIMAL, &[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn all_problems_are_said_at_once() {
        let error = load_text("[worker]\nroles = []\n[[queue]]\norgs = ['nobody']\n", &[]).unwrap_err();
        let ConfigError::Invalid { problems } = &error else { panic!("{error}") };
        assert!(problems.len() >= 3, "{problems:?}");
    }
}
