//! Cards of bodies. As lenient as the mapping: what has another shape than Okta's is not known.

use std::sync::Arc;

use super::cache::Names;
use crate::json::{Kind, Tape, Value};
use crate::ocsf::{AppCard, DeviceCard, FactorCard, RoleCard, UserCard};
use crate::okta::inventory::{
    Device, DeviceEmbedded, DeviceProfile, DeviceUser, Factor, Group, GroupProfile, RoleAssignment, User, UserProfile,
};

pub fn user(body: &[u8], names: &mut Names) -> UserCard {
    read(body, |root| {
        let user = User::of(Some(root));
        let profile = UserProfile::of(user.profile);
        let own = |value| text(value).map(Arc::from);
        let mut shared = |value| text(value).map(|text| names.shared(&text));
        let login: Option<Arc<str>> = own(profile.login);
        // For most the same.
        let email = match text(profile.email) {
            Some(email) if login.as_deref() == Some(&email) => login.clone(),
            email => email.map(Arc::from),
        };
        UserCard {
            login,
            email,
            display_name: own(profile.display_name).or_else(|| full_name(&profile).map(Arc::from)),
            status: shared(user.status),
            department: shared(profile.department),
            division: shared(profile.division),
            organization: shared(profile.organization),
            title: shared(profile.title),
            user_type: shared(profile.user_type),
            employee_number: own(profile.employee_number),
            manager: shared(profile.manager),
            manager_id: shared(profile.manager_id),
            groups: None,
            roles: None,
            factors: None,
        }
    })
}

fn full_name(profile: &UserProfile<'_>) -> Option<String> {
    let names = [text(profile.first_name), text(profile.last_name)];
    let names: Vec<String> = names.into_iter().flatten().collect();
    (!names.is_empty()).then(|| names.join(" "))
}

pub fn factors(list: &[u8]) -> Box<[FactorCard]> {
    each(list, |element| {
        let factor = Factor::of(Some(element));
        let kind = text(factor.factor_type).or_else(|| text(factor.kind));
        FactorCard { kind, provider: text(element.get("provider")), status: text(factor.status) }
    })
}

/// The roles that are given; one that is switched off gives nothing.
pub fn roles(list: &[u8]) -> Box<[RoleCard]> {
    let given = each(list, |element| {
        let is_off = RoleAssignment::of(Some(element)).status.is_some_and(|status| status.is("INACTIVE"));
        (!is_off).then(|| RoleCard { kind: text(element.get("type")), label: text(element.get("label")) })
    });
    given.into_iter().flatten().collect()
}

pub fn app(body: &[u8]) -> AppCard {
    read(body, |root| AppCard {
        name: text(root.get("name")),
        label: text(root.get("label")),
        status: text(root.get("status")),
        sign_on_mode: text(root.get("signOnMode")),
        // Okta knows no owner of an app; its profile is free, and this is what orgs call one there.
        owner: text(root.get("profile").and_then(|profile| profile.get("owner"))),
    })
}

pub fn device(body: &[u8]) -> DeviceCard {
    read(body, |root| {
        let device = Device::of(Some(root));
        let profile = DeviceProfile::of(device.profile);
        let flag = |value: Option<Value<'_>>| value.and_then(Value::as_bool);
        DeviceCard {
            display_name: text(profile.display_name),
            status: text(device.status),
            platform: text(profile.platform),
            os_version: text(profile.os_version),
            serial_number: text(profile.serial_number),
            management_status: management_status(&device, flag(profile.managed)),
            registered: flag(profile.registered),
            secure_hardware: flag(profile.secure_hardware_present),
            disk_encryption: text(profile.disk_encryption_type),
            jailbroken: flag(profile.integrity_jailbreak),
        }
    })
}

/// Whether it is managed, in Okta's words: by its profile, else if any of its users has it managed.
fn management_status(device: &Device<'_>, by_profile: Option<bool>) -> Option<String> {
    let word = |managed| if managed { "MANAGED" } else { "NOT_MANAGED" }.to_owned();
    if let Some(managed) = by_profile {
        return Some(word(managed));
    }
    let users = DeviceEmbedded::of(device.embedded).users.into_iter().flat_map(Value::children);
    let statuses = users.filter_map(|user| text(DeviceUser::of(Some(user)).management_status));
    statuses.reduce(|one, other| if other == "MANAGED" { other } else { one })
}

pub fn group_name(body: &[u8]) -> Option<Arc<str>> {
    read(body, |root| text(GroupProfile::of(Group::of(Some(root)).profile).name)).map(Arc::from)
}

fn read<T: Default>(body: &[u8], with: impl FnOnce(Value<'_>) -> T) -> T {
    let mut tape = Tape::default();
    tape.read(body).map(|document| with(document.root())).unwrap_or_default()
}

fn each<T>(list: &[u8], with: impl Fn(Value<'_>) -> T) -> Box<[T]> {
    read(list, |root| {
        let elements = Some(root).filter(|root| root.kind() == Kind::Array);
        elements.into_iter().flat_map(Value::children).filter(|one| one.kind() == Kind::Object).map(with).collect()
    })
}

/// A text that says something; numbers too, as some orgs keep employee numbers as such.
fn text(value: Option<Value<'_>>) -> Option<String> {
    let value = value.filter(|value| matches!(value.kind(), Kind::String | Kind::Integer))?;
    let text = value.decoded();
    (!text.is_empty()).then(|| text.into_owned())
}
