//! A device: what it is, and what protects it.

use super::{Context, Field};
use crate::ocsf::knowledge::DeviceCard;
use crate::ocsf::parts::network;
use crate::ocsf::privacy::Personal;
use crate::ocsf::writer::Writer;

/// Which attributes of a device the event has filled.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // the names are the attributes'
pub struct SaidOfDevice {
    pub name: bool,
    pub is_managed: bool,
    pub os: bool,
}

/// The attributes of a device.
pub fn attributes(w: &mut Writer<'_>, context: &Context<'_>, card: &DeviceCard, said: SaidOfDevice) {
    let sort = Some(Personal::Device);
    if !said.name {
        context.text(w, "name", sort, card.display_name.as_deref());
    }
    if let Some(is_managed) = card.management_status.as_deref().and_then(is_managed).filter(|_| !said.is_managed) {
        w.flag("is_managed", is_managed);
    }
    if !said.os {
        os(w, context, card);
    }
    if context.has(Field::DeviceSerial) {
        w.object("hw_info", |w| context.text(w, "serial_number", sort, card.serial_number.as_deref()));
    }
}

fn is_managed(status: &str) -> Option<bool> {
    match status {
        "MANAGED" => Some(true),
        "NOT_MANAGED" => Some(false),
        _ => None,
    }
}

fn os(w: &mut Writer<'_>, context: &Context<'_>, card: &DeviceCard) {
    let Some(platform) = card.platform.as_deref().and_then(|platform| context.shown(None, platform)) else { return };
    w.object("os", |w| {
        w.text("name", &platform);
        w.fragment(network::os_type(&platform));
        context.text(w, "version", None, card.os_version.as_deref());
    });
}

/// What the enrichment of a device holds, under the names that Okta gives it.
pub fn data(w: &mut Writer<'_>, context: &Context<'_>, card: &DeviceCard) {
    context.text(w, "status", None, card.status.as_deref());
    context.text(w, "managementStatus", None, card.management_status.as_deref());
    context.text(w, "diskEncryptionType", None, card.disk_encryption.as_deref());
    for (name, fact) in [
        ("registered", card.registered),
        ("secureHardwarePresent", card.secure_hardware),
        ("integrityJailbreak", card.jailbroken),
    ] {
        if let Some(fact) = fact {
            w.flag(name, fact);
        }
    }
}

/// The values of a card by which a device, and so a person, can be known.
pub fn personal(card: &DeviceCard) -> Vec<(Personal, Option<&str>)> {
    vec![(Personal::Device, card.display_name.as_deref()), (Personal::Device, card.serial_number.as_deref())]
}
