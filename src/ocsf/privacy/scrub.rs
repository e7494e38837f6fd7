//! Personal values inside of texts: by their form, and by being known.

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Range;

use memchr::{memchr_iter, memmem};

use super::{Personal, Pseudonyms};

/// The shortest value that is looked for in other texts; a shorter one is hidden at its own places only, as too many
/// words contain it.
const SHORTEST: usize = 3;
/// The same for digits: an employee number of four digits is also a year.
const SHORTEST_NUMBER: usize = 5;

/// How many values are looked for. Each costs a search in every text; an event names one or two people, rarely a dozen.
/// With more, texts in which there might be any are hidden as a whole.
const MOST_VALUES: usize = 256;

/// The personal values that are looked for.
#[derive(Debug, Default, Clone)]
pub struct Values {
    known: Vec<Known>,
    are_too_many: bool,
}

/// A value that is looked for.
#[derive(Debug, Clone)]
struct Known {
    /// With the letters A to Z in lower case, which leaves everything in its place.
    ascii: String,
    /// In lower case.
    lower: String,
}

impl Values {
    /// Adds a value. One that is too short to be told from other words is left out.
    pub fn add(&mut self, text: &str) {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let shortest = if is_number { SHORTEST_NUMBER } else { SHORTEST };
        if text.chars().count() < shortest {
            return;
        }
        let known = Known { ascii: text.to_ascii_lowercase(), lower: text.to_lowercase() };
        if self.known.iter().any(|other| other.ascii == known.ascii) {
            return;
        }
        self.are_too_many |= self.known.len() >= MOST_VALUES;
        if !self.are_too_many {
            self.known.push(known);
        }
    }
}

/// What is looked for in a text.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// Values that are known.
    pub known: bool,
    /// What has the form of an IP address.
    pub ip: Ip,
}

/// Which IP addresses are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ip {
    None,
    /// Only those of version 6: where four numbers with dots between them are the version of a program.
    Six,
    All,
}

impl Scope {
    pub const ALL: Self = Self { known: true, ip: Ip::All };
}

impl Pseudonyms {
    /// A text without the personal values in it; `None` if there are none.
    pub(super) fn clean(&self, text: &str, values: &Values, scope: Scope) -> Option<String> {
        if scope.known && values.are_too_many && text.len() >= SHORTEST {
            return Some(self.token(text));
        }
        let found = self.find(text, values, scope, |known| &known.ascii);
        // What is there only once the text is decoded, or in another case, cannot be cut out of it.
        let count = |lower: &str| self.find(lower, values, scope, |known| &known.lower).len();
        if other_forms(text).any(|form| count(&form.to_lowercase()) > found.len()) {
            return Some(self.token(text));
        }
        if found.is_empty() {
            return None;
        }
        let mut cleaned = String::with_capacity(text.len() + 32 * found.len());
        let mut from = 0;
        for range in found {
            let end = range.end;
            cleaned.push_str(text.get(from..range.start).unwrap_or_default());
            cleaned.push_str(&self.token(text.get(range).unwrap_or_default()));
            from = end;
        }
        cleaned.push_str(text.get(from..).unwrap_or_default());
        Some(cleaned)
    }

    /// Where the personal values are, none overlapping another: the first one, and of two that begin together the longer.
    fn find(&self, text: &str, values: &Values, scope: Scope, form: fn(&Known) -> &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        if self.hashes(Personal::Login) {
            emails(text, &mut found);
        }
        if scope.ip != Ip::None && self.hashes(Personal::Ip) {
            addresses(text, scope.ip, &mut found);
        }
        if scope.known && !values.known.is_empty() {
            known(text, values.known.iter().map(form), &mut found);
        }
        found.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
        let mut end = 0;
        found.retain(|range| {
            let is_free = range.start >= end;
            end = if is_free { range.end } else { end };
            is_free
        });
        found
    }
}

