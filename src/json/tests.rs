use proptest::prelude::*;
use serde_json::Value as Oracle;

use super::*;

fn fault(text: &[u8]) -> JsonFault {
    check(text).unwrap_err()
}

/// What was read, built anew from the nodes.
fn rebuilt(value: Value<'_>) -> Oracle {
    match value.kind() {
        Kind::Null => Oracle::Null,
        Kind::True | Kind::False => value.as_bool().unwrap().into(),
        Kind::Integer | Kind::Float => serde_json::from_str(value.written()).unwrap(),
        Kind::String => value.as_str().unwrap().into_owned().into(),
        Kind::Array => value.children().map(rebuilt).collect(),
        Kind::Object => {
            Oracle::Object(value.children().map(|child| (child.key().into_owned(), rebuilt(child))).collect())
        }
    }
}

#[test]
fn plain_json_passes() {
    assert_eq!(check(br#" {"a":[1,2.5e-3,null,true,"x{["],"b":{"a":1},"c":[],"d":{}, "e" : -0 } "#), Ok(()));
    for scalar in ["0", "-1", "true", "null", "\"\"", "1E+9"] {
        assert_eq!(check(scalar.as_bytes()), Ok(()), "{scalar}");
    }
}

#[test]
fn depth_is_bounded_and_brackets_in_strings_do_not_count() {
    let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    assert_eq!(check(deep(MAX_DEPTH).as_bytes()), Ok(()));
    assert_eq!(check(deep(MAX_DEPTH + 1).as_bytes()), Err(JsonFault::TooDeep));
    assert_eq!(check(deep(1_000_000).as_bytes()), Err(JsonFault::TooDeep));
    assert_eq!(check(format!("[\"{}\\\"{}\"]", "[".repeat(90), "{".repeat(90)).as_bytes()), Ok(()));
}

#[test]
fn a_repeated_key_is_found_at_any_depth_also_when_it_is_escaped() {
    assert_eq!(fault(br#"[{"k":{"a":1,"b":2,"a":3}}]"#), JsonFault::DuplicateKey("a".into()));
    assert_eq!(fault(br#"{"a":1,"\u0061":2}"#), JsonFault::DuplicateKey("a".into()));
    assert_eq!(fault("{\"\u{e9}x\":1,\"\\u00e9x\":2}".as_bytes()), JsonFault::DuplicateKey("\u{e9}x".into()));
    assert_eq!(check(br#"{"a":{"b":1},"b":{"a":1},"":1}"#), Ok(()));
    let many = |last: usize| {
        let keys: Vec<String> = (0..500).chain([last]).map(|n| format!("\"k{n}\":{n}")).collect();
        format!("{{{}}}", keys.join(","))
    };
    assert_eq!(fault(many(77).as_bytes()), JsonFault::DuplicateKey("k77".into()));
    assert_eq!(check(many(500).as_bytes()), Ok(()));
}

#[test]
fn what_is_no_json_is_refused_with_the_place() {
    for (text, at) in [
        ("", 0),
        ("{", 1),
        ("{\"a\"}", 4),
        ("[1 2]", 3),
        ("[1,]", 3),
        ("{\"a\":1,}", 7),
        ("01", 0),
        ("1.", 0),
        ("-", 0),
        ("1e", 0),
        ("tru", 0),
        ("\"a", 0),
        ("\"\\x\"", 1),
        ("\"\\ud800\"", 1),
        ("\"\\udc00\\ud800\"", 1),
        ("[1]]", 3),
        ("\"a\nb\"", 2),
        ("nul", 0),
        ("+1", 0),
        (".5", 0),
        ("{a:1}", 1),
        ("\"\\u12g4\"", 1),
        ("[,1]", 1),
    ] {
        assert!(
            matches!(fault(text.as_bytes()), JsonFault::NotJson { at: found, .. } if found == at),
            "{text}: {:?}",
            fault(text.as_bytes())
        );
        assert!(serde_json::from_str::<Oracle>(text).is_err(), "{text}");
    }
    assert!(matches!(fault(b"\"\xff\""), JsonFault::NotJson { at: 1, .. }));
    assert!(matches!(fault(b"[1e400]"), JsonFault::NotJson { at: 1, .. }));
    assert!(check(format!("-{}", "9".repeat(400)).as_bytes()).is_err());
    assert_eq!(check(b"[1e308,-1e-400]"), Ok(()));
}

#[test]
fn values_know_their_text_and_their_place() {
    let mut tape = Tape::default();
    let document = tape.read(br#"{"a": {"b": [1, "x\ty", 1.50]}, "c": null}"#).unwrap();
    let a = document.root().get("a").unwrap();
    assert_eq!(a.written(), r#"{"b": [1, "x\ty", 1.50]}"#);
    let items: Vec<_> = a.get("b").unwrap().children().collect();
    assert_eq!((items[1].written(), items[1].span()), (r#""x\ty""#, r"x\ty"));
    assert_eq!(items[1].as_str().unwrap(), "x\ty");
    assert_eq!((items[2].written(), items[2].as_f64(), items[2].as_i64()), ("1.50", Some(1.5), None));
    assert!(items[1].is("x\ty") && items[1].word().is_none());
    assert_eq!(items[0].parent().unwrap().key(), "b");
    assert!(document.root().parent().is_none());
    assert_eq!(document.len(), 7);
    assert_eq!(document.root().next_place(), 7);
}

#[test]
fn one_tape_reads_one_text_after_another() {
    let mut tape = Tape::default();
    assert_eq!(tape.read(b"[1,2,3]").unwrap().len(), 4);
    assert!(tape.read(b"[1,2,").is_err());
    assert_eq!(tape.read(b"7").unwrap().root().as_i64(), Some(7));
}

#[test]
fn texts_and_numbers_are_written_as_readers_expect() {
    for text in ["", "plain", "a \"b\" \\ c", "tab\t nl\n cr\r bell\u{7} \u{1f}", "\u{e9}\u{1F600}\"", "\u{7f}"] {
        let mut out = b"\"".to_vec();
        push_escaped(&mut out, text);
        out.push(b'"');
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }
    for number in [0, 7, -1, 1_777_890_030_123, i64::MAX, i64::MIN] {
        let mut out = Vec::new();
        push_i64(&mut out, number);
        assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
    }
    for (number, text) in [(48.0, "48.0"), (-0.5, "-0.5"), (15.4361, "15.4361")] {
        let mut out = Vec::new();
        push_f64(&mut out, number);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

fn any_json() -> impl Strategy<Value = Oracle> {
    let leaf = prop_oneof![
        Just(Oracle::Null),
        any::<bool>().prop_map(Oracle::from),
        any::<i64>().prop_map(Oracle::from),
        (-1e9..1e9f64).prop_map(Oracle::from),
        ".{0,12}".prop_map(Oracle::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Oracle::from),
            prop::collection::vec((".{0,6}", inner), 0..8)
                .prop_map(|fields| Oracle::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_json_is_read_as_the_oracle_reads_it(json in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_vec_pretty(&json) } else { serde_json::to_vec(&json) }.unwrap();
        let mut tape = Tape::default();
        let document = tape.read(&text).unwrap();
        prop_assert_eq!(rebuilt(document.root()), serde_json::from_slice::<Oracle>(&text).unwrap());
    }

    #[test]
    fn a_damaged_text_is_accepted_only_if_the_oracle_accepts_it(
        json in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut text = serde_json::to_vec(&json).unwrap();
        let at = at.index(text.len());
        if cut { text.truncate(at) } else { text[at] = byte }
        let ours = check(&text);
        match serde_json::from_slice::<Oracle>(&text) {
            Ok(_) => prop_assert!(matches!(ours, Ok(()) | Err(JsonFault::DuplicateKey(_))), "{:?}", ours),
            Err(_) => prop_assert!(ours.is_err()),
        }
    }
}
