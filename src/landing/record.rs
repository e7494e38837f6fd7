use uuid::Uuid;

use crate::okta::OrgId;

/// The newest version of the record layout that this binary writes and reads.
pub const RECORD_VERSION: u8 = 3;

/// Which way a record came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Okta's log streaming, through EventBridge and SQS.
    Sqs,
    /// The System Log API, polled.
    Poll,
    /// The System Log of the past, read by a job or from files.
    Backfill,
    /// A replay of an EventBridge archive, through SQS.
    Archive,
    /// A list of the REST API, read as part of a snapshot.
    Snapshot,
    /// One object of the REST API, read because something said that it changed.
    Fetch,
    /// A re-read of what should not have changed.
    Audit,
    /// A person, by a command.
    Command,
}

impl Origin {
    const ALL: [Self; 8] =
        [Self::Sqs, Self::Poll, Self::Backfill, Self::Archive, Self::Snapshot, Self::Fetch, Self::Audit, Self::Command];

    /// The header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Poll => "poll",
            Self::Backfill => "backfill",
            Self::Archive => "archive",
            Self::Snapshot => "snapshot",
            Self::Fetch => "fetch",
            Self::Audit => "audit",
            Self::Command => "command",
        }
    }

    /// Whether an event by this way may be long past: it says what was, not that something changes.
    pub fn is_history(self) -> bool {
        matches!(self, Self::Backfill | Self::Archive)
    }

    /// Whether readers of the first versions know it.
    fn is_of_version_2(self) -> bool {
        !matches!(self, Self::Poll | Self::Backfill | Self::Archive)
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == text)
    }
}

/// What a landing record holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// One System Log event: the value is the LogEvent JSON as received.
    Event {
        /// Okta's uuid of the event.
        uuid: Uuid,
        /// The event's `published`, ms since the Unix epoch.
        published: i64,
    },
    /// What the REST API said of an object, or of a page of them.
    Observation(Observation),
    /// Something about the reading itself, such as that a snapshot begins; the value is JSON.
    Mark {
        /// Which mark.
        name: String,
    },
    /// How far a reading has come; everything before that place is in the log before this record. The value is JSON.
    Cursor {
        /// Whose place.
        name: String,
    },
}

/// How much of the API an observation holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grain {
    /// One object, as received; no value means that there is no such object.
    Object,
    /// A page of objects within something else, as a JSON array of them as received.
    Page,
    /// The ids of a page of objects within something else, as a JSON array of texts.
    Ids,
}

impl Grain {
    const ALL: [Self; 3] = [Self::Object, Self::Page, Self::Ids];

    /// The header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Page => "page",
            Self::Ids => "ids",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grain| grain.as_str() == text)
    }
}

/// Where and when something was observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The collection that was read.
    pub collection: String,
    /// The part of the state that it speaks of, which has a clock of its own.
    pub facet: String,
    /// What the value is.
    pub grain: Grain,
    /// The id of the object, behind those of the objects that it is within, parted by `/`; of a page only the latter.
    pub key: String,
    /// The snapshot that it is part of, if any.
    pub epoch: Option<i64>,
    /// The state at Okta was read between these times, ms since the Unix epoch by Okta's clock.
    pub as_of: (i64, i64),
    /// Which page of what [`Observation::key`] names, from 0; a list that is read anew begins at 0 again.
    pub part: u32,
    /// Its last page; always so for an object.
    pub last: bool,
}

/// What is known of one thing that arrived, and the thing itself, untouched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LandingRecord {
    /// Key of the record: all of one org is one partition.
    pub org: OrgId,
    /// Which way it came.
    pub origin: Origin,
    /// When it was taken in, ms since the Unix epoch. The only clock of everything behind the log.
    pub landed_at: i64,
    /// What the value is.
    pub content: Content,
    /// The bytes as received; empty where an object is absent.
    pub value: Vec<u8>,
}

/// A record read back from the log, with its place.
#[derive(Debug)]
pub struct LandedRecord {
    /// Its place in the partition.
    pub offset: u64,
    /// The record, or why what stands there is none.
    pub content: Result<LandingRecord, MalformedRecord>,
}

