//! `resources`: the targets that have no attribute of their own in the class.

use crate::ocsf::enums::Observable;
use crate::ocsf::event::{Event, Target};
use crate::ocsf::writer::{Writer, saying};
use crate::okta::Party;

/// `resources`: every identified target that is not elsewhere in the record.
pub fn resources(w: &mut Writer<'_>, event: &Event<'_>, is_elsewhere: impl Fn(&Target<'_>) -> bool) {
    w.array("resources", |w| {
        let affected = event.targets.iter().filter(|target| !is_elsewhere(target));
        for target in affected {
            w.item(|w| attributes(w, &target.party));
        }
    });
}

/// `resource`: one target.
pub fn resource(w: &mut Writer<'_>, party: &Party<'_>) {
    w.object("resource", |w| attributes(w, party));
}

fn attributes(w: &mut Writer<'_>, party: &Party<'_>) {
    if saying(party.id).or(saying(party.display_name)).or(saying(party.alternate_id)).is_none() {
        return;
    }
    w.observe("uid", party.id, Observable::ResourceUid);
    let named = w.observe("name", party.display_name, Observable::ResourceName);
    // Okta writes an application's name twice, a user's login as the alternate id.
    let alternate = saying(party.alternate_id);
    match (named, alternate, party.display_name) {
        (false, Some(_), _) => {
            w.observe("name", party.alternate_id, Observable::ResourceName);
        }
        (true, Some(alternate), Some(name)) if alternate.span() == name.span() => {
            w.implied(party.alternate_id, "name");
        }
        (true, Some(_), _) if saying(party.id).is_some() => {
            w.observe("uid_alt", party.alternate_id, Observable::ResourceUid);
        }
        _ => {}
    }
    w.copy("type", party.kind);
    w.copy_json("data", "data", party.detail_entry);
    w.fragment(r#""role_id":1,"role":"Target""#);
}
