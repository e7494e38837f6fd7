//! From an HTTP answer that is no success to its verdict: Okta's error codes, decided once.
//!
//! Source: Okta's error codes (<https://developer.okta.com/docs/reference/error-codes/>) and rate limits
//! (<https://developer.okta.com/docs/reference/rate-limits/>).

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};

use super::fault::{Limit, Missing, Verdict, excerpt};
use super::link::auth_parameter;
use super::meter::rate_headers;
use super::transport::Reply;
use crate::json::Tape;

/// The error that an answer's body tells of.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// `errorCode` of the API, or `error` of the token endpoint.
    pub code: Option<String>,
    /// `errorSummary` and its causes, or `error_description`.
    pub summary: Option<String>,
}

impl Told {
    /// Reads an error body; one that is none tells nothing.
    pub fn read(body: &[u8]) -> Self {
        let mut tape = Tape::default();
        let Ok(document) = tape.read(body) else { return Self::default() };
        let root = document.root();
        let text = |key: &str| root.get(key).and_then(|value| value.as_str()).filter(|text| !text.is_empty());
        let mut summary = text("errorSummary").or_else(|| text("error_description")).map(|text| text.into_owned());
        let causes = root.get("errorCauses").map(|causes| causes.children()).into_iter().flatten();
        for cause in causes.filter_map(|cause| cause.get("errorSummary")?.as_str()) {
            let summary = summary.get_or_insert_default();
            summary.push_str(": ");
            summary.push_str(&cause);
        }
        let code = text("errorCode").or_else(|| text("error"));
        Self { code: code.map(|code| excerpt(&code)), summary: summary.map(|summary| excerpt(&summary)) }
    }

    fn is(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }
}

/// An answer that is no success.
pub(super) struct Refused<'a> {
    pub status: StatusCode,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub told: &'a Told,
    /// The request was a next link that Okta gave.
    pub continued: bool,
}

impl<'a> Refused<'a> {
    pub fn new(reply: &'a Reply, told: &'a Told, continued: bool) -> Self {
        Self { status: reply.status, headers: &reply.headers, body: &reply.body, told, continued }
    }

    /// What it means. Where code and status disagree the code counts: Okta answers 401 for a feature that is off.
    pub fn verdict(&self) -> Verdict {
        let told = self.told;
        let status = self.status.as_u16();
        if self.status.is_redirection() {
            return Verdict::Redirected(self.redirect_target());
        }
        // A feature that is off, a path that this org does not have, a method that it does not have there.
        if told.is(&["E0000015", "E0000008", "E0000022", "E0000060"]) {
            return Verdict::FeatureOff;
        }
        match status {
            429 => Verdict::RateLimited(self.limit_reached()),
            503 if told.is(&["E0000010"]) => Verdict::ReadOnly,
            // 408, 423 and 425 are a busy server, too.
            408 | 423 | 425 | 500.. => Verdict::ServerError { status, retry_after: self.retry_after() },
            // Without a code it was not Okta's API who answered.
            _ if told.code.is_none() && self.challenge_error().is_none() => Verdict::NotJson(self.stranger()),
            401 => Verdict::AuthFailed {
                why: told.summary.clone().unwrap_or_else(|| "the token is refused".into()),
                advice: "see docs/okta-access.md".into(),
            },
            403 => Verdict::Forbidden { missing: self.missing() },
            404 if told.is(&["E0000007"]) => Verdict::Gone,
            // The listing began with the same words, so it can only be its cursor that is no longer good.
            400 | 410 if self.continued => Verdict::BadRequest { stale_cursor: true },
            _ => Verdict::BadRequest { stale_cursor: false },
        }
    }

    /// `error` of the challenge (RFC 6750, section 3; RFC 9449, section 7.1).
    pub fn challenge_error(&self) -> Option<&str> {
        self.challenge("error")
    }

    fn challenge(&self, parameter: &str) -> Option<&str> {
        let mut challenges = self.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|header| header.to_str().ok());
        challenges.find_map(|challenge| auth_parameter(challenge, parameter))
    }

    fn missing(&self) -> Missing {
        match (self.challenge_error(), self.challenge("scope")) {
            (Some("insufficient_scope"), Some(scope)) if !scope.is_empty() => Missing::Scope(excerpt(scope)),
            (Some("insufficient_scope"), _) => Missing::Scope("that Okta's reference names for this path".into()),
            (None, _) if self.told.is(&["E0000006"]) => Missing::Role,
            _ => Missing::ScopeOrRole,
        }
    }

    /// Okta answers a limit of 0 when it is about simultaneous requests.
    fn limit_reached(&self) -> Limit {
        let rate = rate_headers(self.status, self.headers);
        if rate.limit == Some(0) { Limit::Concurrency } else { Limit::Org { reset: rate.reset } }
    }

    /// In seconds; the other form of the header, a date, is not used for this.
    fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    fn redirect_target(&self) -> String {
        let target = self.headers.get(reqwest::header::LOCATION).and_then(|value| value.to_str().ok());
        let url = target.and_then(|target| reqwest::Url::parse(target).ok());
        url.and_then(|url| url.host_str().map(excerpt)).unwrap_or_else(|| "another path".into())
    }

    fn stranger(&self) -> String {
        format!("status {} with {}", self.status.as_u16(), kind(self.headers, self.body))
    }
}

