//! The completeness ledger for people: a line of minutes for each hour.

use std::fmt::Write;

use jiff::Timestamp;

use crate::cli::words::grouped;
use crate::inspect::{LedgerOf, Minute};

const HOUR_MS: i64 = 3_600_000;

/// How many events a minute has, in four shades of the busiest one; for minutes that are proven complete.
const PROVEN: [char; 4] = ['░', '▒', '▓', '█'];

/// The same where nothing proves that these are all.
const OPEN: [char; 4] = ['.', ':', 'o', 'O'];

/// The hours that have something in them, each as a line of sixty minutes, and what it adds up to.
pub fn shown(ledger: &LedgerOf) -> String {
    let busiest = ledger.minutes.iter().map(|minute| minute.events).max().unwrap_or(0).max(1);
    let mut text = format!("{}\n", ledger.org);
    let mut skipped = 0;
    for hour in ledger.minutes.chunk_by(|one, next| one.at.div_euclid(HOUR_MS) == next.at.div_euclid(HOUR_MS)) {
        let Some(first) = hour.first() else { continue };
        if hour.iter().all(|minute| minute.events == 0 && !minute.complete) {
            skipped += 1;
            continue;
        }
        // Writing into a text cannot fail.
        let _ = writeln!(text, "  {}  {}  {}", name(first.at), line(hour, busiest), sums(hour));
    }
    if skipped > 0 {
        let _ = writeln!(text, "  {skipped} hours without anything known of them are not shown");
    }
    let _ = writeln!(text, "  in all            {}", sums(&ledger.minutes));
    text.push_str("  proven complete: ' ' none, ░▒▓█ few to many; not proven: _ none, .:oO few to many\n\n");
    text
}

fn line(hour: &[Minute], busiest: u64) -> String {
    let mut line: String = (0..60).map(|_| ' ').collect::<String>();
    let begin = hour.first().map_or(0, |minute| minute.at.div_euclid(HOUR_MS) * HOUR_MS);
    let mut signs: Vec<char> = line.drain(..).collect();
    for minute in hour {
        let at = usize::try_from((minute.at - begin) / 60_000).unwrap_or(usize::MAX);
        if let Some(place) = signs.get_mut(at) {
            *place = sign(minute, busiest);
        }
    }
    format!("[{}]", signs.into_iter().collect::<String>())
}

fn sign(minute: &Minute, busiest: u64) -> char {
    let shades = if minute.complete { PROVEN } else { OPEN };
    match minute.events {
        0 if minute.complete => ' ',
        0 => '_',
        events => {
            let shade = usize::try_from((events * 4).div_ceil(busiest)).unwrap_or(4).clamp(1, 4);
            shades.get(shade - 1).copied().unwrap_or('?')
        }
    }
}

fn sums(minutes: &[Minute]) -> String {
    let sum = |count: fn(&Minute) -> u64| minutes.iter().map(count).sum::<u64>();
    let complete = minutes.iter().filter(|minute| minute.complete).count();
    let ways = [
        ("stream", sum(|minute| minute.stream)),
        ("poll", sum(|minute| minute.poll)),
        ("history", sum(|minute| minute.history)),
    ];
    let ways: Vec<_> = ways.iter().map(|(way, count)| format!("{way} {}", grouped(*count))).collect();
    let events = grouped(sum(|minute| minute.events));
    format!("{events} events ({}), {complete} of {} minutes complete", ways.join(", "), minutes.len())
}

fn name(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| "?".to_owned(), |time| time.strftime("%Y-%m-%d %H:00Z").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(at: i64, events: u64, complete: bool) -> Minute {
        Minute { at: at * 60_000, events, stream: events, poll: 0, history: 0, complete }
    }

    #[test]
    fn a_line_shows_what_is_there_and_what_is_proven() {
        let minutes = vec![
            minute(60, 0, true),
            minute(61, 1, true),
            minute(62, 8, true),
            minute(63, 8, false),
            minute(64, 0, false),
        ];
        let shown = shown(&LedgerOf { org: "acme".into(), minutes });
        assert!(shown.contains("1970-01-01 01:00Z  [ ░█O_ "), "{shown}");
        assert!(shown.contains("17 events (stream 17, poll 0, history 0), 3 of 5 minutes complete"), "{shown}");
    }

    #[test]
    fn hours_of_which_nothing_is_known_are_counted_and_not_drawn() {
        let shown =
            shown(&LedgerOf { org: "acme".into(), minutes: (0..120).map(|at| minute(at, 0, at > 100)).collect() });
        assert!(shown.contains("1 hours without anything known") && shown.contains("01:00Z"), "{shown}");
    }
}
