use reqwest::Url;

use super::fault::Verdict;
use super::fault::excerpt;

/// One GET, or the first of a list of pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    path: String,
    query: Option<String>,
    shape: Shape,
    id_key: &'static str,
    without_credentials: bool,
    continued: bool,
}

/// How the objects lie in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The body is a list of them.
    List,
    /// The body is an object that has a list of them under this key, and the next link in `_links.next.href`.
    Named(&'static str),
    /// The body is one.
    One,
}

impl Request {
    /// Asks for a path, such as `/api/v1/users`, whose body is a list.
    pub fn list(path: impl Into<String>) -> Self {
        Self::new(path.into(), Shape::List)
    }

    /// Asks for a path whose body has the list under a key.
    pub fn named(path: impl Into<String>, key: &'static str) -> Self {
        Self::new(path.into(), Shape::Named(key))
    }

    /// Asks for one object.
    pub fn one(path: impl Into<String>) -> Self {
        Self::new(path.into(), Shape::One)
    }

    fn new(path: String, shape: Shape) -> Self {
        Self { path, query: None, shape, id_key: "id", without_credentials: false, continued: false }
    }

    /// Adds a parameter to the query.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        let mut query = self.query.take().unwrap_or_default();
        for (text, before) in [(name, if query.is_empty() { "" } else { "&" }), (value, "=")] {
            query.push_str(before);
            percent_encode(text, &mut query);
        }
        self.query = Some(query);
        self
    }

    /// The key under which objects have their id, where it is not `id`.
    #[must_use]
    pub fn id_key(mut self, key: &'static str) -> Self {
        self.id_key = key;
        self
    }

    /// Leaves credentials, their links and `transitioningToStatus` out of users, which also makes Okta faster
    /// (<https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/#tag/User/operation/listUsers>).
    #[must_use]
    pub fn without_credentials(mut self) -> Self {
        self.without_credentials = true;
        self
    }

    /// The same page with so many objects at most: the `limit` in its query is another, and nothing else. For a page that
    /// is too heavy for Okta or for us; the pages after it have the new limit, too.
    #[must_use]
    pub fn with_limit(&self, limit: u32) -> Self {
        let query = self.query.as_deref().unwrap_or_default();
        let (mut replaced, mut parameters) = (false, Vec::new());
        for parameter in query.split('&').filter(|_| !query.is_empty()) {
            let is_limit = parameter.split('=').next() == Some("limit");
            replaced |= is_limit;
            parameters.push(if is_limit { format!("limit={limit}") } else { parameter.to_owned() });
        }
        if !replaced {
            parameters.push(format!("limit={limit}"));
        }
        Self { query: Some(parameters.join("&")), ..self.clone() }
    }

    /// The `limit` parameter, if there is one.
    pub fn limit(&self) -> Option<u32> {
        self.query.as_deref()?.split('&').find_map(|parameter| parameter.strip_prefix("limit=")?.parse().ok())
    }

    /// Path and query: with it a list is taken up again by [`Request::resume`].
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// The same list from where a stored [`Request::target`] of one of its pages says.
    ///
    /// # Errors
    /// When the target is not of this list.
    pub fn resume(&self, target: &str) -> Result<Self, Verdict> {
        let foreign = || Verdict::ForeignLink("the stored place is of another list".into());
        let (path, query) = target.split_once('?').ok_or_else(foreign)?;
        let plain = query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if path != self.path || !plain {
            return Err(foreign());
        }
        Ok(self.at(query.to_owned()))
    }

    /// The page that a next link leads to, if it is one of this list.
    pub(super) fn next(&self, link: &str, origin: &Url) -> Result<Self, Verdict> {
        let foreign = |what: String| Err(Verdict::ForeignLink(what));
        let here = self.url(origin)?;
        // Joined, as a link may be relative (RFC 8288, section 3.1).
        let Ok(url) = here.join(link) else { return foreign("it is no URL".into()) };
        if url.origin() != here.origin() || !url.username().is_empty() || url.password().is_some() {
            let host = excerpt(url.host_str().unwrap_or("no host"));
            return foreign(format!("it leads to {}://{host}", excerpt(url.scheme())));
        }
        if url.path() != here.path() {
            return foreign("it leads to another path".into());
        }
        // The query is Okta's own and is sent back as it came; what is behind `#` is never sent.
        Ok(self.at(url.query().unwrap_or_default().to_owned()))
    }

    fn at(&self, query: String) -> Self {
        Self { query: Some(query), continued: true, ..self.clone() }
    }

    /// Where to send it. A path that could lead elsewhere is refused, as it holds ids that came from outside; one that
    /// would have to be encoded too, because Okta compares the `htu` of a proof with the decoded path.
    pub(super) fn url(&self, origin: &Url) -> Result<Url, Verdict> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
        let good = |segment: &str| !segment.is_empty() && !matches!(segment, "." | "..") && segment.bytes().all(plain);
        if !self.path.strip_prefix('/').is_some_and(|path| path.split('/').all(good)) {
            return Err(Verdict::BadRequest { stale_cursor: false });
        }
        let mut url = origin.clone();
        url.set_path(&self.path);
        url.set_query(self.query.as_deref());
        Ok(url)
    }

    /// The path alone.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    pub(super) fn object_id_key(&self) -> &'static str {
        self.id_key
    }

    pub(super) fn is_without_credentials(&self) -> bool {
        self.without_credentials
    }

    /// It was a next link, so Okta has accepted its words before.
    pub(super) fn is_continued(&self) -> bool {
        self.continued
    }
}

