//! The enrichments of a user: what Okta knows that OCSF has no attribute for. All are about `user.uid`.

use super::UserSchema;
use super::enrichments::{count, enrichment, listed, moment};
use crate::json::{Kind, Value};
use crate::ocsf::enums::Observable;
use crate::ocsf::writer::{Writer, saying};
use crate::okta::inventory::{Credentials, User};

/// `access_control`: whether and how the user may sign in, and when they last did. Times are in ms, and under the name
/// with `_dt` as Okta wrote them.
pub fn access_control(w: &mut Writer<'_>, user: &User<'_>) {
    let credentials = Credentials::of(user.credentials);
    enrichment(w, Observable::UserUid, "access_control", |w| {
        if let Some(status) = saying(user.status) {
            w.copy("status", Some(status));
            w.flag("is_enabled", status.is("ACTIVE"));
        }
        moment(w, "last_logon", "last_logon_dt", user.last_login);
        moment(w, "last_time_password_change", "last_time_password_change_dt", user.password_changed);
        moment(w, "status_changed", "status_changed_dt", user.status_changed);
        moment(w, "created", "created_dt", user.created);
        moment(w, "activated", "activated_dt", user.activated);
        moment(w, "last_updated", "last_updated_dt", user.last_updated);
        // The API answers with an empty object where there is a password.
        if credentials.password.is_some_and(|password| password.kind() == Kind::Object) {
            w.flag("has_password", true);
        }
        w.copy_json("credential_provider", "credential_provider", credentials.provider);
    });
}

/// `groups`: how many the user is in, and how many of them the record lists.
pub fn groups(w: &mut Writer<'_>, groups: Option<Value<'_>>, most: usize) {
    let Some(groups) = groups else { return };
    enrichment(w, Observable::UserUid, "groups", |w| {
        let count = count(groups);
        w.number("count", count);
        w.number("listed", count.min(most as i64));
    });
}

/// `factors`: with what the user can prove who they are.
pub fn factors(w: &mut Writer<'_>, factors: Option<Value<'_>>) {
    const FIELDS: &[&str] =
        &["id", "factorType", "type", "key", "name", "provider", "vendorName", "status", "created", "lastUpdated"];
    let Some(factors) = factors else { return };
    enrichment(w, Observable::UserUid, "factors", |w| listed(w, "factors", factors, FIELDS));
}

/// `roles`: of which the user is an administrator.
pub fn roles(w: &mut Writer<'_>, roles: Option<Value<'_>>) {
    const FIELDS: &[&str] =
        &["id", "label", "type", "status", "assignmentType", "role", "resource-set", "created", "lastUpdated"];
    let Some(roles) = roles else { return };
    enrichment(w, Observable::UserUid, "roles", |w| listed(w, "roles", roles, FIELDS));
}

/// `missing_required_attributes`: what the schema demands of the profile, and the profile lacks.
pub fn missing(w: &mut Writer<'_>, profile: Option<Value<'_>>, schema: Option<&UserSchema>) {
    let Some(schema) = schema else { return };
    enrichment(w, Observable::UserUid, "missing_required_attributes", |w| {
        w.array("attributes", |w| schema.missing_in(profile).for_each(|name| w.text_item(name)));
    });
}
