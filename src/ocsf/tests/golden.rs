//! Events in `tests/golden` and their records. `UPDATE_GOLDEN=1 cargo test golden` writes the records anew: read the
//! difference before you commit it.

use std::collections::BTreeMap;

use super::accounting::Step;
use super::*;

fn golden_record(name: &str, event: &str) -> Value {
    let (_, record) = record_of(&mut mapper(KEPT), event.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_valid(&record, &name);
    serde_json::from_slice(&record).unwrap()
}

#[test]
fn every_golden_event_gives_its_record() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut differences = String::new();
    for (name, event) in golden_events() {
        let record = golden_record(&name, &event);
        let file = golden_folder().join(format!("{name}.out.json"));
        if update {
            std::fs::write(&file, format!("{record:#}\n")).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_else(|_| "{}".to_owned());
        let expected: Value =
            serde_json::from_str(&expected).unwrap_or_else(|error| panic!("{name}.out.json: {error}"));
        if record != expected {
            differences += &format!("\n{name} (-expected +got)\n{}", difference(&expected, &record));
        }
    }
    assert!(differences.is_empty(), "{differences}\nUPDATE_GOLDEN=1 accepts this");
}

#[test]
fn every_golden_record_has_its_event() {
    let names: Vec<String> = golden_events().into_iter().map(|(name, _)| name).collect();
    assert!(names.len() > 50);
    for entry in std::fs::read_dir(golden_folder()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let name = file.strip_suffix(".in.json").or_else(|| file.strip_suffix(".out.json"));
        assert!(name.is_some_and(|name| names.iter().any(|known| known == name)), "{file} is of no golden event");
    }
}

#[test]
fn there_is_a_golden_event_of_every_class_of_events() {
    let mut mapper = mapper(KEPT);
    let found: Vec<Class> =
        golden_events().iter().map(|(_, event)| record_of(&mut mapper, event.as_bytes()).unwrap().0.class).collect();
    for class in Class::ALL.into_iter().filter(|class| class.is_of_events()) {
        assert!(found.contains(&class), "{class:?}");
    }
}

/// The scalars that differ, by their paths.
pub fn difference(expected: &Value, got: &Value) -> String {
    let (expected, got) = (flat(expected), flat(got));
    let mut lines = BTreeMap::new();
    for (path, value) in expected.iter().filter(|(path, value)| got.get(*path) != Some(value)) {
        lines.entry(path).or_insert_with(String::new).push_str(&format!("  - {path}: {value}\n"));
    }
    for (path, value) in got.iter().filter(|(path, value)| expected.get(*path) != Some(value)) {
        lines.entry(path).or_insert_with(String::new).push_str(&format!("  + {path}: {value}\n"));
    }
    lines.into_values().collect()
}

fn flat(value: &Value) -> BTreeMap<String, String> {
    let path = |steps: Vec<Step>| {
        let steps = steps.into_iter().map(|step| match step {
            Step::Key(key) => format!(".{key}"),
            Step::Index(index) => format!("[{index}]"),
        });
        steps.collect::<String>()
    };
    accounting::leaves_of(value).into_iter().map(|(steps, leaf)| (path(steps), leaf.to_string())).collect()
}
