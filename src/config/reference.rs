//! Prints the configuration's manual from its types.

use std::fmt::Write as _;

use schemars::schema_for;
use serde_json::{Map, Value};

use super::Config;

/// The JSON Schema of the configuration, for editors.
pub fn schema() -> Value {
    schema_for!(Config).to_value()
}

/// Every table and key with its meaning, type and default, as a TOML file in which everything is a comment.
pub fn reference() -> String {
    let schema = schema();
    let mut text = String::from(
        "# Every key of the configuration. What is commented out is the default or an example; unknown keys are errors.\n\
         # Any key can be overridden by an environment variable: OKTA_OCSF__KAFKA__BROKERS, OKTA_OCSF__QUEUE__0__URL.\n",
    );
    tables(&schema, &schema, "", false, &mut text);
    text
}

/// Writes the scalar keys of one table, then its sub-tables. The schema is ours and not recursive.
fn tables(root: &Value, schema: &Value, path: &str, list: bool, text: &mut String) {
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    if !path.is_empty() {
        let heading = if list { format!("[[{path}]]") } else { format!("[{path}]") };
        let _ = write!(text, "\n# {}\n", "-".repeat(60));
        comment(schema["description"].as_str().unwrap_or_default(), text);
        let _ = writeln!(text, "# {heading}");
    }
    for (key, property) in properties {
        if sub_table(root, property).is_none() {
            let _ = writeln!(text);
            comment(property["description"].as_str().unwrap_or_default(), text);
            let _ = writeln!(text, "# {key} = {}", example(root, property));
        }
    }
    for (key, property) in properties {
        if let Some((inner, list)) = sub_table(root, property) {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let mut inner = inner.clone();
            if let Some(description) = property.get("description") {
                inner["description"] = description.clone();
            }
            tables(root, &inner, &path, list, text);
        }
    }
}

/// The schema behind a property that is a table or a list of tables.
fn sub_table<'s>(root: &'s Value, property: &'s Value) -> Option<(&'s Value, bool)> {
    if let Some(items) = property.get("items") {
        return sub_table(root, items).map(|(inner, _)| (inner, true));
    }
    let inner = resolve(root, property);
    inner.get("properties").is_some().then_some((inner, false))
}

/// Follows a reference, also inside `anyOf` with null, as optional values are written.
fn resolve<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let options = schema["anyOf"].as_array();
    let optional = options.and_then(|options| options.iter().find(|option| option["type"] != "null"));
    let schema = optional.unwrap_or(schema);
    match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => root.pointer(pointer).unwrap_or(schema),
        None => schema,
    }
}

fn example(root: &Value, property: &Value) -> String {
    match &property["default"] {
        Value::Null => placeholder(root, property),
        default => default.to_string(),
    }
}

fn placeholder(root: &Value, property: &Value) -> String {
    let inner = resolve(root, property);
    if inner["description"].as_str().is_some_and(|text| text.starts_with("A secret:")) {
        return "{ env = \"NAME\" }   # or { file = \"/path\" }".into();
    }
    let kinds = match &inner["type"] {
        Value::Array(kinds) => kinds.first().cloned().unwrap_or_default(),
        kind => kind.clone(),
    };
    match kinds.as_str() {
        Some("integer") => "0".into(),
        Some("boolean") => "false".into(),
        Some("array") => "[]".into(),
        _ => "\"…\"".into(),
    }
}

fn comment(text: &str, out: &mut String) {
    // Doc comments are wrapped for the source; they are wrapped anew here.
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.chars().count() + word.chars().count() > 110 {
            let _ = writeln!(out, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_printed_with_its_meaning() {
        let text = reference();
        for expected in [
            "# [[queue]]",
            "# [kafka.security.oauth]",
            "# receivers = 2",
            "# roles = [\"ingest\"",
            "{ env = \"NAME\" }",
        ] {
            assert!(text.contains(expected), "{expected} is missing in:\n{text}");
        }
        assert!(!text.contains("\n#\n# "), "a key has no description:\n{text}");
    }

    #[test]
    fn the_schema_beside_the_code_is_the_one_of_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/config.schema.json");
        let expected = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(path, &expected).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == expected, "run `UPDATE_SCHEMAS=1 cargo test --lib schema` and commit the result");
    }
}
