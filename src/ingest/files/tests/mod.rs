mod load;
mod packing;

use std::io::Read;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Elements, Place};

/// As in `json`: deeper than any event, and in the tests deeper than what the outline remembers.
const LONGEST: usize = 1 << 20;

/// Gives its text in pieces of the sizes that it is told, over and over.
struct Pieces<'t> {
    text: &'t [u8],
    sizes: Vec<usize>,
    next: usize,
}

impl<'t> Pieces<'t> {
    fn new(text: &'t [u8], sizes: &[usize]) -> Self {
        Self { text, sizes: sizes.to_vec(), next: 0 }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let size = self.sizes[self.next % self.sizes.len()].clamp(1, buffer.len());
        self.next += 1;
        (&mut self.text).take(size as u64).read(buffer)
    }
}

/// Every element, with where it begins.
fn read(input: impl Read, from: Place, longest: usize) -> (Vec<(Place, Vec<u8>)>, Place) {
    let mut elements = Elements::new(input, from, longest);
    let mut found = Vec::new();
    while let Some(element) = elements.next_element().unwrap() {
        assert!(element.bytes.len() <= longest);
        found.push((element.place, element.bytes.to_vec()));
    }
    (found, elements.place())
}

fn texts(text: &str) -> Vec<String> {
    let (found, _) = read(text.as_bytes(), Place::default(), LONGEST);
    found.into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect()
}

/// Any JSON value, nested at most `depth` deep.
fn value(depth: u32) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |number| number.is_finite().then(|| json!(number))),
        "[\\PC\n\t\"\\\\{}\\[\\],:]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(depth, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[\\PC\"\\\\{}\\[\\],:]{0,6}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[\\PC\"\\\\{}\\[\\],:]{0,6}", value(4), 0..5)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

/// As the oracle reads it: a number may lose its last digit, in both readings the same.
fn as_read(values: &[Value]) -> Vec<Value> {
    values.iter().map(|value| serde_json::from_str(&value.to_string()).unwrap()).collect()
}

/// One way to lay values out, and the elements that are to be found in it.
#[derive(Debug, Clone)]
enum Layout {
    Lines,
    Array {
        pretty: bool,
    },
    /// An array of some of them a line, as pages that were appended to each other.
    Pages(usize),
    /// Objects over several lines, with nothing between them.
    Pretty,
}

fn layout() -> impl Strategy<Value = Layout> {
    prop_oneof![
        Just(Layout::Lines),
        any::<bool>().prop_map(|pretty| Layout::Array { pretty }),
        (1usize..4).prop_map(Layout::Pages),
        Just(Layout::Pretty),
    ]
}

fn lay_out(values: &[Value], layout: &Layout) -> String {
    let lines = |values: &[Value]| values.iter().map(|value| format!("{value}\n")).collect::<String>();
    match layout {
        Layout::Lines => lines(values),
        Layout::Array { pretty: false } => json!(values).to_string(),
        Layout::Array { pretty: true } => format!("{:#}\r\n", json!(values)),
        Layout::Pages(size) => values.chunks(*size).map(|page| format!("{}\n", json!(page))).collect(),
        Layout::Pretty => values.iter().map(|value| format!("{value:#}")).collect(),
    }
}

proptest! {
    #[test]
    fn the_elements_of_any_document_are_those_that_a_whole_reading_finds(
        values in prop::collection::vec(object(), 0..6),
        layout in layout(),
        sizes in prop::collection::vec(1usize..40, 1..5),
        mark in any::<bool>(),
    ) {
        let text = lay_out(&values, &layout);
        let text = if mark { format!("\u{feff}{text}") } else { text };
        let (found, end) = read(Pieces::new(text.as_bytes(), &sizes), Place::default(), LONGEST);
        let parsed: Vec<Value> = found.iter().map(|(_, bytes)| serde_json::from_slice(bytes).unwrap()).collect();
        prop_assert_eq!(&parsed, &as_read(&values));
        prop_assert_eq!((end.offset, end.elements, end.within), (text.len() as u64, values.len() as u64, false));
        for (place, bytes) in &found {
            let at = place.offset as usize;
            prop_assert_eq!(&text.as_bytes()[at..at + bytes.len()], &bytes[..], "each stands where it is said to");
            prop_assert_eq!(place.line, 1 + text[..at].matches('\n').count() as u64);
        }
    }

    #[test]
    fn the_elements_of_an_array_may_be_anything(values in prop::collection::vec(value(4), 0..6), pretty in any::<bool>()) {
        let text = lay_out(&values, &Layout::Array { pretty });
        let found = texts(&text);
        let parsed: Vec<Value> = found.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        prop_assert_eq!(parsed, as_read(&values));
    }

    #[test]
    fn a_cut_at_every_byte_changes_nothing(values in prop::collection::vec(object(), 1..4), layout in layout()) {
        let text = lay_out(&values, &layout);
        let whole = read(text.as_bytes(), Place::default(), LONGEST);
        for cut in 1..text.len() {
            let (front, back) = text.as_bytes().split_at(cut);
            let cut = read(front.chain(back), Place::default(), LONGEST);
            prop_assert_eq!(&cut, &whole);
        }
    }

    #[test]
    fn a_reading_goes_on_from_behind_every_element(values in prop::collection::vec(object(), 1..5), layout in layout()) {
        let text = lay_out(&values, &layout);
        let (whole, end) = read(text.as_bytes(), Place::default(), LONGEST);
        let mut elements = Elements::new(text.as_bytes(), Place::default(), LONGEST);
        let mut before = 0;
        while elements.next_element().unwrap().is_some() {
            before += 1;
            let place = elements.place();
            let rest = read(&text.as_bytes()[place.offset as usize..], place, LONGEST);
            prop_assert_eq!(rest, (whole[before..].to_vec(), end));
        }
    }

    #[test]
    fn no_byte_of_any_text_is_lost(text in "[\\PC\n\r\t {}\\[\\],:\"\\\\]{0,120}", sizes in prop::collection::vec(1usize..9, 1..4)) {
        let (found, end) = read(Pieces::new(text.as_bytes(), &sizes), Place::default(), LONGEST);
        prop_assert_eq!(end.offset, text.len() as u64);
        let mut behind = 0;
        for (place, bytes) in &found {
            let at = place.offset as usize;
            prop_assert!(at >= behind && !bytes.is_empty());
            let between = &text.as_bytes()[behind..at];
            prop_assert!(between.iter().all(|byte| b" \n\r\t\x0c[],".contains(byte)), "{:?}", text);
            prop_assert_eq!(&text.as_bytes()[at..at + bytes.len()], &bytes[..]);
            behind = at + bytes.len();
        }
        prop_assert!(text.as_bytes()[behind..].iter().all(|byte| b" \n\r\t\x0c[],".contains(byte)), "{:?}", text);
    }

    #[test]
    fn a_damaged_line_takes_no_other_along(
        values in prop::collection::vec(object(), 1..5),
        at in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut lines: Vec<String> = values.iter().map(Value::to_string).collect();
        let at = at.index(lines.len());
        let cuts: Vec<usize> = lines[at].char_indices().map(|(place, _)| place).skip(1).collect();
        let cut = cuts[cut.index(cuts.len())];
        lines[at].truncate(cut);
        let found = texts(&lines.join("\n"));
        // The damaged one may hold something that is whole, and further pieces; all others are there as they were.
        for (index, line) in lines.iter().enumerate().filter(|(index, _)| *index != at) {
            prop_assert!(found.contains(line), "line {index} {line} is missing in {found:#?}");
        }
    }
}

