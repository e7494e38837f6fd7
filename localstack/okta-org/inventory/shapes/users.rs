//! Users, their types and schemas, and their factors.

use serde::Serialize;
use serde_json::{Value, json};

use super::{link, object};
use crate::world::people::{derived_status, derived_times, first_name, last_name, login};
use crate::world::seed::{Kind, Seed};
use crate::world::stamp;

const TITLES: [&str; 5] = ["Clerk", "Engineer", "Director", "Analyst", "Technician"];
const DEPARTMENTS: [&str; 5] = ["Engineering", "Finance", "Field Sales", "Warehouse", "Legal"];

/// A user. Typed, so that it is written without a tree in between: most of what the org ever writes are users.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    id: String,
    status: &'static str,
    created: String,
    activated: Option<String>,
    status_changed: Option<String>,
    last_login: Option<String>,
    last_updated: String,
    password_changed: Option<String>,
    r#type: UserTypeId,
    profile: Profile,
    credentials: Credentials,
    #[serde(rename = "_links")]
    links: Links,
}

#[derive(Serialize)]
struct UserTypeId {
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    login: String,
    email: String,
    second_email: Option<String>,
    first_name: &'static str,
    last_name: &'static str,
    display_name: String,
    title: &'static str,
    department: &'static str,
    employee_number: String,
    mobile_phone: Option<String>,
    manager: String,
}

#[derive(Serialize)]
struct Credentials {
    password: Password,
    emails: [Email; 1],
    provider: Provider,
}

#[derive(Serialize)]
struct Password {}

#[derive(Serialize)]
struct Email {
    value: String,
    status: &'static str,
    r#type: &'static str,
}

#[derive(Serialize)]
struct Provider {
    r#type: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Links {
    suspend: Link,
    reset_password: Link,
    deactivate: Link,
    schema: Link,
    r#type: Link,
    #[serde(rename = "self")]
    own: Link,
}

#[derive(Serialize)]
struct Link {
    href: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
}

