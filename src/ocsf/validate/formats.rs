//! How strings of some types are written. By hand where the schema has a regular expression: the expressions are few
//! and simple, and that for addresses is wrong (its dots match anything).

use std::net::{IpAddr, Ipv6Addr};

use jiff::civil::{Date, DateTime, Time};

/// A type of string that has a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Bytestring,
    Datetime,
    Email,
    Ip,
    Mac,
    Subnet,
    Uuid,
}

impl Format {
    /// The form of a type, by the type's name.
    pub fn of(type_name: &str) -> Option<Self> {
        Some(match type_name {
            "bytestring_t" => Self::Bytestring,
            "datetime_t" => Self::Datetime,
            "email_t" => Self::Email,
            "ip_t" => Self::Ip,
            "mac_t" => Self::Mac,
            "subnet_t" => Self::Subnet,
            "uuid_t" => Self::Uuid,
            _ => return None,
        })
    }

    pub fn accepts(self, text: &str) -> bool {
        match self {
            Self::Bytestring => is_base64(text),
            Self::Datetime => datetime_ms(text).is_some(),
            Self::Email => is_email(text),
            Self::Ip => is_ip(text),
            Self::Mac => is_mac(text),
            Self::Subnet => is_subnet(text),
            Self::Uuid => is_uuid(text),
        }
    }
}

