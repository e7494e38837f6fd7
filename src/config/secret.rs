use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// A secret that the configuration only points at: `{ env = "NAME" }` or `{ file = "/path" }`.
///
/// It is read once, when the configuration is loaded. It has no `Display`, its `Debug` says nothing, and it cannot be
/// serialised, so it cannot reach a log, a metric or a record by accident.
#[derive(Clone, Deserialize)]
#[serde(try_from = "Pointer")]
pub struct Secret(SecretString);

#[derive(Deserialize)]
#[serde(untagged, expecting = "a secret is given as { env = \"NAME\" } or { file = \"/path\" }, never as text")]
enum Pointer {
    Env(EnvPointer),
    File(FilePointer),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvPointer {
    env: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePointer {
    file: PathBuf,
}

impl Secret {
    /// The secret itself; call this only where it leaves for its destination.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl TryFrom<Pointer> for Secret {
    type Error = String;

    fn try_from(pointer: Pointer) -> Result<Self, String> {
        let text = match pointer {
            Pointer::Env(EnvPointer { env }) => std::env::var(&env)
                .map_err(|_| format!("the environment variable {env} with a secret is not set (or not text)"))?,
            Pointer::File(FilePointer { file }) => std::fs::read_to_string(&file)
                .map_err(|error| format!("the file {} with a secret cannot be read: {error}", file.display()))?,
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err("a secret is empty".into());
        }
        Ok(Self(SecretString::from(text)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A secret: { env = \"NAME\" } or { file = \"/path\" }.",
            "oneOf": [
                {"type": "object", "properties": {"env": {"type": "string"}}, "required": ["env"], "additionalProperties": false},
                {"type": "object", "properties": {"file": {"type": "string"}}, "required": ["file"], "additionalProperties": false},
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug)]
    struct Holder {
        password: Secret,
    }

    #[test]
    fn a_secret_comes_from_a_file_and_never_shows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter2\n").unwrap();
        let holder: Holder = toml::from_str(&format!("password = {{ file = {path:?} }}")).unwrap();
        assert_eq!(holder.password.expose(), "hunter2");
        assert_eq!(format!("{holder:?}"), "Holder { password: [redacted] }");
    }

    #[test]
    fn a_secret_as_text_is_refused_without_repeating_it_in_the_reason() {
        let error = toml::from_str::<Holder>("password = 'hunter2'").unwrap_err();
        assert!(error.message().contains("never as text"), "{error}");
        assert!(!error.message().contains("hunter2"));
        let error = toml::from_str::<Holder>("password = { env = 'OKTA_OCSF_TEST_NO_SUCH' }").unwrap_err();
        assert!(error.message().contains("variable OKTA_OCSF_TEST_NO_SUCH with a secret is not set"), "{error}");
    }
}
