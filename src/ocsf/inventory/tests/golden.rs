//! Objects in `golden` and their records. `UPDATE_GOLDEN=1 cargo test --lib inventory` writes the records anew: read
//! the difference before you commit it.

use super::*;

#[test]
fn every_golden_object_gives_its_record() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut different = Vec::new();
    for (name, case) in golden_cases() {
        let record = format!("{:#}\n", case.record());
        let file = golden_folder().join(format!("{name}.out.json"));
        if update {
            std::fs::write(&file, record).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        let lines: Vec<&str> = record.lines().filter(|line| !expected.lines().any(|known| known == *line)).collect();
        if record != expected {
            different.push(format!("{name}: {}", lines.join("\n")));
        }
    }
    assert!(different.is_empty(), "{}\nUPDATE_GOLDEN=1 accepts this", different.join("\n"));
}

#[test]
fn every_golden_record_has_its_object_and_every_class_one() {
    let cases = golden_cases();
    for entry in std::fs::read_dir(golden_folder()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let name = file.strip_suffix(".in.json").or_else(|| file.strip_suffix(".out.json"));
        assert!(name.is_some_and(|name| cases.iter().any(|(known, _)| known == name)), "{file} is of no golden object");
    }
    for class in Class::ALL.into_iter().filter(|class| class.is_inventory()) {
        assert!(cases.iter().any(|(_, case)| case.record()["class_uid"] == class.uid()), "{class:?}");
    }
}
