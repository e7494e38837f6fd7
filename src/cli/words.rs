//! Numbers, spans of time and parts of a whole as people say them.

use std::time::Duration;

/// Columns of a bar.
const BAR: usize = 16;

/// A span of time as people say it.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

/// A number with its thousands parted.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A bar of so much of a whole, 0 to 1.
pub(super) fn bar(done: f64) -> String {
    let full = ((done * BAR as f64) as usize).min(BAR);
    format!("{}{}", "#".repeat(full), "-".repeat(BAR - full))
}

/// Bytes, in the unit in which they are read best.
pub(super) fn bytes(bytes: u64) -> String {
    let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    match units.into_iter().find(|(_, size)| bytes as f64 >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", bytes as f64 / size),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_are_said_as_people_say_them() {
        assert_eq!([grouped(0), grouped(999), grouped(1_000), grouped(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        let spans = [7, 67, 3_600 + 125].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(spans, ["7 s", "1 min 07 s", "1 h 02 min"]);
    }

    #[test]
    fn bytes_have_the_unit_in_which_they_are_read_best() {
        let said = [0, 999, 1_000, 1_550_000, 135_000_000_000, 1_350_000_000_000].map(bytes);
        assert_eq!(said, ["0 bytes", "999 bytes", "1.0 kB", "1.6 MB", "135.0 GB", "1.4 TB"]);
    }

    #[test]
    fn a_bar_is_never_longer_than_its_frame() {
        assert_eq!(
            [bar(0.0), bar(0.5), bar(7.0)],
            ["-".repeat(16), format!("{}{}", "#".repeat(8), "-".repeat(8)), "#".repeat(16)]
        );
    }
}
