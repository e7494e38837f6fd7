//! Application Error (6008): what Okta or an application could not do.

use crate::ocsf::event::Event;
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::{control, device, people};
use crate::ocsf::writer::Writer;

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    if people::actor(w, event) {
        w.uses_host();
    }
    device::device_with_address(w, event);
    control::control(w, event, entry);
}
