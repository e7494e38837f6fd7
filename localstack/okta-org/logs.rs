//! `GET /api/v1/logs` without its HTTP: reads the query, cuts the page out of the log, makes the cursors.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use crate::history::{Chosen, History, lets_through};
use crate::inventory::filter::Filter;
use crate::org::Entry;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;
/// How far back a request without `since` looks.
const DEFAULT_DAYS: i64 = 7;
/// What is older is kept no longer. Asking for it is no mistake, but gives nothing.
const RETENTION_DAYS: i64 = 90;

/// Everything that can be asked for: the past, whose events come before all others, and the log.
pub struct Book<'a> {
    pub history: &'a History,
    pub log: &'a [Entry],
}

impl Book<'_> {
    fn len(&self) -> usize {
        self.history.len() + self.log.len()
    }

    fn entry(&self, place: usize) -> Option<&Entry> {
        self.log.get(place.checked_sub(self.history.len())?)
    }

    fn write(&self, place: usize, out: &mut String) {
        match self.entry(place) {
            Some(entry) => out.push_str(&entry.detail),
            None => self.history.write(place, out),
        }
    }
}

/// A request for a page of the log.
#[derive(Debug)]
pub struct Query {
    mode: Mode,
    limit: usize,
    filter: Option<Filter>,
    /// What was published before is not there any more.
    oldest: Timestamp,
    issued: i64,
}

#[derive(Debug)]
enum Mode {
    /// Along the log, in the order of persistence, without an end.
    Polling(From),
    /// Between two times, in the order of publication, with an end.
    Bounded {
        since: Timestamp,
        until: Timestamp,
        descending: bool,
        /// The last event of the page before: its publication in milliseconds and its place.
        after: Option<(i64, usize)>,
    },
}

#[derive(Debug)]
enum From {
    Time(Timestamp),
    Place(usize),
}

/// One page: the events as a JSON array, and the cursor of the next page, if there is to be one.
pub struct Page {
    pub body: String,
    pub next: Option<String>,
}

impl Query {
    /// Reads the parameters as Okta does; the error is its `errorSummary` cause.
    pub fn parse(parameters: &HashMap<String, String>, now: Timestamp, cursor_life: Duration) -> Result<Self, String> {
        let get = |name: &str| parameters.get(name).map(String::as_str);
        if get("q").is_some() {
            return Err(String::from("q: this org cannot search"));
        }
        let filter = get("filter").map(Filter::parse).transpose().map_err(|why| format!("filter: {why}"))?;
        if filter.as_ref().is_some_and(|filter| !filter.uses_only(&|name, _| name != "published")) {
            return Err(String::from("filter: published cannot be filtered by"));
        }
        let limit = match get("limit") {
            None => DEFAULT_LIMIT,
            Some(text) => parsed::<usize>("limit", text)?,
        };
        if limit > MAX_LIMIT {
            return Err(format!("limit: must be between 0 and {MAX_LIMIT}"));
        }
        let descending = match get("sortOrder") {
            None | Some("ASCENDING") => false,
            Some("DESCENDING") => true,
            Some(other) => return Err(format!("sortOrder: {other} is not a sort order")),
        };
        if get("since").is_some() && get("after").is_some() {
            return Err(String::from("since, after: cannot be used together"));
        }
        let since = get("since").map(|text| parsed("since", text)).transpose()?;
        let until = get("until").map(|text| parsed("until", text)).transpose()?;
        let cursor = get("after").map(open_cursor).transpose()?;

        let mode = if until.is_none() && !descending {
            Mode::Polling(match cursor {
                None => From::Time(since.unwrap_or_else(|| days_before(now))),
                Some(Cursor::Polling { place }) => From::Place(place),
                Some(Cursor::Bounded { .. }) => return Err(bad_cursor()),
            })
        } else {
            let (since, until, after) = match cursor {
                None => {
                    let until = until.unwrap_or(now);
                    (since.unwrap_or_else(|| days_before(until)), until, None)
                }
                Some(Cursor::Bounded { since, until, published, place, issued }) => {
                    if now.as_second() - issued > i64::try_from(cursor_life.as_secs()).unwrap_or(i64::MAX) {
                        return Err(String::from("after: the cursor has expired"));
                    }
                    let time = |ms| Timestamp::from_millisecond(ms).map_err(|_| bad_cursor());
                    (time(since)?, time(until)?, Some((published, place)))
                }
                Some(Cursor::Polling { .. }) => return Err(bad_cursor()),
            };
            Mode::Bounded { since, until, descending, after }
        };
        let oldest = now - (RETENTION_DAYS * 24).hours();
        Ok(Self { mode, limit, filter, oldest, issued: now.as_second() })
    }

