//! The security control profile: what was decided, by which policy, and at what risk.

use super::risk;
use crate::json::Value;
use crate::ocsf::Class;
use crate::ocsf::enums::Observable;
use crate::ocsf::event::{Event, Role, is_identified};
use crate::ocsf::event_types::Entry;
use crate::ocsf::writer::{Writer, saying};
use crate::okta::{DetailEntry, Party};

/// A decision is repeated for each policy; Okta's are one word. A longer text is in `status_code` only.
const LONGEST_DECISION: usize = 64;

/// Every attribute of the profile that the event has; the profile is listed if there is one.
pub fn control(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    let used = w.wrote(|w| {
        disposition(w, event, entry);
        // Where the activity is about a policy, the policy is the entity and decides nothing.
        if entry.class != Class::EntityManagement {
            authorizations(w, event);
        }
        // Findings have these without the profile.
        if entry.class != Class::DetectionFinding {
            w.copy_flag("is_alert", event.debug.threat_suspected);
            risk::risk(w, event);
        }
    });
    if used {
        w.uses_security_control();
    }
}

/// `action` and `disposition`: what a control did. Success and failure of an activity are its status, not a decision.
fn disposition(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    match event.outcome.result.and_then(Value::word) {
        Some("ALLOW") => w.fragment(r#""action_id":1,"action":"Allowed","disposition_id":1,"disposition":"Allowed""#),
        Some("DENY") => w.fragment(r#""action_id":2,"action":"Denied","disposition_id":2,"disposition":"Blocked""#),
        Some("RATE_LIMIT") => {
            w.fragment(r#""action_id":2,"action":"Denied","disposition_id":25,"disposition":"Rejected""#);
        }
        Some("CHALLENGE") => w.fragment(r#""disposition_id":23,"disposition":"Challenge""#),
        Some("SKIPPED") => w.fragment(r#""disposition_id":16,"disposition":"No Action""#),
        Some("DEFERRED" | "SCHEDULED") => w.fragment(r#""disposition_id":14,"disposition":"Delayed""#),
        _ => {
            if let Some(choice) = entry.defaults.disposition {
                if matches!(choice.1, "Blocked" | "Rejected" | "Unauthorized") {
                    w.fragment(r#""action_id":2,"action":"Denied""#);
                }
                w.choice("disposition_id", "disposition", choice);
            }
        }
    }
}

/// `authorizations`: the policies and rules that were applied, and what they decided.
fn authorizations(w: &mut Writer<'_>, event: &Event<'_>) {
    w.array("authorizations", |w| {
        let applied = event.targets.iter().filter(|target| matches!(target.role, Role::Policy | Role::Rule));
        for target in applied.filter(|target| is_identified(&target.party)) {
            w.item(|w| {
                w.copy("decision", event.outcome.result.filter(|result| result.span().len() <= LONGEST_DECISION));
                policy(w, &target.party);
            });
        }
    });
}

/// `policy`: a policy or a rule of one.
pub fn policy(w: &mut Writer<'_>, party: &Party<'_>) {
    if saying(party.id).or(saying(party.display_name)).is_none() {
        return;
    }
    w.object("policy", |w| {
        w.observe("uid", party.id, Observable::OtherUid);
        w.copy("name", party.display_name);
        let detail = DetailEntry::of(party.detail_entry);
        if !w.copy("type", detail.policy_type) {
            w.copy("type", party.kind);
        }
    });
}