/// All but the unreserved characters (RFC 3986, section 2.3), with `%20` for a space: `+` means a space only to forms.
fn percent_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble)]);
            out.extend(['%', digit(byte >> 4), digit(byte & 0xF)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Url {
        Url::parse("https://acme.okta.com").unwrap()
    }

    #[test]
    fn queries_are_encoded() {
        let request =
            Request::list("/api/v1/users").query("search", "lastUpdated gt \"2024+é&\"").query("limit", "200");
        let expected = "/api/v1/users?search=lastUpdated%20gt%20%222024%2B%C3%A9%26%22&limit=200";
        assert_eq!(request.target(), expected);
        assert_eq!(request.url(&origin()).unwrap().as_str(), format!("https://acme.okta.com{expected}"));
    }

    #[test]
    fn a_path_cannot_lead_elsewhere() {
        for path in [
            "",
            "api",
            "//evil.com/x",
            "/api/../x",
            "/api/v1/users/",
            "/api/%2e%2e/x",
            "/a?b",
            "/a#b",
            "/a b",
            "/a\\b",
            "/api/v1/users/00u1/../../x",
            "/é",
        ] {
            let refused = Request::list(path).url(&origin());
            assert_eq!(refused, Err(Verdict::BadRequest { stale_cursor: false }), "{path}");
        }
        assert!(Request::one("/api/v1/users/a.b@c.com").url(&origin()).is_ok());
    }

    #[test]
    fn a_next_link_is_followed_only_on_the_same_list_of_the_same_org() {
        let users = Request::list("/api/v1/users").query("limit", "2").without_credentials();
        let next = users.next("https://acme.okta.com:443/api/v1/users?after=a%2Cb,c&limit=2#x", &origin()).unwrap();
        assert_eq!(next.target(), "/api/v1/users?after=a%2Cb,c&limit=2");
        assert!(next.is_without_credentials() && next.is_continued());
        assert_eq!(users.next("/api/v1/users?after=1", &origin()).unwrap().target(), "/api/v1/users?after=1");
        for link in [
            "https://evil.com/api/v1/users?after=1",
            "http://acme.okta.com/api/v1/users?after=1",
            "https://acme.okta.com:8443/api/v1/users?after=1",
            "https://acme.okta.com@evil.com/api/v1/users?after=1",
            "https://user:pass@acme.okta.com/api/v1/users?after=1",
            "https://acme.okta.com.evil.com/api/v1/users?after=1",
            "//evil.com/api/v1/users?after=1",
            "\\\\evil.com/api/v1/users?after=1",
            "https://acme.okta.com/api/v1/apps?after=1",
            "https://acme.okta.com/api/v1/users/?after=1",
            "https://acme.okta.com/api/v1/users/../apps?after=1",
            "https://acme.okta.com/api/v1/%75sers?after=1",
            "javascript:alert(1)",
            "https://",
        ] {
            let refused = users.next(link, &origin());
            assert!(matches!(refused, Err(Verdict::ForeignLink(_))), "{link}: {refused:?}");
        }
    }

    #[test]
    fn another_limit_changes_nothing_else() {
        let users = Request::list("/api/v1/users");
        assert_eq!(users.with_limit(5).target(), "/api/v1/users?limit=5");
        assert_eq!((users.with_limit(5).limit(), users.limit()), (Some(5), None));
        let first = users.query("search", "a b&limit=9").query("limit", "200").id_key("uuid").without_credentials();
        let smaller = first.with_limit(100);
        assert_eq!(smaller.target(), "/api/v1/users?search=a%20b%26limit%3D9&limit=100");
        assert_eq!(smaller.with_limit(200), first);
        for (query, expected) in [
            ("after=a%2Cb,c&limit=200&x=%7E", "after=a%2Cb,c&limit=50&x=%7E"),
            ("limit=200&after=limit=7;;==", "limit=50&after=limit=7;;=="),
            ("mylimit=3&after=1", "mylimit=3&after=1&limit=50"),
            ("limit&&after=1&", "limit=50&&after=1&"),
        ] {
            let next = first.next(&format!("https://acme.okta.com/api/v1/users?{query}"), &origin()).unwrap();
            let smaller = next.with_limit(50);
            assert_eq!(smaller.target(), format!("/api/v1/users?{expected}"));
            assert!(smaller.is_continued() && smaller.is_without_credentials());
        }
    }

    #[test]
    fn a_stored_place_is_taken_up_only_in_its_own_list() {
        let logs = Request::list("/api/v1/logs").query("since", "2024-01-01T00:00:00Z");
        let next = logs.next("https://acme.okta.com/api/v1/logs?after=17_1", &origin()).unwrap();
        assert_eq!(logs.resume(&next.target()).unwrap(), next);
        for target in ["/api/v1/users?after=1", "/api/v1/logs", "https://evil.com/api/v1/logs?a", "/api/v1/logs?a#b"] {
            assert!(logs.resume(target).is_err(), "{target}");
        }
    }
}