    /// How much time a bounded request covers.
    pub fn width(&self) -> Option<Duration> {
        match &self.mode {
            Mode::Polling(_) => None,
            Mode::Bounded { since, until, after, .. } => {
                let from = after.map_or(since.as_millisecond(), |(published, _)| published);
                Some(Duration::from_millis(u64::try_from(until.as_millisecond() - from).unwrap_or_default()))
            }
        }
    }

    /// Cuts the page out of the book.
    pub fn page(&self, book: &Book<'_>) -> Page {
        let chosen = self.filter.as_ref().map(|filter| book.history.choose(filter));
        match &self.mode {
            Mode::Polling(from) => self.polling_page(book, from, chosen.as_ref()),
            Mode::Bounded { since, until, descending, after } => {
                let since = since.max(&self.oldest).as_millisecond();
                self.bounded_page(book, (since, until.as_millisecond()), *descending, *after, chosen.as_ref())
            }
        }
    }

    /// What was persisted since; the next page always exists, even if it is empty for now.
    fn polling_page(&self, book: &Book<'_>, from: &From, chosen: Option<&Chosen>) -> Page {
        let start = match from {
            From::Place(place) => (*place).min(book.len()),
            From::Time(since) => {
                let since = since.max(&self.oldest);
                match book.history.at_or_after(since.as_millisecond()) {
                    place if place < book.history.len() => place,
                    end => end + book.log.partition_point(|entry| entry.persisted < *since),
                }
            }
        };
        let end = (start + self.limit).min(book.len());
        let through = (start..end).filter(|place| self.lets_through(book, *place, chosen));
        Page { body: written(book, through), next: Some(Cursor::Polling { place: end }.seal()) }
    }

    /// What was published in between; the last page has no next.
    fn bounded_page(
        &self,
        book: &Book<'_>,
        (since, until): (i64, i64),
        descending: bool,
        after: Option<(i64, usize)>,
        chosen: Option<&Chosen>,
    ) -> Page {
        // The past is in order; its part is cut out without looking at the rest.
        let (mut first, mut last) = (book.history.at_or_after(since), book.history.at_or_after(until));
        if let Some((published, place)) = after {
            let past = place < book.history.len();
            match descending {
                false if past => first = first.max(place + 1),
                false => first = first.max(book.history.at_or_after(published + 1)),
                true if past => last = last.min(place),
                true => {}
            }
        }
        let through = |place: &usize| self.lets_through(book, *place, chosen);
        let enough = self.limit + 1;
        let past: Vec<usize> = match descending {
            false => (first..last).filter(through).take(enough).collect(),
            true => (first..last).rev().filter(through).take(enough).collect(),
        };
        let past = past.into_iter().map(|place| (book.history.published(place), place));
        let live = book
            .log
            .iter()
            .enumerate()
            .map(|(nth, entry)| (entry.published.as_millisecond(), book.history.len() + nth));
        let live = live
            .filter(|(published, _)| (since..until).contains(published))
            .filter(|key| after.is_none_or(|last| if descending { *key < last } else { *key > last }))
            .filter(|(_, place)| through(place));
        let mut found: Vec<(i64, usize)> = past.chain(live).collect();
        found.sort_unstable();
        if descending {
            found.reverse();
        }
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        let next = found
            .last()
            .filter(|_| more)
            .map(|&(published, place)| Cursor::Bounded { since, until, published, place, issued: self.issued }.seal());
        Page { body: written(book, found.into_iter().map(|(_, place)| place)), next }
    }

    fn lets_through(&self, book: &Book<'_>, place: usize, chosen: Option<&Chosen>) -> bool {
        let (Some(filter), Some(chosen)) = (&self.filter, chosen) else { return true };
        match book.entry(place) {
            Some(entry) => serde_json::from_str(&entry.detail).is_ok_and(|event: Value| lets_through(filter, &event)),
            None => book.history.is_chosen(place, chosen),
        }
    }
}

/// A JSON array of the events at these places.
fn written(book: &Book<'_>, places: impl Iterator<Item = usize>) -> String {
    let mut body = String::from("[");
    for (nth, place) in places.enumerate() {
        if nth > 0 {
            body.push(',');
        }
        book.write(place, &mut body);
    }
    body.push(']');
    body
}

/// The same query from the cursor on: `since` and the old cursor have done their work.
pub fn next_query(query: &str, cursor: &str) -> String {
    let name = |pair: &&str| pair.split('=').next().unwrap_or_default().to_owned();
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !matches!(name(pair).as_str(), "since" | "after"));
    let after = format!("after={cursor}");
    kept.chain([after.as_str()]).collect::<Vec<_>>().join("&")
}

