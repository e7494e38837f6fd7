//! The table of what is read from an org: the one place that says where a collection is, how it comes in pages, who may
//! see it, and how it lands.
//!
//! Source: Okta Management API and OAuth 2.0 API, 2026.06.3. Endpoints that give secrets away (client secrets of
//! applications, the tokens of social logins) have no row. `docs/collections.md` is made from this table.

mod rows;
#[cfg(test)]
mod tests;

pub use rows::{COLLECTIONS, NOT_COLLECTED};

use crate::json::Tape;
use crate::ocsf::Class;
use crate::ocsf::inventory;
use crate::okta::api::{Object, Request, Shape};

/// One collection: lists of one kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collection {
    /// Its name, which is also that of its mapping to OCSF.
    pub name: &'static str,
    /// Path of a list, with `{}` for each part of the list's key.
    pub path: &'static str,
    /// What its lists hang on.
    pub parent: Parent,
    /// How the objects lie in the body.
    pub shape: Shape,
    /// The field at the top of an object that is its id. Some objects have none there: see [`Grain`].
    pub id_key: &'static str,
    /// How much to ask for at once. `None`: the endpoint takes no `limit`, or does not say how much it may be; then the
    /// org decides, and next links are followed all the same.
    pub page: Option<Page>,
    /// Parameters that every first request of a list has.
    pub query: &'static [(&'static str, &'static str)],
    /// Users are asked for without what is secret or slow about them.
    pub without_credentials: bool,
    /// How to ask only for what has changed, where that can be asked.
    pub incremental: Option<Incremental>,
    /// The OAuth scopes that are needed, all of them.
    pub scopes: &'static [&'static str],
    /// The admin role that is needed besides.
    pub role: Role,
    /// Which orgs have it.
    pub needs: Needs,
    /// The facet of the inventory that it tells, `room` or `room.part`; each collection has its own.
    pub facet: &'static str,
    /// How its objects land.
    pub grain: Grain,
    /// Whether `{path}/{id}` gives one object alone. What it gives may have less than the list has, where that was
    /// asked to expand, and for profile mappings more.
    pub single: bool,
    /// Whether it is read unless somebody asks for it.
    pub managed: Managed,
    /// It takes a call for each user, and is read behind everything else, round and round.
    pub audit: bool,
}

/// What the lists of a collection hang on. The key of a list is made of the ids of what it hangs on, outermost first,
/// with `/` between them: the rules of a policy of an authorization server have the key `aus1/00p1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// The org: there is one list, without a key.
    Org,
    /// There is one list for each word of a query parameter, without a key. An org that does not have a word answers
    /// 400 or 403, which says nothing of the other words.
    Each(&'static str, &'static [&'static str]),
    /// There is one list for each object of another collection, by its id.
    Of(&'static str),
    /// There is one list for each object of another collection, by the last segment of one of its `_links`, as it is
    /// known there by another id than its own.
    Link {
        /// The other collection.
        of: &'static str,
        /// The name of the link.
        link: &'static str,
    },
}

/// The `limit` of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// What to ask for: the most that the endpoint takes, or that Okta recommends where more of it times out.
    pub size: u32,
    /// What to go down to when pages time out, and not below.
    pub least: u32,
}

/// How to ask for what has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incremental {
    /// The parameter; it takes the place of one of the same name in [`Collection::query`].
    pub parameter: &'static str,
    /// What it says, with `{}` for the time, RFC 3339 in UTC. Objects of that very millisecond are included.
    pub expression: &'static str,
}

/// The least of Okta's standard admin roles that may see a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Read-only Administrator.
    ReadOnly,
    /// Super Administrator, or a custom role with the permission `okta.iam.read`.
    Iam,
    /// Super Administrator.
    Super,
}

/// Which orgs have a collection, licences aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// All.
    Any,
    /// Those on Okta Identity Engine.
    IdentityEngine,
}

/// How what is read lands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Each object by itself. It has an id, or is the only one of its list.
    Object,
    /// Each page as one record: its objects mean something only together, or have no id of their own.
    Page,
    /// Each page as one record of ids alone: its objects are read elsewhere. A page of a thousand members has 1.5 MB of
    /// users, and 20 kB of ids.
    Ids,
}

/// Whether a collection is read by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Managed {
    /// It is.
    Yes,
    /// Only if it is asked for by name, and why.
    OnRequest(&'static str),
}

