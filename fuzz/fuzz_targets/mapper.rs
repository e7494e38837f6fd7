//! Any event: a valid record on one line, the same each time, or a named reason and nothing written.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::{Corpus, fuzz_target};
use okta_ocsf::ocsf::validate::{Schema, Severity};
use okta_ocsf::ocsf::{EventTypes, Mapper, Options, Source};
use okta_ocsf::okta::OrgId;

thread_local! {
    static MAPPER: RefCell<Mapper> = RefCell::new(mapper());
}

fn mapper() -> Mapper {
    Mapper::new(EventTypes::embedded(), Options { raw_data: false, unmapped: true })
}

fuzz_target!(|event: &[u8]| -> Corpus {
    let org = OrgId::new("acme");
    let source = Source { org: &org, landed_at: Some(1_777_890_031_000), bytes: event };
    let (mut record, mut again, mut explained) = (Vec::new(), Vec::new(), Vec::new());
    let mapped = MAPPER.with_borrow_mut(|mapper| mapper.map(source, &mut record));
    assert_eq!(mapped, mapper().map(source, &mut again));
    assert_eq!(record, again);
    let Ok(mapped) = mapped else {
        assert!(record.is_empty());
        return Corpus::Keep;
    };
    let (same, leaves) = MAPPER.with_borrow_mut(|mapper| mapper.explain(source, &mut explained)).expect("as mapped");
    assert_eq!((mapped, &record), (same, &explained));
    assert!(!leaves.is_empty());
    assert!(!record.contains(&b'\n'));
    let mut findings = Schema::embedded().check(&record);
    findings.retain(|finding| finding.severity == Severity::Error);
    assert!(findings.is_empty(), "{findings:#?} in {}", String::from_utf8_lossy(&record));
    Corpus::Keep
});