/// Where the next page begins; opaque to clients.
enum Cursor {
    Polling {
        place: usize,
    },
    /// Carries the bounds too: the next link has no `since`.
    Bounded {
        since: i64,
        until: i64,
        published: i64,
        place: usize,
        /// When it was given out, in seconds.
        issued: i64,
    },
}

impl Cursor {
    fn seal(&self) -> String {
        URL_SAFE_NO_PAD.encode(match self {
            Self::Polling { place } => format!("p {place}"),
            Self::Bounded { since, until, published, place, issued } => {
                format!("b {since} {until} {published} {place} {issued}")
            }
        })
    }
}

fn open_cursor(text: &str) -> Result<Cursor, String> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad_cursor())?;
    let text = String::from_utf8(bytes).map_err(|_| bad_cursor())?;
    let number = |text: &str| text.parse::<i64>().map_err(|_| bad_cursor());
    let place = |text: &str| text.parse::<usize>().map_err(|_| bad_cursor());
    match text.split(' ').collect::<Vec<_>>()[..] {
        ["p", at] => Ok(Cursor::Polling { place: place(at)? }),
        ["b", since, until, published, at, issued] => Ok(Cursor::Bounded {
            since: number(since)?,
            until: number(until)?,
            published: number(published)?,
            place: place(at)?,
            issued: number(issued)?,
        }),
        _ => Err(bad_cursor()),
    }
}

fn bad_cursor() -> String {
    String::from("after: the cursor is not valid for this request")
}

fn parsed<T: FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name}: {text} is not valid"))
}