pub fn user(seed: &Seed, index: u64) -> User {
    let (created, updated) = derived_times(seed, Kind::User, index);
    let status = derived_status(seed, index);
    let (created, updated) = (stamp(created), stamp(updated));
    let has_begun = !matches!(status, "STAGED");
    let profile = profile(seed, index);
    let user_type = seed.id(Kind::UserType, u64::from(index % 50 == 49));
    let id = seed.id(Kind::User, index);
    let action =
        |verb: &str| Link { href: format!("{{base}}/api/v1/users/{id}/lifecycle/{verb}"), method: Some("POST") };
    let place = |path: &str, id: &str| Link { href: format!("{{base}}/api/v1/{path}/{id}"), method: None };
    User {
        status,
        activated: has_begun.then(|| created.clone()),
        status_changed: has_begun.then(|| created.clone()),
        last_login: (status == "ACTIVE" && !index.is_multiple_of(9)).then(|| updated.clone()),
        last_updated: updated,
        password_changed: (has_begun && status != "PROVISIONED").then(|| created.clone()),
        created,
        credentials: Credentials {
            password: Password {},
            emails: [Email { value: profile.login.clone(), status: "VERIFIED", r#type: "PRIMARY" }],
            provider: Provider { r#type: "OKTA", name: "OKTA" },
        },
        profile,
        links: Links {
            suspend: action("suspend"),
            reset_password: action("reset_password"),
            deactivate: action("deactivate"),
            schema: place("meta/schemas/user", &seed.id(Kind::UserSchema, 0)),
            r#type: place("meta/types/user", &user_type),
            own: place("users", &id),
        },
        r#type: UserTypeId { id: user_type },
        id,
    }
}

pub fn profile(seed: &Seed, index: u64) -> Profile {
    let mut rng = seed.rng(Kind::User, index);
    let (title, department) = (*rng.pick(&TITLES), *rng.pick(&DEPARTMENTS));
    let login = login(seed, index);
    let phone = || format!("+33 1 99 00 {:02} {:02}", index / 100 % 100, index % 100);
    Profile {
        email: login.clone(),
        login,
        second_email: None,
        first_name: first_name(seed, index),
        last_name: last_name(index),
        display_name: format!("{} {}", first_name(seed, index), last_name(index)),
        title,
        department,
        employee_number: format!("{}", 10_000 + index),
        mobile_phone: index.is_multiple_of(3).then(phone),
        manager: seed.id(Kind::User, index / 10),
    }
}

pub fn user_type(seed: &Seed, index: u64) -> Value {
    let name = ["user", "contractor"][(index % 2) as usize];
    let own = json!({
        "name": name,
        "displayName": name,
        "description": "Okta user profile template with default permission settings",
        "default": index == 0,
        "createdBy": "sprz9fj1ycBcsgopy1d6",
        "lastUpdatedBy": "sprz9fj1ycBcsgopy1d6",
        "_links": { "schema": link(&format!("/api/v1/meta/schemas/user/{}", seed.id(Kind::UserSchema, index))) },
    });
    object(seed, Kind::UserType, index, "/api/v1/meta/types/user", own)
}

pub fn user_schema(seed: &Seed, index: u64) -> Value {
    let text = |title: &str| json!({ "title": title, "type": "string", "scope": "NONE", "mutability": "READ_WRITE" });
    let own = json!({
        "$schema": "http://json-schema.org/draft-04/schema#",
        "name": if index == 0 { "user" } else { "contractor" },
        "title": "User",
        "type": "object",
        "definitions": {
            "base": {
                "id": "#base",
                "type": "object",
                "properties": {
                    "login": text("Username"), "firstName": text("First name"), "lastName": text("Last name"),
                    "email": text("Primary email"), "title": text("Title"), "department": text("Department"),
                    "mobilePhone": text("Mobile phone"), "manager": text("Manager"),
                },
                "required": ["login", "firstName", "lastName", "email"],
            },
            "custom": { "id": "#custom", "type": "object", "properties": {}, "required": [] },
        },
        "properties": { "profile": { "allOf": [{ "$ref": "#/definitions/custom" }, { "$ref": "#/definitions/base" }] } },
    });
    object(seed, Kind::UserSchema, index, "/api/v1/meta/schemas/user", own)
}

pub fn linked_object() -> Value {
    json!({
        "primary": { "name": "manager", "title": "manager", "description": "Manager link property", "type": "USER" },
        "associated": { "name": "subordinate", "title": "subordinate", "description": "Subordinate link property", "type": "USER" },
        "_links": { "self": link("/api/v1/meta/schemas/user/linkedObjects/manager") },
    })
}

/// Type, provider and vendor of the factors the org allows.
fn factor_kinds() -> [(&'static str, &'static str, &'static str); 5] {
    [
        ("push", "OKTA", "OKTA"),
        ("token:software:totp", "OKTA", "OKTA"),
        ("webauthn", "FIDO", "FIDO"),
        ("sms", "OKTA", "OKTA"),
        ("email", "OKTA", "OKTA"),
    ]
}

/// One factor of a user; `nth` numbers all that user ever had.
pub fn factor(seed: &Seed, user: u64, nth: u64, which: usize, since: &str) -> Value {
    let (kind, provider, vendor) = factor_kinds()[which % 5];
    let id = seed.id(Kind::Factor, user * 64 + nth);
    let profile = match kind {
        "push" | "token:software:totp" => json!({ "credentialId": login(seed, user) }),
        "webauthn" => json!({ "credentialId": id, "authenticatorName": "YubiKey 5" }),
        "sms" => json!({ "phoneNumber": "+33199000001" }),
        _ => json!({ "email": login(seed, user) }),
    };
    let path = format!("/api/v1/users/{}", seed.id(Kind::User, user));
    json!({
        "id": id, "factorType": kind, "provider": provider, "vendorName": vendor,
        "status": "ACTIVE", "created": since, "lastUpdated": since, "profile": profile,
        "_links": { "self": link(&format!("{path}/factors/{id}")), "user": link(&path) },
    })
}

pub fn factors(seed: &Seed, user: u64) -> Value {
    let since = stamp(derived_times(seed, Kind::User, user).0);
    let mut rng = seed.rng(Kind::UserFactors, user);
    let enrolled = (0..5).filter(|_| rng.chance(0.4));
    let items: Vec<Value> =
        enrolled.enumerate().map(|(nth, which)| factor(seed, user, nth as u64, which, &since)).collect();
    json!({ "next": items.len(), "items": items })
}