/// Something in the log that this binary cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedRecord {
    /// Written by a newer version; skipping it could lose data, so the reader stops.
    #[error("the record has version {0}; this binary reads up to {RECORD_VERSION}")]
    Newer(u8),
    /// Not written by ingest: a header is missing or says nothing known.
    #[error("the header {header:?} is missing or unreadable")]
    Header {
        /// Which header.
        header: &'static str,
        /// The value of the record, for quarantine.
        value: Vec<u8>,
    },
}

impl LandingRecord {
    /// The headers, in the order in which they are written.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        // As it always was, so that older readers go on until there is something that they do not know.
        let version = match &self.content {
            _ if !self.origin.is_of_version_2() => 3,
            Content::Event { .. } => 1,
            _ => 2,
        };
        let mut headers = vec![
            ("v", version.to_string()),
            ("kind", self.content.kind().to_owned()),
            ("org", self.org.to_string()),
            ("origin", self.origin.as_str().to_owned()),
        ];
        match &self.content {
            Content::Event { uuid, published } => {
                headers.extend([("uuid", uuid.to_string()), ("published", published.to_string())]);
            }
            Content::Observation(observation) => observation.write_headers(&mut headers),
            Content::Mark { name } | Content::Cursor { name } => headers.push(("name", name.clone())),
        }
        headers.push(("landed_at", self.landed_at.to_string()));
        headers
    }

    /// Reads a record back from its headers and value.
    ///
    /// # Errors
    /// [`MalformedRecord`], which says whether the record may be set aside.
    pub fn from_parts<'h>(header: impl Fn(&str) -> Option<&'h str>, value: Vec<u8>) -> Result<Self, MalformedRecord> {
        let version = header("v").and_then(|text| text.parse::<u8>().ok());
        if let Some(version) = version.filter(|version| *version > RECORD_VERSION) {
            return Err(MalformedRecord::Newer(version));
        }
        let parsed = (|| {
            version.ok_or("v")?;
            Ok((
                header("org").map(OrgId::new).ok_or("org")?,
                header("origin").and_then(Origin::parse).ok_or("origin")?,
                header("landed_at").and_then(|text| text.parse().ok()).ok_or("landed_at")?,
                Content::read(&header)?,
            ))
        })();
        match parsed {
            Ok((org, origin, landed_at, content)) => Ok(Self { org, origin, landed_at, content, value }),
            Err(header) => Err(MalformedRecord::Header { header, value }),
        }
    }
}

impl Content {
    fn kind(&self) -> &'static str {
        match self {
            Self::Event { .. } => "event",
            Self::Observation(_) => "observation",
            Self::Mark { .. } => "mark",
            Self::Cursor { .. } => "cursor",
        }
    }

    /// Reads it from headers; the error names the one that is missing or unreadable.
    fn read<'h>(header: &impl Fn(&str) -> Option<&'h str>) -> Result<Self, &'static str> {
        let name = || header("name").map(str::to_owned).ok_or("name");
        match header("kind").ok_or("kind")? {
            "event" => Ok(Self::Event {
                uuid: header("uuid").and_then(|text| Uuid::try_parse(text).ok()).ok_or("uuid")?,
                published: header("published").and_then(|text| text.parse().ok()).ok_or("published")?,
            }),
            "observation" => Observation::read(header).map(Self::Observation),
            "mark" => Ok(Self::Mark { name: name()? }),
            "cursor" => Ok(Self::Cursor { name: name()? }),
            _ => Err("kind"),
        }
    }
}

