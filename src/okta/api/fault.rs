//! What went wrong at the org, and what is to be done about it.

use std::fmt;
use std::time::Duration;

use super::clock::ClockError;

/// A request that brought no answer to work with.
///
/// Says where and by which request id, so that Okta's support can find it; never a secret, and never a query, in which
/// a filter may hold somebody's name.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{verdict}{trace}")]
pub struct ApiFault {
    /// What it means.
    pub verdict: Verdict,
    /// Where it happened.
    pub trace: Box<Trace>,
}

/// What a failed request means for whoever wanted the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Verdict {
    /// A quota is used up (429). The rate limiter decides when to go on; it was not tried again.
    #[error("Okta's rate limit is reached ({0})")]
    RateLimited(Limit),
    /// 403: what is asked for exists, and is not for us. Skip the collection and report it; delete nothing.
    #[error("Okta does not allow this: {missing}")]
    Forbidden {
        /// What to grant.
        missing: Missing,
    },
    /// The org does not have the feature or the path. Skip the collection; delete nothing.
    #[error("the org does not have this feature")]
    FeatureOff,
    /// 404 with Okta's own error body: there is no such object (any more).
    #[error("there is no such object")]
    Gone,
    /// 400: asking again in the same words cannot help.
    #[error("{}", if *.stale_cursor { "Okta no longer knows this page; start the listing again" } else { "Okta does not understand the request" })]
    BadRequest {
        /// A next link that was good when it was given: its cursor has expired.
        stale_cursor: bool,
    },
    /// No way in. Only a person can help.
    #[error("no way into the org: {why}; {advice}")]
    AuthFailed {
        /// What Okta said, in our words.
        why: String,
        /// What a person should do.
        advice: String,
    },
    /// 503 `E0000010`: the org is in read-only mode, which comes with maintenance. It passes.
    #[error("the org is in read-only mode")]
    ReadOnly,
    /// Okta's trouble. It passes; a query that was too heavy passes when it asks for less.
    #[error("Okta has an internal error (status {status})")]
    ServerError {
        /// HTTP status.
        status: u16,
        /// How long Okta asks to wait.
        retry_after: Option<Duration>,
    },
    /// The answer is larger than allowed; it was not read to its end. Ask for smaller pages, or raise
    /// `org.api.max_body_bytes`.
    #[error("the answer is larger than {limit} bytes{}", if *.compressed { "" } else { " after decompression" })]
    TooLarge {
        /// The limit.
        limit: usize,
        /// The limit was met by what came over the wire, not by what it expands to.
        compressed: bool,
    },
    /// The answer is not what the API promises: a proxy's page, or JSON of another shape.
    #[error("not an answer of Okta's API: {0}")]
    NotJson(String),
    /// A next link leads elsewhere. It is never followed: our token would go with it.
    #[error(
        "the next link does not lead back to the same list of the same org: {0}; if this is the org's custom domain, make it org.api.url"
    )]
    ForeignLink(String),
    /// The API redirects, which it never should.
    #[error("Okta redirects to {0}, and redirects are not followed; set org.api.url to where the org lives")]
    Redirected(String),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// No connection, or one that broke.
    #[error("the org cannot be reached: {0}")]
    Unreachable(Reach),
}

/// Which quota is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The requests per minute of this endpoint.
    Org {
        /// When there is quota again, in seconds since the Unix epoch by Okta's clock.
        reset: Option<i64>,
    },
    /// The simultaneous requests of the whole org: try again soon, at a random moment.
    Concurrency,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Org { .. } => "requests per minute",
            Self::Concurrency => "simultaneous requests of the whole org",
        })
    }
}

/// What is not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The token lacks an OAuth scope.
    Scope(String),
    /// The scopes suffice, so the admin role does not.
    Role,
    /// Okta does not say.
    ScopeOrRole,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(scope) => write!(f, "grant the scope {scope}"),
            Self::Role => f.write_str("the account or app needs an admin role that may see it"),
            Self::ScopeOrRole => f.write_str("the app needs the scope and an admin role that may see it"),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// The name has no address.
    Name(String),
    /// The other side is not who it should be, or does not speak TLS.
    Tls(String),
    /// Nothing listens, or no way leads there.
    Connect(String),
    /// The connection ended before the answer did.
    Broken(String),
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, detail) = match self {
            Self::Name(detail) => ("its name cannot be resolved", detail),
            Self::Tls(detail) => ("TLS cannot be agreed on", detail),
            Self::Connect(detail) => ("no connection can be made", detail),
            Self::Broken(detail) => ("the connection broke", detail),
        };
        write!(f, "{what} ({detail})")
    }
}

/// Where a fault happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path without the query.
    pub path: String,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Okta's error code.
    pub code: Option<String>,
    /// Okta's summary of the error, shortened.
    pub summary: Option<String>,
    /// `X-Okta-Request-Id`.
    pub request_id: Option<String>,
    /// The clock of this machine, where it is so wrong that it may be the reason.
    pub clock: Option<ClockError>,
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " [{} {}", self.method, self.path)?;
        if let Some(status) = self.status {
            write!(f, ", status {status}")?;
        }
        if let Some(code) = &self.code {
            write!(f, ", {code}")?;
        }
        if let Some(summary) = &self.summary {
            write!(f, " {summary:?}")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, ", request {id}")?;
        }
        f.write_str("]")?;
        self.clock.map_or(Ok(()), |clock| write!(f, "; {clock}"))
    }
}

impl ApiFault {
    /// Whether waiting alone can help. What cannot pass either is an answer of its own (there is no such object, no
    /// such feature, no permission), or needs a person.
    pub fn passes(&self) -> bool {
        self.verdict.passes()
    }
}

impl Verdict {
    fn passes(&self) -> bool {
        match self {
            Self::RateLimited(_) | Self::ReadOnly | Self::ServerError { .. } | Self::Timeout(_) => true,
            // A certificate that is wrong now is wrong in a second.
            Self::Unreachable(reach) => !matches!(reach, Reach::Tls(_)),
            _ => false,
        }
    }

    /// Whether the request may be sent again at once, and not before when. Rate limits are the limiter's business.
    pub(super) fn retry(&self) -> Option<Retry> {
        match self {
            Self::RateLimited(_) => None,
            Self::ServerError { retry_after, .. } => Some(Retry { after: *retry_after }),
            verdict => verdict.passes().then_some(Retry { after: None }),
        }
    }
}

/// A request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Retry {
    /// Not before so long.
    pub after: Option<Duration>,
}

/// A text of the other side as it may stand in an error: short, and without control characters.
pub(super) fn excerpt(text: &str) -> String {
    // Okta's summaries have up to some 150 characters.
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}
