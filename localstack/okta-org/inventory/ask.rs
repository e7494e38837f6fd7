//! One question to a collection, and the ways in which collections answer.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::inventory::filter::{Filter, Found, Operator};
use crate::inventory::page::{Page, walk};
use crate::inventory::shapes;
use crate::org::Org;
use crate::problem::Problem;
use crate::world::people::{self, derived_times};
use crate::world::relations::Relation;
use crate::world::seed::Kind;
use crate::world::{AsOf, Seen, World, stamp};

/// Everything an answer depends on.
pub struct Ask<'a> {
    pub world: &'a World,
    /// What a search sees; everything else sees the present.
    pub replica: AsOf,
    /// The variable parts of the path.
    pub ids: Vec<&'a str>,
    pub query: &'a HashMap<String, String>,
    pub from: u64,
    pub limit: usize,
    /// What is not of the world: its settings, its principals.
    pub org: &'a Org,
}

pub type Answer = Result<Page, Problem>;

const USER_FILTERS: [&str; 7] =
    ["status", "lastUpdated", "id", "profile.login", "profile.email", "profile.firstName", "profile.lastName"];
const GROUP_FILTERS: [&str; 4] = ["id", "type", "lastUpdated", "lastMembershipUpdated"];

impl Ask<'_> {
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The index behind the nth variable part of the path, if the object exists.
    pub fn index(&self, nth: usize, kind: Kind) -> Result<u64, Problem> {
        let id = self.ids.get(nth).copied().unwrap_or_default();
        let index = match kind {
            Kind::User => self.user(id),
            _ => self.world.seed.index(kind, id),
        };
        let found = index.filter(|index| self.world.exists(kind, *index, None));
        found.ok_or_else(|| Problem::not_found(&format!("{id} ({kind:?})")))
    }

    /// Users are also found by their login.
    fn user(&self, id: &str) -> Option<u64> {
        let seed = &self.world.seed;
        seed.index(Kind::User, id).or_else(|| people::index_of_login(seed, id))
    }

    pub fn one(&self, nth: usize, kind: Kind) -> Answer {
        let index = self.index(nth, kind)?;
        let text = self.world.text(kind, index, None).ok_or_else(|| Problem::not_found("object"))?;
        Ok(Page { items: vec![text], next: None })
    }

    pub fn all(&self, kind: Kind) -> Answer {
        self.some(kind, |_| true)
    }

    /// Those objects of the kind that `wanted` picks.
    pub fn some(&self, kind: Kind, wanted: impl Fn(&Value) -> bool) -> Answer {
        self.shown(kind, |object| wanted(&object).then_some(object))
    }

    /// The objects of the kind, each as `show` makes it, or left out.
    pub fn shown(&self, kind: Kind, show: impl Fn(Value) -> Option<Value>) -> Answer {
        let item = |index| show(self.world.object(kind, index, None)?).map(written);
        Ok(walk(self.from, self.world.count(kind), self.limit, |at| at, item))
    }

    /// The objects of the kind whose indices are `first..first + count`.
    pub fn range(&self, kind: Kind, first: u64, count: u64) -> Answer {
        let item = |nth| self.world.text(kind, first + nth, None);
        Ok(walk(self.from, count, self.limit, |at| at, item))
    }

    /// The items of a list that belongs to another object.
    pub fn items(&self, kind: Kind, index: u64) -> Answer {
        Ok(Page::whole(self.list(kind, index)))
    }

    pub fn list(&self, kind: Kind, index: u64) -> Vec<Value> {
        let list = self.world.object(kind, index, None);
        let items = list.and_then(|mut list| list["items"].as_array_mut().map(std::mem::take));
        items.unwrap_or_default()
    }

    pub fn users(&self) -> Answer {
        let search = self.parsed("search", Problem::search)?;
        let filter = self.parsed("filter", Problem::filter)?;
        let known = |name: &str, operator| match operator {
            Operator::Eq => USER_FILTERS.contains(&name),
            Operator::Gt | Operator::Ge | Operator::Lt | Operator::Le => name == "lastUpdated",
            _ => false,
        };
        if filter.as_ref().is_some_and(|filter| !filter.uses_only(&known)) {
            return Err(Problem::filter("an attribute or operator cannot be filtered by"));
        }
        let quick = self.param("q").map(str::to_lowercase);
        let as_of = search.as_ref().and(self.replica);
        let without_deprovisioned = search.is_none() && filter.is_none();
        let item = |index| {
            let seen = self.world.see(Kind::User, index, as_of);
            if matches!(seen, Seen::Missing) {
                return None;
            }
            if without_deprovisioned && people::status(&self.world.seed, index, &seen) == "DEPROVISIONED" {
                return None;
            }
            if !self.keeps(Kind::User, index, as_of, search.as_ref().or(filter.as_ref())) {
                return None;
            }
            if let Some(q) = &quick {
                let user = self.world.object(Kind::User, index, as_of)?;
                let text = |name: &str| user["profile"][name].as_str().unwrap_or_default().to_lowercase();
                let named = ["firstName", "lastName", "email"].iter().any(|name| text(name).starts_with(q.as_str()));
                return named.then(|| written(user));
            }
            self.world.text(Kind::User, index, as_of)
        };
        Ok(walk(self.from, self.world.count(Kind::User), self.limit, |at| at, item))
    }

    pub fn groups(&self) -> Answer {
        let search = self.parsed("search", Problem::search)?;
        let filter = self.parsed("filter", Problem::filter)?;
        let known = |name: &str, _| GROUP_FILTERS.contains(&name);
        if filter.as_ref().is_some_and(|filter| !filter.uses_only(&known)) {
            return Err(Problem::filter("an attribute cannot be filtered by"));
        }
        let as_of = search.as_ref().and(self.replica);
        let expand = self.param("expand").unwrap_or_default();
        let quick = self.param("q").map(str::to_lowercase);
        let item = |index| {
            if !self.keeps(Kind::Group, index, as_of, search.as_ref().or(filter.as_ref())) {
                return None;
            }
            let mut group = self.world.object(Kind::Group, index, as_of)?;
            let name = group["profile"]["name"].as_str().unwrap_or_default().to_lowercase();
            if quick.as_ref().is_some_and(|q| !name.starts_with(q.as_str())) {
                return None;
            }
            if expand.split(',').any(|what| what == "stats") {
                let users = self.linked_count(Relation::Members, index);
                group["_embedded"] = json!({ "stats": {
                    "usersCount": users, "appsCount": self.apps_of_group(index).len(), "groupPushMappingsCount": 0,
                    "hasAdminPrivilege": index == 4,
                } });
            }
            Some(written(group))
        };
        Ok(walk(self.from, self.world.count(Kind::Group), self.limit, |at| at, item))
    }

    pub fn devices(&self) -> Answer {
        let search = self.parsed("search", Problem::search)?;
        let as_of = search.as_ref().and(self.replica);
        let item = |index| {
            if !self.keeps(Kind::Device, index, as_of, search.as_ref()) {
                return None;
            }
            let mut device = self.world.object(Kind::Device, index, as_of)?;
            match self.param("expand") {
                Some("user") => device["_embedded"] = json!({ "users": self.device_users(index, false) }),
                Some("userSummary") => device["_embedded"] = json!({ "users": self.device_users(index, true) }),
                _ => {}
            }
            Some(written(device))
        };
        Ok(walk(self.from, self.world.count(Kind::Device), self.limit, |at| at, item))
    }

    /// The people who use a device: the one it was made for.
    pub fn device_users(&self, device: u64, summary: bool) -> Vec<Value> {
        let owner = device % self.world.seed.users.max(1);
        let id = self.world.id(Kind::User, owner);
        let shown = |profile: Value| {
            json!({
                "id": id, "realmId": null, "profile": {
                    "firstName": profile["firstName"], "lastName": profile["lastName"],
                    "login": profile["login"], "email": profile["email"],
                },
                "_links": { "self": { "href": format!("{{base}}/api/v1/users/{id}") } },
            })
        };
        let user = match summary {
            true => self.world.profile(owner).map(shown),
            false => self.world.object(Kind::User, owner, None),
        };
        let Some(user) = user else {
            return Vec::new();
        };
        let managed = if device % 5 < 3 { "MANAGED" } else { "NOT_MANAGED" };
        let created = stamp(derived_times(&self.world.seed, Kind::Device, device).0);
        vec![json!({ "managementStatus": managed, "created": created, "screenLockType": "BIOMETRIC", "user": user })]
    }

    pub fn user_devices(&self, user: u64) -> Vec<Value> {
        let device = self.world.object(Kind::Device, user, None);
        let linked = |device: Value| json!({ "created": device["created"], "deviceUserId": self.world.id(Kind::Device, user), "device": device });
        device.map(linked).into_iter().collect()
    }

    /// Walks over those linked to `left`, each made into what the collection shows.
    pub fn linked(
        &self,
        relation: Relation,
        left: u64,
        show: impl Fn(u64, Option<Timestamp>) -> Option<String>,
    ) -> Answer {
        let total = self.world.walk_length(relation, left);
        let skip = |at| self.world.next_position(relation, left, at);
        let item = |at| {
            let link = self.world.link_at(relation, left, at, None)?;
            show(link.right, link.since)
        };
        Ok(walk(self.from, total, self.limit, skip, item))
    }

    fn linked_count(&self, relation: Relation, left: u64) -> usize {
        let total = self.world.walk_length(relation, left);
        let next = |at| Some(self.world.next_position(relation, left, at)).filter(|at| *at < total);
        let positions = std::iter::successors(next(0), |at| next(at + 1));
        positions.filter(|at| self.world.link_at(relation, left, *at, None).is_some()).count()
    }

    /// The groups or applications that this object is in, each made into what the collection shows.
    pub fn lefts(&self, relation: Relation, kind: Kind, right: u64, show: impl Fn(Value) -> Value) -> Answer {
        let item = |left| {
            self.world.linked(relation, left, right, None)?;
            self.world.object(kind, left, None).map(&show).map(written)
        };
        Ok(walk(self.from, self.world.count(kind), self.limit, |at| at, item))
    }

    pub fn apps_of_group(&self, group: u64) -> Vec<Value> {
        let apps = 0..self.world.count(Kind::App);
        apps.filter(|app| self.world.linked(Relation::AppGroups, *app, group, None).is_some())
            .filter_map(|app| self.world.object(Kind::App, app, None))
            .collect()
    }

    pub fn app_user(&self, app: u64, user: u64, since: Option<Timestamp>) -> Option<Value> {
        let (id, profile) = (self.world.id(Kind::User, user), self.world.profile(user)?);
        let since = stamp(since.unwrap_or_else(|| derived_times(&self.world.seed, Kind::AppUser, app << 24 | user).0));
        let provisioned = app.is_multiple_of(3);
        let app_id = self.world.id(Kind::App, app);
        let mut assigned = json!({
            "id": id, "externalId": null, "created": since, "lastUpdated": since, "statusChanged": since,
            "scope": if (app + user).is_multiple_of(3) { "USER" } else { "GROUP" },
            "status": if provisioned { "PROVISIONED" } else { "ACTIVE" },
            "passwordChanged": null, "syncState": if provisioned { "SYNCHRONIZED" } else { "DISABLED" },
            "credentials": { "userName": profile["login"] },
            "profile": { "email": profile["email"], "firstName": profile["firstName"], "lastName": profile["lastName"] },
            "_links": {
                "app": { "href": format!("{{base}}/api/v1/apps/{app_id}") },
                "user": { "href": format!("{{base}}/api/v1/users/{id}") },
            },
        });
        if self.param("expand") == Some("user") {
            assigned["_embedded"] = json!({ "user": self.world.object(Kind::User, user, None) });
        }
        Some(assigned)
    }

    /// The users with an admin role of their own.
    pub fn admins(&self) -> Answer {
        let item = |user| {
            let holds = match self.world.see(Kind::UserRoles, user, None) {
                Seen::Changed(list) => list.patch["items"].as_array().is_some_and(|items| !items.is_empty()),
                _ => user < self.world.seed.users && people::derived_role(&self.world.seed, user).is_some(),
            };
            if !holds || !self.world.exists(Kind::User, user, None) {
                return None;
            }
            let id = self.world.id(Kind::User, user);
            let admin = json!({
                "id": id, "orn": format!("orn:okta:directory:{}:users:{id}", self.world.id(Kind::Org, 0)),
                "_links": {
                    "self": { "href": format!("{{base}}/api/v1/users/{id}") },
                    "roles": { "href": format!("{{base}}/api/v1/users/{id}/roles") },
                },
            });
            Some(written(admin))
        };
        Ok(walk(self.from, self.world.count(Kind::User), self.limit, |at| at, item))
    }

    /// The limits of the principals there really are, of the type that the filter must name.
    pub fn principal_limits(&self) -> Answer {
        let filter = self.parsed("filter", Problem::filter)?;
        let filter = filter.ok_or_else(|| Problem::invalid("filter", "The filter parameter is required."))?;
        if !filter.uses_only(&|name, operator| name == "principalType" && operator == Operator::Eq) {
            return Err(Problem::filter("principal rate limits can be filtered by principalType eq only"));
        }
        let limits = self.org.principal_limits();
        let wanted: Vec<_> = limits.into_iter().filter(|limit| filter.holds(&mut |name| found(limit, name))).collect();
        let item = |at| usize::try_from(at).ok().and_then(|at| wanted.get(at)).map(Value::to_string);
        Ok(walk(self.from, wanted.len() as u64, self.limit, |at| at, item))
    }

    pub fn principal_limit(&self) -> Answer {
        let id = self.ids.first().copied().unwrap_or_default();
        let found = self.org.principal_limits().into_iter().find(|limit| limit["id"] == id);
        found.map(Page::one).ok_or_else(|| Problem::not_found(id))
    }

    pub fn policies(&self) -> Answer {
        let wanted = self.param("type").ok_or_else(|| Problem::invalid("type", "The type parameter is required."))?;
        let known = shapes::POLICY_TYPES.iter().any(|(kind, _)| *kind == wanted);
        let classic_has = ["OKTA_SIGN_ON", "PASSWORD", "MFA_ENROLL", "IDP_DISCOVERY"].contains(&wanted);
        if !known || (self.org.classic && !classic_has) {
            return Err(Problem::invalid("type", format!("Invalid policy type {wanted}.")));
        }
        self.some(Kind::Policy, |policy| policy["type"] == wanted)
    }

    fn parsed(&self, name: &str, refuse: fn(String) -> Problem) -> Result<Option<Filter>, Problem> {
        self.param(name).map(|text| Filter::parse(text).map_err(refuse)).transpose()
    }

    /// Whether the object passes the filter; the common attributes are read without writing the object down.
    fn keeps(&self, kind: Kind, index: u64, as_of: AsOf, filter: Option<&Filter>) -> bool {
        let Some(filter) = filter else {
            return true;
        };
        let seed = &self.world.seed;
        let seen = self.world.see(kind, index, as_of);
        let untouched = match seen {
            Seen::Missing => return false,
            Seen::Untouched => true,
            Seen::Changed(_) => false,
        };
        let mut whole: Option<Value> = None;
        filter.holds(&mut |name| match name {
            "id" => Found::Text(seed.id(kind, index)),
            "status" if kind == Kind::User => Found::Text(people::status(seed, index, &seen).to_owned()),
            "lastUpdated" if untouched => {
                Found::Time(derived_times(seed, kind, index).1.as_millisecond() / 1_000 * 1_000)
            }
            name => {
                let whole = whole.get_or_insert_with(|| self.world.object(kind, index, as_of).unwrap_or_default());
                found(whole, name)
            }
        })
    }
}

fn written(object: Value) -> String {
    object.to_string()
}

fn found(object: &Value, path: &str) -> Found {
    let value = path.split('.').fold(object, |inner, name| &inner[name]);
    match value {
        Value::Null => Found::Nothing,
        Value::String(text) => match text.parse::<Timestamp>() {
            Ok(time) => Found::Time(time.as_millisecond()),
            Err(_) => Found::Text(text.clone()),
        },
        other => Found::Text(other.to_string()),
    }
}
