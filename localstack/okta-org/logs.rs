//! `GET /api/v1/logs` without its HTTP: reads the query, cuts the page out of the log, makes the cursors.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{Timestamp, ToSpan};

use crate::org::Entry;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;
/// How far back a request without `since` looks.
const DEFAULT_DAYS: i64 = 7;

/// A request for a page of the log.
#[derive(Debug)]
pub struct Query {
    mode: Mode,
    limit: usize,
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

/// One page: the events and the cursor of the next page, if there is to be one.
pub struct Page {
    pub events: Vec<Arc<str>>,
    pub next: Option<String>,
}

impl Query {
    /// Reads the parameters as Okta does; the error is its `errorSummary` cause.
    pub fn parse(parameters: &HashMap<String, String>, now: Timestamp) -> Result<Self, String> {
        let get = |name: &str| parameters.get(name).map(String::as_str);
        if let Some(name) = ["filter", "q"].iter().find(|name| get(name).is_some()) {
            return Err(format!("{name}: this org cannot filter"));
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
                Some(Cursor::Bounded { since, until, published, place }) => {
                    let time = |ms| Timestamp::from_millisecond(ms).map_err(|_| bad_cursor());
                    (time(since)?, time(until)?, Some((published, place)))
                }
                Some(Cursor::Polling { .. }) => return Err(bad_cursor()),
            };
            Mode::Bounded { since, until, descending, after }
        };
        Ok(Self { mode, limit })
    }

    /// Cuts the page out of the log.
    pub fn page(&self, log: &[Entry]) -> Page {
        match &self.mode {
            Mode::Polling(from) => self.polling_page(log, from),
            Mode::Bounded { since, until, descending, after } => {
                self.bounded_page(log, *since, *until, *descending, *after)
            }
        }
    }

    /// What was persisted since; the next page always exists, even if it is empty for now.
    fn polling_page(&self, log: &[Entry], from: &From) -> Page {
        let start = match from {
            From::Place(place) => (*place).min(log.len()),
            From::Time(since) => log.partition_point(|entry| entry.persisted < *since),
        };
        let end = (start + self.limit).min(log.len());
        Page {
            events: log[start..end].iter().map(|entry| entry.detail.clone()).collect(),
            next: Some(Cursor::Polling { place: end }.seal()),
        }
    }

    /// What was published in between; the last page has no next.
    fn bounded_page(
        &self,
        log: &[Entry],
        since: Timestamp,
        until: Timestamp,
        descending: bool,
        after: Option<(i64, usize)>,
    ) -> Page {
        let mut found: Vec<(i64, usize)> = log
            .iter()
            .enumerate()
            .filter(|(_, entry)| (since..until).contains(&entry.published))
            .map(|(place, entry)| (entry.published.as_millisecond(), place))
            .filter(|key| after.is_none_or(|last| if descending { *key < last } else { *key > last }))
            .collect();
        found.sort_unstable();
        if descending {
            found.reverse();
        }
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        let next = found.last().filter(|_| more).map(|&(published, place)| {
            let (since, until) = (since.as_millisecond(), until.as_millisecond());
            Cursor::Bounded { since, until, published, place }.seal()
        });
        Page { events: found.iter().map(|&(_, place)| log[place].detail.clone()).collect(), next }
    }
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
    },
}

impl Cursor {
    fn seal(&self) -> String {
        URL_SAFE_NO_PAD.encode(match self {
            Self::Polling { place } => format!("p {place}"),
            Self::Bounded { since, until, published, place } => {
                format!("b {since} {until} {published} {place}")
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
        ["b", since, until, published, at] => Ok(Cursor::Bounded {
            since: number(since)?,
            until: number(until)?,
            published: number(published)?,
            place: place(at)?,
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
    use uuid::Uuid;

    use super::*;

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
                detail: second.to_string().into(),
                first_sent: None,
            })
            .collect()
    }

    fn ask(log: &[Entry], parameters: &[(&str, &str)]) -> (Vec<String>, Option<String>) {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let now = Timestamp::from_second(1_000).expect("a time");
        let page = Query::parse(&parameters, now).expect("a valid query").page(log);
        (page.events.iter().map(ToString::to_string).collect(), page.next)
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
            ("filter", "eventType eq \"zone.update\""),
        ] {
            let parameters = HashMap::from([(name.to_owned(), value.to_owned())]);
            assert!(Query::parse(&parameters, now).is_err(), "{name}={value}");
        }
    }
}