/// What an answer that is not JSON is, in words.
pub(super) fn kind(headers: &HeaderMap, body: &[u8]) -> String {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body = body.trim_ascii();
    if body.is_empty() {
        return "an empty body".into();
    }
    if kind.contains("html") || body.first() == Some(&b'<') {
        return "an HTML page, as proxies, firewalls and sign-in pages send it".into();
    }
    format!("a body of the type {:?}", excerpt(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, headers: &[(&'static str, &'static str)], body: &str, continued: bool) -> Verdict {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (reqwest::header::HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let told = Told::read(body.as_bytes());
        let status = StatusCode::from_u16(status).unwrap();
        Refused { status, headers: &headers, body: body.as_bytes(), told: &told, continued }.verdict()
    }

    fn coded(status: u16, code: &str) -> Verdict {
        verdict(status, &[], &format!(r#"{{"errorCode":"{code}","errorSummary":"s","errorCauses":[]}}"#), false)
    }

    #[test]
    fn each_code_has_its_verdict() {
        assert_eq!(coded(400, "E0000001"), Verdict::BadRequest { stale_cursor: false });
        assert_eq!(coded(400, "E0000031"), Verdict::BadRequest { stale_cursor: false });
        assert!(matches!(coded(401, "E0000011"), Verdict::AuthFailed { .. }));
        assert_eq!(coded(401, "E0000015"), Verdict::FeatureOff);
        assert_eq!(coded(403, "E0000006"), Verdict::Forbidden { missing: Missing::Role });
        assert_eq!(coded(403, "E0000005"), Verdict::Forbidden { missing: Missing::ScopeOrRole });
        assert_eq!(coded(404, "E0000007"), Verdict::Gone);
        assert_eq!(coded(404, "E0000008"), Verdict::FeatureOff);
        assert_eq!(coded(405, "E0000022"), Verdict::FeatureOff);
        assert_eq!(coded(500, "E0000009"), Verdict::ServerError { status: 500, retry_after: None });
        assert_eq!(coded(503, "E0000010"), Verdict::ReadOnly);
    }

    #[test]
    fn the_two_kinds_of_429_are_told_apart() {
        let body = r#"{"errorCode":"E0000047"}"#;
        let org =
            [("x-rate-limit-limit", "600"), ("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "1700000000")];
        assert_eq!(verdict(429, &org, body, false), Verdict::RateLimited(Limit::Org { reset: Some(1_700_000_000) }));
        let concurrency = [("x-rate-limit-limit", "0"), ("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "17")];
        assert_eq!(verdict(429, &concurrency, body, false), Verdict::RateLimited(Limit::Concurrency));
    }

    #[test]
    fn only_okta_can_say_that_an_object_is_gone() {
        let Verdict::NotJson(what) = verdict(404, &[("content-type", "text/html")], "<html>404</html>", false) else {
            panic!()
        };
        assert!(what.contains("HTML page"), "{what}");
        assert!(matches!(verdict(404, &[], "", false), Verdict::NotJson(_)));
        assert!(matches!(verdict(404, &[], r#"{"message":"no route"}"#, false), Verdict::NotJson(_)));
    }

    #[test]
    fn a_next_link_that_is_refused_has_expired() {
        let body = r#"{"errorCode":"E0000001","errorSummary":"Api validation failed: after"}"#;
        assert_eq!(verdict(400, &[], body, true), Verdict::BadRequest { stale_cursor: true });
    }

    #[test]
    fn the_challenge_names_the_scope() {
        let body = r#"{"errorCode":"E0000006","errorSummary":"..."}"#;
        let header = [("www-authenticate", r#"Bearer realm="r", scope="okta.roles.read", error="insufficient_scope""#)];
        assert_eq!(
            verdict(403, &header, body, false),
            Verdict::Forbidden { missing: Missing::Scope("okta.roles.read".into()) }
        );
    }

    #[test]
    fn a_summary_is_short_and_on_one_line() {
        let long = "x".repeat(500);
        let body = format!(r#"{{"errorCode":"E1","errorSummary":"a\nb","errorCauses":[{{"errorSummary":"{long}"}}]}}"#);
        let told = Told::read(body.as_bytes());
        let summary = told.summary.unwrap();
        assert!(summary.starts_with("a b: xxx") && summary.chars().count() == 200, "{summary}");
    }
}
