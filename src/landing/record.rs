use uuid::Uuid;

use crate::okta::OrgId;

/// The version of the record layout that this binary writes, and the newest that it reads.
pub const RECORD_VERSION: u8 = 1;

/// What a landing record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One System Log event: the LogEvent JSON as received.
    Event,
}

impl Kind {
    /// The header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        (text == "event").then_some(Self::Event)
    }
}

/// Which way a record came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Okta's log streaming, through EventBridge and SQS.
    Sqs,
}

impl Origin {
    /// The header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        (text == "sqs").then_some(Self::Sqs)
    }
}

/// What ingest knows of one thing that arrived, and the thing itself, untouched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LandingRecord {
    /// Key of the record: all of one org is one partition.
    pub org: OrgId,
    /// What the value is.
    pub kind: Kind,
    /// Which way it came.
    pub origin: Origin,
    /// Okta's uuid of the event.
    pub uuid: Uuid,
    /// The event's `published`, ms since the Unix epoch.
    pub published: i64,
    /// When ingest took it, ms since the Unix epoch. The only clock of everything behind the log.
    pub landed_at: i64,
    /// The bytes as received.
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
    pub fn headers(&self) -> [(&'static str, String); 7] {
        [
            ("v", RECORD_VERSION.to_string()),
            ("kind", self.kind.as_str().to_owned()),
            ("org", self.org.to_string()),
            ("origin", self.origin.as_str().to_owned()),
            ("uuid", self.uuid.to_string()),
            ("published", self.published.to_string()),
            ("landed_at", self.landed_at.to_string()),
        ]
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
                header("kind").and_then(Kind::parse).ok_or("kind")?,
                header("org").map(OrgId::new).ok_or("org")?,
                header("origin").and_then(Origin::parse).ok_or("origin")?,
                header("uuid").and_then(|text| Uuid::try_parse(text).ok()).ok_or("uuid")?,
                header("published").and_then(|text| text.parse().ok()).ok_or("published")?,
                header("landed_at").and_then(|text| text.parse().ok()).ok_or("landed_at")?,
            ))
        })();
        match parsed {
            Ok((kind, org, origin, uuid, published, landed_at)) => {
                Ok(Self { org, kind, origin, uuid, published, landed_at, value })
            }
            Err(header) => Err(MalformedRecord::Header { header, value }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> LandingRecord {
        LandingRecord {
            org: OrgId::new("acme"),
            kind: Kind::Event,
            origin: Origin::Sqs,
            uuid: Uuid::from_u128(7),
            published: -5,
            landed_at: 1_700_000_000_000,
            value: b"{}".to_vec(),
        }
    }

    fn read(headers: &[(&'static str, String)]) -> Result<LandingRecord, MalformedRecord> {
        let find = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
        LandingRecord::from_parts(find, b"{}".to_vec())
    }

    #[test]
    fn a_record_survives_its_headers() {
        assert_eq!(read(&record().headers()), Ok(record()));
    }

    #[test]
    fn every_missing_header_is_named() {
        for skipped in 0..7 {
            let mut headers = record().headers().to_vec();
            let (name, _) = headers.remove(skipped);
            assert!(matches!(read(&headers), Err(MalformedRecord::Header { header, .. }) if header == name));
        }
    }

    #[test]
    fn a_newer_version_is_never_skipped() {
        let mut headers = record().headers().to_vec();
        headers[0].1 = "2".into();
        headers.truncate(1);
        assert_eq!(read(&headers), Err(MalformedRecord::Newer(2)));
    }
}
