//! Scalars to JSON text.

use std::io::Write as _;

use super::scan;

/// Appends a text with what JSON requires to be escaped, without quotes.
pub fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let start = out.len();
    // Room for a backslash before every byte, and for the eight that are always written.
    out.resize(start + 2 * bytes.len() + 8, 0);
    let (read, written) = escape_words(bytes, &mut out[start..]);
    out.truncate(start + written);
    for byte in &bytes[read..] {
        if matches!(byte, b'"' | b'\\' | 0..0x20) { push_special(out, *byte) } else { out.push(*byte) }
    }
}

/// Eight bytes at a time: all of them are written, and only the plain ones before an escape are kept. The texts that come
/// here (an event as `raw_data`) have a quote every eight bytes, where longer strides would not pay. Ends before the first
/// control character and before the last few bytes; gives how many bytes were read and written.
fn escape_words(bytes: &[u8], room: &mut [u8]) -> (usize, usize) {
    let (mut read, mut written) = (0, 0);
    while let Some(word) = bytes[read..].first_chunk::<8>() {
        let plain = scan::plain_bytes(*word);
        room[written..written + 8].copy_from_slice(word);
        read += plain;
        written += plain;
        if plain < 8 {
            let special = word[plain];
            if special < 0x20 {
                break;
            }
            room[written] = b'\\';
            room[written + 1] = special;
            read += 1;
            written += 2;
        }
    }
    (read, written)
}

/// Appends a byte that may not stand in a string as it is.
#[inline]
fn push_special(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0..0x20 => {
            let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 0xF)]);
        }
        _ => out.extend_from_slice(&[b'\\', byte]),
    }
}

/// Appends an integer.
pub fn push_i64(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a finite number so that readers take it for a fraction: `48` as `48.0`.
pub fn push_f64(out: &mut Vec<u8>, number: f64) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{number:?}");
}
