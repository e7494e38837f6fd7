//! Any text: read as the oracle reads it, or refused where the oracle refuses it or a rule of ours is broken.
#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_ocsf::json::{JsonFault, Kind, Tape, Value};
use serde_json::Value as Oracle;

fuzz_target!(|text: &[u8]| {
    let mut tape = Tape::default();
    let oracle = serde_json::from_slice::<Oracle>(text);
    match tape.read(text) {
        Ok(document) => {
            let oracle = oracle.unwrap_or_else(|error| panic!("the oracle refuses it: {error}"));
            compare(document.root(), &oracle);
        }
        Err(JsonFault::NotJson { what, .. }) => assert!(oracle.is_err(), "the oracle reads it, we say {what}"),
        Err(JsonFault::TooDeep | JsonFault::DuplicateKey(_)) => {}
    }
});

fn compare(value: Value<'_>, oracle: &Oracle) {
    match (value.kind(), oracle) {
        (Kind::Null, Oracle::Null) => {}
        (Kind::True, Oracle::Bool(true)) | (Kind::False, Oracle::Bool(false)) => {}
        (Kind::Integer | Kind::Float, Oracle::Number(number)) => {
            // The oracle writes the exponent in its own way.
            let plain = |text: &str| text.to_ascii_lowercase().replace("e+", "e");
            assert_eq!(plain(value.span()), plain(number.as_str()));
        }
        (Kind::String, Oracle::String(text)) => assert_eq!(value.decoded(), text.as_str()),
        (Kind::Array, Oracle::Array(items)) => {
            let mut children = value.children();
            items.iter().for_each(|item| compare(children.next().expect("an element"), item));
            assert!(children.next().is_none());
        }
        (Kind::Object, Oracle::Object(fields)) => {
            assert_eq!(value.children().count(), fields.len());
            for child in value.children() {
                compare(child, fields.get(&*child.key()).expect("a field"));
            }
        }
        (kind, other) => panic!("{kind:?} is not {other}"),
    }
}
