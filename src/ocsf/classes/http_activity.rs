//! HTTP Activity (4002): a request that was stopped before anybody was authenticated.

use crate::ocsf::event::Event;
use crate::ocsf::event_types::Entry;
use crate::ocsf::parts::{control, device, network, people};
use crate::ocsf::writer::{Writer, saying};

/// Whether anything of the request is known.
pub fn fits(event: &Event<'_>) -> bool {
    let debug = &event.debug;
    let known = [event.user_agent.raw_user_agent, debug.request_id, debug.request_uri, debug.url];
    known.into_iter().any(|value| saying(value).is_some())
}

pub fn write(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    network::http_request(w, event);
    network::src_endpoint(w, event);
    if people::actor(w, event) {
        w.uses_host();
    }
    device::device(w, event);
    control::control(w, event, entry);
}
