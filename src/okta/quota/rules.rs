use super::call::Method;

/// One line of Okta's table of limits.
#[derive(Debug)]
pub(super) struct Rule {
    /// The method it is for; `None` is any.
    method: Option<Method>,
    /// `*` stands for one segment, `**` at the end for any number of them.
    pattern: &'static str,
    /// Lines of one bucket share its calls.
    pub bucket: &'static str,
    /// Calls per minute, until a reply tells better.
    pub limit: u32,
}

const fn any(pattern: &'static str, bucket: &'static str, limit: u32) -> Rule {
    Rule { method: None, pattern, bucket, limit }
}

const fn get(pattern: &'static str, bucket: &'static str, limit: u32) -> Rule {
    Rule { method: Some(Method::Get), pattern, bucket, limit }
}

/// The last table that Okta published (until 2025-12-16), column Workforce Identity. More specific lines come first;
/// the first that fits counts.
const RULES: &[Rule] = &[
    get("/api/v1/logs", "logs", 120),
    any("/api/v1/users", "users", 600),
    get("/api/v1/users/*", "users/*", 2000),
    any("/api/v1/groups/rules", "groups", 500),
    any("/api/v1/groups/*", "groups/*", 1000),
    any("/api/v1/groups/**", "groups", 500),
    any("/api/v1/apps/*", "apps/*", 500),
    any("/api/v1/apps/**", "apps", 100),
    any("/api/v1/devices/**", "devices", 100),
    any("/oauth2/v1/clients/**", "clients", 100),
    any("/api/v1/**", "other", 1200),
];

/// The limit of a path that the table does not know, until a reply tells it: the usual one of the smallest orgs.
pub(super) const UNKNOWN_LIMIT: u32 = 100;

/// The line of the table that a call falls under.
pub(super) fn rule_of(method: Method, path: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.method.is_none_or(|m| m == method) && fits(rule.pattern, without_query(path)))
}

/// The path with every id replaced by `*`, so that calls of one kind are known as one.
pub(super) fn kind_of(path: &str) -> String {
    let mut kind = String::with_capacity(path.len());
    for segment in segments(without_query(path)) {
        kind.push('/');
        kind.push_str(if is_id(segment) { "*" } else { segment });
    }
    kind
}

/// A longer segment is no word of Okta's API; the longest, in the API of 2026, has 31 letters.
const LONGEST_WORD: usize = 32;

/// Okta's words are letters in lower or camel case, with hyphens; its ids have digits, logins an `@`, labels of roles
/// and types only capitals. Versions and `oauth2` are words with a digit.
fn is_id(segment: &str) -> bool {
    let version = segment.strip_prefix('v').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    let word = segment.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_' | b'.'))
        && segment.bytes().any(|b| b.is_ascii_lowercase())
        && segment.len() <= LONGEST_WORD;
    !word && !version && segment != "oauth2"
}

fn fits(pattern: &str, path: &str) -> bool {
    let mut path = segments(path);
    for wanted in segments(pattern) {
        match (wanted, path.next()) {
            ("**", _) => return true,
            (_, None) => return false,
            ("*", Some(_)) => {}
            (word, Some(segment)) if word == segment => {}
            _ => return false,
        }
    }
    path.next().is_none()
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

fn without_query(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::{Method, kind_of, rule_of};

    #[test]
    fn the_most_specific_line_counts() {
        for (path, bucket) in [
            ("/api/v1/logs?since=2026-01-01T00:00:00Z", "logs"),
            ("/api/v1/users", "users"),
            ("/api/v1/users/00u1abc", "users/*"),
            ("/api/v1/users/00u1abc/factors", "other"),
            ("/api/v1/groups", "groups"),
            ("/api/v1/groups/", "groups"),
            ("/api/v1/groups/rules", "groups"),
            ("/api/v1/groups/00g1abc", "groups/*"),
            ("/api/v1/groups/00g1abc/users", "groups"),
            ("/api/v1/apps", "apps"),
            ("/api/v1/apps/0oa1abc", "apps/*"),
            ("/api/v1/apps/0oa1abc/users", "apps"),
            ("/api/v1/devices", "devices"),
            ("/oauth2/v1/clients", "clients"),
            ("/api/v1/zones", "other"),
        ] {
            assert_eq!(rule_of(Method::Get, path).map(|rule| rule.bucket), Some(bucket), "{path}");
        }
    }

    #[test]
    fn the_method_matters_and_not_every_path_is_known() {
        assert_eq!(rule_of(Method::Post, "/api/v1/users").map(|rule| rule.bucket), Some("users"));
        assert_eq!(rule_of(Method::Put, "/api/v1/users/00u1abc").map(|rule| rule.bucket), Some("other"));
        assert!(rule_of(Method::Post, "/oauth2/v1/token").is_none());
        assert!(rule_of(Method::Get, "/integrations/api/v1/api-services").is_none());
    }

    #[test]
    fn calls_of_one_kind_are_known_as_one() {
        for (path, kind) in [
            ("/api/v1/users/00u1abc/factors?x=1", "/api/v1/users/*/factors"),
            ("/api/v1/users/jo.doe@example.com", "/api/v1/users/*"),
            ("/api/v1/users/jo%40example.com/roles", "/api/v1/users/*/roles"),
            ("/api/v1/iam/roles/SUPER_ADMIN", "/api/v1/iam/roles/*"),
            ("/oauth2/v1/clients/0oa1/roles", "/oauth2/v1/clients/*/roles"),
            ("/api/v1/meta/schemas/user/linkedObjects", "/api/v1/meta/schemas/user/linkedObjects"),
            ("/api/v1/org/factors/yubikey_token/tokens", "/api/v1/org/factors/yubikey_token/tokens"),
            ("/integrations/api/v1/api-services", "/integrations/api/v1/api-services"),
        ] {
            assert_eq!(kind_of(path), kind);
        }
    }
}
