//! `device`, by the host profile: the device that a request came from.

use super::{network, people};
use crate::ocsf::enrich::SaidOfDevice;
use crate::ocsf::enums::Observable;
use crate::ocsf::event::{Event, Role};
use crate::ocsf::writer::{Writer, saying};
use crate::okta::{DetailEntry, Party};

/// `device` of a class that has its own place for the client's address.
pub fn device(w: &mut Writer<'_>, event: &Event<'_>) {
    write(w, event, own_device(event), false);
}

/// `device` of a class whose device targets are the entity: only the one that the request came from.
pub fn requesting_device(w: &mut Writer<'_>, event: &Event<'_>) {
    write(w, event, None, false);
}

/// `device` of a class that has no other place for the client's address.
pub fn device_with_address(w: &mut Writer<'_>, event: &Event<'_>) {
    write(w, event, own_device(event), true);
}

/// A device among the targets is the one that the request came from when people act on themselves; an admin acts on the
/// devices of others.
fn own_device<'a>(event: &Event<'a>) -> Option<Party<'a>> {
    let mut users = event.targets_of(Role::User);
    let on_themselves = users.all(|user| people::is_same(&user, &event.actor));
    event.target(Role::Device).filter(|_| on_themselves && people::being(&event.actor) == people::Being::Person)
}

fn write(w: &mut Writer<'_>, event: &Event<'_>, target: Option<Party<'_>>, with_address: bool) {
    let reported = saying(event.device.id).or(saying(event.device.name)).is_some();
    let target = target.filter(|target| !reported && is_named(target));
    let address = network::client_ip(event).filter(|_| with_address);
    if !reported && target.is_none() && address.is_none() {
        return;
    }
    w.uses_host();
    w.object("device", |w| match target {
        // What a target runs on and where it is, the request does not say.
        Some(target) => {
            of_target(w, event, &target);
            w.fragment(r#""type_id":0,"type":"Unknown""#);
        }
        None => {
            reported_device(w, event);
            if !network::kind(w, event.client.device) {
                w.fragment(r#""type_id":0,"type":"Unknown""#);
            }
            if let Some(address) = address {
                network::address(w, address);
                w.copy("zone", event.client.zone);
                network::location(w, event.client.geographical_context);
            }
        }
    });
}

fn reported_device(w: &mut Writer<'_>, event: &Event<'_>) {
    let device = &event.device;
    w.observe("uid", device.id, Observable::DeviceUid);
    let said = SaidOfDevice {
        name: w.copy("name", device.name),
        is_managed: w.wrote(|w| w.copy_flag("is_managed", device.managed)),
        os: w.wrote(|w| match saying(device.os_platform) {
            Some(_) => network::os(w, device.os_platform, device.os_version),
            None => network::os(w, event.user_agent.os, None),
        }),
    };
    event.background.complete_device(w, device.id, said);
}

/// The attributes of a device that is a target, except its type.
fn of_target(w: &mut Writer<'_>, event: &Event<'_>, target: &Party<'_>) {
    w.observe("uid", target.id, Observable::DeviceUid);
    let name = w.copy("name", target.display_name);
    w.implied(target.kind.filter(|kind| kind.is("UDDevice") || kind.is("Device")), "");
    let detail = DetailEntry::of(target.detail_entry);
    let is_managed = w.wrote(|w| w.copy_flag("is_managed", detail.managed));
    let os = w.wrote(|w| network::os(w, detail.os_platform, detail.os_version));
    event.background.complete_device(w, target.id, SaidOfDevice { name, is_managed, os });
}

/// `device` in an entity: the target itself.
pub fn device_of(w: &mut Writer<'_>, event: &Event<'_>, target: &Party<'_>) {
    if is_named(target) {
        w.object("device", |w| {
            of_target(w, event, target);
            w.fragment(r#""type_id":0,"type":"Unknown""#);
        });
    }
}

fn is_named(target: &Party<'_>) -> bool {
    saying(target.id).or(saying(target.display_name)).is_some()
}