impl Observation {
    fn write_headers(&self, headers: &mut Vec<(&'static str, String)>) {
        headers.extend([
            ("collection", self.collection.clone()),
            ("facet", self.facet.clone()),
            ("grain", self.grain.as_str().to_owned()),
            ("key", self.key.clone()),
        ]);
        headers.extend(self.epoch.map(|epoch| ("epoch", epoch.to_string())));
        headers.extend([
            ("as_of_lo", self.as_of.0.to_string()),
            ("as_of_hi", self.as_of.1.to_string()),
            ("part", self.part.to_string()),
            ("last", u8::from(self.last).to_string()),
        ]);
    }

    fn read<'h>(header: &impl Fn(&str) -> Option<&'h str>) -> Result<Self, &'static str> {
        let number = |name: &str| header(name).and_then(|text| text.parse().ok());
        Ok(Self {
            collection: header("collection").ok_or("collection")?.to_owned(),
            facet: header("facet").ok_or("facet")?.to_owned(),
            grain: header("grain").and_then(Grain::parse).ok_or("grain")?,
            key: header("key").ok_or("key")?.to_owned(),
            epoch: match header("epoch") {
                None => None,
                Some(text) => Some(text.parse().map_err(|_| "epoch")?),
            },
            as_of: (number("as_of_lo").ok_or("as_of_lo")?, number("as_of_hi").ok_or("as_of_hi")?),
            part: header("part").and_then(|text| text.parse().ok()).ok_or("part")?,
            last: match header("last") {
                Some("1") => true,
                Some("0") => false,
                _ => return Err("last"),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> LandingRecord {
        LandingRecord {
            org: OrgId::new("acme"),
            origin: Origin::Sqs,
            landed_at: 1_700_000_000_000,
            content: Content::Event { uuid: Uuid::from_u128(7), published: -5 },
            value: b"{}".to_vec(),
        }
    }

    fn observation() -> LandingRecord {
        let observation = Observation {
            collection: "group_members".into(),
            facet: "group.members".into(),
            grain: Grain::Ids,
            key: "00g1".into(),
            epoch: Some(1_700_000_000_001),
            as_of: (-3, 5),
            part: 2,
            last: true,
        };
        LandingRecord { origin: Origin::Snapshot, content: Content::Observation(observation), ..event() }
    }

    fn records() -> Vec<LandingRecord> {
        let mut fetched = observation();
        if let Content::Observation(observation) = &mut fetched.content {
            (observation.epoch, observation.last, observation.grain) = (None, false, Grain::Object);
        }
        let mark = LandingRecord { content: Content::Mark { name: "begun".into() }, ..event() };
        let cursor = LandingRecord { content: Content::Cursor { name: "users".into() }, ..event() };
        let polled = LandingRecord { origin: Origin::Poll, ..event() };
        vec![event(), observation(), fetched, mark, cursor, polled]
    }

    fn read(headers: &[(&'static str, String)]) -> Result<LandingRecord, MalformedRecord> {
        let find = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
        LandingRecord::from_parts(find, b"{}".to_vec())
    }

    #[test]
    fn a_record_survives_its_headers() {
        for record in records() {
            assert_eq!(read(&record.headers()), Ok(record));
        }
    }

    #[test]
    fn every_missing_or_garbled_header_is_named() {
        for record in records() {
            for at in 0..record.headers().len() {
                let mut headers = record.headers();
                let (name, _) = headers[at].clone();
                // Free texts cannot be garbled, and no epoch is as good as one.
                if !["org", "collection", "facet", "key", "name"].contains(&name) {
                    headers[at].1 = "?".into();
                    let read = read(&headers);
                    assert!(matches!(read, Err(MalformedRecord::Header { header, .. }) if header == name), "{name}");
                }
                headers.remove(at);
                if name != "epoch" {
                    let read = read(&headers);
                    assert!(matches!(read, Err(MalformedRecord::Header { header, .. }) if header == name), "{name}");
                }
            }
        }
    }

    #[test]
    fn a_newer_version_is_never_skipped() {
        let mut headers = event().headers();
        headers[0].1 = "4".into();
        headers.truncate(1);
        assert_eq!(read(&headers), Err(MalformedRecord::Newer(4)));
    }

    #[test]
    fn what_readers_of_the_first_version_know_is_still_written_in_it() {
        assert_eq!(event().headers()[0].1, "1");
        assert!(records()[1..5].iter().all(|record| record.headers()[0].1 == "2"));
        assert_eq!(records()[5].headers()[0].1, "3");
    }
}
