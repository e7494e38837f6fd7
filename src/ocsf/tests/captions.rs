//! The enumerations that the code spells out, against the schema.

use super::*;
use crate::ocsf::enums::{self, Choice, Observable};

pub fn facts() -> Value {
    serde_json::from_str(include_str!("../../../schemas/ocsf/1.8.0/facts.json")).unwrap()
}

/// What an attribute is in a class or an object; most tables mean the same by a name.
pub fn attribute<'f>(facts: &'f Value, tables: &str, table: &str, name: &str) -> &'f Value {
    let own = &facts[tables][table]["own"][name];
    if own.is_null() { &facts["attributes"][name] } else { own }
}

fn assert_known(attribute: &Value, name: &str, (id, caption): (u8, &str)) {
    assert_eq!(attribute["enum"][id.to_string()], caption, "{name} {id}");
    let deprecated = attribute["deprecated_values"].as_array().into_iter().flatten();
    assert!(deprecated.into_iter().all(|value| value.as_str() != Some(&id.to_string())), "{name} {id} is deprecated");
}

#[test]
fn the_enumerated_values_have_the_captions_of_the_schema() {
    let facts = facts();
    let attributes: [(&str, &str, &str, &[Choice]); 5] = [
        ("classes", "authentication", "auth_protocol_id", enums::PROTOCOLS),
        ("objects", "auth_factor", "factor_type_id", enums::FACTORS),
        ("objects", "authentication_token", "type_id", enums::TOKENS),
        ("classes", "authentication", "disposition_id", enums::DISPOSITIONS),
        ("objects", "managed_entity", "type_id", enums::ENTITIES),
    ];
    for (tables, table, name, choices) in attributes {
        for choice in choices {
            assert_known(attribute(&facts, tables, table, name), name, *choice);
        }
    }
}

#[test]
fn the_kinds_of_observables_have_the_captions_of_the_schema() {
    let facts = facts();
    for observable in Observable::ALL {
        let fragment = format!("{{\"name\":\"x{}y\"}}", observable.fragment());
        let written: Value = serde_json::from_str(&fragment).unwrap();
        let id = u8::try_from(written["type_id"].as_u64().unwrap()).unwrap();
        if id == 99 {
            assert_ne!(written["type"], "Other", "the source's own word");
            continue;
        }
        let of = attribute(&facts, "objects", "observable", "type_id");
        assert_known(of, "observable", (id, written["type"].as_str().unwrap()));
    }
}

#[test]
fn the_classes_have_the_names_of_the_schema() {
    let facts = facts();
    for class in Class::ALL {
        let known = &facts["classes"][class.name()];
        assert_eq!(known["uid"], class.uid(), "{class:?}");
        assert_ne!(known["deprecated"], true, "{class:?}");
        let record = record_of_class(class);
        let findings = Schema::embedded().check(record.to_string().as_bytes());
        let of_names = findings.iter().find(|finding| finding.path.ends_with("_name"));
        assert_eq!(of_names, None, "{class:?}");
    }
}

/// Only what names the class and the category.
fn record_of_class(class: Class) -> Value {
    let (category_uid, category_name) = class.category();
    json!({
        "class_uid": class.uid(), "class_name": class.caption(),
        "category_uid": category_uid, "category_name": category_name,
    })
}
