//! Where a string or a number ends, and whether it is one.

use super::JsonFault;

const LOW_BITS: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The end of the string whose first byte after the quote is at `start`: the position of the closing quote, and whether
/// there is an escape before it.
pub fn string(text: &[u8], start: usize) -> Result<(usize, bool), JsonFault> {
    let mut at = start;
    let mut escaped = false;
    loop {
        at = plain_end(text, at);
        match text.get(at) {
            Some(b'"') => return Ok((at, escaped)),
            Some(b'\\') => {
                at = escape(text, at)?;
                escaped = true;
            }
            Some(_) => return Err(not_json("a control character in a string", at)),
            None => return Err(not_json("a string without end", start.saturating_sub(1))),
        }
    }
}

/// The position of the first quote, backslash or control character at or after `at`; eight bytes at a time.
fn plain_end(text: &[u8], mut at: usize) -> usize {
    while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let plain = plain_bytes(*bytes);
        at += plain;
        if plain < 8 {
            return at;
        }
    }
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
}

/// How many of eight bytes, from the first, are neither quote, backslash nor control character.
#[inline]
pub fn plain_bytes(bytes: [u8; 8]) -> usize {
    let word = u64::from_le_bytes(bytes);
    let special = zero_bytes(word ^ (LOW_BITS * u64::from(b'"')))
        | zero_bytes(word ^ (LOW_BITS * u64::from(b'\\')))
        | below_space(word);
    // The lowest mark is exact; a borrow can only make false marks above a true one.
    (special.trailing_zeros() / 8) as usize
}

/// Marks the high bit of each byte that is zero.
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOW_BITS) & !word & HIGH_BITS
}

/// Marks the high bit of each byte that is less than a space.
fn below_space(word: u64) -> u64 {
    word.wrapping_sub(LOW_BITS * 0x20) & !word & HIGH_BITS
}

/// The position after the escape that begins at `at`.
fn escape(text: &[u8], at: usize) -> Result<usize, JsonFault> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match code_unit(text, at) {
            Some(0xD800..0xDC00) => match code_unit(text, at + 6) {
                Some(0xDC00..0xE000) => Ok(at + 12),
                _ => Err(not_json("a lone surrogate", at)),
            },
            Some(0xDC00..0xE000) => Err(not_json("a lone surrogate", at)),
            Some(_) => Ok(at + 6),
            None => Err(not_json("an escape that is none", at)),
        },
        _ => Err(not_json("an escape that is none", at)),
    }
}

/// The value of `\uXXXX` at `at`.
pub fn code_unit(text: &[u8], at: usize) -> Option<u32> {
    let escape = text.get(at..at + 6)?;
    let digits = escape.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// A number of no more characters than this, without an exponent, is less than the largest double (1.8e308).
const MOST_DIGITS: usize = 300;

/// The end of the number that begins at `start`, and whether it is written as an integer.
pub fn number(text: &[u8], start: usize) -> Result<(usize, bool), JsonFault> {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let whole = start + usize::from(text.get(start) == Some(&b'-'));
    let mut end = digits(whole);
    if end == whole || (text.get(whole) == Some(&b'0') && end > whole + 1) {
        return Err(not_json("a number that is none", start));
    }
    let (mut integer, mut exponential) = (true, false);
    if text.get(end) == Some(&b'.') {
        let fraction = end + 1;
        end = digits(fraction);
        integer = false;
        if end == fraction {
            return Err(not_json("a number that is none", start));
        }
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let exponent = end + 1 + usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        end = digits(exponent);
        (integer, exponential) = (false, true);
        if end == exponent {
            return Err(not_json("a number that is none", start));
        }
    }
    if (exponential || end - start > MOST_DIGITS) && !is_finite(text.get(start..end)) {
        return Err(not_json("a number larger than any reader can hold", start));
    }
    Ok((end, integer))
}

/// Whether a number is in the range of a double: RFC 8259 allows others, but warns that readers differ on them.
fn is_finite(number: Option<&[u8]>) -> bool {
    let text = number.and_then(|number| std::str::from_utf8(number).ok());
    text.and_then(|text| text.parse().ok()).is_some_and(f64::is_finite)
}

pub fn not_json(what: &'static str, at: usize) -> JsonFault {
    JsonFault::NotJson { what, at }
}
