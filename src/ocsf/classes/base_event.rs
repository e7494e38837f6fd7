//! Base Event (0): valid, searchable, and complete in `unmapped`, for what has no class of its own.

use crate::ocsf::event::Event;
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::{control, device, people};
use crate::ocsf::writer::Writer;

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    // In this class the actor belongs to the host profile.
    if people::actor(w, event) {
        w.uses_host();
    }
    device::device_with_address(w, event);
    control::control(w, event, entry);
}
