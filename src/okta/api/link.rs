//! `Link` headers (RFC 8288), by which Okta says where the next page is.

/// More links than this in one answer are not read. Okta sends two, `self` and `next`.
const MOST_LINKS: usize = 32;

/// The target of the first link with the relation, as it was written.
pub(super) fn target<'h>(headers: impl IntoIterator<Item = &'h str>, relation: &str) -> Option<&'h str> {
    let links = headers.into_iter().flat_map(Links).take(MOST_LINKS);
    links.filter(|link| link.relates(relation)).map(|link| link.target).next()
}

struct Link<'h> {
    target: &'h str,
    rel: Option<&'h str>,
    anchored: bool,
}

impl Link<'_> {
    /// A link with an anchor speaks of another resource than the one that was asked for.
    fn relates(&self, relation: &str) -> bool {
        let mut relations = self.rel.unwrap_or_default().split_ascii_whitespace();
        !self.anchored && relations.any(|found| found.eq_ignore_ascii_case(relation))
    }
}

/// The links of one header. Ends at what is no link; what came before it stands.
struct Links<'h>(&'h str);

impl<'h> Iterator for Links<'h> {
    type Item = Link<'h>;

    fn next(&mut self) -> Option<Link<'h>> {
        let rest = self.0.trim_start_matches([' ', '\t', ',']).strip_prefix('<')?;
        // A URL may hold commas and semicolons, but never the closing bracket.
        let (target, mut rest) = rest.split_once('>')?;
        let mut link = Link { target: target.trim(), rel: None, anchored: false };
        while let Some(after) = rest.trim_start().strip_prefix(';') {
            let (name, value, after) = parameter(after);
            rest = after;
            // Of several the first counts (RFC 8288, section 3.3).
            if name.eq_ignore_ascii_case("rel") && link.rel.is_none() {
                link.rel = Some(value);
            }
            link.anchored |= name.eq_ignore_ascii_case("anchor");
        }
        self.0 = rest;
        Some(link)
    }
}

/// The first parameter of what stands behind a semicolon, and what is left. A quoted value comes without its quotes and
/// with its escapes: no relation has any.
fn parameter(text: &str) -> (&str, &str, &str) {
    let text = text.trim_start();
    let name_end = text.find(['=', ';', ',']).unwrap_or(text.len());
    let (name, rest) = text.split_at(name_end);
    let Some(value) = rest.strip_prefix('=').map(str::trim_start) else { return (name.trim(), "", rest) };
    if let Some(quoted) = value.strip_prefix('"') {
        let end = quote_end(quoted);
        let rest = quoted.get(end + 1..).unwrap_or_default();
        return (name.trim(), quoted.get(..end).unwrap_or_default(), rest);
    }
    let end = value.find([';', ',']).unwrap_or(value.len());
    let (value, rest) = value.split_at(end);
    (name.trim(), value.trim(), rest)
}

/// Where a quoted string ends, after its opening quote.
fn quote_end(quoted: &str) -> usize {
    let mut escaped = false;
    let end = quoted.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    end.unwrap_or(quoted.len())
}

/// The value of a parameter in a header such as `WWW-Authenticate: Bearer error="...", scope="..."` (RFC 9110, section
/// 11.6.1), without its quotes.
pub(super) fn auth_parameter<'h>(header: &'h str, wanted: &str) -> Option<&'h str> {
    let mut rest = header.trim_start();
    // The scheme stands before the first parameter, parted by a space.
    rest = rest.split_once(' ').map_or("", |(_, parameters)| parameters);
    while !rest.is_empty() {
        let (name, value, after) = parameter(rest);
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after.trim_start_matches([' ', '\t', ',', ';']);
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn next<'h>(headers: &[&'h str]) -> Option<&'h str> {
        target(headers.iter().copied(), "next")
    }

    #[test]
    fn okta_sends_each_link_in_a_header_of_its_own() {
        let headers = [
            r#"<https://acme.okta.com/api/v1/users?limit=2>; rel="self""#,
            r#"<https://acme.okta.com/api/v1/users?after=00u1&limit=2>; rel="next""#,
        ];
        assert_eq!(next(&headers), Some("https://acme.okta.com/api/v1/users?after=00u1&limit=2"));
        assert_eq!(next(&headers[..1]), None);
    }

    #[test]
    fn one_header_may_hold_all_and_urls_may_hold_anything() {
        let header =
            r#"<https://a/x?a=1,2;3>; rel="self" , <https://a/x?after=b,c;rel="next">;title="a;b,\"c\" <d>"; REL=Next"#;
        assert_eq!(next(&[header]), Some(r#"https://a/x?after=b,c;rel="next""#));
        assert_eq!(next(&[r#"<a>; rel="prev  NEXT last""#]), Some("a"));
        assert_eq!(next(&["<a>;rel=next,<b>;rel=next"]), Some("a"));
        assert_eq!(next(&[" , <a> ; rel = next ; x"]), Some("a"));
    }

    #[test]
    fn what_only_looks_like_a_next_link_is_none() {
        for header in [
            "",
            "<a>",
            "<a; rel=next",
            "a; rel=next",
            "<a>; rel=nextish",
            r#"<a>; rel="self"; rel="next""#,
            r#"<a>; rel="next"; anchor="/other""#,
            r#"<a>; title="rel=next""#,
        ] {
            assert_eq!(next(&[header]), None, "{header}");
        }
    }

    #[test]
    fn a_challenge_names_the_missing_scope() {
        let header = r#"Bearer authorization_uri="http://acme/oauth2/v1/authorize", realm="http://acme", scope="okta.users.read", error="insufficient_scope", error_description="a, b=c""#;
        assert_eq!(auth_parameter(header, "scope"), Some("okta.users.read"));
        assert_eq!(auth_parameter(header, "error"), Some("insufficient_scope"));
        assert_eq!(auth_parameter(header, "error_description"), Some("a, b=c"));
        assert_eq!(auth_parameter("DPoP", "error"), None);
    }

    proptest! {
        #[test]
        fn no_header_stops_the_reader(header in r#"[<>;,="\\ a-z]{0,60}"#) {
            let _ = next(&[&header]);
            let _ = auth_parameter(&header, "scope");
        }

        #[test]
        fn any_url_survives(url in r#"[ -=?-~]{0,40}"#) {
            let header = format!("<https://self>; rel=\"self\", <{url}>; rel=\"next\"");
            prop_assert_eq!(next(&[&header]), Some(url.trim()));
        }
    }
}
