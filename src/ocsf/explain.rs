//! Where each value of an event goes: the by-product of the writer's trace and the marks on the document.

use super::unmapped::{Fate, fate};
use super::writer::{Placed, TAKEN};
use crate::json::{Document, Kind, Value};

/// Where one leaf of the source is in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// In these attributes.
    Attributes(Vec<String>),
    /// In `unmapped`, at this path.
    Unmapped(String),
    /// Nowhere but in `raw_data`: it says nothing (null or empty), or `unmapped` is switched off.
    RawDataOnly,
}

/// One leaf of the source: a scalar, a null, or an empty object or array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its path, such as `target[0].alternateId`.
    pub path: String,
    /// The JSON text of it.
    pub value: String,
    /// Where it went.
    pub destination: Destination,
}

/// A container on the way to the current place.
struct Level {
    end: usize,
    path: String,
    /// The path in `unmapped`, where elements that were taken leave no gap.
    kept_path: String,
    is_array: bool,
    seen: usize,
    kept: usize,
    /// The nearest container, itself included, that was copied as a whole: its path and where it went.
    taken: Option<(String, Vec<String>)>,
}

/// Every leaf of a document that was mapped, in its order.
pub fn leaves(document: &Document<'_>, trace: &[Placed], unmapped: bool) -> Vec<Leaf> {
    let mut trace = trace.to_vec();
    trace.sort_by_key(|placed| placed.place);
    let mut leaves = Vec::new();
    let mut levels: Vec<Level> = Vec::new();
    for place in 0..document.len() {
        let Some(value) = document.value(place) else { break };
        while levels.last().is_some_and(|level| level.end <= place) {
            levels.pop();
        }
        let (path, kept_path) = paths(&mut levels, value);
        let inherited = levels.last().and_then(|level| level.taken.clone());
        let own = (value.mark() & TAKEN != 0).then(|| (path.clone(), attributes(&trace, place)));
        let taken = own.or(inherited);
        if is_leaf(value) {
            let destination = match taken {
                Some((from, attributes)) => within(&path, &from, attributes),
                None if says_nothing(value) || !unmapped => Destination::RawDataOnly,
                None => Destination::Unmapped(join("unmapped", &kept_path)),
            };
            leaves.push(Leaf { path, value: value.written().to_owned(), destination });
        } else {
            let is_array = value.kind() == Kind::Array;
            levels.push(Level { end: value.next_place(), path, kept_path, is_array, seen: 0, kept: 0, taken });
        }
    }
    leaves
}

fn is_leaf(value: Value<'_>) -> bool {
    value.next_place() == value.place() + 1
}

fn says_nothing(value: Value<'_>) -> bool {
    matches!(value.kind(), Kind::Null | Kind::Object | Kind::Array)
}

/// The path of a value in the source, and in `unmapped`.
fn paths(levels: &mut [Level], value: Value<'_>) -> (String, String) {
    let at_root = levels.len() == 1;
    let Some(level) = levels.last_mut() else { return Default::default() };
    if level.is_array {
        let paths = (format!("{}[{}]", level.path, level.seen), format!("{}[{}]", level.kept_path, level.kept));
        level.seen += 1;
        level.kept += usize::from(fate(value) != Fate::Drop);
        return paths;
    }
    let step = step(value.key_span());
    // Only the outermost has no path of its own.
    let below = |path: &str| if at_root { step.clone() } else { join(path, &step) };
    (below(&level.path), below(&level.kept_path))
}

/// A path and a step, or steps, below it.
fn join(path: &str, step: &str) -> String {
    if step.starts_with('[') { format!("{path}{step}") } else { format!("{path}.{step}") }
}

/// A key as a step of a path: as it is if it is plain, else in brackets as the JSON text that it is, cut if it is long. So
/// a path names one place, and prints as one line.
fn step(key: &str) -> String {
    /// Longer than any key that people write; an event may be one key.
    const LONGEST: usize = 100;
    let is_plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_- ".contains(&byte));
    match key.char_indices().nth(LONGEST) {
        None if is_plain => key.to_owned(),
        None => format!("[\"{key}\"]"),
        Some((end, _)) => format!("[\"{}…\"]", key.get(..end).unwrap_or_default()),
    }
}

fn attributes(trace: &[Placed], place: usize) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    let first = trace.partition_point(|placed| placed.place < place);
    for placed in trace.iter().skip(first).take_while(|placed| placed.place == place) {
        if !paths.contains(&placed.path) {
            paths.push(placed.path.clone());
        }
    }
    paths
}

/// The attributes of a value in a container that was copied as a whole.
fn within(path: &str, container: &str, attributes: Vec<String>) -> Destination {
    let rest = path.get(container.len()..).unwrap_or_default();
    Destination::Attributes(attributes.into_iter().map(|attribute| attribute + rest).collect())
}
