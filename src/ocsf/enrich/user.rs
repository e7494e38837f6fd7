//! A user: who they are at work, what they are in, with what they prove who they are.

use super::groups::groups;
use super::{Context, Field, MOST_LISTED};
use crate::ocsf::knowledge::{FactorCard, UserCard};
use crate::ocsf::parts::people::is_email;
use crate::ocsf::privacy::Personal;
use crate::ocsf::writer::Writer;

/// Which attributes of a user the event has filled.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // the names are the attributes'
pub struct SaidOfUser {
    pub name: bool,
    pub display_name: bool,
    pub email_addr: bool,
}

/// The attributes of a user.
pub fn attributes(w: &mut Writer<'_>, context: &Context<'_>, card: &UserCard, said: SaidOfUser) {
    if context.has(Field::Name) {
        if !said.name {
            context.text(w, "name", Some(Personal::Login), card.login.as_deref());
        }
        if !said.display_name {
            context.text(w, "display_name", Some(Personal::Name), card.display_name.as_deref());
        }
    }
    let email = card.email.as_deref().filter(|email| context.has(Field::Email) && is_email(email));
    if !said.email_addr {
        context.text(w, "email_addr", Some(Personal::Login), email);
    }
    if context.has(Field::Factors)
        && let Some(has_mfa) = card.factors.as_deref().and_then(has_mfa)
    {
        w.flag("has_mfa", has_mfa);
    }
    organization(w, context, card);
    // The event's own address is the login, from which the address may differ.
    let other = email.filter(|email| said.email_addr && card.login.as_deref() != Some(*email));
    ldap_person(w, context, card, other);
    if let Some(ids) = card.groups.as_deref().filter(|_| context.has(Field::Groups)) {
        groups(w, context, ids);
    }
}

/// Whether a factor is active and more than the password. Nothing if that depends on one whose status is not known.
fn has_mfa(factors: &[FactorCard]) -> Option<bool> {
    let proves = |factor: &FactorCard| {
        let is_password = factor.kind.as_deref().is_some_and(|kind| matches!(kind, "password" | "okta_password"));
        factor.status.as_deref().map(|status| status == "ACTIVE" && !is_password)
    };
    if factors.iter().any(|factor| proves(factor) == Some(true)) {
        return Some(true);
    }
    factors.iter().all(|factor| proves(factor).is_some()).then_some(false)
}

/// `org`. A department alone makes none.
fn organization(w: &mut Writer<'_>, context: &Context<'_>, card: &UserCard) {
    if !context.has(Field::Organization) {
        return;
    }
    w.object("org", |w| {
        if context.text(w, "name", None, card.organization.as_deref()) {
            context.text(w, "ou_name", None, card.department.as_deref());
        }
    });
}

/// `ldap_person`: what a directory knows of a person.
fn ldap_person(w: &mut Writer<'_>, context: &Context<'_>, card: &UserCard, email: Option<&str>) {
    w.object("ldap_person", |w| {
        if context.has(Field::EmployeeNumber) {
            context.text(w, "employee_uid", Some(Personal::EmployeeNumber), card.employee_number.as_deref());
        }
        if context.has(Field::Title) {
            context.text(w, "job_title", None, card.title.as_deref());
            if let Some(user_type) = card.user_type.as_deref().and_then(|text| context.shown(None, text)) {
                w.array("labels", |w| w.text_item(&user_type));
            }
        }
        if context.has(Field::Organization) {
            context.text(w, "department", None, card.department.as_deref());
            w.array("tags", |w| {
                w.item(|w| {
                    if context.text(w, "value", None, card.division.as_deref()) {
                        w.text("name", "division");
                    }
                });
            });
        }
        if let Some(email) = email.and_then(|email| context.shown(Some(Personal::Login), email)) {
            w.array("email_addrs", |w| w.text_item(&email));
        }
        if context.has(Field::Manager) {
            manager(w, context, card);
        }
    });
}

/// `manager`: by the id where there is one. What Okta calls `manager` is a name for people.
fn manager(w: &mut Writer<'_>, context: &Context<'_>, card: &UserCard) {
    let sort = Some(Personal::Manager);
    w.object("manager", |w| {
        let has_id = context.text(w, "uid", sort, card.manager_id.as_deref());
        let name = if has_id { "display_name" } else { "name" };
        context.text(w, name, sort, card.manager.as_deref());
    });
}

/// What the enrichment of a user holds.
pub fn data(w: &mut Writer<'_>, context: &Context<'_>, card: &UserCard) {
    if context.has(Field::Status) {
        context.text(w, "status", None, card.status.as_deref());
    }
    if let Some(groups) = card.groups.as_deref().filter(|_| context.has(Field::Groups)) {
        let listed = groups.len().min(context.enrichment.max_groups);
        w.number("group_count", as_count(groups.len()));
        w.number("groups_listed", as_count(listed));
        w.flag("groups_cut", listed < groups.len());
    }
    if let Some(roles) = card.roles.as_deref().filter(|_| context.has(Field::Roles)) {
        w.number("role_count", as_count(roles.len()));
        w.items("roles", roles.iter().take(MOST_LISTED), |w, role| {
            context.text(w, "type", None, role.kind.as_deref());
            context.text(w, "label", None, role.label.as_deref());
        });
    }
    if let Some(factors) = card.factors.as_deref().filter(|_| context.has(Field::Factors)) {
        w.number("factor_count", as_count(factors.len()));
        w.items("factors", factors.iter().take(MOST_LISTED), |w, factor| {
            context.text(w, "type", None, factor.kind.as_deref());
            context.text(w, "provider", None, factor.provider.as_deref());
            context.text(w, "status", None, factor.status.as_deref());
        });
    }
}

/// The values of a card by which a person can be known.
pub fn personal(card: &UserCard) -> Vec<(Personal, Option<&str>)> {
    vec![
        (Personal::Login, card.login.as_deref()),
        (Personal::Login, card.email.as_deref()),
        (Personal::Name, card.display_name.as_deref()),
        (Personal::EmployeeNumber, card.employee_number.as_deref()),
        (Personal::Manager, card.manager.as_deref()),
        (Personal::Manager, card.manager_id.as_deref()),
    ]
}

fn as_count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
