use super::*;

#[test]
fn every_row_is_readable_and_unique() {
    let mut seen = std::collections::HashSet::new();
    for (line, row) in (2..).zip(rows(include_str!("../../../schemas/event-types.csv"))) {
        let (name, _) = row.unwrap_or_else(|problem| panic!("line {line}: {problem}"));
        assert!(seen.insert(name.clone()), "{name} appears twice");
    }
    assert!(seen.len() >= 1274);
    for (line, family) in (2..).zip(families(include_str!("../../../schemas/event-families.csv"))) {
        assert!(family.is_ok(), "line {line}: {:?}", family.err());
    }
}
