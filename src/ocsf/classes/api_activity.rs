//! API Activity (6003): jobs, limits and calls, where nothing is managed and nobody signs in.

use crate::ocsf::event::Event;
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::{control, device, network, people, resources};
use crate::ocsf::writer::Writer;

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    people::actor(w, event);
    w.object("api", |w| {
        if !w.copy("operation", event.log.event_type) {
            w.text("operation", &entry.activity);
        }
        w.fragment(r#""service":{"name":"Okta"}"#);
        w.object("request", |w| w.copy("uid", event.debug.request_id));
    });
    network::src_endpoint_or_okta(w, event);
    network::http_request(w, event);
    resources::resources(w, event, |_| false);
    device::device(w, event);
    control::control(w, event, entry);
}
