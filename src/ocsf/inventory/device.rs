//! Device Inventory Info (5001): a device that is known to Okta, and its users.

use super::enrichments::{any, count, enrichment, keep_identity, list};
use crate::json::{Kind, Value};
use crate::ocsf::enums::Observable;
use crate::ocsf::parts::network;
use crate::ocsf::parts::people::is_email;
use crate::ocsf::writer::{MOST_LISTED, Writer, saying};
use crate::okta::inventory::{Device, DeviceEmbedded, DeviceProfile, DeviceUser, DisplayName, User, UserProfile};

/// Writes the attributes of the class; the result writes the enrichments.
pub fn write<'a>(w: &mut Writer<'_>, device: &Device<'a>) -> impl FnOnce(&mut Writer<'_>) + use<'a> {
    let profile = DeviceProfile::of(device.profile);
    let users = list(DeviceEmbedded::of(device.embedded).users);
    w.object("device", |w| {
        names(w, device, &profile);
        // Okta knows the platform, which does not tell a tablet from a phone, nor a laptop from a desktop.
        w.fragment(r#""type_id":0,"type":"Unknown""#);
        network::os(w, profile.platform, profile.os_version);
        w.copy("model", profile.model);
        w.copy("vendor_name", profile.manufacturer);
        w.object("hw_info", |w| w.observe("serial_number", profile.serial_number, Observable::Serial));
        w.array("imei_list", |w| w.copy_item("", profile.imei));
        w.copy("meid", profile.meid);
        managed(w, &profile, users);
        w.copy_time("created_time", device.created);
        w.copy_time("modified_time", device.last_updated);
        if let Some(owner) = only(users) {
            w.object("owner", |w| user(w, owner));
        }
    });
    move |w: &mut Writer<'_>| {
        posture(w, &profile);
        list_users(w, users);
    }
}

fn names(w: &mut Writer<'_>, device: &Device<'_>, profile: &DeviceProfile<'_>) {
    w.observe("uid", device.id, Observable::DeviceUid);
    w.copy("name", profile.display_name);
    w.copy("uid_alt", profile.sid);
    w.copy("udid", profile.udid);
    // Okta says both once more, under names that all of its resources have.
    repeated(w, device.resource_id, device.id, "device.uid");
    repeated(w, DisplayName::of(device.resource_display_name).value, profile.display_name, "device.name");
}

/// Notes that a value is in the record already if it says the same as another one.
fn repeated(w: &mut Writer<'_>, value: Option<Value<'_>>, original: Option<Value<'_>>, path: &str) {
    if let (Some(value), Some(original)) = (saying(value), saying(original))
        && value.span() == original.span()
    {
        w.same_as(value, path);
    }
}

/// `is_managed`: as the device says, else whether any of its users has it managed.
fn managed(w: &mut Writer<'_>, profile: &DeviceProfile<'_>, users: Option<Value<'_>>) {
    if w.wrote(|w| w.copy_flag("is_managed", profile.managed)) {
        return;
    }
    let by_user = |user| match DeviceUser::of(Some(user)).management_status.and_then(Value::word) {
        Some("MANAGED") => Some(true),
        Some("NOT_MANAGED") => Some(false),
        _ => None,
    };
    let has_users = |users: &Value<'_>| count(*users) > 0;
    if let Some(is_managed) = users.filter(has_users).and_then(|users| any(users, by_user)) {
        w.flag("is_managed", is_managed);
    }
}

/// The only user, who then is the owner.
fn only(users: Option<Value<'_>>) -> Option<User<'_>> {
    let mut users = users?.children();
    let user = User::of(DeviceUser::of(users.next()).user);
    let is_known = saying(user.id).or(saying(UserProfile::of(user.profile).login)).is_some();
    (is_known && users.next().is_none()).then_some(user)
}

fn user(w: &mut Writer<'_>, user: User<'_>) {
    let profile = UserProfile::of(user.profile);
    w.observe("uid", user.id, Observable::UserUid);
    w.observe("name", profile.login, Observable::UserName);
    w.copy("display_name", profile.display_name);
    if let Some(email) = saying(profile.email).filter(|email| is_email(email.span())) {
        w.observe("email_addr", Some(email), Observable::EmailAddress);
    }
}

/// `security`: what protects the device.
fn posture(w: &mut Writer<'_>, profile: &DeviceProfile<'_>) {
    let facts: [(&'static str, Option<Value<'_>>); 5] = [
        ("registered", profile.registered),
        ("diskEncryptionType", profile.disk_encryption_type),
        ("secureHardwarePresent", profile.secure_hardware_present),
        ("integrityJailbreak", profile.integrity_jailbreak),
        ("tpmPublicKeyHash", profile.tpm_public_key_hash),
    ];
    enrichment(w, Observable::DeviceUid, "security", |w| {
        for (name, fact) in facts {
            w.copy_json(name, name, fact);
        }
    });
}

/// `users`: how many the device has, and who the first of them are. That `_embedded` has no users means only that
/// nobody asked for them.
fn list_users(w: &mut Writer<'_>, users: Option<Value<'_>>) {
    let Some(users) = users else { return };
    enrichment(w, Observable::DeviceUid, "users", |w| {
        w.number("count", count(users));
        w.array("users", |w| {
            for element in users.children().take(MOST_LISTED) {
                let of_device = DeviceUser::of(Some(element));
                let user = User::of(of_device.user);
                let profile = UserProfile::of(user.profile);
                w.item(|w| {
                    w.copy("id", user.id);
                    w.copy("login", profile.login);
                    w.copy("email", profile.email);
                    w.copy("status", user.status);
                    w.copy("managementStatus", of_device.management_status);
                    w.copy("screenLockType", of_device.screen_lock_type);
                    w.copy("created", of_device.created);
                });
                if let Some(user) = of_device.user.filter(|user| user.kind() == Kind::Object) {
                    keep_identity(user);
                }
            }
        });
    });
}
