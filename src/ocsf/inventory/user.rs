//! User Inventory Info (5003): a user of Okta, with what else is known of them.

use super::enrichments::{any, keep_identity, list};
use super::{UserSchema, user_facts};
use crate::json::{Kind, Value};
use crate::ocsf::enums::Observable;
use crate::ocsf::parts::people::is_email;
use crate::ocsf::privacy::ADDRESS_DOMAIN;
use crate::ocsf::writer::{MOST_LISTED, TIMES, Writer, saying};
use crate::okta::inventory::{Factor, Group, GroupProfile, RoleAssignment, User, UserProfile};
use crate::okta::parse_ms;

/// No user's groups are listed further than this; the rest of them stays in `unmapped`. Okta names no limit; a user in
/// more than a few hundred groups is rare.
const MOST_GROUPS: usize = 1_000;

/// A user, read.
struct Person<'a> {
    user: User<'a>,
    profile: UserProfile<'a>,
    email: Option<Value<'a>>,
}

/// Writes the attributes of the class; the result writes the enrichments.
pub fn write<'a>(
    w: &mut Writer<'_>,
    root: Value<'a>,
    user: &User<'a>,
    schema: Option<&'a UserSchema>,
) -> impl FnOnce(&mut Writer<'_>) + use<'a> {
    let profile = UserProfile::of(user.profile);
    let email = saying(profile.email).filter(|email| is_email(email.span()));
    let person = Person { user: *user, profile, email };
    let groups = list(root.get("groups"));
    let factors = list(root.get("factors"));
    let roles = list(root.get("roles"));
    w.object("user", |w| {
        person.names(w);
        kind(w, roles);
        person.account(w);
        if let Some(has_mfa) = factors.and_then(|factors| any(factors, proves_more_than_a_password)) {
            w.flag("has_mfa", has_mfa);
        }
        person.organization(w);
        person.ldap_person(w);
        if let Some(groups) = groups {
            w.array("groups", |w| {
                groups.children().take(MOST_GROUPS).enumerate().for_each(|(at, it)| group(w, it, at))
            });
        }
    });
    let user = person.user;
    move |w: &mut Writer<'_>| {
        user_facts::access_control(w, &user);
        user_facts::groups(w, groups, MOST_GROUPS);
        user_facts::factors(w, factors);
        user_facts::roles(w, roles);
        user_facts::missing(w, user.profile, schema);
    }
}

impl Person<'_> {
    fn names(&self, w: &mut Writer<'_>) {
        let profile = &self.profile;
        w.observe("uid", self.user.id, Observable::UserUid);
        w.observe("name", profile.login, Observable::UserName);
        w.copy("uid_alt", profile.login);
        w.copy("display_name", profile.display_name);
        full_name(w, profile);
        if let Some(email) = self.email {
            w.observe("email_addr", Some(email), Observable::EmailAddress);
        }
        if let Some(domain) = self.domain() {
            w.escaped_text("domain", domain);
        }
        let phone = saying(profile.mobile_phone).or(profile.primary_phone);
        w.copy("phone_number", phone);
    }

    fn domain(&self) -> Option<&str> {
        let domain = self.email.and_then(|email| email.span().split_once('@')).map(|(_, domain)| domain);
        // A hidden address has a domain that is nobody's.
        domain.filter(|domain| *domain != ADDRESS_DOMAIN)
    }

    /// `account`: that of the user in Okta, whoever checks its password.
    fn account(&self, w: &mut Writer<'_>) {
        let (is_disabled, is_locked) = standing(self.user.status);
        w.object("account", |w| {
            w.copy("uid", self.user.id);
            w.copy("name", self.profile.login);
            w.fragment(r#""type_id":99,"type":"Okta Account""#);
            if let Some(is_disabled) = is_disabled {
                w.flag("is_disabled", is_disabled);
            }
            if let Some(is_locked) = is_locked {
                w.flag("is_locked", is_locked);
            }
        });
    }

    /// `org`: the organization of the profile, else the domain of the address. A unit alone makes none.
    fn organization(&self, w: &mut Writer<'_>) {
        let domain = self.domain();
        w.object("org", |w| {
            let named = w.copy("name", self.profile.organization);
            match domain {
                _ if named => {}
                Some(domain) => w.escaped_text("name", domain),
                None => return,
            }
            w.copy("ou_name", self.profile.department);
        });
    }

    /// `ldap_person`: what a directory knows of a person.
    fn ldap_person(&self, w: &mut Writer<'_>) {
        let profile = &self.profile;
        w.object("ldap_person", |w| {
            w.copy("employee_uid", profile.employee_number);
            w.copy("given_name", profile.first_name);
            w.copy("surname", profile.last_name);
            w.copy("display_name", profile.display_name);
            w.copy("job_title", profile.title);
            w.copy("department", profile.department);
            w.copy("cost_center", profile.cost_center);
            w.copy("phone_number", profile.primary_phone);
            w.array("labels", |w| {
                w.copy_item("", profile.user_type);
            });
            w.array("tags", |w| {
                w.item(|w| {
                    if w.copy("value", profile.division) {
                        w.text("name", "division");
                    }
                });
            });
            let second = saying(profile.second_email).filter(|email| is_email(email.span()));
            w.array("email_addrs", |w| {
                second.into_iter().for_each(|email| w.observed_item(email, Observable::EmailAddress))
            });
            manager(w, profile);
            location(w, profile);
            day(w, "hire_time", saying(profile.hire_date).or(profile.start_date));
            day(w, "leave_time", profile.termination_date);
            w.copy_time("created_time", self.user.created);
            w.copy_time("modified_time", self.user.last_updated);
            w.copy_time("last_login_time", self.user.last_login);
        });
    }
}

