//! How inventory records say what OCSF has no attribute for, but the source means.

use crate::json::{Kind, Value};
use crate::ocsf::enums::Observable;
use crate::ocsf::writer::{MOST_LISTED, TAKEN, Writer};

/// An enrichment about the first observable of a kind, which every record of a class has; nothing if it has no data.
pub fn enrichment(w: &mut Writer<'_>, about: Observable, kind: &str, data: impl FnOnce(&mut Writer<'_>)) {
    if !w.has_noted(about) {
        return;
    }
    w.item(|w| {
        if w.wrote(|w| w.object("data", data)) {
            w.about(about);
            w.text("type", kind);
            w.fragment(r#""provider":"Okta""#);
        }
    });
}

/// How many elements a list has, and of the first [`MOST_LISTED`] some fields, under the names that Okta gives them.
pub fn listed(w: &mut Writer<'_>, name: &'static str, list: Value<'_>, fields: &[&'static str]) {
    w.number("count", count(list));
    w.array(name, |w| {
        for element in list.children().take(MOST_LISTED) {
            w.item(|w| {
                for field in fields {
                    w.copy(field, element.get(field));
                }
            });
            keep_identity(element);
        }
    });
}

/// How many elements a list has.
pub fn count(list: Value<'_>) -> i64 {
    i64::try_from(list.children().count()).unwrap_or(i64::MAX)
}

/// Leaves the id of an element in `unmapped` if something else of it is there: a rest without an id is of no use.
pub fn keep_identity(element: Value<'_>) {
    if let Some(id) = element.get("id").filter(|_| has_rest(element)) {
        id.set_mark(id.mark() & !TAKEN);
    }
}

/// Whether a value holds something that was not taken.
fn has_rest(value: Value<'_>) -> bool {
    let mut place = value.place() + 1;
    while let Some(inside) = value.document().value(place).filter(|_| place < value.next_place()) {
        let taken = inside.mark() & TAKEN != 0;
        if !taken && inside.is_scalar() {
            return true;
        }
        place = if taken { inside.next_place() } else { place + 1 };
    }
    false
}

/// A time twice: in ms, and under the second name as Okta wrote it. Nothing of what is no time.
pub fn moment(w: &mut Writer<'_>, ms: &'static str, text: &'static str, value: Option<Value<'_>>) {
    if w.wrote(|w| w.copy_time(ms, value)) {
        w.copy(text, value);
    }
}

/// Whether something holds for any element. Nothing if that depends on an element of which it is not known.
pub fn any<'a>(list: Value<'a>, holds: impl Fn(Value<'a>) -> Option<bool>) -> Option<bool> {
    let mut unsure = false;
    for element in list.children() {
        match holds(element) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => unsure = true,
        }
    }
    (!unsure).then_some(false)
}

/// A value that is a list.
pub fn list(value: Option<Value<'_>>) -> Option<Value<'_>> {
    value.filter(|value| value.kind() == Kind::Array)
}
