//! Values that belong in no log and no record. The Management API returns some with the object that they are of: the client
//! secret of an application or an identity provider, the private key of an Apple sign-in, the shared secret of a factor
//! that is being enrolled, the token of an app's provisioning.
//!
//! They are known by their names. A name too many costs a value that nobody misses; a name too few is a leak.
//!
//! Source: `client_secret`, `privateKey`, `sharedSecret`, `token` and others in the responses of the Okta Management
//! API, 2026.06.3.

use crate::json::{Document, Kind, Value};

/// What a secret becomes.
const WITHHELD: &[u8] = br#""(withheld)""#;

/// How the names of secrets end, whatever their case and punctuation: `clientSecret`, `client_secret`.
const ENDINGS: &[&str] =
    &["secret", "secrethash", "secretkey", "privatekey", "apikey", "password", "passcode", "token", "answer"];

/// Appends the text of a document with its secrets withheld, on one line, so that spans of it fit on a line.
pub fn copy_without(document: &Document<'_>, out: &mut Vec<u8>) {
    let text = document.text().as_bytes();
    let mut from = 0;
    let values = (0..document.len()).filter_map(|place| document.value(place));
    for secret in values.filter(|value| is_secret(*value)) {
        let range = secret.range();
        push_line(out, text.get(from..range.start).unwrap_or_default());
        out.extend_from_slice(WITHHELD);
        from = range.end;
    }
    push_line(out, text.get(from..).unwrap_or_default());
}

/// Line ends cannot be in strings, so a space is as good.
fn push_line(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
}

fn is_secret(value: Value<'_>) -> bool {
    let can_be = match value.kind() {
        Kind::String => !value.span().is_empty(),
        kind => matches!(kind, Kind::Integer | Kind::Float),
    };
    can_be && (is_secret_name(&value.key()) || is_secret_value(value))
}

/// A `value` whose name is elsewhere: the headers that a hook sends, among them its authorization, and passwords.
fn is_secret_value(value: Value<'_>) -> bool {
    let Some(holder) = value.parent().filter(|_| value.key_span() == "value") else { return false };
    let list = holder.parent().filter(|list| list.kind() == Kind::Array);
    let name = list.unwrap_or(holder).key();
    matches!(&*name, "headers" | "authScheme") || is_secret_name(&name)
}

fn is_secret_name(name: &str) -> bool {
    ENDINGS.iter().any(|ending| {
        let mut letters = name.bytes().rev().filter(u8::is_ascii_alphanumeric);
        ending.bytes().rev().all(|wanted| letters.next().is_some_and(|letter| letter.eq_ignore_ascii_case(&wanted)))
    })
}