impl Collection {
    /// The collection with a name.
    pub fn find(name: &str) -> Option<&'static Self> {
        COLLECTIONS.iter().find(|collection| collection.name == name)
    }

    /// The collection on whose objects its lists hang.
    pub fn parent(&self) -> Option<&'static Self> {
        match self.parent {
            Parent::Org | Parent::Each(..) => None,
            Parent::Of(name) | Parent::Link { of: name, .. } => Self::find(name),
        }
    }

    /// The collections whose lists hang on its objects.
    pub fn children(&self) -> impl Iterator<Item = &'static Self> + use<> {
        let name = self.name;
        COLLECTIONS.iter().filter(move |child| child.parent().is_some_and(|parent| parent.name == name))
    }

    /// How many parts the key of a list has.
    pub fn depth(&self) -> usize {
        self.path.matches("{}").count()
    }

    /// The words for each of which there is a list; one `None` where there are none.
    pub fn words(&self) -> impl Iterator<Item = Option<&'static str>> + use<> {
        let words = match self.parent {
            Parent::Each(_, words) => words,
            _ => &[],
        };
        let alone = words.is_empty().then_some(None);
        words.iter().map(|word| Some(*word)).chain(alone)
    }

    /// The class of the OCSF records that its objects become.
    pub fn class(&self) -> Class {
        inventory::Collection::find(self.name).map_or(Class::CloudResourcesInventoryInfo, inventory::Collection::class)
    }

    /// Asks for the first page of the list with this key, or for this word. A key that does not fit the path gives a
    /// request that is refused when it is sent.
    pub fn first_request(&self, key: Option<&str>, word: Option<&str>) -> Request {
        self.request(key, word, self.page.map(|page| page.size), None)
    }

    /// The same with pages of another size. Without effect where there is no `limit`.
    pub fn first_request_sized(&self, key: Option<&str>, word: Option<&str>, limit: u32) -> Request {
        self.request(key, word, self.page.map(|_| limit), None)
    }

    /// Asks for what has changed since a time, RFC 3339 in UTC, in the list with this key.
    pub fn changes_request(&self, key: Option<&str>, since: &str) -> Option<Request> {
        let changed = self.incremental?;
        let expression = changed.expression.replace("{}", since);
        let limit = self.page.map(|page| page.size);
        Some(self.request(key, None, limit, Some((changed.parameter, &expression))))
    }

    /// Asks for one object, by the key of its list and its id with `/` between them.
    pub fn single_request(&self, key: &str) -> Option<Request> {
        let path = fill(&self.single_path()?, Some(key));
        Some(self.dressed(Request::one(path)))
    }

    /// Path of one object, with `{}` for each part of its key.
    pub fn single_path(&self) -> Option<String> {
        self.single.then(|| format!("{}/{{}}", self.path))
    }

    /// The key of this collection's list below an object of its parent, which was found in the list with `key`. `None`
    /// when the object does not say it.
    pub fn key_below(&self, key: Option<&str>, object: &Object<'_>) -> Option<String> {
        let own = match self.parent {
            Parent::Org | Parent::Each(..) => None,
            Parent::Of(_) => object.id.map(str::to_owned),
            Parent::Link { link, .. } => link_id(object.json, link),
        }?;
        Some(key.map_or_else(|| own.clone(), |key| format!("{key}/{own}")))
    }

    fn request(
        &self,
        key: Option<&str>,
        word: Option<&str>,
        limit: Option<u32>,
        narrowed: Option<(&str, &str)>,
    ) -> Request {
        let path = fill(self.path, key);
        let mut request = match self.shape {
            Shape::List => Request::list(path),
            Shape::Named(key) => Request::named(path, key),
            Shape::One => Request::one(path),
        };
        if let (Parent::Each(parameter, _), Some(word)) = (self.parent, word) {
            request = request.query(parameter, word);
        }
        let kept = self.query.iter().filter(|(name, _)| narrowed.is_none_or(|(narrowed, _)| narrowed != *name));
        for (name, value) in narrowed.iter().chain(kept) {
            request = request.query(name, value);
        }
        if let Some(limit) = limit {
            request = request.query("limit", &limit.to_string());
        }
        self.dressed(request)
    }

    fn dressed(&self, request: Request) -> Request {
        let request = request.id_key(self.id_key);
        if self.without_credentials { request.without_credentials() } else { request }
    }
}

/// The path with the parts of the key in their places. A place that stays open makes a path that is never sent.
fn fill(path: &str, key: Option<&str>) -> String {
    let parts: Vec<&str> = key.map(|key| key.split('/').collect()).unwrap_or_default();
    if parts.len() != path.matches("{}").count() {
        return path.to_owned();
    }
    parts.iter().fold(path.to_owned(), |path, part| path.replacen("{}", part, 1))
}

/// The last segment of the path that a link leads to.
fn link_id(json: &[u8], link: &str) -> Option<String> {
    let mut tape = Tape::default();
    let document = tape.read(json).ok()?;
    let href = document.root().get("_links")?.get(link)?.get("href")?.as_str()?.into_owned();
    let path = href.split(['?', '#']).next()?;
    let id = path.rsplit('/').next()?;
    (!id.is_empty()).then(|| id.to_owned())
}