fn days_before(time: Timestamp) -> Timestamp {
    time - (DEFAULT_DAYS * 24).hours()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::world::seed::Seed;

    const CURSOR_LIFE: Duration = Duration::from_secs(600);

    /// A log of events published at these seconds, persisted one second apart from 100 on.
    fn log(published: &[i64]) -> Vec<Entry> {
        let at = |second| Timestamp::from_second(second).expect("a time");
        published
            .iter()
            .zip(100..)
            .map(|(&second, persisted)| Entry {
                uuid: Uuid::nil(),
                event_type: "zone.update",
                published: at(second),
                persisted: at(persisted),
                detail: format!("{{\"published\":{second},\"eventType\":\"zone.update\"}}").into(),
                first_sent: None,
            })
            .collect()
    }

    /// The past of an org that was started at this second.
    fn history(days: u64, per_day: u64, end: i64) -> History {
        let seed = Arc::new(Seed::new("acme", 7, 200, 12, 10));
        History::new(&seed, days, per_day, Timestamp::from_second(end).expect("a time"))
    }

    fn ask_at(
        second: i64,
        book: &Book<'_>,
        parameters: &[(&str, &str)],
    ) -> Result<(Vec<Value>, Option<String>), String> {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let now = Timestamp::from_second(second).expect("a time");
        let page = Query::parse(&parameters, now, CURSOR_LIFE)?.page(book);
        Ok((serde_json::from_str(&page.body).expect("JSON"), page.next))
    }

    fn ask(log: &[Entry], parameters: &[(&str, &str)]) -> (Vec<String>, Option<String>) {
        let book = Book { history: &history(0, 0, 0), log };
        let (events, next) = ask_at(1_000, &book, parameters).expect("a valid query");
        (events.iter().map(|event| event["published"].to_string()).collect(), next)
    }

    #[test]
    fn the_past_is_read_page_by_page_and_goes_over_into_the_log() {
        let history = history(2, 300, 200_000);
        let log: Vec<Entry> = log(&[200_100, 200_050]);
        let book = Book { history: &history, log: &log };
        for order in ["ASCENDING", "DESCENDING"] {
            let bounds = [("since", "1970-01-02T00:00:00Z"), ("until", "1970-02-01T00:00:00Z"), ("sortOrder", order)];
            let (mut events, mut next) =
                ask_at(1_000_000, &book, &[&bounds[..], &[("limit", "7")]].concat()).expect("a page");
            while let Some(after) = next {
                let rest = [bounds[1], bounds[2], ("limit", "50"), ("after", &after)];
                let (page, then) = ask_at(1_000_000, &book, &rest).expect("a page");
                events.extend(page);
                next = then;
            }
            if order == "DESCENDING" {
                events.reverse();
            }
            let first = history.at_or_after(86_400_000);
            let expected: Vec<_> = (first..history.len()).map(|number| history.uuid(number).to_string()).collect();
            let uuids: Vec<_> = events.iter().filter_map(|event| event["uuid"].as_str().map(str::to_owned)).collect();
            assert_eq!(uuids, expected, "{order}");
            let live: Vec<_> = events[uuids.len()..].iter().map(|event| event["published"].to_string()).collect();
            assert_eq!(live, ["200050", "200100"], "{order}");
        }
    }

    #[test]
    fn what_is_older_than_ninety_days_is_gone() {
        let history = history(100, 10, 100 * 86_400);
        let book = Book { history: &history, log: &[] };
        let all = [("since", "1970-01-01T00:00:00Z"), ("until", "1971-01-01T00:00:00Z"), ("limit", "1000")];
        let (events, _) = ask_at(100 * 86_400, &book, &all).expect("a page");
        assert_eq!(events.len(), 1_000 - history.at_or_after(10 * 86_400_000));
    }

    #[test]
    fn a_filter_lets_through_what_it_should_of_the_past_and_of_the_log() {
        let (history, log) = (history(1, 2_000, 200_000), log(&[200_050]));
        let book = Book { history: &history, log: &log };
        let count = |filter: &str| {
            let all = [("since", "1970-01-02T00:00:00Z"), ("until", "1970-02-01T00:00:00Z"), ("limit", "1000")];
            ask_at(1_000_000, &book, &[&all[..], &[("filter", filter)]].concat()).map(|(events, _)| events.len())
        };
        assert_eq!(count("eventType eq \"zone.update\"").map(|count| count > 0), Ok(true));
        assert!(count("eventType eq \"user.session.start\"") != count("eventType pr"));
        assert!(count("eventType is \"x\"").is_err() && count("published gt \"2020\"").is_err());
    }

    #[test]
    fn cursors_of_bounded_requests_expire() {
        let history = history(1, 100, 200_000);
        let book = Book { history: &history, log: &[] };
        let bounds = [("since", "1970-01-02T00:00:00Z"), ("until", "1970-02-01T00:00:00Z")];
        let (_, next) = ask_at(300_000, &book, &[&bounds[..], &[("limit", "5")]].concat()).expect("a page");
        let (until, after) = (bounds[1], next.expect("more"));
        assert!(ask_at(300_600, &book, &[until, ("after", &after)]).is_ok());
        assert_eq!(
            ask_at(300_601, &book, &[until, ("after", &after)]),
            Err(String::from("after: the cursor has expired"))
        );
    }

    #[test]
    fn polling_goes_along_persistence_and_never_ends() {
        let mut events = log(&[100, 103, 101]);
        let (page, next) = ask(&events, &[("since", "1970-01-01T00:01:41Z"), ("limit", "1")]);
        assert_eq!(page, ["103"], "since is about persistence");
        let next = next.expect("a cursor");
        assert_eq!(ask(&events, &[("after", &next)]).0, ["101"]);
        let (page, end) = ask(&events, &[("after", &next), ("limit", "0")]);
        assert!(page.is_empty());
        assert_eq!(end.as_deref(), Some(&*next), "nothing is skipped");

        let tail = ask(&events, &[("after", &next)]).1.expect("a cursor");
        let (page, same) = ask(&events, &[("after", &tail)]);
        assert!(page.is_empty());
        events.extend(log(&[99]));
        assert_eq!(ask(&events, &[("after", &same.expect("a cursor"))]).0, ["99"]);
    }

    #[test]
    fn bounded_goes_along_publication_and_ends() {
        let events = log(&[100, 103, 101, 101]);
        let until = ("until", "1970-01-01T00:01:43Z");
        let (page, next) = ask(&events, &[until, ("limit", "2")]);
        assert_eq!(page, ["100", "101"]);
        let next = next.expect("a cursor");
        let (page, end) = ask(&events, &[until, ("limit", "2"), ("after", &next)]);
        assert_eq!(page, ["101"], "until is exclusive, equal times are not lost");
        assert_eq!(end, None);
        assert_eq!(ask(&events, &[("sortOrder", "DESCENDING"), ("limit", "1")]).0, ["103"]);
    }

    #[test]
    fn the_next_link_keeps_the_query_but_for_where_it_started() {
        let query = "since=2026-01-01T00%3A00%3A00Z&limit=5&after=old";
        assert_eq!(next_query(query, "new"), "limit=5&after=new");
        assert_eq!(next_query("", "new"), "after=new");
    }

    #[test]
    fn what_okta_refuses_is_refused() {
        let now = Timestamp::UNIX_EPOCH;
        for (name, value) in [
            ("limit", "1001"),
            ("limit", "-1"),
            ("after", "not a cursor"),
            ("since", "yesterday"),
            ("sortOrder", "SIDEWAYS"),
            ("filter", "eventType eq"),
            ("q", "zone"),
        ] {
            let parameters = HashMap::from([(name.to_owned(), value.to_owned())]);
            assert!(Query::parse(&parameters, now, CURSOR_LIFE).is_err(), "{name}={value}");
        }
    }
}