/// `type`: an administrator if the user has a role; a user only if it is known that they have none.
fn kind(w: &mut Writer<'_>, roles: Option<Value<'_>>) {
    let is_given = |role: Value<'_>| {
        let role = (role.kind() == Kind::Object).then(|| RoleAssignment::of(Some(role)))?;
        Some(!role.status.is_some_and(|status| status.is("INACTIVE")))
    };
    w.fragment(match roles.and_then(|roles| any(roles, is_given)) {
        Some(true) => r#""type_id":2,"type":"Admin""#,
        Some(false) => r#""type_id":1,"type":"User""#,
        None => r#""type_id":0,"type":"Unknown""#,
    });
}

/// Whether a factor or enrollment is active and more than the password, which is an enrollment like others.
fn proves_more_than_a_password(factor: Value<'_>) -> Option<bool> {
    let factor = Factor::of(Some(factor));
    let status = saying(factor.status).and_then(Value::word)?;
    let is_password = [factor.kind, factor.factor_type, factor.key].into_iter().flatten();
    let is_password = is_password.into_iter().any(|word| word.is("password") || word.is("okta_password"));
    Some(status == "ACTIVE" && !is_password)
}

/// Whether the account is disabled and whether it is locked, as far as the status says it. Nobody could sign in yet to
/// an account that is STAGED or PROVISIONED, so it is neither enabled nor disabled.
///
/// Source: `UserStatus` of the Users API, and "User status" in Okta's help.
fn standing(status: Option<Value<'_>>) -> (Option<bool>, Option<bool>) {
    match status.and_then(Value::word) {
        Some("ACTIVE" | "PASSWORD_EXPIRED" | "RECOVERY") => (Some(false), Some(false)),
        Some("LOCKED_OUT") => (Some(false), Some(true)),
        Some("SUSPENDED" | "DEPROVISIONED") => (Some(true), None),
        _ => (None, None),
    }
}

/// `full_name`: what there is of first and last name.
fn full_name(w: &mut Writer<'_>, profile: &UserProfile<'_>) {
    let names: Vec<Value<'_>> = [profile.first_name, profile.last_name].into_iter().filter_map(saying).collect();
    if !names.is_empty() {
        let names: Vec<&str> = names.into_iter().map(Value::span).collect();
        w.escaped_text("full_name", &names.join(" "));
    }
}

/// `manager`: by the id where there is one. What Okta calls `manager` is a name for people.
fn manager(w: &mut Writer<'_>, profile: &UserProfile<'_>) {
    w.object("manager", |w| {
        if w.copy("uid", profile.manager_id) {
            w.copy("display_name", profile.manager);
        } else {
            w.copy("name", profile.manager);
        }
    });
}

/// `location`. A country is a code of two capitals; another word is left where it was.
fn location(w: &mut Writer<'_>, profile: &UserProfile<'_>) {
    let is_code =
        |code: &Value<'_>| code.span().len() == 2 && code.span().bytes().all(|byte| byte.is_ascii_uppercase());
    w.object("location", |w| {
        w.copy("city", profile.city);
        w.copy("region", profile.state);
        w.copy("postal_code", profile.zip_code);
        w.copy("country", profile.country_code.filter(is_code));
    });
}

/// A day of employment. Orgs write instants, which are copied, or days, which begin at midnight UTC for want of a
/// place; a day also stays as it was written.
fn day(w: &mut Writer<'_>, name: &'static str, value: Option<Value<'_>>) {
    if w.wrote(|w| w.copy_time(name, value)) {
        return;
    }
    let day = value.and_then(Value::word).filter(|day| day.len() == "2024-01-31".len());
    let ms = day.and_then(|day| parse_ms(&format!("{day}T00:00:00Z"))).filter(|ms| TIMES.contains(ms));
    if let Some(ms) = ms {
        w.number(name, ms);
    }
}

/// A group that the user is in. Only the first of many are worth searching for.
fn group(w: &mut Writer<'_>, element: Value<'_>, at: usize) {
    let group = Group::of(Some(element));
    let profile = GroupProfile::of(group.profile);
    if saying(group.id).or(saying(profile.name)).is_none() {
        return;
    }
    w.item(|w| {
        if at < MOST_LISTED {
            w.observe("uid", group.id, Observable::GroupUid);
            w.observe("name", profile.name, Observable::GroupName);
        } else {
            w.copy("uid", group.id);
            w.copy("name", profile.name);
        }
        w.copy("desc", profile.description);
        w.copy("type", group.kind);
    });
    keep_identity(element);
}