/// Empty, or padded Base 64 in one of its two alphabets. The schema wants padding even where the length needs none.
fn is_base64(text: &str) -> bool {
    let body = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).filter(|_| text.len().is_multiple_of(4));
    let all = |body: &str, extra: [u8; 2]| body.bytes().all(|b| b.is_ascii_alphanumeric() || extra.contains(&b));
    text.is_empty() || body.is_some_and(|body| all(body, *b"+/") || all(body, *b"-_"))
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let Some((host, rest)) = domain.split_once('.') else { return false };
    let of_local = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+,-./=?^_`{|}~".contains(&b);
    let of_host = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let all = |text: &str, allowed: &dyn Fn(u8) -> bool| !text.is_empty() && text.bytes().all(allowed);
    all(local, &of_local) && all(host, &of_host) && all(rest, &|b| of_host(b) || b == b'.')
}

fn is_ip(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || is_scoped(text)
}

/// An IPv6 address with the interface that it is valid on: `fe80::1%eth0`.
fn is_scoped(text: &str) -> bool {
    let Some((address, scope)) = text.split_once('%') else { return false };
    address.parse::<Ipv6Addr>().is_ok() && !scope.is_empty() && !scope.contains(['%', '/'])
}

fn is_mac(text: &str) -> bool {
    let bytes = text.as_bytes();
    let fits = |(at, byte): (usize, &u8)| if at % 3 == 2 { b":-".contains(byte) } else { byte.is_ascii_hexdigit() };
    bytes.len() == 17 && bytes.iter().enumerate().all(fits)
}

/// CIDR notation; host bits may be set.
fn is_subnet(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let longest = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) if is_scoped(address) => 128,
        Err(_) => return false,
    };
    number(length).is_some_and(|length| length <= longest)
}

fn is_uuid(text: &str) -> bool {
    let groups: [usize; 5] = [8, 4, 4, 4, 12];
    let mut parts = text.split('-');
    let fits = |length: usize| {
        parts.next().is_some_and(|part| part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    groups.into_iter().all(fits) && parts.next().is_none()
}

/// Milliseconds since the Unix epoch of an RFC 3339 time, cut, not rounded. `None` without an offset, and for a time
/// that does not exist. A leap second is the instant after it.
pub fn datetime_ms(text: &str) -> Option<i64> {
    let (date, clock) = (text.get(..10)?, text.get(11..19)?);
    matches!(text.as_bytes()[10], b'T' | b't').then_some(())?;
    let (year, month, day) = three(date, '-', [4, 2, 2])?;
    let (hour, minute, second) = three(clock, ':', [2, 2, 2])?;
    let leap = i16::from(second == 60);
    let date = Date::new(year, month as i8, day as i8).ok().filter(|date| date.year() > 0)?;
    let time = Time::new(hour as i8, minute as i8, (second - leap) as i8, 0).ok()?;
    let whole = DateTime::from_parts(date, time).duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    let (fraction, offset) = split_fraction(text.get(19..)?)?;
    Some(i64::try_from(whole.as_millis()).ok()? + i64::from(leap) * 1000 + fraction - offset_ms(offset)?)
}

/// Three numbers of fixed widths.
fn three(text: &str, separator: char, widths: [usize; 3]) -> Option<(i16, i16, i16)> {
    let mut parts = text.split(separator).zip(widths).map(|(part, width)| {
        let part = number(part).filter(|_| part.len() == width)?;
        i16::try_from(part).ok()
    });
    Some((parts.next()??, parts.next()??, parts.next()??))
}

/// The milliseconds of `.123456`, if there is a fraction, and what follows.
fn split_fraction(rest: &str) -> Option<(i64, &str)> {
    let Some(fraction) = rest.strip_prefix('.') else { return Some((0, rest)) };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let mut thousands = fraction.bytes().take(digits).chain(*b"00").take(3);
    let ms = thousands.try_fold(0, |ms, digit| Some(ms * 10 + i64::from(digit - b'0')));
    Some((ms.filter(|_| digits > 0)?, &fraction[digits..]))
}

fn offset_ms(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let two = |part: &str, below: i64| number(part).filter(|n| part.len() == 2 && *n < below);
    Some(sign * (two(hours, 24)? * 60 + two(minutes, 60)?) * 60_000)
}

/// Only digits, unlike `str::parse`, which takes a sign.
fn number(text: &str) -> Option<i64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(format: Format, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(format.accepts(text), "{text} is a {format:?}");
        }
        for text in bad {
            assert!(!format.accepts(text), "{text} is no {format:?}");
        }
    }

    #[test]
    fn addresses() {
        let good = ["192.0.2.7", "::", "2001:db8::1", "::ffff:192.0.2.7", "fe80::1%eth0", "1:2:3:4:5:6:7:8"];
        let bad = ["", "192.0.2", "192.0.2.07", "192.0.2.256", "192.0.2.7/24", " ::1", "192a0b2c7", "::1%", "1::2::3"];
        all(Format::Ip, &good, &bad);
        let good = ["192.0.2.0/24", "192.0.2.7/0", "2001:db8::/32", "::1/128", "fe80::%eth0/64"];
        let bad = ["192.0.2.0", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/+8", "::/129", "192.0.2.0/24/1", "x/8"];
        all(Format::Subnet, &good, &bad);
        let good = ["18:36:F3:98:4F:9A", "18-36-f3-98-4f-9a", "18:36-f3:98-4f:9a"];
        let bad = ["", "18:36:F3:98:4F", "1836F3984F9A", "18:36:F3:98:4F:9G", "18:36:F3:98:4F:9A:"];
        all(Format::Mac, &good, &bad);
    }

    #[test]
    fn emails_and_identifiers() {
        let good = ["ada@example.com", "a.b+c,d/e@x-1.co.uk", "!#$%&'*=?^_`{|}~@a.b", "a@b.c.", "a@b.-"];
        let bad = ["", "ada", "ada@local", "@a.b", "a@.b", "a@b.", "a b@c.d", "a@b@c.d", "ä@b.c", "a@b_c.d", "a@b.c\n"];
        all(Format::Email, &good, &bad);
        let good = ["123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"];
        let bad = ["", "123e4567e89b12d3a456426614174000", "123e4567-e89b-12d3-a456-42661417400", "1-2-3-4-5"];
        all(Format::Uuid, &good, &bad);
        all(Format::Uuid, &[], &["{123e4567-e89b-12d3-a456-426614174000}", "123e4567-e89b-12d3-a456-426614174000-"]);
        let good = ["", "YQ==", "YWI=", "YWJjZA==", "_-8=", "+/8="];
        let bad = ["YWJj", "YQ", "YQ=", "YQ===", "====", "Y===", "+_8=", "Y W="];
        all(Format::Bytestring, &good, &bad);
    }

    #[test]
    fn times_are_instants_in_milliseconds() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-08-13T15:58:20.353999Z", Some(1_723_564_700_353)),
            ("2024-08-13t17:58:20.3+02:00", Some(1_723_564_700_300)),
            ("2024-08-13T15:58:20.05-00:30", Some(1_723_566_500_050)),
            ("2016-12-31T23:59:60Z", Some(1_483_228_800_000)),
            ("9999-12-31T23:59:59.999Z", Some(253_402_300_799_999)),
            ("0001-01-01T00:00:00Z", Some(-62_135_596_800_000)),
            ("1969-12-31T23:59:59.999Z", Some(-1)),
            ("0000-01-01T00:00:00Z", None),
            ("2024-02-30T00:00:00Z", None),
            ("2024-08-13T24:00:00Z", None),
            ("2024-08-13T15:58:61Z", None),
            ("2024-08-13T15:58:20", None),
            ("2024-08-13 15:58:20Z", None),
            ("2024-08-13T15:58:20.Z", None),
            ("2024-08-13T15:58:20+24:00", None),
            ("2024-08-13T15:58:20+02:60", None),
            ("2024-08-13T15:58:20+0200", None),
            ("2024-08-13T15:58:20ZZ", None),
            ("2024-8-13T15:58:20Z", None),
            ("+024-08-13T15:58:20Z", None),
            ("2024-08-13T15:58:2éZ", None),
            ("", None),
        ] {
            assert_eq!(datetime_ms(text), ms, "{text}");
        }
    }
}
