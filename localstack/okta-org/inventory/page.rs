//! Pages and the opaque cursors between them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// How a collection comes in pages.
#[derive(Clone, Copy)]
pub enum Paging {
    /// An array; the next page is in a Link header.
    Link { default: usize, most: usize },
    /// An object with the array in one member; the next page is in its `_links`.
    Body { member: &'static str, default: usize },
    /// An array, all at once.
    Whole,
    /// An object with the whole array in one member.
    WholeIn(&'static str),
    /// One object.
    One,
}

impl Paging {
    /// The page size for what the client asked; too much is cut, nonsense is refused.
    pub fn limit(self, asked: Option<&str>) -> Result<usize, Problem> {
        let (default, most) = match self {
            Self::Link { default, most } => (default, most),
            Self::Body { default, .. } => (default, default.max(100)),
            Self::Whole | Self::WholeIn(_) | Self::One => return Ok(usize::MAX),
        };
        match asked.map(str::parse::<usize>) {
            None => Ok(default),
            Some(Ok(limit)) if limit > 0 => Ok(limit.min(most)),
            _ => Err(Problem::invalid("limit", "The limit parameter must be a positive number.")),
        }
    }
}

/// Some objects, and where the next page begins if there is more.
pub struct Page {
    /// As JSON, each written as soon as it is there: a thousand users as trees are megabytes to come through again.
    pub items: Vec<String>,
    pub next: Option<u64>,
}

impl Page {
    pub fn whole(items: Vec<Value>) -> Self {
        Self { items: items.iter().map(Value::to_string).collect(), next: None }
    }

    pub fn one(item: Value) -> Self {
        Self::whole(vec![item])
    }
}

/// Walks positions from `from` to `total` and keeps what there is, up to `limit`; `skip` may jump ahead over holes.
pub fn walk(
    from: u64,
    total: u64,
    limit: usize,
    skip: impl Fn(u64) -> u64,
    mut item: impl FnMut(u64) -> Option<String>,
) -> Page {
    let mut items = Vec::new();
    let mut position = skip(from);
    while position < total {
        if let Some(value) = item(position) {
            if items.len() == limit {
                return Page { items, next: Some(position) };
            }
            items.push(value);
        }
        position = skip(position + 1);
    }
    Page { items, next: None }
}

/// A place in one list, sealed with the time at which it was handed out.
pub struct Cursor {
    pub position: u64,
    pub issued: i64,
}

impl Cursor {
    /// `list` names the collection and its filters: a cursor opens no other list.
    pub fn seal(&self, list: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{} {} {}", self.position, self.issued, fingerprint(list)))
    }

    pub fn open(text: &str, list: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let mut parts = text.split(' ');
        let cursor = Self { position: parts.next()?.parse().ok()?, issued: parts.next()?.parse().ok()? };
        (parts.next()? == fingerprint(list)).then_some(cursor)
    }
}

fn fingerprint(list: &str) -> String {
    Sha256::digest(list).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_full_page_has_no_next() {
        let page = |from, limit| walk(from, 10, limit, |at| at, |at| (at % 2 == 0).then(|| at.to_string()));
        assert_eq!(page(0, 3).next, Some(6));
        assert_eq!(page(6, 2).items, ["6", "8"]);
        assert_eq!(page(6, 2).next, None);
    }

    #[test]
    fn a_cursor_opens_only_its_own_list() {
        let sealed = Cursor { position: 7, issued: 100 }.seal("/api/v1/users");
        assert_eq!(Cursor::open(&sealed, "/api/v1/users").map(|cursor| cursor.position), Some(7));
        assert!(Cursor::open(&sealed, "/api/v1/groups").is_none());
        assert!(Cursor::open("7", "/api/v1/users").is_none());
    }

    #[test]
    fn limits_are_cut_and_nonsense_is_refused() {
        let paging = Paging::Link { default: 50, most: 500 };
        assert_eq!(paging.limit(None).ok(), Some(50));
        assert_eq!(paging.limit(Some("9999")).ok(), Some(500));
        assert!(paging.limit(Some("0")).is_err() && paging.limit(Some("many")).is_err());
    }
}
