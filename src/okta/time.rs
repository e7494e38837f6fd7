use jiff::Timestamp;

/// Milliseconds since the Unix epoch of an RFC 3339 time as Okta writes it: 0 to 9 fraction digits, `Z` or an offset,
/// and, after some pipelines, a space instead of the `T`. `None` if it is no such time.
pub fn parse_ms(text: &str) -> Option<i64> {
    // 10_000 years fit i64 milliseconds many times over, so the only failure is a text that is no time.
    text.trim().parse::<Timestamp>().ok().map(|t| t.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::parse_ms;

    #[test]
    fn every_form_that_okta_and_its_pipelines_write() {
        let expected = Some(1_723_564_700_353);
        for text in [
            "2024-08-13T15:58:20.353Z",
            "2024-08-13 15:58:20.353Z",
            "2024-08-13T15:58:20.353000Z",
            "2024-08-13T15:58:20.353999999Z",
            "2024-08-13T17:58:20.353+02:00",
        ] {
            assert_eq!(parse_ms(text), expected, "{text}");
        }
        assert_eq!(parse_ms("2024-08-13T15:58:20Z"), Some(1_723_564_700_000));
    }

    #[test]
    fn what_is_no_instant_is_none() {
        for text in ["", "yesterday", "2024-08-13", "2024-08-13T15:58:20", "1723564700353"] {
            assert_eq!(parse_ms(text), None, "{text}");
        }
    }
}