#[test]
fn every_known_way_to_write_several_events_is_read() {
    for text in [
        "{\"a\":1}\n{\"b\":[2]}\n",
        "{\"a\":1}{\"b\":[2]}",
        "[{\"a\":1},{\"b\":[2]}]",
        "[{\"a\":1}]\n[{\"b\":[2]}]",
        "[\n  {\"a\":1}\n,\n  {\"b\":[2]}\n]\n",
        "\u{feff}[{\"a\":1},\n{\"b\":[2]}]",
        "{\"a\":1}\r\n{\"b\":[2]}",
        "\n\n{\"a\":1}\n\n\n[{\"b\":[2]}]",
    ] {
        assert_eq!(texts(text), ["{\"a\":1}", "{\"b\":[2]}"], "{text:?}");
    }
    assert!(texts("").is_empty() && texts(" \n").is_empty() && texts("[]").is_empty());
}

#[test]
fn what_is_no_json_is_an_element_of_its_own_line() {
    let text = "{\"a\":1}\nhello, world\n{\"b\":\n{\"c\":3}\n{\"d\":\"x\n{\"e\":5}\n{\"f\":6} trailing\n";
    assert_eq!(
        texts(text),
        ["{\"a\":1}", "hello, world", "{\"b\":", "{\"c\":3}", "{\"d\":\"x", "{\"e\":5}", "{\"f\":6}", "trailing"]
    );
    let array = "[\n{\"a\":1},\n{\"b\" 2},\nnull, oops,\n{\"c\":3}\n]";
    assert_eq!(texts(array), ["{\"a\":1}", "{\"b\" 2},", "null", "oops", "{\"c\":3}"]);
}

#[test]
fn a_file_that_breaks_off_gives_what_is_there_and_says_that_an_end_is_missing() {
    let (found, end) = read(&b"[{\"a\":1},{\"b\":2"[..], Place::default(), LONGEST);
    assert_eq!((found.len(), end.within), (2, true));
    assert_eq!(found[1].1, b"{\"b\":2");
    let (found, end) = read(&b"{\"a\":\n[\n{\"b\":2}\n"[..], Place::default(), LONGEST);
    let lines: Vec<&[u8]> = found.iter().map(|(_, bytes)| &bytes[..]).collect();
    assert_eq!((lines, end.within), (vec![&b"{\"a\":"[..], b"[", b"{\"b\":2}"], false));
}

#[test]
fn an_element_that_is_too_long_is_cut_and_the_next_one_is_whole() {
    let long = format!("{{\"long\":\"{}\",\"more\":{{}}}}", "x".repeat(500_000));
    for text in [
        format!("[{long},{{\"a\":1}}]"),
        format!("{long}\n{{\"a\":1}}"),
        format!("{{\"open\":{long}\n{{\"a\":1}}"),
        format!("{}\n{{\"a\":1}}", "x".repeat(500_000)),
    ] {
        let mut elements = Elements::new(text.as_bytes(), Place::default(), 1_000);
        let first = elements.next_element().unwrap().unwrap();
        assert!(first.is_cut && first.bytes.len() == 1_000);
        let most = elements.buffer_size();
        let second = elements.next_element().unwrap().unwrap();
        assert_eq!((second.is_cut, second.bytes), (false, &b"{\"a\":1}"[..]));
        assert!(most < 200_000, "{most} bytes are held");
    }
}

#[test]
fn depth_is_no_trouble() {
    let deep = format!("{{\"a\":{}{}}}", "[{\"b\":".repeat(500), "1".to_owned() + &"}]".repeat(500));
    assert_eq!(texts(&format!("[{deep},{{\"c\":1}}]")), [deep.as_str(), "{\"c\":1}"]);
    assert_eq!(texts(&"[".repeat(100_000)).len(), 1);
}