/// What has the form of an email address, or of a login that looks like one.
fn emails(text: &str, found: &mut Vec<Range<usize>>) {
    let of_local = |c: char| c.is_alphanumeric() || "._%+-~".contains(c);
    let of_domain = |c: char| c.is_alphanumeric() || ".-".contains(c);
    for at in memchr_iter(b'@', text.as_bytes()) {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
        let local = before.len() - before.trim_end_matches(of_local).len();
        let domain = after.len() - after.trim_start_matches(of_domain).len();
        let domain = after.get(..domain).unwrap_or_default().trim_end_matches(['.', '-']).len();
        if local > 0 && domain > 0 {
            found.push(at - local..at + 1 + domain);
        }
    }
}

/// What is an IP address, also with a port behind it.
fn addresses(text: &str, which: Ip, found: &mut Vec<Range<usize>>) {
    let of_address = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(start) = bytes.iter().skip(at).position(|byte| of_address(*byte)).map(|skipped| at + skipped) {
        let length = bytes.iter().skip(start).take_while(|byte| of_address(**byte)).count();
        at = start + length;
        let is_inside = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        if is_inside(start.checked_sub(1).and_then(|before| bytes.get(before))) || is_inside(bytes.get(at)) {
            continue;
        }
        let run = text.get(start..at).unwrap_or_default();
        let whole = run.trim_end_matches(['.', ':']);
        let without_port = whole.rsplit_once(':').map_or("", |(address, _)| address);
        let is_looked_for = |address: IpAddr| which == Ip::All || address.is_ipv6();
        let is_address = |text: &&str| text.len() > 2 && text.parse().is_ok_and(is_looked_for);
        // An address of version 6 may end in colons, which a sentence may also add.
        if let Some(address) = [run, whole, without_port].iter().find(|text| is_address(text)) {
            found.push(start..start + address.len());
        }
    }
}

/// Values that are known, as words of their own.
fn known<'v>(text: &str, values: impl Iterator<Item = &'v str>, found: &mut Vec<Range<usize>>) {
    let lower = text.to_ascii_lowercase();
    for value in values {
        for start in memmem::find_iter(lower.as_bytes(), value.as_bytes()) {
            let end = start + value.len();
            let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            // Only in ASCII do words have ends that can be told.
            let goes_on = |inner: Option<char>, outer: Option<char>| is_letter(inner) && is_letter(outer);
            let before = lower.get(..start).and_then(|text| text.chars().next_back());
            let after = lower.get(end..).and_then(|text| text.chars().next());
            if !goes_on(value.chars().next(), before) && !goes_on(value.chars().next_back(), after) {
                found.push(start..end);
            }
        }
    }
}

/// A text with the escapes of URLs and of JSON undone, once with every plus for a blank; or as it is, if its case may
/// differ. Nothing if neither can hide anything.
fn other_forms(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let is_escaped = text.bytes().any(|byte| matches!(byte, b'%' | b'\\' | b'+'));
    let as_it_is = (!is_escaped && !text.is_ascii()).then_some(Cow::Borrowed(text));
    let decoded = [false, true].into_iter().filter(move |_| is_escaped);
    as_it_is.into_iter().chain(decoded.map(|plus| Cow::Owned(decode(text, plus))))
}

/// For looking only: what is no escape is left as it is.
fn decode(text: &str, plus_is_blank: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['%', '\\', '+']) {
        let (plain, escape) = rest.split_at(at);
        bytes.extend_from_slice(plain.as_bytes());
        let length = push_decoded(&mut bytes, escape, plus_is_blank);
        rest = escape.get(length..).unwrap_or_default();
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Appends what an escape at the beginning of a text means; how many bytes the escape has.
fn push_decoded(bytes: &mut Vec<u8>, escape: &str, plus_is_blank: bool) -> usize {
    let hex = |range: Range<usize>| escape.get(range).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let (byte, unit) = (hex(1..3).and_then(|byte| u8::try_from(byte).ok()), hex(2..6).and_then(char::from_u32));
    match (escape.as_bytes(), byte, unit) {
        ([b'%', ..], Some(byte), _) => {
            bytes.push(byte);
            3
        }
        ([b'\\', b'u', ..], _, Some(character)) => {
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            6
        }
        ([b'+', ..], ..) => {
            bytes.push(if plus_is_blank { b' ' } else { b'+' });
            1
        }
        ([b'\\', ..], ..) => 1,
        _ => {
            bytes.push(b'%');
            1
        }
    }
}
