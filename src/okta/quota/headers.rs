use jiff::fmt::rfc2822;

/// What a reply says about limits and time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Headers {
    /// The HTTP status.
    pub status: u16,
    /// `X-Rate-Limit-Limit`: calls in a window.
    pub limit: Option<u32>,
    /// `X-Rate-Limit-Remaining`: calls left in this one.
    pub remaining: Option<u32>,
    /// `X-Rate-Limit-Reset`: when it ends, in whole seconds since the epoch, by Okta's clock.
    pub reset: Option<i64>,
    /// `Date`: when the reply was made, in whole seconds since the epoch, by Okta's clock.
    pub date: Option<i64>,
}

/// What refused a call with status 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Too many calls in flight in the whole org; Limit and Remaining are both 0, and Reset means little.
    Concurrency,
    /// The bucket's window is used up.
    Bucket,
}

/// The end of the year 9999, the last that an HTTP date can write.
const LAST_SECOND: i64 = 253_402_300_799;

impl Headers {
    /// Reads them from a reply, given how to look up a header's text. What cannot be read is as if it were not there.
    pub fn read<'a>(status: u16, header: impl Fn(&str) -> Option<&'a str>) -> Self {
        let number = |name: &str| header(name).and_then(|text| text.trim().parse::<i64>().ok());
        let count = |name: &str| number(name).and_then(|n| u32::try_from(n).ok());
        Self {
            status,
            limit: count("x-rate-limit-limit"),
            remaining: count("x-rate-limit-remaining"),
            reset: number("x-rate-limit-reset"),
            date: header("date").and_then(|text| rfc2822::parse(text.trim()).ok()).map(|t| t.timestamp().as_second()),
        }
    }

    /// The same without times that nobody can mean, so that what follows may reckon with them.
    pub(super) fn plausible(self) -> Self {
        let in_range = |seconds: &i64| (0..=LAST_SECOND).contains(seconds);
        Self { reset: self.reset.filter(in_range), date: self.date.filter(in_range), ..self }
    }

    /// What refused the call, if it was.
    pub fn refusal(&self) -> Option<Refusal> {
        match (self.status, self.limit, self.remaining) {
            (429, Some(0), Some(0)) => Some(Refusal::Concurrency),
            (429, ..) => Some(Refusal::Bucket),
            _ => None,
        }
    }

    /// Limit and calls used, if both are told and make sense together.
    pub(super) fn usage(&self) -> Option<(u32, u32)> {
        let (limit, remaining) = self.limit.zip(self.remaining)?;
        (limit > 0).then(|| (limit, limit.saturating_sub(remaining)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Headers, Refusal};

    fn read(status: u16, pairs: &[(&str, &'static str)]) -> Headers {
        Headers::read(status, |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, text)| *text))
    }

    #[test]
    fn a_reply_is_read_as_okta_writes_it() {
        let headers = read(
            200,
            &[
                ("x-rate-limit-limit", "600"),
                ("x-rate-limit-remaining", "598"),
                ("x-rate-limit-reset", "1609459260"),
                ("date", "Fri, 01 Jan 2021 00:00:00 GMT"),
            ],
        );
        let expected = Headers {
            status: 200,
            limit: Some(600),
            remaining: Some(598),
            reset: Some(1_609_459_260),
            date: Some(1_609_459_200),
        };
        assert_eq!(headers, expected);
        assert_eq!(headers.usage(), Some((600, 2)));
    }

    #[test]
    fn what_cannot_be_read_is_not_there() {
        let headers = read(200, &[("x-rate-limit-limit", "many"), ("x-rate-limit-remaining", "-1"), ("date", "today")]);
        assert_eq!(headers, Headers { status: 200, ..Headers::default() });
        assert_eq!(headers.usage(), None);
    }

    #[test]
    fn too_many_in_flight_is_told_from_a_window_used_up() {
        let zero = [("x-rate-limit-limit", "0"), ("x-rate-limit-remaining", "0")];
        let used_up = [("x-rate-limit-limit", "60"), ("x-rate-limit-remaining", "0")];
        assert_eq!(read(429, &zero).refusal(), Some(Refusal::Concurrency));
        assert_eq!(read(429, &used_up).refusal(), Some(Refusal::Bucket));
        assert_eq!(read(429, &[]).refusal(), Some(Refusal::Bucket));
        assert_eq!(read(200, &used_up).refusal(), None);
    }
}
